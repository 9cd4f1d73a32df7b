#ifndef TORCH_TORCH_DELIVERY_H
#define TORCH_TORCH_DELIVERY_H

#include "torch/torch_pass.h"

#define TORCH_DELIVERY_UNIT 8   /* no element that anybody reads is larger */

/*
 * The bytes of one record after the other, as they come in pieces: handed to the sink in
 * whole elements, added to the record's CRC-32, and looked at for blocks of zeros, which
 * tell a hole in a download from a flipped bit.
 */
struct torch_delivery {
	torch_storage_sink *sink;
	void               *context;

	const char   *name;             /* of the record, for messages */
	size_t        storage;          /* TORCH_NO_STORAGE: checked, not handed out */
	bool          is_checked;       /* compute the CRC-32 */
	uint64_t      length, seen;
	uint32_t      crc;
	unsigned char carry[TORCH_DELIVERY_UNIT];
	size_t        carried;

	uint64_t      position;         /* where the next byte lies, as messages count */
	bool          block_is_zero;    /* so far, and from its first byte on */
	uint64_t      run_start, run_end, hole_start, hole_end;
};

/* A record of `length` bytes; its first one lies at `position`. */
void torch_delivery_begin(struct torch_delivery *delivery, const char *name, size_t storage,
	bool is_checked, uint64_t length, uint64_t position);
/* More of its bytes, at most as many as are missing. */
bool torch_delivery_bytes(struct torch_delivery *delivery, const unsigned char *bytes,
	size_t count, struct error *err);
/* All have come; is their CRC-32 the one that is stored?  0 means that none is. */
bool torch_delivery_check(const struct torch_delivery *delivery, uint32_t stored_crc,
	struct error *err);

#endif
