#include "base/atomic_file.h"

#include "check.h"
#include "scratch_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>

static bool
holds(const char *name, const char *expected)
{
	char   bytes[64] = "";
	FILE  *file = fopen(scratch_path(name), "rb");
	size_t length = file != NULL ? fread(bytes, 1, sizeof bytes - 1, file) : 0;

	if (file != NULL)
		fclose(file);
	return length == strlen(expected) && strcmp(bytes, expected) == 0;
}

static bool
is_there(const char *name)
{
	struct stat found;

	return lstat(scratch_path(name), &found) == 0;
}

/* Entries of the scratch folder whose names begin so. */
static size_t
count_of(const char *beginning)
{
	DIR           *entries = opendir(scratch);
	struct dirent *entry;
	size_t         count = 0;

	while (entries != NULL && (entry = readdir(entries)) != NULL)
		count += strncmp(entry->d_name, beginning, strlen(beginning)) == 0;
	if (entries != NULL)
		closedir(entries);
	return count;
}

static bool
write_to(const char *name, const char *text, bool replace, struct error *err)
{
	*err = (struct error){ 0 };
	return atomic_file_write(scratch_path(name), text, strlen(text), replace, err);
}

static bool
is_refused(const struct error *err, const char *slug)
{
	return err->kind == ERROR_NO_OUTPUT && strcmp(err->slug, slug) == 0;
}

static void
test_whole(void)
{
	struct error err = { 0 };
	struct stat  made;
	mode_t       mask = umask(027);

	CHECK(atomic_file_check(scratch_path("new"), false, &err) && !is_there("new"), "%s",
		err.text);
	CHECK(write_to("new", "one", false, &err) && holds("new", "one"), "%s", err.text);
	CHECK(stat(scratch_path("new"), &made) == 0 && (made.st_mode & 0777) == 0640, "%o",
		(unsigned)made.st_mode);
	umask(mask);
	CHECK(!write_to("new", "two", false, &err) && is_refused(&err, "exists")
		&& holds("new", "one"), "%s", err.text);
	CHECK(write_to("new", "three", true, &err) && holds("new", "three"), "%s", err.text);
	CHECK(write_to("empty", "", false, &err) && holds("empty", ""), "%s", err.text);
	CHECK(count_of(".") == 2, "something is left beside");
	scratch_empty();
}

/* What is no regular file stays, and so does what a link leads to. */
static void
test_other_kinds(void)
{
	static const char *const names[] = { "folder", "pipe", "link", "nowhere", "device" };
	struct error             err;

	scratch_folders("folder/");
	scratch_write("target", "kept", 4);
	CHECK(mkfifo(scratch_path("pipe"), 0666) == 0
		&& symlink("target", scratch_path("link")) == 0
		&& symlink("none", scratch_path("nowhere")) == 0
		&& symlink("/dev/null", scratch_path("device")) == 0, "cannot make them");
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct stat before = { 0 }, after = { 0 };

		lstat(scratch_path(names[i]), &before);
		CHECK(!write_to(names[i], "new", true, &err) && is_refused(&err, "exists"), "%s: %s",
			names[i], err.text);
		CHECK(!atomic_file_check(scratch_path(names[i]), true, &err)
			&& is_refused(&err, "exists"), "%s: %s", names[i], err.text);
		CHECK(lstat(scratch_path(names[i]), &after) == 0 && before.st_ino == after.st_ino,
			"%s was replaced", names[i]);
	}
	CHECK(holds("target", "kept"), "what the link leads to");
	CHECK(!atomic_file_check("/dev/null", true, &err) && is_refused(&err, "exists"), "%s",
		err.text);
	scratch_empty();
}

static void
test_places(void)
{
	static const struct { const char *name; enum error_kind kind; const char *slug; } rows[] = {
		{ "none/new", ERROR_NO_OUTPUT, "noparent" }, { "file/new", ERROR_NO_OUTPUT, "noparent" },
		{ "new/", ERROR_USAGE, "usage" }, { ".", ERROR_USAGE, "usage" },
		{ "..", ERROR_USAGE, "usage" },
	};
	struct error err;
	char         name[301];

	scratch_write("file", "", 0);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		CHECK(!write_to(rows[i].name, "x", true, &err) && err.kind == rows[i].kind
			&& strcmp(err.slug, rows[i].slug) == 0, "%s: %s", rows[i].name, err.text);
	CHECK(!atomic_file_check("", true, &err) && err.kind == ERROR_USAGE, "%s", err.text);
	memset(name, 'n', 300);
	for (size_t length = 242; length <= 300; length += 29) {
		name[length] = '\0';
		CHECK(write_to(name, "x", false, &err) == (length == 242)
			&& (length == 242 || is_refused(&err, "toolong")), "%zu: %s", length, err.text);
		name[length] = 'n';
	}
	scratch_empty();
}

