#include "check/verify_source.h"

#include "check/source_comparison.h"
#include "check/verify_cause.h"
#include "check/verify_config.h"
#include "check/verify_drift.h"
#include "check/verify_targets.h"
#include "megatron/known_classes.h"
#include "megatron/shard_copies.h"
#include "plan/execute.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- comparing ---------------------------------------------------------------------- */

/* "[3, 1024]" of a row-major index. */
static char *
index_text(const struct weight_tensor *tensor, uint64_t index, char *to, size_t size)
{
	struct tensor_view view = { .rank = tensor->rank };

	for (unsigned i = tensor->rank; i-- > 0;) {
		view.shape[i] = index % tensor->shape[i];
		index /= tensor->shape[i];
	}
	return tensor_view_shape_text(&view, to, size);
}

static void
report_difference(const struct comparing *comparing, size_t tensor, const struct compared *found)
{
	const struct weight_tensor *there = comparing->tensors[tensor];
	char                        at[200], expected[64], is[64], largest[32] = "";
	char                        cause[VERIFY_CAUSE_SIZE];

	text_double(expected, found->expected);
	text_double(is, found->found);
	if (strcmp(expected, is) == 0) {        /* two NaN: their bits tell them apart */
		text_format(expected, sizeof expected, "the bits %" PRIx64, found->expected_bits);
		text_format(is, sizeof is, "%" PRIx64, found->found_bits);
	}
	if (found->largest > 0)
		text_format(largest, sizeof largest, ", by %.3g at most", found->largest);
	verify_cause_text(&comparing->causes[tensor], cause);
	verify_run_report(comparing->run, ERROR_MISMATCH, "vvalue",
		comparing->set->files[there->file].name, there->name, "%" PRIu64 " of %" PRIu64
		" elements differ from the checkpoint%s; the first is %s: expected %s, found %s%s%s",
		found->different, found->elements, largest,
		index_text(there, found->first, at, sizeof at), expected, is,
		cause[0] != '\0' ? "; " : "", cause);
}

static void
report_within(const struct comparing *comparing, size_t tensor, const struct compared *found)
{
	decision_log_note(comparing->run->log, NOTE_NOTE, "within-tolerance",
		"%s: %" PRIu64 " elements differ, within the tolerance",
		comparing->tensors[tensor]->name, found->within);
}

static bool
find_causes(struct comparing *comparing, const struct source_comparison *comparison, struct error *err)
{
	comparing->causes = calloc(comparing->count + 1, sizeof *comparing->causes);
	comparing->differs = calloc(comparing->count + 1, sizeof *comparing->differs);
	if (comparing->causes == NULL || comparing->differs == NULL)
		return error_no_memory(err, comparing->count * sizeof *comparing->causes);
	for (size_t i = 0; i < comparing->count; i++) {
		comparing->differs[i] = source_comparison_of(comparison, i)->different > 0;
		comparing->different += comparing->differs[i];
	}
	return comparing->different == 0 || verify_cause_find(comparing, err);
}

static bool
report_all(const struct comparing *comparing, const struct source_comparison *comparison,
	const struct execute_result *executed, struct error *err)
{
	for (size_t i = 0; i < comparing->count; i++) {
		const struct compared *found = source_comparison_of(comparison, i);

		if (found->different > 0)
			report_difference(comparing, i, found);
		else if (found->within > 0)
			report_within(comparing, i, found);
		if (found->different == 0 && executed->drifts[i].elements > 0
		    && !verify_drift_report(comparing, i, &executed->drifts[i], err))
			return false;
	}
	return true;
}

/* One set of weights against the checkpoint. */
static bool
compare_set(struct comparing *comparing, struct error *err)
{
	const struct verify_source_options *options = comparing->options;
	struct execute_options              run = { .threads = options->threads,
		.memory_limit = options->memory_limit,
		.progress = options->progress, .context = options->context };
	struct plan_options                 plan_options = {
		.mean_of_replicas = options->mean_of_replicas };
	struct source_comparison_options    compare = { .tolerance = options->tolerance };
	struct execute_result               executed = { 0 };
	struct source_comparison           *comparison = NULL;
	struct scatter_target               target;
	struct plan                        *plan;
	bool                                done = false;

	if (!verify_targets_take(comparing, err))
		return false;
	plan = plan_build_comparison(comparing->model, comparing->targets, comparing->count,
		&plan_options, err);
	if (plan == NULL)
		return false;
	comparison = source_comparison_open(plan, comparing->set, comparing->tensors, &compare,
		err);
	if (comparison != NULL) {
		target = source_comparison_target(comparison);
		done = execute_comparison(comparing->shards, plan, &target, &run, &executed, err)
			&& weight_set_unchanged(comparing->set, err)
			&& find_causes(comparing, comparison, err)
			&& report_all(comparing, comparison, &executed, err);
	}
	execute_result_fini(&executed);
	source_comparison_close(comparison);
	plan_close(plan);
	return done;
}

