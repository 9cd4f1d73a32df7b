#include "torch/torch_walk.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Far beyond what the pickle machine nests; keeps the cost of a path bounded. */
#define DEEPEST_PATH 4096

/* A node on the way to the present one, and which of its children comes next. */
struct frame {
	const struct value *node;
	uint32_t            next;
	bool                is_unique;  /* its keys were found to differ */
};

struct torch_walk {
	const struct value  *root;
	bool                 started;
	struct frame        *frames;
	size_t               depth, room;
	const struct value **seen;      /* open addressing; seen_room is a power of two or 0 */
	size_t               seen_count, seen_room;
};

/* ---- the set of nodes that were seen ------------------------------------------------ */

/* Mixes well: which addresses fall together cannot be chosen in a file. */
static size_t
slot_of(const struct value *node, size_t room)
{
	uint64_t mix = (uint64_t)(uintptr_t)node;

	mix ^= mix >> 33;
	mix *= UINT64_C(0xff51afd7ed558ccd);
	mix ^= mix >> 33;
	mix *= UINT64_C(0xc4ceb9fe1a85ec53);
	mix ^= mix >> 33;
	return (size_t)mix & (room - 1);
}

/* false: it is in the set already. */
static bool
insert(const struct value **slots, size_t room, const struct value *node)
{
	size_t at = slot_of(node, room);

	for (; slots[at] != NULL; at = (at + 1) & (room - 1))
		if (slots[at] == node)
			return false;
	slots[at] = node;
	return true;
}

static bool
grow_seen(struct torch_walk *walk, struct error *err)
{
	size_t               room = walk->seen_room == 0 ? 1024 : walk->seen_room * 2;
	const struct value **slots = calloc(room, sizeof *slots);

	if (slots == NULL)
		return error_no_memory(err, room * sizeof *slots);
	for (size_t i = 0; i < walk->seen_room; i++)
		if (walk->seen[i] != NULL)
			insert(slots, room, walk->seen[i]);
	free(walk->seen);
	walk->seen = slots;
	walk->seen_room = room;
	return true;
}

/* Puts the node on the stack; *is_new false: it was there before. */
static bool
enter(struct torch_walk *walk, const struct value *node, bool *is_new, struct error *err)
{
	if (walk->seen_count * 2 >= walk->seen_room && !grow_seen(walk, err))
		return false;
	*is_new = insert(walk->seen, walk->seen_room, node);
	if (!*is_new)
		return true;
	walk->seen_count++;
	if (walk->depth == walk->room) {
		size_t        room = walk->room == 0 ? 64 : walk->room * 2;
		struct frame *frames = realloc(walk->frames, room * sizeof *frames);

		if (frames == NULL)
			return error_no_memory(err, room * sizeof *frames);
		walk->frames = frames;
		walk->room = room;
	}
	walk->frames[walk->depth++] = (struct frame){ node, 0, false };
	return true;
}

/* ---- children ----------------------------------------------------------------------- */

static bool
can_hold(const struct value *node)
{
	switch (node->kind) {
	case VALUE_TUPLE:
	case VALUE_LIST:
	case VALUE_DICT:
	case VALUE_SET:
	case VALUE_CALL:
	case VALUE_OBJECT:
	case VALUE_PERSISTENT:
		return true;
	default:
		return node->state != NULL;
	}
}

/* Children in order: callable, arguments, items, state.  false: there is no such child.
 * *child may be NULL.  What an id is made of is no part of the object. */
static bool
child_of(const struct value *node, uint32_t index, const struct value **child)
{
	bool is_call = node->kind == VALUE_CALL || node->kind == VALUE_OBJECT;

	if (node->kind == VALUE_PERSISTENT)
		return false;
	if (is_call && index < 2) {
		*child = index == 0 ? node->call.callable : node->call.arguments;
		return true;
	}
	index -= is_call ? 2 : 0;
	if (index < node->count) {
		*child = node->items[index];
		return true;
	}
	*child = node->state;
	return index == node->count;
}

struct torch_walk *
torch_walk_open(const struct value *root, struct error *err)
{
	struct torch_walk *walk = calloc(1, sizeof *walk);

	if (walk == NULL) {
		error_no_memory(err, sizeof *walk);
		return NULL;
	}
	walk->root = root;
	return walk;
}

