#include "check.h"
#include "base/decision_log.h"
#include "megatron/argument_refusals.h"
#include "megatron/argument_value.h"
#include "megatron/arguments.h"

#include <stdlib.h>

/* ---- values, built by hand ---------------------------------------------------------------- */

static struct arena arena;

static struct value *
make(enum value_kind kind)
{
	struct value *value = arena_take(&arena, 1, sizeof *value);

	if (value == NULL)
		abort();
	value->kind = (uint8_t)kind;
	return value;
}

static struct value *
make_text(const char *text)
{
	struct value *value = make(VALUE_TEXT);

	value->text.bytes = text;
	value->text.length = strlen(text);
	return value;
}

static struct value *
make_global(const char *module, const char *name)
{
	struct value *value = make(VALUE_GLOBAL);

	value->global.module = module;
	value->global.name = name;
	return value;
}

/* callable(first[, second]) */
static struct value *
make_call(struct value *callable, struct value *first, struct value *second)
{
	struct value *value = make(VALUE_CALL), *tuple = make(VALUE_TUPLE);

	tuple->items = arena_take(&arena, 2, sizeof *tuple->items);
	if (tuple->items == NULL)
		abort();
	tuple->items[0] = first;
	tuple->items[1] = second;
	tuple->count = tuple->room = second != NULL ? 2 : 1;
	value->call.callable = callable;
	value->call.arguments = tuple;
	return value;
}

/*
 * "name=value": N None, T True, F False, i7 a whole number, r1e-5 a real one, "=nan", s a text,
 * e a member of an enum by getattr(), c a class called with a number, x an object.
 */
static struct value *
make_value(const char *spelling)
{
	struct value *value;

	switch (spelling[0]) {
	case 'N':
		return make(VALUE_NONE);
	case 'T':
	case 'F':
		value = make(VALUE_BOOL);
		value->boolean = spelling[0] == 'T';
		return value;
	case 'i':
		value = make(VALUE_INT);
		value->integer = strtoll(spelling + 1, NULL, 10);
		return value;
	case 'r':
		value = make(VALUE_FLOAT);
		value->real = strtod(spelling + 1, NULL);
		return value;
	case 's':
		return make_text(spelling + 1);
	case 'e':
		return make_call(make_global("builtins", "getattr"),
			make_global("megatron.core.enums", "Kind"), make_text(spelling + 1));
	case 'c':
		value = make(VALUE_INT);
		value->integer = strtoll(spelling + 1, NULL, 10);
		return make_call(make_global("megatron.model.enums", "Kind"), value, NULL);
	case 'l':
		value = make(VALUE_LIST);
		value->items = arena_take(&arena, 1, sizeof *value->items);
		if (value->items == NULL)
			abort();
		value->items[0] = make_value(spelling + 1);
		value->count = value->room = 1;
		return value;
	default:
		value = make(VALUE_OBJECT);
		value->call.callable = make_global("other", "Thing");
		return value;
	}
}

static struct value *
make_dict(const char *const *fields)
{
	struct value *dict = make(VALUE_DICT);
	size_t        count = 0;

	while (fields[count] != NULL)
		count++;
	dict->items = arena_take(&arena, 2 * count + 1, sizeof *dict->items);
	if (dict->items == NULL)
		abort();
	for (; *fields != NULL; fields++) {
		const char *equals = strchr(*fields, '=');
		char       *name = arena_copy(&arena, *fields, (size_t)(equals - *fields));

		if (name == NULL)
			abort();
		dict->items[dict->count++] = make_text(name);
		dict->items[dict->count++] = make_value(equals + 1);
	}
	dict->room = dict->count;
	return dict;
}

static struct value *
make_namespace(const char *const *fields)
{
	struct value *object = make(VALUE_OBJECT);

	object->call.callable = make_global("argparse", "Namespace");
	object->state = make_dict(fields);
	return object;
}

/* ---- rows --------------------------------------------------------------------------------- */

struct row {
	const char *what;
	const char *fields[12];         /* of args; "-" first: there are none */
	struct arguments_shapes shapes; /* layers 0: the 345M's */
	uint64_t    heads;              /* options */
	const char *vocabulary;
	uint64_t    tokenizer_size;
	int         status;             /* expected */
	const char *slug, *part;        /* of the error: its text holds this */
	const char *decisions[4];       /* "key=value (source)" */
	const char *note;               /* text of one note */
	bool        is_gpt2;
};

#define LARGE { .layers = 24, .hidden = 1024, .ffn = 4096, .positions = 1024, \
	.padded_vocabulary = 50304, .tensor_size = 1 }
/* TINY in an era's names, and with an output layer on the last of so many stages. */
#define OF(era) { .layers = 4, .hidden = 32, .ffn = 128, .positions = 24, \
	.padded_vocabulary = 64, .tensor_size = 1, .pipeline_size = 1, .dialect = DIALECT_##era }
#define WITH_OUTPUT(stages) { .layers = 4, .hidden = 32, .ffn = 128, .positions = 24, \
	.padded_vocabulary = 64, .tensor_size = 1, .pipeline_size = stages, \
	.dialect = DIALECT_CORE, .has_output = true }
#define TINY { .layers = 4, .hidden = 32, .ffn = 128, .positions = 24, \
	.padded_vocabulary = 64, .tensor_size = 2 }
#define TINY_VOCABULARY(rows) { .layers = 4, .hidden = 32, .ffn = 128, .positions = 24, \
	.padded_vocabulary = rows, .tensor_size = 2 }
#define HEADS "num_attention_heads=i4"

