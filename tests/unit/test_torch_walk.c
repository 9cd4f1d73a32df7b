/*
 * A zip inside a deflated member is walked front to back and judged without a look at its end:
 * one wrong field at a time, in every structure that the walk meets.  The second reader, which
 * goes by the directory, must refuse the same archives; only where the walk says "walk", and
 * leaves it to that reader, may the two differ.
 */
#include "check.h"
#include "memory_file.h"
#include "torch/torch_directory.h"
#include "torch/torch_file.h"
#include "torch/torch_pass.h"
#include "zip_edits.h"

#include <zlib.h>

#define ARENA_LIMIT ((size_t)32 << 20)

/* ---- archives ----------------------------------------------------------------------- */

#define PICKLE "\x80\2ctorch._utils\n_rebuild_tensor_v2\n((Vstorage\nctorch\nFloatStorage\nV0\n" \
	"Vcpu\nI4\ntQI0\n(I4\nt(I1\ntI00\n}tR."
#define STORED(name, data) { name, data, sizeof(data) - 1, 0, 0, 0 }
/* Records 0, 1, 2, 3; their entries take 222 bytes, and the last name ends at 55 of its entry. */
#define RECORD_0 STORED("r/data.pkl", PICKLE)
#define RECORD_1 STORED("r/data/0", "0123456789abcdef")
#define RECORD_2 STORED("r/byteorder", "little")
#define RECORD_3 STORED("r/version", "3\n")
#define ENTRIES  222
#define ZEROS26  "\0\0\0\0\0\0\0\0\0\0\0\0\0" "\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define ZEROS52  ZEROS26 ZEROS26
#define LAST_EXTRA(bytes) INSERT(CENTRAL, 3, 55, bytes), PUT(CENTRAL, 3, 30, 2, sizeof(bytes) - 1), \
	PUT(TAIL, 0, -22 + 12, 4, ENTRIES + sizeof(bytes) - 1)

struct row {
	const char     *what;
	enum error_kind kind;
	const char     *slug, *text;
	enum zip_style  style;
	struct edit     edits[5];
};

#define GOOD                    ERROR_NONE, "", ""
#define CORRUPT(slug, text)     ERROR_CORRUPT, slug, text
#define UNSUPPORTED(slug, text) ERROR_UNSUPPORTED, slug, text
#define UNSAFE(slug, text)      ERROR_UNSAFE, slug, text
#define NOT_WALKED(text)        UNSUPPORTED("walk", text)
#define DISAGREE                CORRUPT("cdbad", "disagree with the directory")