const struct value *
torch_walk_next(struct torch_walk *walk, struct error *err)
{
	bool is_new = false;

	err->kind = ERROR_NONE;
	if (!walk->started) {
		walk->started = true;
		return enter(walk, walk->root, &is_new, err) ? walk->root : NULL;
	}
	while (walk->depth > 0) {
		struct frame       *top = &walk->frames[walk->depth - 1];
		const struct value *child;

		if (!child_of(top->node, top->next, &child)) {
			walk->depth--;
			continue;
		}
		top->next++;
		if (child == NULL || !can_hold(child))
			continue;
		if (!enter(walk, child, &is_new, err))
			return NULL;
		if (is_new)
			return child;
	}
	return NULL;
}

void
torch_walk_skip(struct torch_walk *walk)
{
	walk->depth--;
}

/* ---- paths -------------------------------------------------------------------------- */

/* What was added to a call or object is pairs where every other one could be a key. */
static bool
holds_pairs(const struct value *node)
{
	if (node->kind == VALUE_DICT)
		return true;
	if ((node->kind != VALUE_CALL && node->kind != VALUE_OBJECT) || node->count % 2 != 0)
		return false;
	return node->count > 0 && node->items[0]->kind == VALUE_TEXT;
}

static bool
add_key(const struct value *key, uint32_t entry, char *to, size_t size, struct error *err)
{
	if (key->kind == VALUE_INT) {
		text_format(to, size, "%" PRId64, key->integer);
		return true;
	}
	if (key->kind != VALUE_TEXT) {
		text_format(to, size, "#%" PRIu32, entry);
		return true;
	}
	if (!text_is_utf8(key->text.bytes, key->text.length)) {
		char shown[96];

		text_escape(shown, sizeof shown, key->text.bytes, key->text.length);
		return error_set(err, ERROR_CORRUPT, "strings", "the name '%s' on the path to a"
			" tensor is not UTF-8 text without NUL", shown);
	}
	text_format(to, size, "%s", key->text.bytes);
	if (key->text.length >= size)
		return error_set(err, ERROR_LIMIT, "pathlength",
			"the path to a tensor is longer than %d bytes", TORCH_WALK_PATH_BYTES - 1);
	return true;
}

/* The name of the child that was taken last from this node; *to "" where it adds none. */
static bool
add_component(const struct value *node, uint32_t taken, bool *is_named, char *to, size_t size,
	struct error *err)
{
	uint32_t index = taken;

	*is_named = false;
	if (node->kind == VALUE_CALL || node->kind == VALUE_OBJECT) {
		if (taken < 2)
			return true;
		index -= 2;
	}
	/* The state is a dict of attributes, which name themselves. */
	if (index == node->count)
		return true;
	*is_named = true;
	if (holds_pairs(node))
		return add_key(node->items[index - index % 2], index / 2, to, size, err);
	text_format(to, size, "%" PRIu32, index);
	return true;
}

/* Readers differ in which of two values they take.  Once per dict, so linear in all. */
static bool
check_unique(struct frame *frame, struct error *err)
{
	const struct value *twice = frame->is_unique ? NULL : value_duplicate_key(frame->node);
	char                shown[96];

	frame->is_unique = true;
	return twice == NULL || error_set(err, ERROR_UNSAFE, "hash", "two values for key '%s'",
		text_escape(shown, sizeof shown, twice->text.bytes, twice->text.length));
}

bool
torch_walk_path(struct torch_walk *walk, char to[TORCH_WALK_PATH_BYTES],
	struct error *err)
{
	size_t used = 0;

	to[0] = '\0';
	if (walk->depth > DEEPEST_PATH)
		return error_set(err, ERROR_LIMIT, "pathlength",
			"a tensor lies more than %d levels deep", DEEPEST_PATH);
	for (size_t i = 0; i + 1 < walk->depth; i++) {
		struct frame *frame = &walk->frames[i];
		size_t        dot = used > 0;
		bool          is_named;

		/* The longest number and a dot must fit, so that nothing is cut in silence. */
		if (TORCH_WALK_PATH_BYTES - used < 32)
			return error_set(err, ERROR_LIMIT, "pathlength",
				"the path to a tensor is longer than %d bytes",
				TORCH_WALK_PATH_BYTES - 32);
		if (!check_unique(frame, err))
			return false;
		if (!add_component(frame->node, frame->next - 1, &is_named, to + used + dot,
			TORCH_WALK_PATH_BYTES - used - dot, err))
			return false;
		if (!is_named)
			continue;
		if (dot)
			to[used] = '.';
		used += strlen(to + used);
	}
	return true;
}

void
torch_walk_close(struct torch_walk *walk)
{
	if (walk == NULL)
		return;
	free(walk->frames);
	free(walk->seen);
	free(walk);
}
