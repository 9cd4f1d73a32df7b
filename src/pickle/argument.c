#include "pickle/argument.h"

#include "base/checked.h"

#include <inttypes.h>
#include <string.h>

#define NUMBER_LINE_LIMIT 4096
#define NAME_LIMIT        1024

/* An unsigned little-endian number of `width` bytes. */
static bool
read_number(struct pickle_reader *reader, size_t width, uint64_t *number)
{
	unsigned char bytes[8] = { 0 };

	if (!pickle_reader_take(reader, bytes, width))
		return false;
	*number = checked_u64(bytes);
	return true;
}

static bool
read_i32(struct pickle_reader *reader, int64_t *integer)
{
	uint64_t number;

	if (!read_number(reader, 4, &number))
		return false;
	*integer = (int32_t)(uint32_t)number;
	return true;
}

static bool
read_double(struct pickle_reader *reader, double *real)
{
	unsigned char bytes[8];
	uint64_t      bits = 0;

	if (!pickle_reader_take(reader, bytes, sizeof bytes))
		return false;
	for (size_t i = 0; i < sizeof bytes; i++)
		bits = bits << 8 | bytes[i];
	memcpy(real, &bits, sizeof bits);
	return true;
}

/* A count that the pickle has bytes for; width 0 is an i32. */
static bool
read_count(struct pickle_reader *reader, size_t width, uint64_t *count)
{
	int64_t  integer;
	uint64_t left;

	if (width != 0) {
		if (!read_number(reader, width, count))
			return false;
	} else {
		if (!read_i32(reader, &integer))
			return false;
		if (integer < 0)
			return pickle_reader_fail(reader, ERROR_CORRUPT, "hugelen",
				"negative length %" PRId64 " at byte %" PRIu64 " (%s)", integer,
				reader->opcode_offset, reader->opcode->name);
		*count = (uint64_t)integer;
	}
	left = pickle_reader_left(reader);
	if (*count > left)
		return pickle_reader_fail(reader, ERROR_CORRUPT, "hugelen",
			"truncated: ends inside the argument of %s at byte %" PRIu64
			": string of %" PRIu64 " bytes, %" PRIu64 " left, goes beyond the end",
			reader->opcode->name, reader->opcode_offset, *count, left);
	return true;
}

static bool
read_bytes(struct argument *argument, struct pickle_reader *reader, struct arena *arena,
	size_t width, uint64_t limit)
{
	uint64_t count;
	char    *bytes;

	if (!read_count(reader, width, &count))
		return false;
	if (count > limit)
		return pickle_reader_fail(reader, ERROR_LIMIT, "strings",
			"string of %" PRIu64 " bytes at byte %" PRIu64 " (%s), limit %" PRIu64,
			count, reader->opcode_offset, reader->opcode->name, limit);
	if ((bytes = arena_take(arena, (size_t)count + 1, 1)) == NULL)
		return pickle_reader_no_memory(reader, arena, count + 1);
	argument->bytes = bytes;
	argument->length = (size_t)count;
	return pickle_reader_take(reader, bytes, count);
}

static bool
read_long(struct argument *argument, struct pickle_reader *reader, size_t width)
{
	uint64_t count, bits;

	argument->wide = false;
	argument->integer = 0;
	if (!read_count(reader, width, &count))
		return false;
	if (count == 0)
		return true;
	if (count > 8) {
		argument->wide = true;
		return pickle_reader_take(reader, NULL, count);
	}
	if (!read_number(reader, (size_t)count, &bits))
		return false;
	if (count < 8 && (bits >> (8 * count - 1) & 1) != 0)
		bits |= UINT64_MAX << 8 * count;
	argument->integer = (int64_t)bits;
	return true;
}

static bool
read_names(struct argument *argument, struct pickle_reader *reader)
{
	if (!pickle_reader_line(reader, NAME_LIMIT, ERROR_CORRUPT, "dotted", "global module",
			&argument->length)
	    || !pickle_reader_line(reader, NAME_LIMIT, ERROR_CORRUPT, "dotted", "global name",
			&argument->second_length))
		return false;
	argument->bytes = reader->scratch;
	argument->second = reader->scratch + argument->length + 1;
	return true;
}

static bool
read_line(struct argument *argument, struct pickle_reader *reader, uint64_t string_limit)
{
	bool done = false;

	reader->scratch_used = 0;
	switch ((enum opcode_argument)reader->opcode->argument) {
	case ARGUMENT_NAME_LINES:
		return read_names(argument, reader);
	case ARGUMENT_INTEGER_LINE:
		done = pickle_reader_line(reader, NUMBER_LINE_LIMIT, ERROR_LIMIT, "longint",
			"integer line", &argument->length);
		break;
	case ARGUMENT_FLOAT_LINE:
		done = pickle_reader_line(reader, NUMBER_LINE_LIMIT, ERROR_LIMIT, "floats",
			"float line", &argument->length);
		break;
	case ARGUMENT_INDEX_LINE:
		done = pickle_reader_line(reader, NUMBER_LINE_LIMIT, ERROR_LIMIT, "memo",
			"memo index line", &argument->length);
		break;
	default:
		done = pickle_reader_line(reader, (size_t)string_limit, ERROR_LIMIT, "strings",
			"text line", &argument->length);
	}
	argument->bytes = reader->scratch;
	return done;
}

bool
argument_read(struct argument *argument, struct pickle_reader *reader, struct arena *arena,
	uint64_t string_limit)
{
	switch ((enum opcode_argument)reader->opcode->argument) {
	case ARGUMENT_NONE:
		return true;
	case ARGUMENT_U8:
		if (!pickle_reader_more(reader))
			return false;
		argument->number = *reader->at++;
		return true;
	case ARGUMENT_U16:
		return read_number(reader, 2, &argument->number);
	case ARGUMENT_U32:
		return read_number(reader, 4, &argument->number);
	case ARGUMENT_U64:
		return read_number(reader, 8, &argument->number);
	case ARGUMENT_I32:
		return read_i32(reader, &argument->integer);
	case ARGUMENT_DOUBLE:
		return read_double(reader, &argument->real);
	case ARGUMENT_BYTES_U8:
		return read_bytes(argument, reader, arena, 1, string_limit);
	case ARGUMENT_BYTES_U32:
		return read_bytes(argument, reader, arena, 4, string_limit);
	case ARGUMENT_BYTES_U64:
		return read_bytes(argument, reader, arena, 8, string_limit);
	case ARGUMENT_BYTES_I32:
		return read_bytes(argument, reader, arena, 0, string_limit);
	case ARGUMENT_LONG_U8:
		return read_long(argument, reader, 1);
	case ARGUMENT_LONG_I32:
		return read_long(argument, reader, 0);
	case ARGUMENT_INTEGER_LINE:
	case ARGUMENT_FLOAT_LINE:
	case ARGUMENT_INDEX_LINE:
	case ARGUMENT_TEXT_LINE:
	case ARGUMENT_NAME_LINE:
	case ARGUMENT_NAME_LINES:
		return read_line(argument, reader, string_limit);
	}
	return false;
}
