#include "check.h"
#include "megatron/dialect.h"

#define B "language_model."

/* Names as NVIDIA's code writes them; role -1: no name of this dialect. */
static const struct {
	enum dialect dialect;
	const char  *path;
	int          role;
	unsigned     layer;
} rows[] = {
	{ DIALECT_FLAT_2019, "word_embeddings.weight", ROLE_WORD_EMBEDDING, 0 },
	{ DIALECT_FLAT_2019, "position_embeddings.weight", ROLE_POSITION_EMBEDDING, 0 },
	{ DIALECT_FLAT_2019, "transformer.layers.0.input_layernorm.weight", ROLE_INPUT_NORM_WEIGHT, 0 },
	{ DIALECT_FLAT_2019, "transformer.layers.3.input_layernorm.bias", ROLE_INPUT_NORM_BIAS, 3 },
	{ DIALECT_FLAT_2019, "transformer.layers.11.attention.query_key_value.weight", ROLE_QKV_WEIGHT, 11 },
	{ DIALECT_FLAT_2019, "transformer.layers.11.attention.query_key_value.bias", ROLE_QKV_BIAS, 11 },
	{ DIALECT_FLAT_2019, "transformer.layers.100.attention.dense.weight", ROLE_ATTENTION_DENSE_WEIGHT, 100 },
	{ DIALECT_FLAT_2019, "transformer.layers.7.attention.dense.bias", ROLE_ATTENTION_DENSE_BIAS, 7 },
	{ DIALECT_FLAT_2019, "transformer.layers.7.post_attention_layernorm.weight", ROLE_POST_ATTENTION_NORM_WEIGHT, 7 },
	{ DIALECT_FLAT_2019, "transformer.layers.7.post_attention_layernorm.bias", ROLE_POST_ATTENTION_NORM_BIAS, 7 },
	{ DIALECT_FLAT_2019, "transformer.layers.7.mlp.dense_h_to_4h.weight", ROLE_MLP_UP_WEIGHT, 7 },
	{ DIALECT_FLAT_2019, "transformer.layers.7.mlp.dense_h_to_4h.bias", ROLE_MLP_UP_BIAS, 7 },
	{ DIALECT_FLAT_2019, "transformer.layers.7.mlp.dense_4h_to_h.weight", ROLE_MLP_DOWN_WEIGHT, 7 },
	{ DIALECT_FLAT_2019, "transformer.layers.7.mlp.dense_4h_to_h.bias", ROLE_MLP_DOWN_BIAS, 7 },
	{ DIALECT_FLAT_2019, "transformer.final_layernorm.weight", ROLE_FINAL_NORM_WEIGHT, 0 },
	{ DIALECT_FLAT_2019, "transformer.final_layernorm.bias", ROLE_FINAL_NORM_BIAS, 0 },
	{ DIALECT_FLAT_2019, "transformer.layers.99999.input_layernorm.bias", ROLE_INPUT_NORM_BIAS, 99999 },
	{ DIALECT_FLAT_2019, "transformer.layers.100000.input_layernorm.bias", -1, 0 },
	{ DIALECT_FLAT_2019, "transformer.layers.18446744073709551617.input_layernorm.bias", -1, 0 },
	{ DIALECT_FLAT_2019, "transformer.layers..attention.dense.weight", -1, 0 },
	{ DIALECT_FLAT_2019, "transformer.layers.-1.attention.dense.weight", -1, 0 },
	{ DIALECT_FLAT_2019, "transformer.layers.01.attention.dense.weight", -1, 0 },
	{ DIALECT_FLAT_2019, "transformer.layers.1a.attention.dense.weight", -1, 0 },
	{ DIALECT_FLAT_2019, "transformer.layers.#.attention.dense.weight", -1, 0 },
	{ DIALECT_FLAT_2019, "transformer.layers.1.attention.dense.weight.", -1, 0 },
	{ DIALECT_FLAT_2019, "transformer.layers.1.attention.dense.weigh", -1, 0 },
	{ DIALECT_FLAT_2019, "transformer.layers.1.attention.dense", -1, 0 },
	{ DIALECT_FLAT_2019, "xtransformer.final_layernorm.bias", -1, 0 },
	{ DIALECT_FLAT_2019, "tokentype_embeddings.weight", -1, 0 },
	{ DIALECT_FLAT_2019, "word_embeddings_for_head.weight", -1, 0 },
	{ DIALECT_FLAT_2019, "", -1, 0 },
	{ DIALECT_FLAT_2019, B "embedding.word_embeddings.weight", -1, 0 },

	{ DIALECT_NESTED_TRANSFORMER, B "embedding.word_embeddings.weight", ROLE_WORD_EMBEDDING, 0 },
	{ DIALECT_NESTED_TRANSFORMER, B "embedding.position_embeddings.weight", ROLE_POSITION_EMBEDDING, 0 },
	{ DIALECT_NESTED_TRANSFORMER, B "transformer.layers.23.input_layernorm.weight", ROLE_INPUT_NORM_WEIGHT, 23 },
	{ DIALECT_NESTED_TRANSFORMER, B "transformer.layers.23.input_layernorm.bias", ROLE_INPUT_NORM_BIAS, 23 },
	{ DIALECT_NESTED_TRANSFORMER, B "transformer.layers.9.attention.query_key_value.weight", ROLE_QKV_WEIGHT, 9 },
	{ DIALECT_NESTED_TRANSFORMER, B "transformer.layers.10.attention.query_key_value.bias", ROLE_QKV_BIAS, 10 },
	{ DIALECT_NESTED_TRANSFORMER, B "transformer.layers.0.attention.dense.weight", ROLE_ATTENTION_DENSE_WEIGHT, 0 },
	{ DIALECT_NESTED_TRANSFORMER, B "transformer.layers.0.attention.dense.bias", ROLE_ATTENTION_DENSE_BIAS, 0 },
	{ DIALECT_NESTED_TRANSFORMER, B "transformer.layers.0.post_attention_layernorm.weight", ROLE_POST_ATTENTION_NORM_WEIGHT, 0 },
	{ DIALECT_NESTED_TRANSFORMER, B "transformer.layers.0.post_attention_layernorm.bias", ROLE_POST_ATTENTION_NORM_BIAS, 0 },
	{ DIALECT_NESTED_TRANSFORMER, B "transformer.layers.0.mlp.dense_h_to_4h.weight", ROLE_MLP_UP_WEIGHT, 0 },
	{ DIALECT_NESTED_TRANSFORMER, B "transformer.layers.0.mlp.dense_h_to_4h.bias", ROLE_MLP_UP_BIAS, 0 },
	{ DIALECT_NESTED_TRANSFORMER, B "transformer.layers.0.mlp.dense_4h_to_h.weight", ROLE_MLP_DOWN_WEIGHT, 0 },
	{ DIALECT_NESTED_TRANSFORMER, B "transformer.layers.0.mlp.dense_4h_to_h.bias", ROLE_MLP_DOWN_BIAS, 0 },
	{ DIALECT_NESTED_TRANSFORMER, B "transformer.final_layernorm.weight", ROLE_FINAL_NORM_WEIGHT, 0 },
	{ DIALECT_NESTED_TRANSFORMER, B "transformer.final_layernorm.bias", ROLE_FINAL_NORM_BIAS, 0 },
	{ DIALECT_NESTED_TRANSFORMER, "word_embeddings_for_head.weight", ROLE_HEAD_COPY, 0 },
	{ DIALECT_NESTED_TRANSFORMER, B "transformer.layers.0.self_attention.dense.bias", -1, 0 },
	{ DIALECT_NESTED_TRANSFORMER, B "transformer.layers.0.mlp.dense_h_to_4h._extra_state", -1, 0 },
	{ DIALECT_NESTED_TRANSFORMER, B "encoder.final_layernorm.bias", -1, 0 },
	{ DIALECT_NESTED_TRANSFORMER, "transformer.final_layernorm.bias", -1, 0 },

	{ DIALECT_NESTED_ENCODER, B "embedding.word_embeddings.weight", ROLE_WORD_EMBEDDING, 0 },
	{ DIALECT_NESTED_ENCODER, B "embedding.position_embeddings.weight", ROLE_POSITION_EMBEDDING, 0 },
	{ DIALECT_NESTED_ENCODER, B "encoder.layers.4.input_layernorm.weight", ROLE_INPUT_NORM_WEIGHT, 4 },
	{ DIALECT_NESTED_ENCODER, B "encoder.layers.4.input_layernorm.bias", ROLE_INPUT_NORM_BIAS, 4 },
	{ DIALECT_NESTED_ENCODER, B "encoder.layers.4.self_attention.query_key_value.weight", ROLE_QKV_WEIGHT, 4 },
	{ DIALECT_NESTED_ENCODER, B "encoder.layers.4.self_attention.query_key_value.bias", ROLE_QKV_BIAS, 4 },
	{ DIALECT_NESTED_ENCODER, B "encoder.layers.4.self_attention.dense.weight", ROLE_ATTENTION_DENSE_WEIGHT, 4 },
	{ DIALECT_NESTED_ENCODER, B "encoder.layers.4.self_attention.dense.bias", ROLE_ATTENTION_DENSE_BIAS, 4 },
	{ DIALECT_NESTED_ENCODER, B "encoder.layers.4.post_attention_layernorm.weight", ROLE_POST_ATTENTION_NORM_WEIGHT, 4 },
	{ DIALECT_NESTED_ENCODER, B "encoder.layers.4.post_attention_layernorm.bias", ROLE_POST_ATTENTION_NORM_BIAS, 4 },
	{ DIALECT_NESTED_ENCODER, B "encoder.layers.4.mlp.dense_h_to_4h.weight", ROLE_MLP_UP_WEIGHT, 4 },
	{ DIALECT_NESTED_ENCODER, B "encoder.layers.4.mlp.dense_h_to_4h.bias", ROLE_MLP_UP_BIAS, 4 },
	{ DIALECT_NESTED_ENCODER, B "encoder.layers.4.mlp.dense_4h_to_h.weight", ROLE_MLP_DOWN_WEIGHT, 4 },
	{ DIALECT_NESTED_ENCODER, B "encoder.layers.4.mlp.dense_4h_to_h.bias", ROLE_MLP_DOWN_BIAS, 4 },
	{ DIALECT_NESTED_ENCODER, B "encoder.final_layernorm.weight", ROLE_FINAL_NORM_WEIGHT, 0 },
	{ DIALECT_NESTED_ENCODER, B "encoder.final_layernorm.bias", ROLE_FINAL_NORM_BIAS, 0 },
	{ DIALECT_NESTED_ENCODER, B "output_layer.weight", ROLE_OUTPUT_LAYER, 0 },
	{ DIALECT_NESTED_ENCODER, "word_embeddings_for_head.weight", ROLE_HEAD_COPY, 0 },
	{ DIALECT_NESTED_ENCODER, B "encoder.layers.4.attention.dense.bias", -1, 0 },
	{ DIALECT_NESTED_ENCODER, B "encoder.layers.4.input_norm.bias", -1, 0 },
	{ DIALECT_NESTED_ENCODER, B "transformer.final_layernorm.bias", -1, 0 },

	{ DIALECT_NESTED_NORM, B "embedding.word_embeddings.weight", ROLE_WORD_EMBEDDING, 0 },
	{ DIALECT_NESTED_NORM, B "embedding.position_embeddings.weight", ROLE_POSITION_EMBEDDING, 0 },
	{ DIALECT_NESTED_NORM, B "encoder.layers.4.input_norm.weight", ROLE_INPUT_NORM_WEIGHT, 4 },
	{ DIALECT_NESTED_NORM, B "encoder.layers.4.input_norm.bias", ROLE_INPUT_NORM_BIAS, 4 },
	{ DIALECT_NESTED_NORM, B "encoder.layers.4.self_attention.query_key_value.weight", ROLE_QKV_WEIGHT, 4 },
	{ DIALECT_NESTED_NORM, B "encoder.layers.4.self_attention.query_key_value.bias", ROLE_QKV_BIAS, 4 },
	{ DIALECT_NESTED_NORM, B "encoder.layers.4.self_attention.dense.weight", ROLE_ATTENTION_DENSE_WEIGHT, 4 },
	{ DIALECT_NESTED_NORM, B "encoder.layers.4.self_attention.dense.bias", ROLE_ATTENTION_DENSE_BIAS, 4 },
	{ DIALECT_NESTED_NORM, B "encoder.layers.4.post_attention_norm.weight", ROLE_POST_ATTENTION_NORM_WEIGHT, 4 },
	{ DIALECT_NESTED_NORM, B "encoder.layers.4.post_attention_norm.bias", ROLE_POST_ATTENTION_NORM_BIAS, 4 },
	{ DIALECT_NESTED_NORM, B "encoder.layers.4.mlp.dense_h_to_4h.weight", ROLE_MLP_UP_WEIGHT, 4 },
	{ DIALECT_NESTED_NORM, B "encoder.layers.4.mlp.dense_h_to_4h.bias", ROLE_MLP_UP_BIAS, 4 },
	{ DIALECT_NESTED_NORM, B "encoder.layers.4.mlp.dense_4h_to_h.weight", ROLE_MLP_DOWN_WEIGHT, 4 },
	{ DIALECT_NESTED_NORM, B "encoder.layers.4.mlp.dense_4h_to_h.bias", ROLE_MLP_DOWN_BIAS, 4 },
	{ DIALECT_NESTED_NORM, B "encoder.final_norm.weight", ROLE_FINAL_NORM_WEIGHT, 0 },
	{ DIALECT_NESTED_NORM, B "encoder.final_norm.bias", ROLE_FINAL_NORM_BIAS, 0 },
	{ DIALECT_NESTED_NORM, B "output_layer.weight", ROLE_OUTPUT_LAYER, 0 },
	{ DIALECT_NESTED_NORM, "word_embeddings_for_head.weight", ROLE_HEAD_COPY, 0 },
	{ DIALECT_NESTED_NORM, B "encoder.layers.4.input_layernorm.bias", -1, 0 },
	{ DIALECT_NESTED_NORM, B "encoder.final_layernorm.bias", -1, 0 },

	{ DIALECT_NESTED_TE, B "encoder.layers.4.self_attention.layernorm_qkv.layer_norm_weight", ROLE_INPUT_NORM_WEIGHT, 4 },
	{ DIALECT_NESTED_TE, B "encoder.layers.4.self_attention.layernorm_qkv.layer_norm_bias", ROLE_INPUT_NORM_BIAS, 4 },
	{ DIALECT_NESTED_TE, B "encoder.layers.4.self_attention.layernorm_qkv.weight", ROLE_QKV_WEIGHT, 4 },
	{ DIALECT_NESTED_TE, B "encoder.layers.4.self_attention.layernorm_qkv.bias", ROLE_QKV_BIAS, 4 },
	{ DIALECT_NESTED_TE, B "encoder.layers.4.self_attention.proj.weight", ROLE_ATTENTION_DENSE_WEIGHT, 4 },
	{ DIALECT_NESTED_TE, B "encoder.layers.4.self_attention.proj.bias", ROLE_ATTENTION_DENSE_BIAS, 4 },
	{ DIALECT_NESTED_TE, B "encoder.layers.4.layernorm_mlp.layer_norm_weight", ROLE_POST_ATTENTION_NORM_WEIGHT, 4 },
	{ DIALECT_NESTED_TE, B "encoder.layers.4.layernorm_mlp.layer_norm_bias", ROLE_POST_ATTENTION_NORM_BIAS, 4 },
	{ DIALECT_NESTED_TE, B "encoder.layers.4.layernorm_mlp.fc1_weight", ROLE_MLP_UP_WEIGHT, 4 },
	{ DIALECT_NESTED_TE, B "encoder.layers.4.layernorm_mlp.fc1_bias", ROLE_MLP_UP_BIAS, 4 },
	{ DIALECT_NESTED_TE, B "encoder.layers.4.layernorm_mlp.fc2_weight", ROLE_MLP_DOWN_WEIGHT, 4 },
	{ DIALECT_NESTED_TE, B "encoder.layers.4.layernorm_mlp.fc2_bias", ROLE_MLP_DOWN_BIAS, 4 },
	{ DIALECT_NESTED_TE, B "encoder.final_layernorm.weight", ROLE_FINAL_NORM_WEIGHT, 0 },
	{ DIALECT_NESTED_TE, B "encoder.final_layernorm.bias", ROLE_FINAL_NORM_BIAS, 0 },
	{ DIALECT_NESTED_TE, B "encoder.final_norm.weight", ROLE_FINAL_NORM_WEIGHT, 0 },
	{ DIALECT_NESTED_TE, B "encoder.final_norm.bias", ROLE_FINAL_NORM_BIAS, 0 },
	{ DIALECT_NESTED_TE, B "output_layer.weight", ROLE_OUTPUT_LAYER, 0 },
	{ DIALECT_NESTED_TE, B "encoder.layers.4.layernorm_mlp.fc1.weight", -1, 0 },
	{ DIALECT_NESTED_TE, B "encoder.layers.4.self_attention.dense.weight", -1, 0 },

	{ DIALECT_CORE, "embedding.word_embeddings.weight", ROLE_WORD_EMBEDDING, 0 },
	{ DIALECT_CORE, "embedding.position_embeddings.weight", ROLE_POSITION_EMBEDDING, 0 },
	{ DIALECT_CORE, "decoder.layers.4.input_layernorm.weight", ROLE_INPUT_NORM_WEIGHT, 4 },
	{ DIALECT_CORE, "decoder.layers.4.input_layernorm.bias", ROLE_INPUT_NORM_BIAS, 4 },
	{ DIALECT_CORE, "decoder.layers.4.self_attention.linear_qkv.layer_norm_weight", ROLE_INPUT_NORM_WEIGHT, 4 },
	{ DIALECT_CORE, "decoder.layers.4.self_attention.linear_qkv.layer_norm_bias", ROLE_INPUT_NORM_BIAS, 4 },
	{ DIALECT_CORE, "decoder.layers.4.self_attention.linear_qkv.weight", ROLE_QKV_WEIGHT, 4 },
	{ DIALECT_CORE, "decoder.layers.4.self_attention.linear_qkv.bias", ROLE_QKV_BIAS, 4 },
	{ DIALECT_CORE, "decoder.layers.4.self_attention.linear_proj.weight", ROLE_ATTENTION_DENSE_WEIGHT, 4 },
	{ DIALECT_CORE, "decoder.layers.4.self_attention.linear_proj.bias", ROLE_ATTENTION_DENSE_BIAS, 4 },
	{ DIALECT_CORE, "decoder.layers.4.pre_mlp_layernorm.weight", ROLE_POST_ATTENTION_NORM_WEIGHT, 4 },
	{ DIALECT_CORE, "decoder.layers.4.pre_mlp_layernorm.bias", ROLE_POST_ATTENTION_NORM_BIAS, 4 },
	{ DIALECT_CORE, "decoder.layers.4.mlp.linear_fc1.layer_norm_weight", ROLE_POST_ATTENTION_NORM_WEIGHT, 4 },
	{ DIALECT_CORE, "decoder.layers.4.mlp.linear_fc1.layer_norm_bias", ROLE_POST_ATTENTION_NORM_BIAS, 4 },
	{ DIALECT_CORE, "decoder.layers.4.mlp.linear_fc1.weight", ROLE_MLP_UP_WEIGHT, 4 },
	{ DIALECT_CORE, "decoder.layers.4.mlp.linear_fc1.bias", ROLE_MLP_UP_BIAS, 4 },
	{ DIALECT_CORE, "decoder.layers.4.mlp.linear_fc2.weight", ROLE_MLP_DOWN_WEIGHT, 4 },
	{ DIALECT_CORE, "decoder.layers.4.mlp.linear_fc2.bias", ROLE_MLP_DOWN_BIAS, 4 },
	{ DIALECT_CORE, "decoder.final_layernorm.weight", ROLE_FINAL_NORM_WEIGHT, 0 },
	{ DIALECT_CORE, "decoder.final_layernorm.bias", ROLE_FINAL_NORM_BIAS, 0 },
	{ DIALECT_CORE, "output_layer.weight", ROLE_OUTPUT_LAYER, 0 },
	{ DIALECT_CORE, "decoder.layers.4.post_attention_layernorm.weight", -1, 0 },
	{ DIALECT_CORE, "decoder.final_norm.weight", -1, 0 },
	{ DIALECT_CORE, "output_layer.bias", -1, 0 },
};

