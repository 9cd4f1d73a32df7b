#ifndef PLAN_OUTPUT_FILES_H
#define PLAN_OUTPUT_FILES_H

#include "base/digest.h"
#include "plan/element.h"
#include "plan/scatter.h"

/*
 * The weight files while they are made.  Pieces of tensors are written in any order; for each
 * tensor it is kept how much of it is written and the CRC-32 of what was written, put
 * together from the pieces.  What stands around the tensors (headers, directories) is written
 * as soon as the tensors beside it are complete.  Reading back goes through the files in
 * order, as early as their front is complete: it makes the SHA-256 from bytes that come from
 * the kernel and compares each tensor's CRC-32 with that of the bytes that went in.
 *
 * One thread writes; any number read back, each a file at a time.
 */
struct output_files;

struct output_files_options {
	bool digests_tensors;           /* a SHA-256 for each tensor as well */
	bool from_disk;                 /* bytes are read back from the device */
};

/* Takes descriptors of empty files for reading and writing, by file of the plan. */
struct output_files *output_files_open(const int *fds, const struct plan *plan,
	const struct output_files_options *options, struct error *err);
/* Where a scatter puts its elements: each byte is written once, and can be read after. */
struct scatter_target output_files_target(struct output_files *files);
/* What waits to be written with its neighbours is written, and told to the readers. */
bool output_files_flush(struct output_files *files, struct error *err);
/* Nothing more will be written: a reader that waits for more gives up. */
void output_files_end(struct output_files *files);
/* Reads back, one after the other, the files that no other reader has taken, waiting for the
 * writer where it must.  A worker_task: the context is the files.  ERROR_NO_OUTPUT "readback":
 * it is not what was written. */
bool output_files_read_back(void *files, struct error *err);
/* Bytes read back so far; any thread may ask. */
uint64_t output_files_progress(struct output_files *files);
/* Bytes that were to come from the device, but that the kernel had in memory still. */
uint64_t output_files_kept(const struct output_files *files);
/* After output_files_read_back(): lower-case hex. */
const char *output_files_sha256(const struct output_files *files, size_t file);
/* Of a tensor's bytes, where these were asked for. */
const char *output_files_tensor_sha256(const struct output_files *files, size_t tensor);
/* What was written to a tensor and is no finite number. */
const struct element_specials *output_files_specials(const struct output_files *files,
	size_t tensor);
/* Does not close the descriptors.  NULL is fine. */
void output_files_close(struct output_files *files);

#endif
