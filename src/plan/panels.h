#ifndef PLAN_PANELS_H
#define PLAN_PANELS_H

#include "plan/plan.h"

/*
 * Images in memory, in which elements that come in the order of their source get into that of
 * the target, so that they leave in long runs:
 *
 *   a panel          as many rows of one copy's source as fit, turned when all of them are
 *                    there, in portions that leave while caches hold them
 *   joined copies    of several ranks that make narrow strips: a whole tensor, which is one
 *                    run, or as many strips side by side as fit, if they come while there is
 *                    room for them
 *
 * Where a panel needs the room, what joined copies have leaves as the strips that it is, and
 * the rest of them goes through panels.  Where there is no room at all, elements leave in boxes
 * as small as they come.  So memory depends on none of the model's sizes.
 */
struct panels;

/* Takes `count` elements that lie side by side in the tensor of the copy, from its element
 * `target` on. */
typedef bool panels_put(void *context, const struct plan_copy *copy, uint64_t target,
	const unsigned char *bytes, uint64_t count, struct error *err);

#define PANELS_PORTION_BYTES ((size_t)512 << 10)

/* Images take `limit_bytes` at most, a panel half of it, or more where its runs are short; a
 * portion comes on top of that.  The plan must outlive it. */
struct panels *panels_open(const struct plan *plan, size_t limit_bytes, panels_put *put,
	void *context, struct error *err);
/* Linear indexes [first, last) of a copy, each copy front to back; `bytes` is where element
 * `start` of its source lies. */
bool panels_take(struct panels *panels, const struct plan_copy *copy, uint64_t first,
	uint64_t last, uint64_t start, const unsigned char *bytes, struct error *err);
void panels_close(struct panels *panels);               /* NULL is fine */

#endif
