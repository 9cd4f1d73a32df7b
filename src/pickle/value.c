#include "pickle/value.h"

#include "base/text.h"
#include "pickle/name_hash.h"

#include <stdlib.h>
#include <string.h>

static bool
same_text(const struct value *a, const struct value *b)
{
	return a->text.length == b->text.length && (a->text.bytes == b->text.bytes
		|| memcmp(a->text.bytes, b->text.bytes, a->text.length) == 0);
}

bool
value_is_text(const struct value *value, const char *text)
{
	size_t length = strlen(text);

	return value != NULL && value->kind == VALUE_TEXT && value->text.length == length
		&& memcmp(value->text.bytes, text, length) == 0;
}

bool
value_is_global(const struct value *value, const char *module, const char *name)
{
	return value != NULL && value->kind == VALUE_GLOBAL
		&& strcmp(value->global.module, module) == 0
		&& strcmp(value->global.name, name) == 0;
}

struct value *
value_find(const struct value *dict, const char *key)
{
	if (dict == NULL || dict->kind != VALUE_DICT)
		return NULL;
	for (uint32_t i = 0; i + 1 < dict->count; i += 2)
		if (value_is_text(dict->items[i], key))
			return dict->items[i + 1];
	return NULL;
}

struct value *
value_attribute(const struct value *object, const char *name)
{
	const struct value *state;
	struct value       *found = NULL;

	if (object == NULL)
		return NULL;
	if (object->kind == VALUE_DICT)
		return value_find(object, name);
	if ((state = object->state) == NULL)
		return NULL;
	if (state->kind != VALUE_TUPLE)
		return value_find(state, name);
	/* (instance dict or None, dict of slots): what copyreg makes of a class with slots. */
	if (state->count != 2)
		return NULL;
	for (uint32_t i = 0; i < 2 && found == NULL; i++)
		found = value_find(state->items[i], name);
	return found;
}

/* For a few keys, and where memory for a table ended. */
static const struct value *
duplicate_by_pairs(const struct value *dict)
{
	for (uint32_t i = 2; i < dict->count; i += 2)
		for (uint32_t j = 0; j < i; j += 2)
			if (dict->items[i]->kind == VALUE_TEXT
			    && dict->items[j]->kind == VALUE_TEXT
			    && same_text(dict->items[i], dict->items[j]))
				return dict->items[i];
	return NULL;
}

struct seen_key {
	const struct value *key;
	uint64_t            hash;
};

static const struct value *
duplicate_by_hash(const struct value *dict, struct seen_key *seen, size_t room)
{
	uint64_t secret = name_hash_secret();

	for (uint32_t i = 0; i < dict->count; i += 2) {
		const struct value *key = dict->items[i];
		uint64_t            hash;
		size_t              slot;

		if (key->kind != VALUE_TEXT)
			continue;
		hash = name_hash(secret, key->text.bytes, key->text.length);
		slot = (size_t)hash & (room - 1);
		for (; seen[slot].key != NULL; slot = (slot + 1) & (room - 1))
			if (seen[slot].hash == hash && same_text(seen[slot].key, key))
				return key;
		seen[slot] = (struct seen_key){ key, hash };
	}
	return NULL;
}

const struct value *
value_duplicate_key(const struct value *dict)
{
	const struct value *found;
	struct seen_key    *seen;
	size_t              room = 64;

	if (dict == NULL || dict->kind != VALUE_DICT)
		return NULL;
	if (dict->count <= 32)
		return duplicate_by_pairs(dict);
	while (room < dict->count)      /* half of that are keys: the table stays half empty */
		room *= 2;
	if ((seen = calloc(room, sizeof *seen)) == NULL)
		return duplicate_by_pairs(dict);
	found = duplicate_by_hash(dict, seen, room);
	free(seen);
	return found;
}

char *
value_describe(const struct value *value, char *to, size_t size)
{
	static const char *const names[] = {
		[VALUE_NONE] = "None",          [VALUE_BOOL] = "a bool",
		[VALUE_INT] = "an integer",     [VALUE_BIG] = "a long integer",
		[VALUE_FLOAT] = "a float",      [VALUE_TEXT] = "a string",
		[VALUE_BYTES] = "bytes",        [VALUE_TUPLE] = "a tuple",
		[VALUE_LIST] = "a list",        [VALUE_DICT] = "a dict",
		[VALUE_SET] = "a set",          [VALUE_CALL] = "a call",
		[VALUE_OBJECT] = "an object",   [VALUE_PERSISTENT] = "a persistent id",
	};
	const struct value *named = value;
	char                text[256];
	bool                is_call;

	if (value == NULL)
		return text_format(to, size, "nothing");
	if (value->kind == VALUE_SET && !value->unhashable)
		return text_format(to, size, "a frozenset");
	is_call = value->kind == VALUE_CALL || value->kind == VALUE_OBJECT;
	if (is_call)
		named = value->call.callable;
	if (named->kind != VALUE_GLOBAL)
		return text_format(to, size, "%s", names[value->kind]);
	text_format(text, sizeof text, "%s.%s", named->global.module, named->global.name);
	text_escape(to, size, text, strlen(text));
	if (is_call && strlen(to) + sizeof "(...)" <= size)
		strcat(to, "(...)");
	return to;
}
