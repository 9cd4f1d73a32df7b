#include "check/verify_cause.h"

#include "check/source_comparison.h"
#include "plan/execute.h"

#include <stdlib.h>

/* The classic mistakes, as they are told where they explain what is there. */
static const char *const mistakes[] = {
	[MISTAKE_QKV_0]          = "it is what QKV layout 0 gives (--qkv-layout 0): q, k and v were "
	                           "put in order for another checkpoint version",
	[MISTAKE_QKV_1]          = "it is what QKV layout 1 gives (--qkv-layout 1): q, k and v were "
	                           "put in order for another checkpoint version",
	[MISTAKE_QKV_2]          = "it is what QKV layout 2 gives (--qkv-layout 2): q, k and v were "
	                           "put in order for another checkpoint version",
	[MISTAKE_QKV_AS_STORED]  = "the ranks' q, k and v rows are joined as they are stored",
	[MISTAKE_NOT_TRANSPOSED] = "it is not transposed",
	[MISTAKE_NORM_LESS_ONE]  = "1 was not added to norm weights that are stored less 1",
	[MISTAKE_NORM_PLUS_ONE]  = "1 was added to norm weights that are stored as they are",
	[MISTAKE_RANKS_REVERSED] = "its tensor parallel ranks are joined in reverse",
};
#define MISTAKES (sizeof mistakes / sizeof *mistakes)
/* Where half of a model lies in wrong layers, that is known from the first of them. */
#define MOST_LAYER_TRIALS 1024

struct trial {
	struct plan_target         *targets;
	const struct weight_tensor **tensors;
	struct verify_cause        *causes;     /* what each would show */
	size_t                     *origins;    /* which target of the comparison */
	size_t                      count, layer_count;
};

/* What a tensor is made of; NULL: nothing, as the biases of a model without. */
static const struct model_parameter *
parameter_of(const struct model *model, const struct gpt2_tensor *tensor)
{
	enum model_role role;

	return placement_role(tensor->part, &role) ? model_find(model, role, tensor->layer) : NULL;
}

/* Can a part be wrong in that way? */
static bool
applies(const struct model *model, const struct gpt2_tensor *tensor,
	enum placement_mistake mistake)
{
	const struct model_parameter *from = parameter_of(model, tensor);
	enum gpt2_part                part = tensor->part;
	bool is_qkv = part == GPT2_C_ATTN_WEIGHT || part == GPT2_C_ATTN_BIAS;
	bool is_split = from != NULL && from->slice_count > 1;

	switch (mistake) {
	case MISTAKE_QKV_0:
		return is_qkv && model->qkv_layout != QKV_LAYOUT_0;
	case MISTAKE_QKV_1:
		return is_qkv && model->qkv_layout != QKV_LAYOUT_1;
	case MISTAKE_QKV_2:
		return is_qkv && model->qkv_layout != QKV_LAYOUT_2;
	case MISTAKE_NOT_TRANSPOSED:    /* else the shape tells */
		return part == GPT2_ATTN_C_PROJ_WEIGHT
			|| (part == GPT2_MLP_C_PROJ_WEIGHT && tensor->shape[0] == tensor->shape[1])
			|| (part == GPT2_C_FC_WEIGHT && tensor->shape[0] == tensor->shape[1]);
	case MISTAKE_NORM_LESS_ONE:
	case MISTAKE_NORM_PLUS_ONE:
		return (part == GPT2_LN_1_WEIGHT || part == GPT2_LN_2_WEIGHT
			|| part == GPT2_LN_F_WEIGHT)
			&& (mistake == MISTAKE_NORM_LESS_ONE) == model->arguments.norms_less_one;
	case MISTAKE_QKV_AS_STORED:
		return is_qkv && is_split;      /* of a single rank: layout 0 */
	case MISTAKE_RANKS_REVERSED:
		return is_split;
	case MISTAKE_NONE:
		break;
	}
	return false;
}

/* Was the number of a wider type cut, where it should have been rounded? */
static bool
may_be_cut(const struct model *model, const struct plan_target *target)
{
	const struct model_parameter *from = parameter_of(model, &target->tensor);

	return from != NULL && from->slice_count > 0
		&& dtype_size(from->dtype) > dtype_size(target->dtype);
}

static void
add_trial(struct trial *trial, const struct comparing *comparing, size_t origin,
	const struct plan_target *target, const struct verify_cause *cause)
{
	trial->targets[trial->count] = *target;
	trial->tensors[trial->count] = comparing->tensors[origin];
	trial->causes[trial->count] = *cause;
	trial->causes[trial->count].is_known = true;
	trial->origins[trial->count++] = origin;
}

