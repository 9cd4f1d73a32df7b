#include "torch/torch_directory.h"

#include "base/arena.h"
#include "base/checked.h"
#include "container/zip_directory.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/*
 * Directory entry, 46 bytes and then name, extra field, comment:
 *
 *	 0 50 4B 01 02   4 made by   6 needed   8 flags  10 method  12 time  14 date  16 crc
 *	20 stored u32   24 length u32   28 name length   30 extra length   32 comment length
 *	34 disk         36 attributes   38 host's attributes u32           42 header offset u32
 */
#define MOST_RECORDS  1000000
#define NAMES_BYTES   ((size_t)128 << 20)
#define MODE_TYPE     0170000u
#define MODE_REGULAR  0100000u

struct walked_record {
	const char *name;
	uint64_t    position, length;
	uint32_t    crc;
	uint16_t    flags, method;
};

struct torch_directory {
	struct arena          names;
	struct walked_record *records;
	size_t                count, room, listed;      /* listed: entries that came */
	uint64_t              start, end;               /* of the entries */
	bool                  has_end64, has_locator;
	uint64_t              end64_position;
};

struct torch_directory *
torch_directory_open(struct error *err)
{
	struct torch_directory *directory = calloc(1, sizeof *directory);

	if (directory == NULL)
		error_no_memory(err, sizeof *directory);
	else
		arena_init(&directory->names, NAMES_BYTES);
	return directory;
}

bool
torch_directory_note(struct torch_directory *directory, const struct zip_local_header *header,
	uint64_t position, uint32_t crc, uint64_t length, struct error *err)
{
	struct walked_record *record;

	if (directory->count == MOST_RECORDS)
		return error_set(err, ERROR_LIMIT, "manynames",
			"archive has more than %d entries (limit)", MOST_RECORDS);
	if (directory->count == directory->room) {
		size_t                room = directory->room == 0 ? 64 : directory->room * 2;
		struct walked_record *records = realloc(directory->records,
			room * sizeof *records);

		if (records == NULL)
			return error_no_memory(err, room * sizeof *records);
		directory->records = records;
		directory->room = room;
	}
	record = &directory->records[directory->count];
	record->name = arena_copy(&directory->names, header->name, strlen(header->name));
	if (record->name == NULL)
		return error_no_memory(err, NAMES_BYTES);
	record->position = position;
	record->length = length;
	record->crc = crc;
	record->flags = header->flags;
	record->method = header->method;
	directory->count++;
	return true;
}

/* ---- entries ------------------------------------------------------------------------ */

static bool
check_type(const unsigned char *bytes, const char *name, struct error *err)
{
	uint32_t type = checked_u32(bytes + 38) >> 16 & MODE_TYPE;

	return type == 0 || type == MODE_REGULAR || error_set(err, ERROR_UNSAFE, "symlinkentry",
		"archive contains a symbolic link or device entry (%s)", name);
}

static bool
compare_entry(const struct walked_record *record, const unsigned char *bytes,
	const struct zip_extra_sizes *sizes, struct error *err)
{
	size_t name_length = checked_u16(bytes + 28);

	if (sizes->header_offset != record->position)
		return error_set(err, ERROR_UNSUPPORTED, "walk",
			"the directory lists its records in another order than they come");
	if (name_length != strlen(record->name)
		|| memcmp(bytes + TORCH_DIRECTORY_ENTRY_BYTES, record->name, name_length) != 0)
		return error_set(err, ERROR_UNSAFE, "lh",
			"local header of %s disagrees with the directory: name", record->name);
	if (checked_u16(bytes + 8) != record->flags || checked_u16(bytes + 10) != record->method)
		return error_set(err, ERROR_CORRUPT, "lh",
			"local header of %s disagrees with the directory: flags or method",
			record->name);
	if (sizes->length != record->length || sizes->stored_length != record->length)
		return error_set(err, ERROR_CORRUPT, "dd", "%s has %" PRIu64
			" bytes, the directory says %" PRIu64, record->name, record->length,
			sizes->length);
	if (checked_u32(bytes + 16) != record->crc)
		return error_set(err, ERROR_CORRUPT, "dd",
			"data descriptor of %s disagrees with the directory: CRC-32", record->name);
	return check_type(bytes, record->name, err);
}

bool
torch_directory_entry(struct torch_directory *directory, uint64_t position,
	const unsigned char *bytes, size_t count, struct error *err)
{
	struct zip_extra_sizes sizes = { checked_u32(bytes + 24), checked_u32(bytes + 20),
		checked_u32(bytes + 42), checked_u16(bytes + 34) };
	struct zip_extra       extra = { bytes + TORCH_DIRECTORY_ENTRY_BYTES
		+ checked_u16(bytes + 28), checked_u16(bytes + 30) };

	if (directory->listed == 0)
		directory->start = position;
	if (directory->listed == directory->count)
		return error_set(err, ERROR_CORRUPT, "countbad",
			"directory lists more than the %zu records that are there",
			directory->count);
	if (!zip_directory_extra(extra, directory->records[directory->listed].name, &sizes, err)
		|| !compare_entry(&directory->records[directory->listed], bytes, &sizes, err))
		return false;
	directory->listed++;
	directory->end = position + count;
	return true;
}

