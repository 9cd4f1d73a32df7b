/*
 * pytorch_model.bin as we write it: its pickle against bytes spelled by hand, its zip against
 * a reader of its own that knows APPNOTE.TXT and nothing of ours, then our readers.
 *
 *     test_torch_writer              the tests
 *     test_torch_writer FILE         writes the sample that tests/writer checks
 */
#include "check.h"
#include "container/crc32.h"
#include "container/zip_archive.h"
#include "memory_file.h"
#include "torch/torch_file.h"
#include "torch/torch_pass.h"
#include "torch/torch_writer.h"

#include <inttypes.h>
#include <zlib.h>

#define MOST_RECORDS 24
#define ARENA_LIMIT  ((size_t)4 << 20)

static const char ordered_dict[] = "ccollections\nOrderedDict\n)R";

/* ---- a file made of pieces ---------------------------------------------------------- */

/* What the writer gives, where it belongs; the bytes of the storages are not there. */
struct layout {
	struct torch_writer *writer;
	struct text          fronts[MOST_RECORDS], tail;
	uint64_t             front_offsets[MOST_RECORDS], tail_offset;
	size_t               count;
};

static void
lay_out(struct layout *layout, const struct torch_writer_tensor *tensors, size_t count,
	const uint32_t *crcs)
{
	struct error err = { 0 };
	uint64_t     at = 0;

	*layout = (struct layout){ .writer = torch_writer_open("pytorch_model", tensors, count, &err) };
	memory_file_must(layout->writer != NULL, err.text);
	layout->count = torch_writer_storage_count(layout->writer);
	for (size_t i = 0; i < layout->count; i++) {
		uint64_t offset = torch_writer_offset(layout->writer, i);

		torch_writer_add_front(layout->writer, i, crcs[i], &layout->fronts[i]);
		layout->front_offsets[i] = at;
		CHECK(offset % 64 == 0, "storage %zu", i);
		CHECK(at + layout->fronts[i].length == offset, "storage %zu: front of %zu bytes",
			i, layout->fronts[i].length);
		at = offset + torch_writer_bytes(layout->writer, i);
	}
	torch_writer_add_tail(layout->writer, crcs, &layout->tail);
	layout->tail_offset = at;
	CHECK(at + layout->tail.length == torch_writer_file_bytes(layout->writer),
		"tail of %zu bytes", layout->tail.length);
}

static void
layout_free(struct layout *layout)
{
	for (size_t i = 0; i < layout->count; i++)
		text_free(&layout->fronts[i]);
	text_free(&layout->tail);
	torch_writer_close(layout->writer);
}

/* `count` bytes of the file, all from one piece; else the test cannot go on. */
static const unsigned char *
bytes_at(const struct layout *layout, uint64_t offset, size_t count)
{
	for (size_t i = 0; i <= layout->count; i++) {
		const struct text *piece = i < layout->count ? &layout->fronts[i] : &layout->tail;
		uint64_t           start = i < layout->count ? layout->front_offsets[i]
			: layout->tail_offset;

		if (offset >= start && offset - start <= piece->length
		    && count <= piece->length - (size_t)(offset - start))
			return (const unsigned char *)piece->bytes + (offset - start);
	}
	printf("no bytes at %" PRIu64 "\n", offset);
	exit(1);
}

static uint64_t
number_at(const struct layout *layout, uint64_t offset, unsigned bytes)
{
	const unsigned char *at = bytes_at(layout, offset, bytes);
	uint64_t             number = 0;

	for (unsigned i = bytes; i-- > 0;)
		number = number << 8 | at[i];
	return number;
}

/* ---- a zip reader by APPNOTE.TXT ---------------------------------------------------- */

struct found {
	char     name[64];
	uint32_t crc;
	uint64_t header, data, bytes;
	unsigned header_extra, entry_extra;     /* lengths of the zip64 fields with their ids */
	unsigned needed;
};