static const struct row rows[] = {
	{ .what = "the 345M release", .fields = { "-" }, .shapes = LARGE,
	  .decisions = { "n_head=16 (known model)", "vocab_size=50257 (GPT-2 tokenizer)",
	                 "activation_function=gelu_new (default)", "layer_norm_epsilon=1e-05 (default)" },
	  .note = "47 padding rows of the embedding left out (50304 -> 50257, GPT-2 tokenizer)", .is_gpt2 = true },
	{ .what = "its shapes as decisions", .fields = { "-" }, .shapes = LARGE,
	  .decisions = { "n_layer=24 (tensor shape)", "n_embd=1024 (tensor shape)",
	                 "n_inner=4096 (tensor shape)", "n_positions=1024 (tensor shape)" },
	  .note = "activation gelu_new: assumed, the checkpoint carries no arguments (--activation overrides)", .is_gpt2 = true },
	{ .what = "its defaults", .fields = { "-" }, .shapes = LARGE,
	  .decisions = { "attn_pdrop=0.1 (default)", "resid_pdrop=0.1 (default)",
	                 "embd_pdrop=0.1 (default)", "initializer_range=0.02 (default)" }, .is_gpt2 = true },
	{ .what = "args None", .fields = { NULL }, .shapes = TINY, .status = ERROR_UNSUPPORTED, .slug = "noargs" },
	{ .what = "no args", .fields = { "-" }, .shapes = TINY, .status = ERROR_UNSUPPORTED, .slug = "noargs", .part = "attention heads" },
	{ .what = "heads by option", .fields = { "-" }, .shapes = TINY, .heads = 4,
	  .decisions = { "n_head=4 (option)", "vocab_size=64 (tensor shape)" } },
	{ .what = "heads by args", .fields = { HEADS }, .shapes = TINY, .decisions = { "n_head=4 (args.num_attention_heads)" } },
	{ .what = "heads by both, equal", .fields = { HEADS }, .shapes = TINY, .heads = 4, .decisions = { "n_head=4 (args.num_attention_heads)" } },
	{ .what = "heads by both, not equal", .fields = { HEADS }, .shapes = TINY, .heads = 8, .status = ERROR_USAGE, .slug = "confconflict", .part = "8" },
	{ .what = "heads that do not divide", .fields = { "num_attention_heads=i5" }, .shapes = TINY, .status = ERROR_CORRUPT, .slug = "headsdiv", .part = "hidden_size 32 is not divisible by 5 heads" },
	{ .what = "no heads", .fields = { "num_attention_heads=i0" }, .shapes = TINY, .status = ERROR_CORRUPT, .slug = "headsdiv" },
	{ .what = "negative heads", .fields = { "num_attention_heads=i-4" }, .shapes = TINY, .status = ERROR_CORRUPT, .slug = "args" },
	{ .what = "heads that are text", .fields = { "num_attention_heads=s4" }, .shapes = TINY, .status = ERROR_CORRUPT, .slug = "args", .part = "num_attention_heads" },
	{ .what = "heads that ranks do not divide", .fields = { "num_attention_heads=i1" }, .shapes = TINY, .status = ERROR_CORRUPT, .slug = "headsdiv", .part = "2 tensor parallel ranks" },
	{ .what = "option that does not divide", .fields = { "-" }, .shapes = TINY, .heads = 5, .status = ERROR_USAGE, .slug = "headsdiv" },

	{ .what = "layers differ", .fields = { HEADS, "num_layers=i5" }, .shapes = TINY, .status = ERROR_CORRUPT, .slug = "argsvsshape", .part = "args.num_layers=5 but 4" },
	{ .what = "hidden differs", .fields = { HEADS, "hidden_size=i64" }, .shapes = TINY, .status = ERROR_CORRUPT, .slug = "argsvsshape", .part = "args.hidden_size=64 but 32" },
	{ .what = "ffn differs", .fields = { HEADS, "ffn_hidden_size=i100" }, .shapes = TINY, .status = ERROR_CORRUPT, .slug = "argsvsshape" },
	{ .what = "positions differ", .fields = { HEADS, "max_position_embeddings=i25" }, .shapes = TINY, .status = ERROR_CORRUPT, .slug = "argsvsshape" },
	{ .what = "vocabulary differs", .fields = { HEADS, "padded_vocab_size=i56" }, .shapes = TINY, .status = ERROR_CORRUPT, .slug = "argsvsshape" },
	{ .what = "all sizes agree", .fields = { HEADS, "num_layers=i4", "hidden_size=i32", "ffn_hidden_size=i128", "max_position_embeddings=i24", "padded_vocab_size=i64", "kv_channels=i8", "seq_length=i16" }, .shapes = TINY },
	{ .what = "sizes of None", .fields = { HEADS, "num_layers=N", "ffn_hidden_size=N", "kv_channels=N" }, .shapes = TINY },
	{ .what = "other head size", .fields = { HEADS, "kv_channels=i16" }, .shapes = TINY, .status = ERROR_UNSUPPORTED, .slug = "arch", .part = "kv_channels" },

	{ .what = "epsilon", .fields = { HEADS, "layernorm_epsilon=r1e-6" }, .shapes = TINY, .decisions = { "layer_norm_epsilon=1e-06 (args.layernorm_epsilon)" } },
	{ .what = "epsilon of 2023", .fields = { HEADS, "norm_epsilon=r1e-6" }, .shapes = TINY, .decisions = { "layer_norm_epsilon=1e-06 (args.norm_epsilon)" } },
	{ .what = "epsilon NaN", .fields = { HEADS, "layernorm_epsilon=rnan" }, .shapes = TINY, .status = ERROR_CORRUPT, .slug = "floats", .part = "args.layernorm_epsilon is not finite" },
	{ .what = "epsilon infinite", .fields = { HEADS, "layernorm_epsilon=rinf" }, .shapes = TINY, .status = ERROR_CORRUPT, .slug = "floats" },
	{ .what = "epsilon text", .fields = { HEADS, "layernorm_epsilon=s1e-5" }, .shapes = TINY, .status = ERROR_CORRUPT, .slug = "args" },
	{ .what = "epsilon negative", .fields = { HEADS, "layernorm_epsilon=r-1e-5" }, .shapes = TINY, .status = ERROR_CORRUPT, .slug = "args" },
	{ .what = "dropouts", .fields = { HEADS, "hidden_dropout=r0.0", "attention_dropout=r0.2", "init_method_std=r0.01" }, .shapes = TINY,
	  .decisions = { "resid_pdrop=0.0 (args.hidden_dropout)", "embd_pdrop=0.0 (args.hidden_dropout)", "attn_pdrop=0.2 (args.attention_dropout)", "initializer_range=0.01 (args.init_method_std)" } },
	{ .what = "dropout whole", .fields = { HEADS, "hidden_dropout=i0" }, .shapes = TINY, .decisions = { "resid_pdrop=0.0 (args.hidden_dropout)" } },
	{ .what = "dropout NaN", .fields = { HEADS, "hidden_dropout=rnan" }, .shapes = TINY, .status = ERROR_CORRUPT, .slug = "floats" },
	{ .what = "dropout above 1", .fields = { HEADS, "attention_dropout=r1.5" }, .shapes = TINY, .status = ERROR_CORRUPT, .slug = "args" },

	{ .what = "args before openai_gelu", .fields = { HEADS }, .shapes = TINY, .decisions = { "activation_function=gelu_new (default)" }, .note = "activation gelu_new: assumed, the checkpoint carries no arguments that name one (--activation overrides)" },
	{ .what = "openai", .fields = { HEADS, "openai_gelu=T" }, .shapes = TINY, .decisions = { "activation_function=gelu_new (args.openai_gelu)" } },
	{ .what = "not openai", .fields = { HEADS, "openai_gelu=F" }, .shapes = TINY, .decisions = { "activation_function=gelu (args.openai_gelu)" } },
	{ .what = "fusion", .fields = { HEADS, "openai_gelu=F", "bias_gelu_fusion=T" }, .shapes = TINY, .decisions = { "activation_function=gelu_new (args.bias_gelu_fusion)" } },
	{ .what = "no fusion, openai", .fields = { HEADS, "openai_gelu=T", "bias_gelu_fusion=F" }, .shapes = TINY, .decisions = { "activation_function=gelu_new (args.openai_gelu)" } },
	{ .what = "neither", .fields = { HEADS, "openai_gelu=F", "bias_gelu_fusion=F", "onnx_safe=T" }, .shapes = TINY, .decisions = { "activation_function=gelu (args.openai_gelu)" } },
	{ .what = "fusion and onnx_safe", .fields = { HEADS, "openai_gelu=F", "bias_gelu_fusion=T", "onnx_safe=T" }, .shapes = TINY, .decisions = { "activation_function=gelu_new (args.bias_gelu_fusion)" } },

	{ .what = "GPT-2 rows on two ranks", .fields = { "-" }, .shapes = TINY_VOCABULARY(50432), .heads = 4, .decisions = { "vocab_size=50257 (GPT-2 tokenizer)" }, .note = "175 padding rows of the embedding left out (50432 -> 50257, GPT-2 tokenizer)", .is_gpt2 = true },
	{ .what = "GPT-2 rows on four", .fields = { "-" }, .shapes = TINY_VOCABULARY(50688), .heads = 4, .decisions = { "vocab_size=50257 (GPT-2 tokenizer)" }, .is_gpt2 = true },
	{ .what = "GPT-2 rows on eight", .fields = { "-" }, .shapes = TINY_VOCABULARY(51200), .heads = 4, .decisions = { "vocab_size=50257 (GPT-2 tokenizer)" }, .is_gpt2 = true },
	{ .what = "GPT-2 rows unpadded", .fields = { "-" }, .shapes = TINY_VOCABULARY(50257), .heads = 4, .decisions = { "vocab_size=50257 (tensor shape)" }, .is_gpt2 = true },
	{ .what = "one row more", .fields = { "-" }, .shapes = TINY_VOCABULARY(50305), .heads = 4, .decisions = { "vocab_size=50305 (tensor shape)" } },
	{ .what = "GPT-2 tokenizer by args", .fields = { HEADS, "tokenizer_type=sGPT2BPETokenizer", "make_vocab_size_divisible_by=i128" }, .shapes = TINY_VOCABULARY(50304), .decisions = { "vocab_size=50257 (GPT-2 tokenizer)" }, .is_gpt2 = true },
	{ .what = "padded to 8", .fields = { HEADS, "tokenizer_type=sGPT2BPETokenizer", "make_vocab_size_divisible_by=i8" }, .shapes = TINY_VOCABULARY(50264), .decisions = { "vocab_size=50257 (GPT-2 tokenizer)" }, .is_gpt2 = true },
	{ .what = "padded to 0", .fields = { HEADS, "tokenizer_type=sGPT2BPETokenizer", "make_vocab_size_divisible_by=i0" }, .shapes = TINY_VOCABULARY(50304), .decisions = { "vocab_size=50304 (tensor shape)" } },
	{ .what = "padded to 2^62", .fields = { HEADS, "tokenizer_type=sGPT2BPETokenizer", "make_vocab_size_divisible_by=i4611686018427387904" }, .shapes = TINY_VOCABULARY(50304), .decisions = { "vocab_size=50304 (tensor shape)" } },
	{ .what = "another tokenizer", .fields = { HEADS, "tokenizer_type=sBertWordPieceCase" }, .shapes = TINY_VOCABULARY(50304), .decisions = { "vocab_size=50304 (tensor shape)" }, .note = "all 50304 rows of the embedding kept: how many of them are padding is not known" },
	{ .what = "tokenizer that was found", .fields = { HEADS }, .shapes = TINY, .tokenizer_size = 51, .decisions = { "vocab_size=51 (tokenizer)" }, .note = "13 padding rows of the embedding left out (64 -> 51, the tokenizer's size)" },
	{ .what = "tokenizer too large", .fields = { HEADS }, .shapes = TINY, .tokenizer_size = 65, .decisions = { "vocab_size=64 (tensor shape)" } },
	{ .what = "tokenizer padded for four ranks", .fields = { HEADS, "make_vocab_size_divisible_by=i16" }, .shapes = TINY, .tokenizer_size = 51, .decisions = { "vocab_size=51 (tokenizer)" } },
	{ .what = "tokenizer not padded to these rows", .fields = { HEADS, "make_vocab_size_divisible_by=i24" }, .shapes = TINY, .tokenizer_size = 31, .decisions = { "vocab_size=64 (tensor shape)" } },
	{ .what = "tokenizer of another model", .fields = { "-" }, .shapes = LARGE, .tokenizer_size = 30000, .decisions = { "vocab_size=50257 (GPT-2 tokenizer)" }, .is_gpt2 = true },
	{ .what = "GPT-2's tokenizer found", .fields = { "-" }, .shapes = LARGE, .tokenizer_size = 50257, .decisions = { "vocab_size=50257 (tokenizer)" }, .is_gpt2 = true },
	{ .what = "orig_vocab_size", .fields = { HEADS, "orig_vocab_size=i50" }, .shapes = TINY, .tokenizer_size = 51, .decisions = { "vocab_size=50 (args.orig_vocab_size)" } },
	{ .what = "orig_vocab_size too large", .fields = { HEADS, "orig_vocab_size=i65" }, .shapes = TINY, .status = ERROR_CORRUPT, .slug = "vocabpad" },
	{ .what = "option padded", .fields = { "-" }, .shapes = LARGE, .vocabulary = "padded", .decisions = { "vocab_size=50304 (option)" } },
	{ .what = "option auto", .fields = { "-" }, .shapes = LARGE, .vocabulary = "auto", .decisions = { "vocab_size=50257 (GPT-2 tokenizer)" }, .is_gpt2 = true },
	{ .what = "option number", .fields = { HEADS }, .shapes = TINY, .vocabulary = "51", .decisions = { "vocab_size=51 (option)" } },
	{ .what = "option GPT-2", .fields = { HEADS, "tokenizer_type=sother" }, .shapes = TINY_VOCABULARY(60000), .vocabulary = "50257", .decisions = { "vocab_size=50257 (option)" }, .is_gpt2 = true },
	{ .what = "option of all rows", .fields = { HEADS }, .shapes = TINY, .vocabulary = "64", .decisions = { "vocab_size=64 (option)" } },
	{ .what = "option above rows", .fields = { HEADS }, .shapes = TINY, .vocabulary = "65", .status = ERROR_USAGE, .slug = "vocabpad", .part = "64" },
	{ .what = "option 0", .fields = { HEADS }, .shapes = TINY, .vocabulary = "0", .status = ERROR_USAGE, .slug = "usage" },
	{ .what = "option word", .fields = { HEADS }, .shapes = TINY, .vocabulary = "all", .status = ERROR_USAGE, .slug = "usage" },

	{ .what = "post norm", .fields = { HEADS, "apply_residual_connection_post_layernorm=T" }, .shapes = TINY, .status = ERROR_UNSUPPORTED, .slug = "arch", .part = "args.apply_residual_connection_post_layernorm=True" },
	{ .what = "rope", .fields = { HEADS, "position_embedding_type=srope" }, .shapes = TINY, .status = ERROR_UNSUPPORTED, .slug = "arch", .part = "position_embedding_type=rope: not a GPT-2 architecture" },
	{ .what = "rotary enum", .fields = { HEADS, "position_embedding_type=erotary" }, .shapes = TINY, .status = ERROR_UNSUPPORTED, .slug = "arch", .part = "position_embedding_type=rotary" },
	{ .what = "absolute enum", .fields = { HEADS, "position_embedding_type=eabsolute" }, .shapes = TINY },
	{ .what = "absolute enum by number", .fields = { HEADS, "position_embedding_type=c2" }, .shapes = TINY },
	{ .what = "alibi enum by number", .fields = { HEADS, "position_embedding_type=c3" }, .shapes = TINY, .status = ERROR_UNSUPPORTED, .slug = "arch" },
	{ .what = "learned positions", .fields = { HEADS, "position_embedding_type=slearned_absolute", "add_position_embedding=T", "use_rotary_position_embeddings=F" }, .shapes = TINY },
	{ .what = "no positions", .fields = { HEADS, "add_position_embedding=F" }, .shapes = TINY, .status = ERROR_UNSUPPORTED, .slug = "arch" },
	{ .what = "rotary flag", .fields = { HEADS, "use_rotary_position_embeddings=T" }, .shapes = TINY, .status = ERROR_UNSUPPORTED, .slug = "arch" },
	{ .what = "RMSNorm", .fields = { HEADS, "normalization=sRMSNorm" }, .shapes = TINY, .status = ERROR_UNSUPPORTED, .slug = "arch" },
	{ .what = "LayerNorm", .fields = { HEADS, "normalization=sLayerNorm" }, .shapes = TINY },
	{ .what = "query groups off", .fields = { HEADS, "group_query_attention=F", "num_query_groups=i1" }, .shapes = TINY },
	{ .what = "query groups", .fields = { HEADS, "group_query_attention=T", "num_query_groups=i1" }, .shapes = TINY, .status = ERROR_UNSUPPORTED, .slug = "arch", .part = "grouped" },
	{ .what = "a group for each", .fields = { HEADS, "group_query_attention=T", "num_query_groups=i4" }, .shapes = TINY },
	{ .what = "multi-query", .fields = { HEADS, "attention_head_type=smultiquery" }, .shapes = TINY, .status = ERROR_UNSUPPORTED, .slug = "arch" },
	{ .what = "swiglu", .fields = { HEADS, "swiglu=T" }, .shapes = TINY, .status = ERROR_UNSUPPORTED, .slug = "act", .part = "args.swiglu=True" },
	{ .what = "squared relu", .fields = { HEADS, "squared_relu=T" }, .shapes = TINY, .decisions = { "activation_function=relu2 (args.squared_relu)" } },
	{ .what = "experts", .fields = { HEADS, "num_experts=i8" }, .shapes = TINY, .status = ERROR_UNSUPPORTED, .slug = "arch" },
	{ .what = "experts in a list", .fields = { HEADS, "num_experts=li8" }, .shapes = TINY, .status = ERROR_UNSUPPORTED, .slug = "arch" },
	{ .what = "one expert in a list", .fields = { HEADS, "num_experts=li1" }, .shapes = TINY },
	{ .what = "no experts", .fields = { HEADS, "num_experts=N" }, .shapes = TINY },
	{ .what = "norms less 1", .fields = { HEADS, "apply_layernorm_1p=T" }, .shapes = TINY, .decisions = { "norm_weights=stored less 1 (args.apply_layernorm_1p)" } },
	{ .what = "norms less 1, 2026", .fields = { HEADS, "layernorm_zero_centered_gamma=T" }, .shapes = TINY, .decisions = { "norm_weights=stored less 1 (args.layernorm_zero_centered_gamma)" } },
	{ .what = "untied, no output layer", .fields = { HEADS, "untie_embeddings_and_output_weights=T" }, .shapes = TINY, .status = ERROR_CORRUPT, .slug = "missingkey" },
	{ .what = "no biases", .fields = { HEADS, "add_bias_linear=F" }, .shapes = TINY },
	{ .what = "model type", .fields = { HEADS, "model_type=eencoder_or_decoder" }, .shapes = TINY },
	{ .what = "model type by number", .fields = { HEADS, "model_type=c1" }, .shapes = TINY },
	{ .what = "T5 by model type", .fields = { HEADS, "model_type=c2" }, .shapes = TINY, .status = ERROR_UNSUPPORTED, .slug = "arch" },
	{ .what = "harmless fields", .fields = { HEADS, "apply_query_key_layer_scaling=T", "attention_softmax_in_fp32=T", "fp16=T", "params_dtype=x", "bias_dropout_fusion=T", "unknown_field=x", "swiglu=F", "glu_activation=N", "spec=N" }, .shapes = TINY },

	{ .what = "embed_layernorm", .fields = { HEADS, "embed_layernorm=T" }, .shapes = TINY, .status = ERROR_UNSUPPORTED, .slug = "arch", .part = "args.embed_layernorm=" },
	{ .what = "qk_layernorm", .fields = { HEADS, "qk_layernorm=T" }, .shapes = TINY, .status = ERROR_UNSUPPORTED, .slug = "arch", .part = "args.qk_layernorm=" },
	{ .what = "qk_l2_norm", .fields = { HEADS, "qk_l2_norm=T" }, .shapes = TINY, .status = ERROR_UNSUPPORTED, .slug = "arch", .part = "args.qk_l2_norm=" },
	{ .what = "multi_latent_attention", .fields = { HEADS, "multi_latent_attention=T" }, .shapes = TINY, .status = ERROR_UNSUPPORTED, .slug = "arch", .part = "args.multi_latent_attention=" },
	{ .what = "attention_output_gate", .fields = { HEADS, "attention_output_gate=T" }, .shapes = TINY, .status = ERROR_UNSUPPORTED, .slug = "arch", .part = "args.attention_output_gate=" },
	{ .what = "experimental_attention_variant", .fields = { HEADS, "experimental_attention_variant=sgated_delta_net" }, .shapes = TINY, .status = ERROR_UNSUPPORTED, .slug = "arch", .part = "args.experimental_attention_variant=" },
	{ .what = "linear_attention_freq", .fields = { HEADS, "linear_attention_freq=i4" }, .shapes = TINY, .status = ERROR_UNSUPPORTED, .slug = "arch", .part = "args.linear_attention_freq=" },
	{ .what = "softmax_scale", .fields = { HEADS, "softmax_scale=r0.5" }, .shapes = TINY, .status = ERROR_UNSUPPORTED, .slug = "arch", .part = "args.softmax_scale=" },
	{ .what = "softmax_type", .fields = { HEADS, "softmax_type=soff-by-one" }, .shapes = TINY, .status = ERROR_UNSUPPORTED, .slug = "arch", .part = "args.softmax_type=" },
	{ .what = "window_size", .fields = { HEADS, "window_size=i128" }, .shapes = TINY, .status = ERROR_UNSUPPORTED, .slug = "arch", .part = "args.window_size=" },
	{ .what = "use_swiglu", .fields = { HEADS, "use_swiglu=T" }, .shapes = TINY, .status = ERROR_UNSUPPORTED, .slug = "act", .part = "args.use_swiglu=" },
	{ .what = "geglu", .fields = { HEADS, "geglu=T" }, .shapes = TINY, .status = ERROR_UNSUPPORTED, .slug = "act", .part = "args.geglu=" },
	{ .what = "quick_geglu", .fields = { HEADS, "quick_geglu=T" }, .shapes = TINY, .status = ERROR_UNSUPPORTED, .slug = "act", .part = "args.quick_geglu=" },
	{ .what = "glu_activation", .fields = { HEADS, "glu_activation=sgeglu" }, .shapes = TINY, .status = ERROR_UNSUPPORTED, .slug = "act", .part = "args.glu_activation=" },
	{ .what = "glu_linear_offset", .fields = { HEADS, "glu_linear_offset=r1.0" }, .shapes = TINY, .status = ERROR_UNSUPPORTED, .slug = "act", .part = "args.glu_linear_offset=" },
	{ .what = "activation_func_clamp_value", .fields = { HEADS, "activation_func_clamp_value=r7.0" }, .shapes = TINY, .status = ERROR_UNSUPPORTED, .slug = "act", .part = "args.activation_func_clamp_value=" },
	{ .what = "expert_model_parallel_size", .fields = { HEADS, "expert_model_parallel_size=i2" }, .shapes = TINY, .status = ERROR_UNSUPPORTED, .slug = "arch", .part = "args.expert_model_parallel_size=" },
	{ .what = "num_tokentypes", .fields = { HEADS, "num_tokentypes=i2" }, .shapes = TINY, .status = ERROR_UNSUPPORTED, .slug = "arch", .part = "args.num_tokentypes=" },
	{ .what = "decoder_num_layers", .fields = { HEADS, "decoder_num_layers=i4" }, .shapes = TINY, .status = ERROR_UNSUPPORTED, .slug = "arch", .part = "args.decoder_num_layers=" },
	{ .what = "retro_add_retriever", .fields = { HEADS, "retro_add_retriever=T" }, .shapes = TINY, .status = ERROR_UNSUPPORTED, .slug = "arch", .part = "args.retro_add_retriever=" },
	{ .what = "is_hybrid_model", .fields = { HEADS, "is_hybrid_model=T" }, .shapes = TINY, .status = ERROR_UNSUPPORTED, .slug = "arch", .part = "args.is_hybrid_model=" },
	{ .what = "hybrid_attention_ratio", .fields = { HEADS, "hybrid_attention_ratio=r0.1" }, .shapes = TINY, .status = ERROR_UNSUPPORTED, .slug = "arch", .part = "args.hybrid_attention_ratio=" },
	{ .what = "hybrid_mlp_ratio", .fields = { HEADS, "hybrid_mlp_ratio=r0.1" }, .shapes = TINY, .status = ERROR_UNSUPPORTED, .slug = "arch", .part = "args.hybrid_mlp_ratio=" },
	{ .what = "hybrid_layer_pattern", .fields = { HEADS, "hybrid_layer_pattern=sM*M" }, .shapes = TINY, .status = ERROR_UNSUPPORTED, .slug = "arch", .part = "args.hybrid_layer_pattern=" },
	{ .what = "hybrid_override_pattern", .fields = { HEADS, "hybrid_override_pattern=sM*M" }, .shapes = TINY, .status = ERROR_UNSUPPORTED, .slug = "arch", .part = "args.hybrid_override_pattern=" },
	{ .what = "heterogeneous_layers_config_path", .fields = { HEADS, "heterogeneous_layers_config_path=sa.json" }, .shapes = TINY, .status = ERROR_UNSUPPORTED, .slug = "arch", .part = "args.heterogeneous_layers_config_path=" },
	{ .what = "heterogeneous_layers_config_encoded_json", .fields = { HEADS, "heterogeneous_layers_config_encoded_json=s{}" }, .shapes = TINY, .status = ERROR_UNSUPPORTED, .slug = "arch", .part = "args.heterogeneous_layers_config_encoded_json=" },
	{ .what = "spec", .fields = { HEADS, "spec=li1" }, .shapes = TINY, .status = ERROR_UNSUPPORTED, .slug = "arch", .part = "args.spec=" },
	{ .what = "use_mup", .fields = { HEADS, "use_mup=T" }, .shapes = TINY, .status = ERROR_UNSUPPORTED, .slug = "arch", .part = "args.use_mup=" },
	{ .what = "kv_channels", .fields = { HEADS, "kv_channels=i16" }, .shapes = TINY, .status = ERROR_UNSUPPORTED, .slug = "arch", .part = "args.kv_channels=" },

	{ .what = "v1.0, erf", .fields = { HEADS, "openai_gelu=F" }, .shapes = OF(NESTED_TRANSFORMER), .decisions = { "activation_function=gelu (args.openai_gelu)" } },
	{ .what = "v2.5, fusion before onnx_safe", .fields = { HEADS, "openai_gelu=F", "bias_gelu_fusion=T", "onnx_safe=T" }, .shapes = OF(NESTED_ENCODER), .decisions = { "activation_function=gelu_new (args.bias_gelu_fusion)" } },
	{ .what = "23.04, onnx_safe before fusion", .fields = { HEADS, "openai_gelu=F", "bias_gelu_fusion=T", "onnx_safe=T", "swiglu=F" }, .shapes = OF(NESTED_ENCODER), .decisions = { "activation_function=gelu (args.onnx_safe)" } },
	{ .what = "23.04, openai_gelu before all", .fields = { HEADS, "openai_gelu=T", "onnx_safe=T", "squared_relu=T" }, .shapes = OF(NESTED_NORM), .decisions = { "activation_function=gelu_new (args.openai_gelu)" } },
	{ .what = "23.04, squared ReLU before fusion", .fields = { HEADS, "openai_gelu=F", "bias_gelu_fusion=T", "squared_relu=T" }, .shapes = OF(NESTED_NORM), .decisions = { "activation_function=relu2 (args.squared_relu)" } },
	{ .what = "Transformer Engine heeds no flag", .fields = { HEADS, "openai_gelu=F", "bias_gelu_fusion=F", "swiglu=F" }, .shapes = OF(NESTED_TE), .decisions = { "activation_function=gelu_new (layers of Transformer Engine)" } },
	{ .what = "core heeds no openai_gelu", .fields = { HEADS, "openai_gelu=T", "bias_gelu_fusion=F", "swiglu=F" }, .shapes = OF(CORE), .decisions = { "activation_function=gelu (args.bias_gelu_fusion)" } },
	{ .what = "core, fusion", .fields = { HEADS, "openai_gelu=F", "onnx_safe=T", "bias_gelu_fusion=T" }, .shapes = OF(CORE), .decisions = { "activation_function=gelu_new (args.bias_gelu_fusion)" } },
	{ .what = "core, no fusion without biases", .fields = { HEADS, "bias_gelu_fusion=T", "add_bias_linear=F" }, .shapes = OF(CORE), .decisions = { "activation_function=gelu (args.add_bias_linear)" } },
	{ .what = "core, function of Transformer Engine", .fields = { HEADS, "use_te_activation_func=T", "bias_gelu_fusion=F" }, .shapes = OF(CORE), .decisions = { "activation_function=gelu_new (args.use_te_activation_func)" } },

	{ .what = "untied", .fields = { HEADS, "untie_embeddings_and_output_weights=T" }, .shapes = WITH_OUTPUT(1), .decisions = { "tie_word_embeddings=false (args.untie_embeddings_and_output_weights)" } },
	{ .what = "tied, with a copy", .fields = { HEADS, "untie_embeddings_and_output_weights=F" }, .shapes = WITH_OUTPUT(2), .decisions = { "tie_word_embeddings=true (args.untie_embeddings_and_output_weights)" } },
	{ .what = "an output layer on one stage is its own", .fields = { HEADS }, .shapes = WITH_OUTPUT(1), .decisions = { "tie_word_embeddings=false (output layer)" } },
	{ .what = "on the last of two it may be a copy", .fields = { HEADS }, .shapes = WITH_OUTPUT(2), .decisions = { "tie_word_embeddings=true (output layer)" } },
	{ .what = "NullTokenizer", .fields = { HEADS, "tokenizer_type=sNullTokenizer", "vocab_size=i50" }, .shapes = TINY, .decisions = { "vocab_size=51 (args.vocab_size)" } },
	{ .what = "NullTokenizer, no row to spare", .fields = { HEADS, "tokenizer_type=sNullTokenizer", "vocab_size=i64" }, .shapes = TINY, .decisions = { "vocab_size=64 (args.vocab_size)" } },
	{ .what = "NullTokenizer without a size", .fields = { HEADS, "tokenizer_type=sNullTokenizer" }, .shapes = TINY, .decisions = { "vocab_size=64 (tensor shape)" } },
	{ .what = "NullTokenizer of nothing", .fields = { HEADS, "tokenizer_type=sNullTokenizer", "vocab_size=i0" }, .shapes = TINY, .decisions = { "vocab_size=64 (tensor shape)" } },
	{ .what = "NullTokenizer of more than there are", .fields = { HEADS, "tokenizer_type=sNullTokenizer", "vocab_size=i65" }, .shapes = TINY, .decisions = { "vocab_size=64 (tensor shape)" } },
	{ .what = "NullTokenizer of a text", .fields = { HEADS, "tokenizer_type=sNullTokenizer", "vocab_size=s50" }, .shapes = TINY, .status = ERROR_CORRUPT, .slug = "args", .part = "args.vocab_size" },
	{ .what = "divisor that is a text", .fields = { HEADS, "make_vocab_size_divisible_by=s128" }, .shapes = TINY, .status = ERROR_CORRUPT, .slug = "args", .part = "args.make_vocab_size_divisible_by" },
	{ .what = "divisor 0", .fields = { HEADS, "tokenizer_type=sGPT2BPETokenizer", "make_vocab_size_divisible_by=i0" }, .shapes = TINY_VOCABULARY(50304), .decisions = { "vocab_size=50304 (tensor shape)" } },
	{ .what = "divisor of 63 bits", .fields = { HEADS, "tokenizer_type=sGPT2BPETokenizer", "make_vocab_size_divisible_by=i9223372036854775807" }, .shapes = TINY_VOCABULARY(50304), .decisions = { "vocab_size=50304 (tensor shape)" } },
	{ .what = "original size is a text", .fields = { HEADS, "orig_vocab_size=s50" }, .shapes = TINY, .status = ERROR_CORRUPT, .slug = "args", .part = "args.orig_vocab_size" },
	{ .what = "original size 0", .fields = { HEADS, "orig_vocab_size=i0" }, .shapes = TINY, .status = ERROR_CORRUPT, .slug = "vocabpad", .part = "args.orig_vocab_size=0" },
	{ .what = "original size above the rows", .fields = { HEADS, "orig_vocab_size=i65" }, .shapes = TINY, .status = ERROR_CORRUPT, .slug = "vocabpad", .part = "args.orig_vocab_size=65" },
	{ .what = "one row of padding", .fields = { HEADS, "orig_vocab_size=i63" }, .shapes = TINY, .decisions = { "vocab_size=63 (args.orig_vocab_size)" },
	  .note = "1 padding row of the embedding left out (64 -> 63, args.orig_vocab_size)" },
	{ .what = "layers that are a text", .fields = { HEADS, "num_layers=s4" }, .shapes = TINY, .status = ERROR_CORRUPT, .slug = "args", .part = "args.num_layers" },
	{ .what = "fusion off, nothing else said", .fields = { HEADS, "bias_gelu_fusion=F" }, .shapes = OF(NESTED_TRANSFORMER), .decisions = { "activation_function=gelu (args.bias_gelu_fusion)" } },
	{ .what = "vocab_size of another tokenizer", .fields = { HEADS, "tokenizer_type=sSentencePieceTokenizer", "vocab_size=i50" }, .shapes = TINY, .decisions = { "vocab_size=64 (tensor shape)" } },
};

