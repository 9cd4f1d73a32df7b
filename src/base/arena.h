#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

/*
 * Memory for values parsed from untrusted bytes: it has a limit and dies as a whole,
 * so a parser frees nothing and a hostile file meets the limit instead of swap.
 * One thread per arena.
 */
struct arena {
	struct arena_block *blocks;
	size_t              taken, limit;
};

void  arena_init(struct arena *arena, size_t limit);
/* count * size zeroed bytes, aligned for any type; NULL when the limit or memory ends. */
void *arena_take(struct arena *arena, size_t count, size_t size);
/* A NUL-terminated copy of `length` bytes, or NULL. */
char *arena_copy(struct arena *arena, const void *bytes, size_t length);
void  arena_fini(struct arena *arena);

#endif
