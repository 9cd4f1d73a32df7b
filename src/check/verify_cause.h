#ifndef CHECK_VERIFY_CAUSE_H
#define CHECK_VERIFY_CAUSE_H

#include "check/verify_source.h"
#include "check/weight_set.h"
#include "plan/plan.h"

/* One set of weights while it is compared with a checkpoint. */
struct comparing {
	struct verify_run                  *run;
	const struct verify_source_options *options;
	struct shards                      *shards;
	struct model                       *model;
	struct weight_set                  *set;
	struct plan_target                 *targets;
	const struct weight_tensor        **tensors;    /* by target */
	size_t                              count;
	bool                               *differs;    /* by target */
	size_t                              different;  /* how many do */
	const char                        **causes;     /* by target; NULL: none is known */
};

/*
 * For each target that differs, tries the classic mistakes: query, key and value rows of
 * another version's order, a projection that was not transposed, norm weights off by one,
 * tensor parallel ranks in reverse.  Where one gives exactly what is there it becomes the cause.
 * Reads the checkpoint once more.
 */
bool verify_cause_find(struct comparing *comparing, struct error *err);

#endif
