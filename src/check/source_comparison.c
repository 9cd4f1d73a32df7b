#include "check/source_comparison.h"

#include "plan/cast.h"
#include "plan/element.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES ((size_t)1 << 20)

struct source_comparison {
	const struct plan                 *plan;
	const struct weight_set           *set;
	const struct weight_tensor *const *tensors;
	struct source_comparison_options   options;
	struct compared                   *compared;    /* by tensor of the plan */
	unsigned char                     *block;       /* what is there */
	unsigned char                     *cut;         /* what is expected, cut to another type */
};

/* ---- elements --------------------------------------------------------------------- */

static uint64_t
bits_of(const unsigned char *element, size_t size)
{
	uint64_t bits = 0;

	for (size_t i = size; i-- > 0;)
		bits = bits << 8 | element[i];
	return bits;
}

static void
take_difference(struct source_comparison *comparison, size_t tensor, uint64_t index,
	const unsigned char *expected, const unsigned char *found)
{
	struct compared *compared = &comparison->compared[tensor];
	enum dtype       dtype = comparison->tensors[tensor]->dtype;
	double           wanted = element_value(dtype, expected), is = element_value(dtype, found);
	double           distance = fabs(wanted - is);

	if (distance <= comparison->options.tolerance) {
		compared->within++;
		return;
	}
	if (distance > compared->largest)
		compared->largest = distance;
	if (compared->different++ == 0 || index < compared->first) {
		compared->first = index;
		compared->expected = wanted;
		compared->found = is;
		compared->expected_bits = bits_of(expected, dtype_size(dtype));
		compared->found_bits = bits_of(found, dtype_size(dtype));
	}
}

static void
compare_block(struct source_comparison *comparison, size_t tensor, uint64_t first,
	const unsigned char *expected, const unsigned char *found, size_t count)
{
	size_t size = dtype_size(comparison->tensors[tensor]->dtype);

	if (memcmp(expected, found, count * size) == 0)
		return;
	for (size_t i = 0; i < count; i++)
		if (memcmp(expected + i * size, found + i * size, size) != 0)
			take_difference(comparison, tensor, first + i, expected + i * size,
				found + i * size);
}

/* Floats are sign and magnitude, so the next one towards zero is one less as a number. */
static void
cut_elements(enum dtype from, const unsigned char *wide, enum dtype to, unsigned char *cut,
	size_t count)
{
	cast_elements(from, wide, to, cut, count, NULL);
	for (size_t i = 0; i < count; i++) {
		unsigned char *element = cut + i * dtype_size(to);

		if (!(fabs(element_value(to, element))
			> fabs(element_value(from, wide + i * dtype_size(from)))))
			continue;
		while (--*element == 0xff)      /* borrow from the next byte */
			element++;
	}
}

/* ---- the face of a scatter's target ----------------------------------------------- */

static bool
read_there(void *context, size_t tensor, uint64_t offset, unsigned char *to, size_t count,
	struct error *err)
{
	const struct source_comparison *comparison = context;
	enum dtype dtype = comparison->tensors[tensor]->dtype;
	size_t     size = dtype_size(dtype);

	/* Elements of a type that is not the output's are compared with those that were made of
	 * them; how far replicas are apart is known by then. */
	if (comparison->plan->tensors[tensor].dtype != dtype) {
		memset(to, 0, count);
		return true;
	}
	return weight_set_read(comparison->set, comparison->tensors[tensor], offset / size,
		count / size, to, err);
}

static bool
compare_there(void *context, size_t tensor, uint64_t offset, const unsigned char *bytes,
	size_t count, struct error *err)
{
	struct source_comparison *comparison = context;
	enum dtype                from = comparison->plan->tensors[tensor].dtype;
	enum dtype                to = comparison->tensors[tensor]->dtype;
	size_t                    size = dtype_size(from);
	uint64_t                  first = offset / size, end = first + count / size;

	comparison->compared[tensor].elements += count / size;
	while (first < end) {
		size_t               room = BLOCK_BYTES / size;
		size_t               step = end - first < room ? (size_t)(end - first) : room;
		const unsigned char *expected = bytes;

		if (comparison->options.only_equality && comparison->compared[tensor].different > 0)
			return true;
		if (!weight_set_read(comparison->set, comparison->tensors[tensor], first, step,
			comparison->block, err))
			return false;
		if (from != to) {
			cut_elements(from, bytes, to, comparison->cut, step);
			expected = comparison->cut;
		}
		compare_block(comparison, tensor, first, expected, comparison->block, step);
		bytes += step * size;
		first += step;
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
	const struct weight_tensor *const *tensors,
	const struct source_comparison_options *options, struct error *err)
{
	struct source_comparison *comparison = calloc(1, sizeof *comparison);

	if (comparison == NULL) {
		error_no_memory(err, sizeof *comparison);
		return NULL;
	}
	comparison->plan = plan;
	comparison->set = set;
	comparison->tensors = tensors;
	comparison->options = *options;
	comparison->compared = calloc(plan->tensor_count + 1, sizeof *comparison->compared);
	comparison->block = malloc(BLOCK_BYTES);
	comparison->cut = malloc(BLOCK_BYTES);
	if (comparison->compared == NULL || comparison->block == NULL
	    || comparison->cut == NULL) {
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
	free(comparison->cut);
	free(comparison->block);
	free(comparison->compared);
	free(comparison);
}
