#ifndef PLAN_EXECUTE_H
#define PLAN_EXECUTE_H

#include "base/digest.h"
#include "base/decision_log.h"
#include "plan/element.h"
#include "plan/scatter.h"
#include "plan/used_ranges.h"

/* Called in the thread of execute_plan(): bytes of input read plus bytes of output read
 * back, of the sum of both. */
typedef void execute_progress(void *context, uint64_t done, uint64_t total);

struct execute_options {
	unsigned          threads;      /* 1: everything in turn; more: the stages side by side */
	execute_progress *progress;     /* may be NULL */
	/* Work for the time between the last byte of input and the last byte read back, when
	 * only one thread has something to do; NULL: none. */
	bool            (*meanwhile)(void *context, struct error *err);
	void             *context;      /* of both */
	bool              digests_tensors;      /* make tensor_sha256 */
	bool              from_disk;            /* what is read back comes from the device */
	bool              only_used;            /* storages without weights are not read */
	uint64_t          memory_limit;         /* bytes of the process, see buffers.h */
};

struct execute_result {
	char (*input_sha256)[DIGEST_HEX_SIZE];  /* by input of the shards: of these ranges */
	struct used_ranges used;
	char (*output_sha256)[DIGEST_HEX_SIZE]; /* by file of the plan */
	char (*tensor_sha256)[DIGEST_HEX_SIZE]; /* by tensor of the plan, where asked for */
	struct drift            *drifts;        /* by tensor of the plan, all of these */
	struct cast_overflow    *overflows;
	struct element_specials *specials;
	uint64_t output_kept;   /* from_disk: bytes that came from memory all the same */
};

/*
 * Runs the plan into files, descriptors `fds` by file of the plan: each input is read once,
 * front to back, and that pass feeds its SHA-256, the CRC-32 of every record that is read, and
 * the copies; the output is read back and compared.  Stages, each in its thread where there
 * are several:
 *
 *     read ─┬─ SHA-256 of the inputs
 *           └─ (inflate) ─ records ─ copies ─ write ┄ read back, SHA-256 of each output
 *
 * Where a walked zip turns out to need its directory, false with slug "walk": the caller
 * opens the shards with their directories and calls again.
 */
bool execute_plan(const struct shards *shards, const struct plan *plan, const int *fds,
	const struct execute_options *options, struct execute_result *result, struct error *err);
/* Runs a plan for comparison: the elements go to `target`, nothing is written or read back.
 * Inputs are not hashed.  Of the result only drifts and overflows are made. */
bool execute_comparison(const struct shards *shards, const struct plan *plan,
	const struct scatter_target *target, const struct execute_options *options,
	struct execute_result *result, struct error *err);
void execute_result_fini(struct execute_result *result);

#endif
