#include "container/zip_end.h"

#include "base/checked.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/*
 * The end of a zip archive:
 *
 *   ... directory
 *   zip64 end record, 56 bytes              (torch always, others when needed)
 *      0  50 4B 06 06
 *      4  u64 length of the rest: 44
 *     12  u16 made by, u16 needed
 *     16  u32 this disk, u32 disk of the directory
 *     24  u64 entries on this disk, u64 entries
 *     40  u64 length of the directory, u64 its offset
 *   zip64 locator, 20 bytes
 *      0  50 4B 06 07
 *      4  u32 disk of the zip64 end record, u64 its offset, u32 number of disks
 *   end record, 22 bytes
 *      0  50 4B 05 06
 *      4  u16 this disk, u16 disk of the directory
 *      8  u16 entries on this disk, u16 entries
 *     12  u32 length of the directory, u32 its offset
 *     20  u16 length of the comment, then the comment
 *
 * Readers differ in how they search for the end record, in which of two records they
 * believe and in whether they follow the locator, so one file can be two archives.  Here
 * each record must lie right before the next, and all must say the same.
 */
#define END_BYTES       22
#define LOCATOR_BYTES   20
#define ZIP64_BYTES     56
#define ENTRY_BYTES     46              /* of the directory, at least */
#define TAIL_MOST       (END_BYTES + 65535)
#define SIGNATURE_LOCAL     0x04034b50u
#define SIGNATURE_DIRECTORY 0x02014b50u
#define SIGNATURE_END       0x06054b50u
#define SIGNATURE_LOCATOR   0x07064b50u
#define SIGNATURE_ZIP64     0x06064b50u

/* The last bytes of the stream, where the end record can be. */
struct tail {
	unsigned char *bytes;
	size_t         length;
	uint64_t       offset;          /* of bytes[0] in the stream */
};

/* Positions in the tail; -1: none. */
struct candidates {
	long outermost;         /* the first whose comment reaches the end of the stream */
	long last;              /* the last signature of all */
	long followed;          /* the last that fits its directory, but has bytes after it */
};

static bool
read_at(struct byte_stream *stream, uint64_t offset, void *to, size_t count,
	struct error *err)
{
	return byte_stream_seek(stream, offset, err) && byte_stream_read(stream, to, count, err);
}

/* Is there a header with this signature?  Outside the stream there is none. */
static bool
look_for(struct byte_stream *stream, uint64_t offset, uint32_t signature, bool *found,
	struct error *err)
{
	unsigned char bytes[4];
	uint64_t      length = byte_stream_length(stream);

	*found = false;
	if (length < sizeof bytes || offset > length - sizeof bytes)
		return true;
	if (!read_at(stream, offset, bytes, sizeof bytes, err))
		return false;
	*found = checked_u32(bytes) == signature;
	return true;
}

static bool
read_tail(struct byte_stream *stream, struct tail *tail, struct error *err)
{
	uint64_t length = byte_stream_length(stream);

	tail->length = length < TAIL_MOST ? (size_t)length : TAIL_MOST;
	tail->offset = length - tail->length;
	if ((tail->bytes = malloc(tail->length + 1)) == NULL)
		return error_no_memory(err, tail->length);
	return read_at(stream, tail->offset, tail->bytes, tail->length, err);
}

/* Does the end record at `at` name a directory that ends right before it? */
static bool
fits_directory(const struct tail *tail, size_t at)
{
	const unsigned char *record = tail->bytes + at;
	uint64_t             offset = tail->offset + at;

	if (at >= LOCATOR_BYTES && offset >= LOCATOR_BYTES + ZIP64_BYTES
	    && checked_u32(record - LOCATOR_BYTES) == SIGNATURE_LOCATOR)
		return checked_u64(record - LOCATOR_BYTES + 8)
			== offset - LOCATOR_BYTES - ZIP64_BYTES;
	return (uint64_t)checked_u32(record + 12) + checked_u32(record + 16) == offset;
}

