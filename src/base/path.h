#ifndef BASE_PATH_H
#define BASE_PATH_H

#include <stdbool.h>
#include <stddef.h>

/* Is what `path` names the directory or file `other`, or something inside it?  Links are
 * followed on both sides; false where either is not there. */
bool path_is_inside(const char *path, const char *other);
/* Do both lie, or will lie, in one directory under one name? */
bool path_is_same_place(const char *a, const char *b);
/* The directory in which `path` lies, "." for a bare name; slashes at its end do not count.
 * Cut where `to` is too small.  Returns `to`. */
char *path_parent(const char *path, char *to, size_t size);

#endif
