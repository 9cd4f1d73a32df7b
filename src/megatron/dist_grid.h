#ifndef MEGATRON_DIST_GRID_H
#define MEGATRON_DIST_GRID_H

#include "base/decision_log.h"
#include "megatron/model.h"
#include "megatron/weight_grid.h"

/*
 * The weights of a distributed checkpoint as a grid of one tensor rank: opens every piece,
 * checks it against the index, and finds the pieces of each layer.
 *
 * ERROR_UNSUPPORTED "arch", "extrakey" (names that are none of a GPT's), "dtype";
 * ERROR_CORRUPT "partshape", "dtypeshard" (a piece is not what the index says), "collision",
 * "missingkey", "cover" (pieces overlap, or leave a hole), and what weight_grid_build() says;
 * ERROR_LIMIT "pieces".
 */
bool dist_grid_build(struct weight_grid *grid, const struct shards *shards,
	const struct value *args, struct arena *arena, struct decision_log *log,
	struct error *err);

/*
 * Makes the pieces of a parameter its slices, and those of its copy (NULL: there is none) its
 * replicas.  A piece of QKV that is no product of heads, parts and dims becomes several.
 * ERROR_UNSUPPORTED "replicated": the copy is cut in another way.
 */
bool dist_grid_slices(struct model_parameter *parameter, const struct weight_cell *cell,
	const struct weight_cell *copy, uint64_t head_size, struct arena *arena,
	struct error *err);

#endif
