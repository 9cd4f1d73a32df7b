#include "cli/command.h"

#include "cli/progress.h"
#include "cli/report.h"
#include "cli/report_json.h"

#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define LABEL_WIDTH 9

/* "2019 nested transformer, torch legacy stream, 1 tensor × 1 pipeline rank, QKV layout 0
 * (2019 names, no label)" */
static void
say_layout(struct report *report, const struct m2h_conversion *conversion)
{
	const struct m2h_model *model = &conversion->model;
	bool                    first = true;
	const char             *words[] = { model->dialect, model->container };

	if (model->tensor_size == 0)
		return;
	report_begin(report, "layout");
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (words[i] == NULL || words[i][0] == '\0')
			continue;
		report_piece(report, &first);
		report_escaped(report, words[i]);
	}
	report_piece(report, &first);
	report_ranks(report, model);
	report_words(report, ", QKV layout %u", model->qkv_layout);
	for (size_t i = 0; i < conversion->decision_count; i++) {
		if (strcmp(conversion->decisions[i].key, "qkv_layout") != 0)
			continue;
		report_words(report, " (");
		report_escaped(report, conversion->decisions[i].source);
		report_words(report, ")");
	}
	report_end(report);
}

/* What became of every weight: the plan was proved before it was carried out. */
static void
say_account(struct report *report, const struct m2h_conversion *conversion)
{
	report_begin(report, "weights");
	report_count(report, conversion->copies - conversion->replicas, "piece", "pieces");
	report_words(report, " used, ");
	report_count(report, conversion->replicas, "copy", "copies");
	report_words(report, " compared, ");
	report_count(report, conversion->zeros, "tensor", "tensors");
	report_words(report, " filled with zeros, ");
	report_count(report, conversion->dropped_count, "entry", "entries");
	report_words(report, " left out: none is unaccounted for");
	report_end(report);
}

static void
say_findings(struct report *report, const struct m2h_conversion *conversion)
{
	report_inputs(report, "read", conversion->inputs, conversion->input_count);
	report_model(report, "model", &conversion->model);
	say_layout(report, conversion);
	report_notes(report, conversion->notes, conversion->note_count);
	if (report->verbose) {
		report_decisions(report, "decided", conversion->decisions, conversion->decision_count);
		report_dropped(report, "dropped", conversion->dropped, conversion->dropped_count);
	}
}

/* Without a digest in a plan: what is not written yet has none. */
static void
say_output(struct report *report, const struct m2h_file *file, bool written)
{
	char number[TEXT_NUMBER_SIZE];

	report_begin(report, "file");
	report_escaped(report, file->name);
	report_words(report, "  %s", text_byte_count(number, file->bytes));
	if (written && file->sha256[0] != '\0') {
		report_words(report, "  ");
		report_sha256(report, file->sha256);
	}
	report_end(report);
}

static bool
is_weight_file(const struct m2h_file *file)
{
	return text_has_suffix(file->name, ".safetensors") || text_has_suffix(file->name, ".bin");
}

/* "gpt2-345m: 292 tensors, 709.7 MB  model.safetensors sha256 9c1f…07, read back" */
static void
say_written(struct report *report, const char *directory, bool is_stream,
	const struct m2h_conversion *conversion)
{
	const struct m2h_file *weights = NULL;
	char                   number[TEXT_NUMBER_SIZE];
	size_t                 weight_files = 0;

	for (size_t i = 0; i < conversion->output_count; i++) {
		if (report->verbose)
			say_output(report, &conversion->outputs[i], true);
		if (!is_weight_file(&conversion->outputs[i]))
			continue;
		weights = &conversion->outputs[i];
		weight_files++;
	}
	report_begin(report, "wrote");
	if (is_stream)
		report_words(report, "standard output, tar of %zu files", conversion->output_count);
	else
		report_escaped(report, directory);
	report_words(report, ": %zu tensors, %s", conversion->tensors,
		text_byte_count(number, conversion->output_bytes));
	if (weight_files > 1) {
		report_words(report, " in %zu weight files", weight_files);
	} else if (weights != NULL) {
		report_words(report, "  ");
		report_escaped(report, weights->name);
		report_words(report, " ");
		report_sha256(report, weights->sha256);
	}
	report_words(report, ", read back");
	report_end(report);
}

static void
say_provenance(struct report *report, const char *path, const struct m2h_conversion *conversion)
{
	if (path == NULL)
		return;
	report_begin(report, "wrote");
	report_escaped(report, path);
	report_words(report, ": provenance of %zu files", conversion->output_count);
	report_end(report);
}

