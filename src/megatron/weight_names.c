#include "megatron/weight_names.h"

#include "base/text.h"

#include <string.h>

#define MAX_DEPTH  16           /* of dicts; real ones are 4 deep */
#define MAX_PATH   512
#define MAX_LEAVES 200000

/* Layers that predict further tokens, beside the model; GPT-2 has none. */
#define PREDICTION_HEAD "mtp."

/* A dict that is being walked, and the path that its keys follow. */
struct level {
	const struct value *dict;
	uint32_t            next;
	size_t              path_length;
};

struct walk {
	struct arena        *arena;
	struct weight_names *names;
	struct level         levels[MAX_DEPTH];
	size_t               depth;
	size_t               visits;
	char                 path[MAX_PATH];
};

/* Wrappers of the model (FP16, DDP) may have left their names. */
static const char *
without_wrappers(const char *path)
{
	while (text_has_prefix(path, "module.") || text_has_prefix(path, "model."))
		path = strchr(path, '.') + 1;
	return path;
}

static bool
add_leaf(struct walk *walk, const struct value *node, struct error *err)
{
	struct weight_names *names = walk->names;
	const char          *path = without_wrappers(walk->path);

	if (names->count == names->room) {
		size_t              room = names->room == 0 ? 256 : 2 * names->room;
		struct weight_name *items = arena_take(walk->arena, room, sizeof *items);

		if (items == NULL)
			return error_no_memory(err, room * sizeof *items);
		if (names->count > 0)
			memcpy(items, names->items, names->count * sizeof *items);
		names->items = items;
		names->room = room;
	}
	if ((path = arena_copy(walk->arena, path, strlen(path))) == NULL)
		return error_no_memory(err, MAX_PATH);
	names->items[names->count++] = (struct weight_name){ .path = path, .node = node };
	return true;
}

/* Appends a key to the path of its dict. */
static bool
extend_path(struct walk *walk, const struct level *level, const struct value *key,
	struct error *err)
{
	char shown[96];

	if (key->kind != VALUE_TEXT)
		return error_set(err, ERROR_UNSUPPORTED, "extrakey",
			"a key under 'model' is %s; a name is expected",
			value_describe(key, shown, sizeof shown));
	if (memchr(key->text.bytes, '\0', key->text.length) != NULL
	    || !text_is_utf8(key->text.bytes, key->text.length))
		return error_set(err, ERROR_CORRUPT, "strings",
			"a key under 'model' is not UTF-8 text without NUL: %s",
			text_escape(shown, sizeof shown, key->text.bytes, key->text.length));
	if (level->path_length + 1 + key->text.length >= MAX_PATH)
		return error_set(err, ERROR_LIMIT, "pathlength",
			"a path under 'model' is longer than %d bytes", MAX_PATH - 1);
	text_format(walk->path + level->path_length, MAX_PATH - level->path_length, "%s%s",
		level->path_length > 0 ? "." : "", key->text.bytes);
	return true;
}

static bool
enter(struct walk *walk, const struct value *dict, size_t path_length, struct error *err)
{
	const struct value *twice = value_duplicate_key(dict);
	char                shown[96];

	if (twice != NULL)
		return error_set(err, ERROR_UNSAFE, "hash",
			"a dict under 'model' has two values for key '%s'",
			text_escape(shown, sizeof shown, twice->text.bytes, twice->text.length));
	if (walk->depth == MAX_DEPTH)
		return error_set(err, ERROR_LIMIT, "depth",
			"dicts under 'model' are nested deeper than %d", MAX_DEPTH);
	walk->levels[walk->depth++] = (struct level){ dict, 0, path_length };
	return true;
}

/* The next entry of the innermost dict. */
static bool
step(struct walk *walk, struct error *err)
{
	struct level       *level = &walk->levels[walk->depth - 1];
	const struct value *node;

	if (level->next + 1 >= level->dict->count) {
		walk->depth--;
		return true;
	}
	/* Dicts may be shared, so that a small file denotes more entries than it has. */
	if (++walk->visits > MAX_LEAVES)
		return error_set(err, ERROR_LIMIT, "weights",
			"more than %d entries under 'model'", MAX_LEAVES);
	if (!extend_path(walk, level, level->dict->items[level->next], err))
		return false;
	node = level->dict->items[level->next + 1];
	level->next += 2;
	if (text_has_suffix(walk->path, "_extra_state"))
		return true;
	if (node->kind == VALUE_DICT)
		return enter(walk, node, strlen(walk->path), err);
	if (text_has_prefix(without_wrappers(walk->path), PREDICTION_HEAD)) {
		walk->names->prediction_heads++;
		return true;
	}
	return add_leaf(walk, node, err);
}

