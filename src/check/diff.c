#include "check/diff.h"

#include "base/signals.h"
#include "base/text.h"
#include "base/workers.h"
#include "check/weight_read.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "transformer."

/* What is read at once of either side: small enough for a cache, and where strides must be
 * followed as much as makes the runs in the file long. */
#define PLAIN_BYTES   ((size_t)1 << 20)
#define STRIDED_BYTES ((size_t)4 << 20)
#define POLL_MS       100

/* ---- which goes with which --------------------------------------------------------- */

/* The tensor of `to` that corresponds to one of `from`, or NULL; false: no memory. */
static bool
counterpart(const struct weight_set *from, const struct weight_tensor *tensor,
	const struct weight_set *to, const struct weight_tensor **found, struct error *err)
{
	struct text longer = { 0 };
	bool        done = true;

	if ((*found = weight_set_find(to, tensor->name)) != NULL)
		return true;
	if (text_has_prefix(tensor->name, PREFIX)) {
		*found = weight_set_find(to, tensor->name + strlen(PREFIX));
	} else {
		text_add(&longer, PREFIX "%s", tensor->name);
		if (longer.failed)
			done = error_no_memory(err, sizeof PREFIX + strlen(tensor->name));
		else
			*found = weight_set_find(to, longer.bytes);
		text_free(&longer);
	}
	/* Not where it has a namesake of its own. */
	if (*found != NULL && weight_set_find(from, (*found)->name) != NULL)
		*found = NULL;
	return done;
}

static bool
has_same_shape(const struct weight_tensor *a, const struct weight_tensor *b)
{
	return a->rank == b->rank && memcmp(a->shape, b->shape, a->rank * sizeof *a->shape) == 0;
}

/* An embedding or output layer, by the names of both sides of a conversion. */
static bool
has_vocabulary(const char *name)
{
	static const char *const ends[] = { "wte.weight", "lm_head.weight",
		"word_embeddings.weight", "output_layer.weight" };

	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
		if (text_has_suffix(name, ends[i]))
			return true;
	return false;
}

static bool
differs_in_padding(const struct weight_tensor *a, const struct weight_tensor *b)
{
	return a->rank == 2 && b->rank == 2 && a->shape[1] == b->shape[1]
		&& has_vocabulary(a->name);
}

/* Elements of a pair that are compared; those of whole rows in front of the tensors. */
static uint64_t
elements_to_compare(const struct diff_tensor *pair)
{
	uint64_t a, b;

	if (pair->a == NULL || pair->b == NULL
	    || (!pair->is_padded && !has_same_shape(pair->a, pair->b)))
		return 0;
	a = weight_set_elements(pair->a);
	b = weight_set_elements(pair->b);
	return a < b ? a : b;
}

static bool
pair_up(const struct weight_set *a, const struct weight_set *b, struct diff_result *result,
	struct error *err)
{
	const size_t room = a->count + b->count + 1;

	if ((result->tensors = calloc(room, sizeof *result->tensors)) == NULL)
		return error_no_memory(err, room * sizeof *result->tensors);
	for (size_t i = 0; i < a->count; i++) {
		struct diff_tensor *pair = &result->tensors[result->count++];

		pair->a = &a->tensors[i];
		if (!counterpart(a, pair->a, b, &pair->b, err))
			return false;
		pair->is_padded = pair->b != NULL && !has_same_shape(pair->a, pair->b)
			&& differs_in_padding(pair->a, pair->b);
	}
	for (size_t i = 0; i < b->count; i++) {
		const struct weight_tensor *found;

		if (!counterpart(b, &b->tensors[i], a, &found, err))
			return false;
		if (found == NULL)
			result->tensors[result->count++].b = &b->tensors[i];
	}
	return true;
}

/* ---- comparing -------------------------------------------------------------------- */

/* What the threads share: the next pair, and how far all of them are. */
struct job {
	const struct weight_set   *a, *b;
	const struct diff_options *options;
	struct diff_result        *result;
	atomic_size_t              next;
	atomic_uint_fast64_t       done;        /* bytes */
	atomic_bool                failed;
	uint64_t                   total;
};

struct part {
	struct job *job;
	bool        tells;              /* calls the progress function */
};

static void
tell(const struct job *job)
{
	if (job->options->progress != NULL)
		job->options->progress(job->options->context, atomic_load(&job->done), job->total);
}