static void
check_decision(const struct row *row, const struct decision_log *log, const char *expected)
{
	char   line[160];
	size_t index;

	for (index = 0; index < log->decision_count; index++) {
		snprintf(line, sizeof line, "%s=%s (%s)", log->decisions[index].key,
			log->decisions[index].value, log->decisions[index].source);
		if (strcmp(line, expected) == 0)
			break;
	}
	CHECK(index < log->decision_count, "%s: no decision %s", row->what, expected);
}

static void
check_row(const struct row *row)
{
	struct model_options options = { .attention_heads = row->heads,
		.vocabulary = row->vocabulary, .tokenizer_size = row->tokenizer_size };
	struct value        *args = row->fields[0] == NULL ? make(VALUE_NONE) : NULL;
	struct decision_log  log;
	struct arguments     arguments;
	struct error         err = { 0 };
	size_t               index;
	bool                 done;

	if (row->fields[0] != NULL && row->fields[0][0] != '-')
		args = make_namespace(row->fields);
	decision_log_init(&log);
	done = arguments_read(&arguments, &row->shapes, args, &options, &log, &err);
	CHECK(done == (row->status == 0), "%s: %s", row->what, err.text);
	if (!done) {
		CHECK((int)err.kind == row->status, "%s: status %d", row->what, (int)err.kind);
		CHECK_TEXT(err.slug, row->slug != NULL ? row->slug : "", "%s", row->what);
		CHECK(row->part == NULL || strstr(err.text, row->part) != NULL, "%s: %s", row->what,
			err.text);
	} else {
		CHECK(arguments.is_gpt2_vocabulary == row->is_gpt2, "%s: is_gpt2", row->what);
		CHECK(arguments.has_args == (args != NULL && args->kind != VALUE_NONE), "%s",
			row->what);
		for (index = 0; index < 4 && row->decisions[index] != NULL; index++)
			check_decision(row, &log, row->decisions[index]);
		for (index = 0; index < log.note_count; index++)
			if (row->note != NULL && strcmp(log.notes[index].text, row->note) == 0)
				break;
		CHECK(row->note == NULL || index < log.note_count, "%s: note", row->what);
	}
	decision_log_fini(&log);
}