static struct candidates
search(const struct tail *tail)
{
	struct candidates    found = { -1, -1, -1 };
	const unsigned char *record;
	size_t               at, comment_end;

	if (tail->length < END_BYTES)
		return found;
	/* A distributed checkpoint has thousands of zips, so the search is left to libc. */
	at = tail->length - END_BYTES + 1;
	while ((record = memrchr(tail->bytes, 'P', at)) != NULL) {
		at = (size_t)(record - tail->bytes);
		if (checked_u32(record) != SIGNATURE_END)
			continue;
		comment_end = at + END_BYTES + checked_u16(record + 20);
		if (found.last < 0)
			found.last = (long)at;
		if (comment_end == tail->length)
			found.outermost = (long)at;
		else if (found.followed < 0 && comment_end < tail->length
		    && fits_directory(tail, at))
			found.followed = (long)at;
	}
	return found;
}

/* ---- no end record ---------------------------------------------------------------- */

/* How many zero bytes the stream ends with, as far as it is cheap to look. */
static bool
count_zero_tail(struct byte_stream *stream, uint64_t *zeros, bool *more, struct error *err)
{
	enum { BLOCK = 64 << 10 };
	/* Going back in a deflated stream is free only for the last mebibyte. */
	uint64_t       most = byte_stream_is_deflated(stream) ? 1 << 20 : 64 << 20;
	uint64_t       length = byte_stream_length(stream);
	unsigned char *block = malloc(BLOCK);
	bool           done = false, ended = false;

	*zeros = 0;
	if (block == NULL)
		return error_no_memory(err, BLOCK);
	while (!ended && *zeros < length && *zeros < most) {
		size_t count = length - *zeros < BLOCK ? (size_t)(length - *zeros) : BLOCK;
		size_t left = count;

		if (!read_at(stream, length - *zeros - count, block, count, err))
			goto out;
		while (left > 0 && block[left - 1] == 0)
			left--;
		*zeros += count - left;
		ended = left > 0;
	}
	*more = !ended && *zeros < length;
	done = true;
out:
	free(block);
	return done;
}

static bool
fail_without_end(struct byte_stream *stream, struct error *err)
{
	/* Fewer zeros than this can be the end of somebody's data. */
	enum { ZEROS_LEAST = 32 };
	uint64_t length = byte_stream_length(stream), zeros;
	bool     more = false;

	if (!count_zero_tail(stream, &zeros, &more, err))
		return false;
	if (zeros >= ZEROS_LEAST)
		error_set(err, ERROR_CORRUPT, "zerotail",
			"truncated: zip end record missing; %sthe last %" PRIu64 " bytes are zero",
			more ? "at least " : "", zeros);
	else
		error_set(err, ERROR_CORRUPT, "truncated",
			"truncated: zip end record missing; file is %" PRIu64 " bytes", length);
	return error_hint(err, "the download did not complete; fetch it again");
}

/* ---- records that do not agree ----------------------------------------------------- */

static bool
fail_unless_one_disk(uint32_t disk, uint32_t directory_disk, struct error *err)
{
	if (disk == 0 && directory_disk == 0)
		return true;
	return error_set(err, ERROR_UNSUPPORTED, "multidisk",
		"multi-volume zip archives are not supported");
}

/* The directory ends `shift` bytes before the end records: does the whole archive begin that
 * much later than it says, or is something between the two? */
static bool
fail_shifted(struct byte_stream *stream, const struct zip_end *end, uint64_t shift,
	struct error *err)
{
	uint64_t declared = end->directory_offset;
	bool     at_declared, at_shifted, starts_shifted, ends_before, starts_like_archive;