/* ---- end records -------------------------------------------------------------------- */

static int
by_folded_name(const void *a, const void *b)
{
	const struct walked_record *left = a, *right = b;

	return strcasecmp(left->name, right->name);
}

/* Torch takes the first of two records whose names differ in case only, others the last. */
static bool
check_names(struct torch_directory *directory, struct error *err)
{
	qsort(directory->records, directory->count, sizeof *directory->records, by_folded_name);
	for (size_t i = 1; i < directory->count; i++) {
		const char *one = directory->records[i - 1].name, *two = directory->records[i].name;

		if (strcmp(one, two) == 0)
			return error_set(err, ERROR_UNSAFE, "dup", "%s appears twice", one);
		if (strcasecmp(one, two) == 0)
			return error_set(err, ERROR_UNSAFE, "casedup", "%s and %s differ only in case",
				one, two);
	}
	return true;
}

static bool
disagrees(struct error *err)
{
	return error_set(err, ERROR_CORRUPT, "cdbad",
		"the end records disagree with the directory (count, size or offset)");
}

bool
torch_directory_end64(struct torch_directory *directory, uint64_t position,
	const unsigned char bytes[TORCH_DIRECTORY_END64_BYTES], struct error *err)
{
	if (directory->has_end64 || position != directory->end)
		return disagrees(err);
	directory->has_end64 = true;
	directory->end64_position = position;
	if (checked_u64(bytes + 4) != TORCH_DIRECTORY_END64_BYTES - 12
		|| checked_u32(bytes + 16) != 0 || checked_u32(bytes + 20) != 0
		|| checked_u64(bytes + 24) != directory->count
		|| checked_u64(bytes + 32) != directory->count
		|| checked_u64(bytes + 40) != directory->end - directory->start
		|| checked_u64(bytes + 48) != directory->start)
		return disagrees(err);
	return true;
}

bool
torch_directory_locator(struct torch_directory *directory, uint64_t position,
	const unsigned char bytes[TORCH_DIRECTORY_LOCATOR_BYTES], struct error *err)
{
	if (!directory->has_end64 || directory->has_locator
		|| position != directory->end64_position + TORCH_DIRECTORY_END64_BYTES
		|| checked_u64(bytes + 8) != directory->end64_position)
		return error_set(err, ERROR_UNSAFE, "zip64elsewhere",
			"zip64 end record is not where it must be (expected offset %" PRIu64
			", found %" PRIu64 ")", directory->end64_position, checked_u64(bytes + 8));
	directory->has_locator = true;
	return true;
}

/* The classic field, or its mark "see the zip64 record". */
static bool
agrees(uint64_t field, uint64_t mark, uint64_t value, bool has_end64)
{
	return field == value || (has_end64 && field == mark);
}

bool
torch_directory_end(struct torch_directory *directory, uint64_t position,
	const unsigned char bytes[TORCH_DIRECTORY_END_BYTES], struct error *err)
{
	bool     has_end64 = directory->has_end64;
	uint64_t expected = directory->end;

	if (directory->listed != directory->count)
		return error_set(err, ERROR_CORRUPT, "countbad",
			"directory lists %zu entries, the archive has %zu records",
			directory->listed, directory->count);
	if (has_end64)
		expected += TORCH_DIRECTORY_END64_BYTES + TORCH_DIRECTORY_LOCATOR_BYTES;
	if (position != expected)
		return disagrees(err);
	if (checked_u16(bytes + 20) != 0)
		return error_set(err, ERROR_UNSAFE, "comment",
			"archive comment of %u bytes; PyTorch never writes one",
			checked_u16(bytes + 20));
	if (checked_u16(bytes + 4) != 0 || checked_u16(bytes + 6) != 0)
		return error_set(err, ERROR_UNSUPPORTED, "multidisk",
			"multi-volume zip archives are not supported");
	if (!agrees(checked_u16(bytes + 8), UINT16_MAX, directory->count, has_end64)
		|| !agrees(checked_u16(bytes + 10), UINT16_MAX, directory->count, has_end64)
		|| !agrees(checked_u32(bytes + 12), UINT32_MAX, directory->end - directory->start,
			has_end64)
		|| !agrees(checked_u32(bytes + 16), UINT32_MAX, directory->start, has_end64))
		return !has_end64 ? disagrees(err) : error_set(err, ERROR_UNSAFE,
			"zip64disagree", "the two end records disagree (count, size or offset)");
	return check_names(directory, err);
}

void
torch_directory_close(struct torch_directory *directory)
{
	if (directory == NULL)
		return;
	arena_fini(&directory->names);
	free(directory->records);
	free(directory);
}
