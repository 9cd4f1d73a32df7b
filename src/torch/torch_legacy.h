#ifndef TORCH_TORCH_LEGACY_H
#define TORCH_TORCH_LEGACY_H

#include "torch/torch_parts.h"

/* The legacy form.  The stream's first bytes have been recognized by identify_stream(). */
bool torch_legacy_open(struct torch_file *file, struct error *err);

/* The 8 bytes in front of each storage. */
#define TORCH_LEGACY_COUNT_BYTES 8
bool torch_legacy_check_count(const struct torch_storage *storage,
	const unsigned char bytes[TORCH_LEGACY_COUNT_BYTES], struct error *err);

#endif
