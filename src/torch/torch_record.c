#include "torch/torch_record.h"

#include "base/checked.h"

#include <string.h>

/*
 * The zip that we write.  All sizes are known beforehand, so the headers have them and no
 * descriptor follows the data.
 *
 *   local header, 30 bytes
 *      0  50 4B 03 04
 *      4  u16 needed: 10, with zip64 45    6  u16 flags: 0800 (the name is UTF-8)
 *      8  u16 method: 0 (stored)          10  u16 time: 0, u16 date: 0021 (1980-01-01)
 *     14  u32 CRC-32                      18  u32 stored length, u32 length
 *     26  u16 length of the name, of the extra fields
 *     30  name; extra fields:
 *         01 00 10 00, u64 length, u64 stored length     where they need more than 32 bits;
 *                                                        above there are all ones then
 *         46 42, u16 count, count times 5A               up to the next multiple of 64
 *         data
 *   directory entry, 46 bytes
 *      0  50 4B 01 02
 *      4  u8 version: 45, u8 system: 0 (no Unix mode: whoever unpacks chooses one)
 *      6  needed to length of the name as in the header
 *     30  u16 length of the extra fields, u16 of the comment: 0, u16 disk: 0
 *     36  u16 and u32 attributes: 0       42  u32 offset of the header
 *     46  name; extra field: 01 00, u16 count, then as u64 those of length, stored length and
 *         offset that are all ones above
 *   end records: as in container/zip_end.c, the zip64 ones always, as torch has them
 *
 * torch.save pads in the same way, for its readers map storages from where they lie; it
 * writes descriptors, and as date 0, which is none.
 */
#define HEADER_BYTES 30
#define ENTRY_BYTES  46
#define ZIP64_BYTES  56
#define FIELD_BYTES  4                  /* id and length of an extra field */
#define LATER        UINT32_MAX         /* "see the zip64 field" */

#define SIGNATURE_LOCAL     0x04034b50u
#define SIGNATURE_DIRECTORY 0x02014b50u
#define SIGNATURE_ZIP64     0x06064b50u
#define SIGNATURE_LOCATOR   0x07064b50u
#define SIGNATURE_END       0x06054b50u
#define EXTRA_ZIP64         0x0001
#define EXTRA_PADDING       0x4246      /* "FB" */

#define VERSION       10
#define VERSION_ZIP64 45
#define FLAG_UTF8     0x0800
#define DATE          0x0021

static bool
is_large(uint64_t number)
{
	return number >= LATER;
}

static uint32_t
narrow(uint64_t number)
{
	return is_large(number) ? LATER : (uint32_t)number;
}

/* In the header the zip64 field has the lengths only, in the entry also the offset. */
enum place { IN_HEADER, IN_ENTRY };

static unsigned
zip64_content(const struct torch_record *record, enum place place)
{
	return (is_large(record->bytes) ? 16u : 0u)
		+ (place == IN_ENTRY && is_large(record->header_offset) ? 8u : 0u);
}

static unsigned
zip64_field(const struct torch_record *record, enum place place)
{
	unsigned content = zip64_content(record, place);

	return content > 0 ? FIELD_BYTES + content : 0;
}

/* The header without padding, but with the id and the length of that. */
static uint64_t
least_header_bytes(const struct torch_record *record, const char *name)
{
	return HEADER_BYTES + strlen(name) + zip64_field(record, IN_HEADER) + FIELD_BYTES;
}

bool
torch_record_place(struct torch_record *record, const char *name, uint64_t offset,
	uint64_t bytes)
{
	uint64_t end;

	*record = (struct torch_record){ .header_offset = offset, .bytes = bytes };
	if (!checked_add(offset, least_header_bytes(record, name) + TORCH_RECORD_ALIGNMENT - 1,
	    &record->data_offset))
		return false;
	record->data_offset -= record->data_offset % TORCH_RECORD_ALIGNMENT;
	return checked_add(record->data_offset, bytes, &end) && end <= INT64_MAX;
}

uint64_t
torch_record_end(const struct torch_record *record)
{
	return record->data_offset + record->bytes;
}

/* From "needed" to the length of the name: the same in header and entry, for there are
 * readers that compare them, "needed" too. */
