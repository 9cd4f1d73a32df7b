#include "container/input_file.h"

#include "check.h"
#include "memory_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

/* Everything happens in a folder of its own, which is also the current directory. */
static char folder[] = "/tmp/m2h-test-XXXXXX";

static void
write_file(const char *name, const char *text)
{
	FILE *file = fopen(name, "wb");

	memory_file_must(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0, name);
}

static void
make_all(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "socket" };
	int                fd = socket(AF_UNIX, SOCK_STREAM, 0);

	write_file("ok", "0123456789");
	write_file("empty", "");
	memory_file_must(mkfifo("fifo", 0600) == 0, "mkfifo");
	memory_file_must(mkdir("folder", 0700) == 0, "mkdir");
	memory_file_must(symlink("loop", "loop") == 0 && symlink("nowhere", "dangling") == 0
		&& symlink("ok", "link") == 0, "symlink");
	memory_file_must(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0,
		"socket");
	close(fd);
}

static void
remove_all(void)
{
	static const char *const names[] = { "ok", "empty", "fifo", "loop", "dangling", "link",
		"socket", "changing" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		unlink(names[i]);
	rmdir("folder");
	memory_file_must(chdir("/") == 0 && rmdir(folder) == 0, folder);
}

static void
test_kinds(void)
{
	static const struct { const char *path; uint64_t size; const char *slug, *text; } rows[] = {
		{ "ok", 10, "", "" },
		{ "empty", 0, "", "" },
		{ "link", 10, "", "" },
		{ "missing", 0, "noinput", "cannot open it: No such file or directory" },
		{ "dangling", 0, "noinput", "cannot open it: No such file or directory" },
		{ "", 0, "noinput", "cannot open it: No such file or directory" },
		{ "ok/x", 0, "noinput", "cannot open it: Not a directory" },
		{ "loop", 0, "notreg", "cannot open it: Too many levels of symbolic links" },
		{ "fifo", 0, "notreg", "is a FIFO; a regular file is expected" },
		{ "folder", 0, "notreg", "is a directory; a regular file is expected" },
		{ "/dev/null", 0, "notreg", "is a character device; a regular file is expected" },
		{ "socket", 0, "notreg",
			"is a socket or a device without a driver: No such device or address" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct error       err = { 0 };
		struct input_file *file = input_file_open(rows[i].path, NULL, &err);

		CHECK((file != NULL) == (*rows[i].slug == '\0'), "%s: %s", rows[i].path, err.text);
		CHECK_TEXT(err.slug, rows[i].slug, "%s", rows[i].path);
		CHECK_TEXT(err.text, rows[i].text, "%s", rows[i].path);
		if (file != NULL) {
			CHECK(file->size == rows[i].size, "%s: size", rows[i].path);
			CHECK_TEXT(file->name, rows[i].path, "name");
		} else {
			CHECK(err.kind == ERROR_NO_INPUT, "%s: kind %d", rows[i].path, err.kind);
			CHECK_TEXT(err.file, rows[i].path, "place");
		}
		input_file_close(file);
	}
}

static void
test_read(void)
{
	static const struct { uint64_t offset; size_t count; const char *found; } rows[] = {
		{ 0, 10, "0123456789" }, { 3, 4, "3456" }, { 9, 1, "9" }, { 10, 0, "" },
		{ 0, 11, NULL }, { 10, 1, NULL }, { 11, 0, NULL }, { UINT64_MAX, 2, NULL },
	};
	struct error       err = { 0 };
	int                directory = open(".", O_RDONLY | O_DIRECTORY);
	struct input_file *file = input_file_open_at(directory, "ok", "shown/ok", &err);

	CHECK(file != NULL, "%s", err.text);
	CHECK_TEXT(file->name, "shown/ok", "name");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char bytes[16] = "";
		bool done;

		err = (struct error){ 0 };
		done = input_file_read(file, rows[i].offset, bytes, rows[i].count, &err);
		CHECK(done == (rows[i].found != NULL), "row %zu: %s", i, err.text);
		if (done)
			CHECK_TEXT(bytes, rows[i].found, "row %zu", i);
		else
			CHECK(err.kind == ERROR_CORRUPT, "row %zu", i);
	}
	input_file_close(file);
	err = (struct error){ 0 };
	CHECK(input_file_open_at(directory, "none", "shown/none", &err) == NULL, "missing");
	CHECK_TEXT(err.file, "shown/none", "missing");
	close(directory);
}

static void
test_changing(void)
{
	struct error       err = { 0 };
	struct input_file *file;
	char               bytes[16];

	write_file("changing", "0123456789");
	file = input_file_open("changing", NULL, &err);
	CHECK(input_file_unchanged(file, &err), "%s", err.text);
	memory_file_must(truncate("changing", 12) == 0, "truncate");
	CHECK(!input_file_unchanged(file, &err) && err.kind == ERROR_CORRUPT, "grown");
	CHECK_TEXT(err.text, "changed while being read (size 10 -> 12)", "grown");
	CHECK_TEXT(err.slug, "changing", "grown");
	memory_file_must(truncate("changing", 4) == 0, "truncate");
	err = (struct error){ 0 };
	CHECK(!input_file_read(file, 0, bytes, 10, &err) && err.kind == ERROR_CORRUPT, "cut");
	CHECK_TEXT(err.text, "changed while being read (size 10 -> 4)", "cut");
	input_file_close(file);
	write_file("changing", "0123456789");
	err = (struct error){ 0 };
	file = input_file_open("changing", NULL, &err);
	usleep(20000);
	write_file("changing", "9876543210");
	CHECK(!input_file_unchanged(file, &err), "same size, other bytes");
	CHECK_TEXT(err.slug, "changing", "same size, other bytes");
	input_file_close(file);
}

/* Standard input becomes `fd`; the old one is returned. */
static int
swap_input(int fd)
{
	int old = dup(STDIN_FILENO);

	memory_file_must(dup2(fd, STDIN_FILENO) == STDIN_FILENO, "dup2");
	close(fd);
	return old;
}

static void
test_seekable_input(void)
{
	struct error       err = { 0 };
	int                fd = open("ok", O_RDONLY), old;
	struct input_file *file;
	char               bytes[10];

	memory_file_must(lseek(fd, 6, SEEK_SET) == 6, "lseek");
	old = swap_input(fd);
	file = input_file_open("-", "no/such/folder", &err);
	CHECK(file != NULL && file->size == 10, "%s", err.text);
	CHECK(file != NULL && input_file_read(file, 0, bytes, 10, &err)
		&& memcmp(bytes, "0123456789", 10) == 0, "from its start: %s", err.text);
	input_file_close(file);
	close(swap_input(old));
}

static void
test_pipe(void)
{
	enum { COUNT = 1000003 };
	struct error       err = { 0 };
	struct input_file *file;
	unsigned char     *bytes = malloc(COUNT);
	int                ends[2], old, status;
	pid_t              child;

	memory_file_must(pipe(ends) == 0, "pipe");
	if ((child = fork()) == 0) {
		for (unsigned i = 0; i < COUNT; i++) {
			unsigned char byte = (unsigned char)(i * 7 >> 3);

			bytes[i] = byte;
		}
		for (size_t at = 0; at < COUNT;) {
			size_t  step = at % 50000 + 1 < COUNT - at ? at % 50000 + 1 : COUNT - at;
			ssize_t written = write(ends[1], bytes + at, step);

			at += written > 0 ? (size_t)written : 0;
		}
		_exit(0);
	}
	close(ends[1]);
	old = swap_input(ends[0]);
	file = input_file_open("-", ".", &err);
	CHECK(file != NULL && file->size == COUNT, "%s", err.text);
	if (file != NULL) {
		unsigned wrong = 0;

		CHECK(input_file_read(file, 0, bytes, COUNT, &err), "%s", err.text);
		for (unsigned i = 0; i < COUNT; i++)
			wrong += bytes[i] != (unsigned char)(i * 7 >> 3);
		CHECK(wrong == 0, "%u bytes are wrong", wrong);
		CHECK(input_file_unchanged(file, &err), "%s", err.text);
		CHECK(file->opened.st_nlink == 0, "no name leads to it");
	}
	input_file_close(file);
	close(swap_input(old));
	waitpid(child, &status, 0);
	free(bytes);
}

static void
test_pipe_without_room(void)
{
	struct error err = { 0 };
	int          ends[2], old;
	char         long_name[5000] = "";

	memory_file_must(pipe(ends) == 0, "pipe");
	close(ends[1]);
	old = swap_input(ends[0]);
	CHECK(input_file_open("-", "no/such/folder", &err) == NULL
		&& err.kind == ERROR_NO_OUTPUT, "%s", err.text);
	CHECK_TEXT(err.slug, "spool", "%s", err.text);
	memset(long_name, 'n', sizeof long_name - 1);
	err = (struct error){ 0 };
	CHECK(input_file_open("-", long_name, &err) == NULL && err.kind == ERROR_NO_OUTPUT
		&& err.os_errno == ENAMETOOLONG, "%s", err.text);
	close(swap_input(open("folder", O_RDONLY)));
	err = (struct error){ 0 };
	CHECK(input_file_open("-", ".", &err) == NULL && err.kind == ERROR_NO_INPUT, "%s",
		err.text);
	CHECK_TEXT(err.text, "standard input is a directory", "folder as input");
	close(swap_input(old));
}

/* All of a file as text, if it is no longer than somebody wants. */
static void
test_text(void)
{
	struct error       err = { 0 };
	struct input_file *file;
	char              *text;

	write_file("text", "{}\n");
	file = input_file_open("text", ".", &err);
	memory_file_must(file != NULL, "text");
	text = input_file_text(file, 3, &err);
	CHECK_TEXT(text != NULL ? text : err.text, "{}\n", "text");
	free(text);
	CHECK(input_file_text(file, 2, &err) == NULL && err.kind == ERROR_LIMIT, "%s", err.text);
	CHECK_TEXT(err.text, "3 bytes, at most 2 are read", "limit");
	write_file("text", "{ }\n");
	err = (struct error){ 0 };
	CHECK(input_file_text(file, 3, &err) == NULL && err.kind == ERROR_CORRUPT, "%s", err.text);
	CHECK_TEXT(err.slug, "changing", "%s", err.text);
	input_file_close(file);
	unlink("text");
}

static unsigned
count_descriptors(void)
{
	DIR     *all = opendir("/proc/self/fd");
	unsigned count = 0;

	memory_file_must(all != NULL, "/proc/self/fd");
	while (readdir(all) != NULL)
		count++;
	closedir(all);
	return count;
}

/* With 16 descriptors four files are open at once; the others are opened when they are read. */
static void
test_resting(void)
{
	enum { COUNT = 8 };
	struct input_file *files[COUNT];
	struct error       err = { 0 };
	struct rlimit      limit, few;
	unsigned           before = count_descriptors();
	char               name[24], byte;
	int                held;

	memory_file_must(getrlimit(RLIMIT_NOFILE, &limit) == 0, "getrlimit");
	few = limit;
	few.rlim_cur = 16;
	memory_file_must(setrlimit(RLIMIT_NOFILE, &few) == 0, "setrlimit");
	for (int i = 0; i < COUNT; i++) {
		snprintf(name, sizeof name, "rest%d", i);
		write_file(name, (char[]){ (char)('a' + i), '\0' });
		files[i] = input_file_open(name, ".", &err);
		memory_file_must(files[i] != NULL && input_file_may_rest(files[i], name, &err), name);
	}
	CHECK(count_descriptors() == before + 4, "%u are open", count_descriptors() - before);
	for (int i = 0; i < 3 * COUNT; i++)
		CHECK(input_file_read(files[i * 5 % COUNT], 0, &byte, 1, &err)
			&& byte == 'a' + i * 5 % COUNT, "%d: '%c' %s", i, byte, err.text);
	CHECK(count_descriptors() == before + 4, "%u are open", count_descriptors() - before);

	/* What is held stays open, whatever is read meanwhile. */
	held = input_file_hold(files[0], &err);
	for (int i = 1; i < COUNT; i++)
		CHECK(input_file_read(files[i], 0, &byte, 1, &err), "%s", err.text);
	CHECK(held >= 0 && pread(held, &byte, 1, 0) == 1 && byte == 'a', "held");
	input_file_release(files[0]);
	CHECK(input_file_unchanged(files[1], &err), "%s", err.text);

	/* Another file in its place, while it rested. */
	write_file("other", "x");
	for (int i = 1; i < COUNT; i++)
		CHECK(input_file_read(files[i], 0, &byte, 1, &err), "%s", err.text);
	memory_file_must(rename("other", "rest1") == 0, "rename");
	CHECK(!input_file_read(files[1], 0, &byte, 1, &err) && err.kind == ERROR_CORRUPT, "read");
	CHECK_TEXT(err.slug, "changing", "%s", err.text);
	err = (struct error){ 0 };
	memory_file_must(unlink("rest2") == 0, "unlink");
	CHECK(!input_file_unchanged(files[2], &err) && err.kind == ERROR_NO_INPUT, "gone");
	CHECK_TEXT(err.file, "rest2", "%s", err.text);
	for (int i = 0; i < COUNT; i++) {
		input_file_close(files[i]);
		snprintf(name, sizeof name, "rest%d", i);
		unlink(name);
	}
	CHECK(count_descriptors() == before, "%u are left", count_descriptors() - before);
	memory_file_must(setrlimit(RLIMIT_NOFILE, &limit) == 0, "setrlimit");
}

int
main(void)
{
	memory_file_must(mkdtemp(folder) != NULL && chdir(folder) == 0, folder);
	make_all();
	test_kinds();
	test_read();
	test_changing();
	test_seekable_input();
	test_pipe();
	test_pipe_without_room();
	test_text();
	test_resting();
	input_file_close(NULL);
	remove_all();
	return check_end("input_file");
}
