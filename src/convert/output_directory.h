#ifndef CONVERT_OUTPUT_DIRECTORY_H
#define CONVERT_OUTPUT_DIRECTORY_H

#include "base/staging.h"
#include "check/manifest.h"
#include "gpt2/config.h"
#include "gpt2/tokenizer_write.h"
#include "megatron/arguments.h"

#define OUTPUT_FURNITURE_BYTES ((uint64_t)8 << 20)      /* more than all other files take */

/*
 * The files of a Hugging Face GPT-2 directory, as they are added: each is written into the
 * staging directory, read back and compared, and remembered with its digests.  Without a
 * staging directory only names and sizes are kept (a dry run).  Names are not copied.
 */
struct output_directory {
	struct staging      *staging;
	struct manifest_file *files;
	size_t               count, room;
};

bool output_directory_add(struct output_directory *directory, const char *name,
	const struct text *text, struct error *err);
/* A weight file, which was written and read back already. */
bool output_directory_add_weights(struct output_directory *directory, const char *name,
	uint64_t bytes, const char *sha256, struct error *err);
/* config.json, with torch_dtype where that is not NULL, and generation_config.json.  bos and
 * eos are the tokenizer's <|endoftext|>; without one (NULL) GPT-2's, where the vocabulary is. */
bool output_directory_add_config(struct output_directory *directory,
	const struct arguments *arguments, const struct tokenizer *tokenizer, enum config_form form,
	const char *torch_dtype, struct error *err);
/* vocab.json, merges.txt, tokenizer.json, tokenizer_config.json, and what the form has more */
bool output_directory_add_tokenizer(struct output_directory *directory,
	const struct tokenizer *tokenizer, enum tokenizer_form form, uint64_t positions,
	struct error *err);
/* SHA256SUMS over all that was added before; the last file. */
bool output_directory_add_sums(struct output_directory *directory, struct error *err);
/* By name, in byte order. */
void output_directory_sort(struct output_directory *directory);
void output_directory_fini(struct output_directory *directory);
/* Sums of a tensor's elements and of their squares, read from the weight file. */
bool output_directory_sums(int fd, uint64_t offset, uint64_t bytes, enum dtype dtype,
	double *sum, double *square_sum, struct error *err);

#endif