/* The local header, and that it says what the entry says. */
static void
read_header(const struct layout *layout, struct found *record)
{
	uint64_t at = record->header, bytes = number_at(layout, at + 22, 4), padding;
	unsigned name = (unsigned)strlen(record->name);
	unsigned extra = (unsigned)number_at(layout, at + 28, 2);

	CHECK(number_at(layout, at, 4) == 0x04034b50, "%s", record->name);
	CHECK(number_at(layout, at + 4, 2) == record->needed, "%s", record->name);
	CHECK(number_at(layout, at + 6, 2) == 0x0800, "%s", record->name);
	CHECK(number_at(layout, at + 8, 2) == 0, "%s", record->name);
	CHECK(number_at(layout, at + 10, 4) == 0x00210000, "%s", record->name);
	CHECK(number_at(layout, at + 14, 4) == record->crc, "%s", record->name);
	CHECK(number_at(layout, at + 18, 4) == bytes, "%s", record->name);
	CHECK(number_at(layout, at + 26, 2) == name, "%s", record->name);
	CHECK(memcmp(bytes_at(layout, at + 30, name), record->name, name) == 0, "%s", record->name);
	record->data = at + 30 + name + extra;
	at += 30 + name;
	if (bytes == 0xffffffff) {
		CHECK(number_at(layout, at, 4) == 0x00100001, "%s", record->name);
		bytes = number_at(layout, at + 4, 8);
		CHECK(number_at(layout, at + 12, 8) == bytes, "%s", record->name);
		record->header_extra = 20;
		at += 20;
	}
	CHECK(bytes == record->bytes, "%s: %" PRIu64 " bytes", record->name, bytes);
	CHECK(number_at(layout, at, 2) == 0x4246, "%s", record->name);
	padding = number_at(layout, at + 2, 2);
	CHECK(padding < 64 && at + 4 + padding == record->data, "%s: %" PRIu64, record->name, padding);
	for (unsigned i = 0; i < padding; i++)
		CHECK(number_at(layout, at + 4 + i, 1) == 'Z', "%s", record->name);
}

/* An entry of the directory; returns where the next one begins. */
static uint64_t
read_entry(const struct layout *layout, uint64_t at, struct found *record)
{
	unsigned name = (unsigned)number_at(layout, at + 28, 2);
	unsigned extra = (unsigned)number_at(layout, at + 30, 2);
	uint64_t wide = at + 46 + name + 4;

	CHECK(number_at(layout, at, 4) == 0x02014b50, "at %" PRIu64, at);
	*record = (struct found){
		.needed = (unsigned)number_at(layout, at + 6, 2),
		.crc = (uint32_t)number_at(layout, at + 16, 4),
		.bytes = number_at(layout, at + 24, 4),
		.header = number_at(layout, at + 42, 4),
		.entry_extra = extra,
	};
	memcpy(record->name, bytes_at(layout, at + 46, name), name);
	CHECK(number_at(layout, at + 5, 1) == 0, "%s", record->name);
	CHECK(number_at(layout, at + 8, 2) == 0x0800, "%s", record->name);
	CHECK(number_at(layout, at + 10, 2) == 0, "%s", record->name);
	CHECK(number_at(layout, at + 12, 4) == 0x00210000, "%s", record->name);
	CHECK(number_at(layout, at + 20, 4) == record->bytes, "%s", record->name);
	CHECK(number_at(layout, at + 32, 8) == 0, "%s", record->name);
	CHECK(number_at(layout, at + 40, 2) == 0, "%s", record->name);
	if (extra > 0) {
		CHECK(number_at(layout, wide - 4, 2) == 1, "%s", record->name);
		CHECK(number_at(layout, wide - 2, 2) == extra - 4, "%s", record->name);
	}
	if (record->bytes == 0xffffffff) {
		record->bytes = number_at(layout, wide, 8);
		CHECK(number_at(layout, wide + 8, 8) == record->bytes, "%s", record->name);
		wide += 16;
	}
	if (record->header == 0xffffffff) {
		record->header = number_at(layout, wide, 8);
		wide += 8;
	}
	CHECK(extra == 0 || wide == at + 46 + name + extra, "%s", record->name);
	return at + 46 + name + extra;
}

/* All records, which must follow each other without a gap from 0 to the directory. */
static size_t
read_zip(const struct layout *layout, struct found records[MOST_RECORDS])
{
	uint64_t end = layout->tail_offset + layout->tail.length - 22;
	uint64_t locator = end - 20, wide = locator - 56;
	uint64_t count = number_at(layout, wide + 32, 8), directory = number_at(layout, wide + 48, 8);
	uint64_t at = directory, next = 0;

	CHECK(number_at(layout, end, 8) == 0x06054b50, "end record");
	CHECK(number_at(layout, end + 8, 4) == (count << 16 | count), "%" PRIu64 " entries", count);
	CHECK(number_at(layout, end + 12, 4) == wide - directory, "bytes of the directory");
	CHECK(number_at(layout, end + 16, 4) == (directory < 0xffffffff ? directory : 0xffffffff),
		"directory at %" PRIu64, directory);
	CHECK(number_at(layout, end + 20, 2) == 0, "comment");
	CHECK(number_at(layout, locator, 8) == 0x07064b50, "locator");
	CHECK(number_at(layout, locator + 8, 8) == wide, "locator");
	CHECK(number_at(layout, locator + 16, 4) == 1, "locator");
	CHECK(number_at(layout, wide, 4) == 0x06064b50, "zip64 end record");
	CHECK(number_at(layout, wide + 4, 8) == 44, "zip64 end record");
	CHECK(number_at(layout, wide + 12, 4) == 0x002d002d, "zip64 end record");
	CHECK(number_at(layout, wide + 16, 8) == 0, "zip64 end record");
	CHECK(number_at(layout, wide + 24, 8) == count, "zip64 end record");
	CHECK(number_at(layout, wide + 40, 8) == wide - directory, "zip64 end record");
	memory_file_must(count <= MOST_RECORDS, "too many records");
	for (size_t i = 0; i < count; i++) {
		at = read_entry(layout, at, &records[i]);
		read_header(layout, &records[i]);
		CHECK(records[i].header == next, "%s: header at %" PRIu64 ", expected %" PRIu64,
			records[i].name, records[i].header, next);
		CHECK(records[i].data % 64 == 0, "%s", records[i].name);
		next = records[i].data + records[i].bytes;
	}
	CHECK(at == wide, "the directory ends at %" PRIu64, at);
	CHECK(next == directory, "the records end at %" PRIu64, next);
	return (size_t)count;
}

