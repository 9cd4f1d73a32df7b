#include "container/zip_archive.h"

#include "base/text.h"
#include "container/crc32.h"
#include "container/inflate.h"
#include "container/zip_directory.h"
#include "container/zip_end.h"
#include "container/zip_names.h"
#include "container/zip_opinion.h"
#include "container/zip_tiling.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct zip_archive {
	struct byte_stream *stream;
	struct zip_end      end;
	struct arena        text;               /* the names */
	struct zip_entry   *entries;            /* by header offset */
	struct zip_names   *names;
	const char         *root;               /* ZIP_TORCH only, else "" */
};

/* ---- opening ---------------------------------------------------------------------- */

static int
by_offset(const void *a, const void *b)
{
	const struct zip_record *left = &((const struct zip_entry *)a)->record;
	const struct zip_record *right = &((const struct zip_entry *)b)->record;

	if (left->header_offset != right->header_offset)
		return left->header_offset < right->header_offset ? -1 : 1;
	/* Names are unique, so the order does not depend on how qsort treats ties. */
	return strcmp(left->name, right->name);
}

/* Writers put the directory in the order of the records: then there is nothing to do. */
static void
sort_entries(struct zip_entry *entries, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		if (by_offset(&entries[i - 1], &entries[i]) > 0) {
			qsort(entries, count, sizeof *entries, by_offset);
			return;
		}
	}
}

/* torch reads the folder of the first record and wants all others in it. */
static bool
find_root(struct zip_archive *archive, struct error *err)
{
	const char *first = archive->end.count > 0 ? archive->entries[0].record.name : "";
	const char *slash = strchr(first, '/');
	size_t      length = slash != NULL ? (size_t)(slash - first) : 0;

	if (slash == NULL)
		return error_set(err, ERROR_UNSUPPORTED, "noroot",
			archive->end.count == 0 ? "archive is empty: not written by torch.save"
			: "record %s is in no folder: not written by torch.save", first);
	for (size_t i = 1; i < archive->end.count; i++) {
		const char *name = archive->entries[i].record.name;

		if (strncmp(name, first, length + 1) != 0)
			return error_set(err, ERROR_UNSUPPORTED, "noroot",
				"records %s and %s are not in one folder: not written by torch.save",
				first, name);
	}
	archive->root = arena_copy(&archive->text, first, length);
	return archive->root != NULL || error_no_memory(err, length);
}

static bool
open_directory(struct zip_archive *archive, enum zip_rules rules, struct error *err)
{
	struct byte_stream *stream = archive->stream;
	size_t              count;
	bool                is_odd_header;

	if (!zip_end_read(stream, rules, &archive->end, err))
		return false;
	count = (size_t)archive->end.count;
	/* One more for the root. */
	arena_init(&archive->text, zip_directory_names_limit(count + 1));
	archive->root = "";
	if (!zip_directory_read(stream, rules, &archive->end, &archive->text,
	    &archive->entries, err))
		return false;
	sort_entries(archive->entries, count);
	if ((archive->names = zip_names_open(archive->entries, count, err)) == NULL
	    || !zip_tiling_check(stream, rules, &archive->end, archive->entries,
	    &is_odd_header, err)
	    || (rules == ZIP_TORCH && !find_root(archive, err)))
		return false;
	return byte_stream_is_deflated(stream)
		|| zip_opinion_agrees(stream, archive->names, count, !is_odd_header, err);
}

/*
 * A transfer in text mode turns LF into CR LF.  Random bytes hold one LF in 256, and one CR
 * before it in 65536: where every LF of many has its CR, this was done.
 */
static bool
was_text_transfer(struct byte_stream *stream)
{
	enum { LOOK_AT = 1 << 20, LEAST = 16 };
	const unsigned char *at;
	struct error         ignored = { 0 };
	unsigned char        before = 0;
	size_t               count, pairs = 0;
	uint64_t             seen = 0;

	if (!byte_stream_seek(stream, 0, &ignored))
		return false;
	while (seen < LOOK_AT && byte_stream_peek(stream, &at, &count, &ignored) && count > 0) {
		for (size_t i = 0; i < count; i++) {
			if (at[i] == '\n' && before != '\r')
				return false;
			pairs += at[i] == '\n';
			before = at[i];
		}
		seen += count;
		byte_stream_consume(stream, count);
	}
	return pairs >= LEAST;
}

static void
explain(struct byte_stream *stream, struct error *err)
{
	if ((err->kind == ERROR_CORRUPT || err->kind == ERROR_UNSAFE)
	    && was_text_transfer(stream)) {
		error_set(err, ERROR_CORRUPT, "crlf", "file was changed by a text-mode transfer");
		error_hint(err, "fetch it again in binary mode");
	}
	error_in_file(err, byte_stream_file(stream)->name);
}

struct zip_archive *
zip_archive_open(struct byte_stream *stream, enum zip_rules rules, struct error *err)
{
	struct zip_archive *archive = calloc(1, sizeof *archive);

	if (archive == NULL) {
		error_no_memory(err, sizeof *archive);
		return NULL;
	}
	archive->stream = stream;
	if (open_directory(archive, rules, err))
		return archive;
	explain(stream, err);
	zip_archive_close(archive);
	return NULL;
}

