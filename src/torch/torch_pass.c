#include "torch/torch_pass.h"

#include "container/inflate.h"
#include "torch/torch_delivery.h"
#include "torch/torch_legacy.h"
#include "torch/torch_members.h"
#include "torch/torch_parts.h"
#include "torch/torch_zip.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define INFLATED_BYTES ((size_t)1 << 18)

/*
 * Where a legacy stream's storages, or a zip's records, lie is known before the pass: the
 * stream is a row of segments, and what is between them was checked at open.  A zip that is
 * only walked is taken apart by torch_members instead.
 */
enum segment_kind {
	SEGMENT_PICKLES,        /* of a legacy stream */
	SEGMENT_COUNT,          /* the 8 bytes before a legacy storage; `index` is the storage */
	SEGMENT_STORAGE,        /* a legacy storage */
	SEGMENT_RECORD,         /* of a zip; `index` is the record */
};

struct segment {
	enum segment_kind kind;
	uint64_t          offset, length;
	size_t            index;
};

struct torch_pass {
	const struct torch_file *file;
	struct torch_delivery    delivery;
	uint64_t                 position;      /* bytes that were fed */
	struct torch_members    *members;       /* not NULL: walks, and has no segments */
	struct segment          *segments;
	size_t                   count, current;
	unsigned char            field[TORCH_LEGACY_COUNT_BYTES];
	struct inflater         *inflater;      /* of the present record, if it is deflated */
	unsigned char           *inflated;
};

/* ---- the row of segments ------------------------------------------------------------ */

static void
add_segment(struct torch_pass *pass, enum segment_kind kind, uint64_t offset,
	uint64_t length, size_t index)
{
	/* An empty one has nothing to check: no bytes, CRC-32 0. */
	if (length > 0)
		pass->segments[pass->count++] = (struct segment){ kind, offset, length, index };
}

static bool
lay_out_legacy(struct torch_pass *pass, struct error *err)
{
	const struct torch_file *file = pass->file;
	size_t                   room = 2 * file->order_count + 1;

	if ((pass->segments = calloc(room, sizeof *pass->segments)) == NULL)
		return error_no_memory(err, room * sizeof *pass->segments);
	add_segment(pass, SEGMENT_PICKLES, 0, file->pickle_length, 0);
	for (size_t i = 0; i < file->order_count; i++) {
		size_t                      index = file->order[i];
		const struct torch_storage *storage = &file->storages.entries[index].storage;

		add_segment(pass, SEGMENT_COUNT, storage->offset - TORCH_LEGACY_COUNT_BYTES,
			TORCH_LEGACY_COUNT_BYTES, index);
		add_segment(pass, SEGMENT_STORAGE, storage->offset, storage->bytes, index);
	}
	return true;
}

static bool
lay_out_zip(struct torch_pass *pass, struct error *err)
{
	const struct zip_archive *archive = pass->file->archive;
	size_t                    count = zip_archive_count(archive);

	if ((pass->segments = calloc(count + 1, sizeof *pass->segments)) == NULL)
		return error_no_memory(err, count * sizeof *pass->segments);
	for (size_t i = 0; i < count; i++) {
		const struct zip_record *record = zip_archive_record(archive, i);

		if (record->length == 0 && record->crc != 0)
			return torch_zip_crc_error(record->name, record->crc, 0, err);
		add_segment(pass, SEGMENT_RECORD, record->data_offset, record->stored_length, i);
	}
	return true;
}

/* ---- segments ----------------------------------------------------------------------- */

/* Offsets in messages about holes count in the file, where that is possible. */
static uint64_t
shown_position(const struct torch_pass *pass, uint64_t offset)
{
	return byte_stream_is_deflated(pass->file->stream) ? offset
		: byte_stream_file_offset(pass->file->stream) + offset;
}

static bool
begin_record(struct torch_pass *pass, const struct segment *segment, struct error *err)
{
	const struct zip_record *record = zip_archive_record(pass->file->archive, segment->index);

	torch_delivery_begin(&pass->delivery, record->name,
		pass->file->record_storage[segment->index], true, record->length,
		shown_position(pass, segment->offset));
	if (record->method != ZIP_DEFLATED)
		return true;
	if (pass->inflated == NULL && (pass->inflated = malloc(INFLATED_BYTES)) == NULL)
		return error_no_memory(err, INFLATED_BYTES);
	return (pass->inflater = inflater_open(record->length, err)) != NULL;
}

static bool
begin_segment(struct torch_pass *pass, const struct segment *segment, struct error *err)
{
	const struct torch_file *file = pass->file;

	switch (segment->kind) {
	case SEGMENT_PICKLES:
		torch_delivery_begin(&pass->delivery, "pickles", TORCH_NO_STORAGE, true,
			segment->length, 0);
		return true;
	case SEGMENT_STORAGE:
		torch_delivery_begin(&pass->delivery,
			file->storages.entries[segment->index].storage.key, segment->index, false,
			segment->length, 0);
		return true;
	case SEGMENT_RECORD:
		return begin_record(pass, segment, err);
	case SEGMENT_COUNT:
		break;
	}
	return true;
}

static bool
inflate_record(struct torch_pass *pass, const unsigned char *bytes, size_t count,
	struct error *err)
{
	size_t made, before;

	do {
		before = count;
		if (!inflater_step(pass->inflater, &bytes, &count, pass->inflated,
				INFLATED_BYTES, &made, err)
			|| !torch_delivery_bytes(&pass->delivery, pass->inflated, made, err))
			return false;
	} while (made > 0 || (count > 0 && count < before));
	if (count > 0)
		return error_set(err, ERROR_CORRUPT, "deflbad",
			"bytes after the end of the compressed data");
	return true;
}

