#include "megatron/weight_grid.h"

#include "base/checked.h"
#include "base/text.h"
#include "megatron/argument_refusals.h"
#include "megatron/argument_value.h"
#include "megatron/shard_grid.h"

#include <inttypes.h>
#include <string.h>

enum size { SIZE_NONE, SIZE_VOCABULARY, SIZE_POSITIONS, SIZE_HIDDEN, SIZE_QKV, SIZE_FFN };

/* Shapes of whole parameters, [out, in]. */
static const enum size whole_shapes[ROLE_COUNT][2] = {
	[ROLE_WORD_EMBEDDING]             = { SIZE_VOCABULARY, SIZE_HIDDEN },
	[ROLE_POSITION_EMBEDDING]         = { SIZE_POSITIONS,  SIZE_HIDDEN },
	[ROLE_INPUT_NORM_WEIGHT]          = { SIZE_HIDDEN },
	[ROLE_INPUT_NORM_BIAS]            = { SIZE_HIDDEN },
	[ROLE_QKV_WEIGHT]                 = { SIZE_QKV,        SIZE_HIDDEN },
	[ROLE_QKV_BIAS]                   = { SIZE_QKV },
	[ROLE_ATTENTION_DENSE_WEIGHT]     = { SIZE_HIDDEN,     SIZE_HIDDEN },
	[ROLE_ATTENTION_DENSE_BIAS]       = { SIZE_HIDDEN },
	[ROLE_POST_ATTENTION_NORM_WEIGHT] = { SIZE_HIDDEN },
	[ROLE_POST_ATTENTION_NORM_BIAS]   = { SIZE_HIDDEN },
	[ROLE_MLP_UP_WEIGHT]              = { SIZE_FFN,        SIZE_HIDDEN },
	[ROLE_MLP_UP_BIAS]                = { SIZE_FFN },
	[ROLE_MLP_DOWN_WEIGHT]            = { SIZE_HIDDEN,     SIZE_FFN },
	[ROLE_MLP_DOWN_BIAS]              = { SIZE_HIDDEN },
	[ROLE_FINAL_NORM_WEIGHT]          = { SIZE_HIDDEN },
	[ROLE_FINAL_NORM_BIAS]            = { SIZE_HIDDEN },
	[ROLE_OUTPUT_LAYER]               = { SIZE_VOCABULARY, SIZE_HIDDEN },
};

size_t
weight_grid_slot(uint64_t layers, enum model_role role, unsigned layer)
{
	size_t after = 2 + (size_t)layers * WEIGHT_GRID_ROLES_PER_LAYER;

	if (role <= ROLE_POSITION_EMBEDDING)
		return role;
	if (role >= ROLE_FINAL_NORM_WEIGHT)
		return after + (size_t)(role - ROLE_FINAL_NORM_WEIGHT);
	return 2 + (size_t)layer * WEIGHT_GRID_ROLES_PER_LAYER
	    + (size_t)(role - ROLE_INPUT_NORM_WEIGHT);
}

void
weight_grid_role(uint64_t layers, size_t slot, enum model_role *role, unsigned *layer)
{
	size_t after = 2 + (size_t)layers * WEIGHT_GRID_ROLES_PER_LAYER;

	*layer = 0;
	if (slot < 2) {
		*role = (enum model_role)slot;
	} else if (slot >= after) {
		*role = (enum model_role)(ROLE_FINAL_NORM_WEIGHT + (slot - after));
	} else {
		*layer = (unsigned)((slot - 2) / WEIGHT_GRID_ROLES_PER_LAYER);
		*role = (enum model_role)(ROLE_INPUT_NORM_WEIGHT
		    + (slot - 2) % WEIGHT_GRID_ROLES_PER_LAYER);
	}
}

uint64_t
weight_grid_size(const struct weight_grid *grid, enum model_role role, unsigned dimension)
{
	switch (whole_shapes[role][dimension]) {
	case SIZE_VOCABULARY:
		return grid->shapes.padded_vocabulary;
	case SIZE_POSITIONS:
		return grid->shapes.positions;
	case SIZE_HIDDEN:
		return grid->shapes.hidden;
	case SIZE_QKV:
		return 3 * grid->shapes.hidden;
	case SIZE_FFN:
		return grid->shapes.ffn;
	case SIZE_NONE:
		break;
	}
	return 1;
}