/* ---- the pickle --------------------------------------------------------------------- */

static void
check_pickle(const char *what, const struct torch_writer_tensor *tensors, size_t count,
	const void *expected, size_t length)
{
	struct layout layout;
	struct found  records[MOST_RECORDS];
	uint32_t      crcs[MOST_RECORDS] = { 0 };

	lay_out(&layout, tensors, count, crcs);
	read_zip(&layout, records);
	CHECK_TEXT(records[0].name, "pytorch_model/data.pkl", "%s", what);
	CHECK(records[0].bytes == length, "%s: %" PRIu64 " bytes, expected %zu", what,
		records[0].bytes, length);
	if (records[0].bytes == length)
		CHECK(memcmp(bytes_at(&layout, records[0].data, length), expected, length) == 0,
			"%s", what);
	CHECK(records[0].crc == crc32(0, expected, (uInt)length), "%s", what);
	layout_free(&layout);
}

/* OrderedDict(a = float32 of shape [2, 3]), spelled out by hand. */
static void
test_example(void)
{
	static const struct torch_writer_tensor tensor = {
		.name = "a", .dtype = DTYPE_FLOAT32, .rank = 2, .shape = { 2, 3 },
	};
	static const char expected[] =
		"\x80\x02" "ccollections\nOrderedDict\n)R("
		"X\1\0\0\0a" "ctorch._utils\n_rebuild_tensor_v2\n" "(("
		"X\7\0\0\0storage" "ctorch\nFloatStorage\n" "X\1\0\0\0" "0" "X\3\0\0\0cpu"
		"K\6tQ" "K\0" "(K\2K\3t" "(K\3K\1t" "\x89"
		"ccollections\nOrderedDict\n)R" "tR" "u.";

	static const char empty[] = "\x80\x02" "ccollections\nOrderedDict\n)R.";

	CHECK(sizeof expected - 1 == 167, "%zu bytes", sizeof expected - 1);
	check_pickle("example", &tensor, 1, expected, sizeof expected - 1);
	check_pickle("no tensors", NULL, 0, empty, sizeof empty - 1);
}

/* Two names of one storage, a scalar, a tensor without elements, and one of three dimensions. */
static void
test_shapes(void)
{
	static const struct torch_writer_tensor tensors[] = {
		{ "wte", DTYPE_FLOAT16, 2, { 300, 2 }, 0 },
		{ "scalar", DTYPE_INT64, 0, { 0 }, 1 },
		{ "empty", DTYPE_BFLOAT16, 3, { 2, 0, 7 }, 2 },
		{ "cube", DTYPE_FLOAT64, 3, { 2, 3, 4 }, 3 },
		{ "lm_head", DTYPE_FLOAT16, 2, { 300, 2 }, 0 },
	};
	static const struct { const char *bytes; size_t length; } calls[] = {
#define PART(text) { text, sizeof text - 1 }
		PART("X\3\0\0\0wte"),
		PART("X\7\0\0\0storagectorch\nHalfStorage\nX\1\0\0\0" "0X\3\0\0\0cpu"
			"M\x58\2tQK\0(M\x2c\1K\2t(K\2K\1t\x89"),
		PART("X\6\0\0\0scalar"),
		PART("X\7\0\0\0storagectorch\nLongStorage\nX\1\0\0\0" "1X\3\0\0\0cpu"
			"K\1tQK\0))\x89"),
		PART("X\5\0\0\0empty"),
		PART("X\7\0\0\0storagectorch\nBFloat16Storage\nX\1\0\0\0" "2X\3\0\0\0cpu"
			"K\0tQK\0(K\2K\0K\7t(K\7K\7K\1t\x89"),
		PART("X\4\0\0\0cube"),
		PART("X\7\0\0\0storagectorch\nDoubleStorage\nX\1\0\0\0" "3X\3\0\0\0cpu"
			"K\x18tQK\0(K\2K\3K\4t(K\x0cK\4K\1t\x89"),
		PART("X\7\0\0\0lm_head"),
		PART("X\7\0\0\0storagectorch\nHalfStorage\nX\1\0\0\0" "0X\3\0\0\0cpu"
			"M\x58\2tQK\0(M\x2c\1K\2t(K\2K\1t\x89"),
#undef PART
	};
	struct text expected = { 0 };

	text_add(&expected, "\x80\x02%s(", ordered_dict);
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
		if (i % 2 == 1)
			text_add(&expected, "ctorch._utils\n_rebuild_tensor_v2\n((");
		text_add_bytes(&expected, calls[i].bytes, calls[i].length);
		if (i % 2 == 1)
			text_add(&expected, "%stR", ordered_dict);
	}
	text_add(&expected, "u.");
	check_pickle("shapes", tensors, sizeof tensors / sizeof *tensors, expected.bytes,
		expected.length);
	text_free(&expected);
}