static void
test_two_steps(void)
{
	struct error        err = { 0 };
	struct atomic_file *file = atomic_file_stage(scratch_path("new"), "one", 3, false, &err);

	CHECK(file != NULL && !is_there("new") && count_of(".new.m2h-") == 1, "%s", err.text);
	if (file != NULL)
		CHECK(atomic_file_publish(file, &err) && holds("new", "one"), "%s", err.text);
	atomic_file_close(file);
	CHECK(holds("new", "one") && count_of(".new.m2h-") == 0, "after publishing");
	/* Given up: what was there stays, and nothing else does. */
	file = atomic_file_stage(scratch_path("new"), "two", 3, true, &err);
	CHECK(file != NULL && count_of(".new.m2h-") == 1, "%s", err.text);
	atomic_file_close(file);
	CHECK(holds("new", "one") && count_of(".new.m2h-") == 0, "after giving up");
	atomic_file_close(NULL);
	scratch_empty();
}

/* Between the two steps somebody else makes a file, or a directory, of that name. */
static void
test_meanwhile(void)
{
	struct error        err = { 0 };
	struct atomic_file *file = atomic_file_stage(scratch_path("new"), "ours", 4, false, &err);

	scratch_write("new", "theirs", 6);
	CHECK(file != NULL && !atomic_file_publish(file, &err) && is_refused(&err, "exists")
		&& holds("new", "theirs"), "%s", err.text);
	atomic_file_close(file);
	file = atomic_file_stage(scratch_path("new"), "ours", 4, true, &err);
	CHECK(file != NULL && atomic_file_publish(file, &err) && holds("new", "ours"), "%s",
		err.text);
	atomic_file_close(file);
	file = atomic_file_stage(scratch_path("link"), "ours", 4, true, &err);
	CHECK(symlink("new", scratch_path("link")) == 0 && file != NULL
		&& !atomic_file_publish(file, &err) && is_refused(&err, "exists"), "%s", err.text);
	atomic_file_close(file);
	CHECK(count_of(".link.m2h-") == 0 && holds("link", "ours"), "the link stays");
	scratch_empty();
}

/* What a killed run left is removed, what a living one holds is not, nor what is not ours. */
static void
test_stale(void)
{
	static const char *const others[] = {
		".new.m2h-abcdefg", ".new.m2h-abcde", ".new.m2h.abcdef", ".old.m2h-abcdef",
	};
	struct error err;
	int          held;

	scratch_write(".new.m2h-abcdef", "half", 4);
	scratch_folders(".new.m2h-folder/");
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		scratch_write(others[i], "", 0);
	CHECK(write_to("new", "one", false, &err) && !is_there(".new.m2h-abcdef"), "%s", err.text);
	CHECK(is_there(".new.m2h-folder"), "a directory is no stale file");
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		CHECK(is_there(others[i]), "%s is gone", others[i]);
	scratch_write(".held.m2h-abcdef", "half", 4);
	held = open(scratch_path(".held.m2h-abcdef"), O_RDONLY);
	CHECK(held >= 0 && flock(held, LOCK_EX | LOCK_NB) == 0, "cannot lock it");
	CHECK(!write_to("held", "one", false, &err) && is_refused(&err, "stale")
		&& !is_there("held"), "%s", err.text);
	CHECK(write_to("held", "one", true, &err) && holds("held", "one")
		&& is_there(".held.m2h-abcdef"), "%s", err.text);
	close(held);
	scratch_empty();
}

int
main(void)
{
	scratch_open();
	test_whole();
	test_other_kinds();
	test_places();
	test_two_steps();
	test_meanwhile();
	test_stale();
	scratch_close();
	return check_end("atomic_file");
}
