#include "megatron/arguments.h"

#include "base/text.h"
#include "megatron/argument_refusals.h"
#include "megatron/argument_value.h"
#include "megatron/vocabulary.h"

#include <inttypes.h>
#include <string.h>

/* Released models that carry no arguments, by shape. */
static const struct {
	uint64_t    layers, hidden, heads;
	const char *name;
} known_models[] = {
	{ 24, 1024, 16, "megatron_lm_345m" },
};

/* Sizes that tensors show and arguments must repeat. */
static bool
check_sizes(const struct arguments_shapes *shapes, const struct value *args, struct error *err)
{
	const struct {
		const char *name;
		uint64_t    size;
		const char *what;
	} rows[] = {
		{ "num_layers",              shapes->layers,            "layers are there" },
		{ "encoder_num_layers",      shapes->layers,            "layers are there" },
		{ "hidden_size",             shapes->hidden,            "is the width of the tensors" },
		{ "ffn_hidden_size",         shapes->ffn,               "is the inner width of the tensors" },
		{ "max_position_embeddings", shapes->positions,         "positions are there" },
		{ "padded_vocab_size",       shapes->padded_vocabulary, "rows has the embedding" },
	};
	size_t   index;
	uint64_t said = 0;
	bool     found;

	for (index = 0; index < sizeof rows / sizeof *rows; index++) {
		if (!argument_whole(args, rows[index].name, &said, &found, err))
			return false;
		if (found && said != rows[index].size)
			return error_set(err, ERROR_CORRUPT, "argsvsshape",
				"args.%s=%" PRIu64 " but %" PRIu64 " %s", rows[index].name, said,
				rows[index].size, rows[index].what);
	}
	return true;
}

/* The source of the number of heads, or NULL with *err. */
static const char *
find_heads(struct arguments *arguments, const struct value *args,
	const struct model_options *options, struct error *err)
{
	size_t index;
	bool   found;

	if (!argument_whole(args, "num_attention_heads", &arguments->heads, &found, err))
		return NULL;
	if (found && options->attention_heads != 0 && options->attention_heads != arguments->heads) {
		error_set(err, ERROR_USAGE, "confconflict", "--num-attention-heads %" PRIu64
			" but args.num_attention_heads=%" PRIu64, options->attention_heads,
			arguments->heads);
		return NULL;
	}
	if (found)
		return "args.num_attention_heads";
	if (options->attention_heads != 0) {
		arguments->heads = options->attention_heads;
		return "option";
	}
	for (index = 0; index < sizeof known_models / sizeof *known_models; index++) {
		if (known_models[index].layers == arguments->layers
		    && known_models[index].hidden == arguments->hidden) {
			arguments->heads = known_models[index].heads;
			return "known model";
		}
	}
	error_set(err, ERROR_UNSUPPORTED, "noargs", "the checkpoint does not say how many attention "
		"heads the model has, and the shapes of its tensors cannot");
	error_hint(err, "give --num-attention-heads N");
	return NULL;
}

static bool
read_heads(struct arguments *arguments, const struct arguments_shapes *shapes,
	const struct value *args, const struct model_options *options, struct decision_log *log,
	struct error *err)
{
	const char     *source = find_heads(arguments, args, options, err);
	enum error_kind kind;
	uint64_t        channels = 0;
	bool            found;

	if (source == NULL)
		return false;
	kind = strcmp(source, "option") == 0 ? ERROR_USAGE : ERROR_CORRUPT;
	if (arguments->heads == 0 || arguments->hidden % arguments->heads != 0)
		return error_set(err, kind, "headsdiv",
			"hidden_size %" PRIu64 " is not divisible by %" PRIu64 " heads",
			arguments->hidden, arguments->heads);
	if (arguments->heads % shapes->tensor_size != 0)
		return error_set(err, kind, "headsdiv",
			"%" PRIu64 " heads cannot be divided among %u tensor parallel ranks",
			arguments->heads, shapes->tensor_size);
	if (!argument_whole(args, "kv_channels", &channels, &found, err))
		return false;
	if (found && channels != arguments->hidden / arguments->heads)
		return error_set(err, ERROR_UNSUPPORTED, "arch", "args.kv_channels=%" PRIu64
			": not a GPT-2 architecture, whose heads are hidden_size / heads = %" PRIu64
			" wide", channels, arguments->hidden / arguments->heads);
	decision_log_decide(log, "n_head", source, "%" PRIu64, arguments->heads);
	return true;
}

