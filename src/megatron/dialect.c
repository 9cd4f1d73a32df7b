/*
 * How a path in `model` names a parameter, by era.  '#' stands for the layer number, which
 * starts at 0 in every file.  (Megatron-LM abe36e2e5f: model/gpt2_modeling.py,
 * mpu/transformer.py; v1.0 and v2.0: megatron/model/gpt2_model.py, language_model.py,
 * transformer.py.)  A new era is a new table and a row in `dialects`.
 */

#include "megatron/dialect.h"

#include "base/text.h"

#include <stdint.h>
#include <string.h>

const struct role_facts dialect_roles[ROLE_COUNT] = {
	[ROLE_WORD_EMBEDDING]             = { "word_embeddings.weight",            JOIN_ROWS,       2, false },
	[ROLE_POSITION_EMBEDDING]         = { "position_embeddings.weight",        JOIN_REPLICATED, 2, false },
	[ROLE_INPUT_NORM_WEIGHT]          = { "input_layernorm.weight",            JOIN_REPLICATED, 1, true },
	[ROLE_INPUT_NORM_BIAS]            = { "input_layernorm.bias",              JOIN_REPLICATED, 1, true },
	[ROLE_QKV_WEIGHT]                 = { "attention.query_key_value.weight",  JOIN_QKV,        2, true },
	[ROLE_QKV_BIAS]                   = { "attention.query_key_value.bias",    JOIN_QKV,        1, true },
	[ROLE_ATTENTION_DENSE_WEIGHT]     = { "attention.dense.weight",            JOIN_COLUMNS,    2, true },
	[ROLE_ATTENTION_DENSE_BIAS]       = { "attention.dense.bias",              JOIN_REPLICATED, 1, true },
	[ROLE_POST_ATTENTION_NORM_WEIGHT] = { "post_attention_layernorm.weight",   JOIN_REPLICATED, 1, true },
	[ROLE_POST_ATTENTION_NORM_BIAS]   = { "post_attention_layernorm.bias",     JOIN_REPLICATED, 1, true },
	[ROLE_MLP_UP_WEIGHT]              = { "mlp.dense_h_to_4h.weight",          JOIN_ROWS,       2, true },
	[ROLE_MLP_UP_BIAS]                = { "mlp.dense_h_to_4h.bias",            JOIN_ROWS,       1, true },
	[ROLE_MLP_DOWN_WEIGHT]            = { "mlp.dense_4h_to_h.weight",          JOIN_COLUMNS,    2, true },
	[ROLE_MLP_DOWN_BIAS]              = { "mlp.dense_4h_to_h.bias",            JOIN_REPLICATED, 1, true },
	[ROLE_FINAL_NORM_WEIGHT]          = { "final_layernorm.weight",            JOIN_REPLICATED, 1, false },
	[ROLE_FINAL_NORM_BIAS]            = { "final_layernorm.bias",              JOIN_REPLICATED, 1, false },
	[ROLE_HEAD_COPY]                  = { "word_embeddings_for_head.weight",   JOIN_ROWS,       2, false },
};

struct dialect_facts {
	const char *name;
	const char *paths[ROLE_COUNT];  /* NULL: this era has no such parameter */
};

static const struct dialect_facts dialects[DIALECT_COUNT] = {
	/* One flat dict; the output layer is the word embedding. */
	[DIALECT_FLAT_2019] = { "2019 flat", {
		[ROLE_WORD_EMBEDDING]             = "word_embeddings.weight",
		[ROLE_POSITION_EMBEDDING]         = "position_embeddings.weight",
		[ROLE_INPUT_NORM_WEIGHT]          = "transformer.layers.#.input_layernorm.weight",
		[ROLE_INPUT_NORM_BIAS]            = "transformer.layers.#.input_layernorm.bias",
		[ROLE_QKV_WEIGHT]                 = "transformer.layers.#.attention.query_key_value.weight",
		[ROLE_QKV_BIAS]                   = "transformer.layers.#.attention.query_key_value.bias",
		[ROLE_ATTENTION_DENSE_WEIGHT]     = "transformer.layers.#.attention.dense.weight",
		[ROLE_ATTENTION_DENSE_BIAS]       = "transformer.layers.#.attention.dense.bias",
		[ROLE_POST_ATTENTION_NORM_WEIGHT] = "transformer.layers.#.post_attention_layernorm.weight",
		[ROLE_POST_ATTENTION_NORM_BIAS]   = "transformer.layers.#.post_attention_layernorm.bias",
		[ROLE_MLP_UP_WEIGHT]              = "transformer.layers.#.mlp.dense_h_to_4h.weight",
		[ROLE_MLP_UP_BIAS]                = "transformer.layers.#.mlp.dense_h_to_4h.bias",
		[ROLE_MLP_DOWN_WEIGHT]            = "transformer.layers.#.mlp.dense_4h_to_h.weight",
		[ROLE_MLP_DOWN_BIAS]              = "transformer.layers.#.mlp.dense_4h_to_h.bias",
		[ROLE_FINAL_NORM_WEIGHT]          = "transformer.final_layernorm.weight",
		[ROLE_FINAL_NORM_BIAS]            = "transformer.final_layernorm.bias",
	} },
	/* model / language_model / embedding and transformer, from 2019-10-29 to v2.0. */
	[DIALECT_NESTED_TRANSFORMER] = { "2019 nested transformer", {
		[ROLE_WORD_EMBEDDING]             = "language_model.embedding.word_embeddings.weight",
		[ROLE_POSITION_EMBEDDING]         = "language_model.embedding.position_embeddings.weight",
		[ROLE_INPUT_NORM_WEIGHT]          = "language_model.transformer.layers.#.input_layernorm.weight",
		[ROLE_INPUT_NORM_BIAS]            = "language_model.transformer.layers.#.input_layernorm.bias",
		[ROLE_QKV_WEIGHT]                 = "language_model.transformer.layers.#.attention.query_key_value.weight",
		[ROLE_QKV_BIAS]                   = "language_model.transformer.layers.#.attention.query_key_value.bias",
		[ROLE_ATTENTION_DENSE_WEIGHT]     = "language_model.transformer.layers.#.attention.dense.weight",
		[ROLE_ATTENTION_DENSE_BIAS]       = "language_model.transformer.layers.#.attention.dense.bias",
		[ROLE_POST_ATTENTION_NORM_WEIGHT] = "language_model.transformer.layers.#.post_attention_layernorm.weight",
		[ROLE_POST_ATTENTION_NORM_BIAS]   = "language_model.transformer.layers.#.post_attention_layernorm.bias",
		[ROLE_MLP_UP_WEIGHT]              = "language_model.transformer.layers.#.mlp.dense_h_to_4h.weight",
		[ROLE_MLP_UP_BIAS]                = "language_model.transformer.layers.#.mlp.dense_h_to_4h.bias",
		[ROLE_MLP_DOWN_WEIGHT]            = "language_model.transformer.layers.#.mlp.dense_4h_to_h.weight",
		[ROLE_MLP_DOWN_BIAS]              = "language_model.transformer.layers.#.mlp.dense_4h_to_h.bias",
		[ROLE_FINAL_NORM_WEIGHT]          = "language_model.transformer.final_layernorm.weight",
		[ROLE_FINAL_NORM_BIAS]            = "language_model.transformer.final_layernorm.bias",
		[ROLE_HEAD_COPY]                  = "word_embeddings_for_head.weight",
	} },
};