static void
forget_set(struct comparing *comparing)
{
	weight_set_close(comparing->set);
	free(comparing->targets);
	free(comparing->tensors);
	free(comparing->causes);
	free(comparing->differs);
	comparing->set = NULL;
	comparing->targets = NULL;
	comparing->tensors = NULL;
	comparing->causes = NULL;
	comparing->differs = NULL;
	comparing->count = comparing->constants = comparing->different = 0;
}

/*
 * The weights of one form, where they are there.  That they cannot be opened is a problem of
 * the directory, and the other form is compared all the same.
 */
static bool
compare_form(struct comparing *comparing, enum weight_form form, size_t *compared,
	struct error *err)
{
	bool done;

	comparing->set = weight_set_open(comparing->run->path, form, err);
	if (comparing->set == NULL && err->kind == ERROR_SIGNAL)
		return false;
	if (comparing->set == NULL) {
		if (strcmp(err->slug, "noweights") != 0)
			verify_run_problem(comparing->run, err);
		*err = (struct error){ 0 };
		return true;
	}
	done = compare_set(comparing, err);
	*compared += comparing->count + comparing->constants;
	forget_set(comparing);
	return done;
}

/* ---- the checkpoint ----------------------------------------------------------------- */

/*
 * What the checkpoint does not tell, the directory may: config.json the heads, on which QKV
 * layouts depend, and whether a second embedding is a copy or an output layer; the tokenizer
 * how many rows it needs, where the rows that are stored are what that number is padded to.
 * The first attempt keeps its decisions to itself.
 */
static struct model *
open_model(struct comparing *comparing, const struct gpt2_config *config, struct error *err)
{
	struct model_options options = comparing->options->model;
	struct decision_log  log;
	struct model        *model;

	if (config == NULL) {
		model = model_open(comparing->shards, &options, comparing->run->log, err);
		if (model == NULL && strcmp(err->slug, "noargs") == 0)
			error_hint(err, "give --num-attention-heads N");
		return model;
	}
	options.assume_untied = !config->tie_word_embeddings;
	decision_log_init(&log);
	model = model_open(comparing->shards, &options, &log, err);
	if (model == NULL && strcmp(err->slug, "noargs") == 0) {
		options.attention_heads = config->n_head;
		decision_log_note(comparing->run->log, NOTE_NOTE, "heads-from-config", "%" PRIu64
			" attention heads, as config.json says: the checkpoint does not tell",
			config->n_head);
		model = model_open(comparing->shards, &options, &log, err);
	}
	if (model != NULL && model->arguments.vocabulary > config->sizes.vocab_size
	    && verify_config_tokens(comparing->run) == config->sizes.vocab_size)
		options.tokenizer_size = config->sizes.vocab_size;
	model_close(model);
	decision_log_fini(&log);
	*err = (struct error){ 0 };
	model = model_open(comparing->shards, &options, comparing->run->log, err);
	/* What would be a wrong option is a wrong file. */
	if (model == NULL && err->kind == ERROR_USAGE && options.attention_heads == config->n_head) {
		err->kind = ERROR_MISMATCH;
		error_in_file(err, "config.json");
	}
	return model;
}

static bool
compare_with(struct comparing *comparing, bool indexed, int *spooled, size_t *compared,
	struct error *err)
{
	const struct verify_source_options *options = comparing->options;
	struct shards_options               shards = {
		.arena_limit = SHARDS_ARENA_LIMIT(options->memory_limit),
		.spool_directory = options->spool_directory, .spooled = spooled,
		.iteration = options->iteration, .indexed = indexed };
	struct gpt2_config                  config;
	char                                activation[64];
	bool                                has_config, done;

	comparing->shards = shards_open(options->source, &shards, comparing->run->log, err);
	if (comparing->shards == NULL)
		return false;
	known_classes_note(comparing->shards, comparing->run->log);
	has_config = verify_config_read(comparing->run, &config, activation);
	comparing->model = open_model(comparing, has_config ? &config : NULL, err);
	if (comparing->model != NULL && has_config)
		verify_config_compare(comparing->run, &comparing->model->arguments, &config);
	done = comparing->model != NULL && shard_copies_check(comparing->shards, err)
		&& compare_form(comparing, WEIGHTS_SAFETENSORS, compared, err)
		&& compare_form(comparing, WEIGHTS_TORCH, compared, err);
	if (!done)
		shards_blame_change(comparing->shards, err);
	model_close(comparing->model);
	shards_close(comparing->shards);
	return done;
}

bool
verify_source(struct verify_run *run, const struct verify_source_options *options,
	size_t *compared, struct error *err)
{
	struct comparing comparing = { .run = run, .options = options };
	int              spooled = -1;
	bool             done = compare_with(&comparing, false, &spooled, compared, err);

	/* A zip inside a deflated member that cannot be read in one pass after all. */
	if (!done && strcmp(err->slug, "walk") == 0) {
		*err = (struct error){ 0 };
		*compared = run->result->problem_count = 0;
		decision_log_fini(run->log);
		decision_log_init(run->log);
		comparing = (struct comparing){ .run = run, .options = options };
		done = compare_with(&comparing, true, &spooled, compared, err);
	}
	if (spooled >= 0)
		close(spooled);
	return done;
}
