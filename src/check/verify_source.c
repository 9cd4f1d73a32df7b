#include "check/verify_source.h"

#include "check/source_comparison.h"
#include "check/verify_cause.h"
#include "check/verify_config.h"
#include "megatron/known_classes.h"
#include "plan/execute.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PICKLE_ARENA_BYTES ((size_t)32 << 20)
#define MASK_BLOCK         4096

/* ---- which tensors are compared with what ------------------------------------------- */

/* The names that a directory may have: the model's, the masks of old versions, a head. */
static struct gpt2_sizes
possible_sizes(const struct arguments *arguments)
{
	return (struct gpt2_sizes){ arguments->layers, arguments->hidden, arguments->ffn,
		arguments->positions, arguments->vocabulary, true, true };
}

static bool
has_shape(const struct weight_tensor *found, const struct gpt2_tensor *tensor)
{
	return found->rank == tensor->rank
		&& memcmp(found->shape, tensor->shape, found->rank * sizeof *found->shape) == 0;
}

static void
report_tensor(const struct comparing *comparing, const struct weight_tensor *found,
	const char *text)
{
	verify_run_report(comparing->run, ERROR_MISMATCH, "vsource",
		comparing->set->files[found->file].name, found->name, "%s", text);
}

/* Rows beyond those of the model are padding that was kept, if the checkpoint has them. */
static bool
settle_rows(const struct comparing *comparing, const struct weight_tensor *found,
	struct gpt2_tensor *tensor)
{
	const struct arguments *arguments = &comparing->model->arguments;
	char                    text[200];

	if (found->rank != 2 || found->shape[1] != tensor->shape[1])
		return false;
	if (found->shape[0] > arguments->padded_vocabulary) {
		text_format(text, sizeof text, "has %" PRIu64 " rows, the checkpoint stores %" PRIu64,
			found->shape[0], arguments->padded_vocabulary);
		report_tensor(comparing, found, text);
	} else if (found->shape[0] < tensor->shape[0]) {
		text_format(text, sizeof text, "has %" PRIu64 " rows, the checkpoint makes it %" PRIu64
			": tokens are lost (--vocab-size, if that is meant)", found->shape[0],
			tensor->shape[0]);
		report_tensor(comparing, found, text);
	} else if (found->shape[0] > tensor->shape[0] && tensor->part == GPT2_WTE) {
		decision_log_note(comparing->run->log, NOTE_NOTE, "padding-kept",
			"%s: %" PRIu64 " padding rows are kept", found->name,
			found->shape[0] - tensor->shape[0]);
	}
	tensor->shape[0] = found->shape[0] < arguments->padded_vocabulary ? found->shape[0]
		: arguments->padded_vocabulary;
	return true;
}

/* [in, out] against [out, in]: the projection was left as Megatron has it. */
static bool
is_turned(const struct weight_tensor *found, const struct gpt2_tensor *tensor)
{
	return found->rank == 2 && tensor->rank == 2 && found->shape[0] == tensor->shape[1]
		&& found->shape[1] == tensor->shape[0];
}

/* Every element of a mask, or of the constant beside it. */
static bool
compare_constant(const struct comparing *comparing, const struct weight_tensor *found,
	const struct gpt2_tensor *tensor, struct error *err)
{
	const struct plan_tensor facts = { .dtype = DTYPE_FLOAT32, .rank = tensor->rank,
		.shape = { 1, 1, tensor->shape[2], tensor->shape[3] },
		.fill = tensor->part == GPT2_ATTN_MASK ? FILL_CAUSAL_MASK : FILL_MASKED_BIAS };
	unsigned char            there[8 * MASK_BLOCK];
	float                    expected[MASK_BLOCK];
	size_t                   size = dtype_size(found->dtype);
	uint64_t                 count = gpt2_names_elements(tensor);

	for (uint64_t at = 0; at < count;) {
		uint64_t step = count - at < MASK_BLOCK ? count - at : MASK_BLOCK;

		if (!weight_set_read(comparing->set, found, at, step, there, err))
			return false;
		plan_fill_elements(&facts, at, step, (unsigned char *)expected);
		for (uint64_t i = 0; i < step; i++) {
			double value = dtype_is_weight(found->dtype)
				? element_value(found->dtype, there + i * size) : there[i * size];

			if (value < (double)expected[i] || value > (double)expected[i]) {
				report_tensor(comparing, found, "is not the constant of its name");
				return true;
			}
		}
		at += step;
	}
	return true;
}

