#ifndef GPT2_CONFIG_H
#define GPT2_CONFIG_H

#include "base/error.h"
#include "base/text.h"
#include "gpt2/gpt2_names.h"

#include <stdbool.h>
#include <stdint.h>

struct json;

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
	const char       *torch_dtype;          /* "float16"; NULL: no such key (not read) */
};

/* Whose form of config.json: sorted, indent 2, 30 keys of transformers 5.14 or the 27 of 4.18
 * (766 bytes for NGC); one more where there is a torch_dtype. */
enum config_form { CONFIG_HF5, CONFIG_HF4_18 };

void config_write(const struct gpt2_config *config, enum config_form form, struct text *to);
/* generation_config.json: 124 bytes for GPT-2's ids. */
void config_write_generation(const struct gpt2_config *config, struct text *to);
/* Reads a config.json somebody wrote.  Absent keys take GPT-2's defaults (n_inner null or
 * absent: 4 n_embd).  ERROR_UNSUPPORTED: model_type is not gpt2; ERROR_CORRUPT: a value of
 * the wrong type, or two names of one thing that contradict each other.  activation_function is
 * copied to `activation`. */
bool config_read(const char *bytes, size_t length, struct gpt2_config *config,
	char activation[64], struct error *err);
/* One value of it; a member that is absent, NULL, leaves *to as it is.  ERROR_CORRUPT. */
bool config_read_size(const struct json *node, const char *key, uint64_t *to, struct error *err);
bool config_read_real(const struct json *node, const char *key, double *to, struct error *err);

#endif
