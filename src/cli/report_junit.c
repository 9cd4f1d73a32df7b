#include "cli/report_junit.h"

#include "cli/escape.h"

#include <stdlib.h>
#include <string.h>

/* A testcase: a file, or a tensor in one, and its problems. */
struct junit_case {
	const char               *file, *tensor;        /* tensor "": the file itself */
	struct m2h_problem const *const *problems;
	size_t                    count;
};

struct junit {
	const struct report_subject *subject;
	struct m2h_problem           whole;     /* stands for a check that could not begin */
	const struct m2h_problem   **sorted;
	size_t                       problem_count;
	struct junit_case           *cases;
	size_t                       count, failures, errors;
};

/* ---- problems by place ------------------------------------------------------------ */

/* Problems of no file are the directory's. */
static const char *
file_of(const struct m2h_problem *problem)
{
	return problem->file == NULL || problem->file[0] == '\0' ? "." : problem->file;
}

static const char *
tensor_of(const struct m2h_problem *problem)
{
	return problem->tensor == NULL ? "" : problem->tensor;
}

static int
compare_place(const char *file, const char *tensor, const char *other_file,
	const char *other_tensor)
{
	int order = strcmp(file, other_file);

	return order != 0 ? order : strcmp(tensor, other_tensor);
}

/* Problems of one place stay in the order in which they were found: that of the array. */
static int
compare_problems(const void *a, const void *b)
{
	const struct m2h_problem *one = *(const struct m2h_problem *const *)a;
	const struct m2h_problem *two = *(const struct m2h_problem *const *)b;
	int order = compare_place(file_of(one), tensor_of(one), file_of(two), tensor_of(two));

	return order != 0 ? order : one < two ? -1 : one > two;
}

static int
compare_cases(const void *a, const void *b)
{
	const struct junit_case *one = a, *two = b;

	return compare_place(one->file, one->tensor, two->file, two->tensor);
}

static bool
sort_problems(struct junit *junit)
{
	const struct m2h_verification *result = junit->subject->result;

	junit->problem_count = result->problem_count;
	junit->sorted = calloc(result->problem_count + 1, sizeof(const struct m2h_problem *));
	if (junit->sorted == NULL)
		return false;
	for (size_t i = 0; i < result->problem_count; i++)
		junit->sorted[i] = &result->problems[i];
	if (result->problem_count == 0 && result->status != M2H_OK) {
		junit->whole = (struct m2h_problem){ .status = result->status,
			.error = result->error };
		junit->sorted[junit->problem_count++] = &junit->whole;
	}
	qsort(junit->sorted, junit->problem_count, sizeof(const struct m2h_problem *),
		compare_problems);
	return true;
}

static bool
has_place(const struct m2h_problem *problem, const char *file, const char *tensor)
{
	return compare_place(file_of(problem), tensor_of(problem), file, tensor) == 0;
}

/* All files, and what the problems add to them; sorted, so that the order of the files does
 * not matter. */
static bool
make_cases(struct junit *junit)
{
	const struct m2h_verification *result = junit->subject->result;
	size_t made = 0, kept = 0;

	junit->cases = calloc(result->file_count + junit->problem_count + 1,
		sizeof *junit->cases);
	if (junit->cases == NULL)
		return false;
	for (size_t i = 0; i < result->file_count; i++)
		junit->cases[made++] = (struct junit_case){ .file = result->files[i].name,
			.tensor = "" };
	for (size_t i = 0, end; i < junit->problem_count; i = end) {
		const char *file = file_of(junit->sorted[i]), *tensor = tensor_of(junit->sorted[i]);

		for (end = i; end < junit->problem_count
			&& has_place(junit->sorted[end], file, tensor); end++)
			;
		junit->cases[made++] = (struct junit_case){ .file = file, .tensor = tensor,
			.problems = junit->sorted + i, .count = end - i };
	}
	qsort(junit->cases, made, sizeof *junit->cases, compare_cases);
	/* A file and the problems of it are neighbours now, and become one. */
	for (size_t i = 0; i < made; i++) {
		struct junit_case *last = kept > 0 ? &junit->cases[kept - 1] : NULL;

		if (last != NULL && compare_cases(last, &junit->cases[i]) == 0) {
			if (junit->cases[i].count > 0) {
				last->problems = junit->cases[i].problems;
				last->count = junit->cases[i].count;
			}
			continue;
		}
		junit->cases[kept++] = junit->cases[i];
	}
	junit->count = kept;
	return true;
}

