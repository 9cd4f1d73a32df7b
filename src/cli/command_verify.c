#include "cli/command.h"

#include "cli/progress.h"
#include "cli/report.h"
#include "cli/report_forms.h"
#include "cli/report_github.h"
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
		.memory_limit = options->memory_limit,
		.replicas = options->replicas,
		.has_tolerance = options->has_tolerance,
		.tolerance = options->tolerance,
		.threads = options->threads,
		.signature = options->signature,
		.key = options->key,
		.ca = options->ca,
		.progress = progress_update,
		.progress_context = &progress,
	});
	progress_end(&progress);
	return verification;
}

/* What was found, to the person; to GitHub's runner where that reads along. */
static void
say_findings(const struct options *options, const struct report_subject *subject,
	struct text *out)
{
	struct text annotations = { 0 };

	if (!report_forms_has(options, FORM_GITHUB)) {
		if (!options->quiet && !options->json)
			say_notes(options, subject->result);
		if (subject->result->status != M2H_OK)
			say_problems(options, subject->result);
		return;
	}
	/* In place of the lines, not beside them: the runner would find commands in those. */
	report_github_annotations(options->json ? &annotations : out, subject);
	report_say(&(struct report){ .text = annotations });
}

static void
fail(struct m2h_verification *shown, const struct error *err, char *line, size_t size)
{
	shown->status = (int)err->kind;
	shown->error = (struct m2h_error){ err->slug, error_line(err, line, size), err->hint };
}

/* A report that cannot be written is status 7: worse than a mismatch, and nothing else. */
static void
write_reports(const struct options *options, const struct report_subject *subject,
	struct m2h_verification *shown, struct error *err, char *line, size_t size)
{
	if (shown->status >= M2H_SIGNAL || report_forms_write(options, subject, err))
		return;
	report_error(options, error_line(err, line, size), err->hint);
	if (shown->status == M2H_OK || shown->status == M2H_MISMATCH)
		fail(shown, err, line, size);
}

int
command_verify(const struct options *options, const struct m2h_error *usage, struct text *out)
{
	struct m2h_verification  instead = {
		.status = M2H_LIMIT, .error = { "oom", "out of memory", "" },
	};
	struct m2h_verification *verification = NULL, shown = instead;
	struct error             err = { 0 };
	char                     line[1024];

	if (usage != NULL) {
		shown.status = command_usage_status(usage);
		shown.error = *usage;
	} else if (!report_forms_check(options, options->operand, &err)) {
		fail(&shown, &err, line, sizeof line);
		report_error(options, shown.error.message, shown.error.hint);
	} else {
		struct report_subject subject = { "verify", options->operand, &instead };

		if ((verification = run(options)) != NULL)
			subject.result = verification;
		shown = *subject.result;
		say_findings(options, &subject, out);
		write_reports(options, &subject, &shown, &err, line, sizeof line);
	}
	if (options->json)
		report_json_verification(out, options, &shown);
	else if (shown.status == M2H_OK && !options->quiet)
		say_ok(options, &shown, out);
	m2h_verification_free(verification);
	return shown.status;
}