bool
weight_grid_has_output(const struct weight_grid *grid)
{
	return grid->cells[0][grid->slot_count - 1].path != NULL;
}

/* ---- layers ----------------------------------------------------------------------------- */

/* Stage `stage` of the model's order is this shard's, for a tensor rank, and its chunk. */
static size_t
stage_shard(const struct weight_grid *grid, size_t stage, size_t tensor_rank)
{
	return stage % grid->shards->stage_count * grid->shards->tensor_size + tensor_rank;
}

static size_t
stage_chunk(const struct weight_grid *grid, size_t stage)
{
	return stage / grid->shards->stage_count;
}

static const struct weight_names *
stage_names(const struct weight_grid *grid, const struct weight_grid_parts *parts, size_t stage,
	size_t tensor_rank)
{
	return &parts->names[stage_shard(grid, stage, tensor_rank) * parts->chunk_count
	    + stage_chunk(grid, stage)];
}

/* The stage that holds a layer. */
static size_t
layer_stage(const struct weight_grid *grid, uint64_t layer)
{
	size_t stage = 0;

	while (stage + 1 < grid->stage_count && grid->first_layers[stage + 1] <= layer)
		stage++;
	return stage;
}

static bool
miss(enum model_role role, uint64_t layer, uint64_t in_model, struct error *err)
{
	const struct role_facts *facts = &dialect_roles[role];

	if (!facts->per_layer)
		return error_set(err, ERROR_CORRUPT, "missingkey", "the model has no %s",
			facts->name);
	if (layer != in_model)
		return error_set(err, ERROR_CORRUPT, "missingkey", "layers.%" PRIu64 " (of the "
			"model %" PRIu64 ") has no %s", layer, in_model, facts->name);
	return error_set(err, ERROR_CORRUPT, "missingkey", "layers.%" PRIu64 " has no %s", layer,
		facts->name);
}

/* Layers from 0 to the highest that is named. */
static uint64_t
count_layers(const struct weight_names *names)
{
	uint64_t layers = 0;
	size_t   index;

	for (index = 0; index < names->count; index++)
		if (dialect_roles[names->items[index].role].per_layer
		    && names->items[index].layer >= layers)
			layers = (uint64_t)names->items[index].layer + 1;
	return layers;
}

/* A highest number that is above what the tensors can fill: so that memory follows their
 * number, and not the layer's. */
static bool
check_layer_gap(const struct weight_names *names, uint64_t layers, struct arena *arena,
	struct error *err)
{
	bool  *is_there;
	size_t index, room = names->count + 1;

	if (layers <= names->count)
		return true;
	if ((is_there = arena_take(arena, room, sizeof *is_there)) == NULL)
		return error_no_memory(err, room);
	for (index = 0; index < names->count; index++)
		if (dialect_roles[names->items[index].role].per_layer
		    && names->items[index].layer < room)
			is_there[names->items[index].layer] = true;
	for (index = 0; is_there[index]; index++)
		;
	return miss(ROLE_INPUT_NORM_WEIGHT, index, index, err);
}

/* Numbers the layers of all stages. */
static bool
count_stages(struct weight_grid *grid, const struct weight_grid_parts *parts,
	struct arena *arena, struct error *err)
{
	size_t stage, rank;

	grid->stage_count = grid->shards->stage_count * parts->chunk_count;
	grid->first_layers = arena_take(arena, grid->stage_count + 1, sizeof *grid->first_layers);
	if (grid->first_layers == NULL)
		return error_no_memory(err, grid->stage_count * sizeof *grid->first_layers);
	for (stage = 0; stage < grid->stage_count; stage++) {
		uint64_t most = 0;

		for (rank = 0; rank < grid->shards->tensor_size; rank++) {
			const struct weight_names *names = stage_names(grid, parts, stage, rank);
			uint64_t                   layers = count_layers(names);

			if (!check_layer_gap(names, layers, arena, err))
				return shards_blame(grid->shards, stage_shard(grid, stage, rank),
					err);
			most = layers > most ? layers : most;
		}
		grid->first_layers[stage + 1] = grid->first_layers[stage] + most;
	}
	grid->shapes.layers = grid->first_layers[grid->stage_count];
	if (grid->shapes.layers > 0)
		return true;
	miss(ROLE_INPUT_NORM_WEIGHT, 0, 0, err);
	return shards_blame(grid->shards, 0, err);
}

