#include "base/text.h"
#include "check/diff.h"
#include "convert/answer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct comparison {
	struct m2h_comparison result;           /* first: what the caller holds */
	struct answer         answer;
};

static const struct state {
	const char *name, *counted;             /* "3 of 28 differ: 3 by value" */
} states[] = {
	[M2H_PAIR_EQUAL] = { "equal", "equal" },
	[M2H_PAIR_WITHIN] = { "within", "within the tolerance" },
	[M2H_PAIR_DIFFERS] = { "differs", "by value" },
	[M2H_PAIR_SHAPE] = { "shape", "in shape" },
	[M2H_PAIR_ONLY_A] = { "only_a", "only in A" },
	[M2H_PAIR_ONLY_B] = { "only_b", "only in B" },
};

_Static_assert((int)M2H_PAIR_EQUAL == (int)DIFF_EQUAL
	&& (int)M2H_PAIR_ONLY_B == (int)DIFF_ONLY_B
	&& (int)M2H_PAIR_STATES == (int)DIFF_STATE_COUNT, "states are cast");

const char *
m2h_pair_state_name(enum m2h_pair_state state)
{
	return (unsigned)state < M2H_PAIR_STATES ? states[state].name : "unknown";
}

static void
on_progress(void *context, uint64_t done, uint64_t total)
{
	const struct m2h_diff_options *options = context;

	options->progress(options->progress_context, M2H_CHECKING, done, total);
}

/* ---- the answer ------------------------------------------------------------------- */

static void
answer_files(struct answer *answer, const struct weight_set *set,
	const struct m2h_file **files, size_t *count)
{
	struct m2h_file *table = answer_take(answer, set->file_count, sizeof *table);

	if (table == NULL)
		return;
	for (size_t i = 0; i < set->file_count; i++) {
		table[i].name = answer_text(answer, set->files[i].name);
		table[i].member = "";
		table[i].bytes = set->files[i].input->size;
	}
	*files = table;
	*count = set->file_count;
}

static const char *
shape_text(const struct weight_tensor *tensor, char *to, size_t size)
{
	struct tensor_view view = { .rank = tensor->rank };

	memcpy(view.shape, tensor->shape, sizeof view.shape);
	return tensor_view_shape_text(&view, to, size);
}

static struct m2h_pair_side
answer_side(struct answer *answer, const struct weight_set *set,
	const struct weight_tensor *tensor, const unsigned char *first)
{
	char text[256];

	if (tensor == NULL)
		return (struct m2h_pair_side){ "", "", "", "", "" };
	return (struct m2h_pair_side){
		.name = answer_text(answer, tensor->name),
		.file = answer_text(answer, set->files[tensor->file].name),
		.dtype = dtype_name(tensor->dtype),
		.shape = answer_text(answer, shape_text(tensor, text, sizeof text)),
		.value = first == NULL ? "" : answer_text(answer,
			difference_value_text(tensor->dtype, first, text, sizeof text)),
	};
}

/* The place of an element, "[3, 0]". */
static const char *
answer_index(struct answer *answer, const struct weight_tensor *tensor, uint64_t index)
{
	struct tensor_view place = { .rank = tensor->rank };
	char               text[256];

	for (unsigned i = tensor->rank; i-- > 0;) {
		place.shape[i] = index % tensor->shape[i];
		index /= tensor->shape[i];
	}
	return answer_text(answer, tensor_view_shape_text(&place, text, sizeof text));
}

static void
answer_pair(struct answer *answer, const struct weight_set *a, const struct weight_set *b,
	const struct diff_tensor *found, struct m2h_pair *to)
{
	const struct difference *values = &found->values;
	bool                     differs = values->differing > 0;

	*to = (struct m2h_pair){
		.state = (enum m2h_pair_state)found->state,
		.a = answer_side(answer, a, found->a, differs ? values->first_a : NULL),
		.b = answer_side(answer, b, found->b, differs ? values->first_b : NULL),
		.is_padded = found->is_padded,
		.compared = values->compared, .differing = values->differing,
		.outside = values->outside, .not_finite = values->not_finite,
		.first = differs ? answer_index(answer, found->a, values->first) : "",
		.max_absolute = values->max_absolute, .max_relative = values->max_relative,
		.has_ulps = found->a != NULL && found->b != NULL
			&& difference_has_ulps(found->a->dtype, found->b->dtype),
		.max_ulps = values->max_ulps,
	};
}

/* Of a directory with more than one set of weights readers take the first, and so does this. */
static void
note_passed_over(struct comparison *comparison, const struct weight_set *set, const char *path)
{
	if (set->passed_over != NULL)
		decision_log_note(&comparison->answer.log, NOTE_NOTE, "weights-passed-over",
			"%s: %s is there too and was not looked at; verify holds the weights of a "
			"directory against each other", path, set->passed_over);
}

/* Types that differ are no difference by themselves, but worth a word. */
static void
note_types(struct comparison *comparison, const struct diff_result *found)
{
	const struct diff_tensor *example = NULL;
	size_t                    count = 0;

	for (size_t i = 0; i < found->count; i++) {
		const struct diff_tensor *pair = &found->tensors[i];

		if (pair->a == NULL || pair->b == NULL || pair->a->dtype == pair->b->dtype)
			continue;
		if (count++ == 0)
			example = pair;
	}
	if (count > 0)
		decision_log_note(&comparison->answer.log, NOTE_NOTE, "types-differ",
			"%zu tensor%s of another type in B than in A (%s in A, %s in B: %s): "
			"compared as numbers", count, count == 1 ? " is" : "s are",
			dtype_name(example->a->dtype), dtype_name(example->b->dtype),
			example->a->name);
}