/* What may stand under 'args'. */
static void
check_holders(void)
{
	static const char *const  fields[] = { HEADS, NULL }, *const twice[] = { HEADS, HEADS, NULL };
	const struct arguments_shapes shapes = TINY;
	const struct model_options    options = { 0 };
	struct value *simple = make_call(make_global("types", "SimpleNamespace"), NULL, NULL);
	struct value *thing = make_value("x"), *doubled = make_namespace(twice);
	const struct {
		const char         *what;
		const struct value *args;
		int                 status;
	} holders[] = {
		{ "dict", make_dict(fields), 0 },
		{ "SimpleNamespace", simple, 0 },
		{ "foreign class", thing, ERROR_UNSUPPORTED },
		{ "text", make_text("args"), ERROR_UNSUPPORTED },
		{ "a key twice", doubled, ERROR_UNSAFE },
	};
	size_t index;

	simple->call.arguments->count = 0;
	simple->state = make_dict(fields);
	thing->state = make_dict(fields);
	for (index = 0; index < sizeof holders / sizeof *holders; index++) {
		struct decision_log log;
		struct arguments    arguments;
		struct error        err = { 0 };

		decision_log_init(&log);
		arguments_read(&arguments, &shapes, holders[index].args, &options, &log, &err);
		CHECK((int)err.kind == holders[index].status, "%s: %s", holders[index].what,
			err.text);
		decision_log_fini(&log);
	}
}

