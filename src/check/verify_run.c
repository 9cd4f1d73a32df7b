#include "check/verify_run.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PROBLEMS 1000

unsigned
verify_run_severity(enum error_kind kind)
{
	static const enum error_kind order[] = {
		ERROR_MISMATCH, ERROR_NO_OUTPUT, ERROR_NO_INPUT, ERROR_UNSUPPORTED, ERROR_LIMIT,
		ERROR_CORRUPT, ERROR_UNSAFE, ERROR_INTERNAL,
	};
	unsigned severity = 0;

	while (severity < sizeof order / sizeof *order && order[severity] != kind)
		severity++;
	return severity;
}

/* A place for one more: a new one, or that of the first problem that is less severe.  Without
 * memory for it what is found says too little: the log's failure is that of the whole. */
static struct error *
place_for(struct verify_run *run, enum error_kind kind)
{
	struct verify_result *result = run->result;

	if (result->problem_count == MAX_PROBLEMS) {
		for (size_t i = 0; i < MAX_PROBLEMS; i++) {
			if (verify_run_severity(result->problems[i].kind) < verify_run_severity(kind))
				return &result->problems[i];
		}
		return NULL;
	}
	if (result->problem_count == run->problem_room) {
		size_t        room = run->problem_room == 0 ? 16 : 2 * run->problem_room;
		struct error *grown = realloc(result->problems, room * sizeof *grown);

		if (grown == NULL) {
			run->log->failed = true;
			return NULL;
		}
		result->problems = grown;
		run->problem_room = room;
	}
	return &result->problems[result->problem_count++];
}

void
verify_run_problem(struct verify_run *run, const struct error *problem)
{
	struct error *place;

	if (run->result->problem_count == MAX_PROBLEMS && !run->is_full) {
		run->is_full = true;
		decision_log_note(run->log, NOTE_WARNING, "too-many-problems",
			"more than %d problems: not all are listed", MAX_PROBLEMS);
	}
	if ((place = place_for(run, problem->kind)) != NULL)
		*place = *problem;
}

void
verify_run_report(struct verify_run *run, enum error_kind kind, const char *slug,
	const char *file, const char *tensor, const char *fmt, ...)
{
	struct error problem = { 0 };
	char         text[sizeof problem.text];
	va_list      args;

	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	error_set(&problem, kind, slug, "%s", text);
	error_in_file(&problem, file);
	if (tensor != NULL)
		error_in_tensor(&problem, tensor);
	verify_run_problem(run, &problem);
}

static int
compare_entry(const void *name, const void *entry)
{
	return strcmp(name, ((const struct verify_entry *)entry)->name);
}

struct verify_entry *
verify_run_find(const struct verify_run *run, const char *name)
{
	if (run->count == 0)
		return NULL;
	return bsearch(name, run->entries, run->count, sizeof *run->entries, compare_entry);
}

static int
compare_tensor(const void *name, const void *tensor)
{
	return strcmp(name, ((const struct safetensors_tensor *)tensor)->name);
}

const struct safetensors_tensor *
verify_run_find_tensor(const struct verify_entry *entry, const char *name)
{
	if (entry->tensor_count == 0)
		return NULL;
	return bsearch(name, entry->tensors, entry->tensor_count, sizeof *entry->tensors,
		compare_tensor);
}

bool
verify_run_is_inside(const char *name)
{
	if (name[0] == '/' || name[0] == '\0')
		return false;
	for (const char *at = name; at != NULL; at = strchr(at, '/')) {
		if (*at == '/')
			at++;
		if (strncmp(at, "..", 2) == 0 && (at[2] == '/' || at[2] == '\0'))
			return false;
	}
	return true;
}
