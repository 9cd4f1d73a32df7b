#include "plan/transpose.h"

#include "plan/instructions.h"
#include "plan/transpose_kernel.h"

#include <string.h>

/* ---- whole tiles ------------------------------------------------------------------ */

/* NULL: elements of a size that has no kernel. */
static transpose_tiles *
choose_kernel(size_t element_bytes)
{
	const struct transpose_kernel *kernel = &transpose_kernel_portable;

#if defined(__x86_64__)
	if (instructions_used() == INSTRUCTIONS_AVX512)
		kernel = &transpose_kernel_avx512;
	else if (instructions_used() == INSTRUCTIONS_AVX2)
		kernel = &transpose_kernel_avx2;
#endif
	switch (element_bytes) {
	case 2: return kernel->halves;
	case 4: return kernel->words;
	default: return NULL;
	}
}

/* ---- edges ------------------------------------------------------------------------ */

/* One by one: element sizes that no model of ours has. */
static void
turn_elements(const unsigned char *source, size_t source_pitch, unsigned char *target,
	size_t target_pitch, uint64_t rows, uint64_t columns, size_t element_bytes)
{
	for (uint64_t j = 0; j < columns; j++)
		for (uint64_t i = 0; i < rows; i++)
			memcpy(target + j * target_pitch + i * element_bytes,
				source + i * source_pitch + j * element_bytes, element_bytes);
}

/* A part of a tile, by way of whole ones: what is beside it there is left over. */
static void
turn_part(const unsigned char *source, size_t source_pitch, unsigned char *target,
	size_t target_pitch, size_t row_bytes, size_t column_bytes, size_t element_bytes)
{
	_Alignas(TILE_BYTES) unsigned char from[TILE_BYTES / 2 * TILE_BYTES] = { 0 };
	_Alignas(TILE_BYTES) unsigned char to[TILE_BYTES / 2 * TILE_BYTES];

	for (size_t i = 0; i < column_bytes / element_bytes; i++)
		memcpy(from + i * TILE_BYTES, source + i * source_pitch, row_bytes);
	choose_kernel(element_bytes)(from, TILE_BYTES, to, TILE_BYTES, 1, 1);
	for (size_t j = 0; j < row_bytes / element_bytes; j++)
		memcpy(target + j * target_pitch, to + j * TILE_BYTES, column_bytes);
}

/* `column_bytes` of rows, in the target, which are less than a tile. */
static void
turn_part_band(const unsigned char *source, size_t source_pitch, unsigned char *target,
	size_t target_pitch, size_t column_bytes, uint64_t columns, size_t element_bytes)
{
	uint64_t side = TILE_BYTES / element_bytes;

	for (uint64_t j = 0; j < columns && column_bytes > 0; j += side)
		turn_part(source + j * element_bytes, source_pitch, target + j * target_pitch,
			target_pitch, columns - j < side ? (columns - j) * element_bytes : TILE_BYTES,
			column_bytes, element_bytes);
}

/* Rows up to where rows of the target reach a cache line: of a line that is written in two
 * parts, at different times, each costs what the whole one would.  0: no place is better. */
static uint64_t
rows_to_line(const unsigned char *target, size_t target_pitch, size_t element_bytes)
{
	size_t bytes = -(uintptr_t)target % TILE_BYTES;

	return target_pitch % TILE_BYTES == 0 && bytes % element_bytes == 0
		? bytes / element_bytes : 0;
}

void
transpose(const unsigned char *source, uint64_t source_pitch, unsigned char *target,
	uint64_t target_pitch, uint64_t rows, uint64_t columns, size_t element_bytes)
{
	transpose_tiles *kernel = choose_kernel(element_bytes);
	size_t           from_pitch = source_pitch * element_bytes;
	size_t           to_pitch = target_pitch * element_bytes;
	uint64_t         side = TILE_BYTES / element_bytes, first, down, across = columns / side;

	if (kernel == NULL) {
		turn_elements(source, from_pitch, target, to_pitch, rows, columns, element_bytes);
		return;
	}
	first = rows_to_line(target, to_pitch, element_bytes);
	if (first > rows)
		first = rows;
	turn_part_band(source, from_pitch, target, to_pitch, first * element_bytes, columns,
		element_bytes);
	source += first * from_pitch;
	target += first * element_bytes;
	rows -= first;
	down = rows / side;
	kernel(source, from_pitch, target, to_pitch, down, across);
	/* To the right of them, then below. */
	for (uint64_t i = 0; i < down && across * side < columns; i++)
		turn_part_band(source + i * side * from_pitch + across * TILE_BYTES, from_pitch,
			target + across * side * to_pitch + i * TILE_BYTES, to_pitch, TILE_BYTES,
			columns - across * side, element_bytes);
	turn_part_band(source + down * side * from_pitch, from_pitch, target + down * TILE_BYTES,
		to_pitch, (rows - down * side) * element_bytes, columns, element_bytes);
}
