#include "plan/buffers.h"

#include "base/heap.h"
#include "base/text.h"
#include "base/workers.h"
#include "plan/input_pass.h"

#define MOST_READERS      4
#define READER_BYTES      ((uint64_t)1 << 20)
#define LEAST_SLABS       2
#define LEAST_PANEL_BYTES ((size_t)2 << 20)

static bool
is_deflated(const struct shards *shards)
{
	for (size_t i = 0; i < shards->count; i++)
		if (shards->items[i].stream != NULL
		    && byte_stream_is_deflated(shards->items[i].stream))
			return true;
	return false;
}

/* No tensor needs more: it is whole then. */
static uint64_t
largest_tensor(const struct plan *plan)
{
	uint64_t largest = 0;

	for (size_t i = 0; i < plan->tensor_count; i++) {
		const struct plan_tensor *tensor = &plan->tensors[i];
		uint64_t                  bytes = tensor->bytes / dtype_size(tensor->dtype)
			* dtype_size(tensor->source_dtype);

		largest = bytes > largest ? bytes : largest;
	}
	return largest;
}

uint64_t
buffers_bytes(const struct buffers *buffers, const struct plan *plan)
{
	return (buffers->read_slabs + buffers->inflate_slabs) * (uint64_t)SLAB_BYTES
		+ (buffers->inflate_slabs >= INPUT_PASS_AHEAD_SLABS ? INFLATE_AHEAD_BYTES : 0)
		+ scatter_bytes_bound(buffers->panel_bytes) + plan_gathered_bytes(plan);
}

static uint64_t
all_bytes(const struct buffers *buffers, const struct plan *plan)
{
	return buffers_bytes(buffers, plan) + buffers->readers * READER_BYTES;
}

/* A share of the room that is left, in whole units, up to `most`. */
static uint64_t
share(uint64_t left, uint64_t unit, uint64_t most)
{
	return left / unit < most ? left / unit : most;
}

bool
buffers_fit(struct buffers *buffers, const struct shards *shards, const struct plan *plan,
	uint64_t limit_bytes, struct error *err)
{
	const struct buffers usual = { 8, INPUT_PASS_AHEAD_SLABS, SCATTER_PANEL_BYTES,
		MOST_READERS };
	const bool           deflated = is_deflated(shards);
	char                 shown_least[TEXT_NUMBER_SIZE], shown_limit[TEXT_NUMBER_SIZE];
	uint64_t             least, left, more, panels;

	*buffers = usual;
	if (limit_bytes == 0)
		return true;
	*buffers = (struct buffers){ LEAST_SLABS, deflated ? LEAST_SLABS : 1, LEAST_PANEL_BYTES, 1 };
	least = HEAP_PROGRAM_BYTES + heap_taken() + all_bytes(buffers, plan);
	if (least > limit_bytes)
		return error_set(err, ERROR_LIMIT, "memory",
			"at least %s of memory are needed, --memory-limit allows %s",
			text_byte_count(shown_least, least),
			text_byte_count(shown_limit, limit_bytes));
	left = limit_bytes - least;
	more = share(left / 2, SLAB_BYTES, usual.read_slabs - LEAST_SLABS);
	buffers->read_slabs += (size_t)more;
	left -= more * SLAB_BYTES;
	more = (usual.inflate_slabs - LEAST_SLABS) * SLAB_BYTES + INFLATE_AHEAD_BYTES;
	if (deflated && left / 2 >= more) {
		buffers->inflate_slabs = usual.inflate_slabs;
		left -= more;
	}
	more = share(left / 4, READER_BYTES, usual.readers - 1);
	buffers->readers += (unsigned)more;
	left -= more * READER_BYTES;
	/* A box that finds no room takes half as much beside them. */
	panels = LEAST_PANEL_BYTES + left / 3 * 2;
	more = 2 * largest_tensor(plan);
	more = more > SCATTER_PANEL_BYTES ? more : SCATTER_PANEL_BYTES;
	buffers->panel_bytes = (size_t)(panels < more ? panels : more);
	return true;
}
