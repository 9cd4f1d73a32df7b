#ifndef PLAN_OUTPUT_FILE_H
#define PLAN_OUTPUT_FILE_H

#include "base/digest.h"
#include "plan/element.h"
#include "plan/plan.h"

/*
 * The weight file while it is made.  Pieces of tensors are written in any order; the file
 * keeps, for each tensor, how much of it is written and the CRC-32 of what was written, put
 * together from the pieces.  Reading back goes through the file in order, as early as its
 * front is complete: it makes the SHA-256 from bytes that come from the kernel and compares
 * each tensor's CRC-32 with that of the bytes that went in.
 *
 * One thread writes, one reads back.
 */
struct output_file;

/* Takes the descriptor of an empty file for reading and writing; writes the header. */
struct output_file *output_file_open(int fd, const struct plan *plan, struct error *err);
/* `count` bytes of a tensor, `offset` from its start; each byte is written once. */
bool output_file_write(struct output_file *file, size_t tensor, uint64_t offset,
	const void *bytes, size_t count, struct error *err);
/* Puts bytes where others will be written, to be read and compared when these come. */
bool output_file_place(const struct output_file *file, size_t tensor, uint64_t offset,
	const void *bytes, size_t count, struct error *err);
/* Bytes of a tensor that have been written or placed, for comparing. */
bool output_file_read(const struct output_file *file, size_t tensor, uint64_t offset,
	void *to, size_t count, struct error *err);
/* Nothing more will be written: a reader that waits for more gives up. */
void output_file_end(struct output_file *file);
/* Reads the whole file back, waiting for the writer where it must.  A worker_task: the
 * context is the file.  ERROR_NO_OUTPUT "readback": it is not what was written. */
bool output_file_read_back(void *file, struct error *err);
/* Bytes read back so far; any thread may ask. */
uint64_t output_file_progress(struct output_file *file);
/* After output_file_read_back(): lower-case hex. */
const char *output_file_sha256(const struct output_file *file);
/* What was written to a tensor and is no finite number. */
const struct element_specials *output_file_specials(const struct output_file *file,
	size_t tensor);
/* Does not close the descriptor.  NULL is fine. */
void output_file_close(struct output_file *file);

#endif
