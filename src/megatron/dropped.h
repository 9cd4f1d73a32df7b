#ifndef MEGATRON_DROPPED_H
#define MEGATRON_DROPPED_H

#include "megatron/model.h"
#include "megatron/weight_grid.h"

/* Lists what the shards hold beside the weights of the grid, with the bytes of storages that
 * no weight uses, by top-level key over all shards.  Lives in model->arena. */
bool dropped_list(struct model *model, const struct weight_grid *grid, struct error *err);
/* Adds one of them: `key` is the name at the top that it goes under. */
bool dropped_add(struct model *model, const char *key, uint64_t bytes, struct error *err);

#endif
