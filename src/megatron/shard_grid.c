#include "megatron/shard_grid.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

bool
shard_grid_add(struct shards *shards, const struct rank_name *rank, const char *name,
	const char *member, struct error *err)
{
	/* The room is the power of two that is not below the count. */
	if ((shards->count & (shards->count - 1)) == 0) {
		size_t        room = shards->count == 0 ? 1 : 2 * shards->count;
		struct shard *items = arena_take(&shards->arena, room, sizeof *items);

		if (items == NULL)
			return error_no_memory(err, room * sizeof *items);
		if (shards->count > 0)
			memcpy(items, shards->items, shards->count * sizeof *items);
		shards->items = items;
	}
	if (rank->has_expert_rank)
		return error_set(err, ERROR_UNSUPPORTED, "arch",
			"%s: a mixture-of-experts checkpoint (expert parallel ranks)", name);
	shards->items[shards->count++] = (struct shard){
		.tensor_rank = rank->tensor_rank,
		.pipeline_rank = rank->pipeline_rank,
		.name = name,
		.member = member,
	};
	return true;
}

static int
by_rank(const void *left, const void *right)
{
	const struct shard *a = left, *b = right;

	if (a->pipeline_rank != b->pipeline_rank)
		return a->pipeline_rank < b->pipeline_rank ? -1 : 1;
	if (a->tensor_rank != b->tensor_rank)
		return a->tensor_rank < b->tensor_rank ? -1 : 1;
	return strcmp(a->name, b->name);
}

char *
shard_grid_list(const struct shards *shards, char *to, size_t size)
{
	size_t index, used = 0, last = shards->count;
	bool   is_staged = last > 0 && shards->items[last - 1].pipeline_rank > 0;

	to[0] = '\0';
	for (index = 0; index < shards->count && used + 24 < size; index++) {
		text_format(to + used, size - used, "%s%02u", index > 0 ? ", " : "",
			shards->items[index].tensor_rank);
		used += strlen(to + used);
		if (is_staged)
			text_format(to + used, size - used, "_%03u",
				shards->items[index].pipeline_rank);
		used += strlen(to + used);
	}
	if (index < shards->count)
		text_format(to + used, size - used, ", ...");
	return to;
}

char *
shard_grid_name(size_t tensor_rank, size_t stage, bool is_staged, char to[SHARD_GRID_NAME_SIZE])
{
	return is_staged ? text_format(to, SHARD_GRID_NAME_SIZE, "mp_rank_%02zu_%03zu",
			tensor_rank, stage)
	    : text_format(to, SHARD_GRID_NAME_SIZE, "mp_rank_%02zu", tensor_rank);
}

bool
shard_grid_hint(const struct shards *shards, const char *missing, struct error *err)
{
	return shards->is_lone
		? error_hint(err, "give the folder that holds all mp_rank_* folders")
		: error_hint(err, "every rank is needed: copy %s there", missing);
}

static bool
refuse_hole(const struct shards *shards, size_t tensor_rank, size_t stage, bool is_staged,
	struct error *err)
{
	char found[128], missing[SHARD_GRID_NAME_SIZE];

	error_set(err, ERROR_NO_INPUT, "missingrank", "shard %s is missing (found %s)",
		shard_grid_name(tensor_rank, stage, is_staged, missing),
		shard_grid_list(shards, found, sizeof found));
	return shard_grid_hint(shards, missing, err);
}

bool
shard_grid_check(struct shards *shards, struct error *err)
{
	size_t   index, tensor_size = 0, stages;
	bool     is_staged;

	qsort(shards->items, shards->count, sizeof *shards->items, by_rank);
	for (index = 0; index < shards->count; index++)
		if (shards->items[index].tensor_rank >= tensor_size)
			tensor_size = (size_t)shards->items[index].tensor_rank + 1;
	stages = (size_t)shards->items[shards->count - 1].pipeline_rank + 1;
	is_staged = stages > 1;
	/* In the order of the grid, each shard is the next one. */
	for (index = 0; index < shards->count; index++) {
		const struct shard *shard = &shards->items[index];

		if (index > 0 && shard->tensor_rank == shards->items[index - 1].tensor_rank
		    && shard->pipeline_rank == shards->items[index - 1].pipeline_rank)
			return error_set(err, ERROR_CORRUPT, "collision",
				"%s and %s both are tensor rank %u of pipeline rank %u",
				shards->items[index - 1].name, shard->name, shard->tensor_rank,
				shard->pipeline_rank);
		if (shard->tensor_rank != index % tensor_size
		    || shard->pipeline_rank != index / tensor_size)
			return refuse_hole(shards, index % tensor_size, index / tensor_size,
				is_staged, err);
	}
	if (index < tensor_size * stages)
		return refuse_hole(shards, index % tensor_size, index / tensor_size, is_staged, err);
	shards->tensor_size = (unsigned)tensor_size;
	shards->pipeline_size = (unsigned)stages;
	shards->stage_count = (unsigned)stages;
	return true;
}
