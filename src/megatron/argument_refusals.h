#ifndef MEGATRON_ARGUMENT_REFUSALS_H
#define MEGATRON_ARGUMENT_REFUSALS_H

#include "base/error.h"
#include "pickle/value.h"

/* false: an argument says that the model is nothing GPT-2, or this version, can express:
 * ERROR_UNSUPPORTED with the argument, its value and what the model is instead. */
bool argument_refusals_check(const struct value *args, struct error *err);

/* The same for heads of another width than GPT-2's, which share `hidden` evenly. */
bool argument_refusals_head_size(const struct value *args, uint64_t hidden, uint64_t heads,
	struct error *err);

#endif
