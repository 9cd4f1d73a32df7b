#include "pickle/global_index.h"

#include "pickle/name_hash.h"

#include <stdlib.h>
#include <string.h>

static struct global_slot *
find_slot(const struct global_index *index, const char *module, const char *name)
{
	uint64_t hash = name_hash(index->secret, module, strlen(module)) * 31
		+ name_hash(index->secret, name, strlen(name));
	size_t   at = (size_t)hash & (index->room - 1);

	while (index->slots[at].value != NULL
	    && !value_is_global(index->slots[at].value, module, name))
		at = (at + 1) & (index->room - 1);
	return &index->slots[at];
}

/* A table that stays at most half full with one more global. */
static bool
reserve(struct global_index *index, struct error *err)
{
	const struct pickle_globals *globals = index->globals;
	size_t                       room = index->room != 0 ? index->room : 64;
	struct global_slot          *slots;

	while (room / 2 <= globals->count)
		room *= 2;
	if (room == index->room)
		return true;
	if ((slots = calloc(room, sizeof *slots)) == NULL)
		return error_no_memory(err, room * sizeof *slots);
	free(index->slots);
	index->slots = slots;
	index->room = room;
	for (size_t i = 0; i < globals->count; i++) {
		const struct value *global = globals->items[i];
		find_slot(index, global->global.module, global->global.name)->value
			= (struct value *)global;
	}
	return true;
}

bool
global_index_init(struct global_index *index, struct pickle_globals *globals,
	struct error *err)
{
	*index = (struct global_index){ .globals = globals, .secret = name_hash_secret() };
	return reserve(index, err);
}

void
global_index_fini(struct global_index *index)
{
	free(index->slots);
	index->slots = NULL;
}

static struct value *
new_global(struct global_index *index, struct arena *arena, const char *module,
	const char *name)
{
	struct pickle_globals *globals = index->globals;
	struct value          *made = arena_take(arena, 1, sizeof *made);

	if (made == NULL)
		return NULL;
	made->kind = VALUE_GLOBAL;
	made->global.module = arena_copy(arena, module, strlen(module));
	made->global.name = arena_copy(arena, name, strlen(name));
	if (made->global.module == NULL || made->global.name == NULL)
		return NULL;
	if (globals->count == globals->room) {
		size_t               room = globals->room != 0 ? globals->room * 2 : 32;
		const struct value **items = arena_take(arena, room, sizeof *items);
		if (items == NULL)
			return NULL;
		if (globals->count > 0)
			memcpy(items, globals->items, globals->count * sizeof *items);
		globals->items = items;
		globals->room = room;
	}
	globals->items[globals->count++] = made;
	return made;
}

struct global_slot *
global_index_take(struct global_index *index, struct arena *arena,
	struct pickle_reader *reader, const char *module, const char *name)
{
	struct global_slot *slot;

	if (!reserve(index, reader->err))
		return NULL;
	slot = find_slot(index, module, name);
	if (slot->value == NULL)
		slot->value = new_global(index, arena, module, name);
	if (slot->value == NULL) {
		pickle_reader_no_memory(reader, arena,
			sizeof *slot->value + strlen(module) + strlen(name));
		return NULL;
	}
	return slot;
}
