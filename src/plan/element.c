#include "plan/element.h"

#include "plan/float_bits.h"
#include "plan/instructions.h"

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

/*
 * Bits of the exponent: all of them set is an infinity or no number.  In vectors, of which
 * most hold none.  Of a float64 only every second word has any, the upper one.
 */
#define LONGEST_VECTOR 64
#define FIND_SPECIAL(name, attributes, vector_bytes, type, exponent, step) \
	attributes static bool \
	find_special_##name(const unsigned char *at, size_t bytes) \
	{ \
		typedef type vector __attribute__((vector_size(vector_bytes))); \
		vector found = { 0 }; \
		for (size_t i = 0; i < bytes; i += sizeof found) { \
			vector v; \
			memcpy(&v, at + i, sizeof v); \
			found |= (vector)((v & (type)(exponent)) == (type)(exponent)); \
		} \
		for (size_t i = (step) - 1; i < sizeof found / sizeof(type); i += (step)) \
			if (found[i] != 0) \
				return true; \
		return false; \
	}

/* `bytes` is a multiple of the longest vector. */
typedef bool find_special(const unsigned char *at, size_t bytes);

/* For one kind of processor; by type. */
#define FIND_SPECIALS(name, attributes, bytes) \
	FIND_SPECIAL(float16_##name, attributes, bytes, uint16_t, 0x7c00, 1) \
	FIND_SPECIAL(bfloat16_##name, attributes, bytes, uint16_t, 0x7f80, 1) \
	FIND_SPECIAL(float32_##name, attributes, bytes, uint32_t, 0x7f800000, 1) \
	FIND_SPECIAL(float64_##name, attributes, bytes, uint32_t, 0x7ff00000, 2) \
	static find_special *const find_special_##name[] = { \
		[DTYPE_FLOAT16] = find_special_float16_##name, \
		[DTYPE_BFLOAT16] = find_special_bfloat16_##name, \
		[DTYPE_FLOAT32] = find_special_float32_##name, \
		[DTYPE_FLOAT64] = find_special_float64_##name, \
	};
FIND_SPECIALS(portable, , 16)
#if defined(__x86_64__)
FIND_SPECIALS(avx2, __attribute__((target("avx2"))), 32)
FIND_SPECIALS(avx512, __attribute__((target("avx512f,avx512bw"))), LONGEST_VECTOR)
#endif

static find_special *
choose_finder(enum dtype dtype)
{
#if defined(__x86_64__)
	if (instructions_used() == INSTRUCTIONS_AVX512)
		return find_special_avx512[dtype];
	if (instructions_used() == INSTRUCTIONS_AVX2)
		return find_special_avx2[dtype];
#endif
	return find_special_portable[dtype];
}

#define BLOCK_BYTES 4096

void
element_count_specials(struct element_specials *specials, enum dtype dtype,
	const unsigned char *elements, size_t count)
{
	find_special *finds = choose_finder(dtype);
	size_t        size = dtype_size(dtype), per_block = BLOCK_BYTES / size;

	while (count > 0) {
		size_t block = count < per_block ? count : per_block;
		size_t vectors = block * size / LONGEST_VECTOR * LONGEST_VECTOR, at = 0;

		/* One by one: what fills no vector, or all where there is something to find. */
		if (!finds(elements, vectors))
			at = vectors / size;
		for (; at < block; at++) {
			double value = element_value(dtype, elements + at * size);

			specials->not_numbers += isnan(value) != 0;
			specials->infinities += isinf(value) != 0;
		}
		elements += block * size;
		count -= block;
	}
}
