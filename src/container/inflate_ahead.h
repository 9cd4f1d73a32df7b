#ifndef CONTAINER_INFLATE_AHEAD_H
#define CONTAINER_INFLATE_AHEAD_H

#include "base/workers.h"

/*
 * Inflates a long stream in two places at once, in one thread: an inflater waits for each code
 * before it can look up the next, and in that time the other one works.
 *
 * A place ahead is where a search says that a block begins.  The 32 KiB before it are not known
 * yet, so it is inflated twice, as if they were one thing and its complement: where both give the
 * same byte it came from no unknown one, and once 32 KiB in a row are the same, all that follows
 * is right.  It counts only when the other place arrives at exactly that bit, between two blocks;
 * what is not known is then made again.  Else it is thrown away, and nothing was lost but time.
 *
 * It reads what zlib writes.  Whatever else there is (damage, a wrong length, bytes behind the
 * end, codes that are not complete) it leaves to an inflater that begins anew, whose verdict
 * counts.
 */
struct inflate_ahead;

/* Takes one user of the slab, even on failure. */
typedef bool inflate_ahead_sink(void *context, struct slab *slab, struct error *err);

/* What it keeps of the input: INFLATE_AHEAD_ROUND, or less in tests. */
#define INFLATE_AHEAD_ROUND  ((size_t)4 << 20)
/* Slabs that it may hold, beside those that went to the sink. */
#define INFLATE_AHEAD_SLABS  6
/* Memory it takes, beside the slabs. */
#define INFLATE_AHEAD_BYTES  (INFLATE_AHEAD_ROUND + ((size_t)512 << 10))

struct inflate_ahead *inflate_ahead_open(uint64_t declared_length, size_t round_bytes,
	struct slab_pool *pool, inflate_ahead_sink *sink, void *context, struct error *err);
/* The next bytes of the stream; `last`: there are no more.  false: the sink's reason. */
bool inflate_ahead_feed(struct inflate_ahead *ahead, const unsigned char *bytes, size_t count,
	bool last, struct error *err);
/* It goes no further: begin anew, and leave out what was made.  Else, after the last byte: all
 * that was declared was made, and the stream ended there. */
bool     inflate_ahead_gave_up(const struct inflate_ahead *ahead);
/* Bytes that went to the sink. */
uint64_t inflate_ahead_made(const struct inflate_ahead *ahead);
/* Places ahead that counted. */
uint64_t inflate_ahead_met(const struct inflate_ahead *ahead);
void     inflate_ahead_close(struct inflate_ahead *ahead);       /* NULL is fine */

#endif
