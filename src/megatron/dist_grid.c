#include "megatron/dist_grid.h"

#include "base/checked.h"
#include "megatron/distributed.h"

#include <inttypes.h>
#include <string.h>

#define MAX_PIECES 4096         /* of one parameter; each is compared with each */

/* ---- single pieces ------------------------------------------------------------------------ */

/* The shapes are the same, but for leading dimensions of 1 that either may lack. */
static bool
same_shape(const struct tensor_view *view, const struct dist_chunk *chunk, unsigned rank)
{
	unsigned lead = rank > view->rank ? rank - view->rank : 0, d;

	if (view->rank > rank)
		return false;
	for (d = 0; d < rank; d++)
		if (chunk->size[d] != (d < lead ? 1 : view->shape[d - lead]))
			return false;
	return true;
}

/* Gives a view the leading dimensions that it lacks. */
static void
pad_view(struct tensor_view *view, unsigned rank)
{
	unsigned lead = rank - view->rank, d;

	for (d = rank; d-- > 0;) {
		view->shape[d] = d < lead ? 1 : view->shape[d - lead];
		view->stride[d] = d < lead ? 0 : view->stride[d - lead];
	}
	view->rank = rank;
}

static bool
check_view(struct tensor_view *view, const struct dist_tensor *tensor,
	const struct dist_chunk *chunk, struct error *err)
{
	struct tensor_view expected = { .rank = tensor->rank };
	char               found_text[128], expected_text[128];

	memcpy(expected.shape, chunk->size, sizeof expected.shape);
	if (!same_shape(view, chunk, tensor->rank))
		return error_set(err, ERROR_CORRUPT, "partshape",
			"the piece has shape %s, .metadata says %s",
			tensor_view_shape_text(view, found_text, sizeof found_text),
			tensor_view_shape_text(&expected, expected_text, sizeof expected_text));
	if (view->dtype != tensor->dtype)
		return error_set(err, ERROR_CORRUPT, "dtypeshard",
			"the piece has dtype %s, .metadata says %s", dtype_name(view->dtype),
			dtype_name(tensor->dtype));
	pad_view(view, tensor->rank);
	return true;
}

/* Reads the pickle of a piece: a tensor, and nothing else. */
static bool
read_view(const struct shards *shards, size_t shard, struct tensor_view *view,
	bool *has_checksums, struct error *err)
{
	struct torch_file  *piece = shards_open_piece(shards, shard, err);
	const struct value *root;
	char                found[160];
	bool                done = false;

	if (piece == NULL)
		return false;
	root = torch_file_root(piece);
	*has_checksums = torch_file_form(piece) != TORCH_ZIP || torch_file_has_checksums(piece);
	if (!torch_file_is_tensor(piece, root))
		error_set(err, ERROR_UNSUPPORTED, "foreignweight", "is %s, not a plain tensor",
			value_describe(root, found, sizeof found));
	else
		done = torch_file_tensor(piece, root, view, err);
	shards_close_piece(piece);
	return done;
}

/* ---- layers ------------------------------------------------------------------------------- */

static bool
fail_weight(const struct shards *shards, const struct dist_weight *weight, struct error *err)
{
	error_in_tensor(err, weight->tensor->key);
	return error_in_file(err, shards->inputs[0]->name);
}

/* The number of layers: stacked tensors agree on it, others are counted. */
static bool
count_layers(const struct shards *shards, uint64_t *layers, struct error *err)
{
	const struct distribution *distribution = shards->distribution;
	size_t                     index, named = 0;
	uint64_t                   stacked = 0, highest = 0;

	for (index = 0; index < distribution->weight_count; index++) {
		const struct dist_weight *weight = &distribution->weights[index];
		const struct dist_role   *role = &weight->role;
		uint64_t                  rows = weight->tensor->shape[0];

		if (!dialect_roles[role->role].per_layer)
			continue;
		named++;
		if (!role->is_stacked) {
			highest = role->layer >= highest ? (uint64_t)role->layer + 1 : highest;
			continue;
		}
		if (weight->tensor->rank == 0 || rows == 0 || rows > DIALECT_MAX_LAYER + 1
		    || (stacked != 0 && stacked != rows)) {
			error_set(err, ERROR_CORRUPT, "partshape",
				"it has %" PRIu64 " layers, others have %" PRIu64,
				weight->tensor->rank == 0 ? 0 : rows, stacked);
			return fail_weight(shards, weight, err);
		}
		stacked = rows;
	}
	*layers = highest > stacked ? highest : stacked;
	if (*layers > 0 && (highest <= named || stacked >= highest))
		return true;
	error_set(err, ERROR_CORRUPT, "missingkey", "%zu tensors of layers cannot make the %" PRIu64
		" layers that are named", named, *layers);
	return error_in_file(err, shards->inputs[0]->name);
}

