#include "cli/report_github.h"

#include "cli/escape.h"

#include <string.h>

/* The page of a step may have 1 MiB, which 1000 long problems would fill. */
#define SUMMARY_PROBLEMS 200

static bool
is_named(const char *name)
{
	return name != NULL && name[0] != '\0' && strcmp(name, ".") != 0;
}

/* Files are named from the root of the repository, where steps run. */
static void
add_path(struct text *to, const char *directory, const char *file)
{
	size_t length;

	while (text_has_prefix(directory, "./") && directory[2] != '\0')
		directory += 2;
	if (strcmp(directory, ".") == 0 || strcmp(directory, "./") == 0) {
		escape_property(to, is_named(file) ? file : directory);
		return;
	}
	escape_property(to, directory);
	length = strlen(directory);
	if (is_named(file)) {
		text_add(to, "%s", length > 0 && directory[length - 1] == '/' ? "" : "/");
		escape_property(to, file);
	}
}

static void
add_problem(struct text *to, const struct report_subject *subject, const char *file,
	const struct m2h_error *error, int status)
{
	text_add(to, "::error file=");
	add_path(to, subject->directory, file);
	text_add(to, ",title=");
	escape_property(to, "megatron2hf ");
	escape_property(to, subject->command);
	escape_property(to, ": ");
	escape_property(to, report_subject_status(status));
	text_add(to, " (");
	escape_property(to, error->slug);
	text_add(to, ")::");
	escape_annotation(to, error->message);
	text_add(to, "\n");
}

void
report_github_annotations(struct text *to, const struct report_subject *subject)
{
	const struct m2h_verification *result = subject->result;

	for (size_t i = 0; i < result->problem_count; i++)
		add_problem(to, subject, result->problems[i].file, &result->problems[i].error,
			result->problems[i].status);
	if (result->problem_count == 0 && result->status != M2H_OK)
		add_problem(to, subject, NULL, &result->error, result->status);
	for (size_t i = 0; i < result->note_count; i++) {
		text_add(to, "::%s title=", result->notes[i].is_warning ? "warning" : "notice");
		escape_property(to, "megatron2hf ");
		escape_property(to, subject->command);
		text_add(to, " (");
		escape_property(to, result->notes[i].slug);
		text_add(to, ")::");
		escape_annotation(to, result->notes[i].text);
		text_add(to, "\n");
	}
}

static void
add_item(struct text *to, const char *level, const char *slug, const char *message)
{
	text_add(to, "- %s ", level);
	escape_code(to, slug);
	text_add(to, ": ");
	escape_code(to, message);
	text_add(to, "\n");
}

void
report_github_summary(struct text *to, const struct report_subject *subject)
{
	const struct m2h_verification *result = subject->result;
	size_t shown = result->problem_count < SUMMARY_PROBLEMS ? result->problem_count
		: SUMMARY_PROBLEMS;

	text_add(to, "### megatron2hf %s ", subject->command);
	escape_code(to, subject->directory);
	text_add(to, "\n\n%s (exit status %d): %zu problem%s, %zu files, %zu tensors\n\n",
		report_subject_status(result->status), result->status, result->problem_count,
		result->problem_count == 1 ? "" : "s", result->file_count, result->tensors);
	for (size_t i = 0; i < shown; i++)
		add_item(to, "error", result->problems[i].error.slug,
			result->problems[i].error.message);
	if (result->problem_count == 0 && result->status != M2H_OK)
		add_item(to, "error", result->error.slug, result->error.message);
	if (shown < result->problem_count)
		text_add(to, "- and %zu more\n", result->problem_count - shown);
	for (size_t i = 0; i < result->note_count; i++)
		add_item(to, result->notes[i].is_warning ? "warning" : "note", result->notes[i].slug,
			result->notes[i].text);
	text_add(to, "\n");
}
