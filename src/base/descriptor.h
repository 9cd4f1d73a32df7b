#ifndef BASE_DESCRIPTOR_H
#define BASE_DESCRIPTOR_H

#include <stdbool.h>
#include <stddef.h>

/* What the system calls of these names leave to the caller: a part written is not all, and an
 * interrupted call begins again.  false: errno says why. */
bool descriptor_write(int fd, const void *bytes, size_t length);
/* A file system that has no such thing as syncing is no fault. */
bool descriptor_sync(int fd);

#endif
