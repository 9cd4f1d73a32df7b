#include "megatron/model.h"

#include "base/checked.h"
#include "base/text.h"
#include "megatron/argument_value.h"
#include "megatron/dropped.h"
#include "megatron/shard_header.h"
#include "megatron/weight_grid.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_LIMIT ((size_t)256 << 20)

/* ---- names ------------------------------------------------------------------------------ */

static bool
read_names(struct model *model, const struct shards *shards, const struct shard_header *header,
	struct weight_names *names, struct error *err)
{
	size_t shard;

	for (shard = 0; shard < shards->count; shard++) {
		const struct torch_file *torch = shards->items[shard].torch;

		if (!weight_names_collect(header->models[shard], &model->arena, &names[shard], err))
			return shards_blame(shards, shard, err);
		if (shard == 0)
			model->dialect = weight_names_dialect(&names[0]);
		if (!weight_names_match(&names[shard], model->dialect, torch, &model->arena, err))
			return shards_blame(shards, shard, err);
	}
	return true;
}

/* ---- parameters ------------------------------------------------------------------------- */

/* The shard whose bytes come first. */
static size_t
first_read(const struct shards *shards)
{
	size_t index, first = 0;

	for (index = 1; index < shards->count; index++) {
		const struct shard *shard = &shards->items[index], *best = &shards->items[first];

		if (shard->input < best->input || (shard->input == best->input
		    && byte_stream_file_offset(shard->stream)
		       < byte_stream_file_offset(best->stream)))
			first = index;
	}
	return first;
}

/* All ranks hold all of it: the first that is read gives it, the others are compared. */
static void
set_replicated(struct model_parameter *parameter, const struct weight_grid *grid, size_t slot,
	size_t first)
{
	size_t shard;

	parameter->slices[parameter->slice_count++] =
	    (struct model_slice){ first, grid->cells[first][slot].view };
	for (shard = 0; shard < grid->shards->count; shard++) {
		if (shard != first)
			parameter->replicas[parameter->replica_count++] = (struct model_replica){
				.piece = { shard, grid->cells[shard][slot].view },
				.slice = 0,
			};
	}
}

/* Each rank holds its slice; the tied head, where there is one, repeats the embedding's. */
static void
set_sliced(struct model_parameter *parameter, const struct weight_grid *grid, size_t slot)
{
	size_t shard, head = grid->slot_count - 1;

	for (shard = 0; shard < grid->shards->count; shard++) {
		parameter->slices[parameter->slice_count++] =
		    (struct model_slice){ shard, grid->cells[shard][slot].view };
		if (parameter->role == ROLE_WORD_EMBEDDING && grid->cells[shard][head].path != NULL)
			parameter->replicas[parameter->replica_count++] = (struct model_replica){
				.piece = { shard, grid->cells[shard][head].view },
				.slice = shard,
			};
	}
}

static bool
set_parameter(struct model *model, const struct weight_grid *grid, size_t slot, size_t first,
	struct error *err)
{
	struct model_parameter *parameter = &model->parameters[slot];
	size_t                  count = grid->shards->count;
	unsigned                dimension;
	uint64_t                elements = 1;

	weight_grid_role(grid->shapes.layers, slot, &parameter->role, &parameter->layer);
	parameter->dtype = grid->cells[0][slot].view.dtype;
	parameter->rank = dialect_roles[parameter->role].rank;
	for (dimension = 0; dimension < 2; dimension++) {
		parameter->shape[dimension] = weight_grid_size(grid, parameter->role, dimension);
		if (!checked_multiply(elements, parameter->shape[dimension], &elements))
			return error_set(err, ERROR_CORRUPT, "overflow", "the model's size overflows");
	}
	if (!checked_add(model->parameter_count, elements, &model->parameter_count))
		return error_set(err, ERROR_CORRUPT, "overflow", "the model's size overflows");
	parameter->slices = arena_take(&model->arena, count, sizeof *parameter->slices);
	parameter->replicas = arena_take(&model->arena, count, sizeof *parameter->replicas);
	if (parameter->slices == NULL || parameter->replicas == NULL)
		return error_no_memory(err, count * sizeof *parameter->replicas);
	if (dialect_roles[parameter->role].join == JOIN_REPLICATED)
		set_replicated(parameter, grid, slot, first);
	else
		set_sliced(parameter, grid, slot);
	return true;
}

