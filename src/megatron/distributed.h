#ifndef MEGATRON_DISTRIBUTED_H
#define MEGATRON_DISTRIBUTED_H

#include "megatron/dist_metadata.h"
#include "megatron/dist_names.h"
#include "megatron/folder_listing.h"
#include "megatron/shards.h"

/*
 * A distributed checkpoint of Megatron Core, as its torch_dist backend writes it:
 *
 *   iter_0005000/metadata.json      {"sharded_backend": "torch_dist", ...}; without it torch_dcp
 *   iter_0005000/.metadata          the index: which tensors there are, and where they lie
 *   iter_0005000/__0_0.distcp       items of rank 0, one after the other
 *   iter_0005000/common.pt          args and the like; since 2026-07 an item "common_state"
 *
 * The tensors in it are the whole model's, cut into boxes: tensor, pipeline and virtual sizes
 * of the run leave no trace but how they are cut.  QKV rows are in layout 2.
 */
struct dist_weight {
	const struct dist_tensor *tensor;
	const char               *path;         /* its key without wrappers */
	struct dist_role          role;
	size_t                    first_shard;  /* of its chunks, which follow each other */
};

struct distribution {
	const char          *format;            /* "torch_dist", "torch_dcp" */
	bool                 is_finished;       /* metadata.json is there, where it should be */
	struct dist_metadata metadata;
	const struct value  *common;            /* a dict; NULL: there is none */
	struct dist_weight  *weights;
	size_t               weight_count;
	const char         **unknown;           /* paths that are none of a GPT's */
	size_t               unknown_count;
	size_t               piece_count, file_count;
};

/* Do these names make a distributed checkpoint, of whatever backend? */
bool distributed_is(const struct folder_listing *listing);

/*
 * Fills inputs and items.  The index comes first among the inputs, then common.pt, then the
 * files that hold weights; items are what tells of the model, then the pieces of all weights.
 *
 * ERROR_UNSUPPORTED "distckpt": zarr, or another backend; ERROR_NO_INPUT: a file is missing;
 * ERROR_CORRUPT "truncated", "itemoverlap": an item leaves its file, or two share bytes; and
 * what dist_metadata_read() says.
 */
bool distributed_open(struct shards *shards, int directory, const char *shown,
	const struct folder_listing *listing, struct error *err);
/* May another file be the same, byte for byte?  One of norms and biases, which begin as ones and
 * zeros, where a run of many ranks writes a tensor to a file. */
bool distributed_may_repeat(const struct shards *shards, size_t input);
/* Sets `common` and the sizes of the run, once the torch files are open. */
bool distributed_take_common(struct shards *shards, struct decision_log *log,
	struct error *err);

#endif