/* ---- cells ------------------------------------------------------------------------------ */

/* Where a tensor goes: its cell, or a new copy where it repeats what the first stage has. */
static struct weight_cell *
find_cell(struct weight_grid *grid, const struct weight_name *name, size_t stage, size_t rank)
{
	uint64_t layer = dialect_roles[name->role].per_layer
	    ? grid->first_layers[stage] + name->layer : 0;
	bool     is_embedding = name->role <= ROLE_POSITION_EMBEDDING;

	if (name->role != ROLE_HEAD_COPY && !(is_embedding && stage > 0))
		return &grid->cells[rank][weight_grid_slot(grid->shapes.layers, name->role,
			(unsigned)layer)];
	grid->copies[grid->copy_count] = (struct weight_copy){
		.slot = is_embedding ? name->role : ROLE_WORD_EMBEDDING,
		.tensor_rank = (unsigned)rank,
	};
	return &grid->copies[grid->copy_count++].cell;
}

static bool
fill_cells(struct weight_grid *grid, const struct weight_names *names, size_t stage, size_t rank,
	struct error *err)
{
	size_t                   shard = stage_shard(grid, stage, rank), index;
	const struct torch_file *torch = grid->shards->items[shard].torch;
	bool                     is_copied[ROLE_COUNT] = { false };

	for (index = 0; index < names->count; index++) {
		const struct weight_name *name = &names->items[index];
		size_t                    copies = grid->copy_count;
		struct weight_cell       *cell = find_cell(grid, name, stage, rank);

		if (grid->copy_count > copies && is_copied[name->role])
			return error_set(err, ERROR_CORRUPT, "collision",
				"two tensors under 'model' are %s", name->path);
		is_copied[name->role] |= grid->copy_count > copies;
		if (cell->path != NULL && cell->shard == shard)
			return error_set(err, ERROR_CORRUPT, "collision",
				"two tensors under 'model' are %s", name->path);
		if (cell->path != NULL)
			return error_set(err, ERROR_CORRUPT, "collision", "%s has %s too",
				grid->shards->items[cell->shard].name, name->path);
		cell->path = name->path;
		cell->shard = shard;
		if (!torch_file_tensor(torch, name->node, &cell->view, err))
			return error_in_tensor(err, name->path);
		if (!dtype_is_weight(cell->view.dtype)) {
			error_set(err, ERROR_UNSUPPORTED, "dtype", "dtype %s for a weight; float16, "
				"bfloat16, float32, float64 are supported",
				dtype_name(cell->view.dtype));
			return error_in_tensor(err, name->path);
		}
	}
	return true;
}

/* Room for the copies: no more than names that can be some. */
static size_t
count_copies(const struct weight_grid *grid, const struct weight_grid_parts *parts)
{
	size_t of, index, count = 0;

	for (of = 0; of < grid->shards->count * parts->chunk_count; of++)
		for (index = 0; index < parts->names[of].count; index++)
			count += parts->names[of].items[index].role == ROLE_HEAD_COPY
			    || parts->names[of].items[index].role <= ROLE_POSITION_EMBEDDING;
	return count;
}

static bool
fill_grid(struct weight_grid *grid, const struct weight_grid_parts *parts, struct arena *arena,
	struct error *err)
{
	size_t rank, stage, copies = count_copies(grid, parts);

	grid->slot_count = weight_grid_slot(grid->shapes.layers, ROLE_OUTPUT_LAYER, 0) + 1;
	grid->cells = arena_take(arena, grid->shards->tensor_size, sizeof *grid->cells);
	grid->copies = arena_take(arena, copies + 1, sizeof *grid->copies);
	if (grid->cells == NULL || grid->copies == NULL)
		return error_no_memory(err, copies * sizeof *grid->copies);
	for (rank = 0; rank < grid->shards->tensor_size; rank++) {
		grid->cells[rank] = arena_take(arena, grid->slot_count, sizeof **grid->cells);
		if (grid->cells[rank] == NULL)
			return error_no_memory(err, grid->slot_count * sizeof **grid->cells);
		for (stage = 0; stage < grid->stage_count; stage++)
			if (!fill_cells(grid, stage_names(grid, parts, stage, rank), stage, rank,
			        err))
				return shards_blame(grid->shards,
					stage_shard(grid, stage, rank), err);
	}
	return true;
}

