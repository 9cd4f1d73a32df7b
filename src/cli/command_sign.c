#include "cli/command.h"

#include "cli/passphrase.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/report_json.h"

#include <unistd.h>

#define LABEL_WIDTH 9

/* "signed   gpt2-345m: 9 files  key sha256 e845…0d", after notes and before the path. */
static void
say_signed(const struct options *options, const struct m2h_signing *signing)
{
	struct report report = report_start(options, STDERR_FILENO, LABEL_WIDTH);

	report_notes(&report, signing->notes, signing->note_count);
	if (signing->status == M2H_OK) {
		if (report.verbose)
			report_inputs(&report, "file", signing->files, signing->file_count);
		report_begin(&report, "signed");
		report_escaped(&report, options->operand);
		report_words(&report, ": ");
		report_count(&report, signing->file_count, "file", "files");
		report_words(&report, "  key ");
		report_sha256(&report, signing->fingerprint);
		report_words(&report, "  root ");
		report_sha256(&report, signing->root);
		report_end(&report);
	}
	report_say(&report);
}

/* An m2h_passphrase: the question is asked on an empty line. */
static bool
ask(void *context, char *to, size_t size, char *reason)
{
	progress_end(context);
	return passphrase_ask(NULL, to, size, reason);
}

static struct m2h_signing *
run(const struct options *options)
{
	struct progress     progress;
	struct m2h_signing *signing;

	progress_start(&progress, options, options->operand);
	signing = m2h_sign(&(struct m2h_sign_options){
		.directory = options->operand,
		.key = options->key,
		.certificate = options->certificate,
		.output = options->output,
		.replace = options->force,
		.passphrase = ask,
		.passphrase_context = &progress,
		.progress = progress_update,
		.progress_context = &progress,
	});
	progress_end(&progress);
	return signing;
}

int
command_sign(const struct options *options, const struct m2h_error *usage, struct text *out)
{
	struct m2h_signing  instead = {
		.status = M2H_LIMIT, .error = { "oom", "out of memory", "" },
	};
	struct m2h_signing       *signing = NULL;
	const struct m2h_signing *result = &instead;
	int                       status;

	if (usage != NULL) {
		instead.status = command_usage_status(usage);
		instead.error = *usage;
	} else {
		if ((signing = run(options)) != NULL)
			result = signing;
		if (!options->quiet && !options->json)
			say_signed(options, result);
		if (result->status != M2H_OK)
			report_error(options, result->error.message, result->error.hint);
	}
	if (options->json)
		report_json_signing(out, options, result);
	else if (result->status == M2H_OK)
		text_add(out, "%s\n", result->output);
	status = result->status;
	m2h_signing_free(signing);
	return status;
}
