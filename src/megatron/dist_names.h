#ifndef MEGATRON_DIST_NAMES_H
#define MEGATRON_DIST_NAMES_H

#include "megatron/dialect.h"

/*
 * Global names in a distributed checkpoint of Megatron Core:
 *
 *   embedding.word_embeddings.weight                       [vocabulary, hidden]
 *   decoder.layers.mlp.linear_fc1.weight                   [layers, ffn, hidden]: stacked
 *   decoder.layers.7.mlp.linear_fc1.weight                 [ffn, hidden]: layers that differ
 *   decoder.layers.mlp.linear_fc1._extra_state/shard_0_24  bytes
 *   optimizer.state.exp_avg.decoder.layers.mlp...          the optimizer
 *   common_state/shard_0_1                                 bytes: args and the like
 *
 * "model." and what wrappers of the model have left may stand before the first four.
 */
enum dist_kind {
	DIST_WEIGHT,            /* or a name that nothing is known of */
	DIST_EXTRA_STATE,       /* of a layer: nothing that GPT-2 has */
	DIST_PREDICTION_HEAD,   /* layers that predict further tokens, beside the model */
	DIST_OTHER,             /* the optimizer, random numbers, progress */
};

/* What a weight is. */
struct dist_role {
	enum model_role role;
	unsigned        layer;          /* 0 where it is stacked */
	bool            is_stacked;     /* its first dimension is the layer */
};

/* *path (may be NULL): the key without wrappers. */
enum dist_kind dist_names_kind(const char *key, const char **path);
/* false: no name of a GPT. */
bool dist_names_role(const char *path, struct dist_role *role);
/* "optimizer", "model", "rng_state": what a key that is no weight belongs to.  Returns `to`. */
char *dist_names_top(const char *key, char *to, size_t size);

#endif
