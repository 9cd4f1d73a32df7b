#ifndef CONTAINER_ZIP_LOCAL_HEADER_H
#define CONTAINER_ZIP_LOCAL_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What lies at a record's offset:
 *
 *    0  50 4B 03 04
 *    4  u16 needed, u16 flags, u16 method, u16 time, u16 date
 *   14  u32 CRC-32, u32 stored length, u32 length
 *   26  u16 length of the name, of the extra fields
 *   30  name, extra fields, data
 *       and where flag bit 3 is set, a descriptor: 50 4B 07 08 (some writers leave it out),
 *       u32 CRC-32, stored length and length as two u32 or two u64
 *
 * With a descriptor the three numbers in the header are 0, or true as well (Info-ZIP).
 * torch.save always writes descriptors, with their signature, but for empty records.
 */
#define ZIP_LOCAL_HEADER_BYTES  30      /* without the name and the extra fields */
#define ZIP_FLAG_DESCRIPTOR     0x0008

struct zip_local_header {
	uint16_t flags, method, name_length, extra_length;
	uint32_t crc;
	uint64_t stored_length, length;         /* from a zip64 field where there is one */
	bool     has_descriptor, is_zip64;
	char     name[513];
};

/* Takes one apart.  `bytes` holds `count` bytes from the header on; false: more are needed or it
 * is none. */
bool zip_local_header_read(const unsigned char *bytes, size_t count,
	struct zip_local_header *header);

#endif
