#ifndef PLAN_PROOF_H
#define PLAN_PROOF_H

#include "base/error.h"
#include "plan/strided_copy.h"

/* The boxes tile [0, elements) of a target: each element is written exactly once; else
 * ERROR_INTERNAL. */
bool proof_covers(const struct strided_copy *boxes, size_t count, uint64_t elements,
	struct error *err);

#endif
