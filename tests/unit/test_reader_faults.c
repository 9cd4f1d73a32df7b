/*
 * The readers of archives and of torch.save files when the system fails them.  For every sample
 * one run counts the calls that can fail; then there is a run for each of them in which that
 * call, and no other, does.  What is reported must be that fault, or what is wrong with the file
 * in any case; a sound file is never read as if nothing had happened.  Nothing may leak, which
 * ASan and valgrind see.
 *
 * The program is linked with --wrap for the functions below: calls of ours come here first.
 */
#include "check.h"
#include "container/zip_archive.h"
#include "memory_file.h"
#include "torch/torch_file.h"
#include "torch/torch_pass.h"
#include "zip_bases.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <zlib.h>

#define ARENA_LIMIT ((size_t)32 << 20)
#define PIECE       1000

/* ---- what fails --------------------------------------------------------------------- */

enum fault {
	FAULT_NONE,
	FAULT_MEMORY,           /* no memory */
	FAULT_READ,             /* pread: EIO */
	FAULT_END,              /* pread: the file is shorter than it was */
	FAULT_STREAM,           /* any step in a stream, where each may be the one that reads */
	FAULT_DESCRIPTOR,       /* fstat, fcntl, fdopen */
	FAULT_COUNT,
};

static const struct fault_row {
	const char     *what;
	enum error_kind kind;
	const char     *slug;           /* "": any */
} faults[FAULT_COUNT] = {
	[FAULT_MEMORY] = { "no memory", ERROR_LIMIT, "oom" },
	[FAULT_READ] = { "EIO", ERROR_NO_INPUT, "" },
	[FAULT_END] = { "end of file", ERROR_CORRUPT, "changing" },
	[FAULT_STREAM] = { "stream", ERROR_NO_INPUT, "injected" },
	[FAULT_DESCRIPTOR] = { "descriptor", ERROR_NO_INPUT, "" },
};

static enum fault  failing;
static atomic_uint calls;
static unsigned    failing_call;

static bool
is_due(enum fault fault)
{
	return failing == fault && ++calls == failing_call;
}

static bool
is_due_in_stream(struct error *err)
{
	return is_due(FAULT_STREAM)
		&& !error_set(err, ERROR_NO_INPUT, "injected", "a step in the stream fails");
}

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);
ssize_t __real_pread(int fd, void *to, size_t count, off_t offset);
ssize_t __wrap_pread(int fd, void *to, size_t count, off_t offset);
int __real_fstat(int fd, struct stat *status);
int __wrap_fstat(int fd, struct stat *status);
int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...);
FILE *__real_fdopen(int fd, const char *mode);
FILE *__wrap_fdopen(int fd, const char *mode);
bool __real_byte_stream_peek(struct byte_stream *stream, const unsigned char **at,
	size_t *count, struct error *err);
bool __wrap_byte_stream_peek(struct byte_stream *stream, const unsigned char **at,
	size_t *count, struct error *err);
bool __real_byte_stream_read(struct byte_stream *stream, void *to, size_t count,
	struct error *err);
bool __wrap_byte_stream_read(struct byte_stream *stream, void *to, size_t count,
	struct error *err);
bool __real_byte_stream_seek(struct byte_stream *stream, uint64_t position, struct error *err);
bool __wrap_byte_stream_seek(struct byte_stream *stream, uint64_t position, struct error *err);

void *
__wrap_malloc(size_t size)
{
	return is_due(FAULT_MEMORY) ? NULL : __real_malloc(size);
}

void *
__wrap_calloc(size_t count, size_t size)
{
	return is_due(FAULT_MEMORY) ? NULL : __real_calloc(count, size);
}

void *
__wrap_realloc(void *old, size_t size)
{
	return is_due(FAULT_MEMORY) ? NULL : __real_realloc(old, size);
}

char *
__wrap_strdup(const char *text)
{
	return is_due(FAULT_MEMORY) ? NULL : __real_strdup(text);
}

ssize_t
__wrap_pread(int fd, void *to, size_t count, off_t offset)
{
	errno = EIO;
	if (is_due(FAULT_READ))
		return -1;
	return is_due(FAULT_END) ? 0 : __real_pread(fd, to, count, offset);
}

int
__wrap_fstat(int fd, struct stat *status)
{
	errno = EIO;
	return is_due(FAULT_DESCRIPTOR) ? -1 : __real_fstat(fd, status);
}

