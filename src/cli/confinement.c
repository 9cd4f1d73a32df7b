#include "cli/confinement.h"

#include "base/path.h"
#include "cli/report.h"
#include "megatron2hf.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LABEL_WIDTH 9

struct places {
	struct m2h_place items[16 + OPTIONS_MAX_REPORTS];
	size_t           count;
};

static void
add(struct places *places, enum m2h_place_kind kind, const char *path)
{
	places->items[places->count++] = (struct m2h_place){ kind, path };
}

static void
add_named(struct places *places, enum m2h_place_kind kind, const char *path)
{
	if (path != NULL)
		add(places, kind, path);
}

/* A file to read.  Standard input may be a pipe, which is stored in `spool` for a while. */
static void
add_input(struct places *places, const char *path, const char *spool)
{
	bool is_input = path != NULL && strcmp(path, "-") == 0;

	add_named(places, is_input ? M2H_PLACE_FILL : M2H_PLACE_READ, is_input ? spool : path);
}

static void
add_source(struct places *places, const char *path, const char *spool)
{
	if (path != NULL && strcmp(path, "-") == 0)
		add(places, M2H_PLACE_FILL, spool);
	else
		add_named(places, M2H_PLACE_SOURCE, path);
}

/* Words such as "auto" are files that are not there, or do no harm. */
static void
for_convert(struct places *places, const struct options *options, char parent[PATH_MAX])
{
	bool is_stream = options->stream != NULL;

	add_source(places, options->operand, is_stream ? options->staging
		: path_parent(options->output, parent, PATH_MAX));
	if (is_stream)
		add(places, M2H_PLACE_FILL, options->staging);
	else
		add(places, options->dry_run ? M2H_PLACE_LOOK : M2H_PLACE_MAKE, options->output);
	add_named(places, options->dry_run ? M2H_PLACE_LOOK : M2H_PLACE_MAKE, options->provenance);
	add_input(places, options->sha256, ".");
	add_input(places, options->config, ".");
	add_input(places, options->model_card, ".");
	add_named(places, M2H_PLACE_READ, options->tokenizer);
}

static void
for_inspect(struct places *places, const struct options *options)
{
	add_source(places, options->operand, "/tmp");
	add_input(places, options->config, ".");
}

static void
for_verify(struct places *places, const struct options *options, char parent[PATH_MAX])
{
	add(places, M2H_PLACE_READ, options->operand);
	add_source(places, options->source, path_parent(options->operand, parent, PATH_MAX));
	add_input(places, options->signature, "/tmp");
	add_named(places, M2H_PLACE_READ, options->key);
	add_named(places, M2H_PLACE_READ, options->ca);
	for (size_t i = 0; i < options->report_count; i++)
		if (options->reports[i].form == FORM_GITHUB)
			add_named(places, M2H_PLACE_APPEND, getenv("GITHUB_STEP_SUMMARY"));
		else
			add(places, M2H_PLACE_MAKE, options->reports[i].file);
}

/* Without --output the signature is made in the directory. */
static void
for_sign(struct places *places, const struct options *options)
{
	add(places, M2H_PLACE_READ, options->operand);
	add_named(places, M2H_PLACE_READ, options->key);
	add_named(places, M2H_PLACE_READ, options->certificate);
	if (options->output != NULL)
		add(places, M2H_PLACE_MAKE, options->output);
	else
		add(places, M2H_PLACE_FILL, options->operand);
	add(places, M2H_PLACE_ASK, "/dev/tty");
}

static void
say(const struct options *options, unsigned confined)
{
	static const char *const words[] = {
		[0] = "none: the kernel has neither Landlock nor seccomp filters for it",
		[M2H_CONFINED_FILES] = "files (Landlock)",
		[M2H_CONFINED_CALLS] = "system calls (seccomp); the kernel has no Landlock",
		[M2H_CONFINED_FILES | M2H_CONFINED_CALLS]
			= "files (Landlock) and system calls (seccomp)",
	};
	struct report report = report_start(options, STDERR_FILENO, LABEL_WIDTH);

	report_begin(&report, "sandbox");
	report_words(&report, "%s", words[confined]);
	report_end(&report);
	report_say(&report);
}

void
confinement_enter(const struct options *options)
{
	struct places places = { .count = 0 };
	char          parent[PATH_MAX];
	unsigned      confined;

	switch (options->command) {
	case COMMAND_CONVERT:
		for_convert(&places, options, parent);
		break;
	case COMMAND_INSPECT:
		for_inspect(&places, options);
		break;
	case COMMAND_VERIFY:
		for_verify(&places, options, parent);
		break;
	case COMMAND_DIFF:
		add(&places, M2H_PLACE_READ, options->operand);
		add(&places, M2H_PLACE_READ, options->second);
		break;
	case COMMAND_SIGN:
		for_sign(&places, options);
		break;
	default:
		return;
	}
	confined = m2h_confine(places.items, places.count);
	if (options->verbose && !options->json)
		say(options, confined);
}