/* A number that args name, else its default; `least` <= number <= `most`. */
static bool
read_real(const struct value *args, const char *const names[2], const char *key, double least,
	double most, double *number, struct decision_log *log, struct error *err)
{
	char   source[64] = "default", text[TEXT_NUMBER_SIZE];
	bool   found = false;
	size_t index;

	for (index = 0; index < 2 && !found && names[index] != NULL; index++) {
		if (!argument_real(args, names[index], number, &found, err))
			return false;
		if (found && (*number < least || *number > most))
			return error_set(err, ERROR_CORRUPT, "args", "args.%s=%s is out of range",
				names[index], text_double(text, *number));
		if (found)
			text_format(source, sizeof source, "args.%s", names[index]);
	}
	decision_log_decide(log, key, source, "%s", text_double(text, *number));
	return true;
}

/* The option was called --layernorm-epsilon, later --norm-epsilon, then stored by its first
 * name again. */
static bool
read_reals(struct arguments *arguments, const struct value *args, struct decision_log *log,
	struct error *err)
{
	static const char *const epsilon[2] = { "layernorm_epsilon", "norm_epsilon" };
	static const char *const attention[2] = { "attention_dropout" };
	static const char *const hidden[2] = { "hidden_dropout" };
	static const char *const init[2] = { "init_method_std" };

	arguments->layernorm_epsilon = 1e-5;
	arguments->attention_dropout = 0.1;
	arguments->hidden_dropout = 0.1;
	arguments->init_method_std = 0.02;
	return read_real(args, epsilon, "layer_norm_epsilon", 0.0, 1.0,
			&arguments->layernorm_epsilon, log, err)
	    && read_real(args, attention, "attn_pdrop", 0.0, 1.0,
			&arguments->attention_dropout, log, err)
	    && read_real(args, hidden, "resid_pdrop", 0.0, 1.0,
			&arguments->hidden_dropout, log, err)
	    && read_real(args, hidden, "embd_pdrop", 0.0, 1.0,
			&arguments->hidden_dropout, log, err)
	    && read_real(args, init, "initializer_range", 0.0, 1e6,
			&arguments->init_method_std, log, err);
}

/*
 * Before 2020-04-14 the code had the tanh form only.  From then on args.openai_gelu chooses
 * it and erf is the rule; from 2020-09-11 args.bias_gelu_fusion, tanh again, comes first.
 */
static void
decide_activation(struct arguments *arguments, const struct value *args,
	struct decision_log *log)
{
	const struct value *fusion = argument_find(args, "bias_gelu_fusion");
	const struct value *openai = argument_find(args, "openai_gelu");
	const char         *source = "default";

	arguments->activation = ACTIVATION_GELU_TANH;
	if (argument_truth(fusion)) {
		source = "args.bias_gelu_fusion";
		if (argument_truth(argument_find(args, "onnx_safe")))
			decision_log_note(log, NOTE_WARNING, "activation-doubtful", "activation "
				"gelu_new: args name bias_gelu_fusion and onnx_safe, which did not "
				"mean the same in all versions");
	} else if (openai != NULL || fusion != NULL) {
		source = openai != NULL ? "args.openai_gelu" : "args.bias_gelu_fusion";
		if (!argument_truth(openai))
			arguments->activation = ACTIVATION_GELU_ERF;
	} else {
		decision_log_note(log, NOTE_NOTE, "activation-assumed", "activation gelu_new: "
			"assumed, the checkpoint carries no arguments%s",
			args != NULL ? " that name one" : "");
	}
	decision_log_decide(log, "activation_function", source, "%s",
		arguments->activation == ACTIVATION_GELU_TANH ? "gelu_new" : "gelu");
}

static void
decide_sizes(struct arguments *arguments, const struct arguments_shapes *shapes,
	struct decision_log *log)
{
	arguments->layers = shapes->layers;
	arguments->hidden = shapes->hidden;
	arguments->ffn = shapes->ffn;
	arguments->positions = shapes->positions;
	arguments->padded_vocabulary = shapes->padded_vocabulary;
	decision_log_decide(log, "n_layer", "tensor shape", "%" PRIu64, shapes->layers);
	decision_log_decide(log, "n_embd", "tensor shape", "%" PRIu64, shapes->hidden);
	decision_log_decide(log, "n_inner", "tensor shape", "%" PRIu64, shapes->ffn);
	decision_log_decide(log, "n_positions", "tensor shape", "%" PRIu64, shapes->positions);
}

bool
arguments_read(struct arguments *arguments, const struct arguments_shapes *shapes,
	const struct value *args, const struct model_options *options, struct decision_log *log,
	struct error *err)
{
	memset(arguments, 0, sizeof *arguments);
	if (!argument_holder(args, &args, err) || !argument_refusals_check(args, err)
	    || !check_sizes(shapes, args, err))
		return false;
	arguments->has_args = args != NULL;
	decide_sizes(arguments, shapes, log);
	if (!read_heads(arguments, shapes, args, options, log, err)
	    || !vocabulary_decide(arguments, args, options, log, err)
	    || !read_reals(arguments, args, log, err))
		return false;
	decide_activation(arguments, args, log);
	return true;
}