static struct weight_cell *
cell_of(struct weight_grid *grid, const struct dist_weight *weight, uint64_t layer)
{
	return &grid->cells[0][weight_grid_slot(grid->shapes.layers, weight->role.role,
		(unsigned)layer)];
}

/* The layers that a chunk has a part of: of a tensor of one layer it is that one. */
static void
layers_of(const struct dist_weight *weight, const struct dist_chunk *chunk, uint64_t *first,
	uint64_t *count)
{
	*first = weight->role.is_stacked ? chunk->offset[0] : weight->role.layer;
	*count = weight->role.is_stacked ? chunk->size[0] : 1;
}

/* Opens the cells of a tensor, and counts the pieces of each. */
static bool
open_cells(struct weight_grid *grid, const struct dist_weight *weight, struct error *err)
{
	const struct dist_tensor *tensor = weight->tensor;
	unsigned                  skip = weight->role.is_stacked ? 1 : 0, rank;
	uint64_t                  layer, first, count;
	size_t                    chunk;

	rank = dialect_roles[weight->role.role].rank + skip;
	if (tensor->rank != rank)
		return error_set(err, ERROR_CORRUPT, "partshape", "%u dimensions; %u are expected",
			tensor->rank, rank);
	if (!dtype_is_weight(tensor->dtype))
		return error_set(err, ERROR_UNSUPPORTED, "dtype", "dtype %s for a weight; float16, "
			"bfloat16, float32, float64 are supported", dtype_name(tensor->dtype));
	first = skip ? 0 : weight->role.layer;
	count = skip ? tensor->shape[0] : 1;
	for (layer = first; layer < first + count; layer++) {
		struct weight_cell *cell = cell_of(grid, weight, layer);

		if (cell->path != NULL)
			return error_set(err, ERROR_CORRUPT, "collision",
				"%s is the same parameter", cell->path);
		*cell = (struct weight_cell){ .path = weight->path, .shard = weight->first_shard };
		cell->view.dtype = tensor->dtype;
		cell->view.rank = rank - skip;
		memcpy(cell->view.shape, tensor->shape + skip,
			(rank - skip) * sizeof *tensor->shape);
	}
	for (chunk = 0; chunk < tensor->chunk_count; chunk++) {
		layers_of(weight, &tensor->chunks[chunk], &first, &count);
		for (layer = first; layer < first + count; layer++)
			cell_of(grid, weight, layer)->piece_count++;
	}
	return true;
}

static bool
make_room(struct weight_grid *grid, const struct shards *shards, struct arena *arena,
	struct error *err)
{
	size_t slot;

	for (slot = 0; slot < grid->slot_count; slot++) {
		struct weight_cell *cell = &grid->cells[0][slot];

		if (cell->path == NULL)
			continue;
		if (cell->piece_count > MAX_PIECES) {
			error_set(err, ERROR_LIMIT, "pieces", "%zu pieces (limit %d)",
				cell->piece_count, MAX_PIECES);
			error_in_tensor(err, cell->path);
			return error_in_file(err, shards->inputs[0]->name);
		}
		cell->pieces = arena_take(arena, cell->piece_count + 1, sizeof *cell->pieces);
		if (cell->pieces == NULL)
			return error_no_memory(err, cell->piece_count * sizeof *cell->pieces);
		cell->piece_count = 0;
	}
	return true;
}

/* Gives each layer of a chunk its part of it. */
static void
deal_out(struct weight_grid *grid, const struct dist_weight *weight,
	const struct dist_chunk *chunk, size_t shard, const struct tensor_view *view)
{
	unsigned skip = weight->role.is_stacked ? 1 : 0, rank = view->rank - skip;
	uint64_t layer, first, count;

	layers_of(weight, chunk, &first, &count);
	for (layer = first; layer < first + count; layer++) {
		struct weight_cell  *cell = cell_of(grid, weight, layer);
		struct weight_piece *piece =
		    (struct weight_piece *)&cell->pieces[cell->piece_count++];

		*piece = (struct weight_piece){ .shard = shard, .view = *view,
			.row = chunk->offset[skip], .column = rank > 1 ? chunk->offset[skip + 1] : 0 };
		piece->view.rank = rank;
		memmove(piece->view.shape, piece->view.shape + skip, rank * sizeof *view->shape);
		memmove(piece->view.stride, piece->view.stride + skip, rank * sizeof *view->stride);
		/* The view lies in its storage, and so does each of its layers. */
		piece->view.offset += skip ? (layer - first) * view->stride[0] : 0;
		if (cell->piece_count == 1)
			cell->shard = shard;
	}
}

