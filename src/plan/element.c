#include "plan/element.h"

#include "plan/float_bits.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* ---- numbers ---------------------------------------------------------------------- */

double
element_value(enum dtype dtype, const unsigned char *element)
{
	uint16_t half;
	uint32_t single;
	uint64_t bits;

	switch (dtype) {
	case DTYPE_FLOAT16:
		memcpy(&half, element, sizeof half);
		single = float_bits_half_to_single(half);
		break;
	case DTYPE_BFLOAT16:
		memcpy(&half, element, sizeof half);
		single = float_bits_bfloat_to_single(half);
		break;
	case DTYPE_FLOAT32:
		memcpy(&single, element, sizeof single);
		break;
	default:
		memcpy(&bits, element, sizeof bits);
		return float_bits_to_double(bits);
	}
	return float_bits_to_double(float_bits_single_to_double(single));
}

void
element_put(enum dtype dtype, double value, unsigned char *element)
{
	uint64_t bits = float_bits_of_double(value);
	uint32_t single;
	uint16_t half;

	switch (dtype) {
	case DTYPE_FLOAT16:
		half = float_bits_single_to_half(float_bits_double_to_odd_single(bits));
		memcpy(element, &half, sizeof half);
		break;
	case DTYPE_BFLOAT16:
		half = float_bits_single_to_bfloat(float_bits_double_to_odd_single(bits));
		memcpy(element, &half, sizeof half);
		break;
	case DTYPE_FLOAT32:
		single = float_bits_double_to_single(bits);
		memcpy(element, &single, sizeof single);
		break;
	default:
		memcpy(element, &bits, sizeof bits);
	}
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
		size_t vectors = block * size / VECTOR_BYTES, at = 0;

		/* One by one: what fills no vector, or all where there is something to find. */
		if (!find_special(dtype, elements, vectors))
			at = vectors * VECTOR_BYTES / size;
		for (; at < block; at++) {
			double value = element_value(dtype, elements + at * size);

			specials->not_numbers += isnan(value) != 0;
			specials->infinities += isinf(value) != 0;
		}
		elements += block * size;
		count -= block;
	}
}
