#ifndef MEGATRON_SHARD_ZIP_H
#define MEGATRON_SHARD_ZIP_H

#include "container/zip_archive.h"
#include "megatron/rank_name.h"
#include "megatron/shards.h"

/*
 * The shards in a zip as downloaded:
 *
 *   [FOLDER/]latest_checkpointed_iteration.txt
 *   [FOLDER/]release/mp_rank_00/model_optim_rng.pt
 *
 * or one member that ends in .pt.  Fills items with their streams; the zip's file is
 * inputs[0], which the caller has set.
 */
bool shard_zip_open(struct shards *shards, const struct zip_archive *archive,
	const struct shards_options *options, struct decision_log *log, struct error *err);

#endif
