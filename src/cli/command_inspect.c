#include "cli/command.h"

#include "cli/report.h"
#include "cli/report_json.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define LABEL_WIDTH 10          /* "converts: " */
#define FEW_GLOBALS 4

/* Nothing is said of what is not known. */
static void
say_word(struct report *report, const char *label, const char *word)
{
	if (word == NULL || word[0] == '\0')
		return;
	report_begin(report, label);
	report_escaped(report, word);
	report_end(report);
}

static const struct m2h_decision *
find_decision(const struct m2h_inspection *inspection, const char *key)
{
	for (size_t i = 0; i < inspection->decision_count; i++)
		if (strcmp(inspection->decisions[i].key, key) == 0)
			return &inspection->decisions[i];
	return NULL;
}

/* What the checkpoint says of its row order, where that is not what was believed. */
static void
say_version(struct report *report, const struct m2h_model *model)
{
	report_words(report, ", checkpoint_version ");
	if (model->version_label != NULL && model->version_label[0] != '\0')
		report_escaped(report, model->version_label);
	else
		report_words(report, "not in the file");
}

static void
say_layout(struct report *report, const struct m2h_inspection *inspection)
{
	const struct m2h_model    *model = &inspection->model;
	const struct m2h_decision *why = find_decision(inspection, "qkv_layout");

	say_word(report, "format:", model->container);
	say_word(report, "era:", model->dialect);
	say_word(report, "saved:", model->iteration);
	if (model->tensor_size == 0)
		return;
	report_begin(report, "ranks:");
	report_ranks(report, model);
	report_end(report);
	/* A layout is a property of an era's names. */
	if (model->dialect == NULL || model->dialect[0] == '\0')
		return;
	report_begin(report, "qkv:");
	report_words(report, "layout %u", model->qkv_layout);
	if (why != NULL) {
		report_words(report, " (");
		report_escaped(report, why->source);
		report_words(report, ")");
	}
	if (why == NULL || !text_has_prefix(why->source, "checkpoint_version "))
		say_version(report, model);
	report_end(report);
}

static void
say_size(struct report *report, const struct m2h_model *model)
{
	char number[TEXT_NUMBER_SIZE];

	report_model(report, "model:", model);
	if (model->padded_vocabulary > model->vocabulary && model->vocabulary != 0) {
		report_begin(report, "rows:");
		report_words(report, "%" PRIu64 " in the embedding, %" PRIu64 " used",
			model->padded_vocabulary, model->vocabulary);
		report_end(report);
	}
	if ((model->dtype == NULL || model->dtype[0] == '\0') && model->stored_parameters == 0)
		return;
	report_begin(report, "weights:");
	report_escaped(report, model->dtype);
	if (model->stored_parameters != 0)
		report_words(report, ", %s numbers stored",
			text_grouped(number, model->stored_parameters));
	report_end(report);
}

/* The row order has been told, with its source. */
static bool
has_line(const struct m2h_decision *decision)
{
	return strcmp(decision->key, "qkv_layout") == 0;
}

/* One line for each source that is not "default", in the order of their first value:
 * "tensor shape: n_layer 24, n_embd 1024". */
static void
say_sources(struct report *report, const struct m2h_inspection *inspection)
{
	const struct m2h_decision *decisions = inspection->decisions;
	size_t                     count = inspection->decision_count, defaults = 0;

	for (size_t i = 0; i < count; i++) {
		bool first = true, is_default = strcmp(decisions[i].source, "default") == 0,
		     seen = is_default || has_line(&decisions[i]);

		defaults += is_default;
		for (size_t j = 0; j < i && !seen; j++)
			seen = strcmp(decisions[i].source, decisions[j].source) == 0
				&& !has_line(&decisions[j]);
		if (seen)
			continue;
		report_begin(report, "from:");
		report_escaped(report, decisions[i].source);
		report_words(report, ": ");
		for (size_t j = i; j < count; j++) {
			if (strcmp(decisions[i].source, decisions[j].source) != 0
			    || has_line(&decisions[j]))
				continue;
			report_piece(report, &first);
			report_escaped(report, decisions[j].key);
			report_words(report, " ");
			report_escaped(report, decisions[j].value);
		}
		report_end(report);
	}
	if (defaults > 0) {
		report_begin(report, "from:");
		report_words(report, "default: %zu value%s (-v lists them)", defaults,
			defaults == 1 ? "" : "s");
		report_end(report);
	}
}