static size_t
panel_elements(const struct diff_tensor *pair)
{
	size_t size_a = dtype_size(pair->a->dtype), size_b = dtype_size(pair->b->dtype);
	size_t bytes = weight_read_is_plain(pair->a) && weight_read_is_plain(pair->b)
		? PLAIN_BYTES : STRIDED_BYTES;

	return bytes / (size_a > size_b ? size_a : size_b);
}

static bool
compare_pair(const struct part *part, struct diff_tensor *pair, unsigned char *panels,
	struct error *err)
{
	struct job    *job = part->job;
	const uint64_t count = elements_to_compare(pair);
	unsigned char *of_a = panels, *of_b = panels + STRIDED_BYTES;
	size_t         panel;

	if (count == 0)
		return true;
	panel = panel_elements(pair);
	for (uint64_t at = 0; at < count; at += panel) {
		size_t here = count - at < panel ? (size_t)(count - at) : panel;

		if (atomic_load(&job->failed) || !signals_go_on(err)
		    || !weight_set_read(job->a, pair->a, at, here, of_a, err)
		    || !weight_set_read(job->b, pair->b, at, here, of_b, err))
			return false;
		difference_add(&pair->values, pair->a->dtype, of_a, pair->b->dtype, of_b, at, here,
			job->options->tolerance);
		atomic_fetch_add(&job->done, here * (dtype_size(pair->a->dtype)
			+ dtype_size(pair->b->dtype)));
		if (part->tells)
			tell(job);
	}
	return true;
}

/* One pair after the other, until there is none left. */
static bool
compare_pairs(void *context, struct error *err)
{
	const struct part *part = context;
	struct job        *job = part->job;
	unsigned char     *panels = malloc(2 * STRIDED_BYTES);
	bool               done = panels != NULL || error_no_memory(err, 2 * STRIDED_BYTES);
	size_t             i;

	while (done && (i = atomic_fetch_add(&job->next, 1)) < job->result->count)
		done = compare_pair(part, &job->result->tensors[i], panels, err);
	if (!done)
		atomic_store(&job->failed, true);
	free(panels);
	return done;
}

/* In this thread, and in one beside it where there are more than one to use. */
static bool
compare_all(struct job *job, struct error *err)
{
	unsigned       threads = job->options->threads;
	struct part    mine = { job, true }, other = { job, false };
	struct worker *worker = NULL;
	struct error   reason = { 0 };
	bool           done;

	if (threads == 0)
		threads = workers_allowed_cores();
	if (threads > 1 && (worker = worker_start(compare_pairs, &other, err)) == NULL)
		return false;
	done = compare_pairs(&mine, err);
	if (worker == NULL)
		return done;
	while (!worker_wait(worker, POLL_MS))
		tell(job);
	/* Whoever failed first made the other stop, which then has no reason of its own. */
	if (!worker_join(worker, &reason)) {
		if (err->kind == ERROR_NONE)
			*err = reason;
		done = false;
	}
	return done;
}

/* ---- the result ------------------------------------------------------------------- */

static enum diff_state
state_of(const struct diff_tensor *pair)
{
	if (pair->b == NULL)
		return DIFF_ONLY_A;
	if (pair->a == NULL)
		return DIFF_ONLY_B;
	if (!has_same_shape(pair->a, pair->b))
		return DIFF_SHAPE;
	if (pair->values.differing == 0)
		return DIFF_EQUAL;
	return pair->values.outside == 0 ? DIFF_WITHIN : DIFF_VALUES;
}

bool
diff_sets(const struct weight_set *a, const struct weight_set *b,
	const struct diff_options *options, struct diff_result *result, struct error *err)
{
	struct job job = { .a = a, .b = b, .options = options, .result = result };

	*result = (struct diff_result){ 0 };
	if (!pair_up(a, b, result, err))
		return false;
	for (size_t i = 0; i < result->count; i++) {
		const struct diff_tensor *pair = &result->tensors[i];
		uint64_t                  count = elements_to_compare(pair);

		if (count > 0)
			job.total += count
				* (dtype_size(pair->a->dtype) + dtype_size(pair->b->dtype));
	}
	tell(&job);
	if (!compare_all(&job, err) || !weight_set_unchanged(a, err)
	    || !weight_set_unchanged(b, err))
		return false;
	for (size_t i = 0; i < result->count; i++) {
		result->tensors[i].state = state_of(&result->tensors[i]);
		result->states[result->tensors[i].state]++;
	}
	tell(&job);
	return true;
}

void
diff_fini(struct diff_result *result)
{
	free(result->tensors);
	*result = (struct diff_result){ 0 };
}
