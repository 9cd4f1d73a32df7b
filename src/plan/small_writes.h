#ifndef PLAN_SMALL_WRITES_H
#define PLAN_SMALL_WRITES_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

#define SMALL_WRITES_BYTES ((size_t)64 << 10)

/*
 * Writes to files, where a small piece waits for what lies beside it, on either side: the few KiB
 * of a norm, what a rank has of a bias, the header of a record, the odd bytes of an element that
 * came in two reads.  One stretch waits at a time.  It goes out with a large piece that it touches,
 * or before a small one that it does not touch.  All zeros is a beginning.
 */
struct small_writes {
	int           fd;
	const char   *name;             /* of the file */
	uint64_t      offset;           /* of the first byte that waits */
	size_t        length;           /* 0: nothing waits */
	uint64_t      flushes;          /* how often what waited went out */
	unsigned char bytes[SMALL_WRITES_BYTES];
};

/* A fault is ERROR_NO_OUTPUT with the name of the file, which must live on; it may be that of a
 * piece that came before. */
bool small_writes_put(struct small_writes *writes, int fd, const char *name, uint64_t offset,
	const void *bytes, size_t count, struct error *err);
/* The bytes, if all of them wait; false: they do not. */
bool small_writes_read(const struct small_writes *writes, int fd, uint64_t offset, void *to,
	size_t count);
/* What waits goes out. */
bool small_writes_flush(struct small_writes *writes, struct error *err);

#endif
