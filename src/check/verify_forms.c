#include "check/verify_forms.h"

#include "check/diff.h"
#include "check/verify_model.h"

#include <string.h>

#define FEW_NAMES 3             /* that a message lists */

static bool
counts(const struct diff_tensor *pair)
{
	switch (pair->state) {
	case DIFF_EQUAL:
		return false;
	case DIFF_ONLY_A:
		return !verify_model_may_lack(pair->a->name);
	case DIFF_ONLY_B:
		return !verify_model_may_lack(pair->b->name);
	default:
		return true;
	}
}

static void
report(struct verify_run *run, const char *file, const struct diff_result *found)
{
	char   names[3 * 100 + 32] = "";
	size_t count = 0;

	for (size_t i = 0; i < found->count; i++) {
		const struct diff_tensor *pair = &found->tensors[i];
		size_t                    used = strlen(names);

		if (!counts(pair))
			continue;
		if (count++ < FEW_NAMES)
			text_format(names + used, sizeof names - used, "%s%.90s",
				used > 0 ? ", " : "",
				pair->a != NULL ? pair->a->name : pair->b->name);
	}
	if (count > 0)
		verify_run_report(run, ERROR_MISMATCH, "vdouble", file, NULL,
			"the two weight files differ in %zu tensor%s: %s%s", count,
			count == 1 ? "" : "s", names, count > FEW_NAMES ? ", ..." : "");
}

/* What cannot be read in any order is no fault of the directory. */
static bool
tell_fault(struct verify_run *run, struct error *problem, struct error *err)
{
	if (problem->kind == ERROR_SIGNAL || strcmp(problem->slug, "oom") == 0) {
		*err = *problem;
		return false;
	}
	if (problem->kind == ERROR_UNSUPPORTED)
		decision_log_note(run->log, NOTE_WARNING, "weights-in-two-forms",
			"the weights are there twice: each set was checked by itself, their "
			"numbers were not compared: %s", problem->text);
	else
		verify_run_problem(run, problem);
	return true;
}

bool
verify_forms(struct verify_run *run, enum weight_form one, enum weight_form other,
	const char *file, struct error *err)
{
	const struct diff_options options = { .tolerance = -1, .threads = run->threads };
	struct weight_set        *a = NULL, *b = NULL;
	struct diff_result        found = { 0 };
	struct error              problem = { 0 };
	bool                      done;

	if ((a = weight_set_open(run->path, one, &problem)) != NULL
	    && (b = weight_set_open(run->path, other, &problem)) != NULL
	    && diff_sets(a, b, &options, &found, &problem))
		report(run, file, &found);
	done = problem.kind == ERROR_NONE || tell_fault(run, &problem, err);
	diff_fini(&found);
	weight_set_close(a);
	weight_set_close(b);
	return done;
}
