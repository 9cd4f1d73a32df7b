#include "fuzz/pickle_ops.h"

#include "base/checked.h"
#include "pickle/opcodes.h"

#include <stdlib.h>
#include <string.h>

#define FRAME_BYTES 9

/* Two lines at most; 0: they do not end. */
static size_t
lines_length(const uint8_t *at, size_t left, int lines)
{
	size_t length = 0;

	for (; lines > 0; lines--) {
		const uint8_t *end = memchr(at + length, '\n', left - length);

		if (end == NULL)
			return 0;
		length = (size_t)(end - at) + 1;
	}
	return length;
}

/* A count of `width` bytes and what it counts. */
static size_t
counted_length(const uint8_t *at, size_t left, unsigned width)
{
	uint64_t count = 0;

	if (left < width)
		return 0;
	for (unsigned i = 0; i < width; i++)
		count |= (uint64_t)at[i] << 8 * i;
	return count > left - width ? 0 : width + (size_t)count;
}

static size_t
fixed_length(size_t left, size_t length)
{
	return left < length ? 0 : length;
}

/* Of the argument of an opcode; 0 where there should be one and is none. */
static size_t
argument_length(enum opcode_argument argument, const uint8_t *at, size_t left)
{
	switch (argument) {
	case ARGUMENT_NONE: return 0;
	case ARGUMENT_U8: return fixed_length(left, 1);
	case ARGUMENT_U16: return fixed_length(left, 2);
	case ARGUMENT_U32:
	case ARGUMENT_I32: return fixed_length(left, 4);
	case ARGUMENT_U64:
	case ARGUMENT_DOUBLE: return fixed_length(left, 8);
	case ARGUMENT_BYTES_U8:
	case ARGUMENT_LONG_U8: return counted_length(at, left, 1);
	case ARGUMENT_BYTES_U32:
	case ARGUMENT_BYTES_I32:
	case ARGUMENT_LONG_I32: return counted_length(at, left, 4);
	case ARGUMENT_BYTES_U64: return counted_length(at, left, 8);
	case ARGUMENT_NAME_LINES: return lines_length(at, left, 2);
	default: return lines_length(at, left, 1);
	}
}

static void
reserve(struct pickle_ops *row, size_t count)
{
	if (row->count + count <= row->room)
		return;
	row->room = 2 * (row->count + count) + 64;
	row->ops = realloc(row->ops, row->room * sizeof *row->ops);
	if (row->ops == NULL)
		abort();
}

bool
pickle_ops_take(struct pickle_ops *row, const uint8_t *bytes, size_t length)
{
	size_t at = 0;

	memset(row, 0, sizeof *row);
	arena_init(&row->arena, (size_t)64 << 20);
	while (at < length) {
		const struct opcode *opcode = &opcodes_table[bytes[at]];
		const size_t         left = length - at - 1;
		size_t               taken;

		if (opcode->name == NULL)
			break;
		taken = argument_length((enum opcode_argument)opcode->argument, bytes + at + 1, left);
		if (taken == 0 && opcode->argument != ARGUMENT_NONE)
			break;
		reserve(row, 1);
		row->ops[row->count++] = (struct pickle_op){ bytes + at, 1 + taken };
		if (bytes[at] == OPCODE_STOP)
			return true;
		at += 1 + taken;
	}
	pickle_ops_free(row);
	return false;
}

void
pickle_ops_insert(struct pickle_ops *row, size_t at, const struct pickle_op *source, size_t count)
{
	struct pickle_op *copy = malloc((count + 1) * sizeof *copy);

	if (copy == NULL)
		abort();
	memcpy(copy, source, count * sizeof *copy);
	reserve(row, count);
	memmove(row->ops + at + count, row->ops + at, (row->count - at) * sizeof *row->ops);
	memcpy(row->ops + at, copy, count * sizeof *copy);
	row->count += count;
	free(copy);
}

void
pickle_ops_remove(struct pickle_ops *row, size_t at, size_t count)
{
	row->count -= count;
	memmove(row->ops + at, row->ops + at + count, (row->count - at) * sizeof *row->ops);
}

struct pickle_op
pickle_ops_make(struct pickle_ops *row, uint8_t code, const void *argument, size_t length)
{
	uint8_t *bytes = arena_take(&row->arena, 1 + length, 1);

	if (bytes == NULL)
		abort();
	bytes[0] = code;
	if (length > 0)
		memcpy(bytes + 1, argument, length);
	return (struct pickle_op){ bytes, 1 + length };
}

void
pickle_ops_put(const struct pickle_ops *row, bool frames, struct text *to)
{
	size_t frame = 0;       /* behind the length of the last one that has a whole one */

	for (size_t i = 0; i <= row->count; i++) {
		const bool ends = i == row->count || *row->ops[i].at == OPCODE_FRAME;

		if (ends && frames && frame > 0 && !to->failed)
			for (unsigned byte = 0; byte < 8; byte++)
				to->bytes[frame - 8 + byte] =
					(char)((uint64_t)(to->length - frame) >> 8 * byte);
		if (i == row->count)
			break;
		text_add_bytes(to, row->ops[i].at, row->ops[i].length);
		if (ends)
			frame = row->ops[i].length == FRAME_BYTES ? to->length : 0;
	}
}

void
pickle_ops_free(struct pickle_ops *row)
{
	free(row->ops);
	arena_fini(&row->arena);
	*row = (struct pickle_ops){ 0 };
}
