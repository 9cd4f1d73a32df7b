#ifndef TESTS_UNIT_ZIP_BASES_H
#define TESTS_UNIT_ZIP_BASES_H

#include "container/zip_archive.h"

#include "check.h"
#include "memory_file.h"
#include "zip_builder.h"

/* Sound archives that the tests of zip_archive start from, and one way to try any. */

/* "hello world" in one stored block of deflate; its CRC-32 by Python's zlib.crc32. */
#define HELLO_DEFLATED "\1\x0b\0\xf4\xffhello world"
#define HELLO_CRC      0x0D4A1185

static const struct zip_part three[] = {
	{ "r/data.pkl", "\x80\2}q\0.hello world", 17, 0, 0, 0 },
	{ "r/data/0", "0123456789abcdef", 16, 0, 0, 0 },
	{ "r/version", "3\n", 2, 0, 0, 0 },
};
static const struct zip_part deflated[] = {
	{ "r/data.pkl", HELLO_DEFLATED, 16, 8, 11, HELLO_CRC },
};

enum base { BASE_TORCH, BASE_PLAIN, BASE_DEFLATED };

static inline struct zip_builder
make_base(enum base base)
{
	switch (base) {
	case BASE_TORCH: return builder_make(three, 3, STYLE_TORCH);
	case BASE_PLAIN: return builder_make(three, 3, STYLE_PLAIN);
	default: return builder_make(deflated, 1, STYLE_PLAIN);
	}
}

/* A value or a reason; then every record. */
static inline bool
try_stream(struct byte_stream *stream, enum zip_rules rules, struct error *err)
{
	struct zip_archive *archive = zip_archive_open(stream, rules, err);
	bool                done = archive != NULL;

	CHECK((archive == NULL) == (err->kind != ERROR_NONE), "a value or a reason: %s", err->text);
	for (size_t i = 0; done && i < zip_archive_count(archive); i++) {
		char *bytes = zip_archive_read_record(archive, zip_archive_record(archive, i),
			1 << 20, err);

		CHECK((bytes == NULL) == (err->kind != ERROR_NONE), "bytes or a reason: %s",
			err->text);
		done = bytes != NULL;
		free(bytes);
	}
	zip_archive_close(archive);
	return done;
}

static inline bool
try_bytes(const unsigned char *bytes, size_t length, enum zip_rules rules, struct error *err)
{
	struct input_file  *file = memory_file_open(bytes, length);
	struct byte_stream *stream = memory_file_stream(file);
	bool                done = try_stream(stream, rules, err);

	byte_stream_close(stream);
	input_file_close(file);
	return done;
}

/* The local header of a large record as torch writes it: the 32-bit fields stay 0. */
static inline void
large_local(struct zip_builder *to, const char *name, uint64_t size, uint64_t offset)
{
	bool     large = size >= 0xffffffff, far = offset >= 0xffffffff;
	unsigned extra = (large ? 16u : 0u) + (far ? 8u : 0u);

	builder_bytes(to, "PK\3\4\0\0\x08\x08\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 26);
	builder_number(to, 2, strlen(name));
	builder_number(to, 2, extra > 0 ? extra + 4 : 0);
	builder_bytes(to, name, strlen(name));
	if (extra > 0) {
		builder_number(to, 2, 1);
		builder_number(to, 2, extra);
	}
	if (large) {
		builder_number(to, 8, size);
		builder_number(to, 8, 0);
	}
	if (far)
		builder_number(to, 8, offset);
}

#endif
