#include "gpt2/config.h"

#include "base/digest.h"

#include "check.h"

static const struct gpt2_config ngc = {
	.sizes = { 24, 1024, 4096, 1024, 50257, false, false }, .n_head = 16,
	.activation_function = "gelu_new", .layer_norm_epsilon = 1e-5, .attn_pdrop = 0.1,
	.embd_pdrop = 0.1, .resid_pdrop = 0.1, .initializer_range = 0.02,
	.has_token_ids = true, .bos_token_id = 50256, .eos_token_id = 50256,
	.tie_word_embeddings = true,
};

/* Digests: what transformers 5.14 and 4.18 write for these values, and the hub's file of gpt2. */
static void
test_known_bytes(void)
{
	struct text config = { 0 }, generation = { 0 };
	char        hex[DIGEST_HEX_SIZE];

	config_write(&ngc, CONFIG_HF5, &config);
	CHECK(config.length == 849, "%zu bytes", config.length);
	digest_sha256(config.bytes, config.length, hex);
	CHECK_TEXT(hex, "0f7b4b63f24c7ce98fb5981670d99f7c9f5d0162bb50790b714b16cfa96e6008",
		"config.json");
	config.length = 0;
	config_write(&ngc, CONFIG_HF4_18, &config);
	CHECK(config.length == 766, "%zu bytes", config.length);
	digest_sha256(config.bytes, config.length, hex);
	CHECK_TEXT(hex, "ddfe83e95e5fc9a75320ee1ad55f2944e3e8c2b0c67aec57b7e483ae8f2691fc",
		"config.json of 4.18");
	config_write_generation(&ngc, &generation);
	CHECK(generation.length == 124, "%zu bytes", generation.length);
	digest_sha256(generation.bytes, generation.length, hex);
	CHECK_TEXT(hex, "2daeff221b1170acad8e8d77fea56f5e207a79eb00901bf5dd77b1c198def509",
		"generation_config.json");
	text_free(&config);
	text_free(&generation);
}

static void
test_without_token_ids(void)
{
	struct gpt2_config config = ngc;
	struct text        text = { 0 };

	config.has_token_ids = false;
	config_write(&config, CONFIG_HF5, &text);
	CHECK(strstr(text.bytes, "\"bos_token_id\": null,\n") != NULL, "%s", text.bytes);
	CHECK(strstr(text.bytes, "\"eos_token_id\": null,\n") != NULL, "%s", text.bytes);
	text.length = 0;
	config_write_generation(&config, &text);
	CHECK_TEXT(text.bytes, "{\n  \"_from_model_config\": true,\n"
		"  \"transformers_version\": \"4.26.0.dev0\"\n}\n", "without ids");
	text_free(&text);
}

/* Keys that depend on the model: 4.18 leaves out the tie where it is its default. */
static void
test_optional_keys(void)
{
	struct gpt2_config config = ngc;
	struct text        text = { 0 };

	config.tie_word_embeddings = false;
	config.torch_dtype = "bfloat16";
	config_write(&config, CONFIG_HF4_18, &text);
	CHECK(strstr(text.bytes, "  \"tie_word_embeddings\": false,\n"
		"  \"tokenizer_class\": \"GPT2TokenizerFast\",\n"
		"  \"torch_dtype\": \"bfloat16\",\n"
		"  \"transformers_version\": \"4.18.0\",\n") != NULL, "%s", text.bytes);
	text.length = 0;
	config_write(&config, CONFIG_HF5, &text);
	CHECK(strstr(text.bytes, "  \"tie_word_embeddings\": false,\n"
		"  \"tokenizer_class\": \"GPT2Tokenizer\",\n"
		"  \"torch_dtype\": \"bfloat16\",\n"
		"  \"transformers_version\": \"5.14.0\",\n") != NULL, "%s", text.bytes);
	text_free(&text);
}

static void
test_reads_what_it_writes(void)
{
	struct gpt2_config config;
	struct text        text = { 0 }, again = { 0 };
	struct error       err = { 0 };
	char               activation[64];

	config_write(&ngc, CONFIG_HF5, &text);
	CHECK(config_read(text.bytes, text.length, &config, activation, &err), "%s", err.text);
	config_write(&config, CONFIG_HF5, &again);
	CHECK_TEXT(again.bytes, text.bytes, "written, read and written");
	text_free(&text);
	text_free(&again);
}

static void
test_defaults(void)
{
	struct gpt2_config config;
	struct error       err = { 0 };
	char               activation[64];

	CHECK(config_read("{}", 2, &config, activation, &err), "%s", err.text);
	CHECK(config.sizes.n_layer == 12 && config.sizes.n_embd == 768
		&& config.sizes.n_inner == 3072 && config.sizes.n_positions == 1024
		&& config.sizes.vocab_size == 50257 && config.n_head == 12, "sizes");
	CHECK(config.has_token_ids && config.bos_token_id == 50256
		&& config.eos_token_id == 50256 && config.tie_word_embeddings, "tokens, tie");
	CHECK(config.layer_norm_epsilon == 1e-5 && config.attn_pdrop == 0.1
		&& config.initializer_range == 0.02, "reals");
	CHECK_TEXT(activation, "gelu_new", "activation");
}

