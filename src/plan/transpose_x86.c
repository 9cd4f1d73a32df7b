#include "plan/transpose_kernel.h"

#if defined(__x86_64__)

#include <immintrin.h>

/*
 * Rows interleaved with those half of them below, element by element, turn a square when it
 * is done as often as it takes to double 1 to its side: every time the bits that count rows
 * and columns move on by one.  The processor interleaves inside of 16 bytes, so each 16 bytes
 * of a vector hold a square of their own, one below the other, and what is stored is as wide
 * as the vector.
 */
#define AVX2   __attribute__((target("avx2")))
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#define INLINE static inline __attribute__((always_inline))

#define HALVES ((size_t)8)      /* the side of a square in 16 bytes */
#define WORDS  ((size_t)4)

/* Unrolled, or the vectors would live on the stack. */
#define INTERLEAVE(to, from, side, low, high) \
	_Pragma("GCC unroll 4") \
	for (size_t i = 0; i < (side) / 2; i++) { \
		(to)[2 * i] = low((from)[i], (from)[i + (side) / 2]); \
		(to)[2 * i + 1] = high((from)[i], (from)[i + (side) / 2]); \
	}
#define EACH_ROW(side, statement) \
	_Pragma("GCC unroll 8") \
	for (size_t i = 0; i < (side); i++) \
		statement

AVX2 INLINE __m128i
load_16(const unsigned char *at)
{
	return _mm_loadu_si128((const __m128i *)(const void *)at);
}

/* ---- AVX2: two squares, twice for a cache line ------------------------------------ */

AVX2 INLINE __m256i
load_two(const unsigned char *at, size_t below)
{
	return _mm256_inserti128_si256(_mm256_castsi128_si256(load_16(at)), load_16(at + below), 1);
}

AVX2 INLINE void
store_two(unsigned char *at, __m256i vector)
{
	_mm256_storeu_si256((__m256i *)(void *)at, vector);
}

AVX2 INLINE void
turn_two_of_halves(const unsigned char *source, size_t source_pitch, unsigned char *target,
	size_t target_pitch)
{
	__m256i a[HALVES], b[HALVES];

	EACH_ROW(HALVES, a[i] = load_two(source + i * source_pitch, HALVES * source_pitch);)
	INTERLEAVE(b, a, HALVES, _mm256_unpacklo_epi16, _mm256_unpackhi_epi16)
	INTERLEAVE(a, b, HALVES, _mm256_unpacklo_epi16, _mm256_unpackhi_epi16)
	INTERLEAVE(b, a, HALVES, _mm256_unpacklo_epi16, _mm256_unpackhi_epi16)
	EACH_ROW(HALVES, store_two(target + i * target_pitch, b[i]);)
}

AVX2 INLINE void
turn_two_of_words(const unsigned char *source, size_t source_pitch, unsigned char *target,
	size_t target_pitch)
{
	__m256i a[WORDS], b[WORDS];

	EACH_ROW(WORDS, a[i] = load_two(source + i * source_pitch, WORDS * source_pitch);)
	INTERLEAVE(b, a, WORDS, _mm256_unpacklo_epi32, _mm256_unpackhi_epi32)
	INTERLEAVE(a, b, WORDS, _mm256_unpacklo_epi32, _mm256_unpackhi_epi32)
	EACH_ROW(WORDS, store_two(target + i * target_pitch, a[i]);)
}

/* The squares of one column: as many bytes of rows as a cache line has. */
AVX2 INLINE void
turn_column_of_halves_avx2(const unsigned char *source, size_t source_pitch,
	unsigned char *target, size_t target_pitch)
{
	turn_two_of_halves(source, source_pitch, target, target_pitch);
	turn_two_of_halves(source + 2 * HALVES * source_pitch, source_pitch, target + 32,
		target_pitch);
}

AVX2 INLINE void
turn_column_of_words_avx2(const unsigned char *source, size_t source_pitch,
	unsigned char *target, size_t target_pitch)
{
	turn_two_of_words(source, source_pitch, target, target_pitch);
	turn_two_of_words(source + 2 * WORDS * source_pitch, source_pitch, target + 32,
		target_pitch);
}

TRANSPOSE_TILES(turn_halves_avx2, AVX2, turn_column_of_halves_avx2, HALVES)
TRANSPOSE_TILES(turn_words_avx2, AVX2, turn_column_of_words_avx2, WORDS)

const struct transpose_kernel transpose_kernel_avx2 = {
	.halves = turn_halves_avx2, .words = turn_words_avx2,
};

/* ---- AVX-512: four squares, a cache line ------------------------------------------ */

AVX512 INLINE __m512i
load_four(const unsigned char *at, size_t below)
{
	__m512i vector = _mm512_castsi128_si512(load_16(at));

	vector = _mm512_inserti32x4(vector, load_16(at + below), 1);
	vector = _mm512_inserti32x4(vector, load_16(at + 2 * below), 2);
	return _mm512_inserti32x4(vector, load_16(at + 3 * below), 3);
}

AVX512 INLINE void
store_four(unsigned char *at, __m512i vector)
{
	_mm512_storeu_si512(at, vector);
}

AVX512 INLINE void
turn_column_of_halves_avx512(const unsigned char *source, size_t source_pitch,
	unsigned char *target, size_t target_pitch)
{
	__m512i a[HALVES], b[HALVES];

	EACH_ROW(HALVES, a[i] = load_four(source + i * source_pitch, HALVES * source_pitch);)
	INTERLEAVE(b, a, HALVES, _mm512_unpacklo_epi16, _mm512_unpackhi_epi16)
	INTERLEAVE(a, b, HALVES, _mm512_unpacklo_epi16, _mm512_unpackhi_epi16)
	INTERLEAVE(b, a, HALVES, _mm512_unpacklo_epi16, _mm512_unpackhi_epi16)
	EACH_ROW(HALVES, store_four(target + i * target_pitch, b[i]);)
}

AVX512 INLINE void
turn_column_of_words_avx512(const unsigned char *source, size_t source_pitch,
	unsigned char *target, size_t target_pitch)
{
	__m512i a[WORDS], b[WORDS];

	EACH_ROW(WORDS, a[i] = load_four(source + i * source_pitch, WORDS * source_pitch);)
	INTERLEAVE(b, a, WORDS, _mm512_unpacklo_epi32, _mm512_unpackhi_epi32)
	INTERLEAVE(a, b, WORDS, _mm512_unpacklo_epi32, _mm512_unpackhi_epi32)
	EACH_ROW(WORDS, store_four(target + i * target_pitch, a[i]);)
}

TRANSPOSE_TILES(turn_halves_avx512, AVX512, turn_column_of_halves_avx512, HALVES)
TRANSPOSE_TILES(turn_words_avx512, AVX512, turn_column_of_words_avx512, WORDS)

const struct transpose_kernel transpose_kernel_avx512 = {
	.halves = turn_halves_avx512, .words = turn_words_avx512,
};

#endif
