#ifndef GPT2_WEIGHT_FILES_H
#define GPT2_WEIGHT_FILES_H

#include "base/arena.h"
#include "gpt2/gpt2_names.h"
#include "gpt2/safetensors.h"
#include "torch/torch_writer.h"

/* A tensor to be stored, in the order of the model's state dict; laying out adds the place. */
struct stored_tensor {
	struct gpt2_tensor tensor;
	enum dtype         dtype;
	bool               is_tied;     /* a second name for wte's elements: takes no room of its own */
	size_t             file;        /* index in the files */
	uint64_t           offset, bytes;       /* in that file */
};

enum weight_format { FORMAT_SAFETENSORS, FORMAT_TORCH };

/*
 * One weight file: `count` tensors at fixed places, and around them bytes that are known as
 * soon as the CRC-32 of their neighbours is.
 */
struct stored_file {
	char                 name[64];  /* "model-00001-of-00003.safetensors" */
	enum weight_format   format;
	uint64_t             bytes;
	size_t               first, count;      /* in weight_files.tensors, tied ones left out */
	struct text          header;            /* of a safetensors file */
	struct torch_writer *writer;            /* of a torch file */
};

/* "model.safetensors.index.json" and what stands in it. */
struct weight_index {
	const char *name;
	struct text text;
};

struct weight_files {
	struct stored_file   *files;
	size_t                file_count;
	struct stored_tensor *tensors;          /* by file, by offset */
	size_t                tensor_count;
	struct stored_tensor *tied;             /* with the offset of what they are tied to */
	size_t                tied_count;
	struct weight_index   indexes[2];
	size_t                index_count;
	struct arena          arena;
};

struct weight_files_options {
	bool     safetensors, torch;
	uint64_t shard_bytes;           /* most that the tensors of one file take */
	bool     counts_parameters;     /* total_parameters in the index, as transformers 5 has it */
};

/*
 * Deals the tensors out to files as transformers' save_pretrained does: in the order of the
 * state dict, the next file being begun where a tensor no longer fits; a tensor larger than
 * the limit gets a file of its own at once.  Inside a safetensors file the order is that of
 * its library, inside a torch file that of the state dict.  With both formats there are two
 * sets of files, safetensors first.
 */
struct weight_files *weight_files_open(const struct stored_tensor *tensors, size_t count,
	const struct weight_files_options *options, struct error *err);
/* Bytes that stand before the tensor at `position` in the file (0: from the start of the
 * file), added to *to; their length does not depend on `crc`, that of the tensor. */
void weight_files_add_front(const struct stored_file *file, size_t position, uint32_t crc,
	struct text *to);
/* Bytes after the last tensor; `crcs` by position. */
void weight_files_add_tail(const struct stored_file *file, const uint32_t *crcs,
	struct text *to);
void weight_files_close(struct weight_files *files);    /* NULL is fine */

#endif
