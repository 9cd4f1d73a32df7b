#ifndef PLAN_PLACEMENT_H
#define PLAN_PLACEMENT_H

#include "gpt2/gpt2_names.h"
#include "megatron/model.h"
#include "plan/strided_copy.h"

/* A mistake, made on purpose to see whether it explains a difference. */
enum placement_mistake {
	MISTAKE_NONE,
	MISTAKE_QKV_0, MISTAKE_QKV_1, MISTAKE_QKV_2,    /* rows taken to be in this order */
	MISTAKE_QKV_AS_STORED,                          /* rows not put in order at all */
	MISTAKE_NOT_TRANSPOSED,
	MISTAKE_NORM_LESS_ONE, MISTAKE_NORM_PLUS_ONE,   /* 1 was not added, or was */
	MISTAKE_RANKS_REVERSED,
};

/* The role whose parameter a part of GPT-2 holds; false: it is a constant. */
bool placement_role(enum gpt2_part part, enum model_role *role);
/* Has the role a part? */
bool placement_knows(enum model_role role);

/*
 * A slice of a parameter as one strided copy into the tensor: transposed, its
 * query, key and value rows put into q, k, v order, rows beyond the tensor's left out.
 * false: nothing of it is in the tensor (padding rows only).
 */
bool placement_box(const struct model *model, const struct model_parameter *whole,
	const struct gpt2_tensor *target, const struct model_slice *slice,
	enum placement_mistake mistake, struct strided_copy *box);

#endif
