#ifndef MEGATRON_ARGUMENTS_H
#define MEGATRON_ARGUMENTS_H

#include "base/decision_log.h"
#include "base/error.h"
#include "megatron/dialect.h"
#include "pickle/value.h"

#include <stdint.h>

/* What a config.json that the user gave says.  0, a negative number, NULL: nothing. */
struct arguments_given {
	uint64_t    layers, hidden, heads, ffn, positions, vocabulary;
	double      epsilon, attention_dropout, embedding_dropout, residual_dropout;
	double      init_method_std;
	const char *activation;
	int         ties;               /* -1: nothing, 0: no, 1: yes */
};

/* What the user may say that the checkpoint cannot.  Zero or NULL: not said. */
struct model_options {
	uint64_t    attention_heads;    /* --num-attention-heads */
	const char *vocabulary;         /* --vocab-size: "auto", "padded", a number */
	uint64_t    tokenizer_size;     /* entries of a tokenizer that was found; 0: none */
	const char *activation;         /* --activation: gelu_new, gelu, relu2 or another name of one */
	const char *qkv_layout;         /* --qkv-layout: "auto", "0", "1", "2" */
	const struct arguments_given *given;    /* --config */
	bool        assume_untied;      /* an output layer of which nothing is said is no copy */
};

enum activation { ACTIVATION_GELU_TANH, ACTIVATION_GELU_ERF, ACTIVATION_SQUARED_RELU };

/* Hyper-parameters of the model, from tensor shapes, `args`, options, a known model or
 * defaults; each with its source in the decision log. */
struct arguments {
	uint64_t        layers, hidden, ffn, heads, positions;
	uint64_t        padded_vocabulary;      /* rows that the checkpoint stores */
	uint64_t        vocabulary;             /* rows that the result has */
	bool            is_gpt2_vocabulary;     /* 50257, with GPT-2's tokens as far as can be known */
	double          layernorm_epsilon;
	enum activation activation;
	double          hidden_dropout, embedding_dropout, attention_dropout, init_method_std;
	bool            is_untied;              /* the output layer is no copy of the embedding */
	bool            is_tie_assumed;         /* nothing said so; the weights will tell */
	bool            norms_less_one;         /* the stored norm weights are those less 1 */
	bool            has_args;               /* the checkpoint carried `args` */
};

/* Sizes that tensors show, before arguments are asked. */
struct arguments_shapes {
	uint64_t     layers, hidden, ffn, positions, padded_vocabulary;
	unsigned     tensor_size, pipeline_size;
	enum dialect dialect;
	bool         has_output;        /* an output layer's weight, tied or not */
};

/*
 * Fills `arguments` from the shapes, `args` (NULL: the file has none) and options.
 * ERROR_CORRUPT: args or a given config contradict the shapes or each other, or are not finite;
 * both values are named.
 * ERROR_UNSUPPORTED: args name what GPT-2 cannot express (argument, value and what the model
 * is instead), or the heads cannot be known (hint: --num-attention-heads).
 */
bool arguments_read(struct arguments *arguments, const struct arguments_shapes *shapes,
	const struct value *args, const struct model_options *options, struct decision_log *log,
	struct error *err);

/* "gelu_new", "gelu", "relu2"; and back, by all names that transformers has for them. */
const char *arguments_activation_name(enum activation activation);
bool        arguments_find_activation(const char *name, enum activation *activation);
/* Do args say that linear layers have no biases?  Those of QKV may have one all the same. */
bool arguments_lack_biases(const struct value *args);

#endif
