#ifndef CHECK_VERIFY_DRIFT_H
#define CHECK_VERIFY_DRIFT_H

#include "check/verify_cause.h"
#include "plan/drift.h"

/* Copies of a target in other ranks that differ from it: a warning, or a problem where they are
 * too far from it to be of the same run.  false: the directory's weights cannot be read. */
bool verify_drift_report(const struct comparing *comparing, size_t target,
	const struct drift *drift, struct error *err);

#endif