	if (!look_for(stream, declared, SIGNATURE_DIRECTORY, &at_declared, err)
	    || !look_for(stream, declared + shift, SIGNATURE_DIRECTORY, &at_shifted, err)
	    || !look_for(stream, shift, SIGNATURE_LOCAL, &starts_shifted, err)
	    || !look_for(stream, shift < END_BYTES ? 0 : shift - END_BYTES, SIGNATURE_END,
	    &ends_before, err)
	    || !look_for(stream, 0, SIGNATURE_LOCAL, &starts_like_archive, err))
		return false;
	if (at_shifted && starts_shifted && ends_before)
		return error_set(err, ERROR_UNSAFE, "concat",
			"second archive starts at offset %" PRIu64, shift);
	if (end->directory_length == 0 || at_declared)
		return error_set(err, ERROR_UNSAFE, "gapcd",
			"%" PRIu64 " bytes at offset %" PRIu64 " belong to no record", shift,
			declared + end->directory_length);
	if (!at_shifted || !starts_shifted)
		return error_set(err, ERROR_CORRUPT, "cdbad",
			"no central directory at offset %" PRIu64, declared);
	/* Cut right behind an archive that lies stored in this one. */
	if (starts_like_archive)
		return fail_without_end(stream, err);
	return error_set(err, ERROR_CORRUPT, "prefix",
		"%" PRIu64 " unexpected bytes before the first record", shift);
}

/* The 32-bit form of a number is the number, or all ones. */
static bool
agrees(uint32_t narrow, uint32_t ones, uint64_t wide)
{
	return narrow == ones || narrow == wide;
}

static bool
compare_with_zip64(const unsigned char *record, const struct zip_end *end, struct error *err)
{
	const char *what = NULL;

	if (!agrees(checked_u16(record + 10), UINT16_MAX, end->count))
		what = "count of entries";
	else if (!agrees(checked_u32(record + 12), UINT32_MAX, end->directory_length))
		what = "size of the directory";
	else if (!agrees(checked_u32(record + 16), UINT32_MAX, end->directory_offset))
		what = "offset of the directory";
	return what == NULL || error_set(err, ERROR_UNSAFE, "zip64disagree",
		"the two end records disagree (%s)", what);
}

/* The zip64 end record `bytes` at `offset`, which the locator expects at `pointed`. */
static bool
take_zip64(const unsigned char *bytes, uint64_t offset, uint64_t pointed,
	const unsigned char *record, struct zip_end *end, struct error *err)
{
	uint64_t shift = offset - pointed, stop;
	bool     is_there = checked_u32(bytes) == SIGNATURE_ZIP64;

	end->count = checked_u64(bytes + 32);
	end->directory_length = checked_u64(bytes + 40);
	end->directory_offset = checked_u64(bytes + 48);
	/* Bytes before the archive move locator and directory alike: that is said later. */
	if (is_there && pointed < offset
	    && checked_add(end->directory_offset, end->directory_length, &stop)
	    && stop <= UINT64_MAX - shift && stop + shift == offset)
		return true;
	if (pointed != offset || !is_there)
		return error_set(err, ERROR_UNSAFE, "zip64elsewhere",
			"zip64 end record is not where it must be (expected offset %" PRIu64
			", found %" PRIu64 ")", offset, pointed);
	if (checked_u64(bytes + 4) != ZIP64_BYTES - 12)
		return error_set(err, ERROR_CORRUPT, "cdbad",
			"zip64 end record is %" PRIu64 " bytes long, 44 expected",
			checked_u64(bytes + 4));
	if (!fail_unless_one_disk(checked_u32(bytes + 16), checked_u32(bytes + 20), err))
		return false;
	if (checked_u64(bytes + 24) != end->count)
		return error_set(err, ERROR_CORRUPT, "countbad",
			"end record says %" PRIu64 " entries on this disk and %" PRIu64
			" in all", checked_u64(bytes + 24), end->count);
	return compare_with_zip64(record, end, err);
}

/* Looks for a locator before the end record at `offset`; *stop becomes the offset of the
 * first of the end records. */
static bool
read_zip64(struct byte_stream *stream, const unsigned char *record, uint64_t *stop,
	struct zip_end *end, struct error *err)
{
	unsigned char locator[LOCATOR_BYTES], bytes[ZIP64_BYTES];
	uint64_t      offset = *stop;

	if (offset < sizeof locator)
		return true;
	if (!read_at(stream, offset - sizeof locator, locator, sizeof locator, err))
		return false;
	if (checked_u32(locator) != SIGNATURE_LOCATOR)
		return true;
	if (checked_u32(locator + 4) != 0 || checked_u32(locator + 16) > 1)
		return fail_unless_one_disk(1, 0, err);
	if (offset < sizeof locator + sizeof bytes)
		return error_set(err, ERROR_CORRUPT, "cdbad", "no zip64 end record");
	*stop = offset - sizeof locator - sizeof bytes;
	return read_at(stream, *stop, bytes, sizeof bytes, err)
		&& take_zip64(bytes, *stop, checked_u64(locator + 8), record, end, err);
}

