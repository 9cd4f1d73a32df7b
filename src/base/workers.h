#ifndef BASE_WORKERS_H
#define BASE_WORKERS_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

/* Cores this process may run on. */
unsigned workers_allowed_cores(void);

/*
 * Slabs and conveyors: how bytes travel between the stages of a conversion.
 *
 * A slab is a buffer from a fixed pool; whoever makes one waits until one is free, which
 * bounds memory.  It is handed from stage to stage by reference count.  A conveyor passes
 * slabs, in order, to one consumer: by a direct call when it was opened without a thread,
 * else through a short ring to a thread of its own.  Results do not depend on which.
 */
#define SLAB_BYTES ((size_t)1 << 20)

struct slab_pool;
struct slab {
	unsigned char    *bytes;        /* SLAB_BYTES */
	size_t            start;        /* the first of these in use */
	size_t            length;       /* of these in use, from there on */
	uint64_t          offset;       /* of the first byte, in whatever stream it is from */
	size_t            tag;          /* which stream that is, where it matters */
	struct slab_pool *pool;
	unsigned          users;
	struct slab      *next;         /* in the pool's list of free ones */
};

struct slab_pool *slab_pool_open(size_t count, struct error *err);
struct slab      *slab_take(struct slab_pool *pool);     /* waits; start, length and offset 0 */
void              slab_share(struct slab *slab);         /* one more user */
void              slab_release(struct slab *slab);
void              slab_pool_close(struct slab_pool *pool);        /* NULL is fine */

/* Takes the slab by loan: the conveyor releases it after the call.  false stops the line. */
typedef bool conveyor_consumer(void *context, struct slab *slab, struct error *err);

struct conveyor;
struct conveyor *conveyor_open(bool own_thread, conveyor_consumer *consumer, void *context,
	struct error *err);
/* Hands over one user of the slab, even on failure.  false: the consumer has failed, *err
 * is its reason. */
bool conveyor_push(struct conveyor *conveyor, struct slab *slab, struct error *err);
/* Waits until all is consumed.  false: the consumer's reason. */
bool conveyor_finish(struct conveyor *conveyor, struct error *err);
void conveyor_close(struct conveyor *conveyor);          /* NULL is fine */

/* A task beside the caller, in a thread of its own; where none can be had, it is done in
 * worker_join, which returns its result. */
typedef bool worker_task(void *context, struct error *err);
struct worker;
struct worker *worker_start(worker_task *task, void *context, struct error *err);
/* Waits that long at most; true: worker_join will not wait. */
bool           worker_wait(struct worker *worker, unsigned milliseconds);
bool           worker_join(struct worker *worker, struct error *err);   /* frees it */

#endif
