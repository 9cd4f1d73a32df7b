#include "torch/torch_rebuild.h"

#include "base/text.h"

#include <inttypes.h>
#include <string.h>

enum rebuild {
	REBUILD_TENSOR,         /* storage, offset, size, stride, grad, hooks, metadata */
	REBUILD_TENSOR_V3,      /* storage, offset, size, stride, grad, hooks, dtype, metadata */
	REBUILD_PARAMETER,      /* tensor, ...: the tensor */
	REBUILD_FROM_TYPE,      /* function, class, arguments, state: function(arguments) */
	REBUILD_NOT,            /* a tensor, but none that we can read */
};

static const struct rebuild_rule {
	const char  *module, *name;
	enum rebuild kind;
	uint32_t     fewest, most;              /* arguments */
	uint32_t     metadata;                  /* index of that argument, 0: has none */
} rules[] = {
	{ "torch._utils",  "_rebuild_tensor_v2",            REBUILD_TENSOR,    6, 7, 6 },
	{ "torch._utils",  "_rebuild_tensor",               REBUILD_TENSOR,    4, 4, 0 },
	{ "torch._utils",  "_rebuild_tensor_v3",            REBUILD_TENSOR_V3, 7, 8, 7 },
	{ "torch._utils",  "_rebuild_parameter",            REBUILD_PARAMETER, 3, 3, 0 },
	{ "torch._utils",  "_rebuild_parameter_with_state", REBUILD_PARAMETER, 4, 4, 0 },
	{ "torch._tensor", "_rebuild_from_type_v2",         REBUILD_FROM_TYPE, 4, 4, 0 },
	{ "torch._tensor", "_rebuild_from_type",            REBUILD_FROM_TYPE, 4, 4, 0 },
	{ "torch.tensor",  "_rebuild_from_type_v2",         REBUILD_FROM_TYPE, 4, 4, 0 },
	{ "torch.tensor",  "_rebuild_from_type",            REBUILD_FROM_TYPE, 4, 4, 0 },
	{ "torch.storage", "_load_from_bytes",              REBUILD_NOT,       0, 0, 0 },
	{ "torch.nn.parameter", "Parameter",                REBUILD_NOT,       0, 0, 0 },
	{ "torch.nn.parameter", "Buffer",                   REBUILD_NOT,       0, 0, 0 },
};
/* Every other _rebuild_... of torch._utils and class ...Tensor of torch. */
static const struct rebuild_rule other_tensor = { "", "", REBUILD_NOT, 0, 0, 0 };

/* A parameter around a subclass around a tensor is as deep as genuine files go. */
#define DEEPEST_WRAPPER 8
#define TORCH_MAX_RANK  64

/* The call that is being read: what a node says, without its wrappers. */
struct rebuild_call {
	const struct rebuild_rule *rule;
	const struct value        *callable, *arguments;
};

static const struct rebuild_rule *
find_rule(const struct value *callable)
{
	const char *module, *name;

	if (callable->kind != VALUE_GLOBAL)
		return NULL;
	module = callable->global.module;
	name = callable->global.name;
	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
		if (strcmp(rules[i].module, module) == 0 && strcmp(rules[i].name, name) == 0)
			return &rules[i];
	if (strcmp(module, "torch._utils") == 0 && text_has_prefix(name, "_rebuild_"))
		return &other_tensor;
	if ((strcmp(module, "torch") == 0 || strcmp(module, "torch.cuda") == 0
			|| strcmp(module, "torch.sparse") == 0) && text_has_suffix(name, "Tensor"))
		return &other_tensor;
	return NULL;
}

bool
torch_rebuild_is_tensor(const struct value *node)
{
	return (node->kind == VALUE_CALL || node->kind == VALUE_OBJECT)
		&& find_rule(node->call.callable) != NULL;
}

/* ---- wrappers ----------------------------------------------------------------------- */