static bool
segment_bytes(struct torch_pass *pass, const struct segment *segment,
	const unsigned char *bytes, size_t count, struct error *err)
{
	if (segment->kind == SEGMENT_COUNT) {
		memcpy(pass->field + (pass->position - segment->offset), bytes, count);
		return true;
	}
	if (pass->inflater == NULL)
		return torch_delivery_bytes(&pass->delivery, bytes, count, err);
	return inflate_record(pass, bytes, count, err)
		|| error_in_member(err, pass->delivery.name);
}

static bool
end_record(struct torch_pass *pass, const struct segment *segment, struct error *err)
{
	const struct zip_record *record = zip_archive_record(pass->file->archive, segment->index);

	if (pass->inflater != NULL) {
		if (!inflater_finish(pass->inflater, err))
			return error_in_member(err, record->name);
		inflater_close(pass->inflater);
		pass->inflater = NULL;
	}
	return torch_delivery_check(&pass->delivery, record->crc, err);
}

static bool
end_segment(struct torch_pass *pass, const struct segment *segment, struct error *err)
{
	const struct torch_file *file = pass->file;

	switch (segment->kind) {
	case SEGMENT_PICKLES:
		return pass->delivery.crc == file->pickle_crc
			|| error_set(err, ERROR_CORRUPT, "changing",
				"changed while being read (the pickles are not those of before)");
	case SEGMENT_COUNT:
		return torch_legacy_check_count(&file->storages.entries[segment->index].storage,
			pass->field, err);
	case SEGMENT_RECORD:
		return end_record(pass, segment, err);
	case SEGMENT_STORAGE:
		break;
	}
	return true;
}

/* As many of the bytes as belong to one segment or to one gap. */
static bool
feed_part(struct torch_pass *pass, const unsigned char *bytes, size_t count, size_t *taken,
	struct error *err)
{
	const struct segment *segment = &pass->segments[pass->current];
	uint64_t              limit;

	*taken = count;
	if (pass->current == pass->count)
		return true;                    /* the directory, which open has checked */
	limit = pass->position < segment->offset ? segment->offset - pass->position
		: segment->offset + segment->length - pass->position;
	if (*taken > limit)
		*taken = (size_t)limit;
	if (pass->position < segment->offset)
		return true;                    /* a local header, likewise */
	if (pass->position == segment->offset && !begin_segment(pass, segment, err))
		return false;
	if (!segment_bytes(pass, segment, bytes, *taken, err))
		return false;
	if (*taken < limit)
		return true;
	pass->current++;
	return end_segment(pass, segment, err);
}

/* ---- face --------------------------------------------------------------------------- */

struct torch_pass *
torch_pass_open(const struct torch_file *file, torch_storage_sink *sink, void *context,
	struct error *err)
{
	struct torch_pass *pass = calloc(1, sizeof *pass);
	bool               done;

	if (pass == NULL) {
		error_no_memory(err, sizeof *pass);
		return NULL;
	}
	pass->file = file;
	pass->delivery.sink = sink;
	pass->delivery.context = context;
	if (file->form == TORCH_LEGACY)
		done = lay_out_legacy(pass, err);
	else if (file->archive != NULL)
		done = lay_out_zip(pass, err);
	else
		done = (pass->members = torch_members_open(file, &pass->delivery, err)) != NULL;
	if (!done) {
		torch_pass_close(pass);
		return NULL;
	}
	return pass;
}

bool
torch_pass_feed(struct torch_pass *pass, const unsigned char *bytes, size_t count,
	struct error *err)
{
	uint64_t length = byte_stream_length(pass->file->stream);

	if (count > length - pass->position)
		return error_set(err, ERROR_CORRUPT, "changing",
			"changed while being read (more than the %" PRIu64 " bytes of before)",
			length);
	while (count > 0) {
		size_t taken = count;
		bool   done = pass->members != NULL
			? torch_members_feed(pass->members, bytes, count, err)
			: feed_part(pass, bytes, count, &taken, err);

		if (!done)
			return false;
		pass->position += taken;
		bytes += taken;
		count -= taken;
	}
	return true;
}

bool
torch_pass_skip(struct torch_pass *pass, uint64_t count, struct error *err)
{
	uint64_t end = pass->position + count;
	bool     is_whole = pass->members == NULL
		&& count <= byte_stream_length(pass->file->stream) - pass->position;

	while (is_whole && pass->current < pass->count
	       && pass->segments[pass->current].offset < end) {
		const struct segment *segment = &pass->segments[pass->current++];

		is_whole = pass->position <= segment->offset && segment->kind != SEGMENT_PICKLES
			&& segment->length <= end - segment->offset;
	}
	pass->position = end;
	return is_whole || error_set(err, ERROR_INTERNAL, "skip",
		"bytes that are passed over are not whole storages");
}

bool
torch_pass_finish(struct torch_pass *pass, struct error *err)
{
	uint64_t length = byte_stream_length(pass->file->stream);

	if (pass->position != length)
		return error_set(err, ERROR_CORRUPT, "changing",
			"changed while being read (%" PRIu64 " bytes of %" PRIu64 ")",
			pass->position, length);
	return pass->members == NULL || torch_members_finish(pass->members, err);
}

void
torch_pass_close(struct torch_pass *pass)
{
	if (pass == NULL)
		return;
	inflater_close(pass->inflater);
	torch_members_close(pass->members);
	free(pass->inflated);
	free(pass->segments);
	free(pass);
}
