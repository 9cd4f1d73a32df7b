#include "plan/joins.h"

#include <stdlib.h>
#include <string.h>

static size_t
element_bytes(const struct joins *joins, const struct plan_copy *copy)
{
	return dtype_size(joins->plan->tensors[copy->tensor].source_dtype);
}

struct join *
joins_of(const struct joins *joins, const struct plan_copy *copy)
{
	return &joins->by_copy[copy - joins->plan->copies];
}

const struct plan_copy *
joins_copy(const struct joins *joins, const struct join *join, size_t number)
{
	return &joins->plan->copies[joins->order[join->first + number]];
}

unsigned
joins_boxes(const struct strided_copy *first, size_t count, uint64_t step,
	struct strided_copy *all)
{
	unsigned dim = 0;

	*all = *first;
	while (dim < all->dims && all->extent[dim] * all->target_stride[dim] != step)
		dim++;
	if (dim < all->dims) {
		all->extent[dim] *= count;
	} else if (dim < COPY_MAX_DIMS) {
		all->extent[dim] = count;
		all->source_stride[dim] = 0;
		all->target_stride[dim] = step;
		all->dims++;
	}
	return dim;
}

struct strided_copy
joins_place(const struct joins *joins, const struct plan_copy *copy)
{
	const struct join  *join = joins_of(joins, copy);
	struct strided_copy held = copy->box, all;
	uint64_t            image_stride[COPY_MAX_DIMS];
	unsigned            dim;

	if (join->step == 0)
		return held;
	dim = joins_boxes(&joins_copy(joins, join, 0)->box, join->count, join->step, &all);
	strided_copy_image(&all, image_stride);
	memcpy(held.target_stride, image_stride, held.dims * sizeof *image_stride);
	held.target_offset = join->number * image_stride[dim]
		* (dim < held.dims ? held.extent[dim] : 1);
	return held;
}

uint64_t
joins_tensor_elements(const struct plan_tensor *tensor)
{
	return tensor->bytes / dtype_size(tensor->dtype);
}

static void
join(struct joins *joins, size_t first, size_t count, uint64_t step)
{
	for (size_t i = 0; i < count; i++)
		joins->by_copy[joins->order[first + i]] = (struct join){ .first = first,
			.count = count, .number = i, .step = step };
}

/* As many copies from the `first` on as one image holds, of a tensor that none can. */
static size_t
join_some(struct joins *joins, size_t first, size_t end)
{
	const struct plan_copy    *copies = joins->plan->copies;
	const struct plan_copy    *leader = &copies[joins->order[first]];
	const struct strided_copy *box = &leader->box;
	const size_t               stride_bytes = box->dims * sizeof *box->extent;
	const uint64_t             each = strided_copy_count(box) * element_bytes(joins, leader);
	struct strided_copy        all;
	uint64_t                   step = 0;
	size_t                     count = 1;

	for (; first + count < end && (count + 1) * each <= joins->room_bytes; count++) {
		const struct strided_copy *next = &copies[joins->order[first + count]].box;

		if (count == 1)
			step = next->target_offset - box->target_offset;
		if (next->dims != box->dims || step == 0
		    || memcmp(next->extent, box->extent, stride_bytes) != 0
		    || memcmp(next->target_stride, box->target_stride, stride_bytes) != 0
		    || next->target_offset - box->target_offset != count * step
		    || joins_boxes(box, count + 1, step, &all) == COPY_MAX_DIMS)
			break;
	}
	if (count > 1)
		join(joins, first, count, step);
	return count;
}

/* Copies [first, end) in order are all those of a tensor: none of them may be a replica or a
 * line, which leaves as it comes; and one at least must have short runs. */
static bool
is_worth_joining(const struct joins *joins, size_t first, size_t end)
{
	bool has_short = false;

	for (size_t i = first; i < end; i++) {
		const struct plan_copy *copy = &joins->plan->copies[joins->order[i]];
		uint64_t                image_stride[COPY_MAX_DIMS];

		if (copy->action != COPY_WRITE || strided_copy_is_line(&copy->box)
		    || plan_is_gathered(&joins->plan->tensors[copy->tensor]))
			return false;
		has_short = has_short || strided_copy_image(&copy->box, image_stride)
			< JOINS_LONG_RUN_BYTES / element_bytes(joins, copy);
	}
	return has_short && end - first > 1;
}

/* A qsort_r comparison. */
static int
compare_places(const void *a, const void *b, void *context)
{
	const struct plan_copy *copies = context;
	const struct plan_copy *x = &copies[*(const size_t *)a], *y = &copies[*(const size_t *)b];

	if (x->tensor != y->tensor)
		return x->tensor < y->tensor ? -1 : 1;
	return x->box.target_offset < y->box.target_offset ? -1
		: x->box.target_offset > y->box.target_offset;
}

bool
joins_find(struct joins *joins, const struct plan *plan, size_t room_bytes, struct error *err)
{
	size_t first, end;

	*joins = (struct joins){ .plan = plan, .room_bytes = room_bytes };
	joins->by_copy = calloc(plan->copy_count + 1, sizeof *joins->by_copy);
	joins->order = calloc(plan->copy_count + 1, sizeof *joins->order);
	if (joins->by_copy == NULL || joins->order == NULL)
		return error_no_memory(err, plan->copy_count * sizeof *joins->by_copy);
	for (size_t i = 0; i < plan->copy_count; i++)
		joins->order[i] = i;
	qsort_r(joins->order, plan->copy_count, sizeof *joins->order, compare_places,
		plan->copies);
	for (first = 0; first < plan->copy_count; first = end) {
		const struct plan_copy   *copy = &plan->copies[joins->order[first]];
		const struct plan_tensor *tensor = &plan->tensors[copy->tensor];

		for (end = first + 1; end < plan->copy_count
		    && plan->copies[joins->order[end]].tensor == copy->tensor; end++)
			;
		if (!is_worth_joining(joins, first, end))
			continue;
		if (joins_tensor_elements(tensor) <= joins->room_bytes / element_bytes(joins, copy))
			join(joins, first, end - first, 0);
		else
			for (size_t i = first; i < end;)
				i += join_some(joins, i, end);
	}
	return true;
}

void
joins_dissolve(struct joins *joins, const struct join *join)
{
	const struct join gone = *join;

	for (size_t i = 0; i < gone.count; i++)
		joins_of(joins, joins_copy(joins, &gone, i))->count = 0;
}

void
joins_free(struct joins *joins)
{
	free(joins->order);
	free(joins->by_copy);
}
