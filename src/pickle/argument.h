#ifndef PICKLE_ARGUMENT_H
#define PICKLE_ARGUMENT_H

#include "pickle/pickle_reader.h"

/* The argument of one opcode, decoded as the table of opcodes says. */
struct argument {
	uint64_t    number;             /* U8, U16, U32, U64 */
	int64_t     integer;            /* I32, and LONG unless `wide` */
	bool        wide;               /* LONG of more than 8 bytes: not kept */
	double      real;               /* DOUBLE */
	/* BYTES: in the arena, a NUL follows.  Lines: valid until the next argument is read. */
	const char *bytes;
	size_t      length;
	const char *second;             /* the second of NAME_LINES */
	size_t      second_length;
};

/* The argument of reader->opcode.  A count is compared with the bytes that are left before
 * anything of its size is asked from the arena. */
bool argument_read(struct argument *argument, struct pickle_reader *reader,
	struct arena *arena, uint64_t string_limit);

#endif
