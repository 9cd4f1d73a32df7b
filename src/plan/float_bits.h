#ifndef PLAN_FLOAT_BITS_H
#define PLAN_FLOAT_BITS_H

#include <stdint.h>
#include <string.h>

/*
 * The element types of weights, bit by bit, from the sign down (IEEE 754-2019, 3.4; bfloat16
 * is the upper half of a float32):
 *
 *                 sign   exponent   fraction     bias
 *     float16       1        5         10          15
 *     bfloat16      1        8          7         127
 *     float32       1        8         23         127
 *     float64       1       11         52        1023
 *
 * Exponent 0: fraction x 2^(1 - bias), with no leading 1.  Exponent all ones: infinity when
 * the fraction is 0, else NaN, of which the fraction's top bit set is a quiet one.
 *
 * Every step from one type to the next; what passes through float32 is in cast_kernel.h.  To nearest
 * even.  NaN: sign and the upper bits of the fraction stay, and it is made quiet.  No branches
 * where a loop over it is to become vector code, and signed comparisons, since SSE2 has no
 * others.
 */

static inline float
float_bits_to_float(uint32_t bits)
{
	float value;

	memcpy(&value, &bits, sizeof value);
	return value;
}

static inline uint32_t
float_bits_of_float(float value)
{
	uint32_t bits;

	memcpy(&bits, &value, sizeof bits);
	return bits;
}

static inline double
float_bits_to_double(uint64_t bits)
{
	double value;

	memcpy(&value, &bits, sizeof value);
	return value;
}

static inline uint64_t
float_bits_of_double(double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof bits);
	return bits;
}

/* By masks: gcc would leave the arithmetic of the other case in a branch, and the loop with it. */
static inline int32_t
float_bits_choose(int condition, int32_t chosen, int32_t otherwise)
{
	int32_t mask = -condition;

	return (chosen & mask) | (otherwise & ~mask);
}

/* ---- float16 and bfloat16 to float32: exact --------------------------------------- */

static inline uint32_t
float_bits_half_to_single(uint16_t half)
{
	int32_t size = (half & 0x7fff) << 13, result = size + ((127 - 15) << 23);
	/* 2^-14 x (1 + fraction) less 2^-14; a float32 has room for that. */
	int32_t small = (int32_t)float_bits_of_float(
		float_bits_to_float((uint32_t)(size + (113 << 23))) - 0x1p-14f);
	int32_t quiet = (size > 0x1f << 23) << 22;

	result = float_bits_choose(size < 1 << 23, small, result);
	result = float_bits_choose(size < 0x1f << 23, result, size | 0xff << 23 | quiet);
	return (uint32_t)(half & 0x8000) << 16 | (uint32_t)result;
}

static inline uint32_t
float_bits_bfloat_to_single(uint16_t bfloat)
{
	uint32_t quiet = (bfloat & 0x7fff) > 0x7f80 ? 1u << 22 : 0;

	return (uint32_t)bfloat << 16 | quiet;
}

/* ---- float32 to float16 and bfloat16 ---------------------------------------------- */

static inline uint16_t
float_bits_single_to_half(uint32_t single)
{
	int32_t size = (int32_t)(single & 0x7fffffff);
	/* A carry out of the fraction goes where it should: into the exponent. */
	int32_t result = (size - ((127 - 15) << 23) + 0xfff + (size >> 13 & 1)) >> 13;
	/* Below 2^-14: beside 0.5 a float32 has steps of 2^-24, the steps of these halves, so
	 * that the sum is rounded as it should be. */
	int32_t small = (int32_t)float_bits_of_float(
		float_bits_to_float((uint32_t)size) + 0.5f) - (126 << 23);

	result = float_bits_choose(size < 113 << 23, small, result);
	/* From half way between 65504 and the 65536 that would follow. */
	result = float_bits_choose(size >= 0x477ff000, 0x7c00, result);
	result = float_bits_choose(size > 0xff << 23, 0x7e00 | (size >> 13 & 0x3ff), result);
	return (uint16_t)((single >> 16 & 0x8000) | (uint32_t)result);
}

static inline uint16_t
float_bits_single_to_bfloat(uint32_t single)
{
	int32_t  size = (int32_t)(single & 0x7fffffff);
	uint32_t rounded = (single + 0x7fff + (single >> 16 & 1)) >> 16;

	return (uint16_t)(size > 0xff << 23 ? (single >> 16 | 1u << 6) : rounded);
}

/* ---- float64 ---------------------------------------------------------------------- */

/* NaN apart, here and below, because not every processor keeps its fraction. */
static inline uint64_t
float_bits_single_to_double(uint32_t single)
{
	uint64_t sign = (uint64_t)(single >> 31) << 63, fraction = single & 0x7fffff;

	if ((single & 0x7fffffff) > 0xffu << 23)
		return sign | UINT64_C(0xfff) << 51 | fraction << 29;
	return float_bits_of_double((double)float_bits_to_float(single));
}

static inline uint32_t
float_bits_double_to_single(uint64_t bits)
{
	if ((bits & INT64_MAX) > UINT64_C(0x7ff) << 52)
		return (uint32_t)(bits >> 63) << 31 | 0x1ffu << 22 | (uint32_t)(bits >> 29 & 0x7fffff);
	return float_bits_of_float((float)float_bits_to_double(bits));
}

/*
 * The step before float16 and bfloat16.  First all but 14 bits are cut off, of which the last
 * is set where anything was lost: rounded "to odd".  Rounded to nearest from that, a value
 * comes out as if it had been rounded once, where there are at least two bits more than in
 * the end (S. Boldo, G. Melquiond: Emulation of FMA and Correctly Rounded Sums, 2008).  14
 * are enough for either, and so few that a float32 has them down to 2^-136: half of the
 * smallest bfloat16 is 2^-134, and what is below that stays below, or becomes it, which is 0
 * after all.
 */
#define FLOAT_BITS_LOST ((INT64_C(1) << 39) - 1)

static inline uint32_t
float_bits_double_to_odd_single(uint64_t bits)
{
	const uint64_t lost = FLOAT_BITS_LOST;

	return float_bits_double_to_single((bits | ((bits & lost) + lost)) & ~lost);
}

#endif
