#ifndef CONTAINER_DEFLATE_CURSOR_H
#define CONTAINER_DEFLATE_CURSOR_H

#include "container/deflate_codes.h"

#include <stddef.h>

/*
 * Inflates from any bit of a stream, as far as input and room go, and tells where it is between
 * two blocks.  Each code must be known before the next one can be looked up, so a processor
 * mostly waits; two cursors in turn take hardly longer than one.
 */
enum deflate_place {
	DEFLATE_BETWEEN,        /* two blocks */
	DEFLATE_IN_CODES,
	DEFLATE_IN_STORED,
	DEFLATE_ENDED,          /* the last block has */
	DEFLATE_REFUSED,        /* damaged, or what only a stricter reader objects to */
};

struct deflate_cursor {
	enum deflate_place   place;
	uint64_t             bit;               /* the next one, counted from `input` */
	const unsigned char *input, *input_end; /* DEFLATE_SLACK bytes behind it can be read */
	bool                 is_all;            /* the stream ends at input_end */
	unsigned char       *out, *out_end;     /* DEFLATE_SLACK bytes before it may stay unused */
	const unsigned char *history;           /* the first byte that a match may refer to */
	bool                 last;              /* this block */
	size_t               stored;            /* bytes left of it */
	struct deflate_codes codes;             /* of this block */
};

/* What a cursor may leave unused at the end of its room, and of its input unless that is all. */
#define DEFLATE_SLACK ((size_t)1024)
#define DEFLATE_WINDOW ((size_t)32768)

enum deflate_wants {
	DEFLATE_WANTS_NOTHING,  /* it has come to the end of a block, or of the stream */
	DEFLATE_WANTS_INPUT,
	DEFLATE_WANTS_ROOM,
};

/* Goes on to the next place between blocks, or to what it lacks. */
enum deflate_wants deflate_cursor_run(struct deflate_cursor *cursor);
/* Both in turn, both in a block with codes, until one of them is at its end or lacks something:
 * 1 for a, 2 for b, or both.  What it lacks is found by running it alone. */
unsigned deflate_cursor_run_two(struct deflate_cursor *a, struct deflate_cursor *b);

#endif
