#include "torch/torch_zip.h"

#include "base/text.h"
#include "container/identify.h"
#include "torch/torch_source.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/*
 * torch.save since 1.6: a zip whose records are all stored in one folder (FOLDER is "archive"
 * or the name that the file had once).
 *
 *	FOLDER/data.pkl                 the pickle; storages are persistent ids
 *	FOLDER/data/KEY                 the bytes of one storage, no header
 *	FOLDER/version                  "3\n"
 *	FOLDER/byteorder                "little" (2.1 and newer)
 *	FOLDER/.data/serialization_id, .format_version, .storage_alignment
 *
 * The order differs between versions of torch, and unknown records are ignored.
 */

#define NEWEST_VERSION 10
#define RECORD_NAME    600

bool
torch_zip_check_version(const char *bytes, size_t length, struct error *err)
{
	char     shown[64];
	uint64_t version;

	while (length > 0 && (bytes[length - 1] == '\n' || bytes[length - 1] == '\r'))
		length--;
	text_escape(shown, sizeof shown, bytes, length);
	if (length == 0)
		return error_set(err, ERROR_CORRUPT, "version", "the version record is empty");
	for (size_t i = 0; i < length; i++)
		if (bytes[i] < '0' || bytes[i] > '9')
			return error_set(err, ERROR_CORRUPT, "version",
				"archive version '%s' is not a number", shown);
	if (!text_parse_u64(bytes, length, &version) || version > NEWEST_VERSION)
		return error_set(err, ERROR_UNSUPPORTED, "version",
			"archive version %s is newer than supported (%d)", shown, NEWEST_VERSION);
	if (version < 1)
		return error_set(err, ERROR_CORRUPT, "version", "archive version 0 does not exist");
	return true;
}

bool
torch_zip_check_byteorder(const char *bytes, size_t length, struct error *err)
{
	char shown[64];

	if (length == 6 && memcmp(bytes, "little", 6) == 0)
		return true;
	if (length == 3 && memcmp(bytes, "big", 3) == 0)
		return error_set(err, ERROR_UNSUPPORTED, "byteorder",
			"big-endian checkpoint (byteorder record)");
	text_escape(shown, sizeof shown, bytes, length);
	return error_set(err, ERROR_CORRUPT, "byteorder",
		"byteorder record is '%s', 'little' was expected", shown);
}

const char *
torch_zip_storage_key(const char *record_name)
{
	const char *name = strchr(record_name, '/');

	return name != NULL && text_has_prefix(name, "/data/") ? name + 6 : NULL;
}

bool
torch_zip_crc_error(const char *name, uint32_t stored, uint32_t computed, struct error *err)
{
	error_set(err, ERROR_CORRUPT, "bitflip",
		"CRC-32 mismatch (stored %08" PRIx32 ", computed %08" PRIx32 ")", stored, computed);
	error_in_member(err, name);
	return error_hint(err, "the file is damaged; download or copy it again");
}

/* ---- records ------------------------------------------------------------------------ */

static const struct zip_record *
find_record(const struct torch_file *file, const char *name)
{
	char full[RECORD_NAME];

	text_format(full, sizeof full, "%s/%s", zip_archive_root(file->archive), name);
	return zip_archive_find(file->archive, full);
}

typedef bool small_record_check(const char *bytes, size_t length, struct error *err);

static bool
check_small_record(const struct torch_file *file, const struct zip_record *record,
	small_record_check *check, struct error *err)
{
	char *bytes = zip_archive_read_record(file->archive, record, TORCH_ZIP_SMALL_RECORD, err);
	bool  done = bytes != NULL && check(bytes, (size_t)record->length, err);

	free(bytes);
	return done;
}

static bool
check_version(const struct torch_file *file, struct error *err)
{
	/* Archives of version 6 and newer put it under .data/. */
	const struct zip_record *record = find_record(file, ".data/version");

	if (record == NULL)
		record = find_record(file, "version");
	if (record == NULL)
		return error_set(err, ERROR_CORRUPT, "version", "the record %s/version is missing",
			zip_archive_root(file->archive));
	return check_small_record(file, record, torch_zip_check_version, err);
}

static bool
check_byteorder(const struct torch_file *file, struct error *err)
{
	const struct zip_record *record = find_record(file, "byteorder");

	/* Absent: little-endian, whatever machine wrote it; torch decided so in 2.1. */
	return record == NULL || check_small_record(file, record, torch_zip_check_byteorder, err);
}

/* ---- data.pkl ----------------------------------------------------------------------- */

/* A damaged pickle fails in odd ways.  When its CRC-32 is wrong too, that is the message. */
static void
prefer_crc_error(struct torch_source *source, const struct zip_record *record,
	struct error *err)
{
	struct error other = { 0 };

	if (err->kind == ERROR_UNSAFE || record->crc == 0)
		return;
	if (torch_source_drain(source, &other) && source->crc != record->crc)
		torch_zip_crc_error(record->name, record->crc, source->crc, err);
}

