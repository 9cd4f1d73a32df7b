#include "torch/torch_delivery.h"

#include "container/crc32.h"
#include "torch/torch_parts.h"
#include "torch/torch_zip.h"

#include <inttypes.h>
#include <string.h>

#define BLOCK_BYTES 4096        /* file systems and downloaders lose whole ones */

void
torch_delivery_begin(struct torch_delivery *delivery, const char *name, size_t storage,
	bool is_checked, uint64_t length, uint64_t position)
{
	torch_storage_sink *sink = delivery->sink;
	void               *context = delivery->context;

	memset(delivery, 0, sizeof *delivery);
	delivery->sink = sink;
	delivery->context = context;
	delivery->name = name;
	delivery->storage = storage;
	delivery->is_checked = is_checked;
	delivery->length = length;
	delivery->position = position;
}

/* ---- zeros -------------------------------------------------------------------------- */

static bool
is_zero(const unsigned char *bytes, size_t count)
{
	static const unsigned char zeros[BLOCK_BYTES];
	size_t                     first = count < 8 ? count : 8;

	/* Weights differ from zero in their first bytes, so the second look is rare. */
	return memcmp(bytes, zeros, first) == 0 && memcmp(bytes, zeros, count) == 0;
}

static void
end_block(struct torch_delivery *delivery)
{
	if (!delivery->block_is_zero)
		return;
	if (delivery->run_end != delivery->position - BLOCK_BYTES)
		delivery->run_start = delivery->position - BLOCK_BYTES;
	delivery->run_end = delivery->position;
	if (delivery->run_end - delivery->run_start > delivery->hole_end - delivery->hole_start) {
		delivery->hole_start = delivery->run_start;
		delivery->hole_end = delivery->run_end;
	}
}

/* Remembers the longest run of blocks that are all zero. */
static void
watch_zeros(struct torch_delivery *delivery, const unsigned char *bytes, size_t count)
{
	while (count > 0) {
		size_t into = (size_t)(delivery->position % BLOCK_BYTES);
		size_t part = BLOCK_BYTES - into < count ? BLOCK_BYTES - into : count;

		if (into == 0)
			delivery->block_is_zero = true;
		delivery->block_is_zero = delivery->block_is_zero && is_zero(bytes, part);
		delivery->position += part;
		if (into + part == BLOCK_BYTES) {
			end_block(delivery);
			delivery->block_is_zero = false;
		}
		bytes += part;
		count -= part;
	}
}

/* ---- whole elements ----------------------------------------------------------------- */

static bool
hand_over(struct torch_delivery *delivery, uint64_t offset, const unsigned char *bytes,
	size_t count, struct error *err)
{
	return count == 0 || delivery->sink == NULL
		|| delivery->sink(delivery->context, delivery->storage, offset, bytes, count, err);
}

static bool
deliver(struct torch_delivery *delivery, const unsigned char *bytes, size_t count,
	struct error *err)
{
	uint64_t offset = delivery->seen - delivery->carried;
	bool     is_last = count == delivery->length - delivery->seen;
	size_t   whole;

	if (delivery->carried > 0) {
		size_t missing = TORCH_DELIVERY_UNIT - delivery->carried;
		size_t taken = count < missing ? count : missing;

		memcpy(delivery->carry + delivery->carried, bytes, taken);
		delivery->carried += taken;
		bytes += taken;
		count -= taken;
		if (delivery->carried < TORCH_DELIVERY_UNIT && !is_last)
			return true;
		if (!hand_over(delivery, offset, delivery->carry, delivery->carried, err))
			return false;
		offset += delivery->carried;
		delivery->carried = 0;
	}
	whole = is_last ? count : count - count % TORCH_DELIVERY_UNIT;
	delivery->carried = count - whole;
	memcpy(delivery->carry, bytes + whole, delivery->carried);
	return hand_over(delivery, offset, bytes, whole, err);
}

bool
torch_delivery_bytes(struct torch_delivery *delivery, const unsigned char *bytes,
	size_t count, struct error *err)
{
	if (count == 0)
		return true;
	if (delivery->is_checked) {
		delivery->crc = crc32_of(delivery->crc, bytes, count);
		watch_zeros(delivery, bytes, count);
	}
	if (delivery->storage != TORCH_NO_STORAGE && !deliver(delivery, bytes, count, err))
		return false;
	delivery->seen += count;
	return true;
}

bool
torch_delivery_check(const struct torch_delivery *delivery, uint32_t stored_crc,
	struct error *err)
{
	if (stored_crc == delivery->crc || (stored_crc == 0 && delivery->length > 0))
		return true;
	if (delivery->hole_end == 0)
		return torch_zip_crc_error(delivery->name, stored_crc, delivery->crc, err);
	error_set(err, ERROR_CORRUPT, "hole", "CRC-32 mismatch (stored %08" PRIx32
		", computed %08" PRIx32 "); bytes %" PRIu64 "-%" PRIu64 " are all zero", stored_crc,
		delivery->crc, delivery->hole_start, delivery->hole_end - 1);
	error_in_member(err, delivery->name);
	return error_hint(err, "a part of the download is missing; download the file again");
}
