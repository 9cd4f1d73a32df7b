#ifndef MEGATRON_DEEPSPEED_H
#define MEGATRON_DEEPSPEED_H

#include "megatron/folder_listing.h"
#include "megatron/shards.h"

/*
 * Megatron-DeepSpeed, saved by its pipeline engine: a file for each layer and tensor rank.
 *
 *   ROOT/latest                                      "global_step5000"
 *   ROOT/global_step5000/layer_01-model_00-model_states.pt      the embeddings
 *   ROOT/global_step5000/layer_03-model_00-model_states.pt      a layer
 *   ROOT/global_step5000/layer_27-model_00-model_states.pt      the final norm: weight, bias
 *   ROOT/global_step5000/mp_rank_00_model_states.pt             args, iteration, label
 *   ROOT/global_step5000/zero_pp_rank_0_mp_rank_00_optim_states.pt
 *
 * Numbers are places in a list that differs between forks, so that a file is told by its keys;
 * places without parameters have no file.  Each place is a pipeline stage of its own here.
 */
#define DEEPSPEED_LATEST "latest"

/* Are there files of layers? */
bool deepspeed_is(const struct folder_listing *listing);
/* Fills items, sorted by place and tensor rank, without inputs; the file with the args, where
 * there is one, is the last.  A file that is missing: ERROR_NO_INPUT "missingrank". */
bool deepspeed_open(struct shards *shards, const struct folder_listing *listing,
	struct error *err);
/*
 * Tells what each file is, once they are open, and the sizes of the run.  ERROR_UNSUPPORTED
 * "toplevel": keys that are none of a layer's; ERROR_NO_INPUT "missingrank": a number is
 * missing between two layers, or a rank by args.
 */
bool deepspeed_classify(struct shards *shards, struct decision_log *log, struct error *err);
/* May another file be the same, byte for byte?  Final norms are, of all tensor ranks. */
bool deepspeed_may_repeat(const struct shards *shards, size_t input);

#endif
