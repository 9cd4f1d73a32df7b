#include "container/zip_archive.h"
#include "container/zip_local_header.h"
#include "container/zip_directory.h"
#include "container/zip_names.h"
#include "container/zip_opinion.h"

#include "check.h"
#include "memory_file.h"
#include "zip_bases.h"

/* ---- what others wrote ---------------------------------------------------------------- */

static struct zip_archive *
open_fixture(const char *path, enum zip_rules rules, struct input_file **file,
	struct byte_stream **stream)
{
	struct error        err = { 0 };
	struct zip_archive *archive;

	*file = input_file_open(path, NULL, &err);
	memory_file_must(*file != NULL, path);
	*stream = memory_file_stream(*file);
	archive = zip_archive_open(*stream, rules, &err);
	CHECK(archive != NULL, "%s: %s", path, err.text);
	memory_file_must(archive != NULL, path);
	return archive;
}

/* Offsets and sizes as the description of the format gives them for this very file. */
static void
test_torch(void)
{
	static const struct { const char *name; uint64_t data_offset, length; uint32_t crc; } found[] = {
		{ "one/data.pkl", 0x40, 169, 0xffce5dc1 },
		{ "one/data/0", 0x140, 24, 0x91e79017 },
		{ "one/version", 0x1c0, 2, 0x55679ed1 },
	};
	struct error        err = { 0 };
	struct input_file  *file;
	struct byte_stream *stream;
	struct zip_archive *archive = open_fixture("fixtures/container/good-one.pt", ZIP_TORCH,
		&file, &stream);
	char               *bytes;

	CHECK(zip_archive_count(archive) == 3, "count");
	CHECK_TEXT(zip_archive_root(archive), "one", "root");
	CHECK(zip_archive_comment_length(archive) == 0, "comment");
	CHECK(zip_archive_file(archive) == file, "file");
	for (size_t i = 0; i < 3; i++) {
		const struct zip_record *record = zip_archive_record(archive, i);

		CHECK_TEXT(record->name, found[i].name, "record %zu", i);
		CHECK(record->data_offset == found[i].data_offset && record->crc == found[i].crc
			&& record->length == found[i].length && record->method == ZIP_STORED,
			"%s", found[i].name);
		CHECK(zip_archive_find(archive, found[i].name) == record, "%s", found[i].name);
	}
	CHECK(zip_archive_find(archive, "one/data/1") == NULL, "no such record");
	CHECK(zip_archive_find(archive, "ONE/DATA/0") == NULL, "not by another case");
	bytes = zip_archive_read_record(archive, zip_archive_record(archive, 2), 2, &err);
	CHECK(bytes != NULL, "%s", err.text);
	CHECK_TEXT(bytes != NULL ? bytes : "", "3\n", "version");
	free(bytes);
	CHECK(zip_archive_read_record(archive, zip_archive_record(archive, 2), 1, &err) == NULL
		&& err.kind == ERROR_LIMIT, "limit");
	CHECK_TEXT(err.member, "one/version", "limit");
	bytes = zip_archive_read_record(archive, zip_archive_record(archive, 2), SIZE_MAX, &err);
	CHECK(bytes != NULL, "no limit");
	free(bytes);
	zip_archive_close(archive);
	byte_stream_close(stream);
	input_file_close(file);
}

static void
test_writers(void)
{
	static const char *const paths[] = { "fixtures/container/good-infozip.zip",
		"fixtures/container/good-infozip-stream.zip",
		"fixtures/container/good-python-stream.zip" };

	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		struct error             err = { 0 };
		struct input_file       *file;
		struct byte_stream      *stream, *member;
		struct zip_archive      *archive = open_fixture(paths[i], ZIP_DOWNLOAD, &file, &stream);
		const struct zip_record *record = zip_archive_find(archive,
			"release/mp_rank_00/model_optim_rng.pt");
		char                     bytes[111] = "";

		CHECK(zip_archive_count(archive) == 4, "%s", paths[i]);
		CHECK_TEXT(zip_archive_root(archive), "", "%s", paths[i]);
		memory_file_must(record != NULL, paths[i]);
		/* "hello world" ten times; the rest as `unzip -v` shows it. */
		CHECK(record->crc == 0xe8b88597 && record->length == 110
			&& record->stored_length == 16 && record->method == ZIP_DEFLATED,
			"%s", paths[i]);
		member = zip_archive_open_record(archive, record, &err);
		CHECK(member != NULL && byte_stream_read(member, bytes, 110, &err)
			&& strncmp(bytes + 99, "hello world", 12) == 0, "%s: %s", paths[i], err.text);
		byte_stream_close(member);
		zip_archive_close(archive);
		CHECK(try_stream(stream, ZIP_DOWNLOAD, &err), "%s: %s", paths[i], err.text);
		byte_stream_close(stream);
		input_file_close(file);
	}
}

