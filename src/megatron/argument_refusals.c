/*
 * Training arguments of all eras that make a model something else than GPT-2.  A field that
 * a checkpoint lacks has its harmless default.  (Megatron-LM v1.0 to core_v0.19.0:
 * megatron/arguments.py, megatron/training/arguments.py; BigScience, BigCode.)
 */

#include "megatron/argument_refusals.h"

#include "megatron/argument_value.h"

#include <inttypes.h>
#include <string.h>

enum test {
	IF_TRUE,
	IF_FALSE,
	IF_SET,         /* neither absent nor None */
	UNLESS_WORD,    /* any value but the words */
	IF_EXPERTS,     /* more than one; a number or a list of them */
};

struct refusal {
	const char *name;
	enum test   test;
	const char *words[3];   /* of UNLESS_WORD */
	const char *slug;
	const char *what;
};

static const struct refusal refusals[] = {
	/* Norms. */
	{ "normalization",               UNLESS_WORD, { "LayerNorm", "layernorm" }, "arch",
		"another norm than LayerNorm" },
	{ "apply_residual_connection_post_layernorm", IF_TRUE, { 0 }, "arch",
		"residual connections that start after the norm" },
	{ "embed_layernorm",             IF_TRUE,     { 0 }, "arch", "a norm after the embedding" },
	{ "qk_layernorm",                IF_TRUE,     { 0 }, "arch", "normalized queries and keys" },
	{ "qk_l2_norm",                  IF_TRUE,     { 0 }, "arch", "normalized queries and keys" },
	/* Positions. */
	{ "position_embedding_type",     UNLESS_WORD, { "learned_absolute", "absolute", "2" }, "arch",
		"other positions than a learned table" },
	{ "add_position_embedding",      IF_FALSE,    { 0 }, "arch", "no table of positions" },
	{ "use_rotary_position_embeddings", IF_TRUE,  { 0 }, "arch", "rotary positions" },
	/* Attention. */
	{ "attention_head_type",         UNLESS_WORD, { "multihead" }, "arch",
		"another attention than multi-head" },
	{ "multi_latent_attention",      IF_TRUE,     { 0 }, "arch", "latent attention" },
	{ "attention_output_gate",       IF_TRUE,     { 0 }, "arch", "gated attention" },
	{ "experimental_attention_variant", IF_SET,   { 0 }, "arch", "an experimental attention" },
	{ "linear_attention_freq",       IF_SET,      { 0 }, "arch", "linear attention" },
	{ "softmax_scale",               IF_SET,      { 0 }, "arch", "another softmax scale than GPT-2's" },
	{ "softmax_type",                UNLESS_WORD, { "vanilla" }, "arch", "another softmax" },
	{ "window_size",                 IF_SET,      { 0 }, "arch", "sliding-window attention" },
	/* Feed-forward part. */
	{ "swiglu",                      IF_TRUE,     { 0 }, "act",  "a gated activation (SwiGLU)" },
	{ "quick_geglu",                 IF_TRUE,     { 0 }, "act",  "a gated activation" },
	{ "glu_activation",              IF_SET,      { 0 }, "act",  "a gated activation" },
	{ "glu_linear_offset",           IF_TRUE,     { 0 }, "act",  "a gated activation" },
	{ "activation_func_clamp_value", IF_SET,      { 0 }, "act",  "a clamped activation" },
	{ "use_swiglu",                  IF_TRUE,     { 0 }, "act",  "a gated activation (SwiGLU)" },
	{ "geglu",                       IF_TRUE,     { 0 }, "act",  "a gated activation" },
	{ "expert_model_parallel_size",  IF_EXPERTS,  { 0 }, "arch", "a mixture of experts" },
	{ "num_experts",                 IF_EXPERTS,  { 0 }, "arch", "a mixture of experts" },
	/* The model as a whole. */
	{ "num_tokentypes",              IF_TRUE,     { 0 }, "arch", "token type embeddings, as BERT has" },
	{ "model_type",                  UNLESS_WORD, { "encoder_or_decoder", "1" }, "arch",
		"no decoder-only model" },
	{ "decoder_num_layers",          IF_SET,      { 0 }, "arch",
		"an encoder and a decoder, as T5 has" },
	{ "retro_add_retriever",         IF_TRUE,     { 0 }, "arch", "a retriever (Retro)" },
	{ "is_hybrid_model",             IF_TRUE,     { 0 }, "arch", "layers of several kinds" },
	{ "hybrid_attention_ratio",      IF_TRUE,     { 0 }, "arch", "layers of several kinds" },
	{ "hybrid_mlp_ratio",            IF_TRUE,     { 0 }, "arch", "layers of several kinds" },
	{ "hybrid_layer_pattern",        IF_SET,      { 0 }, "arch", "layers of several kinds" },
	{ "hybrid_override_pattern",     IF_SET,      { 0 }, "arch", "layers of several kinds" },
	{ "heterogeneous_layers_config_path", IF_SET, { 0 }, "arch", "layers of several kinds" },
	{ "heterogeneous_layers_config_encoded_json", IF_SET, { 0 }, "arch", "layers of several kinds" },
	{ "spec",                        IF_SET,      { 0 }, "arch", "layers that a program describes" },
	{ "use_mup",                     IF_TRUE,     { 0 }, "arch", "scaled outputs (muP)" },
};

