#ifndef PLAN_ELEMENT_H
#define PLAN_ELEMENT_H

#include "torch/dtype.h"

#include <stddef.h>
#include <stdint.h>

/* Single elements of weights as numbers; nothing need be aligned. */
double element_value(enum dtype dtype, const unsigned char *element);
/* Rounds to the element's type, once, to nearest even. */
void   element_put(enum dtype dtype, double value, unsigned char *element);
/* The same with 1 added, in float32 (float64 weights: in float64). */
void   element_put_plus_one(enum dtype dtype, double value, unsigned char *element);

/* Elements that are no finite numbers.  Counting takes no noticeable time where there are none. */
struct element_specials {
	uint64_t not_numbers, infinities;
};
void element_count_specials(struct element_specials *specials, enum dtype dtype,
	const unsigned char *elements, size_t count);

#endif
