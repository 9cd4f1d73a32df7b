#ifndef BASE_ATOMIC_FILE_H
#define BASE_ATOMIC_FILE_H

#include "base/error.h"

#include <stddef.h>

/*
 * One small file, all or nothing: written beside its place under another name, synced, and
 * renamed.  With `replace` a regular file is replaced; anything else (a device, a link, a
 * directory) is left alone, and so is a file that appeared meanwhile without it.  Every failure
 * is ERROR_NO_OUTPUT, but for a path that ends without a name: ERROR_USAGE.
 */
struct atomic_file;

/* Could it be written?  Makes nothing. */
bool atomic_file_check(const char *path, bool replace, struct error *err);
/* All of it at once.  Mode 0666 less the umask. */
bool atomic_file_write(const char *path, const void *bytes, size_t length, bool replace,
	struct error *err);

/* In two steps, where something else is to appear before it: written and synced ... */
struct atomic_file *atomic_file_stage(const char *path, const void *bytes, size_t length,
	bool replace, struct error *err);
/* ... and moved to its place, and that directory synced. */
bool atomic_file_publish(struct atomic_file *file, struct error *err);
/* Removes what was not published; NULL is fine. */
void atomic_file_close(struct atomic_file *file);

#endif
