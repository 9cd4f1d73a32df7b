#include "container/zip_tiling.h"

#include "base/checked.h"
#include "container/zip_local_header.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SIGNATURE_DESCRIPTOR 0x08074b50u
#define DESCRIPTOR_MOST      24
#define HEADER_MOST          (ZIP_LOCAL_HEADER_BYTES + 2 * 65535)

struct tiler {
	struct byte_stream   *stream;
	enum zip_rules        rules;
	uint64_t              directory;        /* its offset: where the records end */
	unsigned char        *header;           /* HEADER_MOST bytes */
	bool                  is_odd;
};

static bool
fail_in(const struct zip_entry *entry, struct error *err)
{
	return error_in_member(err, entry->record.name);
}

static bool
fail_gap(uint64_t from, uint64_t to, struct error *err)
{
	return error_set(err, ERROR_UNSAFE, "gapcd",
		"%" PRIu64 " bytes at offset %" PRIu64 " belong to no record", to - from, from);
}

/* ---- by the directory alone -------------------------------------------------------- */

/* Shortest extent of one record against what follows it: the next record, or (NULL) the
 * directory. */
static bool
check_extent(const struct tiler *tiler, const struct zip_entry *entry,
	const struct zip_entry *next, struct error *err)
{
	const struct zip_record *record = &entry->record;
	uint64_t file_length = byte_stream_length(tiler->stream), stop;
	uint64_t limit = next != NULL ? next->record.header_offset : tiler->directory;

	/* Where there are records to check, there is a list of them.
	 * NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
	if (!checked_add(record->header_offset, ZIP_LOCAL_HEADER_BYTES
	    + strlen(record->name), &stop)
	    || !checked_add(stop, record->stored_length, &stop) || stop > file_length) {
		error_set(err, ERROR_CORRUPT, "pasteof",
			"needs %" PRIu64 " bytes from offset %" PRIu64 " on, file has %" PRIu64,
			record->stored_length, record->header_offset, file_length);
		return fail_in(entry, err);
	}
	if (stop <= limit)
		return true;
	if (next == NULL)
		return error_set(err, ERROR_UNSAFE, "quoted",
			"record %s and the directory overlap", record->name);
	return error_set(err, ERROR_UNSAFE,
		record->header_offset == limit ? "fulloverlap" : "quoted",
		"records %s and %s overlap", record->name, next->record.name);
}

/* Before anything is read from the records, so that a bomb is called a bomb. */
static bool
check_extents(const struct tiler *tiler, const struct zip_entry *entries, size_t count,
	struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		if (!check_extent(tiler, &entries[i], i + 1 < count ? &entries[i + 1] : NULL,
		    err))
			return false;
	}
	return true;
}

/* ---- local headers ---------------------------------------------------------------- */

static bool
fail_header(const struct zip_entry *entry, const char *what, uint64_t local,
	uint64_t directory, struct error *err)
{
	error_set(err, ERROR_CORRUPT, "lh", "local header disagrees with the directory: "
		"%s %" PRIu64 " vs %" PRIu64, what, local, directory);
	return fail_in(entry, err);
}

static bool
compare_header(const struct zip_entry *entry, const struct zip_local_header *local,
	struct error *err)
{
	const struct zip_record *record = &entry->record;
	/* A header that is completed by a descriptor may leave the numbers 0. */
	bool may_be_zero = local->has_descriptor;

	if (strcmp(local->name, record->name) != 0) {
		error_set(err, ERROR_UNSAFE, "lh",
			"local header disagrees with the directory: name %s", local->name);
		return fail_in(entry, err);
	}
	if (local->method != record->method)
		return fail_header(entry, "method", local->method, record->method, err);
	if (local->flags != entry->flags)
		return fail_header(entry, "flags", local->flags, entry->flags, err);
	if (local->crc != record->crc && !(may_be_zero && local->crc == 0))
		return fail_header(entry, "CRC-32", local->crc, record->crc, err);
	if (local->stored_length != record->stored_length
	    && !(may_be_zero && local->stored_length == 0))
		return fail_header(entry, "stored size", local->stored_length,
			record->stored_length, err);
	if (local->length != record->length && !(may_be_zero && local->length == 0))
		return fail_header(entry, "size", local->length, record->length, err);
	return true;
}

