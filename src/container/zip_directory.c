#include "container/zip_directory.h"

#include "base/checked.h"
#include "container/crc32.h"
#include "container/zip_names.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/*
 * An entry of the directory:
 *
 *    0  50 4B 01 02
 *    4  u8 version, u8 system that made it (3: Unix), u16 needed
 *    8  u16 flags, u16 method, u16 time, u16 date
 *   16  u32 CRC-32, u32 stored length, u32 length
 *   28  u16 length of the name, of the extra fields, of the comment
 *   34  u16 disk, u16 internal attributes, u32 external attributes (Unix: mode << 16)
 *   42  u32 offset of the local header
 *   46  name, extra fields, comment
 */
#define ENTRY_BYTES 46
#define SIGNATURE   0x02014b50u

#define FLAG_ENCRYPTED   0x0001
#define FLAG_PATCH       0x0020
#define FLAG_STRONG      0x0040
#define FLAG_MASKED      0x2000
/* Bits 1 and 2 are hints of the compressor, 3: a descriptor follows, 11: UTF-8. */
#define FLAGS_KNOWN      0x080eu

#define METHOD_AES 99

#define MODE_TYPE      0xf000u
#define MODE_DIRECTORY 0x4000u
#define MODE_REGULAR   0x8000u
#define MODE_LINK      0xa000u

struct reader {
	struct byte_stream *stream;
	enum zip_rules      rules;
	uint64_t            directory_end;
	struct arena       *names;
	unsigned char      *extra;      /* 64 KiB */
};

const char *
zip_directory_method_name(unsigned method)
{
	static const struct { unsigned method; const char *name; } methods[] = {
		{ 0, "stored" }, { 1, "shrink" }, { 2, "reduce" }, { 3, "reduce" },
		{ 4, "reduce" }, { 5, "reduce" }, { 6, "implode" }, { 8, "deflate" },
		{ 9, "deflate64" }, { 10, "IBM TERSE" }, { 12, "bzip2" }, { 14, "lzma" },
		{ 16, "IBM CMPSC" }, { 18, "IBM TERSE" }, { 19, "IBM LZ77" }, { 20, "zstd" },
		{ 93, "zstd" }, { 94, "mp3" }, { 95, "xz" }, { 96, "jpeg" },
		{ 97, "wavpack" }, { 98, "ppmd" }, { METHOD_AES, "AES encryption" },
	};

	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
		if (methods[i].method == method)
			return methods[i].name;
	}
	return "unknown";
}

size_t
zip_directory_names_limit(size_t count)
{
	/* A NUL, and what the arena adds to align. */
	return count * (ZIP_NAMES_LONGEST + 32);
}

/* ---- one entry -------------------------------------------------------------------- */

static bool
check_flags(unsigned flags, unsigned method, struct error *err)
{
	if ((flags & (FLAG_ENCRYPTED | FLAG_STRONG)) != 0 || method == METHOD_AES)
		return error_set(err, ERROR_UNSUPPORTED, "encflag",
			method == METHOD_AES ? "is encrypted (compression method 99)" : "is encrypted");
	/* Neither means anything without encryption or a patch: there to fool a scanner. */
	if ((flags & (FLAG_PATCH | FLAG_MASKED)) != 0)
		return error_set(err, ERROR_UNSAFE, "encflag",
			"flags 0x%04x claim %s that is not there", flags,
			(flags & FLAG_PATCH) != 0 ? "a patch" : "encryption");
	if ((flags & ~FLAGS_KNOWN) != 0)
		return error_set(err, ERROR_UNSUPPORTED, "flags",
			"flags 0x%04x are not supported", flags);
	if (method != ZIP_STORED && method != ZIP_DEFLATED)
		return error_set(err, ERROR_UNSUPPORTED, "method",
			"compression method %u (%s) is not supported", method,
			zip_directory_method_name(method));
	return true;
}

