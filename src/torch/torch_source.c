#include "torch/torch_source.h"

#include "container/crc32.h"

#include <stdlib.h>
#include <string.h>

#define INFLATED_BYTES ((size_t)1 << 16)

bool
torch_source_open(struct torch_source *source, struct byte_stream *stream, uint64_t offset,
	uint64_t stored_length, bool is_deflated, uint64_t length, struct error *err)
{
	memset(source, 0, sizeof *source);
	source->stream = stream;
	source->stored_left = stored_length;
	if (!byte_stream_seek(stream, offset, err))
		return false;
	if (!is_deflated)
		return true;
	if ((source->inflated = malloc(INFLATED_BYTES)) == NULL)
		return error_no_memory(err, INFLATED_BYTES);
	return (source->inflater = inflater_open(length, err)) != NULL;
}

void
torch_source_settle(struct torch_source *source)
{
	if (source->used > 0)
		source->crc = crc32_of(source->crc, source->at, source->used);
	if (source->inflater == NULL) {
		byte_stream_consume(source->stream, source->used);
		source->stored_left -= source->used;
		source->count = 0;
	} else if (source->used > 0) {
		source->at += source->used;
		source->count -= source->used;
	}
	source->used = 0;
}

/* The stream's next bytes, none past the range. */
static bool
peek_stored(struct torch_source *source, const unsigned char **at, size_t *count,
	struct error *err)
{
	*count = 0;
	if (source->stored_left == 0)
		return true;
	if (!byte_stream_peek(source->stream, at, count, err))
		return false;
	if (*count == 0)        /* whoever opened it has compared */
		return error_set(err, ERROR_INTERNAL, "range", "the range is not in the stream");
	if (*count > source->stored_left)
		*count = (size_t)source->stored_left;
	return true;
}

static bool
inflate_more(struct torch_source *source, struct error *err)
{
	size_t made = 0, taken = 1;

	while (made == 0 && taken > 0 && !inflater_ended(source->inflater)) {
		const unsigned char *in = NULL;
		size_t               in_count, left;

		if (!peek_stored(source, &in, &in_count, err))
			return false;
		left = in_count;
		if (!inflater_step(source->inflater, &in, &left, source->inflated,
			INFLATED_BYTES, &made, err))
			return false;
		taken = in_count - left;
		byte_stream_consume(source->stream, taken);
		source->stored_left -= taken;
	}
	source->at = source->inflated;
	source->count = made;
	return made > 0 || inflater_finish(source->inflater, err);
}

static bool
peek(void *context, const unsigned char **at, size_t *count, struct error *err)
{
	struct torch_source *source = context;

	if (source->used == source->count) {
		torch_source_settle(source);
		if (source->inflater != NULL) {
			if (!inflate_more(source, err))
				return false;
		} else if (!peek_stored(source, &source->at, &source->count, err)) {
			return false;
		}
	}
	*at = source->at + source->used;
	*count = source->count - source->used;
	return true;
}

static void
consume(void *context, size_t count)
{
	struct torch_source *source = context;

	source->used += count;
	source->consumed += count;
}

struct value *
torch_source_pickle(struct torch_source *source, uint64_t length, struct arena *arena,
	struct pickle_globals *globals, struct error *err)
{
	uint64_t            begin = source->consumed, pickle_length = 0;
	struct pickle_input input = { peek, consume, source, length };
	struct value       *value;

	value = machine_run(&input, &pickle_default_limits, arena, globals, &pickle_length, err);
	if (value == NULL && err->has_offset)
		err->offset += begin;
	return value;
}

bool
torch_source_drain(struct torch_source *source, struct error *err)
{
	const unsigned char *at;
	size_t               count;

	do {
		if (!peek(source, &at, &count, err))
			return false;
		consume(source, count);
	} while (count > 0);
	torch_source_settle(source);
	return true;
}

void
torch_source_close(struct torch_source *source)
{
	free(source->inflated);
	inflater_close(source->inflater);
	memset(source, 0, sizeof *source);
}