/* A header that equals the entry in all but what libzip wants equal too. */
static bool
is_odd(const struct zip_entry *entry, const struct zip_local_header *local,
	const unsigned char *header)
{
	const struct zip_record *record = &entry->record;
	bool is_filled = local->crc == record->crc && local->length == record->length
		&& local->stored_length == record->stored_length;
	bool is_empty = (checked_u32(header + 14) | checked_u32(header + 18)
		| checked_u32(header + 22)) == 0;

	return checked_u16(header + 4) > entry->version || (!is_filled && !is_empty);
}

/* The header at the record's offset, read and compared; sets the data offset. */
static bool
check_header(struct tiler *tiler, struct zip_entry *entry, struct error *err)
{
	struct zip_local_header local;
	uint64_t                offset = entry->record.header_offset;
	size_t                  rest;

	if (!byte_stream_seek(tiler->stream, offset, err)
	    || !byte_stream_read(tiler->stream, tiler->header, ZIP_LOCAL_HEADER_BYTES, err))
		return false;
	rest = (size_t)checked_u16(tiler->header + 26) + checked_u16(tiler->header + 28);
	if (memcmp(tiler->header, "PK\3\4", 4) != 0
	    || rest > tiler->directory - offset - ZIP_LOCAL_HEADER_BYTES) {
		error_set(err, ERROR_CORRUPT, "lh", "no local header where the directory says");
		error_at(err, offset);
		return fail_in(entry, err);
	}
	if (!byte_stream_read(tiler->stream, tiler->header + ZIP_LOCAL_HEADER_BYTES, rest, err))
		return false;
	if (!zip_local_header_read(tiler->header, ZIP_LOCAL_HEADER_BYTES + rest, &local)) {
		error_set(err, ERROR_CORRUPT, "lh", "damaged local header");
		error_at(err, offset);
		return fail_in(entry, err);
	}
	entry->record.data_offset = offset + ZIP_LOCAL_HEADER_BYTES + rest;
	tiler->is_odd |= is_odd(entry, &local, tiler->header);
	return compare_header(entry, &local, err);
}

/* ---- descriptors ------------------------------------------------------------------ */

static bool
repeats(const unsigned char *descriptor, bool is_wide, const struct zip_record *record)
{
	if (checked_u32(descriptor) != record->crc)
		return false;
	if (is_wide)
		return checked_u64(descriptor + 4) == record->stored_length
			&& checked_u64(descriptor + 12) == record->length;
	return checked_u32(descriptor + 4) == record->stored_length
		&& checked_u32(descriptor + 8) == record->length;
}

/*
 * Length of the descriptor at the end of the record's data, of which `room` bytes follow up
 * to the next record.  Where several forms fit the bytes, the one that fills the room.
 */
static bool
find_descriptor(const struct tiler *tiler, const struct zip_record *record,
	const unsigned char *bytes, size_t shown, uint64_t room, size_t *length)
{
	static const struct { size_t length; bool has_signature, is_wide; } forms[] = {
		{ 16, true, false }, { 24, true, true }, { 12, false, false }, { 20, false, true },
	};
	bool found = false;

	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
		size_t signature = forms[i].has_signature ? 4 : 0;

		if (forms[i].length > shown || (tiler->rules == ZIP_TORCH && signature == 0)
		    || (signature != 0 && checked_u32(bytes) != SIGNATURE_DESCRIPTOR)
		    || !repeats(bytes + signature, forms[i].is_wide, record))
			continue;
		if (!found || forms[i].length == room)
			*length = forms[i].length;
		found = true;
	}
	return found;
}

