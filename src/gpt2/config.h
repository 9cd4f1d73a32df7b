#ifndef GPT2_CONFIG_H
#define GPT2_CONFIG_H

#include "base/error.h"
#include "base/text.h"
#include "gpt2/gpt2_names.h"

#include <stdbool.h>
#include <stdint.h>

/* What config.json says of a GPT-2. */
struct gpt2_config {
	struct gpt2_sizes sizes;
	uint64_t          n_head;
	const char       *activation_function;  /* "gelu_new", "gelu" */
	double            layer_norm_epsilon, attn_pdrop, embd_pdrop, resid_pdrop;
	double            initializer_range;
	bool              has_token_ids;        /* false: bos and eos are null */
	uint64_t          bos_token_id, eos_token_id;
	bool              tie_word_embeddings;
};

/* config.json with the 30 keys that transformers 5.14 writes. */
void config_write(const struct gpt2_config *config, struct text *to);
/* generation_config.json: 124 bytes for GPT-2's ids. */
void config_write_generation(const struct gpt2_config *config, struct text *to);
/* Reads a config.json somebody wrote.  Absent keys take GPT-2's defaults (n_inner null or
 * absent: 4 n_embd).  ERROR_UNSUPPORTED: model_type is not gpt2; ERROR_CORRUPT: a value of
 * the wrong type.  activation_function is copied to `activation`. */
bool config_read(const char *bytes, size_t length, struct gpt2_config *config,
	char activation[64], struct error *err);

#endif
