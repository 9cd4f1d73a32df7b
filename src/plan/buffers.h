#ifndef PLAN_BUFFERS_H
#define PLAN_BUFFERS_H

#include "megatron/shards.h"
#include "plan/plan.h"

/*
 * How large the buffers of a run are, beside the tables of plan and model: as suits it, or as
 * they fit a limit.  The bytes that are made do not depend on it.
 */
struct buffers {
	size_t   read_slabs, inflate_slabs;     /* of SLAB_BYTES */
	size_t   panel_bytes;                   /* of the scatter */
	unsigned readers;                       /* of the output, at most */
};

/*
 * `limit_bytes`: what the process may take, with all that it has already; 0: as much as suits.
 * More than suits makes larger panels, so longer writes, where a tensor is transposed that is
 * larger than they are.  ERROR_LIMIT "memory": the least that is needed is more than the limit.
 */
bool buffers_fit(struct buffers *buffers, const struct shards *shards, const struct plan *plan,
	uint64_t limit_bytes, struct error *err);
/* What they take at most, with what is gathered. */
uint64_t buffers_bytes(const struct buffers *buffers, const struct plan *plan);

#endif
