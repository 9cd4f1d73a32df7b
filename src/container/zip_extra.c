#include "container/zip_extra.h"

#include "base/checked.h"

/*
 * The zip64 field (id 1) holds, in this order and only where the header has all ones:
 *
 *   u64 length, u64 stored length, u64 offset of the local header, u32 disk
 *
 * Go's writer, among others, puts all of them in as soon as one is needed; then those that
 * the header has as well must agree.
 */

enum zip_extra_result
zip_extra_find(struct zip_extra all, enum zip_extra_id id, struct zip_extra *field)
{
	const unsigned char  *at = all.bytes, *end = all.bytes + all.length;
	enum zip_extra_result result = ZIP_EXTRA_ABSENT;

	*field = (struct zip_extra){ 0 };
	while (end - at >= 4) {
		size_t length = checked_u16(at + 2);

		if (length > (size_t)(end - at) - 4)
			return ZIP_EXTRA_DAMAGED;
		if (checked_u16(at) == id) {
			if (result == ZIP_EXTRA_FOUND)
				return ZIP_EXTRA_TWICE;
			result = ZIP_EXTRA_FOUND;
			*field = (struct zip_extra){ at + 4, length };
		}
		at += 4 + length;
	}
	for (; at < end; at++) {
		if (*at != 0)
			return ZIP_EXTRA_DAMAGED;
	}
	return result;
}

/* Takes the next number if the header left it for later.  `fixed`: it is there anyhow. */
static bool
take(struct zip_extra *rest, bool fixed, uint64_t *number)
{
	bool     later = *number == ZIP_EXTRA_LATER;
	uint64_t found;

	if (!later && !fixed)
		return true;
	if (rest->length < 8)
		return !later;
	found = checked_u64(rest->bytes);
	rest->bytes += 8;
	rest->length -= 8;
	if (!later)
		return found == *number;
	*number = found;
	return true;
}

bool
zip_extra_central(struct zip_extra zip64, struct zip_extra_sizes *sizes)
{
	bool   later_disk = sizes->disk == UINT16_MAX;
	size_t needed = 8 * (size_t)((sizes->length == ZIP_EXTRA_LATER)
		+ (sizes->stored_length == ZIP_EXTRA_LATER)
		+ (sizes->header_offset == ZIP_EXTRA_LATER)) + (later_disk ? 4 : 0);
	bool   fixed = zip64.length != needed;

	if (fixed && zip64.length != 16 && zip64.length != 24 && zip64.length != 28)
		return false;
	if (!take(&zip64, fixed, &sizes->length) || !take(&zip64, fixed, &sizes->stored_length)
	    || !take(&zip64, fixed, &sizes->header_offset))
		return false;
	if (zip64.length == 4) {
		uint32_t disk = checked_u32(zip64.bytes);

		if (!later_disk)
			return disk == sizes->disk;
		sizes->disk = disk;
	}
	return zip64.length == 4 || (zip64.length == 0 && !later_disk);
}

/*
 * torch leaves both 32-bit lengths 0 and writes [length, 0] only when the record is large,
 * and after it (or alone: 8 bytes) the offset of the header when that is large.
 */
bool
zip_extra_local(struct zip_extra zip64, struct zip_extra_sizes *sizes)
{
	bool   later = sizes->length == ZIP_EXTRA_LATER
		|| sizes->stored_length == ZIP_EXTRA_LATER;
	bool   both = zip64.length >= 16;

	if (!later) {
		if (both && sizes->length == 0)
			sizes->length = checked_u64(zip64.bytes);
		if (both && sizes->stored_length == 0)
			sizes->stored_length = checked_u64(zip64.bytes + 8);
		return true;
	}
	if (!both && sizes->length == ZIP_EXTRA_LATER
	    && sizes->stored_length == ZIP_EXTRA_LATER)
		return false;
	return take(&zip64, both, &sizes->length) && take(&zip64, both, &sizes->stored_length);
}
