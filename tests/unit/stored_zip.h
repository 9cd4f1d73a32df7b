#ifndef TESTS_UNIT_STORED_ZIP_H
#define TESTS_UNIT_STORED_ZIP_H

#include "base/text.h"
#include "container/crc32.h"
#include "scratch_folder.h"

#include <stdint.h>

/* Zips made for a test, in the scratch folder; nothing in them is compressed. */
static inline void
stored_zip_put(struct text *zip, uint64_t number, unsigned bytes)
{
	unsigned char raw[8];
	unsigned      index;

	for (index = 0; index < bytes; index++)
		raw[index] = (unsigned char)(number >> (8 * index));
	text_add_bytes(zip, raw, bytes);
}

static inline void
stored_zip_header(struct text *zip, bool central, const char *name, const char *bytes, size_t length,
	uint64_t offset)
{
	stored_zip_put(zip, central ? 0x02014b50 : 0x04034b50, 4);
	if (central)
		stored_zip_put(zip, 20, 2);
	stored_zip_put(zip, 20, 2);
	stored_zip_put(zip, 0, 2);                                 /* flags */
	stored_zip_put(zip, 0, 2);                                 /* stored */
	stored_zip_put(zip, 0x00210000, 4);                        /* 1980-01-01 */
	stored_zip_put(zip, crc32_of(0, bytes, length), 4);
	stored_zip_put(zip, length, 4);
	stored_zip_put(zip, length, 4);
	stored_zip_put(zip, strlen(name), 2);
	stored_zip_put(zip, 0, 2);
	if (central) {
		stored_zip_put(zip, 0, 2);                         /* comment */
		stored_zip_put(zip, 0, 2);                         /* disk */
		stored_zip_put(zip, 0, 2);
		stored_zip_put(zip, 0, 4);
		stored_zip_put(zip, offset, 4);
	}
	text_add_bytes(zip, name, strlen(name));
}

/* SCRATCH/name with members "NAME=CONTENT" or, without "=", of the bytes of a shard. */
static inline void
stored_zip_write(const char *zip_name, const char *const *members, size_t count, const char *shard, size_t shard_length)
{
	struct text zip = { 0 }, directory = { 0 };
	size_t      index, length;

	for (index = 0; index < count && members[index] != NULL; index++) {
		const char *equals = strchr(members[index], '='), *bytes;
		char        name[256];

		snprintf(name, sizeof name, "%.*s", (int)strcspn(members[index], "="),
			members[index]);
		bytes = equals != NULL ? equals + 1 : shard;
		length = equals != NULL ? strlen(equals + 1) : shard_length;
		stored_zip_header(&directory, true, name, bytes, length, zip.length);
		stored_zip_header(&zip, false, name, bytes, length, 0);
		text_add_bytes(&zip, bytes, length);
	}
	stored_zip_put(&directory, 0x06054b50, 4);
	stored_zip_put(&directory, 0, 4);
	stored_zip_put(&directory, index, 2);
	stored_zip_put(&directory, index, 2);
	stored_zip_put(&directory, directory.length - 12, 4);
	stored_zip_put(&directory, zip.length, 4);
	stored_zip_put(&directory, 0, 2);
	text_add_bytes(&zip, directory.bytes, directory.length);
	if (zip.failed || directory.failed)
		abort();
	scratch_write(zip_name, zip.bytes, zip.length);
	text_free(&directory);
	text_free(&zip);
}

#endif
