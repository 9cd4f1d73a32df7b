#ifndef PLAN_INPUT_PASS_H
#define PLAN_INPUT_PASS_H

#include "base/digest.h"
#include "base/workers.h"
#include "container/inflate_ahead.h"
#include "megatron/shards.h"
#include "plan/scatter.h"
#include "plan/used_ranges.h"

/*
 * One pass over each input file, from front to back: its SHA-256, the CRC-32 of its members, and
 * the bytes of its storages, which go to the scatter.  The files take turns, as reading_order
 * has it.  A damaged member is told apart from a hostile one.
 */
struct input_pass;

struct input_pass_options {
	/* How many there are, at least 2 and 1; from so many on, streams are inflated ahead. */
	size_t   read_slabs, inflate_slabs;
#define INPUT_PASS_AHEAD_SLABS (INFLATE_AHEAD_SLABS + 2)
	unsigned threads;       /* 1: everything in turn; more: stages in threads of their own */
	bool     digests;       /* the SHA-256 of each input is wanted, of what is read of it */
	void   (*progress)(void *context, size_t bytes);        /* so many more were read; not NULL */
	void    *context;
};

/* The plan is the scatter's.  All of them must outlive it.  NULL: *err. */
struct input_pass *input_pass_open(const struct shards *shards, const struct plan *plan,
	const struct used_ranges *used, struct scatter *scatter,
	const struct input_pass_options *options, struct error *err);
/* Reads what is used of all inputs, once; `sha256`, by input, is left alone where no digest is
 * wanted.  Errors name the file and the member. */
bool input_pass_run(struct input_pass *pass, char (*sha256)[DIGEST_HEX_SIZE],
	struct error *err);
void input_pass_close(struct input_pass *pass);         /* NULL is fine */

#endif
