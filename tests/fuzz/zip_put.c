/* A zip together again, from its parts. */
#include "fuzz/zip_parts.h"

#include <stdlib.h>
#include <string.h>

#define ZIP64_MASK 0xffffffffu

/* The archive as it grows, and where its fields are. */
struct writer {
	struct text *to;
	size_t       start;             /* of the archive in `to` */
	struct field {
		size_t   at;
		unsigned width;
	} *fields;
	size_t count, room;
};

static uint64_t
position(const struct writer *writer)
{
	return writer->to->length - writer->start;
}

static void
put(struct writer *writer, uint64_t value, unsigned width)
{
	if (writer->count == writer->room) {
		writer->room = 2 * writer->room + 64;
		writer->fields = realloc(writer->fields, writer->room * sizeof *writer->fields);
		if (writer->fields == NULL)
			abort();
	}
	writer->fields[writer->count++] = (struct field){ writer->to->length, width };
	text_add_little_endian(writer->to, value, width);
}

static void
put_signature(struct writer *writer, char third, char fourth)
{
	const char signature[4] = { 'P', 'K', third, fourth };

	text_add_bytes(writer->to, signature, sizeof signature);
}

static uint64_t
masked(uint64_t number, bool is_zip64)
{
	return is_zip64 ? ZIP64_MASK : number;
}

/* torch's padding: id "FB", then Z up to a multiple of 64. */
static size_t
padding(const struct writer *writer, const struct zip_part *part, size_t extra)
{
	const uint64_t data = position(writer) + 30 + part->name.length + extra + 4;

	return part->is_aligned ? 4 + (size_t)((64 - data % 64) % 64) : 0;
}

static void
put_local(struct writer *writer, const struct zip_part *part)
{
	const bool   zip64 = part->local_zip64;
	const size_t extra = part->local_extra.length + (zip64 ? 20 : 0);
	const size_t padded = padding(writer, part, extra);

	put_signature(writer, 3, 4);
	put(writer, part->needed, 2);
	put(writer, part->flags, 2);
	put(writer, part->method, 2);
	put(writer, part->time, 4);
	put(writer, part->is_blank ? 0 : part->crc, 4);
	put(writer, masked(part->is_blank ? 0 : part->stored.length, zip64), 4);
	put(writer, masked(part->is_blank ? 0 : part->length, zip64), 4);
	put(writer, part->name.length, 2);
	put(writer, extra + padded, 2);
	text_add_bytes(writer->to, part->name.bytes, part->name.length);
	if (zip64) {
		put(writer, 1, 2);
		put(writer, 16, 2);
		put(writer, part->is_blank ? 0 : part->length, 8);
		put(writer, part->is_blank ? 0 : part->stored.length, 8);
	}
	text_add_bytes(writer->to, part->local_extra.bytes, part->local_extra.length);
	if (padded > 0) {
		text_add_bytes(writer->to, "FB", 2);
		put(writer, padded - 4, 2);
		for (size_t i = 4; i < padded; i++)
			text_add_bytes(writer->to, "Z", 1);
	}
	text_add_bytes(writer->to, part->stored.bytes, part->stored.length);
	if (part->descriptor > 0) {
		const unsigned width = part->descriptor >= 20 ? 8 : 4;

		if (part->descriptor == 16 || part->descriptor == 24)
			put_signature(writer, 7, 8);
		put(writer, part->crc, 4);
		put(writer, part->stored.length, width);
		put(writer, part->length, width);
	}
}

static void
put_central(struct writer *writer, const struct zip_part *part, uint64_t offset)
{
	const bool zip64 = part->central_zip64;

	put_signature(writer, 1, 2);
	put(writer, part->made_by, 2);
	put(writer, part->needed, 2);
	put(writer, part->flags, 2);
	put(writer, part->method, 2);
	put(writer, part->time, 4);
	put(writer, part->crc, 4);
	put(writer, masked(part->stored.length, zip64), 4);
	put(writer, masked(part->length, zip64), 4);
	put(writer, part->name.length, 2);
	put(writer, part->central_extra.length + (zip64 ? 28 : 0), 2);
	put(writer, part->comment.length, 2);
	put(writer, 0, 2);
	put(writer, part->internal, 2);
	put(writer, part->external, 4);
	put(writer, masked(offset, zip64), 4);
	text_add_bytes(writer->to, part->name.bytes, part->name.length);
	if (zip64) {
		put(writer, 1, 2);
		put(writer, 24, 2);
		put(writer, part->length, 8);
		put(writer, part->stored.length, 8);
		put(writer, offset, 8);
	}
	text_add_bytes(writer->to, part->central_extra.bytes, part->central_extra.length);
	text_add_bytes(writer->to, part->comment.bytes, part->comment.length);
}

static void
put_end(struct writer *writer, const struct zip_parts *zip, uint64_t directory)
{
	const uint64_t end = position(writer);

	if (zip->has_zip64_end) {
		put_signature(writer, 6, 6);
		put(writer, 44, 8);
		put(writer, 0x031e, 2);
		put(writer, 45, 2);
		put(writer, 0, 4);
		put(writer, 0, 4);
		put(writer, zip->count, 8);
		put(writer, zip->count, 8);
		put(writer, end - directory, 8);
		put(writer, directory, 8);
		put_signature(writer, 6, 7);
		put(writer, 0, 4);
		put(writer, end, 8);
		put(writer, 1, 4);
	}
	put_signature(writer, 5, 6);
	put(writer, 0, 2);
	put(writer, 0, 2);
	put(writer, zip->count, 2);
	put(writer, zip->count, 2);
	put(writer, end - directory, 4);
	put(writer, directory, 4);
	put(writer, zip->comment.length, 2);
	text_add_bytes(writer->to, zip->comment.bytes, zip->comment.length);
}

static void
spoil(struct writer *writer, struct mutation *wrong)
{
	const struct field field = writer->fields[mutation_below(wrong, writer->count)];
	uint64_t           old = 0, now;

	for (unsigned i = 0; i < field.width; i++)
		old |= (uint64_t)(uint8_t)writer->to->bytes[field.at + i] << 8 * i;
	now = mutation_one_in(wrong, 3) ? old ^ 1ull << mutation_below(wrong, 8 * field.width)
		: (uint64_t)mutation_number(wrong, (int64_t)old);
	for (unsigned i = 0; i < field.width; i++)
		writer->to->bytes[field.at + i] = (char)(now >> 8 * i);
}

void
zip_parts_put(const struct zip_parts *zip, struct mutation *wrong, struct text *to)
{
	struct writer writer = { .to = to, .start = to->length };
	uint64_t     *offsets = calloc(zip->count + 1, sizeof *offsets), directory;

	if (offsets == NULL)
		abort();
	for (size_t i = 0; i < zip->count; i++) {
		offsets[i] = position(&writer);
		put_local(&writer, &zip->parts[i]);
	}
	directory = position(&writer);
	for (size_t i = 0; i < zip->count; i++)
		put_central(&writer, &zip->parts[i], offsets[i]);
	put_end(&writer, zip, directory);
	if (wrong != NULL && !to->failed)
		spoil(&writer, wrong);
	free(offsets);
	free(writer.fields);
}
