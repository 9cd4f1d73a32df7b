#ifndef MEGATRON_WEIGHT_GRID_H
#define MEGATRON_WEIGHT_GRID_H

#include "megatron/arguments.h"
#include "megatron/shards.h"
#include "megatron/weight_names.h"

/* A part of a cell's tensor that lies by itself. */
struct weight_piece {
	size_t             shard;
	struct tensor_view view;
	uint64_t           row, column; /* of its first element */
};

/* One tensor rank's piece of one parameter. */
struct weight_cell {
	const char        *path;        /* NULL: there is none */
	size_t             shard;       /* that holds it */
	struct tensor_view view;

	/* Of a distributed checkpoint: all of the parameter, in pieces.  `view` then has its
	 * shape and type, `shard` holds the first one. */
	const struct weight_piece *pieces;      /* NULL: the shard holds it in one piece */
	size_t                     piece_count;
};

/* The same piece once more, in another pipeline stage: a tied head, most of all. */
struct weight_copy {
	size_t             slot;
	unsigned           tensor_rank;
	struct weight_cell cell;
};

/*
 * The tensors of all shards by parameter: cells[tensor rank][slot].  Slots are in the order in
 * which a model lists its parameters: word and position embeddings, the layers, the final norm,
 * an output layer where there is one.
 *
 * Every pipeline stage, and every virtual one, numbers its layers from 0.  Their numbers in
 * the model follow from counting: chunk after chunk, in each from the first pipeline rank to
 * the last.  That holds for every way in which layers were ever dealt out: evenly, with other
 * numbers on the first and last stage, with a stage for the embedding alone, by a plan.
 *
 * A distributed checkpoint has one tensor rank here, and one stage: its tensors are whole.
 */
struct weight_grid {
	const struct shards     *shards;
	struct weight_cell     **cells;
	size_t                   slot_count;
	struct weight_copy      *copies;
	size_t                   copy_count;
	uint64_t                *first_layers;  /* of each stage in that order, and the end */
	size_t                   stage_count;   /* pipeline ranks x chunks */
	bool                     lacks[ROLE_COUNT];     /* no layer has it: linear biases only */
	struct arguments_shapes  shapes;        /* of the whole model */
};

/* What a grid is made of. */
struct weight_grid_parts {
	const struct weight_names *names;       /* matched: [shard * chunk_count + chunk] */
	size_t                     chunk_count;
	enum dialect               dialect;
	const struct value        *args;        /* NULL: none */
};

#define WEIGHT_GRID_ROLES_PER_LAYER (ROLE_MLP_DOWN_BIAS - ROLE_INPUT_NORM_WEIGHT + 1)

/* The slot of a parameter; the layer is below `layers`. */
size_t weight_grid_slot(uint64_t layers, enum model_role role, unsigned layer);
/* The parameter of a slot. */
void   weight_grid_role(uint64_t layers, size_t slot, enum model_role *role, unsigned *layer);

/*
 * Puts the names of all shards in their cells, finds the sizes of the model and checks every
 * shape and element type against them.  ERROR_CORRUPT "missingkey", "collision", "partshape",
 * "dtypeshard", "extrarank"; ERROR_UNSUPPORTED "dtype"; ERROR_NO_INPUT "missingrank" where the
 * tensors are cut for more ranks.
 */
bool weight_grid_build(struct weight_grid *grid, const struct shards *shards,
	const struct weight_grid_parts *parts, struct arena *arena, struct error *err);
/* The second half of that: checks a grid whose cells are filled, and finds the sizes. */
bool weight_grid_finish(struct weight_grid *grid, const struct value *args, struct error *err);
/* Has the model an output layer's weight, be it tied or not? */
bool weight_grid_has_output(const struct weight_grid *grid);
/* The size of one dimension of the whole parameter. */
uint64_t weight_grid_size(const struct weight_grid *grid, enum model_role role,
	unsigned dimension);

#endif