/* One tensor of the directory: a target of the plan, or a problem. */
static bool
take_tensor(struct comparing *comparing, const struct gpt2_sizes *sizes, bool *seen,
	const struct weight_tensor *found, struct error *err)
{
	struct plan_target *target = &comparing->targets[comparing->count];
	size_t              index;

	if (!gpt2_names_find(sizes, found->name, &index))
		return true;            /* not of this model: verify_model tells */
	seen[index] = true;
	*target = (struct plan_target){ .dtype = found->dtype };
	gpt2_names_tensor(sizes, index, &target->tensor);
	if (target->tensor.part == GPT2_WTE || target->tensor.part == GPT2_LM_HEAD)
		settle_rows(comparing, found, &target->tensor);
	if (target->tensor.part == GPT2_ATTN_MASK || target->tensor.part == GPT2_ATTN_MASKED_BIAS)
		return !has_shape(found, &target->tensor)
			|| compare_constant(comparing, found, &target->tensor, err);
	if (!has_shape(found, &target->tensor)
	    && target->tensor.part != GPT2_WTE && target->tensor.part != GPT2_LM_HEAD) {
		report_tensor(comparing, found, is_turned(found, &target->tensor)
			? "is not transposed: Megatron's [out, in], where GPT-2 has [in, out]"
			: "has not the shape that the checkpoint makes it");
		return true;
	}
	if (!dtype_is_weight(found->dtype)) {
		report_tensor(comparing, found, "has a type that no weight has");
		return true;
	}
	comparing->tensors[comparing->count++] = found;
	return true;
}

static bool
take_tensors(struct comparing *comparing, struct error *err)
{
	struct gpt2_sizes sizes = possible_sizes(&comparing->model->arguments);
	size_t            names = gpt2_names_count(&sizes);
	bool             *seen = calloc(names, sizeof *seen), done = true;

	comparing->targets = calloc(comparing->set->count + 1, sizeof *comparing->targets);
	comparing->tensors = calloc(comparing->set->count + 1, sizeof *comparing->tensors);
	if (seen == NULL || comparing->targets == NULL || comparing->tensors == NULL)
		done = error_no_memory(err, names);
	for (size_t i = 0; i < comparing->set->count && done; i++)
		done = take_tensor(comparing, &sizes, seen, &comparing->set->tensors[i], err);
	for (size_t i = 0; i < names && done; i++) {
		struct gpt2_tensor tensor;

		gpt2_names_tensor(&sizes, i, &tensor);
		if (!seen[i] && tensor.part != GPT2_ATTN_MASK && tensor.part != GPT2_ATTN_MASKED_BIAS
		    && (tensor.part != GPT2_LM_HEAD || comparing->model->arguments.is_untied))
			verify_run_report(comparing->run, ERROR_MISMATCH, "vsource",
				comparing->set->files[0].name, tensor.name,
				"is missing, the checkpoint has it");
	}
	free(seen);
	return done;
}

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
	char                        at[200], expected[TEXT_NUMBER_SIZE], is[TEXT_NUMBER_SIZE];
	char                        text[500];
	const char                 *cause = comparing->causes[tensor];

	text_double(expected, found->expected);
	text_double(is, found->found);
	text_format(text, sizeof text, "%" PRIu64 " of %" PRIu64 " elements differ from the "
		"checkpoint, by %.3g at most; the first is %s: expected %s, found %s%s%s",
		found->different, found->elements, found->largest,
		index_text(there, found->first, at, sizeof at), expected, is,
		cause != NULL ? "; " : "", cause != NULL ? cause : "");
	verify_run_report(comparing->run, ERROR_MISMATCH, "vvalue",
		comparing->set->files[there->file].name, there->name, "%s", text);
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

static void
report_all(const struct comparing *comparing, const struct source_comparison *comparison,
	const struct execute_result *executed)
{
	for (size_t i = 0; i < comparing->count; i++) {
		const struct compared *found = source_comparison_of(comparison, i);

		if (found->different > 0)
			report_difference(comparing, i, found);
		else if (found->within > 0)
			report_within(comparing, i, found);
		if (found->different == 0 && executed->drifts[i].elements > 0)
			decision_log_note(comparing->run->log, NOTE_WARNING, "replicated",
				"%s: the copy in %s differs in %" PRIu64 " elements, by %.3g at most",
				comparing->tensors[i]->name,
				comparing->shards->items[executed->drifts[i].shard].name,
				executed->drifts[i].elements, executed->drifts[i].largest);
	}
}

