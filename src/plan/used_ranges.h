#ifndef PLAN_USED_RANGES_H
#define PLAN_USED_RANGES_H

#include "megatron/shards.h"
#include "plan/plan.h"

/*
 * Which bytes of each input are read, in ranges from front to back.  All of them; or all but
 * storages of USED_RANGES_LEAST bytes and more that no weight is in, and in the files of a
 * distributed checkpoint as much of what lies between the pieces.  A zip's members, deflated or
 * not, are read in full: what was stored of them is a checksum of the whole.
 */
struct used_range {
	uint64_t offset, length;
};

struct used_ranges {
	struct used_range *ranges;      /* by input, by offset; none is empty or touches the next */
	size_t            *first;       /* by input, and one more: its first in `ranges` */
	uint64_t          *bytes;       /* by input: the sum of their lengths */
};

#define USED_RANGES_LEAST ((uint64_t)64 << 10)

/* false: no memory; to be closed all the same. */
bool used_ranges_open(struct used_ranges *used, const struct shards *shards,
	const struct plan *plan, bool all, struct error *err);
/* Is that input read from its first byte to its last? */
bool used_ranges_is_whole(const struct used_ranges *used, const struct shards *shards,
	size_t input);
void used_ranges_fini(struct used_ranges *used);

#endif
