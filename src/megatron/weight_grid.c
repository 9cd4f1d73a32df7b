#include "megatron/weight_grid.h"

#include "base/checked.h"
#include "base/text.h"
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
	[ROLE_HEAD_COPY]                  = { SIZE_VOCABULARY, SIZE_HIDDEN },
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

/* ---- cells ------------------------------------------------------------------------------ */

static bool
miss(enum model_role role, unsigned layer, struct error *err)
{
	const struct role_facts *facts = &dialect_roles[role];

	if (facts->per_layer)
		return error_set(err, ERROR_CORRUPT, "missingkey", "layers.%u has no %s", layer,
			facts->name);
	return error_set(err, ERROR_CORRUPT, "missingkey", "the model has no %s", facts->name);
}

/* Layers from 0 to the highest that any shard names. */
static uint64_t
count_layers(const struct weight_names *names, size_t shard_count)
{
	uint64_t layers = 0;
	size_t   shard, index;

	for (shard = 0; shard < shard_count; shard++)
		for (index = 0; index < names[shard].count; index++)
			if (dialect_roles[names[shard].items[index].role].per_layer
			    && names[shard].items[index].layer >= layers)
				layers = (uint64_t)names[shard].items[index].layer + 1;
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

	if (layers > 0 && layers <= names->count)
		return true;
	if ((is_there = arena_take(arena, room, sizeof *is_there)) == NULL)
		return error_no_memory(err, room);
	for (index = 0; index < names->count; index++)
		if (dialect_roles[names->items[index].role].per_layer
		    && names->items[index].layer < room)
			is_there[names->items[index].layer] = true;
	for (index = 0; is_there[index]; index++)
		;
	return miss(ROLE_INPUT_NORM_WEIGHT, (unsigned)index, err);
}

static bool
fill_cells(struct weight_grid *grid, size_t shard, const struct weight_names *names,
	struct error *err)
{
	const struct torch_file *torch = grid->shards->items[shard].torch;
	size_t                   index;

	for (index = 0; index < names->count; index++) {
		const struct weight_name *name = &names->items[index];
		size_t slot = weight_grid_slot(grid->shapes.layers, name->role, name->layer);
		struct weight_cell *cell = &grid->cells[shard][slot];

		if (cell->path != NULL)
			return error_set(err, ERROR_CORRUPT, "collision",
				"two tensors under 'model' are %s", name->path);
		cell->path = name->path;
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

static bool
check_complete(const struct weight_grid *grid, size_t shard, struct error *err)
{
	size_t          slot;
	enum model_role role;
	unsigned        layer;

	for (slot = 0; slot < grid->slot_count; slot++) {
		if (grid->cells[shard][slot].path != NULL)
			continue;
		weight_grid_role(grid->shapes.layers, slot, &role, &layer);
		if (role != ROLE_HEAD_COPY)
			return miss(role, layer, err);
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
	char     have[128];

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
	error_set(err, ERROR_NO_INPUT, "missingrank", "shard mp_rank_%02u is missing (found %s; "
		"the tensors are cut for %" PRIu64 " ranks)", grid->shapes.tensor_size, have, ranks);
	return grid->shards->is_lone ? error_hint(err,
		"give the folder that holds all mp_rank_* folders") : false;
}

/* Sizes of the whole model by the first shard. */
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

/* A shard's cell against the first shard's. */
static bool
check_twin(const struct weight_grid *grid, const struct weight_cell *first,
	const struct weight_cell *cell, struct error *err)
{
	const char *first_name = grid->shards->items[0].name;
	char        ours[128], theirs[128];

	if (first->path == NULL) {
		error_set(err, ERROR_CORRUPT, "missingkey", "%s has no such tensor", first_name);
		return error_in_tensor(err, cell->path);
	}
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
check_cells(const struct weight_grid *grid, size_t shard, struct error *err)
{
	size_t          slot;
	enum model_role role;
	unsigned        layer;

	for (slot = 0; slot < grid->slot_count; slot++) {
		const struct weight_cell *cell = &grid->cells[shard][slot];

		weight_grid_role(grid->shapes.layers, slot, &role, &layer);
		if (cell->path == NULL && grid->cells[0][slot].path != NULL)
			return miss(role, layer, err);
		if (cell->path == NULL)
			continue;
		if (shard > 0 && !check_twin(grid, &grid->cells[0][slot], cell, err))
			return false;
		if (!check_shape(grid, cell, role, err))
			return false;
	}
	return true;
}

static bool
build_shard(struct weight_grid *grid, size_t shard, const struct weight_names *names,
	struct arena *arena, struct error *err)
{
	if (!check_layer_gap(&names[shard], grid->shapes.layers, arena, err))
		return false;
	grid->cells[shard] = arena_take(arena, grid->slot_count, sizeof **grid->cells);
	if (grid->cells[shard] == NULL)
		return error_no_memory(err, grid->slot_count * sizeof **grid->cells);
	return fill_cells(grid, shard, &names[shard], err) && check_complete(grid, shard, err);
}

bool
weight_grid_build(struct weight_grid *grid, const struct shards *shards,
	const struct weight_names *names, struct arena *arena, struct error *err)
{
	size_t shard;

	memset(grid, 0, sizeof *grid);
	grid->shards = shards;
	grid->shapes.tensor_size = shards->tensor_size;
	grid->shapes.layers = count_layers(names, shards->count);
	grid->slot_count = weight_grid_slot(grid->shapes.layers, ROLE_HEAD_COPY, 0) + 1;
	if ((grid->cells = arena_take(arena, shards->count, sizeof *grid->cells)) == NULL)
		return error_no_memory(err, shards->count * sizeof *grid->cells);
	for (shard = 0; shard < shards->count; shard++)
		if (!build_shard(grid, shard, names, arena, err))
			return shards_blame(shards, shard, err);
	if (!find_sizes(grid, err))
		return shards_blame(shards, 0, err);
	for (shard = 0; shard < shards->count; shard++)
		if (!check_cells(grid, shard, err))
			return shards_blame(shards, shard, err);
	return true;
}
