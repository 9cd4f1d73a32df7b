#ifndef MEGATRON_WEIGHT_GRID_H
#define MEGATRON_WEIGHT_GRID_H

#include "megatron/arguments.h"
#include "megatron/shards.h"
#include "megatron/weight_names.h"

/* One shard's piece of one parameter. */
struct weight_cell {
	const char        *path;        /* NULL: the shard has none (only a head copy may lack) */
	struct tensor_view view;
};

/*
 * Every shard's tensors by parameter: cells[shard][slot].  Slots are in the order in which a
 * model lists its parameters: word and position embeddings, the layers, the final norm; the
 * head copy is the last.
 */
struct weight_grid {
	const struct shards     *shards;
	struct weight_cell     **cells;
	size_t                   slot_count;
	struct arguments_shapes  shapes;        /* of the whole model */
};

#define WEIGHT_GRID_ROLES_PER_LAYER (ROLE_MLP_DOWN_BIAS - ROLE_INPUT_NORM_WEIGHT + 1)

/* The slot of a parameter; the layer is below `layers`. */
size_t weight_grid_slot(uint64_t layers, enum model_role role, unsigned layer);
/* The parameter of a slot. */
void   weight_grid_role(uint64_t layers, size_t slot, enum model_role *role, unsigned *layer);

/*
 * Puts the names of all shards (names[shard], matched) in their cells, finds the sizes of
 * the model and checks every shape and element type against them.  ERROR_CORRUPT
 * "missingkey", "collision", "partshape", "dtypeshard", "extrarank"; ERROR_UNSUPPORTED
 * "dtype"; ERROR_NO_INPUT "missingrank" where the tensors are cut for more ranks.
 */
bool weight_grid_build(struct weight_grid *grid, const struct shards *shards,
	const struct weight_names *names, struct arena *arena, struct error *err);
/* The size of one dimension of the whole parameter. */
uint64_t weight_grid_size(const struct weight_grid *grid, enum model_role role,
	unsigned dimension);

#endif