/* ---- what is missing -------------------------------------------------------------------- */

/* Linear biases that no layer has, where the arguments say that there are none. */
static void
find_lacking(struct weight_grid *grid, bool may_lack_biases)
{
	size_t          rank, slot;
	enum model_role role;
	unsigned        layer;

	for (slot = 0; slot < ROLE_COUNT; slot++)
		grid->lacks[slot] = may_lack_biases
		    && dialect_is_linear_bias((enum model_role)slot);
	for (rank = 0; rank < grid->shapes.tensor_size; rank++) {
		for (slot = 0; slot < grid->slot_count; slot++) {
			weight_grid_role(grid->shapes.layers, slot, &role, &layer);
			if (grid->cells[rank][slot].path != NULL)
				grid->lacks[role] = false;
		}
	}
}

/* The first stage lacks its embedding: perhaps another one has it. */
static bool
miss_embedding(const struct weight_grid *grid, enum model_role role, struct error *err)
{
	size_t index;

	for (index = 0; index < grid->copy_count; index++) {
		const struct weight_cell *cell = &grid->copies[index].cell;

		if (grid->copies[index].slot == (size_t)role
		    && text_has_suffix(cell->path, dialect_roles[role].name))
			return error_set(err, ERROR_CORRUPT, "missingkey", "the first pipeline "
				"stage has no %s, but %s has one: were stages swapped?",
				dialect_roles[role].name, grid->shards->items[cell->shard].name);
	}
	return miss(role, 0, 0, err);
}

static bool
check_complete(const struct weight_grid *grid, size_t rank, struct error *err)
{
	size_t          slot, stage;
	enum model_role role;
	unsigned        layer;

	for (slot = 0; slot < grid->slot_count; slot++) {
		weight_grid_role(grid->shapes.layers, slot, &role, &layer);
		if (grid->cells[rank][slot].path != NULL || grid->lacks[role]
		    || (role == ROLE_OUTPUT_LAYER && !weight_grid_has_output(grid)))
			continue;
		stage = dialect_roles[role].per_layer ? layer_stage(grid, layer)
		    : role <= ROLE_POSITION_EMBEDDING ? 0 : grid->stage_count - 1;
		if (role <= ROLE_POSITION_EMBEDDING)
			miss_embedding(grid, role, err);
		else
			miss(role, dialect_roles[role].per_layer
				? layer - grid->first_layers[stage] : 0, layer, err);
		return shards_blame(grid->shards, stage_shard(grid, stage, rank), err);
	}
	return true;
}

/* ---- shapes ----------------------------------------------------------------------------- */

static bool
check_rank(const struct weight_cell *cell, enum model_role role, struct error *err)
{
	char shape[128];

	if (cell->view.rank == dialect_roles[role].rank)
		return true;
	error_set(err, ERROR_CORRUPT, "partshape", "shape %s; %u dimension%s expected",
		tensor_view_shape_text(&cell->view, shape, sizeof shape), dialect_roles[role].rank,
		dialect_roles[role].rank == 1 ? " is" : "s are");
	return error_in_tensor(err, cell->path);
}

/* The tensors of layer 0 show for how many ranks they were cut. */
static bool
check_cut(const struct weight_grid *grid, const struct weight_cell *qkv,
	const struct weight_cell *dense, struct error *err)
{
	uint64_t hidden = grid->shapes.hidden, columns = dense->view.shape[1], ranks;
	char     have[128], missing[SHARD_GRID_NAME_SIZE];

	if (columns == 0 || hidden % columns != 0)
		return true;
	ranks = hidden / columns;
	if (ranks == grid->shapes.tensor_size || qkv->view.shape[0] != 3 * columns)
		return true;
	shard_grid_list(grid->shards, have, sizeof have);
	if (ranks < grid->shapes.tensor_size)
		return error_set(err, ERROR_CORRUPT, "extrarank",
			"%u shards, but the tensors are cut for %" PRIu64, grid->shapes.tensor_size,
			ranks);
	error_set(err, ERROR_NO_INPUT, "missingrank", "shard %s is missing (found %s; "
		"the tensors are cut for %" PRIu64 " ranks)",
		shard_grid_name(grid->shapes.tensor_size, 0, grid->shards->pipeline_size > 1,
			missing), have, ranks);
	return grid->shards->is_lone ? error_hint(err,
		"give the folder that holds all mp_rank_* folders") : false;
}

