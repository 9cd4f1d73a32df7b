#ifndef CHECK_WEIGHT_READ_H
#define CHECK_WEIGHT_READ_H

#include "check/weight_set.h"

/* Elements [first, first + count) of a tensor in row-major order, from the file it lies in.
 * `first + count` is at most its number of elements. */
bool weight_read(const struct input_file *file, const struct weight_tensor *tensor,
	uint64_t first, uint64_t count, void *to, struct error *err);
/* They lie in the file as they are asked for: a read is a plain one. */
bool weight_read_is_plain(const struct weight_tensor *tensor);

#endif