/* What names of other models give away; NULL: nothing. */
static const struct {
	const char *paths[2];
	const char *part;
} strangers[] = {
	{ { "lm_head.bias", "binary_head.weight" }, "BERT" },
	{ { B "pooler.dense.weight", B "encoder.final_layernorm.bias" }, "BERT" },
	{ { B "encoder.final_layernorm.bias", B "decoder.final_layernorm.bias" }, "T5" },
	{ { B "embedding.tokentype_embeddings.weight" }, "token type" },
	{ { B "encoder.layers.0.mlp.experts.0.weight" }, "mixture-of-experts" },
	{ { "decoder.layers.0.mlp.experts.local_experts.0.linear_fc1.weight" }, "mixture-of-experts" },
	{ { "decoder.layers.0.self_attention.q_layernorm.weight" }, "normalized queries" },
	{ { "decoder.layers.0.self_attention.k_layernorm.weight" }, "normalized keys" },
	{ { "decoder.layers.0.self_attention.linear_kv_up_proj.weight" }, "latent attention" },
	{ { "decoder.layers.0.cross_attention.linear_q.weight" }, "T5" },
	{ { "decoder.layers.0.mixer.in_proj.weight" }, "state-space" },
	{ { "decoder.final_norm.weight" }, "hybrid" },
	{ { "adapter.weight" }, NULL },
};

