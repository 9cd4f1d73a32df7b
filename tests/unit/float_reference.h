#ifndef TESTS_UNIT_FLOAT_REFERENCE_H
#define TESTS_UNIT_FLOAT_REFERENCE_H

#include "torch/dtype.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * What conversions of element types have to give.  It knows the types by their widths only,
 * decodes with ldexp() and finds the nearest half or bfloat16 by searching the list of all of
 * them in float64, where every middle between two of them is exact.
 */
static const struct format {
	enum dtype dtype;
	int        exponent_bits, fraction_bits;
} formats[] = {
	[DTYPE_FLOAT16] = { DTYPE_FLOAT16, 5, 10 },
	[DTYPE_BFLOAT16] = { DTYPE_BFLOAT16, 8, 7 },
	[DTYPE_FLOAT32] = { DTYPE_FLOAT32, 8, 23 },
	[DTYPE_FLOAT64] = { DTYPE_FLOAT64, 11, 52 },
};
#define FORMATS 4

static inline uint64_t
low_bits(int count)
{
	return (UINT64_C(1) << count) - 1;
}

static inline bool
sign_of(enum dtype dtype, uint64_t bits)
{
	return bits >> (formats[dtype].exponent_bits + formats[dtype].fraction_bits) & 1;
}

static inline int
exponent_of(enum dtype dtype, uint64_t bits)
{
	return (int)(bits >> formats[dtype].fraction_bits & low_bits(formats[dtype].exponent_bits));
}

static inline uint64_t
fraction_of(enum dtype dtype, uint64_t bits)
{
	return bits & low_bits(formats[dtype].fraction_bits);
}

static inline bool
is_nan(enum dtype dtype, uint64_t bits)
{
	return exponent_of(dtype, bits) == (int)low_bits(formats[dtype].exponent_bits)
		&& fraction_of(dtype, bits) != 0;
}

/* Without its sign; of what is no NaN. */
static inline double
size_of(enum dtype dtype, uint64_t bits)
{
	int    exponent = exponent_of(dtype, bits), width = formats[dtype].fraction_bits;
	int    bias = (int)low_bits(formats[dtype].exponent_bits - 1);
	double fraction = (double)fraction_of(dtype, bits);

	if (exponent == (int)low_bits(formats[dtype].exponent_bits))
		return (double)INFINITY;
	return exponent == 0 ? ldexp(fraction, 1 - bias - width)
		: ldexp(fraction + (double)(low_bits(width) + 1), exponent - bias - width);
}

static inline uint64_t
join(enum dtype dtype, bool sign, uint64_t rest)
{
	return rest | (uint64_t)sign << (formats[dtype].exponent_bits + formats[dtype].fraction_bits);
}

/* The sizes of all halves, of all bfloat16, up to the one that would follow the largest. */
static double sizes_of_halves[0x7c01], sizes_of_bfloats[0x7f81];

static inline void
make_sizes(void)
{
	for (uint64_t bits = 0; bits < 0x7c00; bits++)
		sizes_of_halves[bits] = size_of(DTYPE_FLOAT16, bits);
	sizes_of_halves[0x7c00] = 65536;
	for (uint64_t bits = 0; bits < 0x7f80; bits++)
		sizes_of_bfloats[bits] = size_of(DTYPE_BFLOAT16, bits);
	sizes_of_bfloats[0x7f80] = 0x1p128;
}

static inline uint64_t
nearest(enum dtype dtype, double size)
{
	const double *sizes = dtype == DTYPE_FLOAT16 ? sizes_of_halves : sizes_of_bfloats;
	uint64_t      low = 0, high = dtype == DTYPE_FLOAT16 ? 0x7c00 : 0x7f80;
	double        middle;

	if (size >= sizes[high])
		return high;
	while (high - low > 1) {
		uint64_t between = (low + high) / 2;

		if (sizes[between] <= size)
			low = between;
		else
			high = between;
	}
	middle = (sizes[low] + sizes[high]) / 2;
	return size < middle ? low : size > middle ? high : low % 2 == 0 ? low : high;
}

/* NaN: the upper bits of the fraction, and the topmost set. */
static inline uint64_t
expected_nan(enum dtype from, uint64_t bits, enum dtype to)
{
	int      more = formats[to].fraction_bits - formats[from].fraction_bits;
	uint64_t fraction = fraction_of(from, bits);

	fraction = more >= 0 ? fraction << more : fraction >> -more;
	fraction |= UINT64_C(1) << (formats[to].fraction_bits - 1);
	return join(to, sign_of(from, bits),
		fraction | low_bits(formats[to].exponent_bits) << formats[to].fraction_bits);
}

/* Of two float32 side by side, float64 knows the middle. */
static inline bool
is_nearest_single(double size, uint64_t found)
{
	double here = found == 0x7f800000 ? 0x1p128 : size_of(DTYPE_FLOAT32, found);
	double above = found >= 0x7f7fffff ? 0x1p128 : size_of(DTYPE_FLOAT32, found + 1);
	double below = found == 0 ? 0 : size_of(DTYPE_FLOAT32, found - 1);
	bool   even = found % 2 == 0;
	double highest = (here + above) / 2, lowest = (here + below) / 2;

	if (isinf(size))
		return found == 0x7f800000;
	return (size > lowest || (even && size == lowest) || found == 0)
		&& (size < highest || (even && size == highest) || found == 0x7f800000);
}

static inline bool
is_right(enum dtype from, uint64_t bits, enum dtype to, uint64_t found)
{
	uint64_t sign = join(to, sign_of(from, bits), 0);

	if (from == to)
		return found == bits;
	if (is_nan(from, bits))
		return found == expected_nan(from, bits, to);
	if (to == DTYPE_FLOAT16 || to == DTYPE_BFLOAT16)
		return found == (sign | nearest(to, size_of(from, bits)));
	if (from == DTYPE_FLOAT64)
		return (found & sign) == sign && is_nearest_single(size_of(from, bits), found ^ sign);
	return (found & sign) == sign && !is_nan(to, found)
		&& !(size_of(to, found ^ sign) < size_of(from, bits))
		&& !(size_of(to, found ^ sign) > size_of(from, bits));
}

#endif
