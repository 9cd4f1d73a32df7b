#ifndef PICKLE_PICKLE_READER_H
#define PICKLE_PICKLE_READER_H

#include "base/error.h"
#include "pickle/machine.h"
#include "pickle/opcodes.h"

/*
 * The bytes of one pickle, taken from its input window by window, and the place that errors
 * name.  `err` is that of machine_run(): every part of the machine reports through here.
 */
struct pickle_reader {
	const struct pickle_input *input;
	struct error              *err;
	const unsigned char       *window, *at, *end;   /* at .. end: not yet taken */
	uint64_t                   window_offset;       /* of window[0] in the pickle */
	uint64_t                   limit;               /* on the length of a pickle */
	const struct opcode       *opcode;              /* being run; NULL: being read */
	uint64_t                   opcode_offset;
	char                      *scratch;             /* holds text lines */
	size_t                     scratch_used, scratch_room;
};

void pickle_reader_init(struct pickle_reader *reader, const struct pickle_input *input,
	uint64_t limit, struct error *err);
/* Tells the input what was taken. */
void pickle_reader_fini(struct pickle_reader *reader);

static inline uint64_t
pickle_reader_offset(const struct pickle_reader *reader)
{
	return reader->window_offset + (uint64_t)(reader->at - reader->window);
}

/* Bytes of the record or file that are not yet taken. */
static inline uint64_t
pickle_reader_left(const struct pickle_reader *reader)
{
	return reader->input->length - pickle_reader_offset(reader);
}

/* At least one byte at reader->at.  false: the input failed or ended. */
bool pickle_reader_more(struct pickle_reader *reader);
/* Copies `count` bytes, or skips them where `to` is NULL. */
bool pickle_reader_take(struct pickle_reader *reader, void *to, uint64_t count);
/* Adds a line of at most `limit` bytes to the scratch, its newline replaced by a NUL.
 * `kind` is that of the error for a longer one. */
bool pickle_reader_line(struct pickle_reader *reader, size_t limit, enum error_kind kind,
	const char *slug, const char *noun, size_t *length);

/* error_set and error_at with the offset of the current opcode. */
bool pickle_reader_fail(struct pickle_reader *reader, enum error_kind kind, const char *slug,
	const char *fmt, ...) ERROR_PRINTF(4, 5);
/* "WHAT at byte 7 (TUPLE2)" */
bool pickle_reader_fail_here(struct pickle_reader *reader, enum error_kind kind,
	const char *slug, const char *what);
/* Arena or machine memory ended. */
bool pickle_reader_no_memory(struct pickle_reader *reader, const struct arena *arena,
	uint64_t bytes);

#endif
