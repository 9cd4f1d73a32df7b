#ifndef CONVERT_ANSWER_H
#define CONVERT_ANSWER_H

#include "base/decision_log.h"
#include "base/error.h"
#include "megatron/model.h"
#include "megatron2hf.h"

/*
 * What the functions of the public interface answer with: results own all their strings, in
 * one arena that is freed with them.  Once memory ends, `failed` stays set, and the answer
 * becomes a plain M2H_LIMIT.
 */
struct answer {
	struct arena        arena;
	struct decision_log log;
	bool                failed;
};

void answer_init(struct answer *answer);
void answer_fini(struct answer *answer);
/* `count` zeroed elements of `size` bytes; never NULL for the caller to check: on failure a
 * NULL that goes with failed. */
void *answer_take(struct answer *answer, size_t count, size_t size);
/* A copy of a text, "" for NULL. */
const char *answer_text(struct answer *answer, const char *text);

/* The exit status of an error: its kind, or 128 + signal. */
int  answer_status(const struct error *err);
/* An error about the input that names no file is about all of it. */
void answer_blame(const char *source, struct error *err);
void answer_error(struct answer *answer, const struct error *err, struct m2h_error *to);
/* Is nothing lost so far?  To be asked before a result gets to its place. */
bool answer_is_whole(const struct answer *answer, struct error *err);
/* The last step: an answer that lost something for want of memory is not given as whole. */
void answer_settle(const struct answer *answer, int *status, struct m2h_error *error);
void answer_notes(struct answer *answer, const struct m2h_note **notes, size_t *count);
void answer_decisions(struct answer *answer, const struct m2h_decision **decisions,
	size_t *count);
/* "model.zip", "mp_rank_00/model_optim_rng.pt": an input without the folders above. */
void answer_input_name(const struct shards *shards, size_t input, char *to, size_t size);
/* One file for each input, with the member where there is one shard in it; no digests; and
 * room for `more`.  NULL (and failed) when memory ends. */
struct m2h_file *answer_inputs(struct answer *answer, const struct shards *shards, size_t more);
void answer_model(struct answer *answer, const struct shards *shards,
	const struct model *model, struct m2h_model *to);
void answer_dropped(struct answer *answer, const struct model *model,
	const struct m2h_dropped **dropped, size_t *count);

#endif