/* What a dry run is for: the plan, as data. */
static void
say_plan(struct report *report, const struct options *options,
	const struct m2h_conversion *conversion)
{
	uint64_t total = 0;
	char     number[TEXT_NUMBER_SIZE];

	say_findings(report, conversion);
	if (!report->verbose)
		report_decisions(report, "decided", conversion->decisions, conversion->decision_count);
	report_begin(report, "plan");
	report_words(report, "%zu tensors in %zu copies, %zu replicas compared",
		conversion->tensors, conversion->copies, conversion->replicas);
	report_end(report);
	say_account(report, conversion);
	for (size_t i = 0; i < conversion->output_count; i++) {
		say_output(report, &conversion->outputs[i], false);
		total += conversion->outputs[i].bytes;
	}
	report_begin(report, "write");
	report_escaped(report, options->stream != NULL ? "standard output" : options->output);
	report_words(report, ": %s", text_byte_count(number, total));
	if (conversion->free_bytes != UINT64_MAX)
		report_words(report, ", %s are free there",
			text_byte_count(number, conversion->free_bytes));
	report_end(report);
	report_begin(report, "memory");
	report_words(report, "buffers of at most %s",
		text_byte_count(number, conversion->memory_bytes));
	report_end(report);
	report_begin(report, "status");
	report_words(report, "%d, judging by structure alone; nothing was written",
		conversion->status);
	report_end(report);
}

static void
say_conversion(const struct options *options, const struct m2h_conversion *conversion,
	struct text *out)
{
	struct report report = report_start(options, STDERR_FILENO, LABEL_WIDTH);

	if (conversion->status != M2H_OK) {
		/* A reader that went away had enough, and need not be told. */
		if (conversion->status != M2H_SIGNAL + SIGPIPE)
			report_error(options, conversion->error.message, conversion->error.hint);
		if (options->verbose && !options->json)
			say_findings(&report, conversion);
	} else if (options->dry_run && !options->json) {
		struct report plan = report_start(options, STDOUT_FILENO, LABEL_WIDTH);

		say_plan(&plan, options, conversion);
		report_give(&plan, out);
	} else if (!options->json) {
		if (!options->quiet) {
			say_findings(&report, conversion);
			say_account(&report, conversion);
			say_written(&report, options->output, options->stream != NULL, conversion);
			say_provenance(&report, options->provenance, conversion);
		}
		/* As it was given, since a pipeline uses it. */
		if (options->stream == NULL)
			text_add(out, "%s\n", options->output);
	}
	report_say(&report);
	if (options->json)
		report_json_conversion(out, options, conversion);
}

static bool
refuses_terminal(const struct options *options)
{
	if (options->stream == NULL || options->dry_run || !isatty(STDOUT_FILENO))
		return false;
	report_error(options, "refusing to write binary data to a terminal",
		"send standard output to a file or a pipe");
	return true;
}

int
command_convert(const struct options *options, const struct m2h_error *usage, struct text *out)
{
	const struct m2h_conversion no_memory = {
		.status = M2H_LIMIT, .error = { "oom", "out of memory", "" },
	};
	struct progress       progress;
	struct m2h_conversion *conversion;
	int                    status;

	if (usage != NULL) {
		report_json_conversion(out, options,
			&(struct m2h_conversion){ .status = command_usage_status(usage), .error = *usage });
		return command_usage_status(usage);
	}
	if (refuses_terminal(options))
		return M2H_USAGE;
	progress_start(&progress, options, options->operand);
	conversion = m2h_convert(&(struct m2h_convert_options){
		.source = options->operand,
		.destination = options->output,
		.replace = options->force,
		.dry_run = options->dry_run,
		.sha256 = options->sha256,
		.attention_heads = options->attention_heads,
		.vocab_size = options->vocab_size,
		.tokenizer = options->tokenizer,
		.qkv_layout = options->qkv_layout,
		.activation = options->activation,
		.iteration = options->iteration,
		.memory_limit = options->memory_limit,
		.config = options->config,
		.replicas = options->replicas,
		.weights = options->weights,
		.dtype = options->dtype,
		.allow_overflow = options->allow_overflow,
		.max_shard_bytes = options->max_shard_bytes,
		.profile = options->profile,
		.tensor_sha256 = options->tensor_sha256,
		.read_back = options->read_back,
		.input_sha256 = options->input_sha256,
		.model_card = options->model_card,
		.license = options->license,
		.stream = options->stream,
		.stream_descriptor = STDOUT_FILENO,
		.staging = options->staging,
		.provenance = options->provenance,
		.source_date = options->source_date,
		.strict = options->strict,
		.threads = options->threads,
		.progress = progress_update,
		.progress_context = &progress,
	});
	progress_end(&progress);
	say_conversion(options, conversion != NULL ? conversion : &no_memory, out);
	status = conversion != NULL ? conversion->status : M2H_LIMIT;
	m2h_conversion_free(conversion);
	return status;
}