/* ---- the end record --------------------------------------------------------------- */

static bool
check_comment(const struct tail *tail, const struct candidates *found, enum zip_rules rules,
	struct zip_end *end, struct error *err)
{
	end->comment_length = tail->length - END_BYTES - (size_t)found->outermost;
	if (end->comment_length == 0)
		return true;
	if (rules == ZIP_TORCH)
		return error_set(err, ERROR_UNSAFE, "comment",
			"archive comment of %zu bytes; PyTorch never writes one",
			end->comment_length);
	if (found->last != found->outermost)
		return error_set(err, ERROR_UNSAFE, "comment",
			"archive comment of %zu bytes holds another end record",
			end->comment_length);
	return true;
}

static bool
check_directory_place(struct byte_stream *stream, const struct zip_end *end, uint64_t stop,
	struct error *err)
{
	uint64_t directory_end;

	if (!checked_add(end->directory_offset, end->directory_length, &directory_end)
	    || directory_end > stop)
		return error_set(err, ERROR_CORRUPT, "cdbad",
			"central directory (offset %" PRIu64 ", size %" PRIu64
			") is outside the file (%" PRIu64 " bytes)", end->directory_offset,
			end->directory_length, byte_stream_length(stream));
	if (directory_end != stop)
		return fail_shifted(stream, end, stop - directory_end, err);
	if (end->count > end->directory_length / ENTRY_BYTES)
		return error_set(err, ERROR_CORRUPT, "countbad",
			"end record says %" PRIu64 " entries, the directory of %" PRIu64
			" bytes has no room for them", end->count, end->directory_length);
	if (end->count > ZIP_END_MOST_ENTRIES)
		return error_set(err, ERROR_LIMIT, "manynames",
			"archive has %" PRIu64 " entries (limit %d)", end->count,
			ZIP_END_MOST_ENTRIES);
	return true;
}

static bool
read_end_record(struct byte_stream *stream, const unsigned char *record, uint64_t offset,
	struct zip_end *end, struct error *err)
{
	uint64_t stop = offset;

	if (!fail_unless_one_disk(checked_u16(record + 4), checked_u16(record + 6), err))
		return false;
	end->count = checked_u16(record + 10);
	end->directory_length = checked_u32(record + 12);
	end->directory_offset = checked_u32(record + 16);
	if (checked_u16(record + 8) != end->count)
		return error_set(err, ERROR_CORRUPT, "countbad",
			"end record says %u entries on this disk and %" PRIu64 " in all",
			checked_u16(record + 8), end->count);
	return read_zip64(stream, record, &stop, end, err)
		&& check_directory_place(stream, end, stop, err);
}

bool
zip_end_read(struct byte_stream *stream, enum zip_rules rules, struct zip_end *end,
	struct error *err)
{
	struct tail       tail = { 0 };
	struct candidates found;
	bool              done = false;

	if (!read_tail(stream, &tail, err))
		goto out;
	found = search(&tail);
	if (found.outermost >= 0) {
		size_t at = (size_t)found.outermost;

		done = check_comment(&tail, &found, rules, end, err)
			&& read_end_record(stream, tail.bytes + at, tail.offset + at, end, err);
	} else if (found.followed >= 0) {
		size_t at = (size_t)found.followed;

		error_set(err, ERROR_CORRUPT, "trailing",
			"%zu bytes after the end of the archive", tail.length - at - END_BYTES
			- checked_u16(tail.bytes + at + 20));
	} else {
		fail_without_end(stream, err);
	}
out:
	free(tail.bytes);
	return done;
}

bool
zip_end_is_there(struct byte_stream *stream, struct error *err, bool *is_there)
{
	struct tail tail = { 0 };
	bool        done;

	*is_there = false;
	if ((done = read_tail(stream, &tail, err)))
		*is_there = search(&tail).outermost >= 0;
	free(tail.bytes);
	return done;
}