static bool
complete_sizes(struct zip_extra extra, struct zip_extra_sizes *sizes, struct error *err)
{
	struct zip_extra zip64;
	const char      *fault = NULL;

	switch (zip_extra_find(extra, ZIP_EXTRA_ZIP64, &zip64)) {
	case ZIP_EXTRA_DAMAGED:
		return error_set(err, ERROR_CORRUPT, "zip64extra",
			"extra fields in the directory are damaged");
	case ZIP_EXTRA_TWICE:
		fault = "is there twice";
		break;
	case ZIP_EXTRA_ABSENT:
		if (sizes->length == ZIP_EXTRA_LATER || sizes->stored_length == ZIP_EXTRA_LATER
		    || sizes->header_offset == ZIP_EXTRA_LATER)
			fault = "is missing";
		break;
	case ZIP_EXTRA_FOUND:
		if (!zip_extra_central(zip64, sizes))
			fault = "is too short or says something else than the entry";
		break;
	}
	if (fault != NULL)
		return error_set(err, ERROR_CORRUPT, "zip64extra", "zip64 field %s", fault);
	if (sizes->disk != 0)
		return error_set(err, ERROR_UNSUPPORTED, "multidisk",
			"multi-volume zip archives are not supported");
	return true;
}

/* Info-ZIP's second name, in force when its CRC-32 is that of the first. */
static bool
check_second_name(struct zip_extra extra, const char *name, struct error *err)
{
	struct zip_extra      field;
	enum zip_extra_result result = zip_extra_find(extra, ZIP_EXTRA_UNICODE_PATH, &field);
	size_t                length = strlen(name);

	if (result == ZIP_EXTRA_ABSENT)
		return true;
	if (result == ZIP_EXTRA_FOUND && (field.length < 5
	    || checked_u32(field.bytes + 1) != crc32_of(0, name, length)
	    || (field.length - 5 == length && memcmp(field.bytes + 5, name, length) == 0)))
		return true;
	return error_set(err, ERROR_UNSAFE, "badname",
		"has another name in an extra field: readers disagree which holds");
}

bool
zip_directory_extra(struct zip_extra extra, const char *name, struct zip_extra_sizes *sizes,
	struct error *err)
{
	return complete_sizes(extra, sizes, err) && check_second_name(extra, name, err);
}

static bool
check_type(const struct reader *reader, const struct zip_record *record, uint32_t attributes,
	struct error *err)
{
	unsigned type = attributes >> 16 & MODE_TYPE;

	if (type == MODE_LINK)
		return error_set(err, ERROR_UNSAFE, "symlinkentry",
			"archive contains a symbolic link entry");
	if (type != 0 && type != MODE_REGULAR && type != MODE_DIRECTORY)
		return error_set(err, ERROR_UNSAFE, "symlinkentry",
			"archive contains a device or pipe entry");
	if (!record->is_directory)
		return true;
	if (reader->rules == ZIP_TORCH)
		return error_set(err, ERROR_UNSUPPORTED, "directory",
			"a directory entry; PyTorch never writes one");
	if (record->length != 0)
		return error_set(err, ERROR_CORRUPT, "directory",
			"a directory entry that holds %" PRIu64 " bytes", record->length);
	return true;
}

/* All of an entry but its name. */
static bool
take_entry(const struct reader *reader, const unsigned char *header, struct zip_extra extra,
	struct zip_entry *entry, struct error *err)
{
	struct zip_record     *record = &entry->record;
	struct zip_extra_sizes sizes = {
		.length = checked_u32(header + 24),
		.stored_length = checked_u32(header + 20),
		.header_offset = checked_u32(header + 42),
		.disk = checked_u16(header + 34),
	};

	entry->version = checked_u16(header + 6);
	entry->flags = checked_u16(header + 8);
	record->method = checked_u16(header + 10);
	record->crc = checked_u32(header + 16);
	if (!check_flags(entry->flags, record->method, err)
	    || !zip_directory_extra(extra, record->name, &sizes, err))
		return false;
	record->length = sizes.length;
	record->stored_length = sizes.stored_length;
	record->header_offset = sizes.header_offset;
	if (record->method == ZIP_STORED && record->length != record->stored_length)
		return error_set(err, ERROR_CORRUPT, "storedsize",
			"stored record: %" PRIu64 " vs %" PRIu64 " bytes",
			record->stored_length, record->length);
	return check_type(reader, record, checked_u32(header + 38), err);
}

static bool
read_name(const struct reader *reader, size_t length, struct zip_entry *entry,
	struct error *err)
{
	char   name[ZIP_NAMES_LONGEST + 1];
	size_t kept = length < sizeof name ? length : sizeof name;

