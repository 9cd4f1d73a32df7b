#ifndef MEGATRON_SHARD_HEADER_H
#define MEGATRON_SHARD_HEADER_H

#include "megatron/qkv.h"
#include "megatron/shards.h"

/*
 * What every shard says beside its weights, at the top of its pickle:
 *
 *   { 'iteration': 5000, 'model': {...}, 'args': Namespace, 'checkpoint_version': 3.0,
 *     'optimizer': ..., 'lr_scheduler': ..., 'random_rng_state': ..., ... }
 *
 * All but 'model' may be missing; of several virtual pipeline chunks it is model0, model1 and
 * so on.  One shard speaks for all once they were compared.
 */
struct shard_header {
	const struct value  *args;              /* of the first shard, NULL: none */
	const struct value **models;            /* dicts: [shard * chunk_count + chunk]; NULL of
	                                           a shard without weights */
	size_t               chunk_count;       /* of each shard: 1 without virtual stages */
	int64_t              iteration;         /* -1: not said */
	bool                 has_label;
	enum qkv_layout      layout;            /* by the label, 0 without one */
	char                 label[32];         /* checkpoint_version as found, or "" */
};

/*
 * Reads the headers, and compares them with each other and with the grid of ranks.  Lives in
 * `arena` and the shards' own.  ERROR_UNSUPPORTED "toplevel", "cv", and what
 * argument_refusals_check() refuses; ERROR_CORRUPT "iteration", "argsdiff", "cvdiff", "pp",
 * "extrarank", "swapped"; ERROR_NO_INPUT "missingrank".
 */
bool shard_header_read(const struct shards *shards, struct arena *arena,
	struct shard_header *header, struct error *err);
/* The same of DeepSpeed's layer files, each of which is a model by itself. */
bool shard_header_layers(const struct shards *shards, struct arena *arena,
	struct shard_header *header, struct error *err);
/* The same of what all pieces of a distributed checkpoint have in common (NULL: nothing), of
 * which there is no model; chunks are those of the run. */
bool shard_header_common(const struct value *common, struct shard_header *header,
	struct error *err);

#endif
