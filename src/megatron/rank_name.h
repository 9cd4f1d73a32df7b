#ifndef MEGATRON_RANK_NAME_H
#define MEGATRON_RANK_NAME_H

#include "base/error.h"

#include <stddef.h>

/*
 * Names that Megatron-LM gives to files and folders:
 *
 *   latest_checkpointed_iteration.txt      "5000" or "release"
 *   iter_0005000/  or  release/            7 digits, or more
 *   mp_rank_TT/                            tensor rank, 2 digits or more
 *   mp_rank_TT_PPP/                        and pipeline rank, 3 digits or more
 *   model_optim_rng.pt  or  model_rng.pt   one rank
 */
#define RANK_NAME_TRACKER "latest_checkpointed_iteration.txt"
#define RANK_NAME_ITERATION_SIZE 32
#define RANK_NAME_STEP    "global_step"         /* DeepSpeed's iteration folders: global_step5000 */

struct rank_name {
	unsigned tensor_rank, pipeline_rank;
	bool     has_expert_rank;       /* mp_rank_TT_PPP_EEE: of a mixture of experts */
};

/* The component of `length` bytes at `component`; false: it is no rank's. */
bool rank_name_parse(const char *component, size_t length, struct rank_name *rank);
bool rank_name_is_iteration(const char *component);
/*
 * "5000" or "release", blanks around it allowed, to the folder's name.  What else stands in
 * a tracker file is ERROR_UNSUPPORTED "tracker".
 */
bool rank_name_tracker(const char *text, size_t length, char to[RANK_NAME_ITERATION_SIZE],
	struct error *err);

#endif
