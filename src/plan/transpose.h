#ifndef PLAN_TRANSPOSE_H
#define PLAN_TRANSPOSE_H

#include <stddef.h>
#include <stdint.h>

/*
 * target[j][i] = source[i][j] for i < rows, j < columns.  Pitches, from one row to the next,
 * are in elements of `element_bytes` (1, 2, 4 or 8); nothing need be aligned.
 */
void transpose(const unsigned char *source, uint64_t source_pitch, unsigned char *target,
	uint64_t target_pitch, uint64_t rows, uint64_t columns, size_t element_bytes);

#endif
