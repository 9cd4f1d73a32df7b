#ifndef CONTAINER_DEFLATE_CODES_H
#define CONTAINER_DEFLATE_CODES_H

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/*
 * The codes of one deflate block as tables: the next bits of the stream, as many as a table has
 * bits, are the index of an entry.  Strict: what is not a complete code, or has no end of block,
 * is refused, for zlib writes no such thing.
 *
 *     literal   1 << 31 | byte << 8 | length of the code
 *     number    base << 13 | extra bits << 8 | length of the code       (match length, distance)
 *     link      1 << 30 | 1 << 29 | index << 8 | bits of the second table
 *     end       1 << 30 | length of the code
 *     nothing   1 << 30 | 1 << 28                                       (a number without meaning)
 */
#define LITERAL_BITS    11
#define DISTANCE_BITS   8
#define SECOND_ENTRIES  1024    /* for all codes that are longer, or the block is refused */

#define ENTRY_LITERAL  ((uint32_t)1 << 31)
#define ENTRY_SPECIAL  ((uint32_t)1 << 30)
#define ENTRY_LINK     ((uint32_t)1 << 29)
#define ENTRY_NOTHING  ((uint32_t)1 << 28)

struct deflate_codes {
	uint32_t literals[(1 << LITERAL_BITS) + SECOND_ENTRIES];
	uint32_t distances[(1 << DISTANCE_BITS) + SECOND_ENTRIES];
};

/* Bytes behind its start that reading a block's header may touch. */
#define DEFLATE_HEADER_BYTES 640

/* Bits `bit` and on: 57 of them are valid. */
static inline uint64_t
deflate_bits(const unsigned char *bytes, uint64_t bit)
{
	uint64_t bits;

	memcpy(&bits, bytes + bit / 8, sizeof bits);
	return le64toh(bits) >> (bit % 8);
}

/* The codes of a block of type 1. */
void deflate_codes_fixed(struct deflate_codes *codes);
/* The codes of a block of type 2, which stand behind the three bits that say so; *bit is moved to
 * what follows.  false: there are none. */
bool deflate_codes_read(struct deflate_codes *codes, const unsigned char *bytes, uint64_t *bit);
/*
 * The first bit at or after `bit`, before `end`, from which on the header of a block can be read
 * that is not the last and has codes of its own.  Chance makes such bits as well, but rarely.
 * UINT64_MAX: none, or too much that only looked like it.  DEFLATE_HEADER_BYTES behind `end` can be
 * read.
 */
uint64_t deflate_codes_search(const unsigned char *bytes, uint64_t bit, uint64_t end);

#endif
