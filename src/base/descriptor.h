#ifndef BASE_DESCRIPTOR_H
#define BASE_DESCRIPTOR_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the system calls of these names leave to the caller: a part written is not all, and an
 * interrupted call begins again.  false: errno says why. */
bool descriptor_write(int fd, const void *bytes, size_t length);
/* To a pipe or a terminal as well, however slow its reader and whether or not it was made
 * non-blocking.  0, or the errno of the fault; EINTR: a signal came, and the reader stalls. */
int descriptor_send(int fd, const void *bytes, size_t length);
/* What a pipe or a terminal has ready, at most `room` bytes; *count 0 at the end.  A signal ends
 * the wait, so that a pipe that nobody fills can be left: ERROR_SIGNAL, else ERROR_NO_INPUT. */
bool descriptor_read(int fd, void *to, size_t room, size_t *count, struct error *err);
/* Up to `room` bytes of a file from `offset` on; fewer only where it ends. */
bool descriptor_read_at(int fd, uint64_t offset, void *to, size_t room, size_t *count);
/* As openat() with O_CLOEXEC; a network file system lets signals interrupt it. */
int descriptor_open(int directory, const char *entry, int flags, unsigned mode);
/* A directory to look into; `flags`: O_NOFOLLOW or 0. */
int descriptor_open_directory(int directory, const char *entry, int flags);
/* A file system that has no such thing as syncing is no fault. */
bool descriptor_sync(int fd);

#endif
