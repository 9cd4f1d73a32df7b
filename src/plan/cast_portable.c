#include "plan/cast_kernel.h"

#include "plan/float_bits.h"

#include <string.h>

typedef uint16_t half_bits, bfloat_bits;
typedef uint32_t single_bits;
typedef uint64_t double_bits;

/*
 * A number of turns that is known beforehand, one step at a time, and functions without
 * branches make compilers write vector code at -O2.
 */
#define STEP 64
#define LOOP(from, loaded, to) \
	static bool \
	from##_to_##to(const unsigned char *restrict source, unsigned char *restrict target, \
		size_t count) \
	{ \
		uint32_t    singles[STEP]; \
		from##_bits before; \
		to##_bits   after; \
		for (; count >= STEP; count -= STEP) { \
			for (size_t i = 0; i < STEP; i++) { \
				memcpy(&before, source + i * sizeof before, sizeof before); \
				singles[i] = load_##loaded(before); \
			} \
			for (size_t i = 0; i < STEP; i++) { \
				after = store_##to(singles[i]); \
				memcpy(target + i * sizeof after, &after, sizeof after); \
			} \
			source += STEP * sizeof before; \
			target += STEP * sizeof after; \
		} \
		for (size_t i = 0; i < count; i++) { \
			memcpy(&before, source + i * sizeof before, sizeof before); \
			after = store_##to(load_##loaded(before)); \
			memcpy(target + i * sizeof after, &after, sizeof after); \
		} \
		return true; \
	}

#define load_half(bits)       float_bits_half_to_single(bits)
#define load_bfloat(bits)     float_bits_bfloat_to_single(bits)
#define load_single(bits)     (bits)
#define load_double(bits)     float_bits_double_to_single(bits)
#define load_odd_double(bits) float_bits_double_to_odd_single(bits)
#define store_half(single)    float_bits_single_to_half(single)
#define store_bfloat(single)  float_bits_single_to_bfloat(single)
#define store_single(single)  (single)
#define store_double(single)  float_bits_single_to_double(single)

CAST_PAIRS(LOOP)

const struct cast_kernel cast_kernel_portable = CAST_KERNEL;