static void
add_common(const struct torch_record *record, const char *name, uint32_t crc, struct text *to)
{
	bool has_zip64 = zip64_content(record, IN_ENTRY) > 0;

	text_add_little_endian(to, has_zip64 ? VERSION_ZIP64 : VERSION, 2);
	text_add_little_endian(to, FLAG_UTF8, 2);
	text_add_little_endian(to, 0, 2);                       /* stored */
	text_add_little_endian(to, 0, 2);                       /* time */
	text_add_little_endian(to, DATE, 2);
	text_add_little_endian(to, crc, 4);
	text_add_little_endian(to, narrow(record->bytes), 4);
	text_add_little_endian(to, narrow(record->bytes), 4);
	text_add_little_endian(to, strlen(name), 2);
}

static void
add_zip64(const struct torch_record *record, enum place place, struct text *to)
{
	unsigned content = zip64_content(record, place);

	if (content == 0)
		return;
	text_add_little_endian(to, EXTRA_ZIP64, 2);
	text_add_little_endian(to, content, 2);
	if (is_large(record->bytes)) {
		text_add_little_endian(to, record->bytes, 8);
		text_add_little_endian(to, record->bytes, 8);
	}
	if (place == IN_ENTRY && is_large(record->header_offset))
		text_add_little_endian(to, record->header_offset, 8);
}

void
torch_record_add_header(const struct torch_record *record, const char *name, uint32_t crc,
	struct text *to)
{
	uint64_t padding = record->data_offset - record->header_offset
		- least_header_bytes(record, name);

	text_add_little_endian(to, SIGNATURE_LOCAL, 4);
	add_common(record, name, crc, to);
	text_add_little_endian(to, zip64_field(record, IN_HEADER) + FIELD_BYTES + padding, 2);
	text_add_bytes(to, name, strlen(name));
	add_zip64(record, IN_HEADER, to);
	text_add_little_endian(to, EXTRA_PADDING, 2);
	text_add_little_endian(to, padding, 2);
	for (; padding > 0; padding--)
		text_add_bytes(to, "Z", 1);
}

uint64_t
torch_record_entry_bytes(const struct torch_record *record, const char *name)
{
	return ENTRY_BYTES + strlen(name) + zip64_field(record, IN_ENTRY);
}

void
torch_record_add_entry(const struct torch_record *record, const char *name, uint32_t crc,
	struct text *to)
{
	text_add_little_endian(to, SIGNATURE_DIRECTORY, 4);
	text_add_little_endian(to, VERSION_ZIP64, 2);
	add_common(record, name, crc, to);
	text_add_little_endian(to, zip64_field(record, IN_ENTRY), 2);
	text_add_little_endian(to, 0, 2);                       /* comment */
	text_add_little_endian(to, 0, 2);                       /* disk */
	text_add_little_endian(to, 0, 2);                       /* attributes */
	text_add_little_endian(to, 0, 4);
	text_add_little_endian(to, narrow(record->header_offset), 4);
	text_add_bytes(to, name, strlen(name));
	add_zip64(record, IN_ENTRY, to);
}

void
torch_record_add_end(uint64_t count, uint64_t directory_offset, uint64_t directory_bytes,
	struct text *to)
{
	uint16_t narrow_count = count < UINT16_MAX ? (uint16_t)count : UINT16_MAX;

	text_add_little_endian(to, SIGNATURE_ZIP64, 4);
	text_add_little_endian(to, ZIP64_BYTES - 12, 8);
	text_add_little_endian(to, VERSION_ZIP64, 2);
	text_add_little_endian(to, VERSION_ZIP64, 2);
	text_add_little_endian(to, 0, 4);                       /* disks */
	text_add_little_endian(to, 0, 4);
	text_add_little_endian(to, count, 8);
	text_add_little_endian(to, count, 8);
	text_add_little_endian(to, directory_bytes, 8);
	text_add_little_endian(to, directory_offset, 8);

	text_add_little_endian(to, SIGNATURE_LOCATOR, 4);
	text_add_little_endian(to, 0, 4);
	text_add_little_endian(to, directory_offset + directory_bytes, 8);
	text_add_little_endian(to, 1, 4);                       /* disks in all */

	text_add_little_endian(to, SIGNATURE_END, 4);
	text_add_little_endian(to, 0, 2);
	text_add_little_endian(to, 0, 2);
	text_add_little_endian(to, narrow_count, 2);
	text_add_little_endian(to, narrow_count, 2);
	text_add_little_endian(to, narrow(directory_bytes), 4);
	text_add_little_endian(to, narrow(directory_offset), 4);
	text_add_little_endian(to, 0, 2);                       /* comment */
}
