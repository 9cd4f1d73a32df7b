#include "container/zip_archive.h"

#include "check.h"
#include "memory_file.h"
#include "zip_bases.h"
#include "zip_edits.h"

/* ---- one field wrong ---------------------------------------------------------------- */

#define BYTES64 "TTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTT"
/* An extra field of a directory entry needs the directory to say that it grew. */
#define ZIP64_EXTRA(bytes) INSERT(CENTRAL, 0, 56, bytes)

struct row {
	const char     *slug;           /* "": opens, and every record reads */
	enum base       base;
	enum error_kind kind;
	const char     *text;           /* found in the message */
	struct edit     edits[4];
};

/* By the rows of the catalogue of bad input; each is tried with both rule sets. */
static const struct row rows[] = {
	{ "", BASE_TORCH, ERROR_NONE, "", { NO_EDIT } },
	{ "", BASE_PLAIN, ERROR_NONE, "", { NO_EDIT } },
	{ "", BASE_DEFLATED, ERROR_NONE, "", { NO_EDIT } },
	/* 26 to 32: what lies around the archive */
	{ "prefix", BASE_TORCH, ERROR_CORRUPT, "64 unexpected bytes before the first record",
		{ INSERT(START, 0, 0, BYTES64) } },
	{ "prefix", BASE_PLAIN, ERROR_CORRUPT, "64 unexpected bytes before the first record",
		{ INSERT(START, 0, 0, BYTES64) } },
	{ "zip64elsewhere", BASE_TORCH, ERROR_UNSAFE, "zip64 end record is not where it must be",
		{ PUT(LOCATOR, 0, 8, 8, 17) } },
	{ "zip64elsewhere", BASE_TORCH, ERROR_UNSAFE, "zip64 end record is not where it must be",
		{ PUT(LOCATOR, 0, 8, 8, UINT64_MAX) } },
	{ "zip64elsewhere", BASE_TORCH, ERROR_UNSAFE, "zip64 end record is not where it must be",
		{ INSERT(LOCATOR, 0, 0, BYTES64) } },
	{ "zip64elsewhere", BASE_TORCH, ERROR_UNSAFE, "zip64 end record is not where it must be",
		{ PUT(ZIP64, 0, 0, 4, 0) } },
	{ "cdbad", BASE_TORCH, ERROR_CORRUPT, "zip64 end record is 45 bytes long",
		{ PUT(ZIP64, 0, 4, 8, 45) } },
	{ "zip64disagree", BASE_TORCH, ERROR_UNSAFE, "disagree (count of entries)",
		{ PUT(END, 0, 8, 4, 0x00020002) } },
	{ "zip64disagree", BASE_TORCH, ERROR_UNSAFE, "disagree (size of the directory)",
		{ PUT(END, 0, 12, 4, 5) } },
	{ "zip64disagree", BASE_TORCH, ERROR_UNSAFE, "disagree (offset of the directory)",
		{ PUT(END, 0, 16, 4, 5) } },
	{ "", BASE_TORCH, ERROR_NONE, "",               /* "look in the zip64 record" */
		{ PUT(END, 0, 8, 4, 0xffffffff), PUT(END, 0, 12, 4, 0xffffffff),
		PUT(END, 0, 16, 4, 0xffffffff) } },
	{ "trailing", BASE_TORCH, ERROR_CORRUPT, "64 bytes after the end of the archive",
		{ INSERT(TAIL, 0, 0, BYTES64) } },
	{ "trailing", BASE_PLAIN, ERROR_CORRUPT, "3 bytes after the end of the archive",
		{ INSERT(TAIL, 0, 0, "\0\0\0") } },
	{ "gapcd", BASE_PLAIN, ERROR_UNSAFE, "64 bytes at offset 152 belong to no record",
		{ INSERT(CENTRAL, 0, 0, BYTES64), PUT(TAIL, 0, -22 + 16, 4, 152 + 64) } },
	{ "gapcd", BASE_PLAIN, ERROR_UNSAFE, "2 bytes at offset 55 belong to no record",
		/* the first record ends two bytes early, in the directory and in its header */
		{ PUT(CENTRAL, 0, 20, 8, 15 | (uint64_t)15 << 32),
		PUT(LOCAL, 0, 18, 8, 15 | (uint64_t)15 << 32), PUT(LOCAL, 0, 14, 4, 0),
		PUT(CENTRAL, 0, 16, 4, 0) } },
	/* bytes before the archive that all offsets know of */
	{ "prefix", BASE_DEFLATED, ERROR_CORRUPT, "64 unexpected bytes before the first record",
		{ PUT(CENTRAL, 0, 42, 4, 64), PUT(END, 0, 16, 4, 56 + 64),
		INSERT(START, 0, 0, BYTES64) } },
	{ "prefix", BASE_DEFLATED, ERROR_CORRUPT, "2 unexpected bytes before the first record",
		{ PUT(CENTRAL, 0, 42, 4, 2), PUT(END, 0, 16, 4, 56 + 2), INSERT(START, 0, 0, "xy") } },
	{ "concat", BASE_DEFLATED, ERROR_UNSAFE, "second archive starts at offset 4",
		{ PUT(CENTRAL, 0, 42, 4, 4), PUT(END, 0, 16, 4, 56 + 4),
		INSERT(START, 0, 0, "PK\3\4") } },
	{ "gapcd", BASE_PLAIN, ERROR_UNSAFE, "64 bytes at offset ",     /* behind the directory */
		{ INSERT(END, 0, 0, BYTES64) } },
	/* 33 to 35: the end records */
	{ "multidisk", BASE_TORCH, ERROR_UNSUPPORTED, "multi-volume", { PUT(END, 0, 4, 2, 1) } },
	{ "multidisk", BASE_PLAIN, ERROR_UNSUPPORTED, "multi-volume", { PUT(END, 0, 6, 2, 1) } },
	{ "multidisk", BASE_TORCH, ERROR_UNSUPPORTED, "multi-volume", { PUT(LOCATOR, 0, 4, 4, 1) } },
	{ "multidisk", BASE_TORCH, ERROR_UNSUPPORTED, "multi-volume", { PUT(LOCATOR, 0, 16, 4, 2) } },
	{ "multidisk", BASE_TORCH, ERROR_UNSUPPORTED, "multi-volume", { PUT(ZIP64, 0, 20, 4, 1) } },
	{ "multidisk", BASE_PLAIN, ERROR_UNSUPPORTED, "multi-volume", { PUT(CENTRAL, 1, 34, 2, 1) } },
	{ "countbad", BASE_PLAIN, ERROR_CORRUPT, "directory lists 3 entries, end record says 2",
		{ PUT(END, 0, 8, 4, 0x00020002) } },
	{ "countbad", BASE_PLAIN, ERROR_CORRUPT, "directory lists 3 entries, end record says 0",
		{ PUT(END, 0, 8, 4, 0) } },
	{ "countbad", BASE_DEFLATED, ERROR_CORRUPT, "end record says 2 entries, the directory",
		{ PUT(END, 0, 8, 4, 0x00020002) } },
	{ "countbad", BASE_PLAIN, ERROR_CORRUPT, "end record says 65535 entries, the directory",
		{ PUT(END, 0, 8, 4, 0xffffffff) } },
	{ "countbad", BASE_PLAIN, ERROR_CORRUPT, "2 entries on this disk and 3 in all",
		{ PUT(END, 0, 8, 2, 2) } },
	{ "countbad", BASE_TORCH, ERROR_CORRUPT, "2 entries on this disk and 3 in all",
		{ PUT(ZIP64, 0, 24, 8, 2) } },
	{ "countbad", BASE_TORCH, ERROR_CORRUPT, "end record says 18446744073709551615 entries",
		{ PUT(ZIP64, 0, 24, 8, UINT64_MAX), PUT(ZIP64, 0, 32, 8, UINT64_MAX),
		PUT(END, 0, 8, 4, 0xffffffff) } },
	{ "cdbad", BASE_PLAIN, ERROR_CORRUPT, "is outside the file", { PUT(END, 0, 16, 4, 1 << 30) } },
	{ "cdbad", BASE_PLAIN, ERROR_CORRUPT, "is outside the file", { PUT(END, 0, 12, 4, 1 << 30) } },
	{ "cdbad", BASE_TORCH, ERROR_CORRUPT, "is outside the file",
		{ PUT(ZIP64, 0, 48, 8, UINT64_MAX - 10), PUT(END, 0, 16, 4, 0xffffffff) } },
	{ "cdbad", BASE_PLAIN, ERROR_CORRUPT, "no central directory at offset",
		{ PUT(END, 0, 16, 4, 7) } },
	{ "cdbad", BASE_PLAIN, ERROR_CORRUPT, "no entry of the directory",
		{ PUT(CENTRAL, 1, 0, 4, 0) } },
	{ "cdbad", BASE_PLAIN, ERROR_CORRUPT, "no entry of the directory",
		{ PUT(CENTRAL, 2, 28, 2, 500) } },
	{ "cdbad", BASE_PLAIN, ERROR_CORRUPT, "no entry of the directory",
		{ PUT(CENTRAL, 2, 32, 2, 0xffff) } },
	/* 36, 37: overlap */
	{ "fulloverlap", BASE_PLAIN, ERROR_UNSAFE, "records r/data.pkl and r/data/0 overlap",
		{ PUT(CENTRAL, 1, 42, 4, 0) } },
	{ "quoted", BASE_PLAIN, ERROR_UNSAFE, "records r/data.pkl and r/data/0 overlap",
		{ PUT(CENTRAL, 1, 42, 4, 41) } },
	{ "quoted", BASE_PLAIN, ERROR_UNSAFE, "record r/version and the directory overlap",
		{ PUT(CENTRAL, 2, 20, 4, 3), PUT(CENTRAL, 2, 24, 4, 3) } },
	{ "quoted", BASE_PLAIN, ERROR_UNSAFE, "records r/data.pkl and r/data/0 overlap",
		/* by an extra field that only the local header has */
		{ PUT(LOCAL, 0, 28, 2, 8), PUT(DATA, 0, 0, 4, 0x00044646) } },
	{ "quoted", BASE_DEFLATED, ERROR_UNSAFE, "record r/data.pkl and the directory overlap",
		{ PUT(LOCAL, 0, 28, 2, 8), PUT(DATA, 0, 0, 4, 0x00044646) } },
	/* 39: local headers */
	{ "lh", BASE_TORCH, ERROR_CORRUPT, "no local header", { PUT(LOCAL, 1, 0, 4, 0) } },
	{ "lh", BASE_TORCH, ERROR_UNSAFE, "name r/data/9", { PUT(LOCAL, 1, 37, 1, '9') } },
	{ "lh", BASE_TORCH, ERROR_UNSAFE, "name r/data/", { PUT(LOCAL, 1, 37, 1, 0) } },
	{ "lh", BASE_TORCH, ERROR_CORRUPT, "method 8 vs 0", { PUT(LOCAL, 1, 8, 2, 8) } },
	{ "lh", BASE_TORCH, ERROR_CORRUPT, "flags 2056 vs 2048", { PUT(CENTRAL, 1, 8, 2, 0x800) } },
	{ "lh", BASE_PLAIN, ERROR_CORRUPT, "CRC-32 7 vs ", { PUT(LOCAL, 1, 14, 4, 7) } },
	{ "lh", BASE_PLAIN, ERROR_CORRUPT, "stored size 7 vs 16", { PUT(LOCAL, 1, 18, 4, 7) } },
	{ "lh", BASE_PLAIN, ERROR_CORRUPT, "size 7 vs 16", { PUT(LOCAL, 1, 22, 4, 7) } },
	{ "lh", BASE_PLAIN, ERROR_CORRUPT, "size 0 vs 16", { PUT(LOCAL, 1, 22, 4, 0) } },
	{ "lh", BASE_TORCH, ERROR_CORRUPT, "size 7 vs 16", { PUT(LOCAL, 1, 22, 4, 7) } },
	{ "lh", BASE_TORCH, ERROR_CORRUPT, "no local header", { PUT(LOCAL, 2, 28, 2, 0xffff) } },
	{ "lh", BASE_TORCH, ERROR_CORRUPT, "damaged local header", { PUT(LOCAL, 1, 40, 2, 0xffff) } },
	{ "lh", BASE_PLAIN, ERROR_CORRUPT, "damaged local header",
		{ PUT(LOCAL, 1, 18, 8, UINT64_MAX), PUT(LOCAL, 1, 28, 2, 4),
		PUT(DATA, 1, 0, 4, 1) } },
	/* 40: descriptors */
	{ "dd", BASE_TORCH, ERROR_CORRUPT, "data descriptor", { PUT(DESCRIPTOR, 1, 0, 4, 0) } },
	{ "dd", BASE_TORCH, ERROR_CORRUPT, "data descriptor", { PUT(DESCRIPTOR, 1, 4, 4, 0) } },
	{ "dd", BASE_TORCH, ERROR_CORRUPT, "data descriptor", { PUT(DESCRIPTOR, 1, 8, 4, 15) } },
	{ "dd", BASE_TORCH, ERROR_CORRUPT, "data descriptor", { PUT(DESCRIPTOR, 1, 12, 4, 15) } },
	{ "dd", BASE_PLAIN, ERROR_CORRUPT, "data descriptor",
		{ PUT(LOCAL, 2, 6, 2, 8), PUT(CENTRAL, 2, 8, 2, 8) } },
	/* 41, 46: flags and methods */
	{ "encflag", BASE_TORCH, ERROR_UNSUPPORTED, "is encrypted", { PUT(CENTRAL, 1, 8, 2, 0x809) } },
	{ "encflag", BASE_TORCH, ERROR_UNSUPPORTED, "is encrypted", { PUT(CENTRAL, 1, 8, 2, 0x848) } },
	{ "encflag", BASE_TORCH, ERROR_UNSUPPORTED, "is encrypted", { PUT(CENTRAL, 1, 8, 2, 0x2801) } },
	{ "encflag", BASE_TORCH, ERROR_UNSUPPORTED, "is encrypted", { PUT(CENTRAL, 1, 10, 2, 99) } },
	{ "encflag", BASE_TORCH, ERROR_UNSAFE, "claim a patch", { PUT(CENTRAL, 1, 8, 2, 0x828) } },
	{ "encflag", BASE_TORCH, ERROR_UNSAFE, "claim encryption", { PUT(CENTRAL, 1, 8, 2, 0x2808) } },
	{ "flags", BASE_TORCH, ERROR_UNSUPPORTED, "flags 0x8808", { PUT(CENTRAL, 1, 8, 2, 0x8808) } },
	{ "method", BASE_TORCH, ERROR_UNSUPPORTED, "compression method 12 (bzip2) is not supported",
		{ PUT(CENTRAL, 1, 10, 2, 12) } },
	{ "method", BASE_TORCH, ERROR_UNSUPPORTED, "compression method 93 (zstd) is not supported",
		{ PUT(CENTRAL, 1, 10, 2, 93) } },
	{ "method", BASE_TORCH, ERROR_UNSUPPORTED, "compression method 9 (deflate64) is not",
		{ PUT(CENTRAL, 1, 10, 2, 9) } },
	{ "method", BASE_TORCH, ERROR_UNSUPPORTED, "compression method 4660 (unknown) is not",
		{ PUT(CENTRAL, 1, 10, 2, 0x1234) } },
	/* 42 to 45: names (more of them below) */
	{ "dup", BASE_TORCH, ERROR_UNSAFE, "r/data/0 appears twice",
		{ PUT(CENTRAL, 2, 46, 8, 0x302f617461642f72), PUT(CENTRAL, 2, 28, 2, 8),
		PUT(CENTRAL, 2, 32, 2, 1) } },
	{ "casedup", BASE_TORCH, ERROR_UNSAFE, "r/data/0 and R/DATA/0 differ only in case",
		{ PUT(CENTRAL, 2, 46, 8, 0x302f415441442f52), PUT(CENTRAL, 2, 28, 2, 8),
		PUT(CENTRAL, 2, 32, 2, 1) } },
	{ "badname", BASE_TORCH, ERROR_UNSAFE, "climbs out of the archive",
		{ PUT(CENTRAL, 1, 46, 3, 0x2f2e2e) } },
	{ "badname", BASE_TORCH, ERROR_UNSAFE, "empty name",
		{ PUT(CENTRAL, 1, 28, 2, 0), PUT(CENTRAL, 1, 32, 2, 8) } },
	{ "symlinkentry", BASE_TORCH, ERROR_UNSAFE, "symbolic link",
		{ PUT(CENTRAL, 1, 38, 4, 0xa1ff0000), PUT(CENTRAL, 1, 5, 1, 3) } },
	{ "symlinkentry", BASE_TORCH, ERROR_UNSAFE, "device or pipe",
		{ PUT(CENTRAL, 1, 38, 4, 0x21ff0000) } },
	{ "", BASE_TORCH, ERROR_NONE, "", { PUT(CENTRAL, 1, 38, 4, 0x81a40000) } },
	/* 47 to 51: sizes */
	{ "storedsize", BASE_TORCH, ERROR_CORRUPT, "stored record: 16 vs 17 bytes",
		{ PUT(CENTRAL, 1, 24, 4, 17) } },
	{ "deflshort", BASE_DEFLATED, ERROR_CORRUPT, "expands to 11 bytes, 12 declared",
		{ PUT(CENTRAL, 0, 24, 4, 12), PUT(LOCAL, 0, 22, 4, 12) } },
	{ "deflshort", BASE_DEFLATED, ERROR_CORRUPT, "16 bytes of deflate cannot expand to",
		{ PUT(CENTRAL, 0, 24, 4, 1000000), PUT(LOCAL, 0, 22, 4, 1000000) } },
	{ "recordsize", BASE_DEFLATED, ERROR_LIMIT, "4294967294 bytes (limit 1048576)",
		{ PUT(CENTRAL, 0, 24, 4, 4294967294), PUT(LOCAL, 0, 22, 4, 4294967294) } },
	{ "defllong", BASE_DEFLATED, ERROR_UNSAFE, "expands beyond its declared 10 bytes",
		{ PUT(CENTRAL, 0, 24, 4, 10), PUT(LOCAL, 0, 22, 4, 10) } },
	{ "defllong", BASE_DEFLATED, ERROR_UNSAFE, "expands beyond its declared 0 bytes",
		{ PUT(CENTRAL, 0, 24, 4, 0), PUT(LOCAL, 0, 22, 4, 0) } },
	{ "deflbad", BASE_DEFLATED, ERROR_CORRUPT, "1 bytes after the end of the compressed data",
		{ PUT(CENTRAL, 0, 20, 4, 17), PUT(LOCAL, 0, 18, 4, 17), PUT(END, 0, 16, 4, 57),
		INSERT(CENTRAL, 0, 0, "x") } },
	{ "deflbad", BASE_DEFLATED, ERROR_CORRUPT, "damaged compressed data at byte",
		{ PUT(DATA, 0, 0, 1, 7) } },
	{ "bitflip", BASE_DEFLATED, ERROR_CORRUPT, "CRC-32 mismatch (stored 0d4a1185, computed ",
		{ PUT(DATA, 0, 8, 1, 'X') } },
	{ "bitflip", BASE_TORCH, ERROR_CORRUPT, "CRC-32 mismatch (stored ",
		{ PUT(DATA, 1, 3, 1, '3' ^ 1) } },
	{ "pasteof", BASE_PLAIN, ERROR_CORRUPT, "needs 1073741824 bytes from offset ",
		{ PUT(CENTRAL, 1, 20, 4, 1 << 30), PUT(CENTRAL, 1, 24, 4, 1 << 30) } },
	{ "pasteof", BASE_PLAIN, ERROR_CORRUPT, "from offset 4294967294 on, file has ",
		{ PUT(CENTRAL, 1, 42, 4, 4294967294) } },
	/* 52: zip64 fields. */
	{ "zip64extra", BASE_PLAIN, ERROR_CORRUPT, "zip64 field is missing",
		{ PUT(CENTRAL, 1, 24, 4, 0xffffffff) } },
	{ "zip64extra", BASE_PLAIN, ERROR_CORRUPT, "zip64 field is missing",
		{ PUT(CENTRAL, 1, 42, 4, 0xffffffff) } },
	{ "zip64extra", BASE_DEFLATED, ERROR_CORRUPT, "zip64 field is too short",
		{ ZIP64_EXTRA("\1\0\4\0\0\0\0\0"), PUT(CENTRAL, 0, 30, 2, 8),
		PUT(CENTRAL, 0, 24, 4, 0xffffffff), PUT(TAIL, 0, -22 + 12, 4, 56 + 8) } },
	{ "zip64extra", BASE_DEFLATED, ERROR_CORRUPT, "zip64 field is there twice",
		{ ZIP64_EXTRA("\1\0\0\0\1\0\0\0"), PUT(CENTRAL, 0, 30, 2, 8),
		PUT(TAIL, 0, -22 + 12, 4, 56 + 8) } },
	{ "zip64extra", BASE_DEFLATED, ERROR_CORRUPT, "extra fields in the directory are damaged",
		{ ZIP64_EXTRA("\1\0\7\0\0\0\0\0"), PUT(CENTRAL, 0, 30, 2, 8),
		PUT(TAIL, 0, -22 + 12, 4, 56 + 8) } },
	{ "zip64extra", BASE_DEFLATED, ERROR_CORRUPT, "says something else than the entry",
		{ ZIP64_EXTRA("\1\0\x10\0\x0b\0\0\0\0\0\0\0\x11\0\0\0\0\0\0\0"),
		PUT(CENTRAL, 0, 30, 2, 20), PUT(TAIL, 0, -22 + 12, 4, 56 + 20) } },
	{ "", BASE_DEFLATED, ERROR_NONE, "",            /* Go: needed for two, gives all three */
		{ ZIP64_EXTRA("\1\0\x18\0\x0b\0\0\0\0\0\0\0\x10\0\0\0\0\0\0\0"
		"\0\0\0\0\0\0\0\0"),
		PUT(CENTRAL, 0, 30, 2, 28), PUT(CENTRAL, 0, 20, 8, UINT64_MAX),
		PUT(TAIL, 0, -22 + 12, 4, 56 + 28) } },
	{ "zip64extra", BASE_DEFLATED, ERROR_CORRUPT, "says something else than the entry",
		{ ZIP64_EXTRA("\1\0\x10\0\x0c\0\0\0\0\0\0\0\x10\0\0\0\0\0\0\0"),
		PUT(CENTRAL, 0, 30, 2, 20), PUT(TAIL, 0, -22 + 12, 4, 56 + 20) } },
	{ "zip64extra", BASE_DEFLATED, ERROR_CORRUPT, "says something else than the entry",
		{ ZIP64_EXTRA("\1\0\x18\0\x0b\0\0\0\0\0\0\0\x10\0\0\0\0\0\0\0"
		"\1\0\0\0\0\0\0\0"),
		PUT(CENTRAL, 0, 30, 2, 28), PUT(TAIL, 0, -22 + 12, 4, 56 + 28) } },
	{ "", BASE_DEFLATED, ERROR_NONE, "",            /* only the offset is later */
		{ ZIP64_EXTRA("\1\0\x08\0\0\0\0\0\0\0\0\0"), PUT(CENTRAL, 0, 30, 2, 12),
		PUT(CENTRAL, 0, 42, 4, 0xffffffff), PUT(TAIL, 0, -22 + 12, 4, 56 + 12) } },
	{ "", BASE_DEFLATED, ERROR_NONE, "",            /* only the disk is later */
		{ ZIP64_EXTRA("\1\0\4\0\0\0\0\0"), PUT(CENTRAL, 0, 30, 2, 8),
		PUT(CENTRAL, 0, 34, 2, 0xffff), PUT(TAIL, 0, -22 + 12, 4, 56 + 8) } },
	{ "multidisk", BASE_DEFLATED, ERROR_UNSUPPORTED, "multi-volume",
		{ ZIP64_EXTRA("\1\0\4\0\1\0\0\0"), PUT(CENTRAL, 0, 30, 2, 8),
		PUT(CENTRAL, 0, 34, 2, 0xffff), PUT(TAIL, 0, -22 + 12, 4, 56 + 8) } },
	{ "zip64extra", BASE_DEFLATED, ERROR_CORRUPT, "is too short",   /* the disk is not there */
		{ ZIP64_EXTRA("\1\0\x18\0\x0b\0\0\0\0\0\0\0\x10\0\0\0\0\0\0\0"
		"\0\0\0\0\0\0\0\0"), PUT(CENTRAL, 0, 30, 2, 28),
		PUT(CENTRAL, 0, 34, 2, 0xffff), PUT(TAIL, 0, -22 + 12, 4, 56 + 28) } },
	{ "", BASE_DEFLATED, ERROR_NONE, "",            /* all four, none of them later */
		{ ZIP64_EXTRA("\1\0\x1c\0\x0b\0\0\0\0\0\0\0\x10\0\0\0\0\0\0\0"
		"\0\0\0\0\0\0\0\0" "\0\0\0\0"),
		PUT(CENTRAL, 0, 30, 2, 32), PUT(TAIL, 0, -22 + 12, 4, 56 + 32) } },
	{ "zip64extra", BASE_DEFLATED, ERROR_CORRUPT, "says something else than the entry",
		{ ZIP64_EXTRA("\1\0\x1c\0\x0b\0\0\0\0\0\0\0\x10\0\0\0\0\0\0\0"
		"\0\0\0\0\0\0\0\0" "\1\0\0\0"),
		PUT(CENTRAL, 0, 30, 2, 32), PUT(TAIL, 0, -22 + 12, 4, 56 + 32) } },
	{ "zip64extra", BASE_PLAIN, ERROR_CORRUPT, "zip64 field is missing",
		{ PUT(CENTRAL, 1, 20, 4, 0xffffffff) } },
	/* padding behind the fields, and what is none */
	{ "", BASE_DEFLATED, ERROR_NONE, "", { ZIP64_EXTRA("\0\0\0"), PUT(CENTRAL, 0, 30, 2, 3),
		PUT(TAIL, 0, -22 + 12, 4, 56 + 3) } },
	{ "zip64extra", BASE_DEFLATED, ERROR_CORRUPT, "extra fields in the directory are damaged",
		{ ZIP64_EXTRA("\0\0x"), PUT(CENTRAL, 0, 30, 2, 3),
		PUT(TAIL, 0, -22 + 12, 4, 56 + 3) } },
	/* a second name that is the first, one for another name, one without a checksum, two */
	{ "", BASE_DEFLATED, ERROR_NONE, "",
		{ ZIP64_EXTRA("\x75\x70\x0f\0\1\xd9\xa7\xee\xd7r/data.pkl"),
		PUT(CENTRAL, 0, 30, 2, 19), PUT(TAIL, 0, -22 + 12, 4, 56 + 19) } },
	{ "badname", BASE_DEFLATED, ERROR_UNSAFE, "another name in an extra field",
		{ ZIP64_EXTRA("\x75\x70\x0f\0\1\xd9\xa7\xee\xd7r/evil.pkl"),
		PUT(CENTRAL, 0, 30, 2, 19), PUT(TAIL, 0, -22 + 12, 4, 56 + 19) } },
	{ "", BASE_DEFLATED, ERROR_NONE, "",
		{ ZIP64_EXTRA("\x75\x70\x0d\0\1\xd9\xa7\xee\xd6r/evil.p"),
		PUT(CENTRAL, 0, 30, 2, 17), PUT(TAIL, 0, -22 + 12, 4, 56 + 17) } },
	{ "", BASE_DEFLATED, ERROR_NONE, "",
		{ ZIP64_EXTRA("\x75\x70\4\0\1\xd9\xa7\xee"),
		PUT(CENTRAL, 0, 30, 2, 8), PUT(TAIL, 0, -22 + 12, 4, 56 + 8) } },
	{ "badname", BASE_DEFLATED, ERROR_UNSAFE, "another name in an extra field",
		{ ZIP64_EXTRA("\x75\x70\0\0\x75\x70\0\0"),
		PUT(CENTRAL, 0, 30, 2, 8), PUT(TAIL, 0, -22 + 12, 4, 56 + 8) } },
	{ "badname", BASE_DEFLATED, ERROR_UNSAFE, "another name in an extra field",
		/* CRC-32 of "r/data.pkl" by Python's zlib.crc32 */
		{ ZIP64_EXTRA("\x75\x70\x0d\0\1\xd9\xa7\xee\xd7r/evil.p"),
		PUT(CENTRAL, 0, 30, 2, 17), PUT(TAIL, 0, -22 + 12, 4, 56 + 17) } },
	/* libzip alone minds that the two dates differ. */
	{ "libzip", BASE_TORCH, ERROR_CORRUPT, "libzip refuses the archive",
		{ PUT(LOCAL, 1, 10, 4, 0x21) } },
};