/* The same part of every other layer. */
static void
add_layers(struct trial *trial, const struct comparing *comparing, size_t origin)
{
	const struct gpt2_tensor *tensor = &comparing->targets[origin].tensor;
	const uint64_t            layers = comparing->model->arguments.layers;

	if (tensor->part < GPT2_LN_1_WEIGHT || tensor->part >= GPT2_LN_F_WEIGHT
	    || MOST_LAYER_TRIALS - trial->layer_count < layers)
		return;
	for (unsigned layer = 0; layer < layers; layer++) {
		struct plan_target  target = comparing->targets[origin];
		struct verify_cause cause = { .is_of_layer = true, .layer = layer };

		if (layer == tensor->layer)
			continue;
		target.tensor.layer = layer;
		add_trial(trial, comparing, origin, &target, &cause);
		trial->layer_count++;
	}
}

static void
add_trials(struct trial *trial, const struct comparing *comparing, size_t origin)
{
	for (size_t m = MISTAKE_NONE + 1; m < MISTAKES; m++) {
		struct plan_target  target = comparing->targets[origin];
		struct verify_cause cause = { .mistake = (enum placement_mistake)m };

		if (!applies(comparing->model, &target.tensor, cause.mistake))
			continue;
		target.mistake = cause.mistake;
		add_trial(trial, comparing, origin, &target, &cause);
	}
	if (may_be_cut(comparing->model, &comparing->targets[origin])) {
		struct plan_target target = comparing->targets[origin];

		target.dtype = parameter_of(comparing->model, &target.tensor)->dtype;
		add_trial(trial, comparing, origin, &target,
			&(struct verify_cause){ .is_cut = true });
	}
	add_layers(trial, comparing, origin);
}

static bool
make_trial(const struct comparing *comparing, struct trial *trial, struct error *err)
{
	size_t most = comparing->different * (MISTAKES + 1) + MOST_LAYER_TRIALS;

	*trial = (struct trial){ .targets = calloc(most, sizeof *trial->targets),
		.tensors = calloc(most, sizeof *trial->tensors),
		.causes = calloc(most, sizeof *trial->causes),
		.origins = calloc(most, sizeof *trial->origins) };
	if (trial->targets == NULL || trial->tensors == NULL || trial->causes == NULL
	    || trial->origins == NULL)
		return error_no_memory(err, most * sizeof *trial->targets);
	for (size_t i = 0; i < comparing->count; i++)
		if (comparing->differs[i])
			add_trials(trial, comparing, i);
	return true;
}

static bool
run_trial(struct comparing *comparing, const struct trial *trial, struct error *err)
{
	struct execute_options run = { .threads = comparing->options->threads };
	struct plan_options    plan_options = {
		.mean_of_replicas = comparing->options->mean_of_replicas };
	struct source_comparison_options compare = {
		.tolerance = comparing->options->tolerance, .only_equality = true };
	struct execute_result     executed = { 0 };
	struct source_comparison *comparison = NULL;
	struct scatter_target     target;
	struct plan              *plan = plan_build_comparison(comparing->model, trial->targets,
		trial->count, &plan_options, err);
	bool                      done = plan != NULL;

	done = done && (comparison = source_comparison_open(plan, comparing->set, trial->tensors,
		&compare, err)) != NULL;
	if (done) {
		target = source_comparison_target(comparison);
		done = execute_comparison(comparing->shards, plan, &target, &run, &executed, err);
	}
	for (size_t i = 0; i < trial->count && done; i++)
		if (source_comparison_of(comparison, i)->different == 0
		    && !comparing->causes[trial->origins[i]].is_known)
			comparing->causes[trial->origins[i]] = trial->causes[i];
	execute_result_fini(&executed);
	source_comparison_close(comparison);
	plan_close(plan);
	return done;
}

bool
verify_cause_find(struct comparing *comparing, struct error *err)
{
	struct trial trial;
	bool         done = make_trial(comparing, &trial, err)
		&& (trial.count == 0 || run_trial(comparing, &trial, err));

	free(trial.targets);
	free(trial.tensors);
	free(trial.causes);
	free(trial.origins);
	return done;
}

char *
verify_cause_text(const struct verify_cause *cause, char to[VERIFY_CAUSE_SIZE])
{
	if (!cause->is_known)
		return text_format(to, VERIFY_CAUSE_SIZE, "%s", "");
	if (cause->is_cut)
		return text_format(to, VERIFY_CAUSE_SIZE, "the numbers are cut to their type, not "
			"rounded to the nearest");
	if (cause->is_of_layer)
		return text_format(to, VERIFY_CAUSE_SIZE, "it is that of layer %u", cause->layer);
	return text_format(to, VERIFY_CAUSE_SIZE, "%s", mistakes[cause->mistake]);
}
