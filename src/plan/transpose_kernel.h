#ifndef PLAN_TRANSPOSE_KERNEL_H
#define PLAN_TRANSPOSE_KERNEL_H

#include <stddef.h>

/* A tile is as wide and as high as a cache line: 32 x 32 elements of 2 bytes, 16 x 16 of 4. */
#define TILE_BYTES   64
#define SQUARE_BYTES 16

/* Turns `down` by `across` tiles.  Pitches are in bytes; nothing need be aligned. */
typedef void transpose_tiles(const unsigned char *source, size_t source_pitch,
	unsigned char *target, size_t target_pitch, size_t down, size_t across);

/* For one kind of processor.  The results are the same for all. */
struct transpose_kernel {
	transpose_tiles *halves;        /* elements of 2 bytes */
	transpose_tiles *words;         /* of 4 */
};

extern const struct transpose_kernel transpose_kernel_portable;
#if defined(__x86_64__)
extern const struct transpose_kernel transpose_kernel_avx2, transpose_kernel_avx512;
#endif

/*
 * Defines NAME by TURN_COLUMN, which turns a column of a tile: all of its rows, and as many of
 * their elements as a square of 16 bytes a side has, which are `side`.  Strips as wide as a
 * tile go by from the top down: lines of the target that are neighbours follow each other,
 * and of the source every line that was loaded is used up.
 */
#define TRANSPOSE_TILES(name, attributes, turn_column, side) \
	attributes static void \
	name(const unsigned char *source, size_t source_pitch, unsigned char *target, \
		size_t target_pitch, size_t down, size_t across) \
	{ \
		const size_t columns = TILE_BYTES / SQUARE_BYTES, rows = columns * (side); \
		for (size_t j = 0; j < across; j++, source += TILE_BYTES, target += rows * target_pitch) \
			for (size_t i = 0; i < down; i++) \
				for (size_t k = 0; k < columns; k++) \
					turn_column(source + i * rows * source_pitch + k * SQUARE_BYTES, \
						source_pitch, target + k * (side) * target_pitch + i * TILE_BYTES, \
						target_pitch); \
	}

#endif