static bool
read_pieces(struct weight_grid *grid, const struct dist_weight *weight, size_t *unchecked,
	struct error *err)
{
	const struct dist_tensor *tensor = weight->tensor;
	size_t                    chunk;

	for (chunk = 0; chunk < tensor->chunk_count; chunk++) {
		size_t             shard = weight->first_shard + chunk;
		struct tensor_view view;
		bool               has_checksums = true;

		if (!read_view(grid->shards, shard, &view, &has_checksums, err)
		    || !check_view(&view, tensor, &tensor->chunks[chunk], err))
			return shards_blame(grid->shards, shard, err);
		*unchecked += !has_checksums;
		deal_out(grid, weight, &tensor->chunks[chunk], shard, &view);
	}
	return true;
}

/* ---- coverage ----------------------------------------------------------------------------- */

static uint64_t
columns_of(const struct tensor_view *view)
{
	return view->rank > 1 ? view->shape[1] : 1;
}

static bool
pieces_meet(const struct weight_piece *a, const struct weight_piece *b)
{
	if (tensor_view_count(&b->view) == 0)
		return false;
	return a->row < b->row + b->view.shape[0] && b->row < a->row + a->view.shape[0]
	    && a->column < b->column + columns_of(&b->view)
	    && b->column < a->column + columns_of(&a->view);
}

/* Every element of the whole is in one piece. */
static bool
check_cover(const struct weight_cell *cell, struct error *err)
{
	uint64_t elements = tensor_view_count(&cell->view), sum = 0;
	size_t   index, other;

	for (index = 0; index < cell->piece_count; index++) {
		uint64_t count = tensor_view_count(&cell->pieces[index].view);

		sum += count;
		for (other = 0; other < index && count > 0; other++)
			if (pieces_meet(&cell->pieces[index], &cell->pieces[other]))
				return error_set(err, ERROR_CORRUPT, "cover", "two of its pieces "
					"overlap, at row %" PRIu64 ", column %" PRIu64,
					cell->pieces[index].row, cell->pieces[index].column);
	}
	return sum == elements || error_set(err, ERROR_CORRUPT, "cover", "its %zu pieces have %"
		PRIu64 " of %" PRIu64 " elements", cell->piece_count, sum, elements);
}

static bool
check_covers(const struct weight_grid *grid, struct error *err)
{
	size_t          slot;
	enum model_role role;
	unsigned        layer;

	for (slot = 0; slot < grid->slot_count; slot++) {
		const struct weight_cell *cell = &grid->cells[0][slot];
		struct error              why = { 0 };

		if (cell->path == NULL || check_cover(cell, &why))
			continue;
		weight_grid_role(grid->shapes.layers, slot, &role, &layer);
		if (dialect_roles[role].per_layer)
			error_set(err, why.kind, why.slug, "layer %u: %s", layer, why.text);
		else
			*err = why;
		error_in_tensor(err, cell->path);
		return error_in_file(err, grid->shards->inputs[0]->name);
	}
	return true;
}

/* ---- the grid ----------------------------------------------------------------------------- */

static bool
open_grid(struct weight_grid *grid, const struct shards *shards, struct arena *arena,
	struct error *err)
{
	memset(grid, 0, sizeof *grid);
	grid->shards = shards;
	grid->shapes.tensor_size = 1;
	grid->shapes.pipeline_size = 1;
	grid->shapes.dialect = DIALECT_CORE;
	grid->stage_count = 1;
	if (!count_layers(shards, &grid->shapes.layers, err))
		return false;
	grid->slot_count = weight_grid_slot(grid->shapes.layers, ROLE_OUTPUT_LAYER, 0) + 1;
	grid->first_layers = arena_take(arena, 2, sizeof *grid->first_layers);
	grid->cells = arena_take(arena, 1, sizeof *grid->cells);
	if (grid->first_layers == NULL || grid->cells == NULL
	    || (grid->cells[0] = arena_take(arena, grid->slot_count, sizeof **grid->cells)) == NULL)
		return error_no_memory(err, grid->slot_count * sizeof **grid->cells);
	grid->first_layers[1] = grid->shapes.layers;
	return true;
}

bool
dist_grid_build(struct weight_grid *grid, const struct shards *shards,
	const struct value *args, struct arena *arena, struct decision_log *log,
	struct error *err)
{
	const struct distribution *distribution = shards->distribution;
	size_t                     index, unchecked = 0;

