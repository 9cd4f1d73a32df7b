#ifndef CHECK_DIFF_H
#define CHECK_DIFF_H

#include "check/difference.h"
#include "check/weight_set.h"

enum diff_state {
	DIFF_EQUAL,
	DIFF_WITHIN,            /* they differ, but nowhere by more than the tolerance */
	DIFF_VALUES,
	DIFF_SHAPE,             /* nothing is compared but the common rows of an embedding */
	DIFF_ONLY_A, DIFF_ONLY_B,
	DIFF_STATE_COUNT,
};

struct diff_tensor {
	const struct weight_tensor *a, *b;      /* NULL: not on that side */
	enum diff_state             state;
	bool                        is_padded;  /* DIFF_SHAPE: one has more rows, as an embedding
	                                           that is padded; the others were compared */
	struct difference           values;
};

typedef void diff_progress(void *context, uint64_t done, uint64_t total);       /* bytes */

struct diff_options {
	double         tolerance;       /* negative: none */
	unsigned       threads;         /* 0: all cores allowed; no more than two are used */
	diff_progress *progress;        /* may be NULL; called by the caller's thread only */
	void          *context;
};

struct diff_result {
	struct diff_tensor *tensors;    /* those of A by name, then those that only B has */
	size_t              count;
	size_t              states[DIFF_STATE_COUNT];   /* how many tensors are in each */
};

/*
 * Compares two sets tensor by tensor.  Names correspond with and without "transformer." in
 * front, where the set has no tensor of exactly that name.  Each side is read once; buffers
 * are at most some 20 MiB.
 *
 * false: *err (reading failed, a signal, no memory).  Differences are no failure.  The result
 * points into the sets; diff_fini in either case.
 */
bool diff_sets(const struct weight_set *a, const struct weight_set *b,
	const struct diff_options *options, struct diff_result *result, struct error *err);
void diff_fini(struct diff_result *result);

#endif
