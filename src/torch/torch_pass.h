#ifndef TORCH_TORCH_PASS_H
#define TORCH_TORCH_PASS_H

#include "torch/torch_file.h"

/*
 * One walk over the bytes of a torch file, front to back, that checks all that can be
 * checked (CRC-32 of every record, count field of every legacy storage, and where a zip
 * was only walked its local headers, descriptors and directory) and hands out the bytes of
 * each storage as they come, in whole elements: every call but the last one for a storage
 * has a multiple of 8 bytes.  They need not be aligned in memory.
 *
 * ERROR_UNSUPPORTED "walk" (only where a zip was only walked): read it again from the start,
 * from torch_file_open_indexed().
 *
 * The bytes are pushed in pieces of any length: the whole stream of torch_file_stream(),
 * inflated already where that stream is deflated.
 */
typedef bool torch_storage_sink(void *context, size_t storage, uint64_t byte_offset,
	const unsigned char *bytes, size_t count, struct error *err);

struct torch_pass;

/* `sink` NULL: for the checks alone. */
struct torch_pass *torch_pass_open(const struct torch_file *file, torch_storage_sink *sink,
	void *context, struct error *err);
bool torch_pass_feed(struct torch_pass *pass, const unsigned char *bytes, size_t count,
	struct error *err);
/* The next `count` bytes, which are not those of a deflated stream, are passed over: whole
 * storages, and what lies between them.  Nothing in them is checked. */
bool torch_pass_skip(struct torch_pass *pass, uint64_t count, struct error *err);
/* The stream has ended: everything must have come. */
bool torch_pass_finish(struct torch_pass *pass, struct error *err);
void torch_pass_close(struct torch_pass *pass);         /* NULL is fine */

#endif
