#include "base/workers.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

unsigned
workers_allowed_cores(void)
{
	cpu_set_t cores;

	if (sched_getaffinity(0, sizeof cores, &cores) != 0 || CPU_COUNT(&cores) < 1)
		return 1;
	return (unsigned)CPU_COUNT(&cores);
}

/* ---- slabs ------------------------------------------------------------------------ */

struct slab_pool {
	pthread_mutex_t lock;
	pthread_cond_t  freed;
	struct slab    *free_slabs;
	struct slab    *slabs;
	unsigned char  *memory;
};

struct slab_pool *
slab_pool_open(size_t count, struct error *err)
{
	struct slab_pool *pool = calloc(1, sizeof *pool);

	if (pool != NULL) {
		pthread_mutex_init(&pool->lock, NULL);
		pthread_cond_init(&pool->freed, NULL);
		pool->slabs = calloc(count, sizeof *pool->slabs);
		pool->memory = aligned_alloc(4096, count * SLAB_BYTES);
	}
	if (pool == NULL || pool->slabs == NULL || pool->memory == NULL) {
		slab_pool_close(pool);
		error_no_memory(err, count * SLAB_BYTES);
		return NULL;
	}
	for (size_t i = 0; i < count; i++) {
		pool->slabs[i].bytes = pool->memory + i * SLAB_BYTES;
		pool->slabs[i].pool = pool;
		pool->slabs[i].next = pool->free_slabs;
		pool->free_slabs = &pool->slabs[i];
	}
	return pool;
}

struct slab *
slab_take(struct slab_pool *pool)
{
	struct slab *slab;

	pthread_mutex_lock(&pool->lock);
	while (pool->free_slabs == NULL)
		pthread_cond_wait(&pool->freed, &pool->lock);
	slab = pool->free_slabs;
	pool->free_slabs = slab->next;
	pthread_mutex_unlock(&pool->lock);
	slab->users = 1;
	slab->start = 0;
	slab->length = 0;
	slab->offset = 0;
	slab->tag = 0;
	return slab;
}

void
slab_share(struct slab *slab)
{
	pthread_mutex_lock(&slab->pool->lock);
	slab->users++;
	pthread_mutex_unlock(&slab->pool->lock);
}

void
slab_release(struct slab *slab)
{
	struct slab_pool *pool = slab->pool;

	pthread_mutex_lock(&pool->lock);
	if (--slab->users == 0) {
		slab->next = pool->free_slabs;
		pool->free_slabs = slab;
		pthread_cond_signal(&pool->freed);
	}
	pthread_mutex_unlock(&pool->lock);
}

void
slab_pool_close(struct slab_pool *pool)
{
	if (pool == NULL)
		return;
	pthread_mutex_destroy(&pool->lock);
	pthread_cond_destroy(&pool->freed);
	free(pool->slabs);
	free(pool->memory);
	free(pool);
}

/* ---- tasks ------------------------------------------------------------------------ */

struct worker {
	pthread_t    thread;
	bool         runs_beside, joined, done;
	worker_task *task;
	void        *context;
	struct error error;
};

static void *
run_worker(void *argument)
{
	struct worker *worker = argument;

	worker->done = worker->task(worker->context, &worker->error);
	return NULL;
}

/* Signals are for the main thread: others would only interrupt its system calls. */
static bool
start_thread(pthread_t *thread, void *(*run)(void *), void *argument)
{
	sigset_t all, before;
	bool     started;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	started = pthread_create(thread, NULL, run, argument) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return started;
}

struct worker *
worker_start(worker_task *task, void *context, struct error *err)
{
	struct worker *worker = calloc(1, sizeof *worker);

	if (worker == NULL) {
		error_no_memory(err, sizeof *worker);
		return NULL;
	}
	worker->task = task;
	worker->context = context;
	worker->runs_beside = start_thread(&worker->thread, run_worker, worker);
	return worker;
}

bool
worker_wait(struct worker *worker, unsigned milliseconds)
{
	struct timespec until;

	if (!worker->runs_beside || worker->joined)
		return true;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += (long)milliseconds * 1000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	worker->joined = pthread_clockjoin_np(worker->thread, NULL, CLOCK_MONOTONIC,
		&until) == 0;
	return worker->joined;
}

