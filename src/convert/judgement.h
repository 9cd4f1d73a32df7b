#ifndef CONVERT_JUDGEMENT_H
#define CONVERT_JUDGEMENT_H

#include "base/decision_log.h"
#include "plan/execute.h"

/*
 * What the numbers themselves say, once they are written: replicas that have drifted, norms
 * that are stored in another form than the arguments tell, NaN and infinities.
 */
struct judgement {
	const struct shards         *shards;
	const struct model          *model;
	const struct plan           *plan;
	const struct execute_result *executed;
	struct decision_log         *log;
	int                          fd;        /* the weight file, for reading */
};

/* Doubts become warnings.  Gross drift is ERROR_CORRUPT "replicated", or "untied" where an
 * output layer was only assumed to be the tied copy. */
bool judgement_of_weights(const struct judgement *judgement, struct error *err);

#endif