static bool
check_call(const struct rebuild_call *call, struct error *err)
{
	const struct rebuild_rule *rule = call->rule;
	char                       shown[160];

	if (rule == NULL || rule->kind == REBUILD_NOT)
		return error_set(err, ERROR_UNSUPPORTED, "rebuildother",
			"unsupported: %s where a plain tensor was expected",
			value_describe(call->callable, shown, sizeof shown));
	if (call->arguments->kind != VALUE_TUPLE)
		return error_set(err, ERROR_CORRUPT, "rebuildargs",
			"arguments of %s are not a tuple", rule->name);
	if (call->arguments->count < rule->fewest || call->arguments->count > rule->most)
		return error_set(err, ERROR_CORRUPT, "rebuildargs",
			"%s with %" PRIu32 " arguments (expected %" PRIu32 " to %" PRIu32 ")",
			rule->name, call->arguments->count, rule->fewest, rule->most);
	return true;
}

static bool
begin_call(const struct value *node, struct rebuild_call *call, struct error *err)
{
	char shown[160];

	if (node->kind != VALUE_CALL && node->kind != VALUE_OBJECT)
		return error_set(err, ERROR_UNSUPPORTED, "foreignweight",
			"%s where a tensor was expected", value_describe(node, shown, sizeof shown));
	call->callable = node->call.callable;
	call->arguments = node->call.arguments;
	call->rule = find_rule(call->callable);
	if (call->rule == NULL)
		return error_set(err, ERROR_UNSUPPORTED, "foreignweight",
			"unsupported: %s where a tensor was expected",
			value_describe(node, shown, sizeof shown));
	return check_call(call, err);
}

/* Takes off what wraps a tensor, until a call that names a storage is left. */
static bool
unwrap(const struct value *node, struct rebuild_call *call, struct error *err)
{
	if (!begin_call(node, call, err))
		return false;
	for (int depth = 0; depth <= DEEPEST_WRAPPER; depth++) {
		struct value *const *arguments = call->arguments->items;

		switch (call->rule->kind) {
		case REBUILD_PARAMETER:
			if (!begin_call(arguments[0], call, err))
				return false;
			break;
		case REBUILD_FROM_TYPE:
			call->callable = arguments[0];
			call->arguments = arguments[2];
			call->rule = find_rule(call->callable);
			if (!check_call(call, err))
				return false;
			break;
		default:
			return true;
		}
	}
	return error_set(err, ERROR_LIMIT, "rebuildargs", "a tensor in more than %d wrappers",
		DEEPEST_WRAPPER);
}

/* ---- arguments ---------------------------------------------------------------------- */

static bool
read_integer(const struct value *value, const char *what, uint64_t *to, struct error *err)
{
	char shown[96];

	if (value->kind == VALUE_BIG)
		return error_set(err, ERROR_CORRUPT, "overflow", "%s overflows 64 bits", what);
	if (value->kind != VALUE_INT)
		return error_set(err, ERROR_CORRUPT, "rebuildargs",
			"%s is %s, an integer was expected", what,
			value_describe(value, shown, sizeof shown));
	if (value->integer < 0)
		return error_set(err, ERROR_CORRUPT, "dims", "%s %" PRId64 " is negative", what,
			value->integer);
	*to = (uint64_t)value->integer;
	return true;
}

/* A tuple of integers; torch.Size(tuple) is one by now. */
static bool
read_integers(const struct value *value, const char *whole, const char *one,
	uint64_t to[TENSOR_MAX_RANK], unsigned *count, struct error *err)
{
	char shown[96];

	if (value->kind != VALUE_TUPLE)
		return error_set(err, ERROR_CORRUPT, "rebuildargs",
			"%s is %s, a tuple was expected", whole,
			value_describe(value, shown, sizeof shown));
	if (value->count > TENSOR_MAX_RANK)
		return error_set(err, value->count > TORCH_MAX_RANK ? ERROR_CORRUPT : ERROR_LIMIT,
			"dims", "%" PRIu32 " dimensions (limit %d)", value->count, TENSOR_MAX_RANK);
	for (uint32_t i = 0; i < value->count; i++)
		if (!read_integer(value->items[i], one, &to[i], err))
			return false;
	*count = (unsigned)value->count;
	return true;
}

