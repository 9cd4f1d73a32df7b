#include "fuzz/zip_parts.h"

#include "base/checked.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/*
 *     local header, data, descriptor          of each entry
 *     central header                          of each entry
 *     zip64 end, zip64 locator                where they are
 *     end, comment
 */
#define LOCAL_BYTES   30
#define CENTRAL_BYTES 46
#define END_BYTES     22
#define ZIP64_MASK    0xffffffffu
#define MAX_PARTS     4000
#define MAX_PLAIN     ((size_t)4 << 20)

static bool
is_signature(const uint8_t *at, char third, char fourth)
{
	return at[0] == 'P' && at[1] == 'K' && at[2] == (uint8_t)third
		&& at[3] == (uint8_t)fourth;
}

static const uint8_t *
find_end(const uint8_t *bytes, size_t length)
{
	for (size_t back = END_BYTES; back <= length && back < END_BYTES + 65536; back++)
		if (is_signature(bytes + length - back, 5, 6))
			return bytes + length - back;
	return NULL;
}

static bool
inflate_all(struct zip_part *part)
{
	const size_t room = part->length < MAX_PLAIN ? (size_t)part->length + 1 : MAX_PLAIN;
	uint8_t     *plain = malloc(room);
	z_stream     z = { .next_in = (Bytef *)part->stored.bytes,
		.avail_in = (uInt)part->stored.length, .next_out = plain, .avail_out = (uInt)room };

	if (plain == NULL || inflateInit2(&z, -15) != Z_OK)
		abort();
	if (inflate(&z, Z_FINISH) == Z_STREAM_END)
		text_add_bytes(&part->plain, plain, room - z.avail_out);
	inflateEnd(&z);
	free(plain);
	return part->plain.length > 0;
}

/* The extra fields but zip64's, whose numbers replace those that say 0xffffffff, and the
 * padding, which is made anew.  What cannot be read is kept as it is. */
static void
take_extra(const uint8_t *at, size_t length, struct text *extra, uint64_t *numbers[3],
	bool *has_zip64, bool *is_aligned)
{
	while (length >= 4 && (size_t)checked_u16(at + 2) + 4 <= length) {
		const size_t   size = checked_u16(at + 2);
		const uint8_t *number = at + 4;

		if (checked_u16(at) == 1) {
			*has_zip64 = true;
			for (int i = 0; i < 3; i++)
				if (numbers[i] != NULL && *numbers[i] == ZIP64_MASK
					&& number + 8 <= at + 4 + size) {
					*numbers[i] = checked_u64(number);
					number += 8;
				}
		} else if (at[0] == 'F' && at[1] == 'B') {
			*is_aligned = true;
		} else {
			text_add_bytes(extra, at, 4 + size);
		}
		at += 4 + size;
		length -= 4 + size;
	}
	text_add_bytes(extra, at, length);
}

/* With signature or without, in the long form or not: known by what comes behind it. */
static unsigned
descriptor_bytes(const uint8_t *at, size_t left)
{
	static const unsigned sizes[] = { 16, 24, 12, 20 };

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		if (left >= sizes[i] + 4 && is_signature(at, 7, 8) == (sizes[i] % 8 == 0)
			&& at[sizes[i]] == 'P' && at[sizes[i] + 1] == 'K')
			return sizes[i];
	return 16;
}

static bool
take_local(const uint8_t *bytes, size_t length, uint64_t offset, uint64_t stored,
	struct zip_part *part)
{
	const uint8_t *at, *data;
	uint64_t       size = 0, packed = 0;
	uint64_t      *numbers[3] = { &size, &packed, NULL };
	size_t         head;

	if (offset > length || length - offset < LOCAL_BYTES)
		return false;
	at = bytes + offset;
	if (!is_signature(at, 3, 4))
		return false;
	head = LOCAL_BYTES + (size_t)checked_u16(at + 26) + checked_u16(at + 28);
	if (length - offset < head || length - offset - head < stored)
		return false;
	size = checked_u32(at + 22);
	packed = checked_u32(at + 18);
	part->is_blank = (part->flags & 8) != 0 && checked_u32(at + 14) == 0 && packed == 0;
	take_extra(at + head - checked_u16(at + 28), checked_u16(at + 28), &part->local_extra,
		numbers, &part->local_zip64, &part->is_aligned);
	data = at + head;
	text_add_bytes(&part->stored, data, (size_t)stored);
	if ((part->flags & 8) != 0)
		part->descriptor = descriptor_bytes(data + stored, (size_t)(bytes + length - data)
			- (size_t)stored);
	if (part->method == 8)
		inflate_all(part);
	else
		text_add_bytes(&part->plain, data, (size_t)stored);
	return true;
}

/* One central header at `*at`, and the entry that it tells of. */
static bool
take_part(const uint8_t *bytes, size_t length, size_t *at, struct zip_part *part)
{
	const uint8_t *head = bytes + *at;
	uint64_t       stored, offset;
	uint64_t      *numbers[3] = { &part->length, &stored, &offset };
	size_t         name, extra, comment;
	bool           unused = false;

	if (length - *at < CENTRAL_BYTES || !is_signature(head, 1, 2))
		return false;
	name = checked_u16(head + 28);
	extra = checked_u16(head + 30);
	comment = checked_u16(head + 32);
	if (length - *at - CENTRAL_BYTES < name + extra + comment)
		return false;
	part->made_by = checked_u16(head + 4);
	part->needed = checked_u16(head + 6);
	part->flags = checked_u16(head + 8);
	part->method = checked_u16(head + 10);
	part->time = checked_u32(head + 12);
	part->crc = checked_u32(head + 16);
	stored = checked_u32(head + 20);
	part->length = checked_u32(head + 24);
	part->internal = checked_u16(head + 36);
	part->external = checked_u32(head + 38);
	offset = checked_u32(head + 42);
	text_add_bytes(&part->name, head + CENTRAL_BYTES, name);
	take_extra(head + CENTRAL_BYTES + name, extra, &part->central_extra, numbers,
		&part->central_zip64, &unused);
	text_add_bytes(&part->comment, head + CENTRAL_BYTES + name + extra, comment);
	*at += CENTRAL_BYTES + name + extra + comment;
	return take_local(bytes, length, offset, stored, part);
}

