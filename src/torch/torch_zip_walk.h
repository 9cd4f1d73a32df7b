#ifndef TORCH_TORCH_ZIP_WALK_H
#define TORCH_TORCH_ZIP_WALK_H

#include "torch/torch_parts.h"

/* The zip form in a deflated stream, as far as its first record, which must be a stored
 * data.pkl; the rest is for torch_members.  *fits false: it is not so, or not surely, and the
 * directory must be asked (torch_zip_open).  false: *err. */
bool torch_zip_walk_open(struct torch_file *file, bool *fits, struct error *err);

#endif
