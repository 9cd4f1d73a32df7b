#include "convert/judgement.h"

#include "convert/output_directory.h"

#include <inttypes.h>
#include <math.h>

#define LEAST_NORM_MEAN 0.5
#define NAMED_SPECIALS  8       /* tensors with such values that get a line of their own */

/* ---- replicas --------------------------------------------------------------------- */

/* Of the elements of a tensor as it was written, and of their squares. */
static bool
sums_of(const struct judgement *judgement, size_t tensor, double *sum, double *square_sum,
	struct error *err)
{
	const struct plan_tensor *target = &judgement->plan->tensors[tensor];

	if (output_directory_sums(judgement->fds[target->file], target->offset, target->bytes,
		target->dtype, sum, square_sum, err))
		return true;
	error_in_tensor(err, target->name);
	return error_in_file(err, judgement->plan->files->files[target->file].name);
}

/* ‖used - replica‖ relative to ‖used‖, from what was written. */
static bool
relative_drift(const struct judgement *judgement, size_t tensor, double *relative,
	struct error *err)
{
	double sum, norm;

	if (!sums_of(judgement, tensor, &sum, &norm, err))
		return false;
	*relative = sqrt(judgement->executed->drifts[tensor].square_sum)
		/ (norm > 0 ? sqrt(norm) : 1);
	return true;
}

/* The replica of a tensor that lies in the shard, by its name there. */
static const char *
replica_path(const struct judgement *judgement, size_t tensor, size_t shard)
{
	const struct model_parameter *from =
		&judgement->model->parameters[judgement->plan->tensors[tensor].parameter];

	for (size_t i = 0; i < from->replica_count; i++)
		if (from->replicas[i].piece.shard == shard)
			return from->replicas[i].piece.path;
	return "";
}

/* Shards of different runs; or an output layer that was taken for a copy, and is none. */
static bool
refuse_drift(const struct judgement *judgement, size_t tensor, double relative, struct error *err)
{
	const struct plan_tensor *target = &judgement->plan->tensors[tensor];
	const struct drift       *drift = &judgement->executed->drifts[tensor];
	bool                      is_words = judgement->model->parameters[target->parameter].role
		== ROLE_WORD_EMBEDDING;

	error_set(err, ERROR_CORRUPT,
		is_words && judgement->model->arguments.is_tie_assumed ? "untied" : "replicated",
		"%s holds another copy of it (%s): %" PRIu64 " elements differ, by %.3g at most, %.3g "
		"of its norm (at most %g is drift): shards of different runs?",
		judgement->shards->items[drift->shard].name,
		replica_path(judgement, tensor, drift->shard), drift->elements, drift->largest,
		relative, DRIFT_GROSS);
	return error_in_tensor(err, target->name);
}

/* Copies of one parameter in several ranks should be the same bits; slight drift happened
 * in real training runs and rank 0 is taken, gross drift means shards of different runs. */
static bool
judge_drift(const struct judgement *judgement, struct error *err)
{
	for (size_t i = 0; i < judgement->plan->tensor_count; i++) {
		const struct plan_tensor *target = &judgement->plan->tensors[i];
		const struct drift       *drift = &judgement->executed->drifts[i];
		double                    relative;

		if (drift->elements == 0 || target->is_repeat)
			continue;
		if (!relative_drift(judgement, i, &relative, err))
			return false;
		if (!(relative <= DRIFT_GROSS))
			return refuse_drift(judgement, i, relative, err);
		decision_log_note(judgement->log, NOTE_WARNING, "replicated",
			"%s: the copy in %s (%s) differs in %" PRIu64 " elements, by %.3g at most; %s "
			"is used", target->name, judgement->shards->items[drift->shard].name,
			replica_path(judgement, i, drift->shard), drift->elements, drift->largest,
			target->is_mean ? "the mean of all ranks'" : "the first rank's");
	}
	return true;
}

/* ---- norms ------------------------------------------------------------------------ */

static bool
is_norm_weight(const struct judgement *judgement, const struct plan_tensor *tensor)
{
	enum model_role role;

	if (tensor->parameter == PLAN_NO_PARAMETER)
		return false;
	role = judgement->model->parameters[tensor->parameter].role;
	return role == ROLE_INPUT_NORM_WEIGHT || role == ROLE_POST_ATTENTION_NORM_WEIGHT
		|| role == ROLE_FINAL_NORM_WEIGHT;
}

