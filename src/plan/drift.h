#ifndef PLAN_DRIFT_H
#define PLAN_DRIFT_H

#include "torch/dtype.h"

#include <stddef.h>
#include <stdint.h>

/* Of the parameter's norm: beyond, shards are of different runs. */
#define DRIFT_GROSS 0.01

/* How far replicas of a parameter have moved away from the copy that is used. */
struct drift {
	uint64_t elements;              /* that differ in bits */
	double   largest;               /* |a - b| */
	double   square_sum;            /* of a - b; with that of a it tells gross from slight */
	size_t   shard;                 /* of the first replica that differs */
};

/* Adds what differs between `count` elements. */
void   drift_add(struct drift *drift, enum dtype dtype, const unsigned char *used,
	const unsigned char *replica, size_t count, size_t shard);
/* Adds what was found with other elements. */
void   drift_join(struct drift *drift, const struct drift *other);
/* Sum of squares of those of `count` elements that are finite: one that is not would make any
 * drift of the others slight. */
double drift_square_sum(enum dtype dtype, const unsigned char *elements, size_t count);

#endif
