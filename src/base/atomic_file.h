#ifndef BASE_ATOMIC_FILE_H
#define BASE_ATOMIC_FILE_H

#include "base/error.h"

#include <stddef.h>

/*
 * One small file, all or nothing: written beside its place under another name, synced, and
 * renamed.  An existing regular file is replaced; anything else (a device, a link, a
 * directory) is left alone and is ERROR_NO_OUTPUT, as is every failure here.
 */

/* Could it be written?  Makes nothing. */
bool atomic_file_check(const char *path, struct error *err);
/* Mode 0666 less the umask. */
bool atomic_file_write(const char *path, const void *bytes, size_t length, struct error *err);

#endif
