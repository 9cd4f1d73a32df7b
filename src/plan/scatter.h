#ifndef PLAN_SCATTER_H
#define PLAN_SCATTER_H

#include "plan/cast.h"
#include "plan/drift.h"
#include "plan/panels.h"
#include "plan/plan.h"

/*
 * Carries out the copies of a plan on the bytes of storages as they come by.
 *
 * What runs on in both source and target is written as it comes.  What is transposed or
 * reordered goes through panels, so memory depends on none of the model's sizes.  Tensors that
 * are gathered, all of them small, are kept until their last copy came, and finished then.
 * Constants are written when it opens.  Elements are cast, where they are, when they leave for
 * the target.
 */
struct scatter;

/* Where the elements go, or with what they are compared: `count` bytes of a tensor, as it is
 * stored, `offset` from its start. */
struct scatter_target {
	void *context;
	bool (*write)(void *context, size_t tensor, uint64_t offset, const unsigned char *bytes,
		size_t count, struct error *err);
	/* NULL: what a replica repeats can be read before its slice comes. */
	bool (*place)(void *context, size_t tensor, uint64_t offset, const unsigned char *bytes,
		size_t count, struct error *err);
	bool (*read)(void *context, size_t tensor, uint64_t offset, unsigned char *to,
		size_t count, struct error *err);
};

/* `panel_bytes`: what panels take at most; SCATTER_PANEL_BYTES, or less. */
struct scatter *scatter_open(const struct plan *plan, const struct scatter_target *target,
	size_t panel_bytes, struct error *err);
/* Bytes [byte_offset, byte_offset + count) of a storage, each storage front to back. */
bool scatter_bytes(struct scatter *scatter, size_t shard, size_t storage, uint64_t byte_offset,
	const unsigned char *bytes, size_t count, struct error *err);
/* All storages have come: every copy must be complete (ERROR_INTERNAL). */
bool scatter_finish(struct scatter *scatter, struct error *err);
/* By tensor of the plan. */
const struct drift *scatter_drift(const struct scatter *scatter, size_t tensor);
const struct cast_overflow *scatter_overflow(const struct scatter *scatter, size_t tensor);
void scatter_close(struct scatter *scatter);            /* NULL is fine */

#define SCATTER_PANEL_BYTES ((size_t)32 << 20)
/* Memory that panels of that size and the pieces beside them take at most. */
uint64_t scatter_bytes_bound(size_t panel_bytes);
#define SCATTER_CAST_BYTES ((size_t)1 << 20)

#endif
