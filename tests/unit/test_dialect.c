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
};

/* What names of other models give away; NULL: nothing. */
static const struct {
	const char *paths[2];
	const char *slug, *part;
} strangers[] = {
	{ { "lm_head.bias", "binary_head.weight" }, "arch", "BERT" },
	{ { B "pooler.dense.weight", B "encoder.final_layernorm.bias" }, "arch", "BERT" },
	{ { B "encoder.final_layernorm.bias", B "decoder.final_layernorm.bias" }, "arch", "T5" },
	{ { B "embedding.tokentype_embeddings.weight" }, "arch", "token type" },
	{ { B "encoder.layers.0.mlp.experts.0.weight" }, "arch", "mixture-of-experts" },
	{ { B "encoder.layers.0.self_attention.dense.weight" }, "dialect", "v2.5" },
	{ { B "encoder.layers.0.self_attention.layernorm_qkv.weight" }, "dialect", "Transformer Engine" },
	{ { "decoder.layers.0.self_attention.linear_qkv.weight" }, "dialect", "Megatron Core" },
	{ { "adapter.weight" }, NULL, NULL },
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

		CHECK((found == NULL) == (strangers[index].slug == NULL), "stranger %zu", index);
		if (found == NULL || strangers[index].slug == NULL)
			continue;
		CHECK_TEXT(found->slug, strangers[index].slug, "stranger %zu", index);
		CHECK(strstr(found->what, strangers[index].part) != NULL, "stranger %zu: %s", index,
			found->what);
	}
	CHECK_TEXT(dialect_name(DIALECT_NESTED_TRANSFORMER), "2019 nested transformer", "name");
	CHECK_TEXT(dialect_roles[ROLE_QKV_WEIGHT].name, "attention.query_key_value.weight", "name");
	return check_end("dialect");
}