/* Every class of storage, by the table of the format. */
static void
test_storage_names(void)
{
	static const struct { enum dtype dtype; const char *name; } names[] = {
		{ DTYPE_FLOAT64, "DoubleStorage" }, { DTYPE_FLOAT32, "FloatStorage" },
		{ DTYPE_FLOAT16, "HalfStorage" }, { DTYPE_BFLOAT16, "BFloat16Storage" },
		{ DTYPE_INT64, "LongStorage" }, { DTYPE_INT32, "IntStorage" },
		{ DTYPE_INT16, "ShortStorage" }, { DTYPE_INT8, "CharStorage" },
		{ DTYPE_UINT8, "ByteStorage" }, { DTYPE_BOOL, "BoolStorage" },
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		CHECK_TEXT(dtype_storage_name(names[i].dtype), names[i].name, "%s",
			dtype_name(names[i].dtype));
	CHECK_TEXT(dtype_storage_name(DTYPE_UNKNOWN), "unknown", "no dtype");
}

/* A count of bytes is in the pickle twice: as elements of the storage, as size of the tensor. */
static void
test_integers(void)
{
#define CODE(number, text) { number, text, sizeof text - 1 }
	static const struct { uint64_t number; const char *code; size_t length; } integers[] = {
		CODE(0, "K\0"),
		CODE(1, "K\1"),
		CODE(255, "K\xff"),
		CODE(256, "M\0\1"),
		CODE(65535, "M\xff\xff"),
		CODE(65536, "J\0\0\1\0"),
		CODE(0x7fffffff, "J\xff\xff\xff\x7f"),
		CODE(0x80000000, "\x8a\5\0\0\0\x80\0"),
		CODE(0xffffffff, "\x8a\5\xff\xff\xff\xff\0"),
		CODE(0x7fffffffff, "\x8a\5\xff\xff\xff\xff\x7f"),
		CODE(0x8000000000, "\x8a\6\0\0\0\0\x80\0"),
		CODE(0x7fffffffffff, "\x8a\6\xff\xff\xff\xff\xff\x7f"),
		CODE(0x800000000000, "\x8a\7\0\0\0\0\0\x80\0"),
		CODE(0x7fffffffffffff, "\x8a\7\xff\xff\xff\xff\xff\xff\x7f"),
		CODE(0x80000000000000, "\x8a\x8\0\0\0\0\0\0\x80\0"),
	};
#undef CODE

	for (size_t i = 0; i < sizeof integers / sizeof *integers; i++) {
		struct torch_writer_tensor tensor = { .name = "n", .dtype = DTYPE_UINT8, .rank = 1,
			.shape = { integers[i].number } };
		struct text expected = { 0 };
		char        what[TEXT_NUMBER_SIZE];

		text_add(&expected, "\x80\x02%s(X", ordered_dict);
		text_add_bytes(&expected, "\1\0\0\0n", 5);
		text_add(&expected, "ctorch._utils\n_rebuild_tensor_v2\n((X");
		text_add_bytes(&expected, "\7\0\0\0storagectorch\nByteStorage\nX\1\0\0\0"
			"0X\3\0\0\0cpu", 4 + 7 + 19 + 5 + 1 + 5 + 3);
		text_add_bytes(&expected, integers[i].code, integers[i].length);
		text_add_bytes(&expected, "tQK\0(", 5);
		text_add_bytes(&expected, integers[i].code, integers[i].length);
		text_add(&expected, "t(K\1t\x89%stRu.", ordered_dict);
		check_pickle(text_format(what, sizeof what, "%" PRIu64, integers[i].number), &tensor,
			1, expected.bytes, expected.length);
		text_free(&expected);
	}
}

/* ---- beyond 4 GiB ------------------------------------------------------------------- */

/* What must be in the headers, by hand: lengths from 2^32 - 1 on need a field of 4 + 16 bytes
 * in header and entry, offsets from there on one of 4 + 8 (or 8 more) in the entry. */
static const struct large {
	uint64_t bytes;
	unsigned header_extra, entry_extra, needed;
} large[] = {
	{ 1000,        0,  0,  10 },
	{ 0xfffffffe,  0,  0,  10 },            /* the header of the next one is beyond */
	{ 3,           0,  12, 45 },
	{ 0xffffffff,  20, 28, 45 },
	{ 0,           0,  12, 45 },
	{ 0x200000001, 20, 28, 45 },
	{ 64,          0,  12, 45 },
};
#define LARGE_COUNT (sizeof large / sizeof *large)

/* Our zip reader and libzip, on a file that is nearly all holes. */
static void
check_large_file(const struct layout *layout)
{
	struct error        err = { 0 };
	int                 fd = memfd_create("large", MFD_CLOEXEC);
	struct input_file  *file;
	struct byte_stream *stream;
	struct zip_archive *archive;

	memory_file_must(fd >= 0 && ftruncate(fd, (off_t)torch_writer_file_bytes(layout->writer))
		== 0, "memfd");
	for (size_t i = 0; i <= layout->count; i++) {
		const struct text *piece = i < layout->count ? &layout->fronts[i] : &layout->tail;
		uint64_t           at = i < layout->count ? layout->front_offsets[i]
			: layout->tail_offset;

		memory_file_must(pwrite(fd, piece->bytes, piece->length, (off_t)at)
			== (ssize_t)piece->length, "pwrite");
	}
	file = memory_file_adopt(fd);
	stream = memory_file_stream(file);
	archive = zip_archive_open(stream, ZIP_TORCH, &err);
	CHECK(archive != NULL, "%s", err.text);
	CHECK(archive == NULL || zip_archive_count(archive) == LARGE_COUNT + 3, "records");
	for (size_t i = 0; archive != NULL && i < LARGE_COUNT; i++) {
		const struct zip_record *record = zip_archive_record(archive, i + 2);

		CHECK(record->length == large[i].bytes, "storage %zu", i);
		CHECK(record->data_offset == torch_writer_offset(layout->writer, i), "storage %zu", i);
	}
	zip_archive_close(archive);
	byte_stream_close(stream);
	input_file_close(file);
}

static void
test_large(void)
{
	struct torch_writer_tensor tensors[LARGE_COUNT];
	struct layout              layout;
	struct found               records[MOST_RECORDS];
	uint32_t                   crcs[LARGE_COUNT];
	char                       names[LARGE_COUNT][8];

	for (size_t i = 0; i < LARGE_COUNT; i++) {
		tensors[i] = (struct torch_writer_tensor){ .dtype = DTYPE_INT8, .rank = 1,
			.shape = { large[i].bytes }, .storage = i,
			.name = text_format(names[i], sizeof names[i], "%zu", i) };
		crcs[i] = crc32_of_zeros(large[i].bytes);
	}
	lay_out(&layout, tensors, LARGE_COUNT, crcs);
	CHECK(read_zip(&layout, records) == LARGE_COUNT + 3, "records");
	for (size_t i = 0; i < LARGE_COUNT; i++) {
		const struct found *record = &records[i + 2];

		CHECK(record->bytes == large[i].bytes, "storage %zu: %" PRIu64, i, record->bytes);
		CHECK(record->crc == crcs[i], "storage %zu: %08" PRIx32, i, record->crc);
		CHECK(record->data == torch_writer_offset(layout.writer, i), "storage %zu", i);
		CHECK(record->header_extra == large[i].header_extra, "storage %zu: %u", i,
			record->header_extra);
		CHECK(record->entry_extra == large[i].entry_extra, "storage %zu: %u", i,
			record->entry_extra);
		CHECK(record->needed == large[i].needed, "storage %zu: %u", i, record->needed);
	}
	check_large_file(&layout);
	layout_free(&layout);
}

/* ---- a real file -------------------------------------------------------------------- */

/* Also known to tests/writer/sample.py.  Byte i of storage k is 7 * i + 31 * k + 3, of a
 * storage of bools its lowest bit. */
static const struct torch_writer_tensor sample[] = {
	{ "transformer.wte.weight", DTYPE_FLOAT16, 2, { 50, 3 }, 0 },
	{ "float32", DTYPE_FLOAT32, 2, { 17, 19 }, 1 },
	{ "float64", DTYPE_FLOAT64, 3, { 2, 3, 4 }, 2 },
	{ "bfloat16", DTYPE_BFLOAT16, 4, { 2, 1, 3, 2 }, 3 },
	{ "int8", DTYPE_INT8, 1, { 256 }, 4 },
	{ "uint8", DTYPE_UINT8, 2, { 1, 65 }, 5 },
	{ "int16", DTYPE_INT16, 1, { 3 }, 6 },
	{ "int32", DTYPE_INT32, 1, { 70000 }, 7 },
	{ "int64", DTYPE_INT64, 0, { 0 }, 8 },
	{ "bool", DTYPE_BOOL, 2, { 3, 3 }, 9 },
	{ "empty", DTYPE_FLOAT32, 3, { 4, 0, 5 }, 10 },
	{ "Gr\xc3\xb6\xc3\x9f" "e", DTYPE_FLOAT32, 1, { 1 }, 11 },
	{ "lm_head.weight", DTYPE_FLOAT16, 2, { 50, 3 }, 0 },
	{ "flat", DTYPE_FLOAT16, 1, { 150 }, 0 },
};
#define SAMPLE_COUNT (sizeof sample / sizeof *sample)

static unsigned char
sample_byte(size_t storage, uint64_t index)
{
	unsigned char byte = (unsigned char)(7 * index + 31 * storage + 3);

	return storage == 9 ? byte & 1 : byte;
}

/* Storages from the last to the first, to show that the order does not matter. */
static unsigned char *
make_sample(size_t *length)
{
	struct error         err = { 0 };
	struct torch_writer *writer = torch_writer_open("pytorch_model", sample, SAMPLE_COUNT, &err);
	struct text          piece = { 0 };
	uint32_t             crcs[MOST_RECORDS];
	unsigned char       *bytes;

	memory_file_must(writer != NULL, err.text);
	*length = (size_t)torch_writer_file_bytes(writer);
	memory_file_must((bytes = calloc(1, *length)) != NULL, "calloc");
	for (size_t i = torch_writer_storage_count(writer); i-- > 0;) {
		uint64_t offset = torch_writer_offset(writer, i), count = torch_writer_bytes(writer, i);

		for (uint64_t j = 0; j < count; j++)
			bytes[offset + j] = sample_byte(i, j);
		crcs[i] = (uint32_t)crc32(0, bytes + offset, (uInt)count);
		torch_writer_add_front(writer, i, crcs[i], &piece);
		memcpy(bytes + offset - piece.length, piece.bytes, piece.length);
		text_free(&piece);
	}
	torch_writer_add_tail(writer, crcs, &piece);
	memcpy(bytes + *length - piece.length, piece.bytes, piece.length);
	text_free(&piece);
	torch_writer_close(writer);
	return bytes;
}

static bool
check_bytes(void *context, size_t storage, uint64_t offset, const unsigned char *bytes,
	size_t count, struct error *err)
{
	uint64_t *seen = context;
	size_t    same = 0;

	(void)err;
	while (same < count && bytes[same] == sample_byte(storage, offset + same))
		same++;
	CHECK(same == count, "storage %zu at %" PRIu64, storage, offset + same);
	*seen += count;
	return true;
}

/* Compares a tensor with the sample of that name; *context is how many were seen. */
static bool
check_tensor(void *context, const char *path, const struct value *node, struct error *err)
{
	struct torch_file **file = context;
	struct tensor_view  view = { 0 };
	size_t              i = 0;

	while (i < SAMPLE_COUNT && strcmp(sample[i].name, path) != 0)
		i++;
	CHECK(i < SAMPLE_COUNT, "%s", path);
	CHECK(torch_file_tensor(*file, node, &view, err), "%s: %s", path, err->text);
	if (i == SAMPLE_COUNT)
		return true;
	CHECK(view.dtype == sample[i].dtype && view.rank == sample[i].rank, "%s", path);
	CHECK(view.storage == sample[i].storage && view.offset == 0, "%s", path);
	CHECK(memcmp(view.shape, sample[i].shape, view.rank * sizeof *view.shape) == 0, "%s", path);
	CHECK(tensor_view_is_contiguous(&view), "%s", path);
	return true;
}

/* One pass over the file in pieces.  false: *err. */
static bool
read_all(const struct torch_file *file, const unsigned char *bytes, size_t length,
	torch_storage_sink *sink, void *context, struct error *err)
{
	struct torch_pass *pass = torch_pass_open(file, sink, context, err);
	bool               done = pass != NULL;

	for (size_t at = 0; done && at < length; at += 1000)
		done = torch_pass_feed(pass, bytes + at, length - at < 1000 ? length - at : 1000, err);
	done = done && torch_pass_finish(pass, err);
	torch_pass_close(pass);
	return done;
}

static void
test_own_readers(void)
{
	struct error        err = { 0 };
	size_t              length;
	unsigned char      *bytes = make_sample(&length);
	struct input_file  *input = memory_file_open(bytes, length);
	struct byte_stream *stream = memory_file_stream(input);
	struct torch_file  *file = torch_file_open(stream, ARENA_LIMIT, &err);
	uint64_t            seen = 0;

	memory_file_must(file != NULL, err.text);
	CHECK(torch_file_form(file) == TORCH_ZIP && torch_file_has_checksums(file), "form");
	CHECK(torch_file_storage_count(file) == 12, "%zu", torch_file_storage_count(file));
	CHECK(torch_file_each_tensor(file, check_tensor, &file, &err), "%s", err.text);
	CHECK(read_all(file, bytes, length, check_bytes, &seen, &err), "%s", err.text);
	CHECK(seen == 300 + 1292 + 192 + 24 + 256 + 65 + 6 + 280000 + 8 + 9 + 4, "%" PRIu64, seen);
	for (size_t i = 0; i < torch_file_storage_count(file); i++) {
		const struct torch_storage *storage = torch_file_storage(file, i);

		CHECK(storage->bytes == 0 || storage->is_placed, "storage %zu", i);
		if (storage->bytes == 0)
			continue;
		bytes[storage->offset] ^= 1;    /* the CRC-32 is of these bytes and no others */
		err = (struct error){ 0 };
		CHECK(!read_all(file, bytes, length, NULL, NULL, &err), "storage %zu", i);
		CHECK_TEXT(err.slug, "bitflip", "storage %zu", i);
		bytes[storage->offset] ^= 1;
	}
	torch_file_close(file);
	byte_stream_close(stream);
	input_file_close(input);
	free(bytes);
}

/* ---- refusals ----------------------------------------------------------------------- */

static void
test_refusals(void)
{
	static const struct {
		const char                *root;
		struct torch_writer_tensor tensors[2];
		enum error_kind            kind;
		const char                *slug, *text;
	} cases[] = {
		{ "r", { { "a", DTYPE_INT8, 1, { 1 }, 0 }, { "b", DTYPE_INT8, 1, { 1 }, 2 } },
			ERROR_INTERNAL, "ptorder", "storage 2 comes before storage 1" },
		{ "r", { { "a", DTYPE_INT8, 1, { 1 }, 1 }, { "b", DTYPE_INT8, 1, { 1 }, 0 } },
			ERROR_INTERNAL, "ptorder", "storage 1 comes before storage 0" },
		{ "r", { { "a", DTYPE_INT8, 1, { 2 }, 0 }, { "b", DTYPE_UINT8, 1, { 2 }, 0 } },
			ERROR_INTERNAL, "ptshared",
			"storage 0 has 2 elements of int8 for one tensor and 2 of uint8 for another" },
		{ "r", { { "a", DTYPE_INT8, 1, { 2 }, 0 }, { "b", DTYPE_INT8, 2, { 2, 2 }, 0 } },
			ERROR_INTERNAL, "ptshared",
			"storage 0 has 2 elements of int8 for one tensor and 4 of int8 for another" },
		{ "r", { { "a", DTYPE_INT8, 1, { 1 }, 0 }, { "a", DTYPE_INT8, 1, { 1 }, 1 } },
			ERROR_INTERNAL, "ptname", "tensor \"a\" is to be written twice" },
		{ "r", { { "a", DTYPE_INT8, 1, { 1 }, 0 }, { "\xff", DTYPE_INT8, 1, { 1 }, 1 } },
			ERROR_INTERNAL, "ptname", "\"\xff\" cannot be the name of a tensor" },
		{ "r", { { "a", DTYPE_INT8, 1, { 1 }, 0 }, { "b", DTYPE_UNKNOWN, 1, { 1 }, 1 } },
			ERROR_INTERNAL, "ptshape", "no tensor has dtype unknown and 1 dimensions" },
		{ "r", { { "a", DTYPE_INT8, 1, { 1 }, 0 }, { "b", DTYPE_INT8, 9, { 1 }, 1 } },
			ERROR_INTERNAL, "ptshape", "no tensor has dtype int8 and 9 dimensions" },
		{ "r", { { "a", DTYPE_INT8, 1, { 1 }, 0 },
			{ "b", DTYPE_INT8, 2, { 1ull << 32, 1ull << 32 }, 1 } },
			ERROR_LIMIT, "ptsize", "the tensor is too large for a file" },
		{ "r", { { "a", DTYPE_INT8, 1, { 1 }, 0 },
			{ "b", DTYPE_FLOAT64, 1, { 1ull << 60 }, 1 } },
			ERROR_LIMIT, "ptsize", "the tensor is too large for a file" },
		/* No elements, but strides that nobody can read. */
		{ "r", { { "a", DTYPE_INT8, 1, { 1 }, 0 },
			{ "b", DTYPE_INT8, 3, { 0, 1ull << 32, 1ull << 32 }, 1 } },
			ERROR_LIMIT, "ptsize", "the tensor is too large for a file" },
		{ "r", { { "a", DTYPE_INT8, 1, { 1ull << 62 }, 0 },
			{ "b", DTYPE_INT8, 1, { 1ull << 62 }, 1 } },
			ERROR_LIMIT, "ptsize", "the tensors are too large for a file" },
		{ "r", { { "a", DTYPE_INT8, 1, { 1 }, 0 },
			{ "b", DTYPE_INT8, 1, { (1ull << 63) - 513 }, 1 } },
			ERROR_LIMIT, "ptsize", "the tensors are too large for a file" },
		{ "a/b", { { "a", DTYPE_INT8, 1, { 1 }, 0 }, { "b", DTYPE_INT8, 1, { 1 }, 1 } },
			ERROR_INTERNAL, "ptroot", "\"a/b\" cannot be the folder of a torch file" },
		{ "", { { "a", DTYPE_INT8, 1, { 1 }, 0 }, { "b", DTYPE_INT8, 1, { 1 }, 1 } },
			ERROR_INTERNAL, "ptroot", "\"\" cannot be the folder of a torch file" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct error         err = { 0 };
		struct torch_writer *writer = torch_writer_open(cases[i].root, cases[i].tensors, 2, &err);

		CHECK(writer == NULL, "case %zu: %s", i, cases[i].text);
		CHECK(err.kind == cases[i].kind, "case %zu: kind %d", i, (int)err.kind);
		CHECK_TEXT(err.slug, cases[i].slug, "case %zu", i);
		CHECK_TEXT(err.text, cases[i].text, "case %zu", i);
		torch_writer_close(writer);
	}
}

static void
test_root_length(void)
{
	char root[257];

	for (size_t length = 254; length <= 256; length++) {
		struct error         err = { 0 };
		struct torch_writer *writer;

		memset(root, 'r', length);
		root[length] = '\0';
		writer = torch_writer_open(root, sample, SAMPLE_COUNT, &err);
		CHECK((writer != NULL) == (length <= 255), "%zu", length);
		torch_writer_close(writer);
	}
}

/* Files that end about where 63 bits do: their directories must, too. */
static void
test_longest_file(void)
{
	size_t accepted = 0;

	for (uint64_t less = 0; less < 4096; less += 64) {
		struct torch_writer_tensor tensor = { "a", DTYPE_INT8, 1, { INT64_MAX - less }, 0 };
		struct error               err = { 0 };
		struct torch_writer       *writer = torch_writer_open("r", &tensor, 1, &err);

		if (writer == NULL)
			continue;
		CHECK(torch_writer_file_bytes(writer) <= INT64_MAX, "%" PRIu64 " bytes less", less);
		accepted++;
		torch_writer_close(writer);
	}
	CHECK(accepted > 32, "%zu", accepted);
}

/* Files that end about where 64 bits do: no sum may wrap. */
static void
test_no_wrap(void)
{
	for (uint64_t less = 0; less < 4096; less += 64) {
		const struct torch_writer_tensor tensors[] = {
			{ "a", DTYPE_INT8, 1, { INT64_MAX }, 0 },
			{ "b", DTYPE_INT8, 1, { INT64_MAX - less }, 1 },
		};
		struct error         err = { 0 };
		struct torch_writer *writer = torch_writer_open("r", tensors, 2, &err);

		CHECK(writer == NULL, "%" PRIu64 " bytes less", less);
		CHECK_TEXT(err.slug, "ptsize", "%" PRIu64 " bytes less", less);
		torch_writer_close(writer);
	}
}

static int
write_sample(const char *path)
{
	size_t         length;
	unsigned char *bytes = make_sample(&length);
	FILE          *file = fopen(path, "wb");

	memory_file_must(file != NULL && fwrite(bytes, 1, length, file) == length, path);
	memory_file_must(fclose(file) == 0, path);
	free(bytes);
	return 0;
}

int
main(int argc, char **argv)
{
	if (argc > 1)
		return write_sample(argv[1]);
	test_example();
	test_shapes();
	test_storage_names();
	test_integers();
	test_large();
	test_own_readers();
	test_refusals();
	test_root_length();
	test_longest_file();
	test_no_wrap();
	return check_end("torch_writer");
}
