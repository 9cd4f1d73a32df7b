#ifndef TORCH_TORCH_REBUILD_H
#define TORCH_TORCH_REBUILD_H

#include "torch/torch_storages.h"

/* The calls that torch.save writes for tensors, read as what they would build. */

/* Is this node such a call, or an object of a tensor class, readable or not? */
bool torch_rebuild_is_tensor(const struct value *node);
/* The view that it denotes, checked against its storage.  As torch_file_tensor(). */
bool torch_rebuild_view(const struct torch_storages *storages, const struct value *node,
	struct tensor_view *view, struct error *err);

#endif