static void
check_activation_option(void)
{
	static const char *const heads[] = { HEADS, NULL };
	const struct arguments_shapes shapes = TINY;
	const struct model_options    options = { .activation = "swish" };
	struct decision_log           log;
	struct arguments              arguments;
	struct error                  err = { 0 };

	decision_log_init(&log);
	CHECK(!arguments_read(&arguments, &shapes, make_namespace(heads), &options, &log, &err)
		&& err.kind == ERROR_USAGE && strstr(err.text, "--activation swish") != NULL, "%s",
		err.text);
	decision_log_fini(&log);
}

/* What Python's bool() and str() say of these values. */
static void
check_words(void)
{
	struct value *bytes = make(VALUE_BYTES), *none = make_dict((const char *const[]){ NULL });
	struct value *pair = make_call(make_global("builtins", "getattr"), make_text("Kind"), make_text("a"));
	struct value *bare = make(VALUE_CALL), *of_list = make_value("c1"), *three = make_value("e1");
	const struct {
		const char         *what;
		const struct value *value;
		bool                truth;
		const char         *word;       /* NULL: as value_describe() has it */
	} values[] = {
		{ "None", make_value("N"), false, "None" },
		{ "True", make_value("T"), true, "True" },
		{ "False", make_value("F"), false, "False" },
		{ "0", make_value("i0"), false, "0" },
		{ "-1", make_value("i-1"), true, "-1" },
		{ "0.0", make_value("r0"), false, "0.0" },
		{ "1e-05", make_value("r1e-5"), true, "1e-05" },
		{ "empty text", make_text(""), false, "" },
		{ "text", make_text("rope"), true, "rope" },
		{ "empty bytes", bytes, false, NULL },
		{ "empty tuple", make(VALUE_TUPLE), false, NULL },
		{ "empty list", make(VALUE_LIST), false, NULL },
		{ "list", make_value("li0"), true, NULL },
		{ "empty dict", none, false, NULL },
		{ "empty set", make(VALUE_SET), false, NULL },
		{ "object", make_value("x"), true, NULL },
		{ "global", make_global("torch", "float16"), true, "float16" },
		{ "member by name", make_value("erope"), true, "rope" },
		{ "member by number", make_value("c2"), true, "2" },
		{ "member of a text", pair, true, "a" },
		{ "call of nothing", bare, true, NULL },
		{ "call of a list", of_list, true, NULL },
		{ "getattr of one", three, true, NULL },
	};
	char word[96], described[96];

	bytes->text.bytes = "";
	bare->call.callable = make_global("other", "thing");
	of_list->call.arguments->items[0] = make_value("li1");
	three->call.arguments->count = 1;
	for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
		CHECK(argument_truth(values[i].value) == values[i].truth, "%s: truth", values[i].what);
		CHECK_TEXT(argument_word(values[i].value, word, sizeof word), values[i].word != NULL
			? values[i].word : value_describe(values[i].value, described, sizeof described),
			"%s", values[i].what);
	}
	CHECK(!argument_truth(NULL), "nothing");
}

