#ifndef BASE_TAR_H
#define BASE_TAR_H

#include <stddef.h>
#include <stdint.h>

/*
 * Headers of a POSIX.1-2001 tar, for regular files.  What would differ from run to run is
 * fixed: mode 0644, owner and group 0 without names.
 */
#define TAR_BLOCK       512
#define TAR_HEADER_MOST ((size_t)3 * TAR_BLOCK)
#define TAR_MOST        UINT64_C(8589934591)    /* size or time in the old form: 8 GiB less 1 */

/*
 * Writes the header of `name` (at most 100 bytes) with `mtime` (seconds since 1970, at most
 * TAR_MOST) and returns its length: one block, three where the size needs a pax header.  0:
 * the name or the time does not fit.  Contents are padded with zeros to whole blocks, and two
 * blocks of zeros end the archive.
 */
size_t tar_header(unsigned char to[TAR_HEADER_MOST], const char *name, uint64_t size,
	uint64_t mtime);
/* Zeros after the contents of a file. */
size_t tar_padding(uint64_t size);

#endif