static const struct row rows[] = {
	{ "as torch writes it", GOOD, STYLE_TORCH, { NO_EDIT } },
	{ "plain", GOOD, STYLE_PLAIN, { NO_EDIT } },
	{ "descriptors without signature", CORRUPT("dd", "data descriptor is missing"),
		STYLE_STREAMED, { NO_EDIT } },

	/* local headers */
	{ "no signature", CORRUPT("lh", "no zip record begins here"), STYLE_TORCH,
		{ PUT(LOCAL, 1, 0, 4, 0x12345678) } },
	{ "bytes between records", CORRUPT("lh", "no zip record begins here"), STYLE_PLAIN,
		{ INSERT(LOCAL, 1, 0, "abcd") } },
	{ "record in the directory", CORRUPT("lh", "no zip record begins here"), STYLE_TORCH,
		{ PUT(CENTRAL, 1, 0, 4, 0x04034b50) } },
	{ "extra field too long", CORRUPT("lh", "damaged local header"), STYLE_TORCH,
		{ PUT(LOCAL, 1, 40, 2, 0xffff) } },
	{ "empty name", UNSAFE("badname", "empty name"), STYLE_PLAIN,
		{ PUT(LOCAL, 2, 26, 2, 0), PUT(CENTRAL, 2, 28, 2, 0) } },
	{ "backslash", UNSAFE("badname", "has a backslash"), STYLE_TORCH,
		{ PUT(LOCAL, 1, 36, 1, '\\'), PUT(CENTRAL, 1, 52, 1, '\\') } },
	{ "control character", UNSAFE("badname", "has a control character"), STYLE_TORCH,
		{ PUT(LOCAL, 1, 37, 1, '\n'), PUT(CENTRAL, 1, 53, 1, '\n') } },
	{ "not UTF-8", UNSAFE("badname", "is not UTF-8"), STYLE_TORCH,
		{ PUT(LOCAL, 1, 37, 1, 0xff), PUT(CENTRAL, 1, 53, 1, 0xff) } },
	{ "a directory", NOT_WALKED("is a directory"), STYLE_TORCH,
		{ PUT(LOCAL, 2, 40, 1, '/'), PUT(CENTRAL, 2, 56, 1, '/') } },
	{ "another folder", UNSUPPORTED("noroot", "more than one folder"), STYLE_TORCH,
		{ PUT(LOCAL, 2, 30, 1, 's'), PUT(CENTRAL, 2, 46, 1, 's') } },
	{ "a longer folder", UNSUPPORTED("noroot", "more than one folder"), STYLE_TORCH,
		{ PUT(LOCAL, 2, 31, 2, 0x2f72), PUT(CENTRAL, 2, 47, 2, 0x2f72) } },
	{ "encrypted", UNSUPPORTED("encflag", "r/data/0 is encrypted"), STYLE_TORCH,
		{ PUT(LOCAL, 1, 6, 2, 0x0809), PUT(CENTRAL, 1, 8, 2, 0x0809) } },
	{ "a flag for compressors", NOT_WALKED("is compressed"), STYLE_TORCH,
		{ PUT(LOCAL, 1, 6, 2, 0x080a), PUT(CENTRAL, 1, 8, 2, 0x080a) } },
	{ "storage short in its header", CORRUPT("recsize", "holds 15 bytes, 16 are needed"),
		STYLE_PLAIN, { PUT(LOCAL, 1, 22, 4, 15) } },
	{ "storage short to be stored", CORRUPT("dd", "15 bytes, 16 were expected"),
		STYLE_PLAIN, { PUT(LOCAL, 1, 18, 4, 15) } },
	{ "small record of 5,000 bytes", ERROR_LIMIT, "recsize", "5000 bytes (limit 4096)",
		STYLE_PLAIN, { PUT(LOCAL, 2, 18, 8, 5000 | (uint64_t)5000 << 32) } },
	{ "checksum of a storage", CORRUPT("bitflip", "CRC-32 mismatch (stored 00000007, "),
		STYLE_PLAIN, { PUT(LOCAL, 1, 14, 4, 7), PUT(CENTRAL, 1, 16, 4, 7) } },
	{ "checksum of a small record", CORRUPT("bitflip", "CRC-32 mismatch (stored 00000007, "),
		STYLE_PLAIN, { PUT(LOCAL, 2, 14, 4, 7), PUT(CENTRAL, 2, 16, 4, 7) } },
	{ "no checksum of a small record", GOOD, STYLE_PLAIN,
		{ PUT(LOCAL, 2, 14, 4, 0), PUT(CENTRAL, 2, 16, 4, 0) } },

	/* descriptors */
	{ "no descriptor", CORRUPT("recsize", "must have 16 bytes, but no data descriptor"),
		STYLE_TORCH, { PUT(DESCRIPTOR, 1, 0, 4, 0) } },
	{ "length to be stored", CORRUPT("dd", "15 bytes"), STYLE_TORCH,
		{ PUT(DESCRIPTOR, 1, 8, 4, 15) } },
	{ "length", CORRUPT("dd", "15 bytes, 16 were expected"), STYLE_TORCH,
		{ PUT(DESCRIPTOR, 1, 12, 4, 15) } },
	{ "checksum in the descriptor", CORRUPT("bitflip", "CRC-32 mismatch"), STYLE_TORCH,
		{ PUT(DESCRIPTOR, 1, 4, 4, 15) } },
	{ "length of a small record", CORRUPT("dd", "r/byteorder"), STYLE_TORCH,
		{ PUT(DESCRIPTOR, 2, 12, 4, 7) } },
	{ "checksum of the last record", CORRUPT("truncated", "zip end record missing"),
		STYLE_TORCH, { PUT(DESCRIPTOR, 3, 4, 4, 15) } },

	/* the first record, which decides whether there is a walk at all */
	{ "header longer than the file", CORRUPT("lh", "no local header"), STYLE_TORCH,
		{ PUT(LOCAL, 0, 28, 2, 0xffff) } },
	{ "name without a folder", UNSAFE("badname", "an absolute path"), STYLE_TORCH,
		{ PUT(LOCAL, 0, 30, 1, '/'), PUT(CENTRAL, 0, 46, 1, '/') } },
	{ "pickle with a large length", CORRUPT("lh", "size 1073741824"), STYLE_PLAIN,
		{ PUT(LOCAL, 0, 22, 4, 1 << 30) } },
	{ "checksum of the pickle", CORRUPT("dd", "data descriptor"), STYLE_TORCH,
		{ PUT(DESCRIPTOR, 0, 4, 4, 7) } },
	{ "stored length of the pickle", CORRUPT("dd", "data descriptor"), STYLE_TORCH,
		{ PUT(DESCRIPTOR, 0, 8, 4, 7) } },
	{ "length of the pickle", CORRUPT("dd", "data descriptor"), STYLE_TORCH,
		{ PUT(DESCRIPTOR, 0, 12, 4, 7) } },

	/* what records hold */
	{ "version 11", UNSUPPORTED("version", "newer than supported"), STYLE_PLAIN,
		{ PUT(DATA, 3, 0, 2, 0x3131), PUT(LOCAL, 3, 14, 4, 0), PUT(CENTRAL, 3, 16, 4, 0) } },
	{ "version 0", CORRUPT("version", "version 0 does not exist"), STYLE_PLAIN,
		{ PUT(DATA, 3, 0, 1, '0'), PUT(LOCAL, 3, 14, 4, 0), PUT(CENTRAL, 3, 16, 4, 0) } },
	{ "middle-endian", CORRUPT("byteorder", "'liddle'"), STYLE_PLAIN,
		{ PUT(DATA, 2, 2, 2, 0x6464), PUT(LOCAL, 2, 14, 4, 0), PUT(CENTRAL, 2, 16, 4, 0) } },

	/* entries of the directory */
	{ "entry of another name", UNSAFE("lh", "disagrees with the directory: name"), STYLE_TORCH,
		{ PUT(CENTRAL, 1, 53, 1, '7') } },
	{ "entry without a name", UNSAFE("lh", "disagrees with the directory: name"), STYLE_TORCH,
		{ PUT(CENTRAL, 1, 28, 2, 0) } },
	{ "entry with other flags", CORRUPT("lh", "flags or method"), STYLE_TORCH,
		{ PUT(CENTRAL, 1, 8, 2, 0x0800) } },
	{ "entry with another method", CORRUPT("lh", "flags or method"), STYLE_TORCH,
		{ PUT(CENTRAL, 1, 10, 2, 8) } },
	{ "entry with another checksum", CORRUPT("dd", "CRC-32"), STYLE_TORCH,
		{ PUT(CENTRAL, 1, 16, 4, 7) } },
	{ "entry with another stored length", CORRUPT("dd", "r/data/0 has 16 bytes"), STYLE_TORCH,
		{ PUT(CENTRAL, 1, 20, 4, 7) } },
	{ "entry with another length", CORRUPT("dd", "the directory says 7"), STYLE_TORCH,
		{ PUT(CENTRAL, 1, 24, 4, 7) } },
	{ "entry on another disk", UNSUPPORTED("multidisk", "multi-volume"), STYLE_TORCH,
		{ PUT(CENTRAL, 1, 34, 2, 1) } },
	{ "a link", UNSAFE("symlinkentry", "symbolic link"), STYLE_TORCH,
		{ PUT(CENTRAL, 1, 38, 4, 0xa1ff0000) } },
	{ "a link on Unix", UNSAFE("symlinkentry", "symbolic link"), STYLE_TORCH,
		{ PUT(CENTRAL, 1, 38, 4, 0xa1ff0000), PUT(CENTRAL, 1, 5, 1, 3) } },
	{ "a regular file", GOOD, STYLE_TORCH, { PUT(CENTRAL, 1, 38, 4, 0x81a40000) } },
	{ "entry elsewhere", NOT_WALKED("another order"), STYLE_TORCH,
		{ PUT(CENTRAL, 1, 42, 4, 0) } },
	{ "entry repeated", CORRUPT("countbad", "more than the 4 records"), STYLE_PLAIN,
		{ INSERT(END, 0, 0, "PK\1\2" ZEROS26 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0") } },
	{ "entry missing", CORRUPT("countbad", "lists 3 entries, the archive has 4 records"),
		STYLE_PLAIN, { PUT(CENTRAL, 3, 0, 4, 0x06054b50) } },
	{ "comment of an entry", GOOD, STYLE_PLAIN, { INSERT(CENTRAL, 3, 55, "xyz"),
		PUT(CENTRAL, 3, 32, 2, 3), PUT(TAIL, 0, -22 + 12, 4, ENTRIES + 3) } },

	/* 64-bit numbers of an entry */
	{ "length in an extra field", GOOD, STYLE_PLAIN,
		{ LAST_EXTRA("\1\0\10\0\2\0\0\0\0\0\0\0"), PUT(CENTRAL, 3, 24, 4, 0xffffffff) } },
	{ "both lengths there", GOOD, STYLE_PLAIN,
		{ LAST_EXTRA("\1\0\20\0\2\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0"),
		PUT(CENTRAL, 3, 20, 8, UINT64_MAX) } },
	{ "behind another extra field", GOOD, STYLE_PLAIN,
		{ LAST_EXTRA("FB\1\0Z\1\0\10\0\2\0\0\0\0\0\0\0"), PUT(CENTRAL, 3, 24, 4, 0xffffffff) } },
	{ "both lengths there, one of them twice", GOOD, STYLE_PLAIN,
		{ LAST_EXTRA("\1\0\20\0\2\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0"),
		PUT(CENTRAL, 3, 24, 4, 0xffffffff) } },
	{ "and another one", CORRUPT("zip64extra", "says something else"), STYLE_PLAIN,
		{ LAST_EXTRA("\1\0\20\0\2\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0"),
		PUT(CENTRAL, 3, 24, 4, 0xffffffff) } },
	{ "length in an extra field, wrong", CORRUPT("dd", "the directory says 3"), STYLE_PLAIN,
		{ LAST_EXTRA("\1\0\10\0\3\0\0\0\0\0\0\0"), PUT(CENTRAL, 3, 24, 4, 0xffffffff) } },
	{ "no extra field", CORRUPT("zip64extra", "zip64 field is missing"), STYLE_PLAIN,
		{ PUT(CENTRAL, 3, 24, 4, 0xffffffff) } },
	{ "half a number", CORRUPT("zip64extra", "too short"), STYLE_PLAIN,
		{ LAST_EXTRA("\1\0\4\0\2\0\0\0"), PUT(CENTRAL, 3, 24, 4, 0xffffffff) } },
	{ "extra field of another length", CORRUPT("zip64extra", "are damaged"), STYLE_PLAIN,
		{ LAST_EXTRA("\1\0\11\0\2\0\0\0\0\0\0\0"), PUT(CENTRAL, 3, 24, 4, 0xffffffff) } },
	{ "a second name", UNSAFE("badname", "another name in an extra field"), STYLE_PLAIN,
		/* CRC-32 of "r/version" by Python's zlib.crc32 */
		{ LAST_EXTRA("\x75\x70\x0c\0\1\xba\x83\x7a\x3a" "r/evil!") } },

	/* end records */
	{ "64-bit record before entries", DISAGREE, STYLE_TORCH,
		{ PUT(CENTRAL, 0, 0, 4, 0x06064b50) } },
	{ "64-bit record twice", DISAGREE, STYLE_TORCH, { INSERT(LOCATOR, 0, 0, "PK\6\6" ZEROS52) } },
	{ "64-bit record of another length", DISAGREE, STYLE_TORCH, { PUT(ZIP64, 0, 4, 8, 45) } },
	{ "64-bit record on disk 1", DISAGREE, STYLE_TORCH, { PUT(ZIP64, 0, 16, 4, 1) } },
	{ "directory on disk 1", DISAGREE, STYLE_TORCH, { PUT(ZIP64, 0, 20, 4, 1) } },
	{ "64-bit count on this disk", DISAGREE, STYLE_TORCH, { PUT(ZIP64, 0, 24, 8, 3) } },
	{ "64-bit count", DISAGREE, STYLE_TORCH, { PUT(ZIP64, 0, 32, 8, 3) } },
	{ "64-bit size of the directory", DISAGREE, STYLE_TORCH, { PUT(ZIP64, 0, 40, 8, 3) } },
	{ "64-bit offset of the directory", DISAGREE, STYLE_TORCH, { PUT(ZIP64, 0, 48, 8, 3) } },
	{ "locator elsewhere", UNSAFE("zip64elsewhere", "found 17"), STYLE_TORCH,
		{ PUT(LOCATOR, 0, 8, 8, 17) } },
	{ "locator twice", UNSAFE("zip64elsewhere", "not where it must be"), STYLE_TORCH,
		{ INSERT(END, 0, 0, "PK\6\7\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0") } },
	{ "locator without a record", UNSAFE("zip64elsewhere", "not where it must be"), STYLE_PLAIN,
		{ INSERT(END, 0, 0, "PK\6\7\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0") } },
	{ "no locator", DISAGREE, STYLE_TORCH, { PUT(LOCATOR, 0, 0, 4, 0x06054b50) } },
	{ "comment", UNSAFE("comment", "archive comment of 2 bytes"), STYLE_TORCH,
		{ PUT(END, 0, 20, 2, 2), INSERT(TAIL, 0, 0, "xy") } },
	{ "end record on disk 1", UNSUPPORTED("multidisk", "multi-volume"), STYLE_PLAIN,
		{ PUT(END, 0, 4, 2, 1) } },
	{ "entries on disk 1", UNSUPPORTED("multidisk", "multi-volume"), STYLE_PLAIN,
		{ PUT(END, 0, 6, 2, 1) } },
	{ "count on this disk", DISAGREE, STYLE_PLAIN, { PUT(END, 0, 8, 2, 3) } },
	{ "count", DISAGREE, STYLE_PLAIN, { PUT(END, 0, 10, 2, 3) } },
	{ "size of the directory", DISAGREE, STYLE_PLAIN, { PUT(END, 0, 12, 4, 3) } },
	{ "offset of the directory", DISAGREE, STYLE_PLAIN, { PUT(END, 0, 16, 4, 3) } },
	{ "marks for 64-bit numbers", GOOD, STYLE_TORCH, { PUT(END, 0, 8, 4, 0xffffffff),
		PUT(END, 0, 12, 8, UINT64_MAX) } },
	{ "marks without 64-bit numbers", DISAGREE, STYLE_PLAIN, { PUT(END, 0, 8, 4, 0xffffffff),
		PUT(END, 0, 12, 8, UINT64_MAX) } },
	{ "another 64-bit count", UNSAFE("zip64disagree", "disagree"), STYLE_TORCH,
		{ PUT(END, 0, 8, 4, 0x00030003) } },
	{ "another 64-bit offset", UNSAFE("zip64disagree", "disagree"), STYLE_TORCH,
		{ PUT(END, 0, 16, 4, 7) } },
	{ "bytes behind the end", CORRUPT("trailing", "after the end of the archive"), STYLE_TORCH,
		{ INSERT(TAIL, 0, 0, "xyz") } },
};

/* ---- reading ------------------------------------------------------------------------ */

static struct zip_builder
pack(const struct zip_builder *zip)
{
	struct zip_builder packed = { .room = zip->length + 1000 };
	z_stream           z = { .next_in = zip->bytes, .avail_in = (uInt)zip->length };

	memory_file_must((packed.bytes = malloc(packed.room)) != NULL, "memory");
	z.next_out = packed.bytes;
	z.avail_out = (uInt)packed.room;
	deflateInit2(&z, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
	deflate(&z, Z_FINISH);
	packed.length = z.total_out;
	deflateEnd(&z);
	return packed;
}

static bool
pass_over(const struct torch_file *torch, const struct zip_builder *zip, size_t piece,
	struct error *err)
{
	struct torch_pass *pass = torch_pass_open(torch, NULL, NULL, err);
	bool               done = pass != NULL;

	for (size_t at = 0; at < zip->length && done; at += piece)
		done = torch_pass_feed(pass, zip->bytes + at,
			zip->length - at < piece ? zip->length - at : piece, err);
	done = done && torch_pass_finish(pass, err);
	torch_pass_close(pass);
	return done;
}

static bool
read_zip(const struct zip_builder *zip, bool is_indexed, size_t piece, struct error *err)
{
	struct zip_builder  packed = pack(zip);
	struct input_file  *file = memory_file_open(packed.bytes, packed.length);
	struct byte_stream *stream = byte_stream_open_deflated(file, 0, packed.length, zip->length,
		err);
	struct torch_file  *torch = is_indexed ? torch_file_open_indexed(stream, ARENA_LIMIT, err)
		: torch_file_open(stream, ARENA_LIMIT, err);
	bool                done = torch != NULL && pass_over(torch, zip, piece, err);

	torch_file_close(torch);
	byte_stream_close(stream);
	input_file_close(file);
	builder_free(&packed);
	return done;
}

static void
check_zip(const struct row *row, const struct zip_builder *zip)
{
	static const size_t pieces[] = { 1, 7, 1 << 20 };
	struct error        indexed = { 0 };

	for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
		struct error err = { 0 };
		bool         done = read_zip(zip, false, pieces[i], &err);

		CHECK(done == (row->kind == ERROR_NONE) && err.kind == row->kind,
			"%s (pieces of %zu): %d %s: %s", row->what, pieces[i], err.kind, err.slug,
			err.text);
		CHECK_TEXT(err.slug, row->slug, "%s (pieces of %zu): %s", row->what, pieces[i],
			err.text);
		CHECK(strstr(err.text, row->text) != NULL, "%s (pieces of %zu): '%s'", row->what,
			pieces[i], err.text);
	}
	read_zip(zip, true, 4096, &indexed);
	CHECK(strcmp(row->slug, "walk") == 0
		|| (indexed.kind == ERROR_NONE) == (row->kind == ERROR_NONE),
		"%s: by the directory: %s", row->what, indexed.text);
}

static void
check_rows(void)
{
	const struct zip_part parts[] = { RECORD_0, RECORD_1, RECORD_2, RECORD_3 };

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct zip_builder zip = builder_make(parts, 4, rows[i].style);

		for (size_t k = 0; k < sizeof rows[i].edits / sizeof *rows[i].edits; k++)
			edit_apply(&zip, &rows[i].edits[k]);
		check_zip(&rows[i], &zip);
		builder_free(&zip);
	}
}

/* ---- other records ------------------------------------------------------------------ */

static void
check_records(void)
{
	static char large[5000];
	static const struct {
		struct row      row;
		struct zip_part parts[6];
		size_t          count;
	} archives[] = {
		{ { "code", UNSUPPORTED("torchscript", "it holds code"), STYLE_TORCH, { NO_EDIT } },
			{ RECORD_0, RECORD_1, RECORD_3, STORED("r/code/x.py", "pass") }, 4 },
		{ { "version twice", UNSAFE("dup", "r/version appears twice"), STYLE_TORCH,
			{ NO_EDIT } }, { RECORD_0, RECORD_1, RECORD_3, RECORD_3 }, 4 },
		{ { "no version", CORRUPT("version", "r/version is missing"), STYLE_TORCH,
			{ NO_EDIT } }, { RECORD_0, RECORD_1, RECORD_2 }, 3 },
		{ { "new version", GOOD, STYLE_TORCH, { NO_EDIT } },
			{ RECORD_0, RECORD_1, STORED("r/.data/version", "6\n"),
			STORED("r/.format_version", "1"), STORED("r/.storage_alignment", "64") }, 5 },
		{ { "empty record", GOOD, STYLE_TORCH, { NO_EDIT } },
			{ RECORD_0, RECORD_1, RECORD_3, STORED("r/.format_version", "") }, 4 },
		{ { "empty version", CORRUPT("version", "the version record is empty"), STYLE_PLAIN,
			{ NO_EDIT } }, { RECORD_0, RECORD_1, STORED("r/version", "") }, 3 },
		{ { "empty record with a checksum", CORRUPT("bitflip", "(stored 00000007, computed "
			"00000000)"), STYLE_PLAIN, { PUT(LOCAL, 3, 14, 4, 7),
			PUT(CENTRAL, 3, 16, 4, 7) } },
			{ RECORD_0, RECORD_1, RECORD_3, STORED("r/.format_version", "") }, 4 },
		{ { "what looks like a descriptor", GOOD, STYLE_TORCH, { NO_EDIT } },
			{ RECORD_0, RECORD_1, RECORD_3, STORED("r/.format_version",
			"abcdPK\7\10\1\2\3\4\4\0\0\0\5\0\0\0") }, 4 },
		{ { "no end within 4,096 bytes", NOT_WALKED("no end is to be seen"), STYLE_TORCH,
			{ NO_EDIT } }, { RECORD_0, RECORD_1, RECORD_3,
			{ "r/.data/serialization_id", large, sizeof large, 0, 0, 0 } }, 4 },
		{ { "pickle last", GOOD, STYLE_TORCH, { NO_EDIT } },
			{ RECORD_3, RECORD_1, RECORD_0 }, 3 },
	};

	for (size_t i = 0; i < sizeof archives / sizeof *archives; i++) {
		struct zip_builder zip = builder_make(archives[i].parts, archives[i].count,
			archives[i].row.style);

		for (size_t k = 0; k < 5; k++)
			edit_apply(&zip, &archives[i].row.edits[k]);
		check_zip(&archives[i].row, &zip);
		builder_free(&zip);
	}
}

/* Cut inside what follows the pickle. */
static void
check_cuts(void)
{
	static const struct row   row = { "cut", CORRUPT("truncated", "zip end record missing"),
		STYLE_TORCH, { NO_EDIT } };
	const struct zip_part     parts[] = { RECORD_0, RECORD_1, RECORD_2, RECORD_3 };
	struct zip_builder        zip = builder_make(parts, 4, STYLE_TORCH);

	for (zip.length -= 1; zip.length >= zip.descriptor[0]; zip.length--)
		check_zip(&row, &zip);
	builder_free(&zip);
}

/* ---- deflated records --------------------------------------------------------------- */

#define BLOCK "\1\x10\0\xef\xff"      /* the last block: 16 bytes as they are */
#define CRC   0x68c4f033                /* of these, by Python's zlib.crc32 */

/* Such a zip is not walked; what its records expand to is judged by the pass. */
static void
check_deflated(void)
{
	static const struct {
		const char     *what, *data;
		size_t          count;
		uint64_t        length;
		uint32_t        crc;
		enum error_kind kind;
		const char     *slug, *text;
	} records[] = {
		{ "as declared", BLOCK "0123456789abcdef", 21, 16, CRC, GOOD },
		{ "byte behind it", BLOCK "0123456789abcdefx", 22, 16, CRC, CORRUPT("deflbad",
			"bytes after the end of the compressed data") },
		{ "block behind it", BLOCK "0123456789abcdef\1\0\0\xff\xff", 26, 16, CRC,
			CORRUPT("deflbad", "bytes after the end of the compressed data") },
		{ "one byte more", "\1\x11\0\xee\xff" "0123456789abcdefx", 22, 16, CRC,
			UNSAFE("defllong", "beyond its declared 16 bytes") },
		{ "one byte less", "\1\x0f\0\xf0\xff" "0123456789abcde", 20, 16, CRC,
			CORRUPT("deflshort", "expands to 15 bytes, 16 declared") },
		{ "no last block", "\0\x10\0\xef\xff" "0123456789abcdef", 21, 16, CRC,
			CORRUPT("deflshort", "has no end") },
		{ "no block", "\7" BLOCK "0123456789abcdef", 22, 16, CRC, CORRUPT("deflbad",
			"damaged compressed data") },
		{ "other bytes", BLOCK "0123456789abcdeF", 21, 16, CRC, CORRUPT("bitflip",
			"CRC-32 mismatch (stored 68c4f033") },
	};
	static const size_t pieces[] = { 1, 7, 1 << 20 };

	for (size_t i = 0; i < sizeof records / sizeof *records; i++) {
		const struct zip_part parts[] = { RECORD_0, { "r/data/0", records[i].data, records[i].count,
			8, records[i].length, records[i].crc }, RECORD_3 };
		struct zip_builder    zip = builder_make(parts, 3, STYLE_TORCH);

		for (size_t k = 0; k < sizeof pieces / sizeof *pieces; k++) {
			struct error err = { 0 };

			read_zip(&zip, true, pieces[k], &err);
			CHECK(err.kind == records[i].kind && strstr(err.text, records[i].text) != NULL,
				"%s (pieces of %zu): %d: %s", records[i].what, pieces[k], err.kind,
				err.text);
			CHECK_TEXT(err.slug, records[i].slug, "%s", records[i].what);
		}
		builder_free(&zip);
	}
}

/* ---- limits ------------------------------------------------------------------------- */

static void
check_most_records(void)
{
	struct error            err = { 0 };
	struct torch_directory *directory = torch_directory_open(&err);
	struct zip_local_header header = { .name = "r/x", .name_length = 3 };
	unsigned                count = 0;

	memory_file_must(directory != NULL, err.text);
	while (count <= 1000000 && torch_directory_note(directory, &header, count * 33, 0, 0, &err))
		count++;
	CHECK(count == 1000000 && err.kind == ERROR_LIMIT, "%u records: %s", count, err.text);
	CHECK_TEXT(err.slug, "manynames", "%s", err.text);
	torch_directory_close(directory);
}

int
main(void)
{
	check_rows();
	check_records();
	check_cuts();
	check_deflated();
	check_most_records();
	return check_end("torch_walk");
}
