#ifndef TESTS_UNIT_MODEL_VERDICT_H
#define TESTS_UNIT_MODEL_VERDICT_H

#include "megatron/model.h"

#include "check.h"
#include "scratch_folder.h"

#define MODEL_VERDICT_ARENA ((size_t)64 << 20)

/*
 * Opens the checkpoint in the scratch folder, whose heads are told to be 2, and checks what
 * becomes of it: a model that has parameters (status 0, slug "") or an error that has this slug,
 * this part of its text, and names a file of the folder.  `log`, which is open, gets the notes.
 */
static inline void
model_verdict_check(const char *what, int status, const char *slug, const char *part,
	struct decision_log *log)
{
	const struct shards_options shards_options = { .spool_directory = "/tmp",
		.arena_limit = MODEL_VERDICT_ARENA };
	const struct model_options  options = { .attention_heads = 2 };
	struct error                err = { 0 };
	struct shards              *shards = shards_open(scratch_path(""), &shards_options, log,
		&err);
	struct model               *model = shards != NULL
		? model_open(shards, &options, log, &err) : NULL;

	CHECK((model != NULL) == (status == 0) && (int)err.kind == status, "%s: status %d: %s",
		what, (int)err.kind, err.text);
	CHECK_TEXT(err.slug, slug, "%s", what);
	CHECK(strstr(err.text, part) != NULL, "%s: %s", what, err.text);
	CHECK(status == 0 || strstr(err.file, scratch) != NULL, "%s: names the file", what);
	CHECK(model == NULL || model->parameter_count > 0, "%s: nothing is in it", what);
	model_close(model);
	shards_close(shards);
}

#endif
