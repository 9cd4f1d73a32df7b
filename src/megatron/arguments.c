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

/* --config says one thing, the checkpoint another. */
static bool
refuse_given(const char *key, const char *said, const char *found, struct error *err)
{
	return error_set(err, ERROR_CORRUPT, "confconflict",
		"--config says %s %s, but the checkpoint has %s", key, said, found);
}

static bool
check_given_number(const char *key, uint64_t given, uint64_t found, struct error *err)
{
	char said[24], has[24];

	text_format(said, sizeof said, "%" PRIu64, given);
	text_format(has, sizeof has, "%" PRIu64, found);
	return given == 0 || given == found || refuse_given(key, said, has, err);
}

static bool
check_given_sizes(const struct arguments_shapes *shapes, const struct arguments_given *given,
	struct error *err)
{
	return given == NULL || (check_given_number("n_layer", given->layers, shapes->layers, err)
	    && check_given_number("n_embd", given->hidden, shapes->hidden, err)
	    && check_given_number("n_inner", given->ffn, shapes->ffn, err)
	    && check_given_number("n_positions", given->positions, shapes->positions, err));
}

/* The source of the number of heads, or NULL with *err. */
static const char *
find_heads(struct arguments *arguments, const struct value *args,
	const struct model_options *options, struct error *err)
{
	size_t   index;
	bool     found;
	uint64_t given = options->given != NULL ? options->given->heads : 0;

	if (!argument_whole(args, "num_attention_heads", &arguments->heads, &found, err)
	    || (found && !check_given_number("n_head", given, arguments->heads, err)))
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
	if (given != 0) {
		arguments->heads = given;
		return "config";
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
	error_hint(err, "give --num-attention-heads N, or a config.json by --config");
	return NULL;
}

/* "1, 2, 4, ...": as many as a line holds. */
static bool
hint_divisors(uint64_t hidden, struct error *err)
{
	char list[100] = "";

	for (uint64_t heads = 1; heads <= hidden && heads <= 512; heads++) {
		size_t used = strlen(list);

		if (hidden % heads == 0 && used + 6 < sizeof list)
			text_format(list + used, sizeof list - used, "%s%" PRIu64,
				used > 0 ? ", " : "", heads);
	}
	return error_hint(err, "%" PRIu64 " is divisible by %s", hidden, list);
}

static bool
read_heads(struct arguments *arguments, const struct arguments_shapes *shapes,
	const struct value *args, const struct model_options *options, struct decision_log *log,
	struct error *err)
{
	const char     *source = find_heads(arguments, args, options, err);
	enum error_kind kind;

	if (source == NULL)
		return false;
	kind = strcmp(source, "option") == 0 ? ERROR_USAGE : ERROR_CORRUPT;
	if (arguments->heads == 0 || arguments->hidden % arguments->heads != 0) {
		error_set(err, kind, "headsdiv",
			"hidden_size %" PRIu64 " is not divisible by %" PRIu64 " heads",
			arguments->hidden, arguments->heads);
		return hint_divisors(arguments->hidden, err);
	}
	if (arguments->heads % shapes->tensor_size != 0)
		return error_set(err, kind, "headsdiv",
			"%" PRIu64 " heads cannot be divided among %u tensor parallel ranks",
			arguments->heads, shapes->tensor_size);
	if (!argument_refusals_head_size(args, arguments->hidden, arguments->heads, err))
		return false;
	decision_log_decide(log, "n_head", source, "%" PRIu64, arguments->heads);
	return true;
}

/* A number with a key in config.json, and the names that args had for it. */
struct real_rule {
	const char *key, *names[2];
	double      least, most, absent;
};

/* Args, else the given config, else the default. */
static bool
read_real(const struct real_rule *rule, const struct value *args, bool has_given, double given,
	double *number, struct decision_log *log, struct error *err)
{
	char   source[64] = "default", text[TEXT_NUMBER_SIZE], said[TEXT_NUMBER_SIZE];
	bool   found = false;
	size_t index;

	*number = rule->absent;
	for (index = 0; index < 2 && !found && rule->names[index] != NULL; index++) {
		if (!argument_real(args, rule->names[index], number, &found, err))
			return false;
		if (found && (*number < rule->least || *number > rule->most))
			return error_set(err, ERROR_CORRUPT, "args", "args.%s=%s is out of range",
				rule->names[index], text_double(text, *number));
		if (found)
			text_format(source, sizeof source, "args.%s", rule->names[index]);
	}
	if (has_given && given >= 0) {
		if (given < rule->least || given > rule->most)
			return error_set(err, ERROR_CORRUPT, "confjson",
				"--config: %s %s is out of range", rule->key, text_double(text, given));
		if (found && (given < *number || given > *number))
			return refuse_given(rule->key, text_double(said, given),
				text_double(text, *number), err);
		if (!found) {
			*number = given;
			text_format(source, sizeof source, "config");
		}
	}
	decision_log_decide(log, rule->key, source, "%s", text_double(text, *number));
	return true;
}

/* The option was called --layernorm-epsilon, later --norm-epsilon, then stored by its first
 * name again.  One dropout served for embedding and residuals. */
static bool
read_reals(struct arguments *arguments, const struct value *args,
	const struct arguments_given *given, struct decision_log *log, struct error *err)
{
	static const struct real_rule rules[] = {
		{ "layer_norm_epsilon", { "layernorm_epsilon", "norm_epsilon" }, 0, 1, 1e-5 },
		{ "attn_pdrop", { "attention_dropout" }, 0, 1, 0.1 },
		{ "resid_pdrop", { "hidden_dropout" }, 0, 1, 0.1 },
		{ "embd_pdrop", { "hidden_dropout" }, 0, 1, 0.1 },
		{ "initializer_range", { "init_method_std" }, 0, 1e6, 0.02 },
	};
	static const struct arguments_given nothing = { 0 };
	const struct arguments_given       *from = given != NULL ? given : &nothing;
	const double said[] = { from->epsilon, from->attention_dropout, from->residual_dropout,
		from->embedding_dropout, from->init_method_std };
	double *const to[] = { &arguments->layernorm_epsilon, &arguments->attention_dropout,
		&arguments->hidden_dropout, &arguments->embedding_dropout,
		&arguments->init_method_std };
	size_t index;

	for (index = 0; index < sizeof rules / sizeof *rules; index++)
		if (!read_real(&rules[index], args, given != NULL, said[index], to[index], log, err))
			return false;
	return true;
}

/* ---- activation --------------------------------------------------------------------------- */

struct activation_choice {
	enum activation activation;
	const char     *source;
};

static bool
is_set(const struct value *args, const char *name)
{
	return argument_truth(argument_find(args, name));
}

/* swiglu and squared_relu came in one commit, 2023-04; the next release was 23.04. */
static bool
is_of_2023(const struct value *args)
{
	return argument_find(args, "swiglu") != NULL || argument_find(args, "squared_relu") != NULL;
}

/*
 * Megatron Core asks for the squared ReLU, then for the fusion of bias and gelu, which has the
 * tanh form and needs biases; it parses openai_gelu and onnx_safe and uses neither.
 */
static struct activation_choice
choose_of_core(const struct value *args)
{
	if (is_set(args, "squared_relu"))
		return (struct activation_choice){ ACTIVATION_SQUARED_RELU, "args.squared_relu" };
	if (is_set(args, "use_te_activation_func"))
		return (struct activation_choice){ ACTIVATION_GELU_TANH,
			"args.use_te_activation_func" };
	if (argument_find(args, "bias_gelu_fusion") == NULL)
		return (struct activation_choice){ ACTIVATION_GELU_TANH, NULL };
	if (arguments_lack_biases(args))
		return (struct activation_choice){ ACTIVATION_GELU_ERF, "args.add_bias_linear" };
	return (struct activation_choice){ is_set(args, "bias_gelu_fusion")
		? ACTIVATION_GELU_TANH : ACTIVATION_GELU_ERF, "args.bias_gelu_fusion" };
}

/*
 * Before 2020-04-14 the code had the tanh form only.  From then on args.openai_gelu chooses
 * it and erf is the rule; from 2020-09-11 args.bias_gelu_fusion, tanh again, comes first; in
 * 23.04 and later it comes last, and openai_gelu, onnx_safe (erf) and squared_relu before it.
 */
static struct activation_choice
choose_of_legacy(const struct value *args)
{
	bool is_late = is_of_2023(args), has_fusion = argument_find(args, "bias_gelu_fusion") != NULL;

	if (!is_late && is_set(args, "bias_gelu_fusion"))
		return (struct activation_choice){ ACTIVATION_GELU_TANH, "args.bias_gelu_fusion" };
	if (is_set(args, "openai_gelu"))
		return (struct activation_choice){ ACTIVATION_GELU_TANH, "args.openai_gelu" };
	if (is_late && is_set(args, "onnx_safe"))
		return (struct activation_choice){ ACTIVATION_GELU_ERF, "args.onnx_safe" };
	if (is_set(args, "squared_relu"))
		return (struct activation_choice){ ACTIVATION_SQUARED_RELU, "args.squared_relu" };
	if (is_late && is_set(args, "bias_gelu_fusion") && !arguments_lack_biases(args))
		return (struct activation_choice){ ACTIVATION_GELU_TANH, "args.bias_gelu_fusion" };
	if (argument_find(args, "openai_gelu") != NULL)
		return (struct activation_choice){ ACTIVATION_GELU_ERF, "args.openai_gelu" };
	if (has_fusion)
		return (struct activation_choice){ ACTIVATION_GELU_ERF, "args.bias_gelu_fusion" };
	return (struct activation_choice){ ACTIVATION_GELU_TANH, NULL };
}

static const char *const activation_names[] = {
	[ACTIVATION_GELU_TANH] = "gelu_new",
	[ACTIVATION_GELU_ERF] = "gelu",
	[ACTIVATION_SQUARED_RELU] = "relu2",
};

const char *
arguments_activation_name(enum activation activation)
{
	return activation_names[activation];
}

bool
arguments_find_activation(const char *name, enum activation *activation)
{
	/* The same function by other names, which differ in the last bits. */
	static const char *const tanh_names[] = { "gelu_fast", "gelu_pytorch_tanh" };
	size_t                   index;

	for (index = 0; index < sizeof activation_names / sizeof *activation_names; index++) {
		*activation = (enum activation)index;
		if (strcmp(activation_names[index], name) == 0)
			return true;
	}
	*activation = ACTIVATION_GELU_TANH;
	for (index = 0; index < sizeof tanh_names / sizeof *tanh_names; index++)
		if (strcmp(tanh_names[index], name) == 0)
			return true;
	return false;
}

/* Layers of Transformer Engine know one gelu, the tanh form, whatever the flags say. */
static struct activation_choice
choose_activation(enum dialect dialect, const struct value *args)
{
	if (dialect == DIALECT_NESTED_TE)
		return (struct activation_choice){ ACTIVATION_GELU_TANH,
			"layers of Transformer Engine" };
	return dialect == DIALECT_CORE ? choose_of_core(args) : choose_of_legacy(args);
}

static void
note_activation(enum dialect dialect, const struct value *args,
	const struct activation_choice *choice, struct decision_log *log)
{
	const char *name = activation_names[choice->activation];

	if (choice->source == NULL)
		decision_log_note(log, NOTE_NOTE, "activation-assumed", "activation %s: assumed, the "
			"checkpoint carries no arguments%s (--activation overrides)", name,
			args != NULL ? " that name one" : "");
	else if (dialect != DIALECT_CORE && dialect != DIALECT_NESTED_TE && !is_of_2023(args)
	         && is_set(args, "bias_gelu_fusion") && is_set(args, "onnx_safe"))
		decision_log_note(log, NOTE_WARNING, "activation-doubtful", "activation %s: args name "
			"bias_gelu_fusion and onnx_safe, which did not mean the same in all versions "
			"(--activation overrides)", name);
}

/* The given config tells where the checkpoint does not; else it must agree. */
static bool
take_given_activation(const struct arguments_given *given, struct activation_choice *choice,
	struct error *err)
{
	enum activation activation;

	if (given == NULL || given->activation == NULL)
		return true;
	if (!arguments_find_activation(given->activation, &activation))
		return error_set(err, ERROR_UNSUPPORTED, "act", "--config: activation_function \"%s\" "
			"is none that Megatron-LM has", given->activation);
	if (choice->source != NULL && activation != choice->activation)
		return refuse_given("activation_function", given->activation,
			activation_names[choice->activation], err);
	if (choice->source == NULL)
		*choice = (struct activation_choice){ activation, "config" };
	return true;
}

/* The option is the user's word, and what it goes against is told. */
static bool
take_activation_option(const char *option, struct activation_choice *choice,
	struct decision_log *log, struct error *err)
{
	enum activation activation;

	if (!arguments_find_activation(option, &activation))
		return error_set(err, ERROR_USAGE, "usage",
			"--activation %s: gelu_new, gelu or relu2 is expected", option);
	if (choice->source != NULL && activation != choice->activation)
		decision_log_note(log, NOTE_NOTE, "activation-overridden", "--activation %s, though "
			"the checkpoint has %s (%s)", option, activation_names[choice->activation],
			choice->source);
	*choice = (struct activation_choice){ activation, "option" };
	return true;
}

static bool
decide_activation(struct arguments *arguments, enum dialect dialect, const struct value *args,
	const struct model_options *options, struct decision_log *log, struct error *err)
{
	struct activation_choice choice = choose_activation(dialect, args);

	if (options->activation != NULL) {
		if (!take_activation_option(options->activation, &choice, log, err))
			return false;
	} else if (!take_given_activation(options->given, &choice, err)) {
		return false;
	} else {
		note_activation(dialect, args, &choice, log);
	}
	arguments->activation = choice.activation;
	decision_log_decide(log, "activation_function",
		choice.source != NULL ? choice.source : "default", "%s",
		activation_names[choice.activation]);
	return true;
}

/* ---- the shape of the model --------------------------------------------------------------- */

bool
arguments_lack_biases(const struct value *args)
{
	const struct value *add = argument_find(args, "add_bias_linear");

	return is_set(args, "disable_bias_linear") || (add != NULL && !argument_truth(add));
}

/*
 * Megatron Core saves an output layer's weight also where it is tied, as a copy on the last of
 * several pipeline stages.  Where nothing is said it is taken for such a copy, until the
 * numbers show that it is none.
 */
static bool
decide_output(struct arguments *arguments, const struct arguments_shapes *shapes,
	const struct value *args, const struct model_options *options, struct decision_log *log,
	struct error *err)
{
	static const char   name[] = "untie_embeddings_and_output_weights";
	const struct value *untie = argument_find(args, name);
	int                 ties = options->given != NULL ? options->given->ties : -1;
	const char         *source = "args.untie_embeddings_and_output_weights";

	arguments->is_untied = argument_truth(untie);
	if (untie == NULL && ties >= 0) {
		arguments->is_untied = ties == 0;
		source = "config";
	} else if (untie == NULL) {
		arguments->is_tie_assumed = shapes->has_output && shapes->dialect == DIALECT_CORE
		    && shapes->pipeline_size > 1 && !options->assume_untied;
		arguments->is_untied = shapes->has_output && !arguments->is_tie_assumed;
		source = shapes->has_output ? "output layer" : "default";
	} else if (ties >= 0 && arguments->is_untied != (ties == 0)) {
		return refuse_given("tie_word_embeddings", ties == 0 ? "false" : "true",
			ties == 0 ? "a tied output layer" : "an output layer of its own", err);
	}
	if (arguments->is_untied && !shapes->has_output)
		return error_set(err, ERROR_CORRUPT, "missingkey",
			"%s says that the output layer is not tied, but the model has no "
			"output_layer.weight", source);
	if (arguments->is_untied)
		decision_log_note(log, NOTE_NOTE, "untied", "the output layer has a weight of its "
			"own: written as lm_head.weight");
	decision_log_decide(log, "tie_word_embeddings", source, "%s",
		arguments->is_untied ? "false" : "true");
	return true;
}

/* The option is --apply-layernorm-1p; from core_v0.16.0 on it is stored by another name. */
static void
decide_norms(struct arguments *arguments, const struct value *args, struct decision_log *log)
{
	static const char *const names[] = { "apply_layernorm_1p", "layernorm_zero_centered_gamma" };
	char                     source[64];
	size_t                   index;

	for (index = 0; index < 2 && !arguments->norms_less_one; index++) {
		if (!is_set(args, names[index]))
			continue;
		arguments->norms_less_one = true;
		text_format(source, sizeof source, "args.%s", names[index]);
		decision_log_decide(log, "norm_weights", source, "stored less 1");
		decision_log_note(log, NOTE_NOTE, "norms-less-one",
			"norm weights are stored less 1: 1 was added to each of them");
	}
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
	    || !check_sizes(shapes, args, err)
	    || !check_given_sizes(shapes, options->given, err))
		return false;
	arguments->has_args = args != NULL;
	decide_sizes(arguments, shapes, log);
	if (!read_heads(arguments, shapes, args, options, log, err)
	    || !vocabulary_decide(arguments, args, options, log, err)
	    || !read_reals(arguments, args, options->given, log, err)
	    || !decide_activation(arguments, shapes->dialect, args, options, log, err)
	    || !decide_output(arguments, shapes, args, options, log, err))
		return false;
	decide_norms(arguments, args, log);
	return true;
}
