#ifndef CHECK_WEIGHT_SET_H
#define CHECK_WEIGHT_SET_H

#include "base/arena.h"
#include "container/input_file.h"
#include "torch/tensor_view.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct weight_tensor {
	const char *name;
	enum dtype  dtype;
	unsigned    rank;
	uint64_t    shape[TENSOR_MAX_RANK], stride[TENSOR_MAX_RANK];    /* in elements */
	size_t      file;               /* index in the set's files */
	uint64_t    offset;             /* byte in that file of the element at index 0 */
};

struct weight_file {
	struct input_file *input;
	const char        *name;        /* base name, or name in the directory */
};

/*
 * The weights of a directory or a file, whoever wrote them.  The set owns all that it holds;
 * it does not change once it is open, so that several threads may read from it.
 */
struct weight_set {
	struct weight_tensor *tensors;  /* by name */
	size_t                count;
	struct weight_file   *files;
	size_t                file_count;
	const char           *passed_over;      /* more weights of the directory that WEIGHTS_ANY
	                                         * did not take; NULL: none */
	struct arena          arena;
};

enum weight_form {
	WEIGHTS_ANY, WEIGHTS_SAFETENSORS, WEIGHTS_TORCH,
	WEIGHTS_SAFETENSORS_SHARDS, WEIGHTS_TORCH_SHARDS,       /* by the index of a directory */
};

/*
 * `path` is a Hugging Face directory (model.safetensors, or model.safetensors.index.json with
 * its shards, or pytorch_model.bin, or its index; WEIGHTS_ANY takes safetensors first), or one
 * file, which is known by its content: safetensors, or what torch.save writes.  Tensors of a
 * torch file have the path of keys that leads to them as their name; one that stands under
 * several keys of the outermost dict is there under each of them.
 *
 * Reads headers and pickles only; checksums of records are not looked at.  NULL: *err.
 * ERROR_UNSAFE: a value of the index is a path; a hostile pickle.  ERROR_NO_INPUT: no weights
 * there, or a shard is missing.  ERROR_CORRUPT: a name in two shards, a tensor of the index
 * that its shard has not, damage.  ERROR_UNSUPPORTED: a record with weights is deflated; a
 * tensor that is no plain strided one.
 */
struct weight_set *weight_set_open(const char *path, enum weight_form form,
	struct error *err);
/* NULL: there is none of that name. */
const struct weight_tensor *weight_set_find(const struct weight_set *set, const char *name);
/* `count` elements from index `first` on in row-major order, whatever the strides, as they are
 * stored.  Memory: at most 2 MiB besides `to`, whatever the tensor. */
bool weight_set_read(const struct weight_set *set, const struct weight_tensor *tensor,
	uint64_t first, uint64_t count, void *to, struct error *err);
/* No file changed since it was opened; else ERROR_CORRUPT. */
bool weight_set_unchanged(const struct weight_set *set, struct error *err);
void weight_set_close(struct weight_set *set);          /* NULL is fine */

/* Product of the shape. */
uint64_t weight_set_elements(const struct weight_tensor *tensor);

#endif
