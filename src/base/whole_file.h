#ifndef BASE_WHOLE_FILE_H
#define BASE_WHOLE_FILE_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* One small file that appears complete or not at all. */

/* Could `path` be made?  It exists and not `replace`, is a directory, or its directory is
 * missing or not writable: ERROR_NO_OUTPUT.  Nothing is made. */
bool whole_file_check(const char *path, bool replace, struct error *err);
/* Writes a file beside it, syncs it, moves it to its name in one rename and syncs the
 * directory.  Without `replace` a file that appeared meanwhile stays as it is. */
bool whole_file_write(const char *path, const void *bytes, size_t length, bool replace,
	struct error *err);

#endif