static bool
is_word(const struct refusal *row, const struct value *value)
{
	char   word[96];
	size_t index;

	argument_word(value, word, sizeof word);
	for (index = 0; index < sizeof row->words / sizeof *row->words; index++)
		if (row->words[index] != NULL && strcmp(word, row->words[index]) == 0)
			return true;
	return false;
}

/* Megatron-DeepSpeed stores a list, [1] by default. */
static bool
has_experts(const struct value *value)
{
	uint32_t index;

	if (value->kind == VALUE_INT)
		return value->integer > 1;
	if (value->kind != VALUE_LIST && value->kind != VALUE_TUPLE)
		return true;
	for (index = 0; index < value->count; index++)
		if (value->items[index]->kind != VALUE_INT || value->items[index]->integer > 1)
			return true;
	return false;
}

static bool
applies(const struct refusal *row, const struct value *value)
{
	switch (row->test) {
	case IF_TRUE:
		return argument_truth(value);
	case IF_FALSE:
		return !argument_truth(value);
	case IF_SET:
		return true;
	case UNLESS_WORD:
		return !is_word(row, value);
	case IF_EXPERTS:
		return has_experts(value);
	}
	return true;
}

static bool
refuse(const char *name, const struct value *value, const char *slug, const char *what,
	struct error *err)
{
	char word[96];

	return error_set(err, ERROR_UNSUPPORTED, slug,
		"args.%s=%s: not a GPT-2 architecture, it means %s", name,
		argument_word(value, word, sizeof word), what);
}

/* num_query_groups is 1 by default even where every head has its own keys. */
static bool
check_query_groups(const struct value *args, struct error *err)
{
	uint64_t heads = 0, groups = 1;
	bool     found;

	if (!argument_truth(argument_find(args, "group_query_attention")))
		return true;
	if (!argument_whole(args, "num_attention_heads", &heads, &found, err)
	    || !argument_whole(args, "num_query_groups", &groups, &found, err))
		return false;
	return groups == heads ? true : refuse("group_query_attention",
		argument_find(args, "group_query_attention"), "arch", "grouped query attention", err);
}

bool
argument_refusals_head_size(const struct value *args, uint64_t hidden, uint64_t heads,
	struct error *err)
{
	uint64_t channels = 0;
	bool     found;

	if (!argument_whole(args, "kv_channels", &channels, &found, err))
		return false;
	if (!found || heads == 0 || hidden % heads != 0 || channels == hidden / heads)
		return true;
	return error_set(err, ERROR_UNSUPPORTED, "arch", "args.kv_channels=%" PRIu64
		": not a GPT-2 architecture, whose heads are hidden_size / heads = %" PRIu64
		" wide", channels, hidden / heads);
}

bool
argument_refusals_check(const struct value *args, struct error *err)
{
	size_t index;

	for (index = 0; index < sizeof refusals / sizeof *refusals; index++) {
		const struct refusal *row = &refusals[index];
		const struct value   *value = argument_find(args, row->name);

		if (value != NULL && applies(row, value))
			return refuse(row->name, value, row->slug, row->what, err);
	}
	return check_query_groups(args, err);
}
