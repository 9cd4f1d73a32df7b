#include "pickle/pickle_reader.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
pickle_reader_init(struct pickle_reader *reader, const struct pickle_input *input,
	uint64_t limit, struct error *err)
{
	static const unsigned char nothing[1];

	*reader = (struct pickle_reader){
		.input = input, .limit = limit, .err = err,
		.window = nothing, .at = nothing, .end = nothing,
	};
}

static void
give_back(struct pickle_reader *reader)
{
	size_t taken = (size_t)(reader->at - reader->window);

	if (taken > 0)
		reader->input->consume(reader->input->context, taken);
	reader->window_offset += taken;
	reader->window = reader->end = reader->at;
}

void
pickle_reader_fini(struct pickle_reader *reader)
{
	give_back(reader);
	free(reader->scratch);
}

bool
pickle_reader_fail(struct pickle_reader *reader, enum error_kind kind, const char *slug,
	const char *fmt, ...)
{
	char    text[sizeof reader->err->text];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	error_set(reader->err, kind, slug, "%s", text);
	return error_at(reader->err, reader->opcode_offset);
}

bool
pickle_reader_fail_here(struct pickle_reader *reader, enum error_kind kind, const char *slug,
	const char *what)
{
	return pickle_reader_fail(reader, kind, slug, "%s at byte %" PRIu64 " (%s)", what,
		reader->opcode_offset, reader->opcode->name);
}

bool
pickle_reader_no_memory(struct pickle_reader *reader, const struct arena *arena,
	uint64_t bytes)
{
	if (bytes <= arena->limit - arena->taken)       /* then it was not our own limit */
		return error_no_memory(reader->err, bytes);
	pickle_reader_fail(reader, ERROR_LIMIT, "oom",
		"the values of the pickle need more than %zu bytes of memory", arena->limit);
	return error_hint(reader->err, "--memory-limit raises it");
}

static bool
fail_at_end(struct pickle_reader *reader)
{
	if (reader->window_offset >= reader->limit && reader->input->length > reader->limit)
		return pickle_reader_fail(reader, ERROR_LIMIT, "hugepkl",
			"pickle longer than %" PRIu64 " bytes", reader->limit);
	if (reader->opcode == NULL)
		return pickle_reader_fail(reader, ERROR_CORRUPT, "nostop",
			"truncated: no STOP before the end of the pickle at byte %" PRIu64,
			reader->opcode_offset);
	return pickle_reader_fail(reader, ERROR_CORRUPT, "truncop",
		"truncated: ends inside the argument of %s at byte %" PRIu64,
		reader->opcode->name, reader->opcode_offset);
}

bool
pickle_reader_more(struct pickle_reader *reader)
{
	const struct pickle_input *input = reader->input;
	uint64_t                   left = input->length;
	size_t                     count = 0;

	if (reader->at < reader->end)
		return true;
	give_back(reader);
	if (left > reader->limit)
		left = reader->limit;
	left -= reader->window_offset;
	if (left == 0)
		return fail_at_end(reader);
	if (!input->peek(input->context, &reader->window, &count, reader->err)) {
		reader->at = reader->end = reader->window;
		return error_at(reader->err, reader->opcode_offset);
	}
	if (count > left)
		count = (size_t)left;
	reader->at = reader->window;
	reader->end = reader->window + count;
	return count > 0 || fail_at_end(reader);
}

bool
pickle_reader_take(struct pickle_reader *reader, void *to, uint64_t count)
{
	char *at = to;

	while (count > 0) {
		size_t step;
		if (!pickle_reader_more(reader))
			return false;
		step = (size_t)(reader->end - reader->at);
		if (step > count)
			step = (size_t)count;
		if (at != NULL) {
			memcpy(at, reader->at, step);
			at += step;
		}
		reader->at += step;
		count -= step;
	}
	return true;
}

static bool
scratch_reserve(struct pickle_reader *reader, size_t more)
{
	size_t room = reader->scratch_room != 0 ? reader->scratch_room : 4096;
	char  *scratch;

	while (room - reader->scratch_used < more)
		room *= 2;
	if (room == reader->scratch_room)
		return true;
	if ((scratch = realloc(reader->scratch, room)) == NULL)
		return error_no_memory(reader->err, room);
	reader->scratch = scratch;
	reader->scratch_room = room;
	return true;
}

bool
pickle_reader_line(struct pickle_reader *reader, size_t limit, enum error_kind kind,
	const char *slug, const char *noun, size_t *length)
{
	size_t begin = reader->scratch_used;
	bool   ended = false;

	while (!ended) {
		const unsigned char *newline;
		size_t               step, used = reader->scratch_used - begin;

		if (!pickle_reader_more(reader))
			return false;
		step = (size_t)(reader->end - reader->at);
		if ((newline = memchr(reader->at, '\n', step)) != NULL) {
			step = (size_t)(newline - reader->at);
			ended = true;
		}
		if (step > limit - used)
			return pickle_reader_fail(reader, kind, slug,
				"%s of %s at byte %" PRIu64 " is longer than %zu bytes", noun,
				reader->opcode->name, reader->opcode_offset, limit);
		if (!scratch_reserve(reader, step + 1))
			return false;
		memcpy(reader->scratch + reader->scratch_used, reader->at, step);
		reader->scratch_used += step;
		reader->at += step + ended;
	}
	*length = reader->scratch_used - begin;
	reader->scratch[reader->scratch_used++] = '\0';
	return true;
}
