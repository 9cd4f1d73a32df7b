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
	double   largest;               /* |expected - found| of all that differ; NaN never */
};

/*
 * Compares the elements of a plan with the tensors of a weight set as they come by, in the
 * place of writing them.  The set's tensors have the plan's types and shapes; what is beyond
 * the last row of a plan's tensor is not looked at.
 */
struct source_comparison;

/* `tensors` by tensor of the plan; they, the plan and the set outlive it. */
struct source_comparison *source_comparison_open(const struct plan *plan, const struct weight_set *set,
	const struct weight_tensor *const *tensors, double tolerance, struct error *err);
struct scatter_target source_comparison_target(struct source_comparison *comparison);
const struct compared *source_comparison_of(const struct source_comparison *comparison, size_t tensor);
void source_comparison_close(struct source_comparison *comparison);   /* NULL is fine */

#endif