static void
answer_pairs(struct comparison *comparison, const struct weight_set *a,
	const struct weight_set *b, const struct diff_result *found)
{
	struct m2h_comparison *result = &comparison->result;
	struct m2h_pair       *pairs = answer_take(&comparison->answer, found->count,
		sizeof *pairs);

	if (pairs == NULL)
		return;
	for (size_t i = 0; i < found->count; i++) {
		answer_pair(&comparison->answer, a, b, &found->tensors[i], &pairs[i]);
		result->compared += pairs[i].compared;
		result->differing += pairs[i].differing;
	}
	for (size_t i = 0; i < DIFF_STATE_COUNT; i++)
		result->states[i] = found->states[i];
	result->pairs = pairs;
	result->pair_count = found->count;
}

/* "3 of 28 tensors differ: 2 by value, 1 only in A" */
static bool
judge(const struct diff_result *found, struct error *err)
{
	size_t differ = found->count - found->states[DIFF_EQUAL] - found->states[DIFF_WITHIN];
	char   parts[160] = "";

	if (found->count == 0)
		return error_set(err, ERROR_UNSUPPORTED, "notensors",
			"there is no tensor in either: nothing was compared");
	if (differ == 0)
		return true;
	for (int i = DIFF_VALUES; i < DIFF_STATE_COUNT; i++) {
		size_t used = strlen(parts);

		if (found->states[i] > 0)
			text_format(parts + used, sizeof parts - used, "%s%zu %s",
				used > 0 ? ", " : "", found->states[i], states[i].counted);
	}
	return error_set(err, ERROR_MISMATCH, "differ", "%zu of %zu tensors differ%s: %s",
		differ, found->count, differ == 1 ? "s" : "", parts);
}

/* ---- the comparison --------------------------------------------------------------- */

static bool
compare_sets(struct comparison *comparison, const struct m2h_diff_options *options,
	const struct weight_set *a, const struct weight_set *b, struct error *err)
{
	const struct diff_options diff = {
		.tolerance = options->has_tolerance ? options->tolerance : -1,
		.threads = options->threads,
		.progress = options->progress != NULL ? on_progress : NULL,
		.context = (void *)options,
	};
	struct diff_result found;
	bool               done;

	answer_files(&comparison->answer, a, &comparison->result.files_a,
		&comparison->result.file_count_a);
	answer_files(&comparison->answer, b, &comparison->result.files_b,
		&comparison->result.file_count_b);
	done = diff_sets(a, b, &diff, &found, err);
	if (done) {
		answer_pairs(comparison, a, b, &found);
		note_passed_over(comparison, a, options->a);
		note_passed_over(comparison, b, options->b);
		note_types(comparison, &found);
		done = judge(&found, err);
	}
	diff_fini(&found);
	return done;
}

/* The weights of one side.  What holds none that diff knows may be a Megatron checkpoint, which
 * verify compares with. */
static struct weight_set *
open_side(const char *path, const char *other, struct error *err)
{
	struct weight_set *set = weight_set_open(path, WEIGHTS_ANY, err);

	if (set != NULL)
		return set;
	if (strcmp(err->slug, "noweights") == 0 || strcmp(err->slug, "noroot") == 0
	    || strcmp(err->slug, "nesting") == 0)
		error_hint(err, "of a Megatron checkpoint: verify %s --source %s compares with it",
			other, path);
	error_in_file(err, path);
	return NULL;
}

static bool
compare(struct comparison *comparison, const struct m2h_diff_options *options,
	struct error *err)
{
	struct weight_set *a = NULL, *b = NULL;
	bool               done = false;

	if (options->a == NULL || options->a[0] == '\0' || options->b == NULL
	    || options->b[0] == '\0')
		return error_set(err, ERROR_USAGE, "usage", "two files or directories are needed");
	if (options->has_tolerance && !(options->tolerance >= 0))
		return error_set(err, ERROR_USAGE, "usage", "the tolerance is no number from 0 up");
	done = (a = open_side(options->a, options->b, err)) != NULL
		&& (b = open_side(options->b, options->a, err)) != NULL
		&& compare_sets(comparison, options, a, b, err);
	weight_set_close(a);
	weight_set_close(b);
	return done;
}

struct m2h_comparison *
m2h_diff(const struct m2h_diff_options *options)
{
	struct comparison *comparison = calloc(1, sizeof *comparison);
	struct error       err = { 0 };
	bool               done;

	if (comparison == NULL)
		return NULL;
	answer_init(&comparison->answer);
	done = compare(comparison, options, &err);
	comparison->result.status = done ? M2H_OK : answer_status(&err);
	answer_error(&comparison->answer, &err, &comparison->result.error);
	answer_notes(&comparison->answer, &comparison->result.notes,
		&comparison->result.note_count);
	answer_settle(&comparison->answer, &comparison->result.status, &comparison->result.error);
	return &comparison->result;
}

void
m2h_comparison_free(struct m2h_comparison *result)
{
	struct comparison *comparison = (struct comparison *)result;

	if (comparison == NULL)
		return;
	answer_fini(&comparison->answer);
	free(comparison);
}
