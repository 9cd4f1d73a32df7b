/*
 * What no sample shows: zips inside a deflated member that can be walked, that cannot, and
 * that lie about themselves; flipped bits and holes; a file that changes; and the tables of
 * dtypes and of views.
 */
#include "check.h"
#include "container/byte_stream.h"
#include "torch/torch_file.h"
#include "torch/torch_pass.h"

#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#define ARENA_LIMIT ((size_t)32 << 20)
#define BIG         40000       /* bytes of storage 0 */
#define MOST        8           /* records */

/* ---- an archive, field by field ----------------------------------------------------- */

enum quirk {
	NO_QUIRK,
	PICKLE_LAST, PICKLE_DEFLATED, STORAGE_DEFLATED, SMALL_DEFLATED, SIZES_IN_HEADERS,
	WIDE_DESCRIPTORS, NO_CHECKSUMS, UNKNOWN_SIZED, UNKNOWN_UNSIZED, EMPTY_STORAGE, END64,
	BIT_FLIPPED, HOLE, STORAGE_TWICE, STORAGE_MISSING, STORAGE_SHORT, STORAGE_LONG,
	VERSION_MISSING, VERSION_11, BIG_ENDIAN_RECORD, SCRIPT, OTHER_FOLDER, BAD_NAME,
	ENTRY_NAME, ENTRY_CRC, ENTRY_LENGTH, ENTRY_MISSING, ENTRIES_SWAPPED, SYMLINK,
	COUNT_WRONG, END64_WRONG, LOCATOR_WRONG, COMMENT, TRAILING, CUT, CASE_TWICE,
};

struct record {
	char     name[64];
	uint32_t crc;
	size_t   offset, stored, length;
	unsigned flags, method;
};

struct archive {
	unsigned char bytes[200000];
	size_t        size;
	struct record records[MOST];
	size_t        count;
	enum quirk    quirk;
};

static void
put(struct archive *a, uint64_t number, int width)
{
	for (int i = 0; i < width; i++)
		a->bytes[a->size++] = (unsigned char)(number >> 8 * i);
}

static void
put_bytes(struct archive *a, const void *bytes, size_t count)
{
	memcpy(a->bytes + a->size, bytes, count);
	a->size += count;
}