static void
say_globals(struct report *report, const struct m2h_inspection *inspection)
{
	size_t count = inspection->global_count;
	size_t shown = report->verbose || count <= FEW_GLOBALS + 1 ? count : FEW_GLOBALS;
	bool   first = true;

	if (count == 0)
		return;
	report_begin(report, "globals:");
	for (size_t i = 0; i < shown; i++) {
		report_piece(report, &first);
		report_escaped(report, inspection->globals[i]);
	}
	if (shown < count)
		report_words(report, " and %zu more (-v lists them)", count - shown);
	report_end(report);
}

static void
say_verdict(struct report *report, const struct m2h_inspection *inspection)
{
	report_begin(report, "converts:");
	if (inspection->convert_status == M2H_OK) {
		report_words(report, "yes");
		report_end(report);
		return;
	}
	report_words(report, "no (status %d): ", inspection->convert_status);
	report_escaped(report, inspection->convert_error.message);
	report_end(report);
	say_word(report, "hint:", inspection->convert_error.hint);
}

/* Lines for grep and cut: fields end with a tab, and escaping leaves none inside them. */
static void
list_tensors(struct report *report, const struct m2h_inspection *inspection)
{
	for (size_t i = 0; i < inspection->tensor_count; i++) {
		const struct m2h_tensor *tensor = &inspection->tensors[i];
		const char *fields[] = { tensor->file, tensor->name, tensor->dtype, tensor->shape,
			tensor->stride, tensor->storage };

		report_words(report, "tensor");
		for (size_t j = 0; j < sizeof fields / sizeof fields[0]; j++) {
			report_words(report, "\t");
			report_escaped(report, fields[j]);
		}
		report_words(report, "\t%" PRIu64 "\t%" PRIu64, tensor->offset, tensor->bytes);
		report_end(report);
	}
}

static void
list_arguments(struct report *report, const struct m2h_inspection *inspection)
{
	for (size_t i = 0; i < inspection->argument_count; i++) {
		report_words(report, "arg\t");
		report_escaped(report, inspection->arguments[i].name);
		report_words(report, "\t");
		report_escaped(report, inspection->arguments[i].value);
		report_end(report);
	}
}

static void
say_inspection(const struct options *options, const struct m2h_inspection *inspection,
	struct text *out)
{
	struct report report = report_start(options, STDOUT_FILENO, LABEL_WIDTH);

	say_word(&report, "kind:", inspection->kind);
	report_inputs(&report, "input:", inspection->inputs, inspection->input_count);
	say_layout(&report, inspection);
	say_size(&report, &inspection->model);
	if (options->verbose)
		report_decisions(&report, "decided:", inspection->decisions, inspection->decision_count);
	else
		say_sources(&report, inspection);
	report_dropped(&report, "dropped:", inspection->dropped, inspection->dropped_count);
	say_globals(&report, inspection);
	report_notes(&report, inspection->notes, inspection->note_count);
	say_verdict(&report, inspection);
	if (options->tensors)
		list_tensors(&report, inspection);
	if (options->arguments)
		list_arguments(&report, inspection);
	report_give(&report, out);
}

int
command_inspect(const struct options *options, const struct m2h_error *usage, struct text *out)
{
	struct m2h_inspection  instead = {
		.status = M2H_LIMIT, .error = { "oom", "out of memory", "" },
	};
	struct m2h_inspection       *inspection = NULL;
	const struct m2h_inspection *result = &instead;
	int                          status;

	if (usage != NULL) {
		instead.status = command_usage_status(usage);
		instead.error = *usage;
	} else {
		inspection = m2h_inspect(&(struct m2h_inspect_options){
			.path = options->operand,
			.tensors = options->tensors,
			.arguments = options->arguments,
			.attention_heads = options->attention_heads,
			.vocab_size = options->vocab_size,
			.qkv_layout = options->qkv_layout,
			.activation = options->activation,
			.iteration = options->iteration,
			.memory_limit = options->memory_limit,
			.config = options->config,
		});
		if (inspection != NULL)
			result = inspection;
		if (result->status != M2H_OK)
			report_error(options, result->error.message, result->error.hint);
	}
	if (options->json)
		report_json_inspection(out, options, result);
	else if (result->status == M2H_OK)
		say_inspection(options, result, out);
	status = result->status;
	m2h_inspection_free(inspection);
	return status;
}
