#include "cli/command.h"

#include "cli/progress.h"
#include "cli/report.h"
#include "cli/report_json.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define LABEL_WIDTH 11          /* "only in A  " */
#define SCREEN      20          /* lines of tensors without -v */

/* ---- the table --------------------------------------------------------------------- */

/* In front of a tensor, and after a number of them. */
static const struct words {
	const char *label, *counted;
} words_of[] = {
	[M2H_PAIR_EQUAL] = { "equal", "equal" },
	[M2H_PAIR_WITHIN] = { "within", "within the tolerance" },
	[M2H_PAIR_DIFFERS] = { "differs", "different" },
	[M2H_PAIR_SHAPE] = { "shape", "of another shape" },
	[M2H_PAIR_ONLY_A] = { "only in A", "only in A" },
	[M2H_PAIR_ONLY_B] = { "only in B", "only in B" },
};

/* "largest difference 0.0002 (relative 0.01, 3 ulp), first at [0, 4]: 0.5 against 0.25" */
static void
say_values(struct report *report, const struct m2h_pair *pair)
{
	report_words(report, "%" PRIu64 " of %" PRIu64 " numbers differ", pair->differing,
		pair->compared);
	if (pair->outside < pair->differing && pair->outside > 0)
		report_words(report, ", %" PRIu64 " by more than the tolerance", pair->outside);
	if (pair->not_finite > 0)
		report_words(report, ", %" PRIu64 " NaN or infinite", pair->not_finite);
	if (pair->not_finite < pair->differing) {
		report_words(report, ", largest difference %.6g (relative %.6g",
			pair->max_absolute, pair->max_relative);
		if (pair->has_ulps)
			report_words(report, ", %" PRIu64 " ulp", pair->max_ulps);
		report_words(report, ")");
	}
	report_words(report, ", first at %s: %s against %s", pair->first, pair->a.value,
		pair->b.value);
}

/* Name, type and shape; both of them where A and B do not agree. */
static void
say_sides(struct report *report, const struct m2h_pair *pair)
{
	const struct m2h_pair_side *a = &pair->a, *b = &pair->b;
	const struct m2h_pair_side *one = a->name[0] != '\0' ? a : b;
	bool                        two = a->name[0] != '\0' && b->name[0] != '\0';

	report_escaped(report, one->name);
	if (two && strcmp(a->name, b->name) != 0) {
		report_words(report, " and ");
		report_escaped(report, b->name);
	}
	report_words(report, "  %s %s", one->dtype, one->shape);
	if (two && (strcmp(a->dtype, b->dtype) != 0 || strcmp(a->shape, b->shape) != 0))
		report_words(report, " against %s %s", b->dtype, b->shape);
}

static void
say_pair(struct report *report, const struct m2h_pair *pair)
{
	report_begin(report, words_of[pair->state].label);
	say_sides(report, pair);
	if (pair->is_padded) {
		report_words(report, ": padding rows; of the common rows ");
		if (pair->differing == 0)
			report_words(report, "all %" PRIu64 " numbers are equal", pair->compared);
	} else if (pair->differing > 0) {
		report_words(report, ": ");
	}
	if (pair->differing > 0)
		say_values(report, pair);
	report_end(report);
}

static void
say_pairs(struct report *report, const struct m2h_comparison *comparison)
{
	size_t shown = 0, left = 0;

	for (size_t i = 0; i < comparison->pair_count; i++) {
		const struct m2h_pair *pair = &comparison->pairs[i];

		if (!report->verbose && pair->state == M2H_PAIR_EQUAL)
			continue;
		if (report->verbose || shown < SCREEN) {
			say_pair(report, pair);
			shown++;
		} else {
			left++;
		}
	}
	if (left > 0) {
		report_begin(report, "...");
		report_words(report, "and %zu more (-v lists them)", left);
		report_end(report);
	}
}

/* "28 tensors: 27 equal, 1 differs; 827,088 numbers compared, 3 differ" */
static void
say_summary(struct report *report, const struct m2h_comparison *comparison)
{
	char compared[TEXT_NUMBER_SIZE], differing[TEXT_NUMBER_SIZE];
	bool first = true;

	report_begin(report, comparison->status == M2H_OK ? "ok" : "different");
	report_words(report, "%zu tensor%s: ", comparison->pair_count,
		comparison->pair_count == 1 ? "" : "s");
	for (int i = 0; i < M2H_PAIR_STATES; i++) {
		if (comparison->states[i] == 0)
			continue;
		report_piece(report, &first);
		report_words(report, "%zu %s", comparison->states[i], words_of[i].counted);
	}
	report_words(report, "%s%s numbers compared, %s differ", first ? "" : "; ",
		text_grouped(compared, comparison->compared),
		text_grouped(differing, comparison->differing));
	report_end(report);
}

static void
say_comparison(const struct options *options, const struct m2h_comparison *comparison,
	struct text *out)
{
	struct report report = report_start(options, STDOUT_FILENO, LABEL_WIDTH);

	if (report.verbose) {
		report_inputs(&report, "A", comparison->files_a, comparison->file_count_a);
		report_inputs(&report, "B", comparison->files_b, comparison->file_count_b);
	}
	say_pairs(&report, comparison);
	say_summary(&report, comparison);
	report_give(&report, out);
}

/* ---- the command ------------------------------------------------------------------- */

static void
say_notes(const struct options *options, const struct m2h_comparison *comparison)
{
	struct report report = report_start(options, STDERR_FILENO, 9);

	report_notes(&report, comparison->notes, comparison->note_count);
	report_say(&report);
}

static struct m2h_comparison *
run(const struct options *options)
{
	struct progress        progress;
	struct m2h_comparison *comparison;

	progress_start(&progress, options, options->operand);
	comparison = m2h_diff(&(struct m2h_diff_options){
		.a = options->operand,
		.b = options->second,
		.has_tolerance = options->has_tolerance,
		.tolerance = options->tolerance,
		.threads = options->threads,
		.progress = progress_update,
		.progress_context = &progress,
	});
	progress_end(&progress);
	return comparison;
}

int
command_diff(const struct options *options, const struct m2h_error *usage, struct text *out)
{
	struct m2h_comparison  instead = {
		.status = M2H_LIMIT, .error = { "oom", "out of memory", "" },
	};
	struct m2h_comparison       *comparison = NULL;
	const struct m2h_comparison *result = &instead;
	int                          status;

	if (usage != NULL) {
		instead.status = command_usage_status(usage);
		instead.error = *usage;
	} else {
		if ((comparison = run(options)) != NULL)
			result = comparison;
		if (!options->quiet && !options->json)
			say_notes(options, result);
		if (result->status != M2H_OK)
			report_error(options, result->error.message, result->error.hint);
	}
	if (options->json)
		report_json_comparison(out, options, result);
	else if (!options->quiet && result->status <= M2H_MISMATCH)
		say_comparison(options, result, out);
	status = result->status;
	m2h_comparison_free(comparison);
	return status;
}
