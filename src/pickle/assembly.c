#include "pickle/assembly.h"

#include "base/text.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

struct value *
assembly_new(struct assembly *assembly, enum value_kind kind)
{
	struct value *made = arena_take(assembly->arena, 1, sizeof *made);

	if (made == NULL) {
		pickle_reader_no_memory(assembly->reader, assembly->arena, sizeof *made);
		return NULL;
	}
	made->kind = (uint8_t)kind;
	made->unhashable = kind == VALUE_LIST || kind == VALUE_DICT || kind == VALUE_SET;
	made->depth = made->unhashable;
	return made;
}

bool
assembly_init(struct assembly *assembly, struct pickle_reader *reader, struct arena *arena,
	uint32_t depth_limit)
{
	*assembly = (struct assembly){
		.reader = reader, .arena = arena,
		.depth_limit = depth_limit < UINT16_MAX ? depth_limit : UINT16_MAX - 1,
	};
	if ((assembly->none = assembly_new(assembly, VALUE_NONE)) == NULL
	    || (assembly->truth[0] = assembly_new(assembly, VALUE_BOOL)) == NULL
	    || (assembly->truth[1] = assembly_new(assembly, VALUE_BOOL)) == NULL
	    || (assembly->empty_tuple = assembly_new(assembly, VALUE_TUPLE)) == NULL)
		return false;
	assembly->truth[1]->boolean = true;
	assembly->empty_tuple->depth = 1;
	return true;
}

bool
assembly_refuse_getattr(struct assembly *assembly)
{
	return pickle_reader_fail(assembly->reader, ERROR_UNSAFE, "os",
		"pickle uses builtins.getattr for other than a member of an enum class; refusing");
}

bool
assembly_allows(struct assembly *assembly, const struct value *value)
{
	return value != assembly->getattr || assembly_refuse_getattr(assembly);
}

bool
assembly_adopt(struct assembly *assembly, struct value *whole, const struct value *part)
{
	if (!assembly_allows(assembly, part))
		return false;
	if (part->depth < whole->depth || part == whole)
		return true;
	if (part->depth >= assembly->depth_limit)
		return pickle_reader_fail(assembly->reader, ERROR_LIMIT, "deeplist",
			"nesting deeper than %" PRIu32 " at byte %" PRIu64 " (%s)",
			assembly->depth_limit, assembly->reader->opcode_offset,
			assembly->reader->opcode->name);
	whole->depth = (uint16_t)(part->depth + 1);
	return true;
}

struct value *
assembly_integer(struct assembly *assembly, int64_t integer)
{
	bool          is_small = integer >= 0 && integer < 256;
	struct value *made;

	if (is_small && assembly->small[integer] != NULL)
		return assembly->small[integer];
	if ((made = assembly_new(assembly, VALUE_INT)) == NULL)
		return NULL;
	made->integer = integer;
	if (is_small)
		assembly->small[integer] = made;
	return made;
}

struct value *
assembly_text(struct assembly *assembly, enum value_kind kind, const char *bytes,
	size_t length, bool is_python2)
{
	struct value *made = assembly_new(assembly, kind);

	if (made == NULL)
		return NULL;
	made->text.bytes = bytes;
	made->text.length = length;
	if (kind == VALUE_TEXT)
		made->raw_text = is_python2 || !text_is_utf8(bytes, length);
	return made;
}

struct value *
assembly_call(struct assembly *assembly, enum value_kind kind, struct value *callable,
	struct value *arguments)
{
	struct value *made = assembly_new(assembly, kind);

	if (made == NULL || !assembly_adopt(assembly, made, callable)
	    || !assembly_adopt(assembly, made, arguments))
		return NULL;
	made->call.callable = callable;
	made->call.arguments = arguments;
	return made;
}

struct value *
assembly_tuple(struct assembly *assembly, struct value *const *items, size_t count)
{
	struct value *made;

	if (count == 0)
		return assembly->empty_tuple;
	if ((made = assembly_new(assembly, VALUE_TUPLE)) == NULL
	    || !assembly_add(assembly, made, items, count))
		return NULL;
	for (size_t i = 0; i < count; i++)
		made->unhashable |= items[i]->unhashable;
	return made;
}

/* Room for more items: just what is asked at first, since most containers get all of theirs
 * at once; double what there is later. */
static bool
reserve_items(struct assembly *assembly, struct value *to, size_t count)
{
	struct value **items;
	size_t         room = (size_t)to->room * 2;

	if (count <= to->room - to->count)
		return true;
	if (room < to->count + count)
		room = to->count + count;
	/* Each item took an opcode, of which there are not that many. */
	if (room > UINT32_MAX)
		return error_set(assembly->reader->err, ERROR_INTERNAL, "items", "too many items");
	if ((items = arena_take(assembly->arena, room, sizeof *items)) == NULL)
		return pickle_reader_no_memory(assembly->reader, assembly->arena,
			room * sizeof *items);
	if (to->count > 0)
		memcpy(items, to->items, to->count * sizeof *items);
	to->items = items;
	to->room = (uint32_t)room;
	return true;
}

static bool
check_key(struct assembly *assembly, const struct value *key)
{
	char text[256];

	if (!key->unhashable && key->kind != VALUE_PERSISTENT
	    && !(key->kind == VALUE_FLOAT && isnan(key->real)))
		return true;
	return pickle_reader_fail(assembly->reader, ERROR_CORRUPT, "hash",
		"%s%s as a dict key at byte %" PRIu64 " (%s)",
		value_describe(key, text, sizeof text),
		key->kind == VALUE_TUPLE ? " that holds a list, dict or set"
			: key->kind == VALUE_FLOAT ? " that is not a number" : "",
		assembly->reader->opcode_offset, assembly->reader->opcode->name);
}

static bool
check_element(struct assembly *assembly, const struct value *item)
{
	char text[256];

	if (!item->unhashable)
		return true;
	return pickle_reader_fail(assembly->reader, ERROR_CORRUPT, "hash",
		"%s in a set at byte %" PRIu64 " (%s)", value_describe(item, text, sizeof text),
		assembly->reader->opcode_offset, assembly->reader->opcode->name);
}

bool
assembly_add(struct assembly *assembly, struct value *to, struct value *const *items,
	size_t count)
{
	if (count == 0)
		return true;
	if (!reserve_items(assembly, to, count))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!assembly_adopt(assembly, to, items[i]))
			return false;
		if (to->kind == VALUE_DICT && i % 2 == 0 && !check_key(assembly, items[i]))
			return false;
		if (to->kind == VALUE_SET && !check_element(assembly, items[i]))
			return false;
		to->items[to->count++] = items[i];
	}
	return true;
}
