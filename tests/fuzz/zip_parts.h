#ifndef TESTS_FUZZ_ZIP_PARTS_H
#define TESTS_FUZZ_ZIP_PARTS_H

#include "fuzz/mutate.h"

/* One entry of a zip, apart from what follows from its bytes and its place. */
struct zip_part {
	struct text name, local_extra, central_extra, comment;  /* extras without zip64's */
	uint16_t    made_by, needed, flags, method, internal;
	uint32_t    time, external, crc;
	uint64_t    length;             /* declared; right once the content changes */
	struct text stored;             /* as it lies in the archive */
	struct text plain;              /* inflated; empty where that fails */
	unsigned    descriptor;         /* its bytes: 0, 12, 16, 20 or 24 */
	bool        is_blank;           /* the local header leaves sizes and CRC to it */
	bool        local_zip64, central_zip64;
	bool        is_aligned;         /* torch pads so that data begins at a multiple of 64 */
};

struct zip_parts {
	struct zip_part *parts;
	size_t           count;
	struct text      comment;
	bool             has_zip64_end;
};

/* A zip taken apart, tolerantly.  false: it has no directory that leads to its entries;
 * nothing to free. */
bool zip_parts_take(const uint8_t *bytes, size_t length, struct zip_parts *zip);
/* One with bytes in it, rather a pickle than a storage; NULL: there is none. */
struct zip_part *zip_parts_choose(const struct zip_parts *zip, struct mutation *mutation);
/* New content, packed by the part's method: length and CRC follow it. */
void zip_parts_fill(struct zip_part *part, const void *bytes, size_t length, int level);
/* The same content, packed by another method. */
void zip_parts_repack(struct zip_part *part, uint16_t method, int level);
/* A copy of part `from`, put before part `at`. */
void zip_parts_copy(struct zip_parts *zip, size_t from, size_t at);
void zip_parts_remove(struct zip_parts *zip, size_t at);
/* Together again.  `wrong`: one field, chosen by it, gets a wrong value. */
void zip_parts_put(const struct zip_parts *zip, struct mutation *wrong, struct text *to);
void zip_parts_free(struct zip_parts *zip);

#endif
