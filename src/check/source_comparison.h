#ifndef CHECK_SOURCE_COMPARISON_H
#define CHECK_SOURCE_COMPARISON_H

#include "check/weight_set.h"
#include "plan/scatter.h"

/* How a tensor that is there differs from what the checkpoint makes of it. */
struct compared {
	uint64_t elements;              /* that came */
	uint64_t different;             /* in bits, beyond the tolerance */
	uint64_t within;                /* in bits, but within it */
	uint64_t first;                 /* row-major index of the first that is different */
	double   expected, found;       /* its values */
	uint64_t expected_bits, found_bits;
	double   largest;               /* |expected - found| of all that differ; NaN never */
};

/*
 * Compares the elements of a plan with the tensors of a weight set as they come by, in the
 * place of writing them.  The set's tensors have the plan's shapes; what is beyond the last row
 * of a plan's tensor is not looked at.  Where a tensor has a narrower type than the plan gives
 * it, it is compared with the value cut to that type, towards zero, in the place of rounded.
 */
struct source_comparison;

struct source_comparison_options {
	double tolerance;               /* |expected - found| up to it is "within"; -1: only bits count */
	bool   only_equality;           /* of a tensor that differs only that is to be known */
};

/* `tensors` by tensor of the plan; they, the plan and the set outlive it. */
struct source_comparison *source_comparison_open(const struct plan *plan,
	const struct weight_set *set, const struct weight_tensor *const *tensors,
	const struct source_comparison_options *options, struct error *err);
struct scatter_target source_comparison_target(struct source_comparison *comparison);
const struct compared *source_comparison_of(const struct source_comparison *comparison,
	size_t tensor);
void source_comparison_close(struct source_comparison *comparison);   /* NULL is fine */

#endif
