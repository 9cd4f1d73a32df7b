#include "check/source_comparison.h"

#include "plan/element.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES ((size_t)1 << 20)

struct source_comparison {
	const struct plan                 *plan;
	const struct weight_set           *set;
	const struct weight_tensor *const *tensors;
	double                             tolerance;
	struct compared                   *compared;    /* by tensor of the plan */
	unsigned char                     *block;       /* what is there */
};

/* ---- elements --------------------------------------------------------------------- */

static void
take_difference(struct source_comparison *comparison, size_t tensor, uint64_t index, double expected,
	double found)
{
	struct compared *compared = &comparison->compared[tensor];
	double           distance = fabs(expected - found);

	if (distance <= comparison->tolerance) {
		compared->within++;
		return;
	}
	if (distance > compared->largest)
		compared->largest = distance;
	if (compared->different++ == 0 || index < compared->first) {
		compared->first = index;
		compared->expected = expected;
		compared->found = found;
	}
}

static void
compare_block(struct source_comparison *comparison, size_t tensor, uint64_t first,
	const unsigned char *expected, const unsigned char *found, size_t bytes)
{
	enum dtype dtype = comparison->plan->tensors[tensor].dtype;
	size_t     size = dtype_size(dtype);

	if (memcmp(expected, found, bytes) == 0)
		return;
	for (size_t at = 0; at < bytes; at += size)
		if (memcmp(expected + at, found + at, size) != 0)
			take_difference(comparison, tensor, first + at / size,
				element_value(dtype, expected + at), element_value(dtype, found + at));
}

/* ---- the face of a scatter's target ----------------------------------------------- */

static bool
read_there(void *context, size_t tensor, uint64_t offset, unsigned char *to, size_t count,
	struct error *err)
{
	const struct source_comparison *comparison = context;
	size_t                   size = dtype_size(comparison->plan->tensors[tensor].dtype);

	return weight_set_read(comparison->set, comparison->tensors[tensor], offset / size,
		count / size, to, err);
}

static bool
compare_there(void *context, size_t tensor, uint64_t offset, const unsigned char *bytes,
	size_t count, struct error *err)
{
	struct source_comparison *comparison = context;
	size_t             size = dtype_size(comparison->plan->tensors[tensor].dtype);

	comparison->compared[tensor].elements += count / size;
	for (size_t at = 0; at < count;) {
		size_t step = count - at < BLOCK_BYTES ? count - at : BLOCK_BYTES;

		if (!read_there(comparison, tensor, offset + at, comparison->block, step, err))
			return false;
		compare_block(comparison, tensor, (offset + at) / size, bytes + at,
			comparison->block, step);
		at += step;
	}
	return true;
}

struct scatter_target
source_comparison_target(struct source_comparison *comparison)
{
	return (struct scatter_target){ comparison, compare_there, NULL, read_there };
}

/* ---- the whole -------------------------------------------------------------------- */

struct source_comparison *
source_comparison_open(const struct plan *plan, const struct weight_set *set,
	const struct weight_tensor *const *tensors, double tolerance, struct error *err)
{
	struct source_comparison *comparison = calloc(1, sizeof *comparison);

	if (comparison == NULL) {
		error_no_memory(err, sizeof *comparison);
		return NULL;
	}
	comparison->plan = plan;
	comparison->set = set;
	comparison->tensors = tensors;
	comparison->tolerance = tolerance;
	comparison->compared = calloc(plan->tensor_count + 1, sizeof *comparison->compared);
	comparison->block = malloc(BLOCK_BYTES);
	if (comparison->compared == NULL || comparison->block == NULL) {
		error_no_memory(err, BLOCK_BYTES);
		source_comparison_close(comparison);
		return NULL;
	}
	return comparison;
}

const struct compared *
source_comparison_of(const struct source_comparison *comparison, size_t tensor)
{
	return &comparison->compared[tensor];
}

void
source_comparison_close(struct source_comparison *comparison)
{
	if (comparison == NULL)
		return;
	free(comparison->block);
	free(comparison->compared);
	free(comparison);
}
