#ifndef CONVERT_JUDGEMENT_H
#define CONVERT_JUDGEMENT_H

#include "base/decision_log.h"
#include "plan/execute.h"

/*
 * What the numbers themselves say, once they are written: replicas that have drifted, norms
 * that are stored in another form than the arguments tell, values that became infinite, NaN
 * and infinities.
 */
struct judgement {
	const struct shards         *shards;
	const struct model          *model;
	const struct plan           *plan;
	const struct execute_result *executed;
	struct decision_log         *log;
	const int                   *fds;       /* the weight files, for reading */
	bool                         allows_overflow;
};

/* Doubts become warnings.  Overflow is ERROR_MISMATCH "range" unless it is allowed.  Gross drift
 * is ERROR_CORRUPT "replicated", or "untied" where an output layer was only assumed to be the
 * tied copy. */
bool judgement_of_weights(const struct judgement *judgement, struct error *err);

#endif
