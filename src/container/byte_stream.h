#ifndef CONTAINER_BYTE_STREAM_H
#define CONTAINER_BYTE_STREAM_H

#include "container/input_file.h"

/*
 * One face over a file range, a stored zip member and a deflated zip member: a length, a
 * position, a window of bytes at the position.  Forward is cheap.  Back is cheap on a
 * range; on a deflated member it starts inflating again, except into the last mebibyte
 * that was seen, which is kept (so the end records and the directory of a zip inside a
 * deflated member cost one pass).  Does not own the file.  One thread per stream.
 */
struct byte_stream;

/* [offset, offset + length) of the file as it is; the range must lie inside the file. */
struct byte_stream *byte_stream_open(const struct input_file *file, uint64_t offset,
	uint64_t length, struct error *err);
/* [offset, offset + stored_length) of the file is raw deflate of `length` bytes. */
struct byte_stream *byte_stream_open_deflated(const struct input_file *file, uint64_t offset,
	uint64_t stored_length, uint64_t length, struct error *err);

uint64_t byte_stream_length(const struct byte_stream *stream);
uint64_t byte_stream_position(const struct byte_stream *stream);
bool     byte_stream_is_deflated(const struct byte_stream *stream);
const struct input_file *byte_stream_file(const struct byte_stream *stream);
/* Where in the file the range, or its deflated form, begins, and how long that is. */
uint64_t byte_stream_file_offset(const struct byte_stream *stream);
uint64_t byte_stream_stored_length(const struct byte_stream *stream);

/* The bytes at the position, at least one, without moving; *count 0 at the end. */
bool byte_stream_peek(struct byte_stream *stream, const unsigned char **at, size_t *count,
	struct error *err);
/* Moves over bytes that peek has shown. */
void byte_stream_consume(struct byte_stream *stream, size_t count);
/* Exactly `count` bytes; past the end: ERROR_CORRUPT "truncated". */
bool byte_stream_read(struct byte_stream *stream, void *to, size_t count, struct error *err);
/* position <= length */
bool byte_stream_seek(struct byte_stream *stream, uint64_t position, struct error *err);
void byte_stream_close(struct byte_stream *stream);     /* NULL is fine */

#endif
