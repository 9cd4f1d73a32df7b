#ifndef TORCH_TORCH_SOURCE_H
#define TORCH_TORCH_SOURCE_H

#include "container/byte_stream.h"
#include "container/inflate.h"
#include "pickle/machine.h"

/*
 * The bytes of pickles as the machine wants them: a range of a stream, as it is or deflated,
 * with the CRC-32 of what was consumed.  Does not own the stream; nobody else may move it
 * between open and settle.
 */
struct torch_source {
	struct byte_stream  *stream;
	uint64_t             stored_left;       /* of the range, not yet taken from the stream */
	struct inflater     *inflater;          /* NULL: the range is as it is */
	unsigned char       *inflated;
	const unsigned char *at;                /* window */
	size_t               count, used;
	uint64_t             consumed;
	uint32_t             crc;
};

/* [offset, offset + stored_length) of the stream.  `length` is that of the inflated bytes;
 * it counts only where is_deflated. */
bool torch_source_open(struct torch_source *source, struct byte_stream *stream,
	uint64_t offset, uint64_t stored_length, bool is_deflated, uint64_t length,
	struct error *err);
/* Runs one pickle, of which at most `length` bytes are there.  Offsets in errors count from
 * the first byte of the source. */
struct value *torch_source_pickle(struct torch_source *source, uint64_t length,
	struct arena *arena, struct pickle_globals *globals, struct error *err);
/* Consumes all the rest.  false: it is damaged. */
bool torch_source_drain(struct torch_source *source, struct error *err);
/* Brings `crc` up to date, and the stream (where it is not deflated) to the first byte that
 * was not consumed. */
void torch_source_settle(struct torch_source *source);
void torch_source_close(struct torch_source *source);

#endif
