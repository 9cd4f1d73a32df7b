#ifndef PICKLE_MACHINE_H
#define PICKLE_MACHINE_H

#include "base/arena.h"
#include "base/error.h"
#include "pickle/value.h"

/* Where a pickle's bytes come from; nothing past its STOP is consumed. */
struct pickle_input {
	/* The next bytes, at least one, without moving; *count 0 at the end. */
	bool   (*peek)(void *context, const unsigned char **at, size_t *count, struct error *err);
	void   (*consume)(void *context, size_t count);
	void    *context;
	uint64_t length;        /* bytes that are left in the record or file */
};

struct pickle_limits {
	uint64_t bytes;         /* 64 MiB */
	uint64_t opcodes;       /* 20,000,000 */
	uint32_t depth;         /* 1,000: marks, and nesting of what is built */
	uint64_t string_bytes;  /* 16 MiB */
	uint32_t memo_entries;  /* 4,000,000 */
};
extern const struct pickle_limits pickle_default_limits;

/* Every global name a pickle mentions, each once, in order of appearance; lives in the arena. */
struct pickle_globals {
	const struct value **items;     /* VALUE_GLOBAL */
	size_t               count, room;
};

/*
 * Runs one pickle, protocols 0 to 5 and Python 2's, up to and including its STOP.
 *
 * The value lives in `arena`, whose limit also bounds the stack.  *length_consumed counts the
 * bytes through STOP.  `globals` may be NULL, or be that of an earlier run with the same arena.
 * Offsets in errors, "at byte N" in their text as well, count from the pickle's first byte.
 *
 * NULL: ERROR_CORRUPT (stack underflow, cut argument, memo miss, ...), ERROR_UNSUPPORTED
 * (protocol above 5, EXT, out-of-band buffers), ERROR_LIMIT (the limit's name), ERROR_UNSAFE
 * (a dangerous global, wherever it stands and whatever becomes of it).
 */
struct value *machine_run(const struct pickle_input *input, const struct pickle_limits *limits,
	struct arena *arena, struct pickle_globals *globals, uint64_t *length_consumed,
	struct error *err);

#endif
