#include "check/verify_cause.h"

#include "check/source_comparison.h"
#include "plan/execute.h"

#include <stdlib.h>

/* What a mistake would have to be for a tensor to be as it is. */
static const char *const causes[] = {
	[MISTAKE_QKV_0]          = "it is what QKV layout 0 gives (--qkv-layout 0): q, k and v were "
	                           "put in order for another checkpoint version",
	[MISTAKE_QKV_1]          = "it is what QKV layout 1 gives (--qkv-layout 1): q, k and v were "
	                           "put in order for another checkpoint version",
	[MISTAKE_QKV_2]          = "it is what QKV layout 2 gives (--qkv-layout 2): q, k and v were "
	                           "put in order for another checkpoint version",
	[MISTAKE_NOT_TRANSPOSED] = "it is not transposed",
	[MISTAKE_NORM_LESS_ONE]  = "1 was not added to norm weights that are stored less 1",
	[MISTAKE_NORM_PLUS_ONE]  = "1 was added to norm weights that are stored as they are",
	[MISTAKE_RANKS_REVERSED] = "its tensor parallel ranks are joined in reverse",
};
#define MISTAKES (sizeof causes / sizeof *causes)

struct trial {
	struct plan_target         *targets;
	const struct weight_tensor **tensors;
	size_t                     *origins;    /* which target of the comparison */
	size_t                      count;
};

/* Can a part be wrong in that way? */
static bool
applies(const struct model *model, const struct gpt2_tensor *tensor,
	enum placement_mistake mistake)
{
	enum gpt2_part part = tensor->part;
	bool           is_qkv = part == GPT2_C_ATTN_WEIGHT || part == GPT2_C_ATTN_BIAS;

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
	case MISTAKE_RANKS_REVERSED:
		return true;
	case MISTAKE_NONE:
		break;
	}
	return false;
}

static bool
make_trial(const struct comparing *comparing, struct trial *trial, struct error *err)
{
	size_t most = comparing->different * MISTAKES;

	*trial = (struct trial){ calloc(most, sizeof *trial->targets),
		calloc(most, sizeof *trial->tensors), calloc(most, sizeof *trial->origins), 0 };
	if (trial->targets == NULL || trial->tensors == NULL || trial->origins == NULL)
		return error_no_memory(err, most * sizeof *trial->targets);
	for (size_t i = 0; i < comparing->count; i++) {
		for (size_t m = MISTAKE_NONE + 1; m < MISTAKES && comparing->differs[i]; m++) {
			if (!applies(comparing->model, &comparing->targets[i].tensor,
				(enum placement_mistake)m))
				continue;
			trial->targets[trial->count] = comparing->targets[i];
			trial->targets[trial->count].mistake = (enum placement_mistake)m;
			trial->tensors[trial->count] = comparing->tensors[i];
			trial->origins[trial->count++] = i;
		}
	}
	return true;
}

static bool
run_trial(struct comparing *comparing, const struct trial *trial, struct error *err)
{
	struct execute_options run = { .threads = comparing->options->threads };
	struct plan_options    plan_options = {
		.mean_of_replicas = comparing->options->mean_of_replicas };
	struct execute_result  executed = { 0 };
	struct source_comparison     *comparison = NULL;
	struct scatter_target  target;
	struct plan           *plan = plan_build_comparison(comparing->model, trial->targets,
		trial->count, &plan_options, err);
	bool                   done = plan != NULL;

	done = done && (comparison = source_comparison_open(plan, comparing->set, trial->tensors,
		comparing->options->tolerance, err)) != NULL;
	if (done) {
		target = source_comparison_target(comparison);
		done = execute_comparison(comparing->shards, plan, &target, &run, &executed, err);
	}
	for (size_t i = 0; i < trial->count && done; i++)
		if (source_comparison_of(comparison, i)->different == 0
		    && comparing->causes[trial->origins[i]] == NULL)
			comparing->causes[trial->origins[i]] = causes[trial->targets[i].mistake];
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
	free(trial.origins);
	return done;
}