/* Sizes of the whole model by the first tensor rank. */
static bool
find_sizes(struct weight_grid *grid, struct error *err)
{
	static const enum model_role asked[] = {
		ROLE_INPUT_NORM_WEIGHT, ROLE_WORD_EMBEDDING, ROLE_POSITION_EMBEDDING,
		ROLE_MLP_UP_WEIGHT, ROLE_QKV_WEIGHT, ROLE_ATTENTION_DENSE_WEIGHT,
	};
	const struct weight_cell *cells[sizeof asked / sizeof *asked];
	struct arguments_shapes  *shapes = &grid->shapes;
	size_t                    index;
	uint64_t                  unused;

	for (index = 0; index < sizeof asked / sizeof *asked; index++) {
		cells[index] = &grid->cells[0][weight_grid_slot(shapes->layers, asked[index], 0)];
		if (!check_rank(cells[index], asked[index], err))
			return false;
	}
	shapes->hidden = cells[0]->view.shape[0];
	shapes->positions = cells[2]->view.shape[0];
	if (!checked_multiply(cells[1]->view.shape[0], shapes->tensor_size,
	        &shapes->padded_vocabulary)
	    || !checked_multiply(cells[3]->view.shape[0], shapes->tensor_size, &shapes->ffn)
	    || !checked_multiply(shapes->hidden, 3, &unused))
		return error_set(err, ERROR_CORRUPT, "overflow", "the model's size overflows");
	if (shapes->hidden == 0 || shapes->positions == 0 || shapes->padded_vocabulary == 0
	    || shapes->ffn == 0)
		return error_set(err, ERROR_CORRUPT, "partshape", "the model has a size of 0");
	return check_cut(grid, cells[4], cells[5], err);
}

/* Heads of another width make QKV of other shapes: the reason is told before the effect. */
static bool
check_heads(const struct weight_grid *grid, const struct value *args, struct error *err)
{
	uint64_t heads = 0;
	bool     found;

	return argument_whole(args, "num_attention_heads", &heads, &found, err)
	    && argument_refusals_head_size(args, grid->shapes.hidden, heads, err);
}

/* The dimension that is cut among the ranks, or the rank of the tensor: none. */
static unsigned
cut_dimension(enum model_role role)
{
	switch (dialect_roles[role].join) {
	case JOIN_ROWS:
	case JOIN_QKV:
		return 0;
	case JOIN_COLUMNS:
		return 1;
	case JOIN_REPLICATED:
		break;
	}
	return dialect_roles[role].rank;
}

static bool
check_shape(const struct weight_grid *grid, const struct weight_cell *cell,
	enum model_role role, struct error *err)
{
	struct tensor_view expected = { .rank = dialect_roles[role].rank };
	bool               right = true;
	unsigned           dimension;
	char               found_text[128], expected_text[128];

	if (!check_rank(cell, role, err))
		return false;
	for (dimension = 0; dimension < expected.rank; dimension++) {
		uint64_t whole = weight_grid_size(grid, role, dimension);
		uint64_t parts = dimension == cut_dimension(role) ? grid->shapes.tensor_size : 1;

		expected.shape[dimension] = whole / parts;
		right = right && whole % parts == 0
		    && cell->view.shape[dimension] == expected.shape[dimension];
	}
	if (right)
		return true;
	error_set(err, ERROR_CORRUPT, "partshape", "shape %s; %s is expected of each of %u ranks",
		tensor_view_shape_text(&cell->view, found_text, sizeof found_text),
		tensor_view_shape_text(&expected, expected_text, sizeof expected_text),
		grid->shapes.tensor_size);
	return error_in_tensor(err, cell->path);
}

