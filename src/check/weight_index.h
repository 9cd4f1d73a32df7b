#ifndef CHECK_WEIGHT_INDEX_H
#define CHECK_WEIGHT_INDEX_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

/* An entry of weight_map: which file holds the tensor. */
struct weight_mapping {
	const char *tensor;
	const char *file;               /* as it stands there; NULL: it is not a string */
};

/* model.safetensors.index.json or pytorch_model.bin.index.json. */
struct weight_index {
	struct weight_mapping *mappings;        /* by file (NULL first), then by tensor */
	size_t                 count;
	bool                   has_total, total_is_whole;       /* metadata.total_size */
	uint64_t               total;
	struct json           *root;            /* owns the strings */
};

/* ERROR_CORRUPT: no JSON, or no weight_map in it; what its values are is for the caller to
 * judge.  weight_index_fini after success. */
bool weight_index_parse(const char *text, size_t length, struct weight_index *index,
	struct error *err);
void weight_index_fini(struct weight_index *index);
/* The name of a file in the same directory and no path: readers join it to that directory. */
bool weight_index_is_bare(const char *file);

#endif
