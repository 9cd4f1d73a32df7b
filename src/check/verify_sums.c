#include "check/verify_sums.h"

#include <string.h>

#define NAME "SHA256SUMS"

bool
verify_sums_parse(struct verify_run *run, struct error *err)
{
	const struct verify_entry *list = verify_run_find(run, NAME);
	struct error               problem = { 0 };

	if (list == NULL) {
		decision_log_note(run->log, NOTE_NOTE, "no-sums",
			"no " NAME ": the files were not compared with checksums of their own");
		return true;
	}
	if (list->text == NULL)
		return true;
	if (!sums_parse(list->text, list->text_length, &run->result->arena, &run->sums, &problem)) {
		if (problem.kind == ERROR_LIMIT) {
			*err = problem;
			return false;
		}
		/* As sha256sum -c: a list of nothing verifies nothing. */
		problem.kind = ERROR_MISMATCH;
		error_in_file(&problem, NAME);
		verify_run_problem(run, &problem);
		return true;
	}
	run->has_sums = true;
	if (run->sums.malformed > 0)
		decision_log_note(run->log, NOTE_WARNING, "sums-malformed",
			NAME ": %zu %s improperly formatted", run->sums.malformed,
			run->sums.malformed == 1 ? "line is" : "lines are");
	for (size_t i = 0; i < run->sums.count; i++) {
		struct sums_line *line = &run->sums.lines[i];

		while (text_has_prefix(line->name, "./"))
			line->name += 2;
	}
	return true;
}

static void
compare_line(struct verify_run *run, const struct sums_line *line)
{
	const struct verify_entry *entry;

	if (!verify_run_is_inside(line->name)) {
		verify_run_report(run, ERROR_UNSAFE, "sumspath", NAME, NULL,
			"refusing a path outside the directory: \"%.200s\"", line->name);
	} else if (strcmp(line->name, NAME) == 0) {
		verify_run_report(run, ERROR_MISMATCH, "sumsself", NAME, NULL,
			"lists itself: that can never match");
	} else if ((entry = verify_run_find(run, line->name)) == NULL) {
		verify_run_report(run, ERROR_MISMATCH, "sumsmiss", line->name, NULL,
			"listed in " NAME ", but missing");
	} else if (entry->is_read && strcmp(entry->sha256, line->sha256) != 0) {
		verify_run_report(run, ERROR_MISMATCH, "vsums", line->name, NULL,
			"SHA-256 differs from " NAME ": expected %s, found %s", line->sha256,
			entry->sha256);
	}
}

void
verify_sums_compare(struct verify_run *run)
{
	if (!run->has_sums)
		return;
	for (size_t i = 0; i < run->sums.count; i++)
		compare_line(run, &run->sums.lines[i]);
	for (size_t i = 0; i < run->count; i++) {
		const struct verify_entry *entry = &run->entries[i];

		if (!entry->is_listed && !entry->is_exempt)
			verify_run_report(run, ERROR_MISMATCH, "sumsextra", entry->name, NULL,
				"is not listed in " NAME);
	}
}