/* copyreg._reconstructor(class, object, None), of protocols 0 and 1. */
static void
check_reconstructed(void)
{
	struct value       *plain = make_call(make_global("copyreg", "_reconstructor"),
		make_global("argparse", "Namespace"), make_value("N"));
	struct value       *foreign = make_call(make_global("copyreg", "_reconstructor"),
		make_global("other", "Thing"), make_value("N"));
	struct value       *empty = make_call(make_global("copyreg", "_reconstructor"),
		make_value("N"), NULL);
	struct value       *bare = make(VALUE_CALL);
	const struct value *args;
	struct error        err = { 0 };

	empty->call.arguments->count = 0;
	bare->call.callable = make_global("copyreg", "_reconstructor");
	CHECK(argument_holder(plain, &args, &err) && args == plain, "Namespace");
	CHECK(!argument_holder(foreign, &args, &err) && err.kind == ERROR_UNSUPPORTED, "foreign");
	CHECK(!argument_holder(empty, &args, &err) && err.kind == ERROR_UNSUPPORTED, "of nothing");
	CHECK(!argument_holder(bare, &args, &err) && err.kind == ERROR_UNSUPPORTED, "no arguments");
	CHECK(argument_holder(make_value("N"), &args, &err) && args == NULL, "None");
	CHECK(argument_holder(NULL, &args, &err) && args == NULL, "nothing");
}