/* One set of weights against the checkpoint. */
static bool
compare_set(struct comparing *comparing, struct error *err)
{
	const struct verify_source_options *options = comparing->options;
	struct execute_options              run = { .threads = options->threads,
		.progress = options->progress, .context = options->context };
	struct plan_options                 plan_options = {
		.mean_of_replicas = options->mean_of_replicas };
	struct execute_result               executed = { 0 };
	struct source_comparison                  *comparison = NULL;
	struct scatter_target               target;
	struct plan                        *plan;
	bool                                done = false;

	if (!take_tensors(comparing, err))
		return false;
	plan = plan_build_comparison(comparing->model, comparing->targets, comparing->count,
		&plan_options, err);
	if (plan == NULL)
		return false;
	comparison = source_comparison_open(plan, comparing->set, comparing->tensors, options->tolerance,
		err);
	if (comparison != NULL) {
		target = source_comparison_target(comparison);
		done = execute_comparison(comparing->shards, plan, &target, &run, &executed, err)
			&& weight_set_unchanged(comparing->set, err)
			&& find_causes(comparing, comparison, err);
	}
	if (done)
		report_all(comparing, comparison, &executed);
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
	comparing->count = comparing->different = 0;
}

/* Both forms, where both are there. */
static bool
compare_sets(struct comparing *comparing, size_t *compared, struct error *err)
{
	static const enum weight_form forms[] = { WEIGHTS_SAFETENSORS, WEIGHTS_TORCH };
	struct error                  first = { 0 };
	size_t                        sets = 0;

	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
		bool done;

		comparing->set = weight_set_open(comparing->run->path, forms[i], err);
		if (comparing->set == NULL && err->kind == ERROR_NO_INPUT) {
			first = sets == 0 && i == 0 ? *err : first;
			continue;
		}
		done = comparing->set != NULL && compare_set(comparing, err);
		*compared += comparing->count;
		forget_set(comparing);
		if (!done)
			return false;
		sets++;
	}
	if (sets == 0)
		*err = first;
	return sets > 0;
}

/* ---- the checkpoint ----------------------------------------------------------------- */

/* Where the checkpoint does not tell the heads, config.json may: QKV layouts depend on them. */
static struct model *
open_model(struct comparing *comparing, const struct gpt2_config *config, struct error *err)
{
	struct model_options options = comparing->options->model;
	struct model        *model = model_open(comparing->shards, &options, comparing->run->log,
		err);

	if (model != NULL || strcmp(err->slug, "noargs") != 0 || config == NULL)
		return model;
	options.attention_heads = config->n_head;
	*err = (struct error){ 0 };
	decision_log_note(comparing->run->log, NOTE_NOTE, "heads-from-config",
		"%" PRIu64 " attention heads, as config.json says: the checkpoint does not tell",
		config->n_head);
	return model_open(comparing->shards, &options, comparing->run->log, err);
}

static bool
compare_with(struct comparing *comparing, bool indexed, size_t *compared, struct error *err)
{
	const struct verify_source_options *options = comparing->options;
	struct shards_options               shards = { .arena_limit = PICKLE_ARENA_BYTES,
		.spool_directory = options->spool_directory, .iteration = options->iteration,
		.indexed = indexed };
	struct gpt2_config                  config;
	char                                activation[64];
	bool                                has_config, done;

	comparing->shards = shards_open(options->source, &shards, comparing->run->log, err);
	if (comparing->shards == NULL)
		return false;
	known_classes_note(comparing->shards, comparing->run->log);
	has_config = verify_config_read(comparing->run->path, &config, activation);
	comparing->model = open_model(comparing, has_config ? &config : NULL, err);
	if (comparing->model != NULL && has_config)
		verify_config_compare(comparing->run, &comparing->model->arguments, &config);
	done = comparing->model != NULL && compare_sets(comparing, compared, err);
	model_close(comparing->model);
	shards_close(comparing->shards);
	return done;
}

bool
verify_source(struct verify_run *run, const struct verify_source_options *options,
	size_t *compared, struct error *err)
{
	struct comparing comparing = { .run = run, .options = options };
	bool             done = compare_with(&comparing, false, compared, err);

	/* A zip inside a deflated member that cannot be read in one pass after all. */
	if (!done && strcmp(err->slug, "walk") == 0) {
		*err = (struct error){ 0 };
		*compared = 0;
		comparing = (struct comparing){ .run = run, .options = options };
		done = compare_with(&comparing, true, compared, err);
	}
	return done;
}