static bool
run_pickle(struct torch_file *file, struct torch_source *source,
	const struct zip_record *record, struct error *err)
{
	uint64_t consumed;

	file->root = torch_source_pickle(source, record->length, &file->arena, &file->globals,
		err);
	if (file->root == NULL) {
		error_in_member(err, record->name);
		prefer_crc_error(source, record, err);
		return false;
	}
	consumed = source->consumed;
	if (!torch_source_drain(source, err))
		return error_in_member(err, record->name);
	if (record->crc != 0 && source->crc != record->crc)
		return torch_zip_crc_error(record->name, record->crc, source->crc, err);
	if (consumed != record->length) {
		error_set(err, ERROR_CORRUPT, "nostop", "%" PRIu64 " bytes after STOP",
			record->length - consumed);
		error_at(err, consumed);
		return error_in_member(err, record->name);
	}
	return true;
}

static bool
read_pickle(struct torch_file *file, struct error *err)
{
	const struct zip_record *record = find_record(file, "data.pkl");
	struct torch_source      source;
	bool                     done;

	/* identify_zip() has seen it, and all records are in one folder. */
	if (record == NULL)
		return error_set(err, ERROR_INTERNAL, "noroot", "no data.pkl in a zip of torch");
	if (record->length > pickle_default_limits.bytes)
		return error_set(err, ERROR_LIMIT, "hugepkl",
			"%s has %" PRIu64 " bytes (limit %" PRIu64 " MiB)", record->name,
			record->length, pickle_default_limits.bytes >> 20);
	done = torch_source_open(&source, file->stream, record->data_offset,
			record->stored_length, record->method == ZIP_DEFLATED, record->length, err)
		&& run_pickle(file, &source, record, err);
	torch_source_close(&source);
	return done;
}

/* ---- storages ----------------------------------------------------------------------- */

static bool
place_storage(struct torch_file *file, size_t index, struct error *err)
{
	struct torch_storage_entry *entry = &file->storages.entries[index];
	struct torch_storage       *storage = &entry->storage;
	const struct zip_record    *record;
	char                        name[32];

	text_format(name, sizeof name, "data/%s", storage->key);
	record = find_record(file, name);
	if (record == NULL)
		return error_set(err, ERROR_CORRUPT, "missingrec",
			"the pickle needs record %s/%s, which is not in the archive",
			zip_archive_root(file->archive), name);
	if (record->length != storage->bytes)
		return error_set(err, ERROR_CORRUPT, "recsize", "storage %s: pickle says %" PRIu64
			" x %" PRIu64 " bytes, record %s holds %" PRIu64 " (%" PRIu64 " needed)",
			storage->key, storage->count, entry->element_size, record->name,
			record->length, storage->bytes);
	storage->is_placed = record->method == ZIP_STORED;
	storage->offset = storage->is_placed ? record->data_offset : 0;
	return true;
}

/* Which storage each record is, the bytes that none needs, and whether there are checksums. */
static bool
index_records(struct torch_file *file, struct error *err)
{
	size_t count = zip_archive_count(file->archive);

	if ((file->record_storage = calloc(count + 1, sizeof *file->record_storage)) == NULL)
		return error_no_memory(err, count * sizeof *file->record_storage);
	file->has_checksums = true;
	for (size_t i = 0; i < count; i++) {
		const struct zip_record *record = zip_archive_record(file->archive, i);
		const char              *key = torch_zip_storage_key(record->name);
		size_t                   found = file->storages.count;

		if (record->crc == 0 && record->length > 0)
			file->has_checksums = false;
		if (key != NULL)
			found = torch_storages_find(&file->storages, key, strlen(key));
		file->record_storage[i] = found == file->storages.count ? TORCH_NO_STORAGE : found;
		if (key != NULL && found == file->storages.count)
			file->unused_bytes += record->length;
	}
	return true;
}

static bool
refuse_other_zips(const struct torch_file *file, struct error *err)
{
	const char *checkpoint = "";

	switch (identify_zip(file->archive, err)) {
	case ZIP_IDENTITY_TORCH:
		return true;
	case ZIP_IDENTITY_REFUSED:
		return false;
	case ZIP_IDENTITY_DOWNLOAD:
		break;
	}
	for (size_t i = 0; i < zip_archive_count(file->archive); i++) {
		const char *name = zip_archive_record(file->archive, i)->name;

		if (checkpoint[0] == '\0' && text_has_suffix(name, ".pt"))
			checkpoint = name;
	}
	error_set(err, ERROR_UNSUPPORTED, "nesting", "a zip that holds a checkpoint (%s), where the"
		" checkpoint itself was expected", checkpoint);
	return error_hint(err, "unpack it first");
}

bool
torch_zip_open(struct torch_file *file, struct error *err)
{
	file->form = TORCH_ZIP;
	file->inflates_twice = byte_stream_is_deflated(file->stream);
	if ((file->archive = zip_archive_open(file->stream, ZIP_TORCH, err)) == NULL)
		return false;
	if (!refuse_other_zips(file, err) || !check_version(file, err)
		|| !check_byteorder(file, err) || !read_pickle(file, err)
		|| !torch_storages_collect(&file->storages, file->root, err))
		return false;
	for (size_t i = 0; i < file->storages.count; i++)
		if (!place_storage(file, i, err))
			return false;
	return index_records(file, err);
}