/* What makes it another model, beside what fixtures/eras has. */
static void
check_refusals(void)
{
	static const struct {
		const char *fields[4];
		int         status;
		const char *part;
	} rows_of[] = {
		{ { "num_experts=li1" }, 0, "" },
		{ { "num_experts=li2" }, ERROR_UNSUPPORTED, "mixture of experts" },
		{ { "num_experts=ls1" }, ERROR_UNSUPPORTED, "mixture of experts" },
		{ { "num_experts=s1" }, ERROR_UNSUPPORTED, "mixture of experts" },
		{ { "num_experts=i1" }, 0, "" },
		{ { "group_query_attention=T", HEADS, "num_query_groups=i4" }, 0, "" },
		{ { "group_query_attention=T", HEADS, "num_query_groups=i2" }, ERROR_UNSUPPORTED, "grouped query attention" },
		{ { "group_query_attention=T", "num_attention_heads=s4" }, ERROR_CORRUPT, "args.num_attention_heads" },
		{ { "group_query_attention=T", HEADS, "num_query_groups=s4" }, ERROR_CORRUPT, "args.num_query_groups" },
		{ { "group_query_attention=F", HEADS, "num_query_groups=i1" }, 0, "" },
		{ { "softmax_type=svanilla" }, 0, "" },
		{ { "softmax_type=soff-by-one" }, ERROR_UNSUPPORTED, "args.softmax_type=off-by-one" },
		{ { "position_embedding_type=c2" }, 0, "" },
		{ { "position_embedding_type=c1" }, ERROR_UNSUPPORTED, "args.position_embedding_type=1" },
	};
	struct error err = { 0 };

	for (size_t i = 0; i < sizeof rows_of / sizeof *rows_of; i++) {
		err = (struct error){ 0 };
		argument_refusals_check(make_namespace(rows_of[i].fields), &err);
		CHECK((int)err.kind == rows_of[i].status && strstr(err.text, rows_of[i].part) != NULL,
			"%s: %s", rows_of[i].fields[0], err.text);
	}
	CHECK(!argument_refusals_head_size(make_dict((const char *const[]){ "kv_channels=s8", NULL }),
		32, 4, &err) && err.kind == ERROR_CORRUPT, "kv_channels: %s", err.text);
	CHECK(argument_refusals_head_size(make_dict((const char *const[]){ "kv_channels=i9", NULL }),
		32, 5, &err), "heads that do not divide are another fault");
}