/* Norm weights start at 1 and stay near it.  A mean far from it shows that they are stored
 * less 1 and nothing said so, or that something said so and they are not. */
static bool
judge_norms(const struct judgement *judgement, struct error *err)
{
	double   all = 0, sum, square_sum, mean;
	uint64_t count = 0;

	for (size_t i = 0; i < judgement->plan->tensor_count; i++) {
		const struct plan_tensor *target = &judgement->plan->tensors[i];

		if (!is_norm_weight(judgement, target) || target->is_repeat)
			continue;
		if (!sums_of(judgement, i, &sum, &square_sum, err))
			return false;
		all += sum;
		count += target->bytes / dtype_size(target->dtype);
	}
	mean = count > 0 ? all / (double)count : 1;
	if (!judgement->model->arguments.norms_less_one && mean < LEAST_NORM_MEAN)
		decision_log_note(judgement->log, NOTE_WARNING, "norms-doubtful",
			"the norm weights are %.2g on average, where about 1 is usual: are they stored "
			"less 1, and apply_layernorm_1p was lost?", mean);
	if (judgement->model->arguments.norms_less_one && mean > 1 + LEAST_NORM_MEAN)
		decision_log_note(judgement->log, NOTE_WARNING, "norms-doubtful",
			"the norm weights are %.2g on average after 1 was added, where about 1 is usual: "
			"are they stored less 1 at all?", mean);
	return true;
}

/* ---- NaN and infinity ------------------------------------------------------------- */

/* Copied as they are, bit for bit; but no trained model has them. */
static void
tell_specials(const struct judgement *judgement)
{
	size_t tensors = 0;

	for (size_t i = 0; i < judgement->plan->tensor_count; i++) {
		const struct element_specials *found = &judgement->executed->specials[i];

		if (found->not_numbers + found->infinities == 0 || ++tensors > NAMED_SPECIALS)
			continue;
		decision_log_note(judgement->log, NOTE_WARNING, "nan", "%s: %" PRIu64 " NaN, %" PRIu64
			" Inf", judgement->plan->tensors[i].name, found->not_numbers, found->infinities);
	}
	if (tensors > NAMED_SPECIALS)
		decision_log_note(judgement->log, NOTE_WARNING, "nan", "%zu more tensors hold NaN or Inf",
			tensors - NAMED_SPECIALS);
}

/* ---- overflow --------------------------------------------------------------------- */

/* Finite values that became infinite in the type that was asked for. */
static bool
judge_overflow(const struct judgement *judgement, struct error *err)
{
	size_t tensors = 0;

	for (size_t i = 0; i < judgement->plan->tensor_count; i++) {
		const struct plan_tensor   *target = &judgement->plan->tensors[i];
		const struct cast_overflow *overflow = &judgement->executed->overflows[i];
		char                        largest[TEXT_NUMBER_SIZE];

		if (overflow->elements == 0 || target->is_repeat)
			continue;
		text_double(largest, overflow->largest);
		if (!judgement->allows_overflow) {
			error_set(err, ERROR_MISMATCH, "range", "%" PRIu64 " value%s overflow%s %s "
				"(largest %s)", overflow->elements, overflow->elements == 1 ? "" : "s",
				overflow->elements == 1 ? "s" : "", dtype_name(target->dtype), largest);
			error_hint(err, "another --dtype holds them; --allow-overflow makes them "
				"infinite");
			return error_in_tensor(err, target->name);
		}
		if (++tensors <= NAMED_SPECIALS)
			decision_log_note(judgement->log, NOTE_WARNING, "range", "%s: %" PRIu64
				" values became infinite in %s (largest %s)", target->name,
				overflow->elements, dtype_name(target->dtype), largest);
	}
	if (tensors > NAMED_SPECIALS)
		decision_log_note(judgement->log, NOTE_WARNING, "range",
			"%zu more tensors hold values that became infinite", tensors - NAMED_SPECIALS);
	return true;
}

bool
judgement_of_weights(const struct judgement *judgement, struct error *err)
{
	tell_specials(judgement);
	return judge_overflow(judgement, err) && judge_drift(judgement, err)
		&& judge_norms(judgement, err);
}
