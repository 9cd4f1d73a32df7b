/*
 * The readers of archives and of torch.save files, and their writer, when the system fails them.
 * For every sample one run counts the calls that can fail; then there is a run for each of them
 * in which that call, and no other, does.  What is reported must be that fault, or what is wrong
 * with the file in any case; a sound file is never read as if nothing had happened.  Nothing may
 * leak, which ASan and valgrind see.
 *
 * The program is linked with --wrap for the functions below: calls of ours come here first.
 */
#include "check.h"
#include "base/descriptor.h"
#include "container/inflate_ahead.h"
#include "container/zip_archive.h"
#include "memory_file.h"
#include "torch/torch_file.h"
#include "torch/torch_pass.h"
#include "torch/torch_writer.h"
#include "zip_edits.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/random.h>
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
	FAULT_OPEN,             /* what opens files */
	FAULT_SPOOL,            /* no space for standard input */
	FAULT_RANDOM,           /* no random numbers yet */
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
	[FAULT_OPEN] = { "open", ERROR_NO_INPUT, "noinput" },
	[FAULT_SPOOL] = { "disk full", ERROR_NO_OUTPUT, "spool" },
	[FAULT_RANDOM] = { "no random numbers", ERROR_NONE, "" },
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
ssize_t __real_getrandom(void *to, size_t count, unsigned flags);
ssize_t __wrap_getrandom(void *to, size_t count, unsigned flags);
int __real_descriptor_open(int directory, const char *entry, int flags, unsigned mode);
int __wrap_descriptor_open(int directory, const char *entry, int flags, unsigned mode);
bool __real_descriptor_write(int fd, const void *bytes, size_t length);
bool __wrap_descriptor_write(int fd, const void *bytes, size_t length);
bool __real_descriptor_read(int fd, void *to, size_t room, size_t *count, struct error *err);
bool __wrap_descriptor_read(int fd, void *to, size_t room, size_t *count, struct error *err);
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

ssize_t
__wrap_getrandom(void *to, size_t count, unsigned flags)
{
	errno = EAGAIN;
	return is_due(FAULT_RANDOM) ? -1 : __real_getrandom(to, count, flags);
}

int
__wrap_descriptor_open(int directory, const char *entry, int flags, unsigned mode)
{
	errno = EMFILE;
	return is_due(FAULT_OPEN) ? -1 : __real_descriptor_open(directory, entry, flags, mode);
}

bool
__wrap_descriptor_write(int fd, const void *bytes, size_t length)
{
	errno = ENOSPC;
	return !is_due(FAULT_SPOOL) && __real_descriptor_write(fd, bytes, length);
}