/* GPT2Config(num_attention_heads=4).n_head is 4 in transformers. */
static void
test_other_names(void)
{
	static const char text[] = "{\"num_hidden_layers\": 3, \"hidden_size\": 8, "
		"\"num_attention_heads\": 4, \"max_position_embeddings\": 5, \"n_layer\": 3}";
	struct gpt2_config config;
	struct error       err = { 0 };
	char               activation[64];

	CHECK(config_read(text, sizeof text - 1, &config, activation, &err), "%s", err.text);
	CHECK(config.sizes.n_layer == 3 && config.sizes.n_embd == 8 && config.n_head == 4
		&& config.sizes.n_positions == 5, "sizes");
}

static const struct row {
	const char     *json;
	enum error_kind kind;
	const char     *says;
} rows[] = {
	{ "{\"model_type\": \"gpt2\", \"n_ctx\": 1024, \"n_inner\": null}", ERROR_NONE, "" },
	{ "{\"attn_pdrop\": 0, \"layer_norm_epsilon\": 1}", ERROR_NONE, "" },
	{ "{\"bos_token_id\": null, \"eos_token_id\": [5, 6]}", ERROR_NONE, "" },
	{ "{\"architectures\": [\"GPT2Model\"]}", ERROR_NONE, "" },
	{ "{\"architectures\": null, \"tie_word_embeddings\": false}", ERROR_NONE, "" },
	{ "{\"model_type\": \"llama\"}", ERROR_UNSUPPORTED, "llama" },
	{ "{\"model_type\": 2}", ERROR_CORRUPT, "model_type" },
	{ "{\"architectures\": [\"LlamaForCausalLM\"]}", ERROR_UNSUPPORTED, "LlamaForCausalLM" },
	{ "{\"architectures\": \"GPT2\"}", ERROR_CORRUPT, "architectures" },
	{ "{\"architectures\": [1]}", ERROR_CORRUPT, "architectures" },
	{ "{\"n_layer\": \"24\"}", ERROR_CORRUPT, "n_layer" },
	{ "{\"n_layer\": 0}", ERROR_CORRUPT, "n_layer" },
	{ "{\"n_layer\": -1}", ERROR_CORRUPT, "n_layer" },
	{ "{\"n_layer\": 24.0}", ERROR_CORRUPT, "n_layer" },
	{ "{\"n_layer\": 1e300}", ERROR_CORRUPT, "n_layer" },
	{ "{\"n_layer\": null}", ERROR_CORRUPT, "n_layer" },
	{ "{\"n_inner\": \"x\"}", ERROR_CORRUPT, "n_inner" },
	{ "{\"n_head\": 5}", ERROR_CORRUPT, "not divisible" },
	{ "{\"n_head\": 12, \"num_attention_heads\": 6}", ERROR_CORRUPT, "two names" },
	{ "{\"max_position_embeddings\": 5, \"n_positions\": 6}", ERROR_CORRUPT, "two names" },
	{ "{\"hidden_size\": 0}", ERROR_CORRUPT, "hidden_size" },
	{ "{\"attn_pdrop\": \"0.1\"}", ERROR_CORRUPT, "attn_pdrop" },
	{ "{\"attn_pdrop\": -0.1}", ERROR_CORRUPT, "attn_pdrop" },
	{ "{\"layer_norm_epsilon\": true}", ERROR_CORRUPT, "layer_norm_epsilon" },
	{ "{\"eos_token_id\": \"end\"}", ERROR_CORRUPT, "eos_token_id" },
	{ "{\"eos_token_id\": []}", ERROR_CORRUPT, "eos_token_id" },
	{ "{\"tie_word_embeddings\": 1}", ERROR_CORRUPT, "tie_word_embeddings" },
	{ "{\"activation_function\": null}", ERROR_CORRUPT, "activation_function" },
	{ "{\"activation_function\": \"0123456789012345678901234567890123456789"
	  "012345678901234567890123\"}", ERROR_CORRUPT, "64 bytes" },
	{ "[]", ERROR_CORRUPT, "object" },
	{ "", ERROR_CORRUPT, "JSON" },
	{ "{\"n_layer\": 1, \"n_layer\": 2}", ERROR_CORRUPT, "n_layer" },
	{ "{\"attn_pdrop\": NaN}", ERROR_CORRUPT, "JSON" },
	{ "{} x", ERROR_CORRUPT, "JSON" },
};

static void
test_rows(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct row  *row = &rows[i];
		struct gpt2_config config;
		struct error       err = { 0 };
		char               activation[64];
		bool               read = config_read(row->json, strlen(row->json), &config,
			activation, &err);

		CHECK(read == (row->kind == ERROR_NONE) && err.kind == row->kind, "%s: %d %s",
			row->json, (int)err.kind, err.text);
		CHECK(strstr(err.text, row->says) != NULL, "%s: \"%s\"", row->json, err.text);
	}
}

int
main(void)
{
	test_known_bytes();
	test_without_token_ids();
	test_optional_keys();
	test_reads_what_it_writes();
	test_defaults();
	test_other_names();
	test_rows();
	return check_end("config");
}
