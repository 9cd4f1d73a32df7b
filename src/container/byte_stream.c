#include "container/byte_stream.h"

#include "container/inflate.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/*
 * A range has one window of WINDOW bytes, filled by pread at the position.  A deflated
 * stream has a window on its compressed bytes and a ring with the last RING bytes that came
 * out; the ring is inflated into and read from in place.
 */
#define WINDOW ((size_t)64 << 10)
#define RING   ((size_t)1 << 20)        /* a multiple of WINDOW */

struct byte_stream {
	const struct input_file *file;
	uint64_t file_offset, stored_length;
	uint64_t length, position;
	unsigned char *window;          /* both kinds; allocated when first needed */
	/* a range: which of its bytes the window holds */
	uint64_t window_start;
	size_t   window_count;
	/* deflated */
	struct inflater     *inflater;  /* NULL: a range */
	unsigned char       *ring;
	const unsigned char *input;     /* the rest of the window */
	size_t   input_count;
	bool     has_more;      /* the inflater's last step filled its room */
	uint64_t given;                 /* compressed bytes read from the file */
	uint64_t made;                  /* bytes inflated since the start */
	bool     finished;              /* the end was reached and found right */
};

static struct byte_stream *
open_any(const struct input_file *file, uint64_t offset, uint64_t stored_length,
	uint64_t length, struct error *err)
{
	struct byte_stream *stream;

	if (offset > file->size || stored_length > file->size - offset) {
		error_set(err, ERROR_CORRUPT, "truncated",
			"%" PRIu64 " bytes at offset %" PRIu64 " are needed, the file has %" PRIu64,
			stored_length, offset, file->size);
		error_in_file(err, file->name);
		return NULL;
	}
	if ((stream = calloc(1, sizeof *stream)) == NULL) {
		error_no_memory(err, sizeof *stream);
		return NULL;
	}
	stream->file = file;
	stream->file_offset = offset;
	stream->stored_length = stored_length;
	stream->length = length;
	return stream;
}

struct byte_stream *
byte_stream_open(const struct input_file *file, uint64_t offset, uint64_t length,
	struct error *err)
{
	return open_any(file, offset, length, length, err);
}

struct byte_stream *
byte_stream_open_deflated(const struct input_file *file, uint64_t offset,
	uint64_t stored_length, uint64_t length, struct error *err)
{
	struct byte_stream *stream = open_any(file, offset, stored_length, length, err);

	if (stream != NULL && (stream->inflater = inflater_open(length, err)) == NULL) {
		byte_stream_close(stream);
		return NULL;
	}
	return stream;
}

uint64_t
byte_stream_length(const struct byte_stream *stream)
{
	return stream->length;
}

uint64_t
byte_stream_position(const struct byte_stream *stream)
{
	return stream->position;
}

bool
byte_stream_is_deflated(const struct byte_stream *stream)
{
	return stream->inflater != NULL;
}

const struct input_file *
byte_stream_file(const struct byte_stream *stream)
{
	return stream->file;
}

uint64_t
byte_stream_file_offset(const struct byte_stream *stream)
{
	return stream->file_offset;
}

uint64_t
byte_stream_stored_length(const struct byte_stream *stream)
{
	return stream->stored_length;
}

static bool
take_buffer(unsigned char **buffer, size_t size, struct error *err)
{
	if (*buffer == NULL && (*buffer = malloc(size)) == NULL)
		return error_no_memory(err, size);
	return true;
}

/* ---- a range ---------------------------------------------------------------------- */

static bool
peek_range(struct byte_stream *stream, const unsigned char **at, size_t *count,
	struct error *err)
{
	uint64_t left = stream->length - stream->position;
	uint64_t into = stream->position - stream->window_start;

	if (stream->position < stream->window_start || into >= stream->window_count) {
		size_t wanted = left < WINDOW ? (size_t)left : WINDOW;

		stream->window_count = 0;
		if (!take_buffer(&stream->window, WINDOW, err)
		    || !input_file_read(stream->file, stream->file_offset + stream->position,
		    stream->window, wanted, err))
			return false;
		stream->window_start = stream->position;
		stream->window_count = wanted;
		into = 0;
	}
	*at = stream->window + into;
	*count = stream->window_count - (size_t)into;
	return true;
}

/* ---- deflated --------------------------------------------------------------------- */

static bool
refill_input(struct byte_stream *stream, struct error *err)
{
	uint64_t left = stream->stored_length - stream->given;
	size_t   wanted = left < WINDOW ? (size_t)left : WINDOW;

	if (stream->input_count > 0 || wanted == 0)
		return true;
	if (!take_buffer(&stream->window, WINDOW, err)
	    || !input_file_read(stream->file, stream->file_offset + stream->given,
	    stream->window, wanted, err))
		return false;
	stream->given += wanted;
	stream->input = stream->window;
	stream->input_count = wanted;
	return true;
}