	if (!byte_stream_read(reader->stream, name, kept, err))
		return false;
	if (length > ZIP_NAMES_LONGEST)
		name[sizeof name - 1] = '\0';
	if (!zip_names_check(name, length, err))
		return false;
	entry->record.name = arena_copy(reader->names, name, length);
	if (entry->record.name == NULL)
		return error_no_memory(err, length);
	entry->record.is_directory = name[length - 1] == '/';
	return true;
}

/* `header` is checked and read; the stream stands behind it. */
static bool
read_entry(const struct reader *reader, const unsigned char *header, struct zip_entry *entry,
	struct error *err)
{
	size_t           name_length = checked_u16(header + 28);
	struct zip_extra extra = { reader->extra, checked_u16(header + 30) };
	size_t           comment_length = checked_u16(header + 32);
	uint64_t         next = byte_stream_position(reader->stream) + name_length
		+ extra.length + comment_length;

	if (!read_name(reader, name_length, entry, err)
	    || !byte_stream_read(reader->stream, reader->extra, extra.length, err))
		return false;
	if (!take_entry(reader, header, extra, entry, err))
		return error_in_member(err, entry->record.name);
	return byte_stream_seek(reader->stream, next, err);
}

/* ---- all of them ------------------------------------------------------------------ */

/* The next header, *is_there false where the directory ends. */
static bool
read_header(const struct reader *reader, unsigned char header[ENTRY_BYTES], bool *is_there,
	struct error *err)
{
	uint64_t position = byte_stream_position(reader->stream);
	uint64_t left = reader->directory_end - position;

	*is_there = left > 0;
	if (left == 0)
		return true;
	if (left >= ENTRY_BYTES) {
		if (!byte_stream_read(reader->stream, header, ENTRY_BYTES, err))
			return false;
		left -= ENTRY_BYTES;
		if (checked_u32(header) == SIGNATURE && left >= (uint64_t)checked_u16(header + 28)
		    + checked_u16(header + 30) + checked_u16(header + 32))
			return true;
	}
	error_set(err, ERROR_CORRUPT, "cdbad", "no entry of the directory where one must be");
	return error_at(err, position);
}

/* More entries than the end record says: how many? */
static bool
fail_too_many(const struct reader *reader, uint64_t seen, uint64_t declared,
	const unsigned char *first, struct error *err)
{
	unsigned char header[ENTRY_BYTES];
	bool          is_there = true;

	memcpy(header, first, sizeof header);
	while (is_there) {
		uint64_t rest = (uint64_t)checked_u16(header + 28) + checked_u16(header + 30)
			+ checked_u16(header + 32);

		seen++;
		if (!byte_stream_seek(reader->stream,
		    byte_stream_position(reader->stream) + rest, err)
		    || !read_header(reader, header, &is_there, err))
			return false;
	}
	return error_set(err, ERROR_CORRUPT, "countbad",
		"directory lists %" PRIu64 " entries, end record says %" PRIu64, seen, declared);
}

static bool
read_entries(const struct reader *reader, const struct zip_end *end,
	struct zip_entry *entries, struct error *err)
{
	unsigned char header[ENTRY_BYTES];
	bool          is_there;

	for (uint64_t seen = 0;; seen++) {
		if (!read_header(reader, header, &is_there, err))
			return false;
		if (!is_there && seen == end->count)
			return true;
		if (!is_there)
			return error_set(err, ERROR_CORRUPT, "countbad",
				"directory lists %" PRIu64 " entries, end record says %" PRIu64,
				seen, end->count);
		if (seen == end->count)
			return fail_too_many(reader, seen, end->count, header, err);
		if (!read_entry(reader, header, &entries[seen], err))
			return false;
	}
}

bool
zip_directory_read(struct byte_stream *stream, enum zip_rules rules,
	const struct zip_end *end, struct arena *names, struct zip_entry **entries,
	struct error *err)
{
	struct reader reader = {
		.stream = stream,
		.rules = rules,
		.directory_end = end->directory_offset + end->directory_length,
		.names = names,
		.extra = malloc(UINT16_MAX),
	};
	bool done = false;

	/* The count was compared with the bytes that are there. */
	*entries = calloc((size_t)end->count + 1, sizeof **entries);
	if (reader.extra == NULL || *entries == NULL)
		error_no_memory(err, (end->count + 1) * sizeof **entries);
	else
		done = byte_stream_seek(stream, end->directory_offset, err)
			&& read_entries(&reader, end, *entries, err);
	free(reader.extra);
	if (!done) {
		free(*entries);
		*entries = NULL;
	}
	return done;
}