int
__wrap_fcntl(int fd, int command, ...)
{
	va_list more;
	int     argument;

	va_start(more, command);
	argument = va_arg(more, int);
	va_end(more);
	errno = EMFILE;
	return is_due(FAULT_DESCRIPTOR) ? -1 : __real_fcntl(fd, command, argument);
}

FILE *
__wrap_fdopen(int fd, const char *mode)
{
	errno = EMFILE;
	return is_due(FAULT_DESCRIPTOR) ? NULL : __real_fdopen(fd, mode);
}

bool
__wrap_byte_stream_peek(struct byte_stream *stream, const unsigned char **at, size_t *count,
	struct error *err)
{
	return !is_due_in_stream(err) && __real_byte_stream_peek(stream, at, count, err);
}

bool
__wrap_byte_stream_read(struct byte_stream *stream, void *to, size_t count, struct error *err)
{
	return !is_due_in_stream(err) && __real_byte_stream_read(stream, to, count, err);
}

bool
__wrap_byte_stream_seek(struct byte_stream *stream, uint64_t position, struct error *err)
{
	return !is_due_in_stream(err) && __real_byte_stream_seek(stream, position, err);
}

/* Where memory is short, the keys of a dict of more than sixteen are compared in pairs: of all calls
 * this is the only one that can be done without. */
static const char has_large_dict[] = "zip_namespace_numpy.pt";
/* Each run of it takes as long as a hundred others. */
static const char costly[] = "zip_bomb_pkl.pt";

/* ---- samples ------------------------------------------------------------------------ */

enum form { FORM_PLAIN, FORM_DEFLATED, FORM_DEFLATED_INDEXED, FORM_ARCHIVE, FORM_COUNT };
static const char *const form_names[] = { "plain", "deflated", "deflated, indexed", "archive" };

struct sample {
	const char    *name;
	unsigned char *bytes;
	size_t         size, packed_size;
	char           plain[40], packed[40];   /* under /proc/self/fd */
};

static void
keep(const void *bytes, size_t size, char path[40])
{
	int fd = memfd_create("sample", MFD_CLOEXEC);

	memory_file_must(fd >= 0 && write(fd, bytes, size) == (ssize_t)size, "memfd");
	snprintf(path, 40, "/proc/self/fd/%d", fd);
}

