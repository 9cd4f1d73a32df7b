#ifndef MEGATRON_MODEL_H
#define MEGATRON_MODEL_H

#include "megatron/arguments.h"
#include "megatron/dialect.h"
#include "megatron/qkv.h"
#include "megatron/shards.h"

/*
 * The piece of a parameter that one shard holds.  Of QKV in layout 2 it is a product of parts,
 * heads and dims: whole heads, or parts of one head, or dims of one part; in the older layouts
 * it is all that a tensor rank has.
 */
struct model_slice {
	size_t             shard;       /* index in shards->items */
	struct tensor_view view;
	const char        *path;        /* under 'model', as it is named there */
	uint64_t           row, column; /* of its first element in the whole, ranks side by side */
};

/* Another shard's copy of a slice: not used, but checked to be the same. */
struct model_replica {
	struct model_slice piece;
	size_t             slice;       /* index of the slice that it repeats */
};

/* One parameter of the whole model. */
struct model_parameter {
	enum model_role       role;
	unsigned              layer;            /* global number */
	enum dtype            dtype;
	unsigned              rank;
	uint64_t              shape[2];         /* of the whole, as Megatron has it: [out, in] */
	struct model_slice   *slices;           /* by tensor rank, or as they were cut; one where it
	                                           is replicated */
	size_t                slice_count;      /* 0: a linear bias that the model does without */
	struct model_replica *replicas;
	size_t                replica_count;
};

/* What the checkpoint holds beside the model, by top-level key. */
struct model_dropped {
	const char *what;       /* "optimizer", "torch_rng_state", "rng_tracker_states" */
	const char *reason;     /* "optimizer state" */
	uint64_t    bytes;      /* of storages that only it uses */
};

/* One logical GPT model: every parameter, and who holds which slice. */
struct model {
	enum dialect            dialect;
	struct arguments        arguments;
	enum qkv_layout         qkv_layout;
	enum dtype              dtype;          /* of all parameters, else DTYPE_UNKNOWN: mixed */
	struct model_parameter *parameters;     /* embeddings, layers by role, final norm, and an
	                                           output layer that is not tied */
	size_t                  count;
	uint64_t                parameter_count;        /* elements, padded rows included */
	struct model_dropped   *dropped;
	size_t                  dropped_count;
	unsigned                chunk_count;    /* virtual pipeline stages of each rank, 1: none */
	int64_t                 iteration;      /* -1: the file does not say */
	char                    version_label[32];      /* checkpoint_version as found, or "" */
	struct arena            arena;
};

/*
 * Finds the model in the shards: dialect, parameters, hyper-parameters, QKV layout; checks
 * shapes of all ranks against each other and the arguments.  Every decision and note goes
 * to the log.
 *
 * false: *err.  Any weight whose name is unknown: ERROR_UNSUPPORTED, all such names listed.
 * A parameter that is missing, or of another shape: ERROR_CORRUPT.  BERT, T5, MoE and what
 * GPT-2 cannot express: ERROR_UNSUPPORTED by name.
 */
struct model *model_open(const struct shards *shards, const struct model_options *options,
	struct decision_log *log, struct error *err);
const struct model_parameter *model_find(const struct model *model, enum model_role role,
	unsigned layer);
void model_close(struct model *model);                  /* NULL is fine */

#endif
