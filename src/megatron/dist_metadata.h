#ifndef MEGATRON_DIST_METADATA_H
#define MEGATRON_DIST_METADATA_H

#include "base/arena.h"
#include "container/input_file.h"
#include "pickle/machine.h"
#include "torch/tensor_view.h"

/* Of weights: layer, row, column; room to tell what has more. */
#define DIST_MAX_RANK TENSOR_MAX_RANK

/* One item of a .distcp file: a torch.save file of its own in bytes [offset, offset + length). */
struct dist_item {
	const char *file;               /* in the folder of .metadata; no path */
	uint64_t    offset, length;
};

/* A box of a tensor. */
struct dist_chunk {
	uint64_t         offset[DIST_MAX_RANK], size[DIST_MAX_RANK];
	struct dist_item item;
};

struct dist_tensor {
	const char        *key;         /* as it is there; dist_names.h */
	enum dtype         dtype;
	unsigned           rank;
	uint64_t           shape[DIST_MAX_RANK];
	struct dist_chunk *chunks;      /* inside the shape; nothing else is checked of them */
	size_t             chunk_count;
};

/* Any object that is no tensor. */
struct dist_object {
	const char      *key;
	struct dist_item item;
};

/* What is not the model's, by what it belongs to. */
struct dist_rest {
	const char *what;               /* "optimizer" */
	uint64_t    bytes;              /* of its items */
};

/*
 * The index of a distributed checkpoint.  Of the optimizer and its like only the bytes are
 * kept.  Everything lives in the arena that was given.
 */
struct dist_metadata {
	struct dist_tensor   *tensors;  /* weights, and what nothing is known of */
	size_t                tensor_count;
	struct dist_object   *objects;  /* that belong to no model: common_state, args, ... */
	size_t                object_count;
	struct dist_rest     *rest;
	size_t                rest_count;
	size_t                prediction_heads; /* tensors under "mtp.", left out */
	struct pickle_globals globals;
};

/*
 * Reads .metadata, as PyTorch's distributed checkpoint writes it.
 *
 * ERROR_CORRUPT: "dcpmeta" (not what such a file holds), "missingrec" (a piece has no item),
 * "collision" (an item or a piece twice), "orphan" (an item of a weight that is none of its
 * pieces), "outside" (a piece that leaves its tensor, sizes that overflow); ERROR_UNSAFE:
 * "traversal" (a file name with a path in it), "hash" (two values for a key);
 * ERROR_UNSUPPORTED: "distckpt" (compressed items), "dtype".
 */
bool dist_metadata_read(const struct input_file *file, struct arena *arena,
	struct dist_metadata *metadata, struct error *err);
/* NULL: there is none. */
const struct dist_object *dist_metadata_object(const struct dist_metadata *metadata,
	const char *key);

#endif
