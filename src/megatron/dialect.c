/*
 * How a path in `model` names a parameter, by era.  '#' stands for the layer number, which
 * starts at 0 in every file.  (Megatron-LM abe36e2e5f: model/gpt2_modeling.py,
 * mpu/transformer.py; v1.0 and v2.0: megatron/model/gpt2_model.py, language_model.py,
 * transformer.py; v2.5 to core_v0.4.0: the same files, and for Transformer Engine the names
 * its own modules give; core_v0.4.0 to core_v0.19.0: megatron/core/models/gpt.)  A new era is
 * a new table and a row in `dialects`.  Where an era spelled a name in two ways, according to
 * the modules that a run chose, the second stands in `others`.
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
	[ROLE_OUTPUT_LAYER]               = { "output_layer.weight",               JOIN_ROWS,       2, false },
	[ROLE_HEAD_COPY]                  = { "word_embeddings_for_head.weight",   JOIN_ROWS,       2, false },
};

struct dialect_facts {
	const char *name;
	const char *names;
	bool        is_labelled;
	const char *paths[ROLE_COUNT];  /* NULL: this era has no such parameter */
	const char *others[ROLE_COUNT];
};

/* What eras have in common around the layers. */
#define NESTED_EMBEDDING \
	[ROLE_WORD_EMBEDDING]             = "language_model.embedding.word_embeddings.weight", \
	[ROLE_POSITION_EMBEDDING]         = "language_model.embedding.position_embeddings.weight"
#define NESTED_HEAD \
	[ROLE_OUTPUT_LAYER]               = "language_model.output_layer.weight", \
	[ROLE_HEAD_COPY]                  = "word_embeddings_for_head.weight"
#define ENCODER_LAYER "language_model.encoder.layers.#."
#define ENCODER_MATRICES \
	[ROLE_QKV_WEIGHT]                 = ENCODER_LAYER "self_attention.query_key_value.weight", \
	[ROLE_QKV_BIAS]                   = ENCODER_LAYER "self_attention.query_key_value.bias", \
	[ROLE_ATTENTION_DENSE_WEIGHT]     = ENCODER_LAYER "self_attention.dense.weight", \
	[ROLE_ATTENTION_DENSE_BIAS]       = ENCODER_LAYER "self_attention.dense.bias", \
	[ROLE_MLP_UP_WEIGHT]              = ENCODER_LAYER "mlp.dense_h_to_4h.weight", \
	[ROLE_MLP_UP_BIAS]                = ENCODER_LAYER "mlp.dense_h_to_4h.bias", \
	[ROLE_MLP_DOWN_WEIGHT]            = ENCODER_LAYER "mlp.dense_4h_to_h.weight", \
	[ROLE_MLP_DOWN_BIAS]              = ENCODER_LAYER "mlp.dense_4h_to_h.bias"