/* The end of the record, descriptor included; `limit` is where the next thing begins. */
static bool
find_stop(const struct tiler *tiler, const struct zip_entry *entry, uint64_t limit,
	uint64_t *stop, struct error *err)
{
	const struct zip_record *record = &entry->record;
	uint64_t      data_stop = record->data_offset + record->stored_length;
	unsigned char bytes[DESCRIPTOR_MOST];
	uint64_t      left;
	size_t        shown, length = 0;

	*stop = data_stop;
	if (data_stop > tiler->directory || (entry->flags & ZIP_FLAG_DESCRIPTOR) == 0)
		return true;
	/* For a directory some writers set the flag and write nothing. */
	if (record->is_directory && record->stored_length == 0 && data_stop == limit)
		return true;
	left = tiler->directory - data_stop;
	shown = left < sizeof bytes ? (size_t)left : sizeof bytes;
	if (!byte_stream_seek(tiler->stream, data_stop, err)
	    || !byte_stream_read(tiler->stream, bytes, shown, err))
		return false;
	if (!find_descriptor(tiler, record, bytes, shown,
	    limit > data_stop ? limit - data_stop : 0, &length)) {
		error_set(err, ERROR_CORRUPT, "dd",
			"data descriptor is missing or disagrees with the directory");
		error_at(err, data_stop);
		return fail_in(entry, err);
	}
	*stop += length;
	return true;
}

/* ---- all -------------------------------------------------------------------------- */

static bool
check_start(const struct tiler *tiler, uint64_t offset, struct error *err)
{
	unsigned char first[4];

	if (offset == 0)
		return true;
	if (offset >= sizeof first && (!byte_stream_seek(tiler->stream, 0, err)
	    || !byte_stream_read(tiler->stream, first, sizeof first, err)))
		return false;
	if (offset >= sizeof first && memcmp(first, "PK\3\4", sizeof first) == 0)
		return error_set(err, ERROR_UNSAFE, "concat",
			"second archive starts at offset %" PRIu64, offset);
	return error_set(err, ERROR_CORRUPT, "prefix",
		"%" PRIu64 " unexpected bytes before the first record", offset);
}

static bool
check_records(struct tiler *tiler, struct zip_entry *entries, size_t count,
	struct error *err)
{
	uint64_t at = count > 0 ? entries[0].record.header_offset : 0;

	if (count > 0 && !check_start(tiler, at, err))
		return false;
	for (size_t i = 0; i < count; i++) {
		struct zip_entry *next = i + 1 < count ? &entries[i + 1] : NULL;
		uint64_t limit = next != NULL ? next->record.header_offset : tiler->directory;

		if (!check_header(tiler, &entries[i], err)
		    || !find_stop(tiler, &entries[i], limit, &at, err))
			return false;
		if (at < limit)
			return fail_gap(at, limit, err);
		if (at > limit && next != NULL)
			return error_set(err, ERROR_UNSAFE, "quoted",
				"records %s and %s overlap", entries[i].record.name,
				next->record.name);
		if (at > limit)
			return error_set(err, ERROR_UNSAFE, "quoted",
				"record %s and the directory overlap", entries[i].record.name);
	}
	return at == tiler->directory || fail_gap(at, tiler->directory, err);
}

bool
zip_tiling_check(struct byte_stream *stream, enum zip_rules rules,
	const struct zip_end *end, struct zip_entry *entries, bool *is_odd_header,
	struct error *err)
{
	struct tiler tiler = {
		.stream = stream,
		.rules = rules,
		.directory = end->directory_offset,
		.header = malloc(HEADER_MOST),
	};
	bool done;

	if (tiler.header == NULL)
		return error_no_memory(err, HEADER_MOST);
	done = check_extents(&tiler, entries, (size_t)end->count, err)
		&& check_records(&tiler, entries, (size_t)end->count, err);
	*is_odd_header = tiler.is_odd;
	free(tiler.header);
	return done;
}
