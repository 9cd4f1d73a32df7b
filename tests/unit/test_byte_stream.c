#include "container/byte_stream.h"

#include "check.h"
#include "memory_file.h"

#include <zlib.h>

/* The bytes of every stream here: position-dependent and hard to guess. */
static unsigned char
pattern(uint64_t position)
{
	return (unsigned char)((position * 2654435761u) >> 11 ^ position >> 20);
}

struct random { uint64_t state; };

static uint64_t
random_below(struct random *random, uint64_t limit)
{
	random->state = random->state * 6364136223846793005u + 1442695040888963407u;
	return (random->state >> 20) % limit;
}

#define PREFIX 7        /* bytes of the file before the stream */

/* `length` bytes of the pattern, as they are or deflated, somewhere in a file. */
static struct input_file *
make_file(uint64_t length, bool deflated, uint64_t *stored)
{
	size_t             room = (size_t)length + (size_t)length / 100 + 1000 + PREFIX;
	unsigned char     *bytes = calloc(1, (size_t)length + 1), *file = calloc(1, room + 9);
	z_stream           zlib = { 0 };
	struct input_file *made;

	for (uint64_t i = 0; i < length; i++)
		bytes[i] = pattern(i);
	if (deflated) {
		memory_file_must(deflateInit2(&zlib, 1, Z_DEFLATED, -MAX_WBITS, 8,
			Z_DEFAULT_STRATEGY) == Z_OK, "deflateInit2");
		zlib.next_in = bytes;
		zlib.avail_in = (uInt)length;
		zlib.next_out = file + PREFIX;
		zlib.avail_out = (uInt)(room - PREFIX);
		memory_file_must(deflate(&zlib, Z_FINISH) == Z_STREAM_END, "deflate");
		*stored = zlib.total_out;
		deflateEnd(&zlib);
	} else {
		memcpy(file + PREFIX, bytes, (size_t)length);
		*stored = length;
	}
	made = memory_file_open(file, (size_t)*stored + PREFIX + 9);
	free(file);
	free(bytes);
	return made;
}

static struct byte_stream *
open_stream(const struct input_file *file, uint64_t length, bool deflated, uint64_t stored)
{
	struct error        err = { 0 };
	struct byte_stream *stream = deflated
		? byte_stream_open_deflated(file, PREFIX, stored, length, &err)
		: byte_stream_open(file, PREFIX, length, &err);

	memory_file_must(stream != NULL, err.text);
	return stream;
}

static bool
is_pattern(const unsigned char *bytes, uint64_t position, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (bytes[i] != pattern(position + i))
			return false;
	}
	return true;
}

static void
test_forward(struct byte_stream *stream, uint64_t length, const char *what)
{
	struct error         err = { 0 };
	const unsigned char *at;
	size_t               count;
	uint64_t             position = 0;

	CHECK(byte_stream_seek(stream, 0, &err), "%s", what);
	while (byte_stream_peek(stream, &at, &count, &err) && count > 0) {
		if (!is_pattern(at, position, count) || position != byte_stream_position(stream))
			break;
		/* Not always all of it. */
		count = count > 1 ? count - count / 3 : count;
		byte_stream_consume(stream, count);
		position += count;
	}
	CHECK(position == length && err.kind == ERROR_NONE && count == 0,
		"%s: stopped at %llu: %s", what, (unsigned long long)position, err.text);
}

/* Reads anywhere, near and far, across windows, the last mebibyte and restarts. */
static void
test_jumps(struct byte_stream *stream, uint64_t length, const char *what)
{
	enum { MOST = 300000 };
	unsigned char *bytes = malloc(MOST);
	struct random  random = { length };
	struct error   err = { 0 };

	for (unsigned i = 0; i < 60; i++) {
		uint64_t from = random_below(&random, length);
		size_t   most = length - from < MOST ? (size_t)(length - from) : MOST;
		size_t   count = (size_t)random_below(&random,
			random_below(&random, 2) == 0 ? most + 1 : (most < 64 ? most : 64) + 1);
		bool     done = byte_stream_seek(stream, from, &err)
			&& byte_stream_read(stream, bytes, count, &err);

		CHECK(done && is_pattern(bytes, from, count)
			&& byte_stream_position(stream) == from + count,
			"%s: %zu bytes at %llu: %s", what, count, (unsigned long long)from, err.text);
	}
	free(bytes);
}