	if (distribution->unknown_count > 0) {
		weight_names_refuse(distribution->unknown, distribution->unknown_count,
			"in .metadata", err);
		return error_in_file(err, shards->inputs[0]->name);
	}
	if (!open_grid(grid, shards, arena, err))
		return false;
	for (index = 0; index < distribution->weight_count; index++)
		if (!open_cells(grid, &distribution->weights[index], err))
			return fail_weight(shards, &distribution->weights[index], err);
	if (!make_room(grid, shards, arena, err))
		return false;
	for (index = 0; index < distribution->weight_count; index++)
		if (!read_pieces(grid, &distribution->weights[index], &unchecked, err))
			return false;
	if (unchecked > 0)
		decision_log_note(log, NOTE_WARNING, "no-checksums", "%zu of %zu pieces carry no "
			"CRC-32 values: damage to their numbers cannot be seen", unchecked,
			distribution->piece_count);
	return check_covers(grid, err) && weight_grid_finish(grid, args, err);
}

/* ---- slices ------------------------------------------------------------------------------- */

#define MAX_PARTS 5     /* of a range of rows in three dimensions */

/*
 * Cuts the rows [row, end) of QKV, [heads][3][head size], into products: the next ends where a
 * part, a head, or the range does.
 */
static uint64_t
next_end(uint64_t row, uint64_t end, uint64_t head_size)
{
	uint64_t of_head = 3 * head_size, left = end - row, unit;

	if (row % of_head == 0 && left >= of_head)
		return end - left % of_head;
	if (row % head_size == 0 && left >= head_size) {
		unit = of_head - row % of_head;
		return row + (left < unit ? left - left % head_size : unit);
	}
	unit = head_size - row % head_size;
	return row + (left < unit ? left : unit);
}

/* The slices that a piece becomes; returns their number. */
static size_t
cut_piece(const struct weight_piece *piece, const char *path, uint64_t head_size,
	struct model_slice slices[MAX_PARTS])
{
	uint64_t row = piece->row, end = row + piece->view.shape[0], next;
	size_t   count = 0;

	if (end == row || columns_of(&piece->view) == 0)
		return 0;
	for (; row < end; row = next) {
		struct model_slice *slice = &slices[count++];

		next = head_size == 0 ? end : next_end(row, end, head_size);
		*slice = (struct model_slice){ piece->shard, piece->view, path, row, piece->column };
		slice->view.shape[0] = next - row;
		slice->view.offset += (row - piece->row) * piece->view.stride[0];
	}
	return count;
}

static bool
same_place(const struct model_slice *a, const struct model_slice *b)
{
	return a->row == b->row && a->column == b->column
	    && memcmp(a->view.shape, b->view.shape, a->view.rank * sizeof *a->view.shape) == 0;
}

/* A tied output layer repeats the embedding piece by piece. */
static bool
add_copies(struct model_parameter *parameter, const struct weight_cell *copy,
	struct arena *arena, struct error *err)
{
	struct model_slice slices[MAX_PARTS];
	size_t             index, slice;

	parameter->replicas = arena_take(arena, copy->piece_count + 1,
		sizeof *parameter->replicas);
	if (parameter->replicas == NULL)
		return error_no_memory(err, copy->piece_count * sizeof *parameter->replicas);
	for (index = 0; index < copy->piece_count; index++) {
		if (cut_piece(&copy->pieces[index], copy->path, 0, slices) == 0)
			continue;
		for (slice = 0; slice < parameter->slice_count; slice++)
			if (same_place(&slices[0], &parameter->slices[slice]))
				break;
		if (slice == parameter->slice_count) {
			error_set(err, ERROR_UNSUPPORTED, "replicated", "it repeats the embedding, "
				"but is cut into other pieces");
			return error_in_tensor(err, copy->path);
		}
		parameter->replicas[parameter->replica_count++] =
		    (struct model_replica){ slices[0], slice };
	}
	return true;
}

bool
dist_grid_slices(struct model_parameter *parameter, const struct weight_cell *cell,
	const struct weight_cell *copy, uint64_t head_size, struct arena *arena,
	struct error *err)
{
	bool   is_qkv = dialect_roles[parameter->role].join == JOIN_QKV;
	size_t index, room = cell->piece_count * (is_qkv ? MAX_PARTS : 1) + 1;

	parameter->slices = arena_take(arena, room, sizeof *parameter->slices);
	if (parameter->slices == NULL)
		return error_no_memory(err, room * sizeof *parameter->slices);
	for (index = 0; index < cell->piece_count; index++)
		parameter->slice_count += cut_piece(&cell->pieces[index], cell->path,
			is_qkv ? head_size : 0, parameter->slices + parameter->slice_count);
	return copy == NULL || add_copies(parameter, copy, arena, err);
}