static void
test_row(const struct row *row, size_t number, enum zip_rules rules)
{
	struct zip_builder zip = make_base(row->base);
	struct error       err = { 0 };
	bool               done;

	for (size_t i = 0; i < 4; i++)
		edit_apply(&zip, &row->edits[i]);
	done = try_bytes(zip.bytes, zip.length, rules, &err);
	CHECK(done == (row->kind == ERROR_NONE) && err.kind == row->kind,
		"row %zu (%s %s): kind %d, %s: %s", number, row->slug, row->text, err.kind,
		err.slug, err.text);
	CHECK_TEXT(err.slug, row->slug, "row %zu (%s)", number, row->text);
	CHECK(strstr(err.text, row->text) != NULL, "row %zu: \"%s\" does not say \"%s\"", number,
		err.text, row->text);
	builder_free(&zip);
}

static void
test_rows(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		test_row(&rows[i], i, ZIP_TORCH);
		test_row(&rows[i], i, ZIP_DOWNLOAD);
	}
}

/* ---- where the rule sets differ ------------------------------------------------------ */

struct rules_row {
	const char           *what;
	const struct zip_part parts[3];
	size_t                count;
	enum zip_style        style;
	const char           *comment, *torch_slug, *download_slug;
};

#define STORED(name, data) { name, data, sizeof(data) - 1, 0, 0, 0 }
static const struct rules_row rules_rows[] = {
	{ "two roots", { STORED("a/data.pkl", "x"), STORED("b/data/0", "y") }, 2, STYLE_TORCH, "",
		"noroot", "" },
	{ "root is a prefix", { STORED("a/data.pkl", "x"), STORED("ab/0", "y") }, 2, STYLE_TORCH,
		"", "noroot", "" },
	{ "no folder", { STORED("data.pkl", "x") }, 1, STYLE_TORCH, "", "noroot", "" },
	{ "no records", { STORED("", "") }, 0, STYLE_PLAIN, "", "noroot", "" },
	{ "empty records", { STORED("a/data.pkl", ""), STORED("a/x", "") }, 2, STYLE_TORCH, "", "", "" },
	{ "folder", { STORED("a/", ""), STORED("a/x", "y") }, 2, STYLE_PLAIN, "", "directory", "" },
	{ "folder that holds bytes", { STORED("a/", "z"), STORED("a/x", "y") }, 2, STYLE_PLAIN, "",
		"directory", "directory" },
	{ "comment", { STORED("a/x", "y") }, 1, STYLE_TORCH, "made by hand", "comment", "" },
	{ "archive in the comment", { STORED("a/x", "y") }, 1, STYLE_TORCH,
		"PK\5\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", "comment", "comment" },
	{ "no signature of descriptors", { STORED("a/x", "y") }, 1, STYLE_STREAMED, "", "dd", "" },
	{ "zip in a record", { STORED("a/x", "PK\3\4PK\1\2PK\5\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0") },
		1, STYLE_TORCH, "", "", "" },
};

