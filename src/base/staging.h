#ifndef BASE_STAGING_H
#define BASE_STAGING_H

#include "base/error.h"

#include <stdint.h>

/*
 * All or nothing: files are made in a sibling directory ".NAME.m2h-XXXXXX" of the
 * destination, synced, and moved to its name in one rename.  Until staging_publish() the
 * destination is untouched; staging_close() removes all that was made here and nothing
 * else.  One thread.
 */
struct staging;

/* Checks that `destination` can be made (exists: ERROR_NO_OUTPUT unless `replace`; parent
 * missing or not writable) without making anything. */
bool staging_check(const char *destination, bool replace, struct error *err);
/* The same for staging_open_private(). */
bool staging_check_private(const char *folder, struct error *err);
/* Bytes free for us on the file system of the destination's parent; UINT64_MAX: unknown. */
uint64_t staging_free_bytes(const char *destination);

/* Makes the staging directory and locks it.  Removes stale ones of the same destination
 * whose lock is free; one that is locked is ERROR_NO_OUTPUT "another megatron2hf ...". */
struct staging *staging_open(const char *destination, bool replace, struct error *err);
/* The same in `folder`, for files that only pass through and are never published: readable by
 * the owner alone, and any number may be there side by side. */
struct staging *staging_open_private(const char *folder, struct error *err);
/* A new file of `size` bytes (space reserved where the file system can), opened for
 * reading and writing, mode 0666 less the umask.  -1: *err.  Closed by staging_sync(). */
int  staging_create(struct staging *staging, const char *name, uint64_t size,
	struct error *err);
/* A small file in one go. */
bool staging_write(struct staging *staging, const char *name, const void *bytes,
	uint64_t length, struct error *err);
/* Directory descriptor of the staging directory, for reading back. */
int  staging_directory(const struct staging *staging);
/* Every file fsynced and closed, then the directory. */
bool staging_sync(struct staging *staging, struct error *err);
/* One rename (an exchange where the destination is replaced), parent fsynced, the old
 * tree removed.  The handle is then spent in either case, but must still be closed. */
bool staging_publish(struct staging *staging, struct error *err);
/* Did that rename happen?  What comes after it can fail. */
bool staging_is_published(const struct staging *staging);
/* Removes what is not published; NULL is fine. */
void staging_close(struct staging *staging);

#endif
