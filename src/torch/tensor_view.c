#include "torch/tensor_view.h"

#include "base/checked.h"
#include "base/text.h"

#include <inttypes.h>

/* Stride 0 lets a few stored bytes stand for terabytes.  Genuine expanded tensors are small,
 * or a few times as large as what they repeat. */
#define ALWAYS_FINE_COUNT   UINT64_C(65536)
#define LARGEST_EXPANSION   16

uint64_t
tensor_view_count(const struct tensor_view *view)
{
	uint64_t count = 1;

	for (unsigned i = 0; i < view->rank; i++)
		count *= view->shape[i];
	return count;
}

bool
tensor_view_is_contiguous(const struct tensor_view *view)
{
	uint64_t expected = 1;

	if (tensor_view_count(view) == 0)
		return true;
	for (unsigned i = view->rank; i-- > 0; ) {
		/* The stride of a dimension of size 1 is never used. */
		if (view->shape[i] != 1 && view->stride[i] != expected)
			return false;
		expected *= view->shape[i];
	}
	return true;
}

/* Product of the shape; a 0 anywhere makes it 0, whatever the others are. */
static bool
count_elements(const struct tensor_view *view, uint64_t *count)
{
	*count = 1;
	for (unsigned i = 0; i < view->rank; i++)
		if (view->shape[i] == 0) {
			*count = 0;
			return true;
		}
	for (unsigned i = 0; i < view->rank; i++)
		if (!checked_multiply(*count, view->shape[i], count))
			return false;
	return true;
}

/* Index of the last element; the view is not empty. */
static bool
last_element(const struct tensor_view *view, uint64_t *last)
{
	*last = view->offset;
	for (unsigned i = 0; i < view->rank; i++) {
		uint64_t step;

		if (!checked_multiply(view->shape[i] - 1, view->stride[i], &step)
			|| !checked_add(*last, step, last))
			return false;
	}
	return true;
}

bool
tensor_view_check(const struct tensor_view *view, uint64_t storage_count, struct error *err)
{
	uint64_t count, bytes, last;
	char     shape[128];

	tensor_view_shape_text(view, shape, sizeof shape);
	if (view->rank > TENSOR_MAX_RANK)
		return error_set(err, ERROR_LIMIT, "dims", "%u dimensions (limit %d)", view->rank,
			TENSOR_MAX_RANK);
	if (!count_elements(view, &count)
		|| !checked_multiply(count, dtype_size(view->dtype), &bytes))
		return error_set(err, ERROR_CORRUPT, "overflow", "size overflows: shape %s of %s",
			shape, dtype_name(view->dtype));
	if (count == 0)
		return true;    /* no element is ever read; the offset may even equal the count */
	if (!last_element(view, &last))
		return error_set(err, ERROR_CORRUPT, "overflow",
			"offset %" PRIu64 " and strides overflow for shape %s", view->offset, shape);
	if (last >= storage_count)
		return error_set(err, ERROR_CORRUPT, "extent", "shape %s needs elements 0 to %"
			PRIu64 ", its storage has %" PRIu64, shape, last, storage_count);
	if (count > ALWAYS_FINE_COUNT && count / LARGEST_EXPANSION > storage_count)
		return error_set(err, ERROR_LIMIT, "stride", "too large: shape %s repeats a storage"
			" of %" PRIu64 " elements (limit %d times)", shape, storage_count,
			LARGEST_EXPANSION);
	return true;
}

char *
tensor_view_shape_text(const struct tensor_view *view, char *to, size_t size)
{
	size_t   used = 0;
	unsigned rank = view->rank < TENSOR_MAX_RANK ? view->rank : TENSOR_MAX_RANK;

	text_format(to, size, "[");
	for (unsigned i = 0; i <= rank; i++) {
		while (used < size && to[used] != '\0')
			used++;
		if (i == rank)
			text_format(to + used, size - used, "]");
		else
			text_format(to + used, size - used, i == 0 ? "%" PRIu64 : ", %" PRIu64,
				view->shape[i]);
	}
	return to;
}
