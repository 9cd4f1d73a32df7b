#include "base/signals.h"
#include "check/sign.h"
#include "convert/answer.h"

#include <stdlib.h>
#include <string.h>

struct signing {
	struct m2h_signing result;              /* first: what the caller holds */
	struct answer      answer;
};

static void
on_progress(void *context, uint64_t done, uint64_t total)
{
	const struct m2h_sign_options *options = context;

	options->progress(options->progress_context, M2H_READING, done, total);
}

static bool
on_question(void *context, char *to, size_t size, struct error *err)
{
	const struct m2h_sign_options *options = context;
	char                           reason[256] = "";

	if (options->passphrase != NULL
	    && options->passphrase(options->passphrase_context, to, size, reason))
		return true;
	if (!signals_go_on(err))
		return false;
	return error_set(err, ERROR_NO_OUTPUT, "signpath", "the key is encrypted, and %s",
		reason[0] != '\0' ? reason : "there is no passphrase");
}

static void
answer_signed(struct signing *signing, const struct sign_result *found)
{
	const struct statement *statement = &found->statement;
	struct m2h_file        *files = answer_take(&signing->answer, statement->count,
		sizeof *files);

	signing->result.output = answer_text(&signing->answer, found->output);
	memcpy(signing->result.fingerprint, found->fingerprint, sizeof found->fingerprint);
	memcpy(signing->result.root, statement->root, sizeof statement->root);
	if (files == NULL)
		return;
	for (size_t i = 0; i < statement->count; i++) {
		files[i].name = answer_text(&signing->answer, statement->files[i].name);
		files[i].member = "";
		files[i].bytes = found->sizes[i];
		memcpy(files[i].sha256, statement->files[i].sha256, sizeof files[i].sha256);
	}
	signing->result.files = files;
	signing->result.file_count = statement->count;
}

static bool
check_options(const struct m2h_sign_options *options, struct error *err)
{
	if (options->directory == NULL || options->directory[0] == '\0')
		return error_set(err, ERROR_USAGE, "usage", "no directory was named");
	return options->key != NULL || error_set(err, ERROR_USAGE, "usage", "no key was named");
}

struct m2h_signing *
m2h_sign(const struct m2h_sign_options *options)
{
	struct signing    *signing = calloc(1, sizeof *signing);
	struct sign_result found = { .output = NULL };
	struct error       err = { 0 };
	struct sign_order  order = {
		.directory = options->directory, .key = options->key,
		.certificate = options->certificate, .output = options->output,
		.replace = options->replace, .ask = on_question, .ask_context = (void *)options,
		.progress = options->progress != NULL ? on_progress : NULL,
		.progress_context = (void *)options,
	};
	bool               done;

	if (signing == NULL)
		return NULL;
	answer_init(&signing->answer);
	done = check_options(options, &err)
		&& sign_directory(&order, &found, &signing->answer.log, &err);
	if (done)
		answer_signed(signing, &found);
	signing->result.status = answer_status(&err);
	signing->result.output = answer_text(&signing->answer, signing->result.output);
	answer_error(&signing->answer, &err, &signing->result.error);
	answer_notes(&signing->answer, &signing->result.notes, &signing->result.note_count);
	answer_settle(&signing->answer, &signing->result.status, &signing->result.error);
	if (done && signing->result.status != M2H_OK)
		signing->result.error.hint = "the signature itself is complete and in its place";
	sign_fini(&found);
	return &signing->result;
}

void
m2h_signing_free(struct m2h_signing *result)
{
	struct signing *signing = (struct signing *)result;

	if (signing == NULL)
		return;
	answer_fini(&signing->answer);
	free(signing);
}