bool
__wrap_descriptor_read(int fd, void *to, size_t room, size_t *count, struct error *err)
{
	return !is_due_in_stream(err) && __real_descriptor_read(fd, to, room, count, err);
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

/* Where memory is short, the keys of a dict of more than sixteen are compared in pairs. */
static const char has_large_dict[] = "zip_namespace_numpy.pt";
/* Each run of it takes as long as a hundred others. */
static const char costly[] = "zip_bomb_pkl.pt";

/* ---- samples ------------------------------------------------------------------------ */

enum form {
	FORM_PLAIN, FORM_DEFLATED, FORM_DEFLATED_INDEXED,
	FORM_ARCHIVE,           /* as a zip of no matter what */
	FORM_STDIN,             /* "-", which is a file */
	FORM_PIPE,              /* "-", which has to be spooled */
	FORM_AHEAD,             /* inflated in two places at once */
	FORM_WRITER,            /* the other way round: no sample is read */
	FORM_COUNT,
};
static const char *const form_names[] = { "plain", "deflated", "deflated, indexed", "archive",
	"standard input", "pipe", "ahead", "writer" };

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

static struct input_file *
open_standard_input(const struct sample *sample, enum form form, struct error *err)
{
	int                saved = dup(STDIN_FILENO), ends[2] = { -1, -1 };
	struct input_file *file;

	if (form == FORM_STDIN) {
		memory_file_must((ends[0] = open(sample->plain, O_RDONLY)) >= 0, "open");
	} else {
		memory_file_must(sample->size < 60000 && pipe(ends) == 0
			&& write(ends[1], sample->bytes, sample->size) == (ssize_t)sample->size, "pipe");
		close(ends[1]);
	}
	dup2(ends[0], STDIN_FILENO);
	close(ends[0]);
	file = input_file_open("-", NULL, err);
	dup2(saved, STDIN_FILENO);
	close(saved);
	return file;
}

static bool
take_slab(void *context, struct slab *slab, struct error *err)
{
	(void)context, (void)err;
	slab_release(slab);
	return true;
}

static bool
inflate_in_two_places(const struct sample *sample, struct error *err)
{
	struct slab_pool     *pool = slab_pool_open(INFLATE_AHEAD_SLABS, err);
	struct inflate_ahead *ahead = pool == NULL ? NULL : inflate_ahead_open(sample->size, 1 << 16,
		pool, take_slab, NULL, err);
	bool                  done = ahead != NULL
		&& inflate_ahead_feed(ahead, sample->bytes, sample->size, true, err);

	inflate_ahead_close(ahead);
	slab_pool_close(pool);
	return done;
}

static bool
lay_out_file(struct error *err)
{
	static const struct torch_writer_tensor tensors[] = {
		{ .name = "a", .dtype = DTYPE_FLOAT32, .rank = 1, .shape = { 6 } },
		{ .name = "b", .dtype = DTYPE_FLOAT16, .rank = 1, .shape = { 4 }, .storage = 1 },
	};
	struct torch_writer *writer = torch_writer_open("pytorch_model", tensors, 2, err);
	bool                 done = writer != NULL;

	torch_writer_close(writer);
	return done;
}

/* All of it, from the path on. */
static bool
read_sample(const struct sample *sample, enum form form, struct error *err)
{
	bool                is_plain = form != FORM_DEFLATED && form != FORM_DEFLATED_INDEXED;
	struct input_file  *file;
	struct byte_stream *stream = NULL;
	bool                done = false;

	if (form == FORM_AHEAD)
		return inflate_in_two_places(sample, err);
	if (form == FORM_WRITER)
		return lay_out_file(err);
	file = form == FORM_STDIN || form == FORM_PIPE ? open_standard_input(sample, form, err)
		: input_file_open(is_plain ? sample->plain : sample->packed, NULL, err);
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

static unsigned sound[FORM_COUNT];      /* samples that can be read in that form */

/* Is there another way where this call fails? */
static bool
can_do_without(const struct sample *sample, enum form form, enum fault fault)
{
	return fault == FAULT_RANDOM || (fault == FAULT_OPEN && form == FORM_PIPE)
		|| (fault == FAULT_MEMORY && strcmp(sample->name, has_large_dict) == 0);
}

static void
sweep(const struct sample *sample, enum form form, enum fault fault, const struct error *usual)
{
	const struct fault_row *row = &faults[fault];
	bool                    fell_due = true;

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
			&& (usual->kind != ERROR_NONE || !fell_due
			|| can_do_without(sample, form, fault)))
			continue;
		CHECK(err.kind == row->kind && (row->slug[0] == '\0'
			|| strcmp(err.slug, row->slug) == 0), "%s (%s), %s in call %u: %d %s: %s",
			sample->name, form_names[form], row->what, call, err.kind, err.slug,
			err.text);
	}
}

static void
try_sample(const struct sample *sample, enum form last)
{
	for (enum form form = FORM_PLAIN; form <= last; form++) {
		struct error usual = { 0 };

		sound[form] += read_sample(sample, form, &usual);
		for (enum fault fault = FAULT_MEMORY; fault < FAULT_COUNT; fault++)
			sweep(sample, form, fault, &usual);
	}
}

static void
try_folder(const char *folder, enum form last)
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
		try_sample(&sample, last);
		sample_free(&sample);
		count++;
	}
	closedir(directory);
	CHECK(count > 3, "%s: %u samples", folder, count);
}

/* Archives that are wrong in a way that takes more reading to name, and one with a record that is
 * longer than the window of a stream. */
static void
try_built(void)
{
	static char            large[100000];
	const struct zip_part  part = { "r/x", large, sizeof large, 0, 0, 0 };
	static const struct {
		const char *name;
		struct edit edits[2];
	} rows[] = {
		{ "large record", { NO_EDIT, NO_EDIT } },
		{ "bytes before the archive", { INSERT(START, 0, 0, "abcd"), NO_EDIT } },
		{ "bytes before, which offsets know of", { PUT(CENTRAL, 0, 42, 4, 4),
			INSERT(START, 0, 0, "abcd") } },
		{ "bytes before the end record", { INSERT(END, 0, 0, "abcd"), NO_EDIT } },
		{ "no entry declared", { PUT(END, 0, 8, 4, 0), NO_EDIT } },
		{ "no end record", { PUT(END, 0, 0, 4, 0), NO_EDIT } },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct zip_builder zip = builder_make(&part, 1, STYLE_PLAIN);
		struct sample      sample;

		if (rows[i].edits[0].place == CENTRAL)  /* and the directory moves as well */
			builder_put(&zip, zip.end + 16, 4, zip.central[0] + 4);
		edit_apply(&zip, &rows[i].edits[0]);
		edit_apply(&zip, &rows[i].edits[1]);
		sample = sample_make(rows[i].name, zip.bytes, zip.length);
		try_sample(&sample, FORM_ARCHIVE);
		sample_free(&sample);
		builder_free(&zip);
	}
}

int
main(void)
{
	try_built();
	try_folder("fixtures/container", FORM_WRITER);
	try_folder("fixtures/torch", FORM_ARCHIVE);
	try_folder("fixtures/torch/bad", FORM_ARCHIVE);
	for (enum form form = FORM_PLAIN; form < FORM_COUNT; form++)
		CHECK(sound[form] > 0, "no sound sample: %s", form_names[form]);
	return check_end("reader_faults");
}
