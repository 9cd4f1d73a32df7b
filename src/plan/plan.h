#ifndef PLAN_PLAN_H
#define PLAN_PLAN_H

#include "gpt2/weight_files.h"
#include "plan/placement.h"

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

/* What a tensor holds beside what is copied to it. */
enum plan_fill {
	FILL_NOTHING,
	FILL_ZEROS,             /* a linear bias that the model does without */
	FILL_CAUSAL_MASK,       /* ones on and below the diagonal of the last two dimensions */
	FILL_MASKED_BIAS,       /* -10000 */
};

/* A tensor that is to be made, or to be compared with. */
struct plan_target {
	struct gpt2_tensor     tensor;  /* GPT2_WTE, GPT2_LM_HEAD: as many rows as there are */
	enum dtype             dtype;
	enum placement_mistake mistake;
};

/* A tensor of the output, in the order of the files and in each of the places in it. */
struct plan_tensor {
	char              name[GPT2_NAME_SIZE];
	enum dtype        dtype;        /* as stored */
	enum dtype        source_dtype; /* as it comes */
	unsigned          rank;
	uint64_t          shape[GPT2_MAX_RANK];
	size_t            file, position;       /* position: which tensor of the file */
	uint64_t          offset, bytes;        /* in the file */
	size_t            parameter;            /* of the model, that it comes from; or */
#define PLAN_NO_PARAMETER SIZE_MAX
	enum plan_fill    fill;
	bool              is_repeat;            /* the same tensor stands before it, in the other format */
	bool              plus_one;             /* norm weights that are stored less 1 */
	bool              is_mean;              /* of all ranks' copies, not the first one's */
	size_t            copies;               /* how many these are */
};

struct plan_options {
	bool       mean_of_replicas;            /* --replicas mean */
	bool       casts;                       /* all weights to this type: */
	enum dtype dtype;
	bool       torch_only, torch_too;       /* pytorch_model.bin in the place of safetensors, beside it */
	uint64_t   shard_bytes;                 /* 0: PLAN_SHARD_BYTES */
	bool       reference_form;              /* masks and lm_head.weight, as transformers 4.18 saved them */
};
#define PLAN_SHARD_BYTES ((uint64_t)50 * 1000 * 1000 * 1000)

/*
 * A conversion, decided before a byte moves: where every element of every output tensor
 * comes from.  Depends on the model only, not on how it was stored.
 */
struct plan {
	struct weight_files *files;             /* NULL: to compare with */
	struct plan_tensor *tensors;
	size_t              tensor_count;
	struct plan_copy   *copies;             /* by shard, storage, source offset */
	size_t              copy_count;
	size_t              slice_count, replica_count; /* of the model, that are copied, compared */
	size_t              piece_count;        /* slices, numbered through all tensors */
	size_t              zero_count;         /* tensors that are zeros */
	uint64_t            file_bytes;         /* of all weight files */
	uint64_t            weight_bytes, parameter_count;      /* without repeats */
	size_t              distinct_count;     /* tensors without repeats */
	uint64_t            padding_rows;       /* of the embedding, left out */
	struct arena        arena;
};

/*
 * Pure: no I/O.  The plan is proved before it is returned: every element of every target is
 * written exactly once, be it copied or filled, and every slice and replica of the model is
 * used.  A plan that fails its proof is ERROR_INTERNAL; a view whose elements overlap is
 * ERROR_UNSUPPORTED.
 */
struct plan *plan_build(const struct model *model, const struct plan_options *options,
	struct error *err);
/* The same for tensors that are there already; they need not be all, nor have the vocabulary
 * of the model (at most its stored rows, though).  Targets whose parameter the model lacks:
 * ERROR_MISMATCH. */
struct plan *plan_build_comparison(const struct model *model, const struct plan_target *targets,
	size_t count, const struct plan_options *options, struct error *err);
/* Writes elements [first, first + count) of what FILL_* stands for, as that type. */
void plan_fill_elements(const struct plan_tensor *tensor, uint64_t first, uint64_t count,
	unsigned char *to);
/* Is a tensor held in memory until all of it came, to be finished there? */
bool plan_is_gathered(const struct plan_tensor *tensor);
/* Bytes that this takes at most. */
uint64_t plan_gathered_bytes(const struct plan *plan);
/* The copies of one storage: [*first, *first + return value) of plan->copies. */
size_t plan_copies_of(const struct plan *plan, size_t shard, size_t storage, size_t *first);
void plan_close(struct plan *plan);             /* NULL is fine */

#endif
