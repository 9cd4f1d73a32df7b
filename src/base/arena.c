#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES ((size_t)64 << 10)

struct arena_block {
	struct arena_block *next;
	size_t              used, room;
	alignas(max_align_t) unsigned char bytes[];
};

void
arena_init(struct arena *arena, size_t limit)
{
	*arena = (struct arena){ .limit = limit };
}

static struct arena_block *
add_block(struct arena *arena, size_t room)
{
	struct arena_block *block = calloc(1, sizeof *block + room);

	if (block == NULL)
		return NULL;
	block->room = room;
	block->next = arena->blocks;
	arena->blocks = block;
	return block;
}

void *
arena_take(struct arena *arena, size_t count, size_t size)
{
	struct arena_block *block = arena->blocks;
	size_t              bytes;
	void               *taken;

	if (size != 0 && count > (arena->limit - arena->taken) / size)
		return NULL;
	bytes = count * size;
	if (bytes > SIZE_MAX - alignof(max_align_t))
		return NULL;
	bytes = (bytes + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);
	if (bytes > arena->limit - arena->taken)
		return NULL;
	if (block == NULL || bytes > block->room - block->used) {
		block = add_block(arena, bytes > BLOCK_BYTES / 4 ? bytes : BLOCK_BYTES);
		if (block == NULL)
			return NULL;
		/* A block of its own for a large piece: keep filling the one before. */
		if (bytes > BLOCK_BYTES / 4 && block->next != NULL) {
			struct arena_block *before = block->next;
			block->next = before->next;
			before->next = block;
			arena->blocks = before;
		}
	}
	taken = block->bytes + block->used;
	block->used += bytes;
	arena->taken += bytes;
	return taken;
}

char *
arena_copy(struct arena *arena, const void *bytes, size_t length)
{
	char *copy;

	if (length == SIZE_MAX || (copy = arena_take(arena, length + 1, 1)) == NULL)
		return NULL;
	if (length > 0)
		memcpy(copy, bytes, length);
	return copy;
}

void
arena_fini(struct arena *arena)
{
	while (arena->blocks != NULL) {
		struct arena_block *block = arena->blocks;
		arena->blocks = block->next;
		free(block);
	}
	arena->taken = 0;
}
