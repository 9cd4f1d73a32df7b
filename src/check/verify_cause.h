#ifndef CHECK_VERIFY_CAUSE_H
#define CHECK_VERIFY_CAUSE_H

#include "check/verify_source.h"
#include "check/weight_set.h"
#include "plan/plan.h"

/* What explains that a tensor differs. */
struct verify_cause {
	bool                    is_known;
	enum placement_mistake  mistake;
	bool                    is_cut;         /* to its type, in the place of rounded */
	bool                    is_of_layer;    /* another than its name says: */
	unsigned                layer;
};
#define VERIFY_CAUSE_SIZE 160

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
	struct verify_cause                *causes;     /* by target */
	size_t                              constants;  /* tensors that are compared, and no targets */
};

/*
 * For each target that differs, tries the classic mistakes: query, key and value rows of
 * another version's order, a projection that was not transposed, norm weights off by one,
 * tensor parallel ranks in reverse, numbers cut to their type in the place of rounded, the
 * tensor of another layer.  Where one gives exactly what is there it becomes the cause.
 * Reads the checkpoint once more.
 */
bool verify_cause_find(struct comparing *comparing, struct error *err);
/* "it is not transposed"; "" where the cause is not known.  Returns `to`. */
char *verify_cause_text(const struct verify_cause *cause, char to[VERIFY_CAUSE_SIZE]);

#endif
