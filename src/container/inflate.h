#ifndef CONTAINER_INFLATE_H
#define CONTAINER_INFLATE_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

/* Raw deflate (zip method 8), piece by piece, held to the length the archive declares. */
struct inflater;

struct inflater *inflater_open(uint64_t declared_length, struct error *err);
/* Start again at the first byte. */
void inflater_restart(struct inflater *inflater);
/*
 * Takes from *in what it needs (both are moved on) and puts at most `room` bytes to `out`.
 * More than declared: ERROR_UNSAFE "defllong".  Damaged: ERROR_CORRUPT "deflbad".
 */
bool inflater_step(struct inflater *inflater, const unsigned char **in, size_t *in_count,
	unsigned char *out, size_t room, size_t *made, struct error *err);
/* The deflate stream has said that it ends. */
bool inflater_ended(const struct inflater *inflater);
/* All input was given: it must have ended with exactly the declared length
 * (ERROR_CORRUPT "deflshort"). */
bool inflater_finish(const struct inflater *inflater, struct error *err);
void inflater_close(struct inflater *inflater);         /* NULL is fine */

#endif
