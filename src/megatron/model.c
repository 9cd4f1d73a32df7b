#include "megatron/model.h"

#include "base/checked.h"
#include "base/text.h"
#include "megatron/argument_value.h"
#include "megatron/dist_grid.h"
#include "megatron/distributed.h"
#include "megatron/dropped.h"
#include "megatron/shard_header.h"
#include "megatron/weight_grid.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_LIMIT ((size_t)256 << 20)

/* ---- names ------------------------------------------------------------------------------ */

static void
note_heads(size_t heads, struct decision_log *log)
{
	if (heads > 0)
		decision_log_note(log, NOTE_NOTE, "mtp", "%zu tensors of heads that predict further "
			"tokens (mtp) left out", heads);
}

static bool
read_names(struct model *model, const struct shards *shards, const struct shard_header *header,
	struct weight_names *names, struct decision_log *log, struct error *err)
{
	size_t index, count = shards->count * header->chunk_count, heads = 0;

	for (index = 0; index < count; index++) {
		size_t      shard = index / header->chunk_count;
		const char *prefix = shards->layer_prefixes != NULL && header->models[index] != NULL
		    ? shards->layer_prefixes[shard / shards->tensor_size] : "";

		if (header->models[index] != NULL
		    && !weight_names_collect(header->models[index], prefix, &model->arena,
				&names[index], err))
			return shards_blame(shards, shard, err);
		heads += names[index].prediction_heads;
	}
	model->dialect = shards->layer_prefixes != NULL ? DIALECT_DEEPSPEED
	    : weight_names_dialect(names, count);
	for (index = 0; index < count; index++) {
		size_t shard = index / header->chunk_count;

		if (!weight_names_match(&names[index], model->dialect, shards->items[shard].torch,
		        &model->arena, err))
			return shards_blame(shards, shard, err);
	}
	note_heads(heads, log);
	return true;
}

/* ---- parameters ------------------------------------------------------------------------- */

/* What tensor rank `rank` holds, of a parameter that is cut among the ranks. */
static struct model_slice
slice_of(const struct model_parameter *parameter, const struct weight_cell *cell, size_t rank)
{
	enum model_join    join = dialect_roles[parameter->role].join;
	struct model_slice slice = { .shard = cell->shard, .view = cell->view,
		.path = cell->path };

	if (join == JOIN_ROWS || join == JOIN_QKV)
		slice.row = rank * cell->view.shape[0];
	if (join == JOIN_COLUMNS)
		slice.column = rank * cell->view.shape[1];
	return slice;
}

/* A tied output layer repeats the embedding, as every copy does. */
static void
add_replica(struct model_parameter *parameter, const struct weight_cell *cell, size_t slice)
{
	parameter->replicas[parameter->replica_count++] = (struct model_replica){
		.piece = slice_of(parameter, cell, slice),
		.slice = slice,
	};
}

/* The first rank's is used; every other that should hold the same is compared. */
static void
set_pieces(struct model_parameter *parameter, const struct weight_grid *grid, size_t slot,
	bool is_untied)
{
	bool   is_replicated = dialect_roles[parameter->role].join == JOIN_REPLICATED;
	size_t rank, index, output = grid->slot_count - 1;

	for (rank = 0; rank < grid->shards->tensor_size; rank++) {
		const struct weight_cell *cell = &grid->cells[rank][slot];

		if (rank > 0 && is_replicated)
			add_replica(parameter, cell, 0);
		else
			parameter->slices[parameter->slice_count++] =
			    slice_of(parameter, cell, rank);
		if (slot == ROLE_WORD_EMBEDDING && !is_untied && weight_grid_has_output(grid))
			add_replica(parameter, &grid->cells[rank][output], rank);
	}
	for (index = 0; index < grid->copy_count; index++)
		if (grid->copies[index].slot == slot)
			add_replica(parameter, &grid->copies[index].cell,
				is_replicated ? 0 : grid->copies[index].tensor_rank);
}

/* Of a distributed checkpoint: as many slices as the pieces make. */
static bool
set_whole(struct model *model, const struct weight_grid *grid, size_t slot, struct error *err)
{
	const struct weight_cell *copy = NULL;

	if (slot == ROLE_WORD_EMBEDDING && !model->arguments.is_untied
	    && weight_grid_has_output(grid))
		copy = &grid->cells[0][grid->slot_count - 1];
	return dist_grid_slices(&model->parameters[slot], &grid->cells[0][slot], copy,
		model->arguments.hidden / model->arguments.heads, &model->arena, err)
	    || shards_blame(grid->shards, grid->cells[0][slot].shard, err);
}

static bool
set_parameter(struct model *model, const struct weight_grid *grid, size_t slot,
	struct error *err)
{
	struct model_parameter *parameter = &model->parameters[slot];
	size_t                  count = grid->shards->tensor_size;
	unsigned                dimension;
	uint64_t                elements = 1;

