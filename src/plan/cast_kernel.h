#ifndef PLAN_CAST_KERNEL_H
#define PLAN_CAST_KERNEL_H

#include "plan/float_bits.h"

#include <stdbool.h>
#include <stddef.h>

/* Converts `count` elements side by side; nothing need be aligned, nothing may overlap.
 * false: it was seen that no result is infinite or NaN; true: there may be some. */
typedef bool cast_loop(const unsigned char *restrict source, unsigned char *restrict target,
	size_t count);

/* The steps that every conversion is made of, for one kind of processor.  The results are the
 * same for all kinds. */
struct cast_kernel {
	const char *name;                       /* "f16c, avx2" */
	cast_loop  *half_to_single, *bfloat_to_single;
	cast_loop  *single_to_half, *single_to_bfloat;
	cast_loop  *single_to_double;
	cast_loop  *double_to_single;           /* to nearest */
	cast_loop  *double_to_odd_single;       /* before it becomes a half or a bfloat16 */
};

extern const struct cast_kernel cast_kernel_portable;
/* NULL where this processor has not what it takes. */
const struct cast_kernel *cast_kernel_x86(void);

/*
 * Defines NAME, a loop over FUNCTION.  A number of turns that is known beforehand, and
 * functions without branches, make compilers write vector code at -O2.
 */
#define CAST_STEP 64
#define CAST_LOOP(name, attributes, from_type, to_type, function) \
	attributes static bool \
	name(const unsigned char *restrict source, unsigned char *restrict target, size_t count) \
	{ \
		from_type from; \
		to_type   to; \
		for (; count >= CAST_STEP; count -= CAST_STEP) { \
			for (size_t i = 0; i < CAST_STEP; i++) { \
				memcpy(&from, source + i * sizeof from, sizeof from); \
				to = function(from); \
				memcpy(target + i * sizeof to, &to, sizeof to); \
			} \
			source += CAST_STEP * sizeof from; \
			target += CAST_STEP * sizeof to; \
		} \
		for (size_t i = 0; i < count; i++) { \
			memcpy(&from, source + i * sizeof from, sizeof from); \
			to = function(from); \
			memcpy(target + i * sizeof to, &to, sizeof to); \
		} \
		return true; \
	}

#endif
