#include "plan/element.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* ---- to numbers ------------------------------------------------------------------- */

static double
value_of_half(uint16_t bits)
{
	int    exponent = bits >> 10 & 0x1f, fraction = bits & 0x3ff;
	double value = exponent == 0x1f ? (fraction != 0 ? (double)NAN : (double)INFINITY)
		: exponent == 0 ? ldexp(fraction, -24) : ldexp(fraction + 0x400, exponent - 25);

	return bits & 0x8000 ? -value : value;
}

static double
value_of_single(uint32_t bits)
{
	float value;

	memcpy(&value, &bits, sizeof value);
	return (double)value;
}

double
element_value(enum dtype dtype, const unsigned char *element)
{
	uint16_t half;
	uint32_t single;
	double   value;

	switch (dtype) {
	case DTYPE_FLOAT16:
		memcpy(&half, element, sizeof half);
		return value_of_half(half);
	case DTYPE_BFLOAT16:
		memcpy(&half, element, sizeof half);
		return value_of_single((uint32_t)half << 16);
	case DTYPE_FLOAT32:
		memcpy(&single, element, sizeof single);
		return value_of_single(single);
	default:
		memcpy(&value, element, sizeof value);
		return value;
	}
}

/* ---- and back --------------------------------------------------------------------- */

/* Sign, 5 bits of exponent, 10 of fraction; rint() rounds to nearest even. */
static uint16_t
half_of(float value)
{
	double   size = fabs((double)value), fraction;
	unsigned sign = signbit(value) ? 0x8000 : 0;
	int      exponent;

	if (isnan(value))
		return (uint16_t)(sign | 0x7e00);
	if (size >= 65520)                      /* half way from the largest to what follows */
		return (uint16_t)(sign | 0x7c00);
	if (size < ldexp(1, -14))
		return (uint16_t)(sign + (unsigned)rint(ldexp(size, 24)));
	frexp(size, &exponent);
	fraction = rint(ldexp(size, 11 - exponent));    /* 1024 to 2048, which is a carry */
	return (uint16_t)(sign + ((unsigned)(exponent + 14) << 10) + (unsigned)fraction - 1024);
}

/* The upper half of a float32. */
static uint16_t
bfloat_of(float value)
{
	uint32_t bits;

	memcpy(&bits, &value, sizeof bits);
	if (isnan(value))
		return (uint16_t)(bits >> 16 | 0x40);
	return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static void
put_single(enum dtype dtype, float value, unsigned char *element)
{
	uint16_t half = dtype == DTYPE_FLOAT16 ? half_of(value) : bfloat_of(value);

	if (dtype == DTYPE_FLOAT32)
		memcpy(element, &value, sizeof value);
	else
		memcpy(element, &half, sizeof half);
}

void
element_put(enum dtype dtype, double value, unsigned char *element)
{
	if (dtype == DTYPE_FLOAT64)
		memcpy(element, &value, sizeof value);
	else
		put_single(dtype, (float)value, element);
}

void
element_put_plus_one(enum dtype dtype, double value, unsigned char *element)
{
	value = dtype == DTYPE_FLOAT64 ? value + 1 : (double)((float)value + 1.0f);
	element_put(dtype, value, element);
}
