#include "megatron/argument_value.h"

#include "base/text.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static bool
is_holder_class(const struct value *class)
{
	return class != NULL && (value_is_global(class, "argparse", "Namespace")
	    || value_is_global(class, "types", "SimpleNamespace"));
}

/* Protocols 0 and 1 build objects by copyreg._reconstructor(class, object, None). */
static bool
is_holder(const struct value *node)
{
	const struct value *arguments;

	if (node->kind == VALUE_DICT)
		return true;
	if (node->kind != VALUE_OBJECT && node->kind != VALUE_CALL)
		return false;
	if (is_holder_class(node->call.callable))
		return true;
	arguments = node->call.arguments;
	return value_is_global(node->call.callable, "copyreg", "_reconstructor")
	    && arguments != NULL && arguments->count > 0 && is_holder_class(arguments->items[0]);
}

bool
argument_holder(const struct value *node, const struct value **args, struct error *err)
{
	const struct value *twice;
	char                found[96];

	*args = NULL;
	if (node == NULL || node->kind == VALUE_NONE)
		return true;
	if (!is_holder(node))
		return error_set(err, ERROR_UNSUPPORTED, "noneargs",
			"args is %s; an argparse.Namespace or a dict is expected",
			value_describe(node, found, sizeof found));
	twice = value_duplicate_key(node->kind == VALUE_DICT ? node : node->state);
	if (twice != NULL)
		return error_set(err, ERROR_UNSAFE, "hash", "args has two values for '%s'",
			text_escape(found, sizeof found, twice->text.bytes, twice->text.length));
	*args = node;
	return true;
}

const struct value *
argument_find(const struct value *args, const char *name)
{
	const struct value *value = args != NULL ? value_attribute(args, name) : NULL;

	return value != NULL && value->kind != VALUE_NONE ? value : NULL;
}

static bool
refuse_kind(const struct value *value, const char *name, struct error *err)
{
	char found[96];

	return error_set(err, ERROR_CORRUPT, "args", "args.%s is %s; a number is expected", name,
		value_describe(value, found, sizeof found));
}

bool
argument_whole(const struct value *args, const char *name, uint64_t *number, bool *found,
	struct error *err)
{
	const struct value *value = argument_find(args, name);

	*found = value != NULL;
	if (value == NULL)
		return true;
	if (value->kind == VALUE_BIG)
		return error_set(err, ERROR_CORRUPT, "longint", "args.%s is out of range", name);
	if (value->kind != VALUE_INT)
		return refuse_kind(value, name, err);
	if (value->integer < 0)
		return error_set(err, ERROR_CORRUPT, "args", "args.%s=%" PRId64 " is negative", name,
			value->integer);
	*number = (uint64_t)value->integer;
	return true;
}

bool
argument_real(const struct value *args, const char *name, double *number, bool *found,
	struct error *err)
{
	const struct value *value = argument_find(args, name);

	*found = value != NULL;
	if (value == NULL)
		return true;
	if (value->kind == VALUE_INT) {
		*number = (double)value->integer;
		return true;
	}
	if (value->kind != VALUE_FLOAT)
		return refuse_kind(value, name, err);
	if (!isfinite(value->real))
		return error_set(err, ERROR_CORRUPT, "floats", "args.%s is not finite", name);
	*number = value->real;
	return true;
}

bool
argument_truth(const struct value *value)
{
	if (value == NULL)
		return false;
	switch ((enum value_kind)value->kind) {
	case VALUE_NONE:
		return false;
	case VALUE_BOOL:
		return value->boolean;
	case VALUE_INT:
		return value->integer != 0;
	case VALUE_FLOAT:
		return value->real != 0.0;
	case VALUE_TEXT:
	case VALUE_BYTES:
		return value->text.length > 0;
	case VALUE_TUPLE:
	case VALUE_LIST:
	case VALUE_DICT:
	case VALUE_SET:
		return value->count > 0;
	default:
		return true;
	}
}

/* getattr(class, "NAME") of Python 3.11 and class(number) of older ones. */
static const struct value *
enum_member(const struct value *value)
{
	const struct value *arguments;

	if (value->kind != VALUE_CALL || (arguments = value->call.arguments) == NULL)
		return NULL;
	if (value_is_global(value->call.callable, "builtins", "getattr"))
		return arguments->count == 2 ? arguments->items[1] : NULL;
	return arguments->count == 1 ? arguments->items[0] : NULL;
}

char *
argument_word(const struct value *value, char *to, size_t size)
{
	const struct value *member = enum_member(value);
	char                number[TEXT_NUMBER_SIZE];

	if (member != NULL && (member->kind == VALUE_TEXT || member->kind == VALUE_INT))
		value = member;
	switch ((enum value_kind)value->kind) {
	case VALUE_NONE:
		return text_format(to, size, "None");
	case VALUE_BOOL:
		return text_format(to, size, "%s", value->boolean ? "True" : "False");
	case VALUE_INT:
		return text_format(to, size, "%" PRId64, value->integer);
	case VALUE_FLOAT:
		return text_format(to, size, "%s", text_double(number, value->real));
	case VALUE_TEXT:
		return text_escape(to, size, value->text.bytes, value->text.length);
	case VALUE_GLOBAL:
		return text_escape(to, size, value->global.name, strlen(value->global.name));
	default:
		return value_describe(value, to, size);
	}
}