static void
test_rules(void)
{
	for (size_t i = 0; i < sizeof rules_rows / sizeof *rules_rows; i++) {
		const struct rules_row *row = &rules_rows[i];
		struct zip_builder      zip = builder_make(row->parts, row->count, row->style);
		/* The comment with an archive has NULs: 22 bytes. */
		size_t                  comment = row->comment[0] == 'P' ? 22 : strlen(row->comment);
		struct error            err = { 0 };

		builder_put(&zip, zip.end + 20, 2, comment);
		builder_bytes(&zip, row->comment, comment);
		try_bytes(zip.bytes, zip.length, ZIP_TORCH, &err);
		CHECK_TEXT(err.slug, row->torch_slug, "%s, torch", row->what);
		err = (struct error){ 0 };
		try_bytes(zip.bytes, zip.length, ZIP_DOWNLOAD, &err);
		CHECK_TEXT(err.slug, row->download_slug, "%s, download", row->what);
		builder_free(&zip);
	}
}

/* ---- descriptors -------------------------------------------------------------------- */

/* What other writers put behind a record; where more than one form fits, the one that leaves no
 * gap. */
static void
test_descriptors(void)
{
	static const struct {
		const char     *what;
		struct zip_part part;
		size_t          end;            /* of the record, before the edit */
		struct edit     edit;
		size_t          inserted;
		const char     *torch_slug, *download_slug;
	} descriptors[] = {
		{ "32 bits", STORED("a/x", "y"), 33 + 1 + 12, NO_EDIT, 0, "dd", "" },
		{ "32 bits, signature", STORED("a/x", "y"), 33 + 1 + 12,
			INSERT(DESCRIPTOR, 0, 0, "PK\7\10"), 4, "", "" },
		{ "32 bits, no data", STORED("a/x", ""), 33 + 12, NO_EDIT, 0, "dd", "" },
		{ "64 bits, no data", STORED("a/x", ""), 33 + 12,
			INSERT(DESCRIPTOR, 0, 0, "\0\0\0\0\0\0\0\0"), 8, "dd", "" },
		{ "64 bits, signature, no data", STORED("a/x", ""), 33 + 12,
			INSERT(DESCRIPTOR, 0, 0, "PK\7\10\0\0\0\0\0\0\0\0"), 12, "", "" },
		{ "too long, no data", STORED("a/x", ""), 33 + 12,
			INSERT(DESCRIPTOR, 0, 0, "\0\0\0\0"), 4, "dd", "gapcd" },
	};

	for (size_t i = 0; i < sizeof descriptors / sizeof *descriptors; i++) {
		struct zip_builder zip = builder_make(&descriptors[i].part, 1, STYLE_STREAMED);
		struct error       err = { 0 };

		builder_put(&zip, zip.end + 16, 4, descriptors[i].end + descriptors[i].inserted);
		edit_apply(&zip, &descriptors[i].edit);
		try_bytes(zip.bytes, zip.length, ZIP_TORCH, &err);
		CHECK_TEXT(err.slug, descriptors[i].torch_slug, "%s, torch: %s",
			descriptors[i].what, err.text);
		err = (struct error){ 0 };
		try_bytes(zip.bytes, zip.length, ZIP_DOWNLOAD, &err);
		CHECK_TEXT(err.slug, descriptors[i].download_slug, "%s, download: %s",
			descriptors[i].what, err.text);
		builder_free(&zip);
	}
}

