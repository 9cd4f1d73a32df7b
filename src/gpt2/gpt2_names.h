#ifndef GPT2_GPT2_NAMES_H
#define GPT2_GPT2_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The parts of a Hugging Face GPT-2, in the order of the model's own state dict. */
enum gpt2_part {
	GPT2_WTE, GPT2_WPE,
	GPT2_LN_1_WEIGHT, GPT2_LN_1_BIAS,
	GPT2_ATTN_MASK, GPT2_ATTN_MASKED_BIAS,  /* constants that versions before 5 saved */
	GPT2_C_ATTN_WEIGHT, GPT2_C_ATTN_BIAS,
	GPT2_ATTN_C_PROJ_WEIGHT, GPT2_ATTN_C_PROJ_BIAS,
	GPT2_LN_2_WEIGHT, GPT2_LN_2_BIAS,
	GPT2_C_FC_WEIGHT, GPT2_C_FC_BIAS,
	GPT2_MLP_C_PROJ_WEIGHT, GPT2_MLP_C_PROJ_BIAS,
	GPT2_LN_F_WEIGHT, GPT2_LN_F_BIAS,
	GPT2_LM_HEAD,                   /* only where it is not tied to wte */
	GPT2_PART_COUNT,
};

/* Sizes that shapes depend on. */
struct gpt2_sizes {
	uint64_t n_layer, n_embd, n_inner, n_positions, vocab_size;
	bool     has_head;              /* lm_head.weight is one of the tensors */
	bool     has_masks;             /* the constants are among them */
};

#define GPT2_NAME_SIZE 64
#define GPT2_MAX_RANK  4
/* Of one form: whoever compares two directories has all of both open. */
#define GPT2_MAX_WEIGHT_FILES 1000
struct gpt2_tensor {
	enum gpt2_part part;
	unsigned       layer;
	char           name[GPT2_NAME_SIZE];    /* "transformer.h.0.ln_1.weight" */
	unsigned       rank;                    /* 0: a scalar */
	uint64_t       shape[GPT2_MAX_RANK];    /* weights are [in, out]: GPT-2's Conv1D */
};

/* Tensors of a model of `n_layer` layers: 4 + 12 per layer (14 with masks), and the head. */
size_t gpt2_names_count(const struct gpt2_sizes *sizes);
/* Tensor `index` in the order of the model's state dict: wte, wpe, layers, ln_f, head. */
void   gpt2_names_tensor(const struct gpt2_sizes *sizes, size_t index, struct gpt2_tensor *tensor);
uint64_t gpt2_names_elements(const struct gpt2_tensor *tensor);
/* The index of a name, with or without "transformer." in front; false: it is none of this
 * model.  Layer numbers are plain decimal: "h.01." is no name. */
bool   gpt2_names_find(const struct gpt2_sizes *sizes, const char *name, size_t *index);

#endif
