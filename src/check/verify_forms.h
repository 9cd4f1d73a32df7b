#ifndef CHECK_VERIFY_FORMS_H
#define CHECK_VERIFY_FORMS_H

#include "check/verify_run.h"
#include "check/weight_set.h"

/* Compares two sets of weights of one directory, both of which are sound and were read; `file`
 * names the latter.  Numbers count, not types; causal masks and lm_head.weight
 * may be on one side only.  false: a signal, no memory. */
bool verify_forms(struct verify_run *run, enum weight_form one, enum weight_form other,
	const char *file, struct error *err);

#endif
