#include "cli/command.h"

#include "cli/progress.h"
#include "cli/report.h"
#include "cli/report_json.h"

#include <unistd.h>

#define LABEL_WIDTH 9

/* Every problem with its line, the hint of the worst one only. */
static void
say_problems(const struct options *options, const struct m2h_verification *verification)
{
	for (size_t i = 0; i < verification->problem_count; i++)
		report_error(options, verification->problems[i].error.message,
			i + 1 == verification->problem_count ? verification->error.hint : NULL);
	if (verification->problem_count == 0)
		report_error(options, verification->error.message, verification->error.hint);
}

static void
say_notes(const struct options *options, const struct m2h_verification *verification)
{
	struct report report = report_start(options, STDERR_FILENO, LABEL_WIDTH);

	report_notes(&report, verification->notes, verification->note_count);
	report_say(&report);
}

/* "ok       gpt2-345m: 8 files, 292 tensors" */
static void
say_ok(const struct options *options, const struct m2h_verification *verification,
	struct text *out)
{
	struct report report = report_start(options, STDOUT_FILENO, LABEL_WIDTH);

	if (report.verbose)
		report_inputs(&report, "file", verification->files, verification->file_count);
	report_begin(&report, "ok");
	report_escaped(&report, options->operand);
	report_words(&report, ": %zu files, %zu tensors", verification->file_count,
		verification->tensors);
	if (options->source != NULL) {
		report_words(&report, "; %zu compared with ", verification->compared);
		report_escaped(&report, options->source);
		report_words(&report, options->has_tolerance ? ", within the tolerance"
			: ", bit for bit");
	}
	report_end(&report);
	report_give(&report, out);
}

static struct m2h_verification *
run(const struct options *options)
{
	struct progress          progress;
	struct m2h_verification *verification;

	progress_start(&progress, options, options->operand);
	verification = m2h_verify(&(struct m2h_verify_options){
		.directory = options->operand,
		.source = options->source,
		.attention_heads = options->attention_heads,
		.vocab_size = options->vocab_size,
		.qkv_layout = options->qkv_layout,
		.activation = options->activation,
		.iteration = options->iteration,
		.replicas = options->replicas,
		.has_tolerance = options->has_tolerance,
		.tolerance = options->tolerance,
		.threads = options->threads,
		.progress = progress_update,
		.progress_context = &progress,
	});
	progress_end(&progress);
	return verification;
}

int
command_verify(const struct options *options, const struct m2h_error *usage, struct text *out)
{
	struct m2h_verification  instead = {
		.status = M2H_LIMIT, .error = { "oom", "out of memory", "" },
	};
	struct m2h_verification       *verification = NULL;
	const struct m2h_verification *result = &instead;
	int                            status;

	if (usage != NULL) {
		instead.status = M2H_USAGE;
		instead.error = *usage;
	} else {
		if ((verification = run(options)) != NULL)
			result = verification;
		if (!options->quiet && !options->json)
			say_notes(options, result);
		if (result->status != M2H_OK)
			say_problems(options, result);
	}
	if (options->json)
		report_json_verification(out, options, result);
	else if (result->status == M2H_OK && !options->quiet)
		say_ok(options, result, out);
	status = result->status;
	m2h_verification_free(verification);
	return status;
}
