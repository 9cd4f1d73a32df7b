#ifndef CONTAINER_INFLATE_ENGINE_H
#define CONTAINER_INFLATE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The library that inflates what inflate_ahead does not: ISA-L where it is installed (amd64 and
 * arm64; about 1.6 times as fast on weights), else zlib.  Which one is decided when the program
 * is built; either gives the same bytes.
 */
struct inflate_engine;

enum inflate_outcome {
	INFLATE_MORE,           /* it wants more input, or more room */
	INFLATE_ENDED,          /* the stream has said that it ends; what follows was not taken */
	INFLATE_DAMAGED,        /* *reason says why */
	INFLATE_NO_MEMORY,
};

struct inflate_engine *inflate_engine_open(void);       /* NULL: no memory */
void                   inflate_engine_restart(struct inflate_engine *engine);
/* Raw deflate; *taken of `in_count` bytes were used, *made bytes put to `out`.  All that
 * can be made of the input was made, or there is no more room. */
enum inflate_outcome   inflate_engine_run(struct inflate_engine *engine,
	const unsigned char *in, size_t in_count, size_t *taken, unsigned char *out, size_t room,
	size_t *made, const char **reason);
void                   inflate_engine_close(struct inflate_engine *engine);     /* NULL is fine */
/* "ISA-L 2.30", "zlib 1.2.13" */
const char            *inflate_engine_name(void);

#endif