/* The problem that names a testcase, NULL: it is fine.  The first that is more than "no". */
static const struct m2h_problem *
leading_problem(const struct junit_case *testcase)
{
	for (size_t i = 0; i < testcase->count; i++)
		if (testcase->problems[i]->status != M2H_MISMATCH)
			return testcase->problems[i];
	return testcase->count > 0 ? testcase->problems[0] : NULL;
}

/* ---- writing ---------------------------------------------------------------------- */

static void
add_attribute(struct text *to, const char *name, const char *value)
{
	text_add(to, " %s=\"", name);
	escape_xml(to, value);
	text_add(to, "\"");
}

static void
add_counts(struct text *to, const struct junit *junit)
{
	text_add(to, " tests=\"%zu\" failures=\"%zu\" errors=\"%zu\"", junit->count,
		junit->failures, junit->errors);
}

static void
add_problems(struct text *to, const struct junit_case *testcase,
	const struct m2h_problem *leading)
{
	const char *element = leading->status == M2H_MISMATCH ? "failure" : "error";

	text_add(to, "      <%s", element);
	add_attribute(to, "type", leading->error.slug);
	add_attribute(to, "message", leading->error.message);
	text_add(to, ">");
	for (size_t i = 0; i < testcase->count; i++) {
		const struct m2h_error *error = &testcase->problems[i]->error;

		text_add(to, "%s", i > 0 ? "\n" : "");
		escape_xml(to, report_subject_status(testcase->problems[i]->status));
		text_add(to, " ");
		escape_xml(to, error->slug);
		text_add(to, ": ");
		escape_xml(to, error->message);
		if (error->hint != NULL && error->hint[0] != '\0') {
			text_add(to, "\nhint: ");
			escape_xml(to, error->hint);
		}
	}
	text_add(to, "</%s>\n", element);
}

static void
add_case(struct text *to, const struct junit *junit, const struct junit_case *testcase)
{
	const struct m2h_problem *leading = leading_problem(testcase);

	text_add(to, "    <testcase");
	add_attribute(to, "classname", junit->subject->directory);
	text_add(to, " name=\"");
	escape_xml(to, testcase->file);
	if (testcase->tensor[0] != '\0')
		text_add(to, ": ");
	escape_xml(to, testcase->tensor);
	text_add(to, "\"");
	if (leading == NULL) {
		text_add(to, "/>\n");
		return;
	}
	text_add(to, ">\n");
	add_problems(to, testcase, leading);
	text_add(to, "    </testcase>\n");
}

static void
add_notes(struct text *to, const struct m2h_verification *result)
{
	if (result->note_count == 0)
		return;
	text_add(to, "    <system-out>");
	for (size_t i = 0; i < result->note_count; i++) {
		text_add(to, "%s%s ", i > 0 ? "\n" : "",
			result->notes[i].is_warning ? "warning" : "note");
		escape_xml(to, result->notes[i].slug);
		text_add(to, ": ");
		escape_xml(to, result->notes[i].text);
	}
	text_add(to, "</system-out>\n");
}

static void
add_document(struct text *to, const struct junit *junit)
{
	text_add(to, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"megatron2hf\"");
	add_counts(to, junit);
	text_add(to, ">\n  <testsuite name=\"megatron2hf ");
	escape_xml(to, junit->subject->command);
	text_add(to, " ");
	escape_xml(to, junit->subject->directory);
	text_add(to, "\"");
	add_counts(to, junit);
	text_add(to, " skipped=\"0\">\n    <properties>\n      <property name=\"version\"");
	add_attribute(to, "value", m2h_version());
	text_add(to, "/>\n    </properties>\n");
	for (size_t i = 0; i < junit->count; i++)
		add_case(to, junit, &junit->cases[i]);
	add_notes(to, junit->subject->result);
	text_add(to, "  </testsuite>\n</testsuites>\n");
}

void
report_junit(struct text *to, const struct report_subject *subject)
{
	struct junit junit = { .subject = subject };

	if (!sort_problems(&junit) || !make_cases(&junit)) {
		to->failed = true;
		goto out;
	}
	for (size_t i = 0; i < junit.count; i++) {
		const struct m2h_problem *leading = leading_problem(&junit.cases[i]);

		if (leading != NULL && leading->status == M2H_MISMATCH)
			junit.failures++;
		else if (leading != NULL)
			junit.errors++;
	}
	add_document(to, &junit);
out:
	free(junit.cases);
	free(junit.sorted);
}