/* What an unknown name gives away, the surest sign first. */
static const struct dialect_stranger strangers[] = {
	{ "arch",    "binary_head.",                  true,  "a BERT model (binary_head)" },
	{ "arch",    "lm_head.",                      true,  "a BERT or T5 model (lm_head)" },
	{ "arch",    "language_model.pooler.",        true,  "a BERT model (pooler)" },
	{ "arch",    "language_model.decoder.",       true,  "an encoder-decoder such as T5 (language_model.decoder)" },
	{ "arch",    "language_model.retriever.",     true,  "a Retro model (retriever)" },
	{ "arch",    "tokentype_embeddings.",         false, "a model with token type embeddings, as BERT has" },
	{ "arch",    "classification_head.",          true,  "a classifier (classification_head)" },
	{ "arch",    "multichoice_head.",             true,  "a multiple-choice model (multichoice_head)" },
	{ "arch",    "query_model.",                  true,  "a retrieval model (query_model)" },
	{ "arch",    "context_model.",                true,  "a retrieval model (context_model)" },
	{ "arch",    "vision_",                       true,  "a vision model" },
	{ "arch",    "backbone.",                     true,  "a vision model (backbone)" },
	{ "arch",    ".mlp.experts.",                 false, "a mixture-of-experts model (mlp.experts)" },
	{ "arch",    ".mlp.router.",                  false, "a mixture-of-experts model (mlp.router)" },
	{ "arch",    ".q_layernorm.",                 false, "a model with normalized queries (q_layernorm)" },
	{ "arch",    "word_embeddings.norm.",         false, "a model with a norm after its embedding" },
	{ "dialect", ".layernorm_qkv.",               false, "a Megatron-LM model with Transformer Engine layers (layernorm_qkv)" },
	{ "dialect", "language_model.encoder.",       true,  "a Megatron-LM v2.5 or later model (language_model.encoder)" },
	{ "dialect", "decoder.layers.",               true,  "a Megatron Core model (decoder.layers)" },
	{ "dialect", "language_model.output_layer.",  true,  "a model with an output layer of its own (language_model.output_layer)" },
};

const char *
dialect_name(enum dialect dialect)
{
	return dialects[dialect].name;
}

/* Digits at `at` as Python prints an int: no sign, no leading zero.  NULL: none. */
static const char *
layer_number(const char *at, unsigned *layer)
{
	size_t   digits = strspn(at, "0123456789");
	uint64_t number;

	if (digits == 0 || (at[0] == '0' && digits > 1))
		return NULL;
	if (!text_parse_u64(at, digits, &number) || number > DIALECT_MAX_LAYER)
		return NULL;
	*layer = (unsigned)number;
	return at + digits;
}

static bool
path_matches(const char *pattern, const char *path, unsigned *layer)
{
	*layer = 0;
	for (; *pattern != '\0'; pattern++) {
		if (*pattern == '#') {
			if ((path = layer_number(path, layer)) == NULL)
				return false;
		} else if (*path++ != *pattern) {
			return false;
		}
	}
	return *path == '\0';
}

bool
dialect_match(enum dialect dialect, const char *path, enum model_role *role, unsigned *layer)
{
	unsigned index;

	for (index = 0; index < ROLE_COUNT; index++) {
		const char *pattern = dialects[dialect].paths[index];

		if (pattern != NULL && path_matches(pattern, path, layer)) {
			*role = (enum model_role)index;
			return true;
		}
	}
	return false;
}

const struct dialect_stranger *
dialect_stranger(const char *const *paths, size_t count)
{
	size_t row, index;

	for (row = 0; row < sizeof strangers / sizeof *strangers; row++) {
		const struct dialect_stranger *stranger = &strangers[row];

		for (index = 0; index < count; index++) {
			if (stranger->at_start ? text_has_prefix(paths[index], stranger->mark)
			    : strstr(paths[index], stranger->mark) != NULL)
				return stranger;
		}
	}
	return NULL;
}
