#include "container/zip_local_header.h"

#include "base/checked.h"
#include "container/zip_extra.h"

#include <string.h>

bool
zip_local_header_read(const unsigned char *bytes, size_t count,
	struct zip_local_header *header)
{
	struct zip_extra       extra, zip64;
	struct zip_extra_sizes sizes = { 0 };
	enum zip_extra_result  found;

	if (count < ZIP_LOCAL_HEADER_BYTES || memcmp(bytes, "PK\3\4", 4) != 0)
		return false;
	*header = (struct zip_local_header){
		.flags = checked_u16(bytes + 6),
		.method = checked_u16(bytes + 8),
		.crc = checked_u32(bytes + 14),
		.name_length = checked_u16(bytes + 26),
		.extra_length = checked_u16(bytes + 28),
	};
	if (header->name_length >= sizeof header->name || count - ZIP_LOCAL_HEADER_BYTES
	    < (size_t)header->name_length + header->extra_length)
		return false;
	memcpy(header->name, bytes + ZIP_LOCAL_HEADER_BYTES, header->name_length);
	sizes.stored_length = checked_u32(bytes + 18);
	sizes.length = checked_u32(bytes + 22);
	extra.bytes = bytes + ZIP_LOCAL_HEADER_BYTES + header->name_length;
	extra.length = header->extra_length;
	found = zip_extra_find(extra, ZIP_EXTRA_ZIP64, &zip64);
	if (found == ZIP_EXTRA_DAMAGED || found == ZIP_EXTRA_TWICE)
		return false;
	header->is_zip64 = found == ZIP_EXTRA_FOUND;
	if (header->is_zip64 && !zip_extra_local(zip64, &sizes))
		return false;
	header->has_descriptor = (header->flags & ZIP_FLAG_DESCRIPTOR) != 0;
	header->stored_length = sizes.stored_length;
	header->length = sizes.length;
	return true;
}
