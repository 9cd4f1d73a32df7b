#ifndef CONVERT_OUTPUT_FORM_H
#define CONVERT_OUTPUT_FORM_H

#include "base/error.h"
#include "megatron2hf.h"
#include "plan/plan.h"

/* In which form the model is written: what the options --weights, --dtype, --max-shard-size,
 * --profile and --replicas say, put together; and how it is read back. */
struct output_form {
	struct plan_options plan;
	bool                is_4_18;    /* --profile hf4.18 */
	bool                from_disk;  /* --read-back disk */
};

/* ERROR_USAGE: a word that is none of these, or two that contradict each other. */
bool output_form_read(struct output_form *form, const struct m2h_convert_options *options,
	struct error *err);

#endif
