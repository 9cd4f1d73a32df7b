#ifndef MEGATRON_SHARD_GRID_H
#define MEGATRON_SHARD_GRID_H

#include "megatron/rank_name.h"
#include "megatron/shards.h"

/*
 * The grid of tensor and pipeline ranks while it is being found: shards are added by name
 * in any order, then checked as a whole.  Everything lives in shards->arena.
 */
bool shard_grid_add(struct shards *shards, const struct rank_name *rank, const char *name,
	const char *member, struct error *err);

/*
 * Sorts, and sets tensor_size and pipeline_size.  A hole is ERROR_NO_INPUT "missingrank";
 * two shards of one rank are ERROR_CORRUPT "collision".
 */
bool shard_grid_check(struct shards *shards, struct error *err);

/* "00, 02, 03", with several stages "00_000, 00_001": the ranks that are there, for messages;
 * returns `to`. */
char *shard_grid_list(const struct shards *shards, char *to, size_t size);

/* "mp_rank_01", with several stages "mp_rank_01_002"; returns `to`. */
#define SHARD_GRID_NAME_SIZE 64
char *shard_grid_name(size_t tensor_rank, size_t stage, bool is_staged,
	char to[SHARD_GRID_NAME_SIZE]);

/* What to do about a rank that is missing, by its name. */
bool shard_grid_hint(const struct shards *shards, const char *missing, struct error *err);

#endif
