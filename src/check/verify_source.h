#ifndef CHECK_VERIFY_SOURCE_H
#define CHECK_VERIFY_SOURCE_H

#include "check/verify_run.h"
#include "megatron/model.h"

struct verify_source_options {
	const char          *source;            /* a Megatron checkpoint, as for convert */
	const char          *iteration;         /* another than the tracker names, or NULL */
	const char          *spool_directory;   /* for a standard input that cannot seek */
	struct model_options model;             /* heads not given: config.json may tell them */
	bool                 mean_of_replicas;
	double               tolerance;         /* |a - b| up to this is no difference */
	uint64_t             memory_limit;      /* bytes of the process; 0: none */
	unsigned             threads;
	verify_progress     *progress;          /* may be NULL; called by the caller's thread */
	void                *context;
};

/*
 * Derives every tensor of a directory's weights again from the Megatron checkpoint, and
 * config.json with them, without writing: the plan of a conversion, with compare in the place
 * of write.  The weights may be safetensors or torch files or both, in shards, with or without
 * "transformer." in front of the names, with the masks of old versions and lm_head.weight,
 * with padding rows, in another type (then against the rounded value), with strides.
 *
 * Differences become problems of `run`, of which only path, result and log are used, both of
 * them empty at first; where one of the classic mistakes explains a difference, its problem
 * says so.  Weights that cannot be opened are a problem too, of their own kind.  *compared
 * counts the tensors that were compared.  false: the checkpoint cannot be read, or weights
 * could no longer be.
 */
bool verify_source(struct verify_run *run, const struct verify_source_options *options,
	size_t *compared, struct error *err);

#endif
