#ifndef TORCH_TENSOR_VIEW_H
#define TORCH_TENSOR_VIEW_H

#include "base/error.h"
#include "torch/dtype.h"

#include <stddef.h>
#include <stdint.h>

#define TENSOR_MAX_RANK 8

/* A tensor is a strided window on a storage of its file.  Counts are in elements. */
struct tensor_view {
	size_t     storage;                     /* index in its torch_file */
	enum dtype dtype;
	unsigned   rank;                        /* 0: one element */
	uint64_t   offset;
	uint64_t   shape[TENSOR_MAX_RANK];
	uint64_t   stride[TENSOR_MAX_RANK];     /* may be 0 (expanded) or in any order */
};

/* Product of the shape; checked when the view was made. */
uint64_t tensor_view_count(const struct tensor_view *view);
/* Row-major without gaps? */
bool     tensor_view_is_contiguous(const struct tensor_view *view);
/* The last element lies inside a storage of `storage_count` elements, no product overflows,
 * and a view of more than 65,536 elements is at most 16 times as large as the storage
 * (expand bombs).  The stride and offset of an empty view mean nothing and are not looked at. */
bool     tensor_view_check(const struct tensor_view *view, uint64_t storage_count,
	struct error *err);
/* "[50304, 1024]" */
char    *tensor_view_shape_text(const struct tensor_view *view, char *to, size_t size);

#endif