static size_t
deflate_raw(const void *bytes, size_t count, unsigned char *to, size_t room)
{
	z_stream z = { .next_in = (unsigned char *)(uintptr_t)bytes, .avail_in = (uInt)count,
		.next_out = to, .avail_out = (uInt)room };

	deflateInit2(&z, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
	deflate(&z, Z_FINISH);
	deflateEnd(&z);
	return z.total_out;
}

static void
add_record(struct archive *a, const char *name, const void *bytes, size_t count,
	bool is_deflated, bool has_sizes)
{
	static unsigned char packed[100000];
	struct record *r = &a->records[a->count++];
	bool           wide = a->quirk == WIDE_DESCRIPTORS;

	snprintf(r->name, sizeof r->name, "%s/%s",
		a->quirk == OTHER_FOLDER && strcmp(name, "version") == 0 ? "b" : "a", name);
	r->crc = (uint32_t)crc32(0, bytes, (uInt)count);
	r->offset = a->size;
	r->length = r->stored = count;
	r->method = is_deflated ? 8 : 0;
	r->flags = has_sizes ? 0x0800 : 0x0808;
	if (is_deflated)
		bytes = (r->stored = deflate_raw(bytes, count, packed, sizeof packed), packed);
	put(a, 0x04034b50, 4);
	put(a, 0, 2);
	put(a, r->flags, 2);
	put(a, r->method, 2);
	put(a, 0, 4);
	put(a, has_sizes ? r->crc : 0, 4);
	put(a, has_sizes ? r->stored : 0, 4);
	put(a, has_sizes ? r->length : 0, 4);
	put(a, strlen(r->name), 2);
	put(a, wide && !has_sizes ? 20 : 0, 2);
	put_bytes(a, r->name, strlen(r->name));
	if (wide && !has_sizes) {
		put(a, 1, 2);
		put(a, 16, 2);
		put(a, r->length, 8);
		put(a, r->stored, 8);
	}
	put_bytes(a, bytes, r->stored);
	if (a->quirk == NO_CHECKSUMS)
		r->crc = 0;
	if (has_sizes)
		return;
	put(a, 0x08074b50, 4);
	put(a, r->crc, 4);
	put(a, r->stored, wide ? 8 : 4);
	put(a, r->length, wide ? 8 : 4);
}

static void
add_entry(struct archive *a, size_t index)
{
	const struct record *r = &a->records[index];
	bool                 odd = index == 1;
	char                 name[64];

	snprintf(name, sizeof name, "%s", r->name);
	if (odd && a->quirk == ENTRY_NAME)
		name[strlen(name) - 1] = '7';
	put(a, 0x02014b50, 4);
	put(a, a->quirk == SYMLINK ? 0x0314 : 0, 2);
	put(a, 0, 2);
	put(a, r->flags, 2);
	put(a, r->method, 2);
	put(a, 0, 4);
	put(a, r->crc ^ (odd && a->quirk == ENTRY_CRC), 4);
	put(a, r->stored + (odd && a->quirk == ENTRY_LENGTH), 4);
	put(a, r->length + (odd && a->quirk == ENTRY_LENGTH), 4);
	put(a, strlen(name), 2);
	put(a, 0, 8);
	put(a, odd && a->quirk == SYMLINK ? 0xa1ff0000u : 0, 4);
	put(a, r->offset, 4);
	put_bytes(a, name, strlen(name));
}

static void
add_directory(struct archive *a)
{
	size_t start = a->size, end, count = a->count;
	bool   has_end64 = a->quirk == END64 || a->quirk == END64_WRONG
		|| a->quirk == LOCATOR_WRONG;

	for (size_t i = 0; i < a->count; i++) {
		size_t swapped = i == 1 ? 2 : i == 2 ? 1 : i;

		if (a->quirk == ENTRY_MISSING && i == 2) {
			count--;
			continue;
		}
		add_entry(a, a->quirk == ENTRIES_SWAPPED ? swapped : i);
	}
	end = a->size;
	if (has_end64) {
		put(a, 0x06064b50, 4);
		put(a, 44, 8);
		put(a, 0x002d031e, 4);
		put(a, 0, 8);
		put(a, count, 8);
		put(a, count + (a->quirk == END64_WRONG), 8);
		put(a, end - start, 8);
		put(a, start, 8);
		put(a, 0x07064b50, 4);
		put(a, 0, 4);
		put(a, end - (a->quirk == LOCATOR_WRONG), 8);
		put(a, 1, 4);
	}
	put(a, 0x06054b50, 4);
	put(a, 0, 4);
	put(a, count, 2);
	put(a, count + (a->quirk == COUNT_WRONG), 2);
	put(a, end - start, 4);
	put(a, start, 4);
	put(a, a->quirk == COMMENT ? 2 : 0, 2);
	put_bytes(a, "xy", a->quirk == COMMENT ? 2 : 0);
	put_bytes(a, "xyz", a->quirk == TRAILING ? 3 : 0);
	a->size -= a->quirk == CUT ? 30 : 0;
}

/* {'w': float32[10000] on storage 0, 'h': float16[3] (or [0]) on storage 1} */
static size_t
make_pickle(char *to, bool has_empty)
{
	char *at = to;

#define LITERAL(text) (memcpy(at, text, sizeof text - 1), at += sizeof text - 1)
	LITERAL("\x80\2}(X\1\0\0\0wctorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storage"
		"ctorch\nFloatStorage\nX\1\0\0\0" "0X\3\0\0\0cpuM\x10\x27tQK\0M\x10\x27\x85K\1\x85\x89NtR");
	LITERAL("X\1\0\0\0hctorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storage"
		"ctorch\nHalfStorage\nX\1\0\0\0" "1X\6\0\0\0cuda:3K");
	*at++ = has_empty ? 0 : 3;
	LITERAL("tQK\0K");
	*at++ = has_empty ? 0 : 3;
	LITERAL("\x85K\1\x85\x89NtRu.");
#undef LITERAL
	return (size_t)(at - to);
}

static void
fill(unsigned char *storage)
{
	for (size_t i = 0; i < BIG; i++)
		storage[i] = (unsigned char)(i * 7 + i / 251 + 1) | 1;
}

static void
make_archive(struct archive *a, enum quirk quirk)
{
	static unsigned char storage[BIG + 8];
	char                 pickle[1000];
	size_t               length = make_pickle(pickle, quirk == EMPTY_STORAGE);
	size_t               big = BIG - (quirk == STORAGE_SHORT ? 4u : 0)
		+ (quirk == STORAGE_LONG ? 4u : 0);
	bool                 sizes = quirk == SIZES_IN_HEADERS;
	size_t               at;

	memset(a, 0, sizeof *a);
	a->quirk = quirk;
	fill(storage);
	if (quirk != PICKLE_LAST)
		add_record(a, "data.pkl", pickle, length, quirk == PICKLE_DEFLATED, sizes);
	if (quirk != STORAGE_MISSING)
		add_record(a, "data/0", storage, big, quirk == STORAGE_DEFLATED, sizes);
	at = a->size - 16 - BIG;
	if (quirk == BIT_FLIPPED)
		a->bytes[at + 12345] ^= 4;
	if (quirk == HOLE)
		memset(a->bytes + (at / 4096 + 2) * 4096, 0, 8192);
	add_record(a, "data/1", "abcdef", quirk == EMPTY_STORAGE ? 0 : 6,
		quirk == SMALL_DEFLATED, sizes || quirk == EMPTY_STORAGE);
	if (quirk == STORAGE_TWICE)
		add_record(a, "data/1", "abcdef", 6, false, sizes);
	if (quirk == CASE_TWICE)
		add_record(a, "Version", "3\n", 2, false, true);
	if (quirk == UNKNOWN_SIZED || quirk == UNKNOWN_UNSIZED)
		add_record(a, "data/99", "something", 9, false, quirk == UNKNOWN_SIZED);
	if (quirk == SCRIPT)
		add_record(a, "constants.pkl", "\x80\2N.", 4, false, sizes);
	if (quirk == BAD_NAME)
		add_record(a, "../x", "", 0, false, true);
	add_record(a, "byteorder", quirk == BIG_ENDIAN_RECORD ? "big" : "little",
		quirk == BIG_ENDIAN_RECORD ? 3 : 6, false, sizes);
	if (quirk != VERSION_MISSING)
		add_record(a, "version", quirk == VERSION_11 ? "11\n" : "3\n",
			quirk == VERSION_11 ? 3 : 2, false, sizes);
	if (quirk == PICKLE_LAST)
		add_record(a, "data.pkl", pickle, length, false, sizes);
	add_directory(a);
}

/* ---- reading it --------------------------------------------------------------------- */

struct kept {
	unsigned char big[BIG], small[6];
};

static bool
keep(void *context, size_t storage, uint64_t offset, const unsigned char *bytes, size_t count,
	struct error *err)
{
	struct kept *kept = context;

	(void)err;
	if (offset + count <= (storage == 0 ? sizeof kept->big : sizeof kept->small))
		memcpy((storage == 0 ? kept->big : kept->small) + offset, bytes, count);
	return true;
}

struct source {
	struct input_file  *file;
	struct byte_stream *stream;
};

static void
source_open(struct source *source, const unsigned char *bytes, size_t size, bool is_deflated)
{
	static unsigned char packed[300000];
	char                 path[] = "/tmp/m2h-pass-XXXXXX";
	size_t               stored = size;
	int                  fd = mkstemp(path);
	struct error         err = { 0 };

	if (is_deflated)
		stored = deflate_raw(bytes, size, packed, sizeof packed);
	if (fd < 0 || write(fd, is_deflated ? packed : bytes, stored) != (ssize_t)stored)
		abort();
	close(fd);
	source->file = input_file_open(path, "/tmp", &err);
	source->stream = is_deflated
		? byte_stream_open_deflated(source->file, 0, stored, size, &err)
		: byte_stream_open(source->file, 0, size, &err);
	unlink(path);
	if (source->stream == NULL)
		abort();
}

static void
source_close(struct source *source)
{
	byte_stream_close(source->stream);
	input_file_close(source->file);
}

static bool
pass_over(const struct torch_file *file, const unsigned char *bytes, size_t size, size_t piece,
	struct kept *kept, struct error *err)
{
	struct torch_pass *pass = torch_pass_open(file, keep, kept, err);
	bool               done = pass != NULL;

	for (size_t at = 0; at < size && done; at += piece)
		done = torch_pass_feed(pass, bytes + at, size - at < piece ? size - at : piece, err);
	done = done && torch_pass_finish(pass, err);
	torch_pass_close(pass);
	return done;
}

/* ---- archives ----------------------------------------------------------------------- */

/* Inside a deflated member: what torch_file_open and the pass say, and, where that is "walk",
 * what follows from the directory. */
static const struct archive_row {
	const char *what;
	enum quirk  quirk;
	bool        inflates_twice;
	int         status;
	const char *slug;
	int         indexed_status;
	const char *indexed_slug;       /* NULL: any */
} archive_rows[] = {
	{ "as torch writes it",       NO_QUIRK,          false, 0, "", 0, "" },
	{ "with zip64 end record",    END64,             false, 0, "", 0, "" },
	{ "data.pkl last",            PICKLE_LAST,       true,  0, "", 0, "" },
	{ "data.pkl deflated",        PICKLE_DEFLATED,   true,  0, "", 0, "" },
	{ "storage deflated",         STORAGE_DEFLATED,  true,  0, "", 0, "" },
	{ "small storage deflated",   SMALL_DEFLATED,    false, 4, "walk", 0, "" },
	{ "sizes in headers",         SIZES_IN_HEADERS,  false, 0, "", 0, "" },
	{ "zip64 descriptors",        WIDE_DESCRIPTORS,  false, 0, "", 0, "" },
	{ "crc 0 everywhere",         NO_CHECKSUMS,      false, 0, "", 0, "" },
	{ "unknown record, sized",    UNKNOWN_SIZED,     false, 0, "", 0, "" },
	{ "unknown record, unsized",  UNKNOWN_UNSIZED,   false, 4, "walk", 0, "" },
	{ "empty storage",            EMPTY_STORAGE,     false, 0, "", 0, "" },
	{ "bit flipped",              BIT_FLIPPED,       false, 3, "bitflip", 3, "bitflip" },
	{ "8 KiB of zeros",           HOLE,              false, 3, "hole", 3, "hole" },
	{ "storage twice",            STORAGE_TWICE,     false, 5, "dup", 5, "dup" },
	{ "storage missing",          STORAGE_MISSING,   false, 3, "missingrec", 3, "missingrec" },
	{ "storage short",            STORAGE_SHORT,     false, 3, "recsize", 3, "recsize" },
	{ "storage long",             STORAGE_LONG,      false, 3, "recsize", 3, "recsize" },
	{ "no version",               VERSION_MISSING,   false, 3, "version", 3, "version" },
	{ "version 11",               VERSION_11,        false, 4, "version", 4, "version" },
	{ "byteorder big",            BIG_ENDIAN_RECORD, false, 4, "byteorder", 4, "byteorder" },
	{ "TorchScript",              SCRIPT,            false, 4, "torchscript", 4, "torchscript" },
	{ "two folders",              OTHER_FOLDER,      false, 4, "noroot", 4, "noroot" },
	{ "name with ..",             BAD_NAME,          false, 5, "badname", 5, "badname" },
	{ "entry: other name",        ENTRY_NAME,        false, 5, "lh", 5, NULL },
	{ "entry: other crc",         ENTRY_CRC,         false, 3, "dd", 3, NULL },
	{ "entry: other length",      ENTRY_LENGTH,      false, 3, "dd", 3, NULL },
	{ "entry missing",            ENTRY_MISSING,     false, 4, "walk", 5, NULL },
	{ "entries swapped",          ENTRIES_SWAPPED,   false, 4, "walk", 0, "" },
	{ "symbolic link",            SYMLINK,           false, 5, "symlinkentry", 5, NULL },
	{ "count wrong",              COUNT_WRONG,       false, 3, "cdbad", 3, NULL },
	{ "zip64 count wrong",        END64_WRONG,       false, 3, "cdbad", 3, NULL },
	{ "locator elsewhere",        LOCATOR_WRONG,     false, 5, "zip64elsewhere", 5, NULL },
	{ "comment",                  COMMENT,           false, 5, "comment", 5, NULL },
	{ "bytes after the end",      TRAILING,          false, 3, "trailing", 3, NULL },
	{ "end cut off",              CUT,               false, 3, "truncated", 3, NULL },
	{ "names differ in case",     CASE_TWICE,        false, 5, "casedup", 5, "casedup" },
};

static void
check_archive(const struct archive_row *row, const struct archive *a, bool is_indexed,
	bool is_deflated, size_t piece)
{
	static struct kept kept;
	unsigned char      expected[BIG];
	struct source      source;
	struct error       err = { 0 };
	struct torch_file *file;
	char               line[1024], name[128];
	int                status = is_indexed ? row->indexed_status : row->status;
	const char        *slug = is_indexed ? row->indexed_slug : row->slug;
	bool               done;

	snprintf(name, sizeof name, "%s (%s, pieces of %zu)", row->what,
		is_indexed ? "indexed" : "walked", piece);
	memset(&kept, 0, sizeof kept);
	fill(expected);
	source_open(&source, a->bytes, a->size, is_deflated);
	file = is_indexed ? torch_file_open_indexed(source.stream, ARENA_LIMIT, &err)
		: torch_file_open(source.stream, ARENA_LIMIT, &err);
	done = file != NULL && pass_over(file, a->bytes, a->size, piece, &kept, &err);
	error_line(&err, line, sizeof line);
	CHECK(done == (status == 0), "%s: %s", name, line);
	if (!done) {
		CHECK((int)err.kind == status, "%s: status %d: %s", name, (int)err.kind, line);
		if (slug != NULL)
			CHECK_TEXT(err.slug, slug, "%s: %s", name, line);
	} else {
		CHECK(memcmp(kept.big, expected, BIG) == 0, "%s", name);
		CHECK(row->quirk == EMPTY_STORAGE || memcmp(kept.small, "abcdef", 6) == 0, "%s",
			name);
		CHECK(torch_file_inflates_twice(file) == (is_deflated
			&& (is_indexed || row->inflates_twice)), "%s", name);
		CHECK(torch_file_has_checksums(file) == (row->quirk != NO_CHECKSUMS), "%s", name);
		CHECK(!is_indexed || torch_file_unused_bytes(file) ==
			(row->quirk == UNKNOWN_SIZED || row->quirk == UNKNOWN_UNSIZED ? 9 : 0), "%s",
			name);
	}
	torch_file_close(file);
	source_close(&source);
}

static void
check_archives(void)
{
	static const size_t   pieces[] = { 1, 7, 4096, (size_t)1 << 20 };
	static struct archive a;

	for (size_t i = 0; i < sizeof archive_rows / sizeof *archive_rows; i++) {
		make_archive(&a, archive_rows[i].quirk);
		for (size_t k = 0; k < sizeof pieces / sizeof *pieces; k++) {
			check_archive(&archive_rows[i], &a, false, true, pieces[k]);
			check_archive(&archive_rows[i], &a, true, true, pieces[k]);
			check_archive(&archive_rows[i], &a, true, false, pieces[k]);
		}
	}
}

/* The place of a hole is told to the byte. */
static void
check_hole_text(void)
{
	static struct archive a;
	struct source         source;
	struct error          err = { 0 };
	struct kept          *kept = calloc(1, sizeof *kept);
	struct torch_file    *file;
	char                  expected[64];

	make_archive(&a, HOLE);
	snprintf(expected, sizeof expected, "bytes %zu-%zu are all zero",
		(a.records[1].offset + 36) / 4096 * 4096 + 8192,
		(a.records[1].offset + 36) / 4096 * 4096 + 16383);
	source_open(&source, a.bytes, a.size, false);
	file = torch_file_open(source.stream, ARENA_LIMIT, &err);
	CHECK(file != NULL && !pass_over(file, a.bytes, a.size, 1000, kept, &err), "hole");
	CHECK(strstr(err.text, expected) != NULL, "'%s' in '%s'", expected, err.text);
	CHECK_TEXT(err.member, "a/data/0", "hole");
	torch_file_close(file);
	source_close(&source);
	free(kept);
}

/* Fewer, more or other bytes than at open. */
static void
check_changing(void)
{
	static struct archive a;
	struct source         source;
	struct error          err = { 0 };
	struct kept          *kept = calloc(1, sizeof *kept);
	struct torch_file    *file;

	make_archive(&a, NO_QUIRK);
	source_open(&source, a.bytes, a.size, true);
	file = torch_file_open(source.stream, ARENA_LIMIT, &err);
	CHECK(file != NULL, "%s", err.text);
	if (file == NULL)
		abort();
	CHECK(!pass_over(file, a.bytes, a.size - 1, 100, kept, &err), "one byte less");
	CHECK_TEXT(err.slug, "changing", "one byte less");
	CHECK(!pass_over(file, a.bytes, a.size + 1, 100, kept, &err), "one byte more");
	CHECK_TEXT(err.slug, "changing", "one byte more");
	a.bytes[45] ^= 1;
	CHECK(!pass_over(file, a.bytes, a.size, 100, kept, &err), "other pickle");
	CHECK(err.kind == ERROR_CORRUPT, "other pickle: %s", err.text);
	torch_file_close(file);
	source_close(&source);
	free(kept);
}

/* ---- tables ------------------------------------------------------------------------- */

static void
check_dtypes(void)
{
	static const struct {
		const char *storage, *name, *safetensors;
		size_t      size;
		int         is_weight;
	} rows[] = {
		{ "HalfStorage", "float16", "F16", 2, 1 },
		{ "BFloat16Storage", "bfloat16", "BF16", 2, 1 },
		{ "FloatStorage", "float32", "F32", 4, 1 },
		{ "DoubleStorage", "float64", "F64", 8, 1 },
		{ "CharStorage", "int8", "I8", 1, 0 },
		{ "ByteStorage", "uint8", "U8", 1, 0 },
		{ "ShortStorage", "int16", "I16", 2, 0 },
		{ "IntStorage", "int32", "I32", 4, 0 },
		{ "LongStorage", "int64", "I64", 8, 0 },
		{ "BoolStorage", "bool", "BOOL", 1, 0 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		enum dtype dtype = dtype_of_storage(rows[i].storage);

		CHECK_TEXT(dtype_name(dtype), rows[i].name, "%s", rows[i].storage);
		CHECK_TEXT(dtype_safetensors_name(dtype), rows[i].safetensors, "%s",
			rows[i].storage);
		CHECK(dtype_size(dtype) == rows[i].size, "%s", rows[i].storage);
		CHECK(dtype_of_name(rows[i].name) == dtype, "%s", rows[i].name);
		CHECK(dtype_of_safetensors_name(rows[i].safetensors) == dtype, "%s",
			rows[i].name);
		CHECK(!dtype_is_weight(dtype) == !rows[i].is_weight, "%s", rows[i].name);
	}
	CHECK(dtype_of_name("half") == DTYPE_FLOAT16, "half");
	CHECK(dtype_of_name("uint16") == DTYPE_UNKNOWN, "uint16");
	CHECK(dtype_of_name("") == DTYPE_UNKNOWN, "empty name");
	CHECK(dtype_of_safetensors_name("f32") == DTYPE_UNKNOWN, "f32");
	CHECK(dtype_of_storage("UntypedStorage") == DTYPE_UINT8, "untyped");
}

static void
check_views(void)
{
	static const struct {
		struct tensor_view view;
		uint64_t           storage_count;
		const char        *slug;        /* "": valid */
		bool               is_contiguous;
	} rows[] = {
		{ { 0, DTYPE_FLOAT32, 0, 0, { 0 }, { 0 } },                 1, "", true },
		{ { 0, DTYPE_FLOAT32, 0, 1, { 0 }, { 0 } },                 1, "extent", true },
		{ { 0, DTYPE_FLOAT16, 2, 0, { 2, 3 }, { 3, 1 } },           6, "", true },
		{ { 0, DTYPE_FLOAT16, 2, 0, { 2, 3 }, { 1, 2 } },           6, "", false },
		{ { 0, DTYPE_FLOAT16, 2, 0, { 2, 3 }, { 3, 1 } },           5, "extent", true },
		{ { 0, DTYPE_FLOAT16, 2, 1, { 2, 3 }, { 3, 1 } },           6, "extent", true },
		{ { 0, DTYPE_FLOAT16, 3, 0, { 2, 1, 3 }, { 3, 99, 1 } },    6, "", true },
		{ { 0, DTYPE_FLOAT16, 2, 0, { 2, 3 }, { 4, 1 } },           7, "", false },
		{ { 0, DTYPE_FLOAT16, 2, 7, { 0, 3 }, { 3, 1 } },           0, "", true },
		{ { 0, DTYPE_FLOAT16, 1, 0, { 65536 }, { 0 } },             1, "", false },
		{ { 0, DTYPE_FLOAT16, 1, 0, { 65537 }, { 0 } },             1, "stride", false },
		{ { 0, DTYPE_FLOAT16, 2, 0, { 16, 65536 }, { 0, 1 } },  65536, "", false },
		{ { 0, DTYPE_FLOAT16, 2, 0, { 17, 65536 }, { 0, 1 } },  65536, "stride", false },
		{ { 0, DTYPE_FLOAT16, 2, 0, { UINT64_C(1) << 32, UINT64_C(1) << 32 }, { 0, 0 } },
			6, "overflow", true },
		{ { 0, DTYPE_FLOAT64, 1, 0, { UINT64_C(1) << 61 }, { 0 } }, 6, "overflow", false },
		{ { 0, DTYPE_FLOAT32, 1, 0, { 3 }, { INT64_MAX } },         6, "extent", false },
		{ { 0, DTYPE_FLOAT32, 2, INT64_MAX, { 2, 2 }, { INT64_MAX, INT64_MAX } }, 6,
			"overflow", false },
		{ { 0, DTYPE_FLOAT32, 9, 0, { 1 }, { 1 } },                 6, "dims", true },
	};
	char shape[64];

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct error err = { 0 };
		bool         done = tensor_view_check(&rows[i].view, rows[i].storage_count, &err);

		CHECK(done == (rows[i].slug[0] == '\0'), "row %zu: %s", i, err.text);
		CHECK_TEXT(err.slug, rows[i].slug, "row %zu", i);
		if (rows[i].view.rank <= TENSOR_MAX_RANK && strcmp(rows[i].slug, "overflow") != 0)
			CHECK(tensor_view_is_contiguous(&rows[i].view) == rows[i].is_contiguous,
				"row %zu", i);
	}
	CHECK_TEXT(tensor_view_shape_text(&rows[6].view, shape, sizeof shape), "[2, 1, 3]",
		"shape");
	CHECK_TEXT(tensor_view_shape_text(&rows[0].view, shape, sizeof shape), "[]", "shape");
}

int
main(void)
{
	check_dtypes();
	check_views();
	check_archives();
	check_hole_text();
	check_changing();
	return check_end("torch_pass");
}