/* "mixed dtypes: 12 x float16, 2 x float32" */
static void
decide_dtype(struct model *model, struct decision_log *log)
{
	size_t index, counts[DTYPE_COUNT] = { 0 }, used;
	char   list[160] = "";

	model->dtype = model->parameters[0].dtype;
	for (index = 0; index < model->count; index++) {
		counts[model->parameters[index].dtype]++;
		if (model->parameters[index].dtype != model->parameters[0].dtype)
			model->dtype = DTYPE_UNKNOWN;
	}
	if (model->dtype != DTYPE_UNKNOWN)
		return;
	for (index = 0; index < DTYPE_COUNT; index++) {
		if (counts[index] == 0)
			continue;
		used = strlen(list);
		text_format(list + used, sizeof list - used, "%s%zu x %s", used > 0 ? ", " : "",
			counts[index], dtype_name((enum dtype)index));
	}
	decision_log_note(log, NOTE_WARNING, "mixed", "mixed dtypes: %s", list);
}

static bool
set_parameters(struct model *model, const struct weight_grid *grid, struct decision_log *log,
	struct error *err)
{
	size_t slot, first = first_read(grid->shards);

	model->count = grid->slot_count - 1;    /* the head copy is no parameter of its own */
	model->parameters = arena_take(&model->arena, model->count, sizeof *model->parameters);
	if (model->parameters == NULL)
		return error_no_memory(err, model->count * sizeof *model->parameters);
	for (slot = 0; slot < model->count; slot++)
		if (!set_parameter(model, grid, slot, first, err))
			return false;
	decide_dtype(model, log);
	return true;
}

/* ---- the model as a whole --------------------------------------------------------------- */

/*
 * The label is believed.  It is missing from what was trained between 2020-09-11 and
 * 2020-09-29, when the rows were in order 2 already; and it is too high in what code up to
 * v2.0 loaded from an older checkpoint and saved again.
 */
static void
decide_layout(struct model *model, const struct shard_header *header, struct decision_log *log)
{
	model->qkv_layout = header->layout;
	text_format(model->version_label, sizeof model->version_label, "%s", header->label);
	decision_log_decide(log, "qkv_layout", header->has_label ? "checkpoint_version"
		: "default", "%d", (int)header->layout);
	if (!header->has_label && (argument_find(header->args, "tensor_model_parallel_size") != NULL
	    || argument_find(header->args, "bias_gelu_fusion") != NULL))
		decision_log_note(log, NOTE_WARNING, "qkv-label-missing", "QKV layout 0: the checkpoint "
			"has no checkpoint_version, though its arguments are of a time when the "
			"layout was another");
	if (header->layout != QKV_LAYOUT_0 && argument_find(header->args, "load") != NULL)
		decision_log_note(log, NOTE_NOTE, "qkv-label-doubtful", "QKV layout %d by "
			"checkpoint_version %s; Megatron-LM up to v2.0 gave that label also to rows "
			"that it had loaded in an older layout, and this run did load a checkpoint",
			(int)header->layout, header->label);
}

static bool
read_model(struct model *model, const struct shards *shards,
	const struct model_options *options, struct decision_log *log, struct error *err)
{
	struct shard_header  header;
	struct weight_grid   grid;
	struct weight_names *names = arena_take(&model->arena, shards->count, sizeof *names);

	if (names == NULL)
		return error_no_memory(err, shards->count * sizeof *names);
	if (!shard_header_read(shards, &model->arena, &header, err)
	    || !read_names(model, shards, &header, names, err)
	    || !weight_grid_build(&grid, shards, names, &model->arena, err))
		return false;
	if (!arguments_read(&model->arguments, &grid.shapes, header.args, options, log, err))
		return err->kind == ERROR_USAGE ? false : shards_blame(shards, 0, err);
	model->iteration = header.iteration;
	decide_layout(model, &header, log);
	return set_parameters(model, &grid, log, err) && dropped_list(model, &grid, err);
}

struct model *
model_open(const struct shards *shards, const struct model_options *options,
	struct decision_log *log, struct error *err)
{
	struct model *model = calloc(1, sizeof *model);

	if (model == NULL) {
		error_no_memory(err, sizeof *model);
		return NULL;
	}
	arena_init(&model->arena, ARENA_LIMIT);
	if (!read_model(model, shards, options, log, err)) {
		model_close(model);
		return NULL;
	}
	return model;
}

const struct model_parameter *
model_find(const struct model *model, enum model_role role, unsigned layer)
{
	size_t slot;

	if (role == ROLE_HEAD_COPY || (dialect_roles[role].per_layer
	    && layer >= model->arguments.layers))
		return NULL;
	slot = weight_grid_slot(model->arguments.layers, role, layer);
	return &model->parameters[slot];
}

void
model_close(struct model *model)
{
	if (model == NULL)
		return;
	arena_fini(&model->arena);
	free(model);
}