bool
worker_join(struct worker *worker, struct error *err)
{
	bool done;

	if (!worker->runs_beside)
		run_worker(worker);
	else if (!worker->joined)
		pthread_join(worker->thread, NULL);
	done = worker->done;
	if (!done)
		*err = worker->error;
	free(worker);
	return done;
}

/* ---- conveyors -------------------------------------------------------------------- */

#define RING_SLOTS 4

struct conveyor {
	conveyor_consumer *consumer;
	void              *context;
	bool               own_thread, failed, ending;
	pthread_t          thread;
	pthread_mutex_t    lock;
	pthread_cond_t     changed;
	struct slab       *ring[RING_SLOTS];
	unsigned           first, count;        /* of the slabs that wait */
	struct error       error;               /* of the consumer */
};

/* A failed consumer is not called again, but the line keeps moving so that nobody waits for
 * its slabs for ever. */
static void
consume(struct conveyor *conveyor, struct slab *slab)
{
	if (!conveyor->failed
	    && !conveyor->consumer(conveyor->context, slab, &conveyor->error)) {
		pthread_mutex_lock(&conveyor->lock);
		conveyor->failed = true;
		pthread_mutex_unlock(&conveyor->lock);
	}
	slab_release(slab);
}

static void *
run_conveyor(void *argument)
{
	struct conveyor *conveyor = argument;

	for (;;) {
		struct slab *slab = NULL;

		pthread_mutex_lock(&conveyor->lock);
		while (conveyor->count == 0 && !conveyor->ending)
			pthread_cond_wait(&conveyor->changed, &conveyor->lock);
		if (conveyor->count > 0) {
			slab = conveyor->ring[conveyor->first];
			conveyor->first = (conveyor->first + 1) % RING_SLOTS;
			conveyor->count--;
			pthread_cond_broadcast(&conveyor->changed);
		}
		pthread_mutex_unlock(&conveyor->lock);
		if (slab == NULL)
			return NULL;
		consume(conveyor, slab);
	}
}

struct conveyor *
conveyor_open(bool own_thread, conveyor_consumer *consumer, void *context,
	struct error *err)
{
	struct conveyor *conveyor = calloc(1, sizeof *conveyor);

	if (conveyor == NULL) {
		error_no_memory(err, sizeof *conveyor);
		return NULL;
	}
	conveyor->consumer = consumer;
	conveyor->context = context;
	pthread_mutex_init(&conveyor->lock, NULL);
	pthread_cond_init(&conveyor->changed, NULL);
	/* Where no thread can be had, the direct call does the same work. */
	conveyor->own_thread = own_thread
		&& start_thread(&conveyor->thread, run_conveyor, conveyor);
	return conveyor;
}

bool
conveyor_push(struct conveyor *conveyor, struct slab *slab, struct error *err)
{
	bool failed;

	if (!conveyor->own_thread) {
		consume(conveyor, slab);
		failed = conveyor->failed;
	} else {
		pthread_mutex_lock(&conveyor->lock);
		while (conveyor->count == RING_SLOTS)
			pthread_cond_wait(&conveyor->changed, &conveyor->lock);
		conveyor->ring[(conveyor->first + conveyor->count++) % RING_SLOTS] = slab;
		pthread_cond_broadcast(&conveyor->changed);
		failed = conveyor->failed;
		pthread_mutex_unlock(&conveyor->lock);
	}
	if (failed)
		*err = conveyor->error;
	return !failed;
}

bool
conveyor_finish(struct conveyor *conveyor, struct error *err)
{
	if (conveyor->own_thread) {
		pthread_mutex_lock(&conveyor->lock);
		conveyor->ending = true;
		pthread_cond_broadcast(&conveyor->changed);
		pthread_mutex_unlock(&conveyor->lock);
		pthread_join(conveyor->thread, NULL);
		conveyor->own_thread = false;
	}
	if (conveyor->failed)
		*err = conveyor->error;
	return !conveyor->failed;
}

void
conveyor_close(struct conveyor *conveyor)
{
	struct error unused;

	if (conveyor == NULL)
		return;
	conveyor_finish(conveyor, &unused);
	pthread_mutex_destroy(&conveyor->lock);
	pthread_cond_destroy(&conveyor->changed);
	free(conveyor);
}
