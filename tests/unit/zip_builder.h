#ifndef TESTS_UNIT_ZIP_BUILDER_H
#define TESTS_UNIT_ZIP_BUILDER_H

#include "container/crc32.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/*
 * Zip archives put together field by field, and edits that make them hostile.  Nothing is
 * checked: the builder writes what it is told.
 */
enum { BUILDER_RECORDS = 16 };

struct zip_builder {
	unsigned char *bytes;
	size_t         length, room;
	size_t         record_count;
	/* where things begin, once built */
	size_t         local[BUILDER_RECORDS], data[BUILDER_RECORDS], descriptor[BUILDER_RECORDS];
	size_t         central[BUILDER_RECORDS];
	size_t         zip64, locator, end;
};

struct zip_part {
	const char *name;
	const char *data;               /* as it lies in the archive */
	size_t      data_length;
	uint16_t    method;
	uint64_t    length;             /* inflated, with its CRC, for method 8 */
	uint32_t    crc;
};

enum zip_style {
	STYLE_TORCH,    /* flags 0x0808, descriptors with signature, padding, zip64 end */
	STYLE_PLAIN,    /* sizes in the local headers, no zip64 */
	STYLE_STREAMED, /* descriptors without signature, no zip64 */
};

static inline void
builder_bytes(struct zip_builder *zip, const void *bytes, size_t count)
{
	if (zip->length + count > zip->room) {
		zip->room = 2 * (zip->length + count);
		if ((zip->bytes = realloc(zip->bytes, zip->room)) == NULL)
			abort();
	}
	if (count > 0)
		memcpy(zip->bytes + zip->length, bytes, count);
	zip->length += count;
}

/* Little-endian, `width` bytes. */
static inline void
builder_number(struct zip_builder *zip, unsigned width, uint64_t number)
{
	unsigned char bytes[8];

	for (unsigned i = 0; i < width; i++)
		bytes[i] = (unsigned char)(number >> 8 * i);
	builder_bytes(zip, bytes, width);
}

static inline uint32_t
builder_crc(const struct zip_part *part)
{
	return part->method == 0 ? crc32_of(0, part->data, part->data_length) : part->crc;
}

static inline uint64_t
builder_length(const struct zip_part *part)
{
	return part->method == 0 ? part->data_length : part->length;
}

/* From "flags" to the length of the name: the same in local headers and the directory. */
static inline void
builder_common(struct zip_builder *zip, const struct zip_part *part, unsigned flags, bool known)
{
	builder_number(zip, 2, flags);
	builder_number(zip, 2, part->method);
	builder_number(zip, 4, 0);                      /* time and date */
	builder_number(zip, 4, known ? builder_crc(part) : 0);
	builder_number(zip, 4, known ? part->data_length : 0);
	builder_number(zip, 4, known ? builder_length(part) : 0);
	builder_number(zip, 2, strlen(part->name));
}

static inline unsigned
builder_flags(const struct zip_part *part, enum zip_style style)
{
	if (style == STYLE_PLAIN)
		return 0;
	return style == STYLE_TORCH ? (part->data_length > 0 ? 0x0808 : 0x0800) : 0x0008;
}

static inline void
builder_record(struct zip_builder *zip, const struct zip_part *part, enum zip_style style)
{
	static const char padding[64] = "ZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZ"
		"ZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZ";
	size_t   i = zip->record_count++;
	unsigned flags = builder_flags(part, style);
	size_t   pad = style == STYLE_TORCH
		? (64 - (zip->length + 30 + strlen(part->name) + 4) % 64) % 64 : 0;

	zip->local[i] = zip->length;
	builder_bytes(zip, "PK\3\4", 4);
	builder_number(zip, 2, 0);
	builder_common(zip, part, flags, (flags & 8) == 0);
	builder_number(zip, 2, style == STYLE_TORCH ? pad + 4 : 0);
	builder_bytes(zip, part->name, strlen(part->name));
	if (style == STYLE_TORCH) {
		builder_bytes(zip, "FB", 2);
		builder_number(zip, 2, pad);
		builder_bytes(zip, padding, pad);
	}
	zip->data[i] = zip->length;
	builder_bytes(zip, part->data, part->data_length);
	zip->descriptor[i] = zip->length;
	if ((flags & 8) == 0)
		return;
	if (style == STYLE_TORCH)
		builder_bytes(zip, "PK\7\10", 4);
	builder_number(zip, 4, builder_crc(part));
	builder_number(zip, 4, part->data_length);
	builder_number(zip, 4, builder_length(part));
}

static inline void
builder_finish(struct zip_builder *zip, const struct zip_part *parts, enum zip_style style)
{
	size_t directory = zip->length, count = zip->record_count;

	for (size_t i = 0; i < count; i++) {
		zip->central[i] = zip->length;
		builder_bytes(zip, "PK\1\2", 4);
		builder_number(zip, 4, 0);              /* versions */
		builder_common(zip, &parts[i], builder_flags(&parts[i], style), true);
		builder_number(zip, 8, 0);              /* extra, comment, disk, internal */
		builder_number(zip, 4, 0);              /* external attributes */
		builder_number(zip, 4, zip->local[i]);
		builder_bytes(zip, parts[i].name, strlen(parts[i].name));
	}
	zip->zip64 = zip->locator = zip->end = zip->length;
	if (style == STYLE_TORCH) {
		builder_bytes(zip, "PK\6\6", 4);
		builder_number(zip, 8, 44);
		builder_number(zip, 4, 0x002d031e);
		builder_number(zip, 8, 0);
		builder_number(zip, 8, count);
		builder_number(zip, 8, count);
		builder_number(zip, 8, zip->zip64 - directory);
		builder_number(zip, 8, directory);
		zip->locator = zip->length;
		builder_bytes(zip, "PK\6\7", 4);
		builder_number(zip, 4, 0);
		builder_number(zip, 8, zip->zip64);
		builder_number(zip, 4, 1);
		zip->end = zip->length;
	}
	builder_bytes(zip, "PK\5\6", 4);
	builder_number(zip, 4, 0);
	builder_number(zip, 2, count);
	builder_number(zip, 2, count);
	builder_number(zip, 4, zip->zip64 - directory);
	builder_number(zip, 4, directory);
	builder_number(zip, 2, 0);
}

static inline struct zip_builder
builder_make(const struct zip_part *parts, size_t count, enum zip_style style)
{
	struct zip_builder zip = { 0 };

	for (size_t i = 0; i < count; i++)
		builder_record(&zip, &parts[i], style);
	builder_finish(&zip, parts, style);
	return zip;
}

static inline void
builder_put(struct zip_builder *zip, size_t at, unsigned width, uint64_t number)
{
	for (unsigned i = 0; i < width; i++)
		zip->bytes[at + i] = (unsigned char)(number >> 8 * i);
}

static inline void
builder_insert(struct zip_builder *zip, size_t at, const void *bytes, size_t count)
{
	size_t         rest = zip->length - at;
	unsigned char *moved = malloc(rest + 1);

	if (moved == NULL)
		abort();
	memcpy(moved, zip->bytes + at, rest);
	zip->length = at;
	builder_bytes(zip, bytes, count);
	builder_bytes(zip, moved, rest);
	free(moved);
}

static inline void
builder_free(struct zip_builder *zip)
{
	free(zip->bytes);
	*zip = (struct zip_builder){ 0 };
}

#endif
