#ifndef CONTAINER_CRC32_H
#define CONTAINER_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* CRC-32 of zip (polynomial 0xEDB88320).  `crc` is 0 to begin with. */
uint32_t crc32_of(uint32_t crc, const void *bytes, size_t length);

/*
 * CRC-32 is linear: that of a whole can be put together from its pieces in any order.
 * Start with crc32_of_zeros(whole), and for each piece (in whatever order they are made)
 * XOR crc32_piece(crc32_of(0, piece), its length, bytes of the whole that follow it).
 * When every byte is covered exactly once the result is the CRC-32 of the whole.
 */
uint32_t crc32_of_zeros(uint64_t length);
uint32_t crc32_piece(uint32_t piece_crc, uint64_t length, uint64_t bytes_after);

#endif
