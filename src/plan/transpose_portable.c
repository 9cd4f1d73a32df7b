#include "plan/transpose_kernel.h"

#include <stdint.h>
#include <string.h>

/*
 * Squares of 16 bytes a side are turned in registers; GCC and clang make the processor's
 * shuffles of the vectors here.
 */
typedef uint16_t halves __attribute__((vector_size(SQUARE_BYTES)));
typedef uint32_t words __attribute__((vector_size(SQUARE_BYTES)));

/* Loads and stores at any address. */
static inline halves
load_halves(const unsigned char *from)
{
	halves loaded;

	memcpy(&loaded, from, sizeof loaded);
	return loaded;
}

static inline void
store_halves(unsigned char *to, halves vector)
{
	memcpy(to, &vector, sizeof vector);
}

static inline words
load_words(const unsigned char *from)
{
	words loaded;

	memcpy(&loaded, from, sizeof loaded);
	return loaded;
}

static inline void
store_words(unsigned char *to, words vector)
{
	memcpy(to, &vector, sizeof vector);
}

/* Pairs, then fours, then eights of elements from two vectors: low halves, high halves. */
#define LOW_1(a, b)  __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define HIGH_1(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#define LOW_2(a, b)  __builtin_shufflevector(a, b, 0, 1, 8, 9, 2, 3, 10, 11)
#define HIGH_2(a, b) __builtin_shufflevector(a, b, 4, 5, 12, 13, 6, 7, 14, 15)
#define LOW_4(a, b)  __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11)
#define HIGH_4(a, b) __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15)

/* Written out: left as loops, the vectors would live on the stack. */
static inline void
turn_square_of_halves(const unsigned char *source, size_t source_pitch, unsigned char *target,
	size_t target_pitch)
{
	const halves r0 = load_halves(source), r1 = load_halves(source + source_pitch);
	const halves r2 = load_halves(source + 2 * source_pitch);
	const halves r3 = load_halves(source + 3 * source_pitch);
	const halves r4 = load_halves(source + 4 * source_pitch);
	const halves r5 = load_halves(source + 5 * source_pitch);
	const halves r6 = load_halves(source + 6 * source_pitch);
	const halves r7 = load_halves(source + 7 * source_pitch);
	const halves a0 = LOW_1(r0, r1), a1 = HIGH_1(r0, r1), a2 = LOW_1(r2, r3);
	const halves a3 = HIGH_1(r2, r3), a4 = LOW_1(r4, r5), a5 = HIGH_1(r4, r5);
	const halves a6 = LOW_1(r6, r7), a7 = HIGH_1(r6, r7);
	const halves b0 = LOW_2(a0, a2), b1 = HIGH_2(a0, a2), b2 = LOW_2(a1, a3);
	const halves b3 = HIGH_2(a1, a3), b4 = LOW_2(a4, a6), b5 = HIGH_2(a4, a6);
	const halves b6 = LOW_2(a5, a7), b7 = HIGH_2(a5, a7);

	store_halves(target, LOW_4(b0, b4));
	store_halves(target + target_pitch, HIGH_4(b0, b4));
	store_halves(target + 2 * target_pitch, LOW_4(b1, b5));
	store_halves(target + 3 * target_pitch, HIGH_4(b1, b5));
	store_halves(target + 4 * target_pitch, LOW_4(b2, b6));
	store_halves(target + 5 * target_pitch, HIGH_4(b2, b6));
	store_halves(target + 6 * target_pitch, LOW_4(b3, b7));
	store_halves(target + 7 * target_pitch, HIGH_4(b3, b7));
}

static inline void
turn_square_of_words(const unsigned char *source, size_t source_pitch, unsigned char *target,
	size_t target_pitch)
{
	const words r0 = load_words(source), r1 = load_words(source + source_pitch);
	const words r2 = load_words(source + 2 * source_pitch);
	const words r3 = load_words(source + 3 * source_pitch);
	const words a0 = __builtin_shufflevector(r0, r1, 0, 4, 1, 5);
	const words a1 = __builtin_shufflevector(r0, r1, 2, 6, 3, 7);
	const words a2 = __builtin_shufflevector(r2, r3, 0, 4, 1, 5);
	const words a3 = __builtin_shufflevector(r2, r3, 2, 6, 3, 7);

	store_words(target, __builtin_shufflevector(a0, a2, 0, 1, 4, 5));
	store_words(target + target_pitch, __builtin_shufflevector(a0, a2, 2, 3, 6, 7));
	store_words(target + 2 * target_pitch, __builtin_shufflevector(a1, a3, 0, 1, 4, 5));
	store_words(target + 3 * target_pitch, __builtin_shufflevector(a1, a3, 2, 3, 6, 7));
}

static void
turn_column_of_halves(const unsigned char *source, size_t source_pitch, unsigned char *target,
	size_t target_pitch)
{
	for (size_t i = 0; i < TILE_BYTES; i += SQUARE_BYTES)
		turn_square_of_halves(source + i / sizeof(uint16_t) * source_pitch, source_pitch,
			target + i, target_pitch);
}

static void
turn_column_of_words(const unsigned char *source, size_t source_pitch, unsigned char *target,
	size_t target_pitch)
{
	for (size_t i = 0; i < TILE_BYTES; i += SQUARE_BYTES)
		turn_square_of_words(source + i / sizeof(uint32_t) * source_pitch, source_pitch,
			target + i, target_pitch);
}

TRANSPOSE_TILES(turn_halves, , turn_column_of_halves, SQUARE_BYTES / sizeof(uint16_t))
TRANSPOSE_TILES(turn_words, , turn_column_of_words, SQUARE_BYTES / sizeof(uint32_t))

const struct transpose_kernel transpose_kernel_portable = {
	.halves = turn_halves, .words = turn_words,
};