/* A torch zip in a deflated member: read through the stream, without libzip. */
static void
test_nested(void)
{
	struct zip_builder  inner = make_base(BASE_TORCH), packed = { 0 }, outer;
	struct zip_part     part = { "release/mp_rank_00/model_optim_rng.pt", NULL, 0, 8, 0, 0 };
	struct error        err = { 0 };
	struct input_file  *file;
	struct byte_stream *stream, *member;
	struct zip_archive *archive;

	builder_number(&packed, 1, 1);
	builder_number(&packed, 2, inner.length);
	builder_number(&packed, 2, ~inner.length);
	builder_bytes(&packed, inner.bytes, inner.length);
	part.data = (const char *)packed.bytes;
	part.data_length = packed.length;
	part.length = inner.length;
	part.crc = crc32_of(0, inner.bytes, inner.length);
	outer = builder_make(&part, 1, STYLE_STREAMED);
	file = memory_file_open(outer.bytes, outer.length);
	stream = memory_file_stream(file);
	archive = zip_archive_open(stream, ZIP_DOWNLOAD, &err);
	memory_file_must(archive != NULL, err.text);
	member = zip_archive_open_record(archive, zip_archive_record(archive, 0), &err);
	memory_file_must(member != NULL, err.text);
	CHECK(byte_stream_is_deflated(member), "deflated");
	CHECK(try_stream(member, ZIP_TORCH, &err), "%s", err.text);
	zip_archive_close(archive);
	archive = zip_archive_open(member, ZIP_TORCH, &err);
	CHECK(archive != NULL && zip_archive_record(archive, 1)->data_offset == inner.data[1],
		"%s", err.text);
	CHECK(archive != NULL && zip_archive_open_record(archive, zip_archive_record(archive, 1),
		&err) == NULL && err.kind == ERROR_INTERNAL, "by offset");
	zip_archive_close(archive);
	byte_stream_close(member);
	byte_stream_close(stream);
	input_file_close(file);
	builder_free(&inner);
	builder_free(&packed);
	builder_free(&outer);
}

/* ---- local headers ------------------------------------------------------------------- */

static void
test_local_header(void)
{
	struct zip_local_header header;
	struct zip_builder      zip = make_base(BASE_TORCH), large = { 0 };

	for (size_t count = 0; count < zip.data[0]; count++)
		CHECK(!zip_local_header_read(zip.bytes, count, &header), "%zu bytes", count);
	CHECK(zip_local_header_read(zip.bytes, zip.data[0], &header), "just enough");
	CHECK_TEXT(header.name, "r/data.pkl", "name");
	CHECK(header.has_descriptor && !header.is_zip64 && header.flags == 0x0808
		&& header.method == 0 && header.length == 0 && header.stored_length == 0
		&& header.name_length == 10 && header.extra_length == 34 - 10, "fields");
	CHECK(!zip_local_header_read(zip.bytes + zip.central[0], 200, &header), "directory");
	large_local(&large, "r/0", (uint64_t)5 << 30, (uint64_t)6 << 30);
	CHECK(zip_local_header_read(large.bytes, large.length, &header) && header.is_zip64
		&& header.length == (uint64_t)5 << 30 && header.stored_length == 0, "torch's zip64");
	large.length = 0;
	large_local(&large, "r/0", 7, (uint64_t)6 << 30);
	CHECK(zip_local_header_read(large.bytes, large.length, &header) && header.is_zip64
		&& header.length == 0, "torch's zip64 for an offset");
	builder_put(&large, 18, 8, UINT64_MAX);
	CHECK(!zip_local_header_read(large.bytes, large.length, &header), "too short");
	builder_free(&zip);
	builder_free(&large);
}

