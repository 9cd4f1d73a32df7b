#ifndef TORCH_TORCH_MEMBERS_H
#define TORCH_TORCH_MEMBERS_H

#include "torch/torch_delivery.h"

/*
 * The pass over a zip whose directory is not known yet: local headers tell the names, the
 * pickle tells how long each storage is, descriptors must confirm it, and the directory at
 * the end must list what came.  What cannot be read that way, although it may be a good
 * archive, is ERROR_UNSUPPORTED "walk": torch_file_open_indexed() reads it.
 */
struct torch_members;

struct torch_members *torch_members_open(const struct torch_file *file,
	struct torch_delivery *delivery, struct error *err);
bool torch_members_feed(struct torch_members *members, const unsigned char *bytes,
	size_t count, struct error *err);
bool torch_members_finish(struct torch_members *members, struct error *err);
void torch_members_close(struct torch_members *members);         /* NULL is fine */

#endif