	weight_grid_role(grid->shapes.layers, slot, &parameter->role, &parameter->layer);
	parameter->rank = dialect_roles[parameter->role].rank;
	for (dimension = 0; dimension < 2; dimension++) {
		parameter->shape[dimension] = weight_grid_size(grid, parameter->role, dimension);
		if (!checked_multiply(elements, parameter->shape[dimension], &elements))
			return error_set(err, ERROR_CORRUPT, "overflow", "the model's size overflows");
	}
	if (grid->lacks[parameter->role]) {
		/* A bias is of its weight's type, which stands before it. */
		parameter->dtype = grid->cells[0][slot - 1].view.dtype;
		return true;
	}
	parameter->dtype = grid->cells[0][slot].view.dtype;
	if (!checked_add(model->parameter_count, elements, &model->parameter_count))
		return error_set(err, ERROR_CORRUPT, "overflow", "the model's size overflows");
	if (grid->cells[0][slot].pieces != NULL)
		return set_whole(model, grid, slot, err);
	parameter->slices = arena_take(&model->arena, count, sizeof *parameter->slices);
	count = 2 * count + (slot <= ROLE_POSITION_EMBEDDING ? grid->copy_count : 0);
	parameter->replicas = arena_take(&model->arena, count, sizeof *parameter->replicas);
	if (parameter->slices == NULL || parameter->replicas == NULL)
		return error_no_memory(err, count * sizeof *parameter->replicas);
	set_pieces(parameter, grid, slot, model->arguments.is_untied);
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
	size_t slot;

	/* An output layer that is tied is no parameter of its own. */
	model->count = grid->slot_count - (model->arguments.is_untied ? 0 : 1);
	model->parameters = arena_take(&model->arena, model->count, sizeof *model->parameters);
	if (model->parameters == NULL)
		return error_no_memory(err, model->count * sizeof *model->parameters);
	for (slot = 0; slot < model->count; slot++)
		if (!set_parameter(model, grid, slot, err))
			return false;
	decide_dtype(model, log);
	return true;
}

/* ---- the model as a whole --------------------------------------------------------------- */

/* What --qkv-layout says; *given false: "auto" or nothing. */
static bool
read_layout_option(const char *option, enum qkv_layout *layout, bool *given, struct error *err)
{
	static const char *const names[] = { "0", "1", "2" };
	size_t                   index;

	*given = option != NULL && strcmp(option, "auto") != 0;
	if (!*given)
		return true;
	for (index = 0; index < 3; index++) {
		*layout = (enum qkv_layout)index;
		if (strcmp(option, names[index]) == 0)
			return true;
	}
	return error_set(err, ERROR_USAGE, "usage", "--qkv-layout %s: auto, 0, 1 or 2 is expected",
		option);
}

/*
 * Evidence against the label.  It is missing from what was trained between 2020-09-11 and
 * 2020-09-29, when the rows were in order 2 already; it is too high in what code up to v2.0
 * loaded from an older checkpoint and saved again; and no version ever wrote a low label, or
 * a flat model any.
 */
static void
doubt_label(const struct model *model, const struct shard_header *header,
	struct decision_log *log)
{
	const struct value *load = argument_find(header->args, "load");
	const struct value *save = argument_find(header->args, "save");
	char                from[96], to[96];
	bool                is_resumed;

	if (dialect_is_labelled(model->dialect)) {
		if (header->has_label && model->qkv_layout != QKV_LAYOUT_2)
			decision_log_note(log, NOTE_WARNING, "qkv-label-doubtful", "QKV layout %d by "
				"checkpoint_version %s, but code that writes these names labels them "
				"3.0, which is layout 2 (--qkv-layout overrides)",
				(int)model->qkv_layout, header->label);
		return;
	}
	if (!header->has_label) {
		if (argument_find(header->args, "tensor_model_parallel_size") != NULL
		    || argument_find(header->args, "bias_gelu_fusion") != NULL)
			decision_log_note(log, NOTE_WARNING, "qkv-label-missing", "QKV layout 0: the "
				"checkpoint has no checkpoint_version, though its arguments are of a "
				"time when the layout was another (--qkv-layout overrides)");
		return;
	}
	if (model->dialect == DIALECT_FLAT_2019 && model->qkv_layout != QKV_LAYOUT_0) {
		decision_log_note(log, NOTE_WARNING, "qkv-label-doubtful", "QKV layout %d by "
			"checkpoint_version %s, but the names are of 2019, when the layout was 0 "
			"(--qkv-layout overrides)", (int)model->qkv_layout, header->label);
		return;
	}
	if (model->qkv_layout == QKV_LAYOUT_0 || load == NULL)
		return;
	argument_word(load, from, sizeof from);
	is_resumed = save != NULL && strcmp(argument_word(save, to, sizeof to), from) == 0;
	decision_log_note(log, is_resumed ? NOTE_NOTE : NOTE_WARNING, "qkv-label-doubtful",
		"QKV layout %d by checkpoint_version %s; Megatron-LM up to v2.0 gave that label also "
		"to rows that it had loaded in an older layout, and this run did load a checkpoint "
		"(--qkv-layout overrides)", (int)model->qkv_layout, header->label);
}