bool
weight_names_collect(const struct value *model, const char *prefix, struct arena *arena,
	struct weight_names *names, struct error *err)
{
	struct walk walk = { .arena = arena, .names = names };

	memset(names, 0, sizeof *names);
	text_format(walk.path, sizeof walk.path, "%s", prefix);
	if (!enter(&walk, model, strlen(walk.path), err))
		return false;
	while (walk.depth > 0)
		if (!step(&walk, err))
			return false;
	return true;
}

enum dialect
weight_names_dialect(const struct weight_names *names, size_t count)
{
	size_t          index, known, most = 0, of;
	enum dialect    best = DIALECT_FLAT_2019;
	enum model_role role;
	unsigned        dialect, layer;

	/* DeepSpeed's is told by its files. */
	for (dialect = 0; dialect < DIALECT_DEEPSPEED; dialect++) {
		known = 0;
		for (of = 0; of < count; of++)
			for (index = 0; index < names[of].count; index++)
				known += dialect_match((enum dialect)dialect,
					names[of].items[index].path, &role, &layer);
		if (known > most) {
			most = known;
			best = (enum dialect)dialect;
		}
	}
	return best;
}

/* "a, b, c, ... (17 names)" */
static bool
refuse_names(const char *const *paths, size_t count, const char *where, struct error *err)
{
	char   list[400] = "";
	size_t index, used = 0;

	for (index = 0; index < count && index < 10; index++) {
		used = strlen(list);
		text_format(list + used, sizeof list - used, "%s%s", index > 0 ? ", " : "",
			paths[index]);
	}
	return error_set(err, ERROR_UNSUPPORTED, "extrakey", "%zu unknown name%s %s: %s%s", count,
		count == 1 ? "" : "s", where, list, index < count ? ", ..." : "");
}

static bool
refuse_stranger(const struct dialect_stranger *stranger, const char *const *paths, size_t count,
	const char *where, struct error *err)
{
	size_t index = 0;

	while (index + 1 < count && strstr(paths[index], stranger->mark) == NULL)
		index++;
	return error_set(err, ERROR_UNSUPPORTED, "arch", "%s, not a GPT-2: unknown name %s %s",
		stranger->what, paths[index], where);
}

bool
weight_names_refuse(const char *const *paths, size_t count, const char *where,
	struct error *err)
{
	const struct dialect_stranger *stranger = dialect_stranger(paths, count);

	return stranger != NULL ? refuse_stranger(stranger, paths, count, where, err)
	    : refuse_names(paths, count, where, err);
}

static bool
refuse_unknown(const struct weight_names *names, size_t unknown, struct arena *arena,
	struct error *err)
{
	const char **paths = arena_take(arena, unknown, sizeof *paths);
	size_t       index, count = 0;

	if (paths == NULL)
		return error_no_memory(err, unknown * sizeof *paths);
	for (index = 0; index < names->count; index++)
		if (!names->items[index].is_known)
			paths[count++] = names->items[index].path;
	return weight_names_refuse(paths, count, "under 'model'", err);
}

bool
weight_names_match(struct weight_names *names, enum dialect dialect,
	const struct torch_file *torch, struct arena *arena, struct error *err)
{
	size_t index, unknown = 0;
	char   found[160];

	for (index = 0; index < names->count; index++) {
		struct weight_name *name = &names->items[index];

		name->is_known = dialect_match(dialect, name->path, &name->role, &name->layer);
		unknown += !name->is_known;
	}
	if (unknown > 0)
		return refuse_unknown(names, unknown, arena, err);
	for (index = 0; index < names->count; index++) {
		const struct weight_name *name = &names->items[index];

		if (torch_file_is_tensor(torch, name->node))
			continue;
		error_set(err, ERROR_UNSUPPORTED, "foreignweight", "is %s, not a plain tensor",
			value_describe(name->node, found, sizeof found));
		return error_in_tensor(err, name->path);
	}
	return true;
}
