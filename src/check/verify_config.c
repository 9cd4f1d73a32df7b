#include "check/verify_config.h"

#include "base/json.h"
#include "container/input_file.h"
#include "gpt2/tokenizer_read.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define NAME         "config.json"
#define CONFIG_BYTES ((uint64_t)1 << 20)
#define TOKENIZER_BYTES ((uint64_t)64 << 20)

/* Keys that the result depends on and that no Megatron model sets: another value than
 * GPT-2's default makes another model of the same weights. */
static const struct fixed_key {
	const char *name;
	bool        value;
} fixed_keys[] = {
	{ "scale_attn_weights", true },
	{ "scale_attn_by_inverse_layer_idx", false },
	{ "add_cross_attention", false },
};

/* Keys that have transformers change the weights it loads. */
static const char *const changing_keys[] = { "pruned_heads", "quantization_config" };

static void
check_changing_keys(struct verify_run *run, const struct json *root)
{
	for (size_t i = 0; i < sizeof changing_keys / sizeof *changing_keys; i++) {
		const struct json *node = json_member(root, changing_keys[i]);

		if (node != NULL && json_kind(node) != JSON_NULL
		    && !(json_kind(node) == JSON_OBJECT && json_first(node) == NULL))
			verify_run_report(run, ERROR_MISMATCH, "vsource", NAME, NULL,
				"%s is not of the checkpoint: it changes the weights that are loaded",
				changing_keys[i]);
	}
}

static void
check_fixed_keys(struct verify_run *run, const char *bytes, size_t length)
{
	struct error ignored = { 0 };
	struct json *root = json_parse(bytes, length, &ignored);
	bool         found;

	for (size_t i = 0; root != NULL && i < sizeof fixed_keys / sizeof *fixed_keys; i++) {
		const struct json *node = json_member(root, fixed_keys[i].name);

		if (node != NULL && (!json_bool(node, &found) || found != fixed_keys[i].value))
			verify_run_report(run, ERROR_MISMATCH, "vsource", NAME, NULL,
				"%s is not %s, as Megatron computes", fixed_keys[i].name,
				fixed_keys[i].value ? "true" : "false");
	}
	if (root != NULL)
		check_changing_keys(run, root);
	json_free(root);
}

/* verify_directory tells of a file that is damaged, or cannot be read; not of one that could be
 * read then, and cannot now. */
static void
tell_late_fault(struct verify_run *run, const char *name, struct error *fault)
{
	const bool is_absent = fault->os_errno == ENOENT;

	if (run->result->problem_count > 0 || is_absent
	    || (fault->kind != ERROR_NO_INPUT && fault->kind != ERROR_LIMIT
		&& strcmp(fault->slug, "changing") != 0))
		return;
	text_format(fault->file, sizeof fault->file, "%s", name);
	verify_run_problem(run, fault);
}

bool
verify_config_read(struct verify_run *run, struct gpt2_config *config, char activation[64])
{
	struct error       ignored = { 0 };
	struct text        path = { 0 };
	struct input_file *file;
	char              *bytes = NULL;
	bool               done = false;

	text_add(&path, "%s/" NAME, run->path);
	if (path.failed)
		error_no_memory(&ignored, path.length);
	file = path.failed ? NULL : input_file_open(path.bytes, ".", &ignored);
	if (file != NULL)
		bytes = input_file_text(file, CONFIG_BYTES, &ignored);
	if (bytes != NULL)
		done = config_read(bytes, (size_t)file->size, config, activation, &ignored);
	if (done)
		check_fixed_keys(run, bytes, (size_t)file->size);
	else
		tell_late_fault(run, NAME, &ignored);
	free(bytes);
	input_file_close(file);
	text_free(&path);
	return done;
}

/* All of a small file of the directory; NULL: it is not there or cannot be read. */
static char *
read_text(const struct verify_run *run, const char *name, size_t *length)
{
	struct error       ignored = { 0 };
	struct text        path = { 0 };
	struct input_file *file;
	char              *bytes = NULL;

	text_add(&path, "%s/%s", run->path, name);
	file = path.failed ? NULL : input_file_open(path.bytes, ".", &ignored);
	if (file != NULL && (bytes = input_file_text(file, TOKENIZER_BYTES, &ignored)) != NULL)
		*length = (size_t)file->size;
	input_file_close(file);
	text_free(&path);
	return bytes;
}

