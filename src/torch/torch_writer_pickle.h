#ifndef TORCH_TORCH_WRITER_PICKLE_H
#define TORCH_TORCH_WRITER_PICKLE_H

#include "torch/torch_writer.h"

/* Adds data.pkl: an OrderedDict of these tensors, whose products of sizes are below 2^63.
 * Want of memory ends up in to->failed. */
void torch_writer_pickle_add(struct text *to, const struct torch_writer_tensor *tensors,
	size_t count);

#endif
