#ifndef MEGATRON_SHARD_FOLDER_H
#define MEGATRON_SHARD_FOLDER_H

#include "megatron/rank_name.h"
#include "megatron/shards.h"

/*
 * The shards of a checkpoint that lies on disk as folders:
 *
 *   ROOT/latest_checkpointed_iteration.txt
 *   ROOT/iter_0005000/mp_rank_00/model_optim_rng.pt
 *
 * ROOT, an iteration folder or a rank folder may be named.  Fills items (without streams)
 * and inputs; `directory` is the open folder and stays the caller's.
 */
bool shard_folder_open(struct shards *shards, int directory, const char *path,
	const struct shards_options *options, struct decision_log *log, struct error *err);

/* The rank of a single file by the folder it lies in; another rank beside that folder is
 * ERROR_NO_INPUT "missingrank".  A folder of another name: rank 0. */
bool shard_folder_neighbours(struct shards *shards, const char *file_path,
	struct rank_name *rank, struct error *err);

#endif