/* A config.json beside args: it fills, or it must agree. */
static void
check_given(void)
{
	static const char *const heads[] = { HEADS, NULL };
	static const char *const untied[] = { HEADS, "untie_embeddings_and_output_weights=T", NULL };
	static const char *const tied[] = { HEADS, "untie_embeddings_and_output_weights=F", NULL };
	static const char *const said[] = { HEADS, "norm_epsilon=r1e-6", "openai_gelu=F", NULL };
	const struct arguments_given nothing = { 0, 0, 0, 0, 0, 0, -1, -1, -1, -1, -1, NULL, -1 };
	struct arguments_given rows_of[15];
	const struct {
		const char        *what;
		const char *const *fields;
		int                status;
		const char        *part;
	} given_rows[] = {
		{ "heads", NULL, 0, "n_head=8 (config)" },
		{ "heads against args", heads, ERROR_CORRUPT, "n_head 8, but the checkpoint has 4" },
		{ "layers", heads, ERROR_CORRUPT, "n_layer 5, but the checkpoint has 4" },
		{ "rows", heads, 0, "vocab_size=51 (config)" },
		{ "too many rows", heads, ERROR_CORRUPT, "vocab_size 65" },
		{ "epsilon", heads, 0, "layer_norm_epsilon=1e-06 (config)" },
		{ "epsilon against args", said, ERROR_CORRUPT, "layer_norm_epsilon 1e-05" },
		{ "activation", heads, 0, "activation_function=gelu (config)" },
		{ "activation against args", said, ERROR_CORRUPT, "activation_function gelu_fast" },
		{ "untied", heads, ERROR_CORRUPT, "no output_layer.weight" },
		{ "epsilon out of range", heads, ERROR_CORRUPT, "--config: layer_norm_epsilon 2.0 is out of range" },
		{ "unknown activation", heads, ERROR_UNSUPPORTED, "activation_function \"swish\"" },
		{ "inner width", heads, ERROR_CORRUPT, "n_inner 100, but the checkpoint has 128" },
		{ "tied against args", untied, ERROR_CORRUPT, "tie_word_embeddings true, but the checkpoint has an output layer of its own" },
		{ "untied against args", tied, ERROR_CORRUPT, "tie_word_embeddings false, but the checkpoint has a tied output layer" },
	};
	const struct arguments_shapes shapes = TINY;

	for (size_t i = 0; i < 15; i++)
		rows_of[i] = nothing;
	rows_of[0].heads = rows_of[1].heads = 8;
	rows_of[2].layers = 5;
	rows_of[3].vocabulary = 51;
	rows_of[4].vocabulary = 65;
	rows_of[5].epsilon = 1e-6;
	rows_of[6].epsilon = 1e-5;
	rows_of[7].activation = "gelu";
	rows_of[8].activation = "gelu_fast";
	rows_of[9].ties = rows_of[14].ties = 0;
	rows_of[10].epsilon = 2.0;
	rows_of[11].activation = "swish";
	rows_of[12].ffn = 100;
	rows_of[13].ties = 1;
	for (size_t i = 0; i < 15; i++) {
		struct model_options options = { .given = &rows_of[i] };
		struct decision_log  log;
		struct arguments     arguments;
		struct error         err = { 0 };
		struct row           named = { .what = given_rows[i].what };

		decision_log_init(&log);
		arguments_read(&arguments, &shapes, given_rows[i].fields != NULL
			? make_namespace(given_rows[i].fields) : NULL, &options, &log, &err);
		CHECK((int)err.kind == given_rows[i].status, "given %s: %s", named.what, err.text);
		if (given_rows[i].status == 0)
			check_decision(&named, &log, given_rows[i].part);
		else
			CHECK(strstr(err.text, given_rows[i].part) != NULL, "given %s: %s",
				named.what, err.text);
		decision_log_fini(&log);
	}
}

int
main(void)
{
	size_t index;

	arena_init(&arena, (size_t)16 << 20);
	for (index = 0; index < sizeof rows / sizeof *rows; index++)
		check_row(&rows[index]);
	check_holders();
	check_given();
	check_activation_option();
	check_words();
	check_reconstructed();
	check_refusals();
	arena_fini(&arena);
	return check_end("arguments");
}
