#include "check/verify.h"
#include "convert/answer.h"

#include <stdlib.h>
#include <string.h>

struct verification {
	struct m2h_verification result;         /* first: what the caller holds */
	struct answer           answer;
};

static void
on_progress(void *context, uint64_t done, uint64_t total)
{
	const struct m2h_verify_options *options = context;

	options->progress(options->progress_context, M2H_CHECKING, done, total);
}

static void
answer_files(struct verification *verification, const struct verify_result *found)
{
	struct m2h_file *files = answer_take(&verification->answer, found->file_count,
		sizeof *files);

	if (files == NULL)
		return;
	for (size_t i = 0; i < found->file_count; i++) {
		files[i].name = answer_text(&verification->answer, found->files[i].name);
		files[i].member = "";
		files[i].bytes = found->files[i].bytes;
		memcpy(files[i].sha256, found->files[i].sha256, sizeof files[i].sha256);
	}
	verification->result.files = files;
	verification->result.file_count = found->file_count;
}

static void
answer_problems(struct verification *verification, const struct verify_result *found)
{
	struct m2h_problem *problems = answer_take(&verification->answer, found->problem_count,
		sizeof *problems);

	if (problems == NULL)
		return;
	for (size_t i = 0; i < found->problem_count; i++) {
		problems[i].status = answer_status(&found->problems[i]);
		answer_error(&verification->answer, &found->problems[i], &problems[i].error);
	}
	verification->result.problems = problems;
	verification->result.problem_count = found->problem_count;
}

/* A signature by whomever would prove nothing. */
static bool
check_trust(const struct m2h_verify_options *options, struct error *err)
{
	if ((options->key != NULL || options->ca != NULL) == (options->signature != NULL)
	    && (options->key == NULL || options->ca == NULL))
		return true;
	return error_set(err, ERROR_USAGE, "usage",
		"a signature goes with either a key or root certificates");
}

struct m2h_verification *
m2h_verify(const struct m2h_verify_options *options)
{
	struct verification *verification = calloc(1, sizeof *verification);
	struct verify_result found = { 0 };
	struct error         err = { 0 };
	const struct error  *worst = NULL;
	struct verify_trust  trust = { options->signature, options->key, options->ca };

	if (verification == NULL)
		return NULL;
	answer_init(&verification->answer);
	if (options->directory == NULL || options->directory[0] == '\0') {
		error_set(&err, ERROR_USAGE, "usage", "no directory was named");
		worst = &err;
	} else if (!check_trust(options, &err)) {
		worst = &err;
	} else if (!verify_directory(options->directory,
		options->signature != NULL ? &trust : NULL,
		options->progress != NULL ? on_progress : NULL, (void *)options, &found,
		&verification->answer.log, &err)) {
		worst = &err;
	} else {
		worst = verify_severest(&found);
	}
	verification->result.status = worst != NULL ? answer_status(worst) : M2H_OK;
	answer_error(&verification->answer, worst != NULL ? worst : &err,
		&verification->result.error);
	answer_problems(verification, &found);
	answer_files(verification, &found);
	answer_notes(&verification->answer, &verification->result.notes,
		&verification->result.note_count);
	verification->result.tensors = found.tensors;
	answer_settle(&verification->answer, &verification->result.status,
		&verification->result.error);
	verify_fini(&found);
	return &verification->result;
}

void
m2h_verification_free(struct m2h_verification *result)
{
	struct verification *verification = (struct verification *)result;

	if (verification == NULL)
		return;
	answer_fini(&verification->answer);
	free(verification);
}
