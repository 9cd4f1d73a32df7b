#ifndef GPT2_SAFETENSORS_H
#define GPT2_SAFETENSORS_H

#include "base/arena.h"
#include "base/error.h"
#include "base/text.h"
#include "torch/dtype.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SAFETENSORS_MAX_RANK 8
#define SAFETENSORS_MAX_HEADER 100000000

struct safetensors_tensor {
	const char *name;
	enum dtype  dtype;
	unsigned    rank;
	uint64_t    shape[SAFETENSORS_MAX_RANK];
	uint64_t    offset, bytes;      /* offset from the start of the file */
};

/*
 * Sorts the tensors into the order of the reference writer (wider dtypes first, then name by
 * bytes), sets their offset and bytes, and writes the 8-byte length and the padded JSON
 * header, metadata {"format":"pt"}, to `header`.  *file_bytes is the size of the whole file.
 */
bool safetensors_lay_out(struct safetensors_tensor *tensors, size_t count,
	struct text *header, uint64_t *file_bytes, struct error *err);

/* What a file says it holds, read and checked as the reference reader does, and stricter
 * where that is lax (duplicate names). */
struct safetensors_index {
	struct safetensors_tensor *tensors;     /* sorted by offset */
	size_t                     count;
	uint64_t                   header_bytes;        /* with the 8 of the length */
	bool                       has_format, format_is_pt;
};

/* Header length of a file of `file_bytes`, from its first 8; ERROR_CORRUPT or ERROR_LIMIT. */
bool safetensors_header_bytes(const unsigned char first[8], uint64_t file_bytes,
	uint64_t *header_bytes, struct error *err);
/* `json` is the header without its length.  Tables and names go to the arena. */
bool safetensors_parse(const char *json, size_t length, uint64_t file_bytes,
	struct arena *arena, struct safetensors_index *index, struct error *err);

#endif
