#ifndef PLAN_PLAN_H
#define PLAN_PLAN_H

#include "gpt2/gpt2_names.h"
#include "gpt2/safetensors.h"
#include "megatron/model.h"
#include "plan/strided_copy.h"

/* What happens to the elements of a copy. */
enum copy_action {
	COPY_WRITE,             /* they are the target's */
	COPY_COMPARE,           /* a replica: they must be what the target holds already */
};

struct plan_copy {
	struct strided_copy box;        /* normalised; target counted from the tensor's start */
	enum copy_action    action;
	size_t              shard, storage;     /* where the source lies */
	size_t              tensor;             /* index of the target */
	size_t              piece;              /* number of the slice that it is, or repeats */
};

/* A tensor of the output, in the order in which they lie in the file. */
struct plan_tensor {
	char       name[GPT2_NAME_SIZE];
	enum dtype dtype;
	unsigned   rank;
	uint64_t   shape[2];
	uint64_t   offset, bytes;       /* in the file, header included */
	size_t     parameter;           /* of the model, that it comes from */
	bool       is_zeros;            /* the model does without it: a linear bias */
	bool       plus_one;            /* norm weights that are stored less 1 */
	bool       is_mean;             /* of all ranks' copies, not the first one's */
	size_t     copies;              /* how many these are */
};

struct plan_options {
	bool mean_of_replicas;          /* --replicas mean */
};

/*
 * A conversion, decided before a byte moves: where every element of every output tensor
 * comes from.  Depends on the model only, not on how it was stored.
 */
struct plan {
	struct plan_tensor *tensors;
	size_t              tensor_count;
	struct plan_copy   *copies;             /* by shard, storage, source offset */
	size_t              copy_count;
	size_t              replica_count;      /* of these, COPY_COMPARE */
	size_t              piece_count;        /* slices, numbered through all tensors */
	size_t              zero_count;         /* tensors that are zeros */
	struct text         header;             /* of model.safetensors */
	uint64_t            file_bytes;
	uint64_t            weight_bytes, parameter_count;
	uint64_t            padding_rows;       /* of the embedding, left out */
	struct arena        arena;
};

/*
 * Pure: no I/O.  The plan is proved before it is returned: every element of every target is
 * written exactly once, be it copied or filled, and every slice and replica of the model is used.  A plan that fails
 * its proof is ERROR_INTERNAL; a view whose elements overlap is ERROR_UNSUPPORTED.
 */
struct plan *plan_build(const struct model *model, const struct plan_options *options,
	struct error *err);
/* Is a tensor held in memory until all of it came, to be finished there? */
bool plan_is_gathered(const struct plan_tensor *tensor);
/* Bytes that this takes at most. */
uint64_t plan_gathered_bytes(const struct plan *plan);
/* The copies of one storage: [*first, *first + return value) of plan->copies. */
size_t plan_copies_of(const struct plan *plan, size_t shard, size_t storage, size_t *first);
void plan_close(struct plan *plan);             /* NULL is fine */

/* The proof by itself: the boxes tile [0, elements) of a tensor; else ERROR_INTERNAL. */
bool plan_covers(const struct strided_copy *boxes, size_t count, uint64_t elements,
	struct error *err);

#endif
