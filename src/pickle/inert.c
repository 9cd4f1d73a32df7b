#include "pickle/inert.h"

#include "base/text.h"
#include "pickle/globals.h"
#include "pickle/literals.h"

#include <string.h>

#define MEMBER_LIMIT 256

/* How the arguments become the value; each form also tells whether they fit. */
enum inert_form {
	FORM_PAIRS,             /* nothing, or one list of pairs: Python 2.7's OrderedDict */
	FORM_ITEMS,             /* nothing, or one list or tuple */
	FORM_LATIN1,            /* nothing, bytes, or a text and 'latin1' */
	FORM_TUPLE,             /* one tuple, which is the value */
};

static const struct inert_rule {
	const char     *module, *name;
	enum inert_form form;
	enum value_kind kind;
} rules[] = {
	{ "collections", "OrderedDict", FORM_PAIRS,  VALUE_DICT },
	{ "builtins",    "dict",        FORM_PAIRS,  VALUE_DICT },
	{ "builtins",    "list",        FORM_ITEMS,  VALUE_LIST },
	{ "builtins",    "set",         FORM_ITEMS,  VALUE_SET },
	{ "builtins",    "frozenset",   FORM_ITEMS,  VALUE_SET },
	{ "builtins",    "bytes",       FORM_LATIN1, VALUE_BYTES },
	{ "builtins",    "bytearray",   FORM_LATIN1, VALUE_BYTES },
	{ "_codecs",     "encode",      FORM_LATIN1, VALUE_BYTES },
	{ "torch",       "Size",        FORM_TUPLE,  VALUE_TUPLE },
};

static const struct inert_rule *
find_rule(const struct value *callable)
{
	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
		if (value_is_global(callable, rules[i].module, rules[i].name))
			return &rules[i];
	return NULL;
}

static bool
is_sequence(const struct value *value)
{
	return value->kind == VALUE_LIST || value->kind == VALUE_TUPLE;
}

static bool
fits(enum inert_form form, const struct value *arguments)
{
	const struct value *first = arguments->count > 0 ? arguments->items[0] : NULL;

	switch (form) {
	case FORM_PAIRS:
		return first == NULL || (arguments->count == 1 && first->kind == VALUE_LIST);
	case FORM_ITEMS:
		return first == NULL || (arguments->count == 1 && is_sequence(first));
	case FORM_LATIN1:
		if (first == NULL || (arguments->count == 1 && first->kind == VALUE_BYTES))
			return true;
		return arguments->count == 2 && first->kind == VALUE_TEXT
			&& (value_is_text(arguments->items[1], "latin1")
			|| value_is_text(arguments->items[1], "latin-1"));
	case FORM_TUPLE:
		return arguments->count == 1 && first->kind == VALUE_TUPLE;
	}
	return false;
}

static struct value *
make_dict(struct assembly *assembly, const struct value *pairs)
{
	struct value *made = assembly_new(assembly, VALUE_DICT);

	if (made == NULL || pairs == NULL)
		return made;
	for (uint32_t i = 0; i < pairs->count; i++) {
		const struct value *pair = pairs->items[i];
		if (!is_sequence(pair) || pair->count != 2) {
			pickle_reader_fail_here(assembly->reader, ERROR_CORRUPT, "setitem",
				"a dict made of other than pairs");
			return NULL;
		}
		if (!assembly_add(assembly, made, pair->items, 2))
			return NULL;
	}
	return made;
}

/* *made stays NULL where the text has code points above 255. */
static bool
make_bytes(struct assembly *assembly, const struct value *text, struct value **made)
{
	size_t length = text != NULL ? text->text.length : 0;
	char  *bytes = arena_take(assembly->arena, length + 1, 1);

	if (bytes == NULL)
		return pickle_reader_no_memory(assembly->reader, assembly->arena, length + 1);
	if (text != NULL && !literals_latin1(text->text.bytes, length, bytes, &length))
		return true;
	bytes[length] = '\0';
	*made = assembly_text(assembly, VALUE_BYTES, bytes, length, false);
	return *made != NULL;
}

static struct value *
make_items(struct assembly *assembly, const struct inert_rule *rule,
	const struct value *items)
{
	struct value *made = assembly_new(assembly, rule->kind);

	if (made == NULL)
		return NULL;
	if (strcmp(rule->name, "frozenset") == 0)
		made->unhashable = false;
	if (items != NULL && !assembly_add(assembly, made, items->items, items->count))
		return NULL;
	return made;
}

/* A class that is no builtin, and the plain name of a public member.  The whole path is
 * judged, since a module can also be reached as a member: (torch.serialization, 'load'). */
static bool
is_enum_member(const struct value *arguments)
{
	const struct value *class = arguments->count == 2 ? arguments->items[0] : NULL;
	const struct value *member = class != NULL ? arguments->items[1] : NULL;
	char                path[GLOBALS_PATH_SIZE];

	if (class == NULL || class->kind != VALUE_GLOBAL || member->kind != VALUE_TEXT
	    || strcmp(class->global.module, "builtins") == 0
	    || member->text.length == 0 || member->text.length > MEMBER_LIMIT)
		return false;
	for (size_t i = 0; i < member->text.length; i++) {
		char c = member->text.bytes[i];
		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z')
		    && (i == 0 || !((c >= '0' && c <= '9') || c == '_')))
			return false;
	}
	text_format(path, sizeof path, "%s.%s", class->global.name, member->text.bytes);
	return !globals_is_dangerous(class->global.module, path);
}

static struct value *
apply_getattr(struct assembly *assembly, enum value_kind kind, struct value *callable,
	struct value *arguments)
{
	struct value *made;

	if (kind != VALUE_CALL || !is_enum_member(arguments)) {
		assembly_refuse_getattr(assembly);
		return NULL;
	}
	made = assembly_new(assembly, kind);
	if (made == NULL || !assembly_adopt(assembly, made, arguments))
		return NULL;
	made->call.callable = callable;
	made->call.arguments = arguments;
	return made;
}

struct value *
inert_apply(struct assembly *assembly, enum value_kind kind, struct value *callable,
	struct value *arguments)
{
	const struct inert_rule *rule = find_rule(callable);
	const struct value      *first = arguments->count > 0 ? arguments->items[0] : NULL;
	struct value            *made = NULL;

	if (callable == assembly->getattr)
		return apply_getattr(assembly, kind, callable, arguments);
	if (rule == NULL || !fits(rule->form, arguments))
		return assembly_call(assembly, kind, callable, arguments);
	switch (rule->form) {
	case FORM_PAIRS:
		return make_dict(assembly, first);
	case FORM_ITEMS:
		return make_items(assembly, rule, first);
	case FORM_TUPLE:
		return arguments->items[0];
	case FORM_LATIN1:
		if (first != NULL && first->kind == VALUE_BYTES)
			return arguments->items[0];
		if (!make_bytes(assembly, first, &made))
			return NULL;
	}
	return made != NULL ? made : assembly_call(assembly, kind, callable, arguments);
}