/* Everything declared was made, or the input is spent: is this the right end? */
static bool
finish(struct byte_stream *stream, struct error *err)
{
	unsigned char none;
	size_t        made;

	/* Some writers store nothing at all for an empty file and still call it deflated. */
	if (stream->stored_length == 0 && stream->length == 0) {
		stream->finished = true;
		return true;
	}
	while (stream->made == stream->length && !inflater_ended(stream->inflater)
	    && (stream->input_count > 0 || stream->given < stream->stored_length)) {
		if (!refill_input(stream, err) || !inflater_step(stream->inflater,
		    &stream->input, &stream->input_count, &none, 0, &made, err))
			return error_in_file(err, stream->file->name);
	}
	if (inflater_finish(stream->inflater, err)) {
		uint64_t rest = stream->stored_length - stream->given + stream->input_count;

		stream->finished = rest == 0;
		if (rest != 0)
			error_set(err, ERROR_CORRUPT, "deflbad",
				"%" PRIu64 " bytes after the end of the compressed data", rest);
	}
	return stream->finished || error_in_file(err, stream->file->name);
}

/* At least one byte more in the ring. */
static bool
inflate_more(struct byte_stream *stream, struct error *err)
{
	size_t at = (size_t)(stream->made % RING), made = 0;
	size_t room = RING - at < WINDOW ? RING - at : WINDOW;

	if (!take_buffer(&stream->ring, RING, err))
		return false;
	while (made == 0) {
		if (!refill_input(stream, err))
			return false;
		if (inflater_ended(stream->inflater)
		    || (stream->input_count == 0 && !stream->has_more))
			break;
		if (!inflater_step(stream->inflater, &stream->input, &stream->input_count,
		    stream->ring + at, room, &made, err))
			return error_in_file(err, stream->file->name);
		stream->has_more = made == room;
	}
	stream->made += made;
	return (made > 0 && stream->made < stream->length) || finish(stream, err);
}

static void
restart(struct byte_stream *stream)
{
	stream->given = 0;
	stream->input_count = 0;
	stream->has_more = false;
	stream->made = 0;
	stream->finished = false;
	inflater_restart(stream->inflater);
}

static bool
peek_deflated(struct byte_stream *stream, const unsigned char **at, size_t *count,
	struct error *err)
{
	uint64_t behind;
	size_t   into;

	/* The step that is under way may write over the oldest of the ring, none else. */
	if (stream->position < stream->made && stream->made - stream->position > RING)
		restart(stream);
	while (stream->made <= stream->position) {
		if (!inflate_more(stream, err))
			return false;
	}
	behind = stream->made - stream->position;
	into = (size_t)(stream->position % RING);
	*at = stream->ring + into;
	*count = behind < RING - into ? (size_t)behind : RING - into;
	return true;
}

/* ---- both ------------------------------------------------------------------------- */

bool
byte_stream_peek(struct byte_stream *stream, const unsigned char **at, size_t *count,
	struct error *err)
{
	static const unsigned char none;

	if (stream->position < stream->length)
		return stream->inflater != NULL ? peek_deflated(stream, at, count, err)
			: peek_range(stream, at, count, err);
	*at = &none;
	*count = 0;
	/* An empty one has no last byte that would have brought us to its end. */
	return stream->inflater == NULL || stream->length > 0 || stream->finished
		|| finish(stream, err);
}

void
byte_stream_consume(struct byte_stream *stream, size_t count)
{
	stream->position += count;
}

/* What need not go through the window of a range. */
static bool
read_past_window(struct byte_stream *stream, unsigned char **to, size_t *count,
	struct error *err)
{
	bool in_window = stream->position >= stream->window_start
		&& stream->position - stream->window_start < stream->window_count;

	if (stream->inflater != NULL || in_window || *count < WINDOW)
		return true;
	if (!input_file_read(stream->file, stream->file_offset + stream->position, *to, *count,
	    err))
		return false;
	stream->position += *count;
	*to += *count;
	*count = 0;
	return true;
}

bool
byte_stream_read(struct byte_stream *stream, void *to, size_t count, struct error *err)
{
	unsigned char *next = to;

	if (count > stream->length - stream->position) {
		error_set(err, ERROR_CORRUPT, "truncated",
			"ends at byte %" PRIu64 ", %zu more are needed from byte %" PRIu64 " on",
			stream->length, count, stream->position);
		return error_in_file(err, stream->file->name);
	}
	while (count > 0) {
		const unsigned char *at;
		size_t               shown;

		if (!read_past_window(stream, &next, &count, err))
			return false;
		if (count == 0)
			break;
		if (!byte_stream_peek(stream, &at, &shown, err))
			return false;
		if (shown > count)
			shown = count;
		memcpy(next, at, shown);
		byte_stream_consume(stream, shown);
		next += shown;
		count -= shown;
	}
	return true;
}

bool
byte_stream_seek(struct byte_stream *stream, uint64_t position, struct error *err)
{
	if (position > stream->length) {
		error_set(err, ERROR_CORRUPT, "truncated",
			"ends at byte %" PRIu64 ", byte %" PRIu64 " is asked for",
			stream->length, position);
		return error_in_file(err, stream->file->name);
	}
	stream->position = position;
	return true;
}

void
byte_stream_close(struct byte_stream *stream)
{
	if (stream == NULL)
		return;
	inflater_close(stream->inflater);
	free(stream->window);
	free(stream->ring);
	free(stream);
}