/* Of a folder some writers say that a descriptor follows, and write none. */
static void
test_folder_without_descriptor(void)
{
	static const struct zip_part parts[] = { STORED("a/", ""), STORED("b", ""), STORED("c", "y") };

	for (int record = 0; record < 2; record++) {
		struct zip_builder zip = builder_make(parts, 3, STYLE_PLAIN);
		struct error       err = { 0 };

		builder_put(&zip, zip.local[record] + 6, 2, 8);
		builder_put(&zip, zip.central[record] + 8, 2, 8);
		try_bytes(zip.bytes, zip.length, ZIP_DOWNLOAD, &err);
		CHECK_TEXT(err.slug, record == 0 ? "" : "dd", "record %d: %s", record, err.text);
		builder_free(&zip);
	}
}

/* ---- names ------------------------------------------------------------------------- */

static void
test_names(void)
{
	char at_limit[512 + 1], too_long[513 + 1];
	const struct { const char *name; bool good; } names[] = {
		{ "r/data.pkl", true }, { "r/a b/\xc3\xa4\xf0\x9f\x98\x80", true }, { "r/..x", true },
		{ "r/x..", true }, { "r/...", true }, { "r/.data/x", true }, { "ab:c", true },
		{ "../x", false }, { "r/../x", false }, { "r/..", false }, { "..", false },
		{ "1:x", true }, { "_:x", true }, { "~:x", true },
		{ "/x", false }, { "//x", false }, { "r//x", false }, { "C:\\x", false },
		{ "c:x", false }, { "r\\x", false }, { "..\\x", false }, { "r/a\tb", false },
		{ "r/a\nb", false }, { "r/\x1b[31m", false }, { "r/\x7f", false },
		{ "r/\xff", false }, { "r/\xc0\xaf", false }, { "r/\xed\xa0\x80", false },
		{ "r/x//", false }, { "../", false }, { at_limit, true }, { too_long, false },
	};

	memset(at_limit, 'n', sizeof at_limit - 1);
	at_limit[sizeof at_limit - 1] = '\0';
	memset(too_long, 'n', sizeof too_long - 1);
	too_long[sizeof too_long - 1] = '\0';
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct zip_part    part = { names[i].name, "x", 1, 0, 0, 0 };
		struct zip_builder zip;
		struct error       err = { 0 };
		bool               done;

		zip = builder_make(&part, 1, STYLE_PLAIN);
		done = try_bytes(zip.bytes, zip.length, ZIP_DOWNLOAD, &err);
		CHECK(done == names[i].good, "name %zu: %s", i, err.text);
		CHECK_TEXT(err.slug, names[i].good ? "" : "badname", "name %zu", i);
		CHECK(done || err.kind == ERROR_UNSAFE, "name %zu", i);
		builder_free(&zip);
	}
}

int
main(void)
{
	test_rows();
	test_rules();
	test_descriptors();
	test_folder_without_descriptor();
	test_names();
	return check_end("zip_archive");
}