void
zip_archive_close(struct zip_archive *archive)
{
	if (archive == NULL)
		return;
	zip_names_close(archive->names);
	free(archive->entries);
	arena_fini(&archive->text);
	free(archive);
}

/* ---- looking ---------------------------------------------------------------------- */

size_t
zip_archive_count(const struct zip_archive *archive)
{
	return (size_t)archive->end.count;
}

const struct zip_record *
zip_archive_record(const struct zip_archive *archive, size_t index)
{
	return &archive->entries[index].record;
}

const struct zip_record *
zip_archive_find(const struct zip_archive *archive, const char *name)
{
	const struct zip_entry *entry = zip_names_find(archive->names, name);

	return entry != NULL ? &entry->record : NULL;
}

const char *
zip_archive_root(const struct zip_archive *archive)
{
	return archive->root;
}

const struct input_file *
zip_archive_file(const struct zip_archive *archive)
{
	return byte_stream_file(archive->stream);
}

size_t
zip_archive_comment_length(const struct zip_archive *archive)
{
	return archive->end.comment_length;
}

/* ---- records ---------------------------------------------------------------------- */

struct byte_stream *
zip_archive_open_record(const struct zip_archive *archive, const struct zip_record *record,
	struct error *err)
{
	const struct input_file *file = byte_stream_file(archive->stream);
	/* In the range of the archive: the tiling check has seen to that. */
	uint64_t offset = byte_stream_file_offset(archive->stream) + record->data_offset;

	if (byte_stream_is_deflated(archive->stream)) {
		error_set(err, ERROR_INTERNAL, "internal",
			"a record of an archive that is itself deflated cannot be opened by offset");
		return NULL;
	}
	if (record->method == ZIP_STORED)
		return byte_stream_open(file, offset, record->length, err);
	return byte_stream_open_deflated(file, offset, record->stored_length, record->length,
		err);
}

static bool
check_crc(const struct zip_record *record, const char *bytes, struct error *err)
{
	uint32_t crc = crc32_of(0, bytes, (size_t)record->length);

	/* torch can be told to leave checksums out; it then writes 0. */
	if (crc == record->crc || record->crc == 0)
		return true;
	error_set(err, ERROR_CORRUPT, "bitflip",
		"CRC-32 mismatch (stored %08" PRIx32 ", computed %08" PRIx32 ")", record->crc, crc);
	return error_hint(err, "the file is damaged; fetch it again");
}

static bool
inflate_all(struct byte_stream *stream, const struct zip_record *record, char *to,
	struct error *err)
{
	struct inflater *inflater = inflater_open(record->length, err);
	uint64_t         left = record->stored_length, made = 0;
	bool             done = false;

	if (inflater == NULL)
		return false;
	while (left > 0 && !inflater_ended(inflater)) {
		const unsigned char *at;
		size_t               shown, rest, put;

		if (!byte_stream_peek(stream, &at, &shown, err))
			goto out;
		rest = shown = shown < left ? shown : (size_t)left;
		while (rest > 0 && !inflater_ended(inflater)) {
			if (!inflater_step(inflater, &at, &rest, (unsigned char *)to + made,
			    (size_t)(record->length - made), &put, err))
				goto out;
			made += put;
		}
		byte_stream_consume(stream, shown - rest);
		left -= shown - rest;
	}
	if ((record->length == 0 && record->stored_length == 0) || inflater_finish(inflater, err))
		done = left == 0 || error_set(err, ERROR_CORRUPT, "deflbad",
			"%" PRIu64 " bytes after the end of the compressed data", left);
out:
	inflater_close(inflater);
	return done;
}

static bool
check_size(const struct zip_record *record, size_t limit, struct error *err)
{
	/* One byte of deflate makes at most 1032; more is a lie that costs memory. */
	enum { RATIO_MOST = 1032, RATIO_SLACK = 1 << 12 };

	if (record->length > limit)
		return error_set(err, ERROR_LIMIT, "recordsize",
			"%" PRIu64 " bytes (limit %zu)", record->length, limit);
	if (record->method == ZIP_DEFLATED && record->length > RATIO_SLACK
	    && (record->length - RATIO_SLACK) / RATIO_MOST > record->stored_length)
		return error_set(err, ERROR_CORRUPT, "deflshort",
			"%" PRIu64 " bytes of deflate cannot expand to the %" PRIu64 " declared",
			record->stored_length, record->length);
	return true;
}

char *
zip_archive_read_record(const struct zip_archive *archive, const struct zip_record *record,
	size_t limit, struct error *err)
{
	struct byte_stream *stream = archive->stream;
	char               *bytes = NULL;
	bool                done = false;

	if (limit == SIZE_MAX)
		limit--;
	if (!check_size(record, limit, err))
		goto out;
	if ((bytes = malloc((size_t)record->length + 1)) == NULL) {
		error_no_memory(err, record->length);
		goto out;
	}
	bytes[record->length] = '\0';
	if (!byte_stream_seek(stream, record->data_offset, err))
		goto out;
	done = (record->method == ZIP_STORED
		? byte_stream_read(stream, bytes, (size_t)record->length, err)
		: inflate_all(stream, record, bytes, err)) && check_crc(record, bytes, err);
out:
	if (done)
		return bytes;
	error_in_member(err, record->name);
	error_in_file(err, byte_stream_file(stream)->name);
	free(bytes);
	return NULL;
}
