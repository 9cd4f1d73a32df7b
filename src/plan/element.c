#include "plan/element.h"

#include <math.h>
#include <stdbool.h>
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

/* ---- no numbers ------------------------------------------------------------------- */

/* Bits of the exponent: all of them set is an infinity or no number.  In 16-byte vectors, of
 * which most hold none. */
#define VECTOR_BYTES 16
#define FIND_SPECIAL(name, type, exponent) \
	typedef type vector_##name __attribute__((vector_size(VECTOR_BYTES))); \
	static bool \
	find_special_##name(const unsigned char *at, size_t vectors) \
	{ \
		vector_##name found = { 0 }; \
		const unsigned char *bytes = (const unsigned char *)&found; \
		for (size_t i = 0; i < vectors; i++) { \
			vector_##name v; \
			memcpy(&v, at + i * sizeof v, sizeof v); \
			found |= (vector_##name)((v & (type)(exponent)) == (type)(exponent)); \
		} \
		for (size_t i = 0; i < sizeof found; i++) \
			if (bytes[i] != 0) \
				return true; \
		return false; \
	}
FIND_SPECIAL(float16, uint16_t, 0x7c00)
FIND_SPECIAL(bfloat16, uint16_t, 0x7f80)
FIND_SPECIAL(float32, uint32_t, 0x7f800000)
FIND_SPECIAL(float64, uint64_t, 0x7ff0000000000000)

static bool
find_special(enum dtype dtype, const unsigned char *at, size_t vectors)
{
	switch (dtype) {
	case DTYPE_FLOAT16: return find_special_float16(at, vectors);
	case DTYPE_BFLOAT16: return find_special_bfloat16(at, vectors);
	case DTYPE_FLOAT32: return find_special_float32(at, vectors);
	default: return find_special_float64(at, vectors);
	}
}

#define BLOCK_VECTORS 256

void
element_count_specials(struct element_specials *specials, enum dtype dtype,
	const unsigned char *elements, size_t count)
{
	size_t size = dtype_size(dtype), per_block = BLOCK_VECTORS * VECTOR_BYTES / size;

	while (count > 0) {
		size_t block = count < per_block ? count : per_block;

		/* A last block that is no whole number of vectors is looked at one by one. */
		if (block < per_block || find_special(dtype, elements, BLOCK_VECTORS)) {
			for (size_t i = 0; i < block; i++) {
				double value = element_value(dtype, elements + i * size);

				specials->not_numbers += isnan(value) != 0;
				specials->infinities += isinf(value) != 0;
			}
		}
		elements += block * size;
		count -= block;
	}
}