int
main(void)
{
	size_t index;

	for (index = 0; index < sizeof rows / sizeof *rows; index++) {
		enum model_role role = ROLE_COUNT;
		unsigned        layer = 12345;
		bool found = dialect_match(rows[index].dialect, rows[index].path, &role, &layer);

		CHECK(found == (rows[index].role >= 0), "row %zu: %s", index, rows[index].path);
		if (found && rows[index].role >= 0)
			CHECK((int)role == rows[index].role && layer == rows[index].layer,
				"row %zu: %s: role %d, layer %u", index, rows[index].path, (int)role,
				layer);
	}
	for (index = 0; index < sizeof strangers / sizeof *strangers; index++) {
		size_t count = strangers[index].paths[1] != NULL ? 2 : 1;
		const struct dialect_stranger *found =
		    dialect_stranger(strangers[index].paths, count);

		CHECK((found == NULL) == (strangers[index].part == NULL), "stranger %zu", index);
		if (found == NULL || strangers[index].part == NULL)
			continue;
		CHECK(strstr(found->what, strangers[index].part) != NULL, "stranger %zu: %s", index,
			found->what);
	}
	CHECK_TEXT(dialect_name(DIALECT_NESTED_TRANSFORMER), "2019 nested transformer", "name");
	CHECK_TEXT(dialect_roles[ROLE_QKV_WEIGHT].name, "attention.query_key_value.weight", "name");
	return check_end("dialect");
}
