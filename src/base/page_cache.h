#ifndef BASE_PAGE_CACHE_H
#define BASE_PAGE_CACHE_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Bytes [offset, offset + length) of a file go to its device, and what memory the kernel keeps
 * them in is let go, so that the next read has to ask the device.  The offset is a multiple of
 * PAGE_CACHE_UNIT; so is the length, but at the end of the file.
 *
 * *kept: bytes that are in memory all the same (tmpfs has them nowhere else; or somebody else
 * has them mapped).  false: ERROR_NO_OUTPUT, the device has not taken them.
 */
bool page_cache_drop(int fd, uint64_t offset, size_t length, uint64_t *kept, struct error *err);

#define PAGE_CACHE_UNIT ((size_t)1 << 16)       /* of no machine is a page larger */

#endif
