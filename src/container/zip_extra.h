#ifndef CONTAINER_ZIP_EXTRA_H
#define CONTAINER_ZIP_EXTRA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Extra fields of zip headers: u16 id, u16 length, content, one after the other.  Up to
 * three zero bytes may follow (padding that some writers leave).
 */
enum zip_extra_id { ZIP_EXTRA_ZIP64 = 0x0001, ZIP_EXTRA_UNICODE_PATH = 0x7075 };

enum zip_extra_result { ZIP_EXTRA_ABSENT, ZIP_EXTRA_FOUND, ZIP_EXTRA_TWICE, ZIP_EXTRA_DAMAGED };

struct zip_extra {
	const unsigned char *bytes;
	size_t               length;
};

enum zip_extra_result zip_extra_find(struct zip_extra all, enum zip_extra_id id,
	struct zip_extra *field);

/* The numbers of a header that have 32 bits there and may lie in a zip64 field instead. */
#define ZIP_EXTRA_LATER UINT32_MAX              /* "look in the zip64 field" */
struct zip_extra_sizes {
	uint64_t length, stored_length, header_offset;
	uint32_t disk;                          /* 16 bits there: UINT16_MAX for "later" */
};

/* Completes what a directory entry says.  false: the field is too short, or repeats a
 * number otherwise than the entry. */
bool zip_extra_central(struct zip_extra zip64, struct zip_extra_sizes *sizes);
/* Completes the two lengths of a local header. */
bool zip_extra_local(struct zip_extra zip64, struct zip_extra_sizes *sizes);

#endif
