#ifndef CHECK_VERIFY_TORCH_H
#define CHECK_VERIFY_TORCH_H

#include "base/arena.h"
#include "container/input_file.h"
#include "gpt2/safetensors.h"

/*
 * pytorch_model.bin, checked as strictly as a checkpoint that is converted: its pickle, its
 * tensors, and as its bytes go by every record.  The file must outlive it.
 *
 * NULL: *err.  Nothing in the file is ever executed.
 */
struct verify_torch;

struct verify_torch *verify_torch_open(const struct input_file *file, struct arena *arena,
	struct error *err);
/* The bytes of the file, in order. */
bool verify_torch_feed(struct verify_torch *torch, const unsigned char *bytes, size_t count,
	struct error *err);
/* All bytes were fed.  The table and its names live in the arena; offsets are 0. */
bool verify_torch_finish(struct verify_torch *torch, struct safetensors_tensor **tensors,
	size_t *count, struct error *err);
void verify_torch_close(struct verify_torch *torch);    /* NULL is fine */

#endif
