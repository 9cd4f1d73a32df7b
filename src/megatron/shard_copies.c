#include "megatron/shard_copies.h"

#include <stdlib.h>
#include <string.h>

/* Shards differ early: little is read to see that. */
#define FIRST_BYTES ((size_t)4 << 10)
#define BLOCK_BYTES ((size_t)1 << 20)

static bool
refuse(const char *first, struct error *err)
{
	return error_set(err, ERROR_CORRUPT, "dupshard",
		"byte for byte the same as %s: a copy in the place of a shard", first);
}

static bool
check_members(const struct shards *shards, struct error *err)
{
	for (size_t i = 0; i < shards->count; i++) {
		const struct shard *one = &shards->items[i];

		for (size_t j = 0; j < i; j++) {
			const struct shard *other = &shards->items[j];

			if (one->member_crc == other->member_crc
			    && byte_stream_length(one->stream) == byte_stream_length(other->stream)) {
				refuse(other->member, err);
				return shards_blame(shards, i, err);
			}
		}
	}
	return true;
}

/* Two files of one size; `block` has room for two blocks. */
static bool
compare_files(const struct input_file *one, const struct input_file *other,
	unsigned char *block, bool *are_same, struct error *err)
{
	size_t step = FIRST_BYTES;

	*are_same = true;
	for (uint64_t at = 0; at < one->size && *are_same; at += step, step = BLOCK_BYTES) {
		if (one->size - at < step)
			step = (size_t)(one->size - at);
		if (!input_file_read(one, at, block, step, err))
			return error_in_file(err, one->name);
		if (!input_file_read(other, at, block + BLOCK_BYTES, step, err))
			return error_in_file(err, other->name);
		*are_same = memcmp(block, block + BLOCK_BYTES, step) == 0;
	}
	return true;
}

static bool
check_files(const struct shards *shards, unsigned char *block, struct error *err)
{
	for (size_t i = 0; i < shards->input_count; i++) {
		const struct input_file *one = shards->inputs[i];

		for (size_t j = 0; j < i; j++) {
			const struct input_file *other = shards->inputs[j];
			bool                     are_same;

			if (one->size != other->size || shards_may_repeat(shards, i))
				continue;
			if (!compare_files(one, other, block, &are_same, err))
				return false;
			if (are_same) {
				refuse(other->name, err);
				return error_in_file(err, one->name);
			}
		}
	}
	return true;
}

bool
shard_copies_check(const struct shards *shards, struct error *err)
{
	unsigned char *block;
	bool           done;

	if (shards->in_zip)
		return check_members(shards, err);
	if ((block = malloc(2 * BLOCK_BYTES)) == NULL)
		return error_no_memory(err, 2 * BLOCK_BYTES);
	done = check_files(shards, block, err);
	free(block);
	return done;
}