uint64_t
verify_config_tokens(const struct verify_run *run)
{
	struct error           ignored = { 0 };
	struct tokenizer_files files = { 0 };
	char *vocabulary = read_text(run, TOKENIZER_READ_VOCABULARY, &files.vocabulary_length);
	char *merges = read_text(run, TOKENIZER_READ_MERGES, &files.merges_length);
	char *whole = read_text(run, TOKENIZER_READ_TOKENIZER, &files.tokenizer_length);
	struct tokenizer      *tokenizer;
	uint64_t               tokens;

	files.vocabulary = vocabulary;
	files.merges = merges;
	files.tokenizer = whole;
	tokenizer = tokenizer_read(&files, &ignored);
	tokens = tokenizer != NULL ? tokenizer->size : 0;
	tokenizer_close(tokenizer);
	free(vocabulary);
	free(merges);
	free(whole);
	return tokens;
}

/* Did the checkpoint tell, or was it only assumed? */
static bool
is_told(const struct decision_log *log, const char *key)
{
	for (size_t i = 0; i < log->decision_count; i++)
		if (strcmp(log->decisions[i].key, key) == 0)
			return strcmp(log->decisions[i].source, "default") != 0;
	return false;
}

static void
report(struct verify_run *run, const char *key, const char *found, const char *expected)
{
	if (is_told(run->log, key))
		verify_run_report(run, ERROR_MISMATCH, "vsource", NAME, NULL,
			"%s is %s, the checkpoint makes it %s", key, found, expected);
	else
		decision_log_note(run->log, NOTE_WARNING, "config-doubtful", NAME
			": %s is %s, where %s was expected; the checkpoint does not tell", key, found,
			expected);
}

static void
compare_sizes(struct verify_run *run, const struct arguments *arguments,
	const struct gpt2_config *config)
{
	const struct {
		const char *key;
		uint64_t    found, expected;
	} rows[] = {
		{ "n_layer", config->sizes.n_layer, arguments->layers },
		{ "n_embd", config->sizes.n_embd, arguments->hidden },
		{ "n_head", config->n_head, arguments->heads },
		{ "n_inner", config->sizes.n_inner, arguments->ffn },
		{ "n_positions", config->sizes.n_positions, arguments->positions },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char found[TEXT_NUMBER_SIZE], expected[TEXT_NUMBER_SIZE];

		if (rows[i].found == rows[i].expected)
			continue;
		text_format(found, sizeof found, "%" PRIu64, rows[i].found);
		text_format(expected, sizeof expected, "%" PRIu64, rows[i].expected);
		report(run, rows[i].key, found, expected);
	}
}

/* Of what only training depends on, a checkpoint that does not tell makes no other value
 * doubtful. */
static void
compare_reals(struct verify_run *run, const struct arguments *arguments,
	const struct gpt2_config *config)
{
	const struct {
		const char *key;
		double      found, expected;
		bool        is_for_training;
	} rows[] = {
		{ "layer_norm_epsilon", config->layer_norm_epsilon, arguments->layernorm_epsilon,
		  false },
		{ "attn_pdrop", config->attn_pdrop, arguments->attention_dropout, true },
		{ "embd_pdrop", config->embd_pdrop, arguments->embedding_dropout, true },
		{ "resid_pdrop", config->resid_pdrop, arguments->hidden_dropout, true },
		{ "initializer_range", config->initializer_range, arguments->init_method_std, true },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char found[TEXT_NUMBER_SIZE], expected[TEXT_NUMBER_SIZE];

		if ((rows[i].is_for_training && !is_told(run->log, rows[i].key))
		    || (rows[i].found <= rows[i].expected && rows[i].found >= rows[i].expected))
			continue;
		report(run, rows[i].key, text_double(found, rows[i].found),
			text_double(expected, rows[i].expected));
	}
}

void
verify_config_compare(struct verify_run *run, const struct arguments *arguments,
	const struct gpt2_config *config)
{
	enum activation activation;

	compare_sizes(run, arguments, config);
	if (!arguments_find_activation(config->activation_function, &activation)
	    || activation != arguments->activation)
		report(run, "activation_function", config->activation_function,
			arguments_activation_name(arguments->activation));
	compare_reals(run, arguments, config);
	if (config->tie_word_embeddings == arguments->is_untied)
		report(run, "tie_word_embeddings", config->tie_word_embeddings ? "true" : "false",
			arguments->is_untied ? "false" : "true");
}