static struct sample
sample_make(const char *name, const unsigned char *bytes, size_t size)
{
	size_t         room = size + size / 2 + 1024;
	struct sample  sample = { .name = name, .bytes = malloc(size + 1), .size = size };
	unsigned char *packed = malloc(room);
	z_stream       z = { .next_in = sample.bytes, .avail_in = (uInt)size, .next_out = packed,
		.avail_out = (uInt)room };

	memory_file_must(sample.bytes != NULL && packed != NULL, "memory");
	memcpy(sample.bytes, bytes, size);
	deflateInit2(&z, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
	deflate(&z, Z_FINISH);
	deflateEnd(&z);
	sample.packed_size = z.total_out;
	keep(bytes, size, sample.plain);
	keep(packed, sample.packed_size, sample.packed);
	free(packed);
	return sample;
}

static void
sample_free(struct sample *sample)
{
	close(atoi(sample->plain + strlen("/proc/self/fd/")));
	close(atoi(sample->packed + strlen("/proc/self/fd/")));
	free(sample->bytes);
}

/* ---- reading ------------------------------------------------------------------------ */

static bool
read_tensor(void *context, const char *path, const struct value *node, struct error *err)
{
	struct tensor_view view;

	return torch_file_tensor(context, node, &view, err) || error_in_tensor(err, path);
}

static bool
pass_over(const struct torch_file *torch, const struct sample *sample, struct error *err)
{
	struct torch_pass *pass = torch_pass_open(torch, NULL, NULL, err);
	bool               done = pass != NULL;

	for (size_t at = 0; at < sample->size && done; at += PIECE)
		done = torch_pass_feed(pass, sample->bytes + at,
			sample->size - at < PIECE ? sample->size - at : PIECE, err);
	done = done && torch_pass_finish(pass, err);
	torch_pass_close(pass);
	return done;
}

static bool
read_torch(struct byte_stream *stream, const struct sample *sample, enum form form,
	struct error *err)
{
	struct torch_file *torch = form == FORM_DEFLATED_INDEXED
		? torch_file_open_indexed(stream, ARENA_LIMIT, err)
		: torch_file_open(stream, ARENA_LIMIT, err);
	bool               done = torch != NULL
		&& torch_file_each_tensor(torch, read_tensor, torch, err)
		&& pass_over(torch, sample, err);

	torch_file_close(torch);
	return done;
}

static bool
read_archive(struct byte_stream *stream, struct error *err)
{
	struct zip_archive *archive = zip_archive_open(stream, ZIP_DOWNLOAD, err);
	bool                done = archive != NULL;

	for (size_t i = 0; done && i < zip_archive_count(archive); i++) {
		char *bytes = zip_archive_read_record(archive, zip_archive_record(archive, i),
			1 << 20, err);

		done = bytes != NULL;
		free(bytes);
	}
	zip_archive_close(archive);
	return done;
}

/* All of it, from the path on. */
static bool
read_sample(const struct sample *sample, enum form form, struct error *err)
{
	bool                is_plain = form == FORM_PLAIN || form == FORM_ARCHIVE;
	struct input_file  *file = input_file_open(is_plain ? sample->plain : sample->packed,
		NULL, err);
	struct byte_stream *stream = NULL;
	bool                done = false;

	if (file != NULL)
		stream = is_plain ? byte_stream_open(file, 0, sample->size, err)
			: byte_stream_open_deflated(file, 0, sample->packed_size, sample->size, err);
	if (stream != NULL)
		done = (form == FORM_ARCHIVE ? read_archive(stream, err)
			: read_torch(stream, sample, form, err)) && input_file_unchanged(file, err);
	byte_stream_close(stream);
	input_file_close(file);
	return done;
}

/* ---- sweeps ------------------------------------------------------------------------- */

static void
sweep(const struct sample *sample, enum form form, enum fault fault, const struct error *usual)
{
	const struct fault_row *row = &faults[fault];
	bool                    fell_due = true;
	bool                    can_do_without = fault == FAULT_MEMORY
		&& strcmp(sample->name, has_large_dict) == 0;

	for (unsigned call = 1; fell_due; call++) {
		struct error err = { 0 };
		bool         done;

		calls = 0;
		failing_call = call;
		failing = fault;
		done = read_sample(sample, form, &err);
		failing = FAULT_NONE;
		fell_due = calls >= call;
		CHECK(done == (err.kind == ERROR_NONE), "%s (%s), %s in call %u: a value and a reason",
			sample->name, form_names[form], row->what, call);
		if (err.kind == usual->kind && strcmp(err.slug, usual->slug) == 0
			&& (usual->kind != ERROR_NONE || !fell_due || can_do_without))
			continue;
		CHECK(err.kind == row->kind && (row->slug[0] == '\0'
			|| strcmp(err.slug, row->slug) == 0), "%s (%s), %s in call %u: %d %s: %s",
			sample->name, form_names[form], row->what, call, err.kind, err.slug,
			err.text);
	}
}

static void
try_sample(const struct sample *sample)
{
	for (enum form form = FORM_PLAIN; form < FORM_COUNT; form++) {
		struct error usual = { 0 };

		read_sample(sample, form, &usual);
		for (enum fault fault = FAULT_MEMORY; fault < FAULT_COUNT; fault++)
			sweep(sample, form, fault, &usual);
	}
}

static void
try_folder(const char *folder)
{
	static unsigned char bytes[1 << 20];
	DIR                 *directory = opendir(folder);
	struct dirent       *entry;
	unsigned             count = 0;

	memory_file_must(directory != NULL, folder);
	while ((entry = readdir(directory)) != NULL) {
		char          path[400];
		FILE         *stream;
		struct sample sample;

		snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
		if ((strstr(path, ".pt") == NULL && strstr(path, ".zip") == NULL)
			|| strcmp(entry->d_name, costly) == 0)
			continue;
		memory_file_must((stream = fopen(path, "rb")) != NULL, path);
		sample = sample_make(entry->d_name, bytes, fread(bytes, 1, sizeof bytes, stream));
		fclose(stream);
		try_sample(&sample);
		sample_free(&sample);
		count++;
	}
	closedir(directory);
	CHECK(count > 3, "%s: %u samples", folder, count);
}

int
main(void)
{
	try_folder("fixtures/container");
	try_folder("fixtures/torch");
	try_folder("fixtures/torch/bad");
	return check_end("reader_faults");
}