static const struct dialect_facts dialects[DIALECT_COUNT] = {
	/* One flat dict; the output layer is the word embedding. */
	[DIALECT_FLAT_2019] = { "2019 flat", "2019 names", false, {
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
	}, { 0 } },
	/* model / language_model / embedding and transformer, from 2019-10-29 to v2.0. */
	[DIALECT_NESTED_TRANSFORMER] = { "2019 nested transformer", "2019 names", false, {
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
	}, { 0 } },
	/* model / language_model / embedding and encoder, v2.5 to 23.06. */
	[DIALECT_NESTED_ENCODER] = { "2021 nested encoder", "encoder names", true, {
		NESTED_EMBEDDING,
		[ROLE_INPUT_NORM_WEIGHT]          = ENCODER_LAYER "input_layernorm.weight",
		[ROLE_INPUT_NORM_BIAS]            = ENCODER_LAYER "input_layernorm.bias",
		[ROLE_POST_ATTENTION_NORM_WEIGHT] = ENCODER_LAYER "post_attention_layernorm.weight",
		[ROLE_POST_ATTENTION_NORM_BIAS]   = ENCODER_LAYER "post_attention_layernorm.bias",
		ENCODER_MATRICES,
		[ROLE_FINAL_NORM_WEIGHT]          = "language_model.encoder.final_layernorm.weight",
		[ROLE_FINAL_NORM_BIAS]            = "language_model.encoder.final_layernorm.bias",
		NESTED_HEAD,
	}, { 0 } },
	/* The same from 2023-09-08 on: the norms need not be LayerNorm. */
	[DIALECT_NESTED_NORM] = { "2023 nested encoder", "encoder names", true, {
		NESTED_EMBEDDING,
		[ROLE_INPUT_NORM_WEIGHT]          = ENCODER_LAYER "input_norm.weight",
		[ROLE_INPUT_NORM_BIAS]            = ENCODER_LAYER "input_norm.bias",
		[ROLE_POST_ATTENTION_NORM_WEIGHT] = ENCODER_LAYER "post_attention_norm.weight",
		[ROLE_POST_ATTENTION_NORM_BIAS]   = ENCODER_LAYER "post_attention_norm.bias",
		ENCODER_MATRICES,
		[ROLE_FINAL_NORM_WEIGHT]          = "language_model.encoder.final_norm.weight",
		[ROLE_FINAL_NORM_BIAS]            = "language_model.encoder.final_norm.bias",
		NESTED_HEAD,
	}, { 0 } },
	/* --transformer-impl transformer_engine: a layer is one of its modules, and fc1_weight
	 * is no module's weight.  The final norm stayed Megatron's own. */
	[DIALECT_NESTED_TE] = { "nested encoder of Transformer Engine layers", "encoder names", true, {
		NESTED_EMBEDDING,
		[ROLE_INPUT_NORM_WEIGHT]          = ENCODER_LAYER "self_attention.layernorm_qkv.layer_norm_weight",
		[ROLE_INPUT_NORM_BIAS]            = ENCODER_LAYER "self_attention.layernorm_qkv.layer_norm_bias",
		[ROLE_QKV_WEIGHT]                 = ENCODER_LAYER "self_attention.layernorm_qkv.weight",
		[ROLE_QKV_BIAS]                   = ENCODER_LAYER "self_attention.layernorm_qkv.bias",
		[ROLE_ATTENTION_DENSE_WEIGHT]     = ENCODER_LAYER "self_attention.proj.weight",
		[ROLE_ATTENTION_DENSE_BIAS]       = ENCODER_LAYER "self_attention.proj.bias",
		[ROLE_POST_ATTENTION_NORM_WEIGHT] = ENCODER_LAYER "layernorm_mlp.layer_norm_weight",
		[ROLE_POST_ATTENTION_NORM_BIAS]   = ENCODER_LAYER "layernorm_mlp.layer_norm_bias",
		[ROLE_MLP_UP_WEIGHT]              = ENCODER_LAYER "layernorm_mlp.fc1_weight",
		[ROLE_MLP_UP_BIAS]                = ENCODER_LAYER "layernorm_mlp.fc1_bias",
		[ROLE_MLP_DOWN_WEIGHT]            = ENCODER_LAYER "layernorm_mlp.fc2_weight",
		[ROLE_MLP_DOWN_BIAS]              = ENCODER_LAYER "layernorm_mlp.fc2_bias",
		[ROLE_FINAL_NORM_WEIGHT]          = "language_model.encoder.final_layernorm.weight",
		[ROLE_FINAL_NORM_BIAS]            = "language_model.encoder.final_layernorm.bias",
		NESTED_HEAD,
	}, {
		[ROLE_FINAL_NORM_WEIGHT]          = "language_model.encoder.final_norm.weight",
		[ROLE_FINAL_NORM_BIAS]            = "language_model.encoder.final_norm.bias",
	} },
	/* Megatron Core, one flat dict.  The norms before a matrix are modules of their own
	 * (local spec), or belong to it (Transformer Engine spec). */
	[DIALECT_CORE] = { "Megatron Core", "decoder names", true, {
		[ROLE_WORD_EMBEDDING]             = "embedding.word_embeddings.weight",
		[ROLE_POSITION_EMBEDDING]         = "embedding.position_embeddings.weight",
		[ROLE_INPUT_NORM_WEIGHT]          = "decoder.layers.#.input_layernorm.weight",
		[ROLE_INPUT_NORM_BIAS]            = "decoder.layers.#.input_layernorm.bias",
		[ROLE_QKV_WEIGHT]                 = "decoder.layers.#.self_attention.linear_qkv.weight",
		[ROLE_QKV_BIAS]                   = "decoder.layers.#.self_attention.linear_qkv.bias",
		[ROLE_ATTENTION_DENSE_WEIGHT]     = "decoder.layers.#.self_attention.linear_proj.weight",
		[ROLE_ATTENTION_DENSE_BIAS]       = "decoder.layers.#.self_attention.linear_proj.bias",
		[ROLE_POST_ATTENTION_NORM_WEIGHT] = "decoder.layers.#.pre_mlp_layernorm.weight",
		[ROLE_POST_ATTENTION_NORM_BIAS]   = "decoder.layers.#.pre_mlp_layernorm.bias",
		[ROLE_MLP_UP_WEIGHT]              = "decoder.layers.#.mlp.linear_fc1.weight",
		[ROLE_MLP_UP_BIAS]                = "decoder.layers.#.mlp.linear_fc1.bias",
		[ROLE_MLP_DOWN_WEIGHT]            = "decoder.layers.#.mlp.linear_fc2.weight",
		[ROLE_MLP_DOWN_BIAS]              = "decoder.layers.#.mlp.linear_fc2.bias",
		[ROLE_FINAL_NORM_WEIGHT]          = "decoder.final_layernorm.weight",
		[ROLE_FINAL_NORM_BIAS]            = "decoder.final_layernorm.bias",
		[ROLE_OUTPUT_LAYER]               = "output_layer.weight",
	}, {
		[ROLE_INPUT_NORM_WEIGHT]          = "decoder.layers.#.self_attention.linear_qkv.layer_norm_weight",
		[ROLE_INPUT_NORM_BIAS]            = "decoder.layers.#.self_attention.linear_qkv.layer_norm_bias",
		[ROLE_POST_ATTENTION_NORM_WEIGHT] = "decoder.layers.#.mlp.linear_fc1.layer_norm_weight",
		[ROLE_POST_ATTENTION_NORM_BIAS]   = "decoder.layers.#.mlp.linear_fc1.layer_norm_bias",
	} },
	/* Megatron-DeepSpeed: a file for each, so that what stands before the names of C is ours. */
	[DIALECT_DEEPSPEED] = { "Megatron-DeepSpeed", "layer files", true, {
		[ROLE_WORD_EMBEDDING]             = "word_embeddings.weight",
		[ROLE_POSITION_EMBEDDING]         = "position_embeddings.weight",
		[ROLE_INPUT_NORM_WEIGHT]          = "layers.#.input_layernorm.weight",
		[ROLE_INPUT_NORM_BIAS]            = "layers.#.input_layernorm.bias",
		[ROLE_QKV_WEIGHT]                 = "layers.#.self_attention.query_key_value.weight",
		[ROLE_QKV_BIAS]                   = "layers.#.self_attention.query_key_value.bias",
		[ROLE_ATTENTION_DENSE_WEIGHT]     = "layers.#.self_attention.dense.weight",
		[ROLE_ATTENTION_DENSE_BIAS]       = "layers.#.self_attention.dense.bias",
		[ROLE_POST_ATTENTION_NORM_WEIGHT] = "layers.#.post_attention_layernorm.weight",
		[ROLE_POST_ATTENTION_NORM_BIAS]   = "layers.#.post_attention_layernorm.bias",
		[ROLE_MLP_UP_WEIGHT]              = "layers.#.mlp.dense_h_to_4h.weight",
		[ROLE_MLP_UP_BIAS]                = "layers.#.mlp.dense_h_to_4h.bias",
		[ROLE_MLP_DOWN_WEIGHT]            = "layers.#.mlp.dense_4h_to_h.weight",
		[ROLE_MLP_DOWN_BIAS]              = "layers.#.mlp.dense_4h_to_h.bias",
		[ROLE_FINAL_NORM_WEIGHT]          = "final_layernorm.weight",
		[ROLE_FINAL_NORM_BIAS]            = "final_layernorm.bias",
		[ROLE_OUTPUT_LAYER]               = "lm_head.weight",
	}, { 0 } },
};