/* The option is the user's word, and the label that it goes against is told. */
static void
tell_overridden(const struct model *model, const struct shard_header *header,
	struct decision_log *log)
{
	if (header->has_label && header->layout != model->qkv_layout)
		decision_log_note(log, NOTE_NOTE, "qkv-overridden", "--qkv-layout %d, though "
			"checkpoint_version %s has layout %d", (int)model->qkv_layout, header->label,
			(int)header->layout);
}

/* The option, else the label, else the age of the names. */
static bool
decide_layout(struct model *model, const struct shard_header *header,
	const struct model_options *options, struct decision_log *log, struct error *err)
{
	char source[96];
	bool given;

	text_format(model->version_label, sizeof model->version_label, "%s", header->label);
	if (!read_layout_option(options->qkv_layout, &model->qkv_layout, &given, err))
		return false;
	if (given) {
		text_format(source, sizeof source, "option");
	} else if (header->has_label) {
		model->qkv_layout = header->layout;
		text_format(source, sizeof source, "checkpoint_version %s", header->label);
	} else {
		model->qkv_layout = dialect_is_labelled(model->dialect) ? QKV_LAYOUT_2
		    : QKV_LAYOUT_0;
		text_format(source, sizeof source, "%s, no label", dialect_names(model->dialect));
	}
	decision_log_decide(log, "qkv_layout", source, "%d", (int)model->qkv_layout);
	(given ? tell_overridden : doubt_label)(model, header, log);
	return true;
}

static void
note_zero_biases(const struct weight_grid *grid, struct decision_log *log)
{
	size_t role, used;
	char   list[200] = "";

	for (role = 0; role < ROLE_COUNT; role++) {
		if (!grid->lacks[role])
			continue;
		used = strlen(list);
		text_format(list + used, sizeof list - used, "%s%s", used > 0 ? ", " : "",
			dialect_roles[role].name);
	}
	if (list[0] != '\0')
		decision_log_note(log, NOTE_NOTE, "zero-biases", "linear layers have no biases, which "
			"GPT-2 needs: written as zeros (%s)", list);
}

/* A label that says else, or an option: nothing tells the ranks whose rows these would be. */
static bool
check_dist_layout(const struct model *model, struct error *err)
{
	if (model->qkv_layout == QKV_LAYOUT_2)
		return true;
	return error_set(err, ERROR_UNSUPPORTED, "cv", "QKV layout %d: a distributed checkpoint "
		"has its rows in layout 2", (int)model->qkv_layout);
}

/* The weights of shards that are ranks. */
static bool
read_ranks(struct model *model, const struct shards *shards, struct shard_header *header,
	struct weight_grid *grid, struct decision_log *log, struct error *err)
{
	struct weight_grid_parts parts;
	struct weight_names     *names;

	if (!(shards->layer_prefixes != NULL ? shard_header_layers : shard_header_read)(shards,
		&model->arena, header, err))
		return false;
	names = arena_take(&model->arena, shards->count * header->chunk_count, sizeof *names);
	if (names == NULL)
		return error_no_memory(err, shards->count * sizeof *names);
	if (!read_names(model, shards, header, names, log, err))
		return false;
	parts = (struct weight_grid_parts){ names, header->chunk_count, model->dialect,
		header->args };
	return weight_grid_build(grid, shards, &parts, &model->arena, err);
}

/* The weights of a distributed checkpoint, and what it holds beside them. */
static bool
read_distribution(struct model *model, const struct shards *shards,
	struct shard_header *header, struct weight_grid *grid, struct decision_log *log,
	struct error *err)
{
	const struct dist_metadata *metadata = &shards->distribution->metadata;
	size_t                      index;

	if (!shard_header_common(shards->distribution->common, header, err))
		return shards_blame(shards, 0, err);
	model->dialect = DIALECT_CORE;
	for (index = 0; index < metadata->rest_count; index++)
		if (!dropped_add(model, metadata->rest[index].what, metadata->rest[index].bytes,
		        err))
			return false;
	note_heads(metadata->prediction_heads, log);
	return dist_grid_build(grid, shards, header->args, &model->arena, log, err);
}

static bool
read_model(struct model *model, const struct shards *shards,
	const struct model_options *options, struct decision_log *log, struct error *err)
{
	bool                is_dist = shards->distribution != NULL;
	struct shard_header header = { .args = NULL };
	struct weight_grid  grid = { .shards = NULL };

	if (!(is_dist ? read_distribution : read_ranks)(model, shards, &header, &grid, log, err))
		return false;
	if (!arguments_read(&model->arguments, &grid.shapes, header.args, options, log, err))
		return err->kind == ERROR_USAGE ? false : shards_blame(shards, 0, err);
	model->iteration = header.iteration;
	model->chunk_count = (unsigned)header.chunk_count;
	note_zero_biases(&grid, log);
	return decide_layout(model, &header, options, log, err)
	    && (!is_dist || check_dist_layout(model, err))
	    && set_parameters(model, &grid, log, err)
	    && (is_dist || dropped_list(model, &grid, err));
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
	return slot < model->count ? &model->parameters[slot] : NULL;
}

void
model_close(struct model *model)
{
	if (model == NULL)
		return;
	arena_fini(&model->arena);
	free(model);
}
