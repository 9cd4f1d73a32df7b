#ifndef CHECK_DIFFERENCE_H
#define CHECK_DIFFERENCE_H

#include "torch/dtype.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIFFERENCE_VALUE_BYTES 8

/*
 * How two rows of elements differ.  Of the same type they are equal when their bits are; of
 * different types when they are the same number, and a NaN equals every NaN.
 */
struct difference {
	uint64_t      compared;         /* elements */
	uint64_t      differing;
	uint64_t      outside;          /* of these, further apart than the tolerance */
	uint64_t      not_finite;       /* of these, one or both NaN or infinite */
	/* Largest of those where both are finite. */
	double        max_absolute;
	double        max_relative;     /* to the larger of both */
	uint64_t      max_ulps;         /* steps between floats of one type; else 0 */
	uint64_t      first;            /* index of the first that differs */
	unsigned char first_a[DIFFERENCE_VALUE_BYTES], first_b[DIFFERENCE_VALUE_BYTES];
};

/* `count` more elements, the first of which has index `index`.  A negative tolerance stands
 * for none: whatever is not equal is outside. */
void difference_add(struct difference *difference, enum dtype dtype_a, const unsigned char *a,
	enum dtype dtype_b, const unsigned char *b, uint64_t index, size_t count,
	double tolerance);

/* Whole numbers and truth values have no ulps. */
bool  difference_has_ulps(enum dtype dtype_a, enum dtype dtype_b);
/* An element as text, exact: "0.0999755859375", "-inf", "nan", "17".  Returns `to`. */
char *difference_value_text(enum dtype dtype, const unsigned char *element, char *to,
	size_t size);

#endif
