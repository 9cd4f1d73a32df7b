#include "check/verify_drift.h"

#include <inttypes.h>
#include <math.h>

#define BLOCK_ELEMENTS ((uint64_t)8192)

/* ‖target - copy‖ relative to ‖target‖, which is what the directory holds. */
static bool
relative_drift(const struct comparing *comparing, const struct weight_tensor *tensor,
	const struct drift *drift, double *relative, struct error *err)
{
	const uint64_t count = weight_set_elements(tensor);
	unsigned char  block[8 * BLOCK_ELEMENTS];
	double         sum = 0;

	for (uint64_t at = 0; at < count;) {
		uint64_t step = count - at < BLOCK_ELEMENTS ? count - at : BLOCK_ELEMENTS;

		if (!weight_set_read(comparing->set, tensor, at, step, block, err))
			return false;
		sum += drift_square_sum(tensor->dtype, block, (size_t)step);
		at += step;
	}
	*relative = sqrt(drift->square_sum) / (sum > 0 ? sqrt(sum) : 1);
	return true;
}

bool
verify_drift_report(const struct comparing *comparing, size_t target,
	const struct drift *drift, struct error *err)
{
	const struct weight_tensor *tensor = comparing->tensors[target];
	const char                 *shard = comparing->shards->items[drift->shard].name;
	enum gpt2_part              part = comparing->targets[target].tensor.part;
	double                      relative;

	if (!relative_drift(comparing, tensor, drift, &relative, err))
		return false;
	if (relative <= DRIFT_GROSS)
		decision_log_note(comparing->run->log, NOTE_WARNING, "replicated",
			"%s: the copy in %s differs in %" PRIu64 " elements, by %.3g at most",
			tensor->name, shard, drift->elements, drift->largest);
	else if (part == GPT2_WTE && comparing->model->arguments.is_tie_assumed)
		verify_run_report(comparing->run, ERROR_MISMATCH, "vsource",
			comparing->set->files[tensor->file].name, tensor->name,
			"the output layer in %s is no copy of it: tie_word_embeddings should be false",
			shard);
	else
		verify_run_report(comparing->run, ERROR_CORRUPT, "replicated",
			comparing->set->files[tensor->file].name, tensor->name,
			"%s holds another copy of it: %" PRIu64 " elements differ, by %.3g at most, "
			"%.3g of its norm (at most %g is drift): shards of different runs?", shard,
			drift->elements, drift->largest, relative, DRIFT_GROSS);
	return true;
}
