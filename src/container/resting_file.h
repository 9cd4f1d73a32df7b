#ifndef CONTAINER_RESTING_FILE_H
#define CONTAINER_RESTING_FILE_H

#include "base/error.h"

#include <sys/stat.h>

/*
 * The descriptor of a file that is only read.  A run may have more shards than a process may
 * have descriptors: of the files that can be opened again by their path, those that nobody
 * reads from are closed, the one used longest ago first, where more would be open than leave
 * some for everything else.  Opened again, it must be the file that it was.
 *
 * Handles are shared by threads; they are created and freed by one.
 */
struct resting_file;

/* Takes `fd` over; `opened` is what fstat said of it.  NULL: no memory, and it is closed. */
struct resting_file *resting_file_new(int fd, const struct stat *opened);
/* From now on it may be closed when nobody holds it, and is opened again by `path`, which is
 * copied.  false: no memory, and it stays open. */
bool resting_file_may_rest(struct resting_file *handle, const char *path, struct error *err);
/* The descriptor, which stays open until the release that belongs to it.  -1: it cannot be
 * opened again (ERROR_NO_INPUT), or is another file now (ERROR_CORRUPT "changing"). */
int  resting_file_hold(struct resting_file *handle, struct error *err);
void resting_file_release(struct resting_file *handle);
void resting_file_free(struct resting_file *handle);      /* NULL is fine */

/* Is it the same file with the same contents, by device, inode, size and times? */
bool resting_file_is_same(const struct stat *then, const struct stat *now);

#endif