/* What an extra field adds to the two lengths of a local header. */
static void
test_local_lengths(void)
{
	static const uint64_t some = 5;
	static const struct {
		uint64_t stored, length;        /* as in the header */
		unsigned count;                 /* numbers of the field: 16, 17, 18 */
		bool     good;
		uint64_t found_stored, found_length;
	} rows[] = {
		{ 5, 5, 2, true, 5, 5 },                        /* known already */
		{ 0, 0, 2, true, 17, 16 },                      /* torch */
		{ 0, 5, 2, true, 17, 5 },
		{ 5, 0, 2, true, 5, 16 },
		{ 0, 0, 1, true, 0, 0 },                        /* torch, of an offset */
		{ UINT32_MAX, UINT32_MAX, 2, true, 17, 16 },
		{ UINT32_MAX, UINT32_MAX, 3, true, 17, 16 },
		{ UINT32_MAX, UINT32_MAX, 1, false, 0, 0 },
		{ 5, UINT32_MAX, 1, true, 5, 16 },
		{ UINT32_MAX, 5, 1, true, 16, 5 },
		{ 17, UINT32_MAX, 2, true, 17, 16 },
		{ 5, UINT32_MAX, 2, false, 0, 0 },              /* 5, and 17 in the field */
		{ UINT32_MAX, 5, 2, false, 0, 0 },
		{ 5, UINT32_MAX, 0, false, 0, 0 },
		{ UINT32_MAX, 5, 0, false, 0, 0 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct zip_builder      zip = { 0 };
		struct zip_local_header header;
		bool                    good;

		large_local(&zip, "r/0", some, some);
		builder_put(&zip, 18, 4, rows[i].stored);
		builder_put(&zip, 22, 4, rows[i].length);
		builder_put(&zip, 28, 2, 4 + 8 * rows[i].count);
		builder_number(&zip, 2, 1);
		builder_number(&zip, 2, 8 * rows[i].count);
		for (unsigned k = 0; k < rows[i].count; k++)
			builder_number(&zip, 8, 16 + k);
		good = zip_local_header_read(zip.bytes, zip.length, &header);
		CHECK(good == rows[i].good, "row %zu", i);
		CHECK(!good || (header.stored_length == rows[i].found_stored
			&& header.length == rows[i].found_length), "row %zu: %llu, %llu", i,
			(unsigned long long)header.stored_length,
			(unsigned long long)header.length);
		builder_free(&zip);
	}
}

/* ---- libzip's opinion ---------------------------------------------------------------- */

/* Where libzip reads something else from a directory than we did, nothing is read at all. */
static void
test_opinion(void)
{
	static const struct {
		const char       *what, *text;
		struct zip_record one;
		size_t            count;
	} rows[] = {
		{ "the same", "", { .name = "r/x", .crc = 0xadf3f363, .length = 4, .stored_length = 4 },
			1 },
		{ "another name", "libzip finds a record r/x that the directory does not list",
			{ .name = "r/y", .crc = 0xadf3f363, .length = 4, .stored_length = 4 }, 1 },
		{ "fewer records", "libzip lists 1 records, the directory 0", { .name = "r/x" }, 0 },
		{ "another length", "libzip reads other sizes or another checksum",
			{ .name = "r/x", .crc = 0xadf3f363, .length = 5, .stored_length = 4 }, 1 },
		{ "another stored length", "libzip reads other sizes or another checksum",
			{ .name = "r/x", .crc = 0xadf3f363, .length = 4, .stored_length = 5 }, 1 },
		{ "another checksum", "libzip reads other sizes or another checksum",
			{ .name = "r/x", .crc = 1, .length = 4, .stored_length = 4 }, 1 },
		{ "another method", "libzip reads other sizes or another checksum",
			{ .name = "r/x", .crc = 0xadf3f363, .length = 4, .stored_length = 4,
			.method = 8 }, 1 },
	};
	const struct zip_part part = { "r/x", "data", 4, 0, 0, 0 };
	struct zip_builder    zip = builder_make(&part, 1, STYLE_PLAIN);
	struct input_file    *file = memory_file_open(zip.bytes, zip.length);
	struct byte_stream   *stream = memory_file_stream(file);

	/* CRC-32 of "data" by Python's zlib.crc32. */
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct error      err = { 0 };
		struct zip_entry  entry = { .record = rows[i].one };
		struct zip_names *names = zip_names_open(&entry, rows[i].count, &err);
		bool              agrees = zip_opinion_agrees(stream, names, rows[i].count, true, &err);

		CHECK(agrees == (i == 0) && (agrees || err.kind == ERROR_UNSAFE), "%s: %d",
			rows[i].what, err.kind);
		CHECK_TEXT(err.slug, agrees ? "" : "libzip", "%s", rows[i].what);
		CHECK(strstr(err.text, rows[i].text) != NULL, "%s: %s", rows[i].what, err.text);
		zip_names_close(names);
	}
	byte_stream_close(stream);
	input_file_close(file);
	builder_free(&zip);
}

int
main(void)
{
	test_torch();
	test_writers();
	test_nested();
	test_local_header();
	test_local_lengths();
	test_opinion();
	zip_archive_close(NULL);
	return check_end("zip_samples");
}
