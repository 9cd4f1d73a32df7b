#ifndef TESTS_FUZZ_PICKLE_OPS_H
#define TESTS_FUZZ_PICKLE_OPS_H

#include "base/arena.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A pickle as a row of whole opcodes, each with its argument. */
struct pickle_op {
	const uint8_t *at;
	size_t         length;
};

struct pickle_ops {
	struct pickle_op *ops;
	size_t            count, room;
	struct arena      arena;        /* of the opcodes that were made */
};

/* Up to and with STOP; what does not end in one is no pickle: false, nothing to free.  The
 * bytes must outlive the row. */
bool pickle_ops_take(struct pickle_ops *row, const uint8_t *bytes, size_t length);
/* The opcodes [from, from + count) of `source`, which may be the row itself, put before the
 * opcode `at`. */
void pickle_ops_insert(struct pickle_ops *row, size_t at, const struct pickle_op *source,
	size_t count);
void pickle_ops_remove(struct pickle_ops *row, size_t at, size_t count);
/* An opcode with its argument as it is written; lives as long as the row. */
struct pickle_op pickle_ops_make(struct pickle_ops *row, uint8_t code, const void *argument,
	size_t length);
/* All opcodes again; `frames`: the lengths of FRAMEs made right. */
void pickle_ops_put(const struct pickle_ops *row, bool frames, struct text *to);
void pickle_ops_free(struct pickle_ops *row);

#endif
