#ifndef PLAN_READING_ORDER_H
#define PLAN_READING_ORDER_H

#include "megatron/shards.h"
#include "plan/plan.h"
#include "plan/used_ranges.h"

/*
 * Which input is read on next, each of them from front to back: the one that holds what comes
 * first in the output.  So ranks that share a tensor are read one after the other within that
 * tensor, stages take turns, and the front of the output is complete early.  It all depends on
 * shards and plan alone; the bytes that are made do not depend on it.
 *
 * Where replicas must be met in another way (their elements come in no order that can be told
 * apart, or their mean is wanted) the inputs are read one after the other, whole.
 */
struct reading_order;

struct reading_step {
	size_t   input;
	uint64_t offset;
	size_t   length;
};

/* Inputs that are begun and not read to their end, at most. */
#define READING_ORDER_BESIDE 16

/* The ranges must outlive it.  NULL: no memory. */
struct reading_order *reading_order_open(const struct shards *shards, const struct plan *plan,
	const struct used_ranges *used, struct error *err);
/* The next step, of at most `most` bytes; false: all that is used of the inputs is read. */
bool reading_order_next(struct reading_order *order, size_t most, struct reading_step *step);
void reading_order_close(struct reading_order *order);          /* NULL is fine */

#endif