static void
test_edges(struct byte_stream *stream, uint64_t length, const char *what)
{
	unsigned char        bytes[16];
	const unsigned char *at;
	size_t               count = 1;
	struct error         err = { 0 };

	CHECK(byte_stream_seek(stream, length, &err) && byte_stream_peek(stream, &at, &count, &err)
		&& count == 0, "%s: at the end: %s", what, err.text);
	CHECK(byte_stream_read(stream, bytes, 0, &err), "%s: nothing", what);
	CHECK(!byte_stream_read(stream, bytes, 1, &err) && err.kind == ERROR_CORRUPT,
		"%s: past the end", what);
	CHECK_TEXT(err.slug, "truncated", "%s: past the end", what);
	err = (struct error){ 0 };
	CHECK(!byte_stream_seek(stream, length + 1, &err) && err.kind == ERROR_CORRUPT,
		"%s: seek past the end", what);
	CHECK(byte_stream_length(stream) == length
		&& byte_stream_file_offset(stream) == PREFIX, "%s: what it is", what);
}

static void
test_good(void)
{
	static const uint64_t lengths[] = { 0, 1, 1000, 65535, 65536, 65537, 1 << 20,
		(1 << 20) + 1, 3000001 };

	for (size_t i = 0; i < 2 * sizeof lengths / sizeof *lengths; i++) {
		uint64_t            length = lengths[i / 2], stored;
		bool                deflated = i % 2 == 1;
		struct input_file  *file = make_file(length, deflated, &stored);
		struct byte_stream *stream = open_stream(file, length, deflated, stored);
		char                what[40];

		snprintf(what, sizeof what, "%u bytes%s", (unsigned)length,
			deflated ? ", deflated" : "");
		CHECK(byte_stream_is_deflated(stream) == deflated, "%s", what);
		CHECK(byte_stream_file(stream) == file, "%s", what);
		test_forward(stream, length, what);
		if (length > 0)
			test_jumps(stream, length, what);
		test_edges(stream, length, what);
		test_forward(stream, length, what);
		byte_stream_close(stream);
		input_file_close(file);
	}
	byte_stream_close(NULL);
}

/* What is wrong with a deflated stream shows at its end, before its last bytes are given. */
static void
test_bad_deflate(void)
{
	static const struct {
		const char *what, *in;
		size_t      in_count;
		uint64_t    declared;
		const char *slug;       /* "": none */
	} rows[] = {
		{ "right", "\1\5\0\xfa\xffhello", 10, 5, "" },
		{ "empty", "\3\0", 2, 0, "" },
		{ "nothing at all", "", 0, 0, "" },
		{ "too long", "\1\5\0\xfa\xffhello", 10, 4, "defllong" },
		{ "not empty", "\1\5\0\xfa\xffhello", 10, 0, "defllong" },
		{ "too short", "\1\5\0\xfa\xffhello", 10, 6, "deflshort" },
		{ "cut", "\1\5\0\xfa\xffhel", 8, 5, "deflshort" },
		{ "no input", "", 0, 5, "deflshort" },
		{ "bytes behind", "\1\5\0\xfa\xffhello!", 11, 5, "deflbad" },
		{ "damaged", "\7hello", 6, 5, "deflbad" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct error         err = { 0 };
		struct input_file   *file = memory_file_open(rows[i].in, rows[i].in_count);
		struct byte_stream  *stream = byte_stream_open_deflated(file, 0,
			rows[i].in_count, rows[i].declared, &err);
		const unsigned char *at;
		size_t               count;
		bool                 done;

		while ((done = byte_stream_peek(stream, &at, &count, &err)) && count > 0)
			byte_stream_consume(stream, count);
		CHECK(done == (*rows[i].slug == '\0'), "%s: %s", rows[i].what, err.text);
		CHECK_TEXT(err.slug, rows[i].slug, "%s", rows[i].what);
		byte_stream_close(stream);
		input_file_close(file);
	}
}

static void
test_outside(void)
{
	static const struct { uint64_t offset, length; } rows[] = {
		{ 0, 11 }, { 10, 1 }, { 11, 0 }, { UINT64_MAX, 1 }, { 1, UINT64_MAX },
		{ UINT64_MAX, UINT64_MAX },
	};
	struct input_file *file = memory_file_open("0123456789", 10);

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct error err = { 0 };

		CHECK(byte_stream_open(file, rows[i].offset, rows[i].length, &err) == NULL
			&& err.kind == ERROR_CORRUPT, "row %zu", i);
		err = (struct error){ 0 };
		CHECK(byte_stream_open_deflated(file, rows[i].offset, rows[i].length, 5, &err)
			== NULL && err.kind == ERROR_CORRUPT, "row %zu, deflated", i);
	}
	input_file_close(file);
}

int
main(void)
{
	test_good();
	test_bad_deflate();
	test_outside();
	return check_end("byte_stream");
}
