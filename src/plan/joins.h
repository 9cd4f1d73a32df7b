#ifndef PLAN_JOINS_H
#define PLAN_JOINS_H

#include "plan/plan.h"

/*
 * Which copies of a tensor, strips of several ranks, are put together in one image before they
 * leave: all of them where the tensor fits, else as many neighbours as do.
 */
/* How a copy is joined with others of its tensor that lie beside it there. */
struct join {
	size_t   first, count;          /* which those are, in joins.order; count 0: it is not */
	size_t   number;                /* of the copy among them */
	uint64_t step;                  /* from each to the next in the target; 0: all of the tensor */
	uint64_t came;                  /* linear indexes of the copy that are in the image */
};

struct joins {
	const struct plan *plan;
	size_t             room_bytes;  /* of an image */
	struct join       *by_copy;
	size_t            *order;       /* copies by tensor, and where they begin in it */
};

/* Copies that give longer runs than this by themselves need not be joined; a panel that gives
 * shorter ones takes all the room there is, not half of it. */
#define JOINS_LONG_RUN_BYTES ((uint64_t)64 << 10)

/* The plan must outlive it.  joins_free() even on failure. */
bool joins_find(struct joins *joins, const struct plan *plan, size_t room_bytes,
	struct error *err);
struct join *joins_of(const struct joins *joins, const struct plan_copy *copy);
const struct plan_copy *joins_copy(const struct joins *joins, const struct join *join,
	size_t number);
/* One box of `count` copies like this one, which lie `step` apart; returns the dimension that
 * counts them, COPY_MAX_DIMS where there is none left. */
unsigned joins_boxes(const struct strided_copy *first, size_t count, uint64_t step,
	struct strided_copy *all);
/* The copy's box with its place in the image of the join for a target. */
struct strided_copy joins_place(const struct joins *joins, const struct plan_copy *copy);
uint64_t joins_tensor_elements(const struct plan_tensor *tensor);
/* From now on none of these copies is joined. */
void joins_dissolve(struct joins *joins, const struct join *join);
void joins_free(struct joins *joins);

#endif