/* A rank's cell against another's of the same parameter. */
static bool
check_twin(const struct weight_grid *grid, const struct weight_cell *first,
	const struct weight_cell *cell, struct error *err)
{
	const char *first_name = grid->shards->items[first->shard].name;
	char        ours[128], theirs[128];

	if (cell->view.rank != first->view.rank || memcmp(cell->view.shape, first->view.shape,
	        cell->view.rank * sizeof *cell->view.shape) != 0) {
		error_set(err, ERROR_CORRUPT, "partshape", "shape %s, but %s has %s",
			tensor_view_shape_text(&cell->view, ours, sizeof ours), first_name,
			tensor_view_shape_text(&first->view, theirs, sizeof theirs));
		return error_in_tensor(err, cell->path);
	}
	if (cell->view.dtype != first->view.dtype) {
		error_set(err, ERROR_CORRUPT, "dtypeshard", "dtype %s, but %s has %s",
			dtype_name(cell->view.dtype), first_name, dtype_name(first->view.dtype));
		return error_in_tensor(err, cell->path);
	}
	return true;
}

static bool
check_cells(const struct weight_grid *grid, size_t rank, struct error *err)
{
	size_t          slot;
	enum model_role role;
	unsigned        layer;

	for (slot = 0; slot < grid->slot_count; slot++) {
		const struct weight_cell *cell = &grid->cells[rank][slot];
		const struct weight_cell *first = &grid->cells[0][slot];

		weight_grid_role(grid->shapes.layers, slot, &role, &layer);
		if (cell->path == NULL)
			continue;
		if (first->path == NULL) {
			error_set(err, ERROR_CORRUPT, "missingkey", "tensor rank 0 has no such tensor");
			error_in_tensor(err, cell->path);
			return shards_blame(grid->shards, cell->shard, err);
		}
		if ((rank > 0 && !check_twin(grid, first, cell, err))
		    || !check_shape(grid, cell, role, err))
			return shards_blame(grid->shards, cell->shard, err);
	}
	return true;
}

/* A copy is of what it repeats, and all tensor ranks have as many. */
static bool
check_copies(const struct weight_grid *grid, struct error *err)
{
	size_t index, other;

	for (index = 0; index < grid->copy_count; index++) {
		const struct weight_copy *copy = &grid->copies[index];
		size_t                    own = 0, twins = 0;

		if (!check_twin(grid, &grid->cells[copy->tensor_rank][copy->slot], &copy->cell, err))
			return shards_blame(grid->shards, copy->cell.shard, err);
		for (other = 0; other < grid->copy_count; other++) {
			const struct weight_copy *beside = &grid->copies[other];
			bool                      is_twin = strcmp(beside->cell.path, copy->cell.path) == 0
				&& grid->shards->items[beside->cell.shard].pipeline_rank
					== grid->shards->items[copy->cell.shard].pipeline_rank;

			twins += is_twin;
			own += is_twin && beside->tensor_rank == copy->tensor_rank;
		}
		if (twins != own * grid->shapes.tensor_size) {
			error_set(err, ERROR_CORRUPT, "missingkey",
				"not every tensor rank of the stage has it");
			error_in_tensor(err, copy->cell.path);
			return shards_blame(grid->shards, copy->cell.shard, err);
		}
	}
	return true;
}

bool
weight_grid_finish(struct weight_grid *grid, const struct value *args, struct error *err)
{
	size_t rank;

	find_lacking(grid, arguments_lack_biases(args));
	for (rank = 0; rank < grid->shapes.tensor_size; rank++)
		if (!check_complete(grid, rank, err))
			return false;
	grid->shapes.has_output = weight_grid_has_output(grid);
	if (!find_sizes(grid, err) || !check_heads(grid, args, err))
		return shards_blame(grid->shards, 0, err);
	for (rank = 0; rank < grid->shapes.tensor_size; rank++)
		if (!check_cells(grid, rank, err))
			return false;
	return check_copies(grid, err);
}

bool
weight_grid_build(struct weight_grid *grid, const struct shards *shards,
	const struct weight_grid_parts *parts, struct arena *arena, struct error *err)
{
	memset(grid, 0, sizeof *grid);
	grid->shards = shards;
	grid->shapes.tensor_size = shards->tensor_size;
	grid->shapes.pipeline_size = shards->pipeline_size;
	grid->shapes.dialect = parts->dialect;
	return count_stages(grid, parts, arena, err) && fill_grid(grid, parts, arena, err)
	    && weight_grid_finish(grid, parts->args, err);
}
