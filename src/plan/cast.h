#ifndef PLAN_CAST_H
#define PLAN_CAST_H

#include "torch/dtype.h"

#include <stdbool.h>
#include <stdint.h>

/* What casting did to the values: elements that were finite and became infinite, and the
 * largest of them by size, without its sign. */
struct cast_overflow {
	uint64_t elements;
	double   largest;
};

/*
 * Converts `count` elements of float16, bfloat16, float32 or float64, to nearest even, rounded
 * once (float64 to a half too).  Neither side need be aligned; source and target may not
 * overlap.  Same type: a plain copy.  Infinities stay.  NaN stays NaN: its sign and the upper
 * bits of its fraction are kept as far as they fit, and it is made quiet where the type
 * changes.  The result is the same whatever instructions the processor has.
 *
 * Adds to *overflow, which may be NULL.  Any thread may call.
 */
void cast_elements(enum dtype from, const unsigned char *source, enum dtype to,
	unsigned char *target, uint64_t count, struct cast_overflow *overflow);

#endif