bool
zip_parts_take(const uint8_t *bytes, size_t length, struct zip_parts *zip)
{
	const uint8_t *end = find_end(bytes, length);
	uint64_t       at, count;
	size_t         here;
	bool           done;

	memset(zip, 0, sizeof *zip);
	if (end == NULL)
		return false;
	count = checked_u16(end + 10);
	at = checked_u32(end + 16);
	zip->has_zip64_end = end - bytes >= 20 && is_signature(end - 20, 6, 7);
	if (zip->has_zip64_end && (size_t)(end - bytes) >= 20 + 56
		&& is_signature(end - 76, 6, 6)) {
		count = checked_u64(end - 76 + 32);
		at = checked_u64(end - 76 + 48);
	}
	done = count > 0 && count <= MAX_PARTS && at < length;
	if (done && (zip->parts = calloc(count, sizeof *zip->parts)) == NULL)
		abort();
	for (here = (size_t)at; done && zip->count < count; zip->count++)
		done = take_part(bytes, length, &here, &zip->parts[zip->count]);
	text_add_bytes(&zip->comment, end + END_BYTES, (size_t)(bytes + length - end) - END_BYTES);
	if (!done)
		zip_parts_free(zip);
	return done;
}

/* --- Changes. --- */

struct zip_part *
zip_parts_choose(const struct zip_parts *zip, struct mutation *mutation)
{
	size_t all = 0, which;

	for (int round = 0; round < 2; round++) {
		which = round == 0 ? 0 : mutation_below(mutation, all);
		for (size_t i = 0; i < zip->count; i++) {
			struct zip_part *part = &zip->parts[i];
			const bool       is_leading = part->name.bytes != NULL
				&& (text_has_suffix(part->name.bytes, ".pkl")
					|| text_has_suffix(part->name.bytes, ".pt")
					|| text_has_suffix(part->name.bytes, "metadata"));
			const size_t     weight = part->plain.length == 0 ? 0
				: is_leading ? 12 + zip->count / 2 : 1;

			if (round == 1 && which < weight)
				return part;
			all += round == 0 ? weight : 0;
			which -= round == 0 ? 0 : weight;
		}
		if (all == 0)
			break;
	}
	return NULL;
}

void
zip_parts_fill(struct zip_part *part, const void *bytes, size_t length, int level)
{
	struct text filled = { 0 };

	text_add_bytes(&filled, bytes, length);
	text_free(&part->plain);
	part->plain = filled;
	part->length = length;
	part->crc = (uint32_t)crc32(0, (const Bytef *)filled.bytes, (uInt)length);
	zip_parts_repack(part, part->method, level);
}

void
zip_parts_repack(struct zip_part *part, uint16_t method, int level)
{
	z_stream z = { .next_in = (Bytef *)part->plain.bytes, .avail_in = (uInt)part->plain.length };
	uint8_t *packed;

	text_free(&part->stored);
	part->method = method;
	if (method != 8) {
		text_add_bytes(&part->stored, part->plain.bytes, part->plain.length);
		return;
	}
	if (deflateInit2(&z, level, Z_DEFLATED, -15, 8, level % 5) != Z_OK
		|| (packed = malloc(deflateBound(&z, z.avail_in))) == NULL)
		abort();
	z.next_out = packed;
	z.avail_out = (uInt)deflateBound(&z, z.avail_in);
	deflate(&z, Z_FINISH);
	text_add_bytes(&part->stored, packed, z.total_out);
	deflateEnd(&z);
	free(packed);
}

static void
copy_text(struct text *to, const struct text *from)
{
	*to = (struct text){ 0 };
	text_add_bytes(to, from->bytes, from->length);
}

void
zip_parts_copy(struct zip_parts *zip, size_t from, size_t at)
{
	struct zip_part copy = zip->parts[from];

	copy_text(&copy.name, &zip->parts[from].name);
	copy_text(&copy.local_extra, &zip->parts[from].local_extra);
	copy_text(&copy.central_extra, &zip->parts[from].central_extra);
	copy_text(&copy.comment, &zip->parts[from].comment);
	copy_text(&copy.stored, &zip->parts[from].stored);
	copy_text(&copy.plain, &zip->parts[from].plain);
	zip->parts = realloc(zip->parts, (zip->count + 1) * sizeof *zip->parts);
	if (zip->parts == NULL)
		abort();
	memmove(zip->parts + at + 1, zip->parts + at, (zip->count - at) * sizeof *zip->parts);
	zip->parts[at] = copy;
	zip->count++;
}

static void
free_part(struct zip_part *part)
{
	text_free(&part->name);
	text_free(&part->local_extra);
	text_free(&part->central_extra);
	text_free(&part->comment);
	text_free(&part->stored);
	text_free(&part->plain);
}

void
zip_parts_remove(struct zip_parts *zip, size_t at)
{
	free_part(&zip->parts[at]);
	zip->count--;
	memmove(zip->parts + at, zip->parts + at + 1, (zip->count - at) * sizeof *zip->parts);
}

void
zip_parts_free(struct zip_parts *zip)
{
	for (size_t i = 0; i < zip->count; i++)
		free_part(&zip->parts[i]);
	free(zip->parts);
	text_free(&zip->comment);
	*zip = (struct zip_parts){ 0 };
}
