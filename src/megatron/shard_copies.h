#ifndef MEGATRON_SHARD_COPIES_H
#define MEGATRON_SHARD_COPIES_H

#include "megatron/shards.h"

/*
 * A rank's file copied in the place of another would pass every other check.  ERROR_CORRUPT
 * "dupshard": two that may not be the same (shards_may_repeat) are, byte for byte; members of a
 * zip by length and CRC-32, files as far as they are the same.
 */
bool shard_copies_check(const struct shards *shards, struct error *err);

#endif