/* {'conj': True} or {'neg': True}: the bytes are not the values. */
static bool
check_metadata(const struct rebuild_call *call, struct error *err)
{
	uint32_t            index = call->rule->metadata;
	const struct value *metadata;
	char                shown[96];

	if (index == 0 || call->arguments->count <= index)
		return true;
	metadata = call->arguments->items[index];
	if (metadata->kind == VALUE_NONE || (metadata->kind == VALUE_DICT && metadata->count == 0))
		return true;
	if (metadata->kind != VALUE_DICT)
		return error_set(err, ERROR_CORRUPT, "rebuildargs",
			"tensor metadata is %s, a dict was expected",
			value_describe(metadata, shown, sizeof shown));
	return error_set(err, ERROR_UNSUPPORTED, "rebuildother",
		"tensor with the mark '%s': conjugated or negated tensors are not supported",
		metadata->items[0]->kind != VALUE_TEXT
			? value_describe(metadata->items[0], shown, sizeof shown)
			: text_escape(shown, sizeof shown, metadata->items[0]->text.bytes,
				metadata->items[0]->text.length));
}

/* Of _rebuild_tensor_v3: the dtype stands beside an untyped storage. */
static bool
read_dtype(const struct value *value, struct tensor_view *view, struct error *err)
{
	char shown[96];

	if (value->kind != VALUE_GLOBAL)
		return error_set(err, ERROR_CORRUPT, "rebuildargs",
			"dtype is %s, torch.NAME was expected",
			value_describe(value, shown, sizeof shown));
	view->dtype = strcmp(value->global.module, "torch") == 0
		? dtype_of_name(value->global.name) : DTYPE_UNKNOWN;
	if (view->dtype == DTYPE_UNKNOWN)
		return error_set(err, ERROR_UNSUPPORTED, "dtype", "dtype %s.%s is not supported",
			value->global.module, value->global.name);
	return true;
}

/* ---- view --------------------------------------------------------------------------- */

/* Checks the view inside its window, then moves it to where the window lies. */
static bool
place_view(const struct torch_storage_entry *entry, const struct torch_storage_ref *ref,
	struct tensor_view *view, struct error *err)
{
	uint64_t size = dtype_size(view->dtype);
	uint64_t unit = entry->element_size;    /* 1 beside the dtype of a v3 call */

	if (unit == size) {
		if (!tensor_view_check(view, ref->count, err))
			return false;
		view->offset += tensor_view_count(view) > 0 ? ref->offset : 0;
		return true;
	}
	if (unit != 1 || ref->offset != 0)
		return error_set(err, ERROR_CORRUPT, "rebuildargs",
			"dtype %s on a storage of %s", dtype_name(view->dtype), entry->class_name);
	return tensor_view_check(view, ref->count / size, err);
}

bool
torch_rebuild_view(const struct torch_storages *storages, const struct value *node,
	struct tensor_view *view, struct error *err)
{
	const struct torch_storage_entry *entry;
	struct rebuild_call               call;
	struct torch_storage_ref          ref;
	struct value *const              *arguments;
	unsigned                          strides;

	memset(view, 0, sizeof *view);
	if (!unwrap(node, &call, err))
		return false;
	arguments = call.arguments->items;
	if (!torch_storages_resolve(storages, arguments[0], &ref, err)
		|| !read_integer(arguments[1], "storage offset", &view->offset, err)
		|| !read_integers(arguments[2], "shape", "dimension", view->shape, &view->rank,
			err)
		|| !read_integers(arguments[3], "stride", "stride", view->stride, &strides, err)
		|| !check_metadata(&call, err))
		return false;
	if (strides != view->rank)
		return error_set(err, ERROR_CORRUPT, "stride", "%u strides for %u dimensions",
			strides, view->rank);
	entry = &storages->entries[ref.storage];
	view->storage = ref.storage;
	view->dtype = entry->storage.dtype;
	if (call.rule->kind == REBUILD_TENSOR_V3 && !read_dtype(arguments[6], view, err))
		return false;
	if (view->dtype == DTYPE_UNKNOWN)
		return error_set(err, ERROR_UNSUPPORTED, "dtype",
			"elements of %s are not supported", entry->class_name);
	return place_view(entry, &ref, view, err);
}