/* What an unknown name gives away, the surest sign first. */
static const struct dialect_stranger strangers[] = {
	{ "binary_head.",                  true,  "a BERT model (binary_head)" },
	{ "lm_head.",                      true,  "a BERT or T5 model (lm_head)" },
	{ "language_model.pooler.",        true,  "a BERT model (pooler)" },
	{ "language_model.decoder.",       true,  "an encoder-decoder such as T5 (language_model.decoder)" },
	{ "language_model.retriever.",     true,  "a Retro model (retriever)" },
	{ "tokentype_embeddings.",         false, "a model with token type embeddings, as BERT has" },
	{ "classification_head.",          true,  "a classifier (classification_head)" },
	{ "multichoice_head.",             true,  "a multiple-choice model (multichoice_head)" },
	{ "query_model.",                  true,  "a retrieval model (query_model)" },
	{ "context_model.",                true,  "a retrieval model (context_model)" },
	{ "vision_",                       true,  "a vision model" },
	{ "backbone.",                     true,  "a vision model (backbone)" },
	{ ".mlp.experts.",                 false, "a mixture-of-experts model (mlp.experts)" },
	{ ".mlp.router.",                  false, "a mixture-of-experts model (mlp.router)" },
	{ ".q_layernorm.",                 false, "a model with normalized queries (q_layernorm)" },
	{ "word_embeddings.norm.",         false, "a model with a norm after its embedding" },
	{ ".k_layernorm.",                 false, "a model with normalized keys (k_layernorm)" },
	{ ".self_attention.linear_q_",     false, "a model with latent attention (linear_q_*)" },
	{ ".self_attention.linear_kv_",    false, "a model with latent attention (linear_kv_*)" },
	{ ".cross_attention.",             false, "an encoder-decoder such as T5 (cross_attention)" },
	{ ".inter_attention.",             false, "an encoder-decoder such as T5 (inter_attention)" },
	{ ".mixer.",                       false, "a model with state-space layers (mixer)" },
	{ "decoder.final_norm.",           true,  "a hybrid model (decoder.final_norm)" },
	{ "encoder.layers.",               true,  "an encoder-decoder such as T5 (encoder.layers)" },
};

const char *
dialect_name(enum dialect dialect)
{
	return dialects[dialect].name;
}

const char *
dialect_names(enum dialect dialect)
{
	return dialects[dialect].names;
}

bool
dialect_is_labelled(enum dialect dialect)
{
	return dialects[dialect].is_labelled;
}

bool
dialect_is_linear_bias(enum model_role role)
{
	return role == ROLE_QKV_BIAS || role == ROLE_ATTENTION_DENSE_BIAS
	    || role == ROLE_MLP_UP_BIAS || role == ROLE_MLP_DOWN_BIAS;
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
		const char *other = dialects[dialect].others[index];

		if ((pattern != NULL && path_matches(pattern, path, layer))
		    || (other != NULL && path_matches(other, path, layer))) {
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
