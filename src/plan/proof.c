#include "plan/proof.h"

#include <stdlib.h>
#include <string.h>

/* Index range of one box in each digit of the target's mixed radix. */
struct box_digits {
	uint64_t low[COPY_MAX_DIMS], high[COPY_MAX_DIMS];
};

/* The distinct target strides of all boxes, largest first; 0: more than there can be. */
static unsigned
collect_radix(const struct strided_copy *boxes, size_t count, uint64_t radix[COPY_MAX_DIMS])
{
	unsigned digits = 0;

	for (size_t b = 0; b < count; b++) {
		for (unsigned d = 0; d < boxes[b].dims; d++) {
			unsigned at = 0;

			while (at < digits && radix[at] > boxes[b].target_stride[d])
				at++;
			if (at < digits && radix[at] == boxes[b].target_stride[d])
				continue;
			if (digits == COPY_MAX_DIMS)
				return 0;
			memmove(radix + at + 1, radix + at, (digits - at) * sizeof *radix);
			radix[at] = boxes[b].target_stride[d];
			digits++;
		}
	}
	if (digits == 0)
		radix[digits++] = 1;
	return digits;
}

/* Writes a box as ranges of digits; false where that is not exact (a digit would carry). */
static bool
box_to_digits(const struct strided_copy *box, const uint64_t *radix, unsigned digits,
	uint64_t elements, struct box_digits *to)
{
	uint64_t left = box->target_offset;

	for (unsigned i = 0; i < digits; i++) {
		uint64_t size = (i == 0 ? elements : radix[i - 1]) / radix[i], extent = 1;

		if ((i == 0 ? elements : radix[i - 1]) % radix[i] != 0)
			return false;
		for (unsigned d = 0; d < box->dims; d++)
			if (box->target_stride[d] == radix[i])
				extent *= box->extent[d];
		to->low[i] = left / radix[i];
		left %= radix[i];
		if (extent > size || to->low[i] > size - extent)
			return false;
		to->high[i] = to->low[i] + extent;
	}
	return left == 0;
}

static bool
boxes_meet(const struct box_digits *a, const struct box_digits *b, unsigned digits)
{
	for (unsigned i = 0; i < digits; i++)
		if (a->high[i] <= b->low[i] || b->high[i] <= a->low[i])
			return false;
	return true;
}

bool
proof_covers(const struct strided_copy *boxes, size_t count, uint64_t elements,
	struct error *err)
{
	uint64_t           radix[COPY_MAX_DIMS] = { 0 }, sum = 0;
	unsigned           digits = collect_radix(boxes, count, radix);
	struct box_digits *ranges = calloc(count + 1, sizeof *ranges);
	bool               covers = digits > 0;

	if (ranges == NULL)
		return error_no_memory(err, count * sizeof *ranges);
	for (size_t b = 0; b < count && covers; b++) {
		covers = box_to_digits(&boxes[b], radix, digits, elements, &ranges[b]);
		for (size_t other = 0; other < b && covers; other++)
			covers = !boxes_meet(&ranges[b], &ranges[other], digits);
		sum += strided_copy_count(&boxes[b]);
	}
	free(ranges);
	return (covers && sum == elements) || error_set(err, ERROR_INTERNAL, "plan",
		"the plan does not write every element exactly once");
}
