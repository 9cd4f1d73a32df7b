#include "torch/torch_storages.h"

#include "base/checked.h"
#include "base/text.h"
#include "torch/torch_walk.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/*
 * A persistent id is a tuple
 *
 *	('storage', CLASS, key, location, numel)                 zip
 *	('storage', CLASS, key, location, numel, view)           legacy
 *	('module', CLASS, source file, source text)              legacy, whole modules: inert
 *
 * CLASS is a global (torch FloatStorage), key and location are text, numel counts elements,
 * view is None or (view key, offset, count) in elements.
 */
#define STORAGE_FIELDS 5
#define VIEW_FIELD     5
#define KEY_DIGITS     20

/* Classes whose elements we cannot read, but whose bytes we must be able to step over. */
static const struct opaque_class {
	const char *name;
	uint64_t    element_size;
} opaque_classes[] = {
	{ "ComplexFloatStorage",   8 },
	{ "ComplexDoubleStorage", 16 },
	{ "QInt8Storage",          1 },
	{ "QUInt8Storage",         1 },
	{ "QInt32Storage",         4 },
	{ "QUInt4x2Storage",       1 },
	{ "QUInt2x4Storage",       1 },
};

/* One persistent id, taken apart. */
struct storage_id {
	struct torch_storage_entry entry;
	size_t                     key_length, order, index;
	uint64_t                   view_offset, view_count;
};

struct id_list {
	struct storage_id *ids;
	size_t             count, room;
};

/* ---- one id ------------------------------------------------------------------------- */

static bool
read_class(const struct value *class, struct torch_storage_entry *entry, struct error *err)
{
	char        shown[160];
	const char *name;

	if (class->kind != VALUE_GLOBAL)
		return error_set(err, ERROR_CORRUPT, "pid",
			"storage class of a persistent id is %s, a class was expected",
			value_describe(class, shown, sizeof shown));
	name = class->global.name;
	if (strcmp(class->global.module, "torch") != 0
		&& strcmp(class->global.module, "torch.cuda") != 0
		&& strcmp(class->global.module, "torch.storage") != 0)
		return error_set(err, ERROR_UNSUPPORTED, "pid",
			"%s.%s is not a storage class of PyTorch", class->global.module, name);
	entry->class_name = name;
	entry->storage.dtype = dtype_of_storage(name);
	entry->element_size = dtype_size(entry->storage.dtype);
	for (size_t i = 0; i < sizeof opaque_classes / sizeof *opaque_classes; i++)
		if (strcmp(opaque_classes[i].name, name) == 0)
			entry->element_size = opaque_classes[i].element_size;
	if (entry->element_size == 0)
		return error_set(err, ERROR_UNSUPPORTED, "pid", "unknown storage class %s.%s",
			class->global.module, name);
	return true;
}

static bool
read_key(const struct value *key, struct storage_id *id, struct error *err)
{
	char shown[96];

	if (key->kind != VALUE_TEXT)
		return error_set(err, ERROR_CORRUPT, "pid", "storage key is %s, text was expected",
			value_describe(key, shown, sizeof shown));
	text_escape(shown, sizeof shown, key->text.bytes, key->text.length);
	if (memchr(key->text.bytes, '/', key->text.length) != NULL
		|| memchr(key->text.bytes, '\\', key->text.length) != NULL)
		return error_set(err, ERROR_UNSAFE, "pid", "storage key '%s' is a path", shown);
	if (key->text.length < 1 || key->text.length > KEY_DIGITS
		|| strspn(key->text.bytes, "0123456789") != key->text.length)
		return error_set(err, ERROR_CORRUPT, "pid",
			"storage key '%s' is not a number of 1 to %d digits", shown, KEY_DIGITS);
	id->entry.storage.key = key->text.bytes;
	id->key_length = key->text.length;
	return true;
}

static bool
read_count(const struct value *value, const char *what, uint64_t *count, struct error *err)
{
	char shown[96];

	if (value->kind == VALUE_BIG)
		return error_set(err, ERROR_CORRUPT, "pid", "%s overflows 64 bits", what);
	if (value->kind != VALUE_INT)
		return error_set(err, ERROR_CORRUPT, "pid", "%s is %s, an integer was expected",
			what, value_describe(value, shown, sizeof shown));
	if (value->integer < 0)
		return error_set(err, ERROR_CORRUPT, "pid", "%s is negative (%" PRId64 ")", what,
			value->integer);
	*count = (uint64_t)value->integer;
	return true;
}

/* Torch 0.3 and older: the id denotes a window on the storage. */
static bool
read_view(const struct value *view, struct storage_id *id, struct error *err)
{
	uint64_t total = id->entry.storage.count;

	id->view_offset = 0;
	id->view_count = total;
	if (view->kind == VALUE_NONE)
		return true;
	if (view->kind != VALUE_TUPLE || view->count != 3)
		return error_set(err, ERROR_CORRUPT, "legacyviews",
			"view of storage %s is not a tuple of 3", id->entry.storage.key);
	if (!read_count(view->items[1], "offset of a storage view", &id->view_offset, err)
		|| !read_count(view->items[2], "size of a storage view", &id->view_count, err))
		return false;
	if (id->view_offset > total || id->view_count > total - id->view_offset)
		return error_set(err, ERROR_CORRUPT, "legacyviews", "view of storage %s: elements %"
			PRIu64 " + %" PRIu64 " of %" PRIu64, id->entry.storage.key, id->view_offset,
			id->view_count, total);
	return true;
}

static bool
read_fields(const struct value *tuple, struct storage_id *id, struct error *err)
{
	struct torch_storage *storage = &id->entry.storage;
	const struct value   *location = tuple->items[3];

	if (!read_class(tuple->items[1], &id->entry, err) || !read_key(tuple->items[2], id, err))
		return false;
	if (location->kind != VALUE_TEXT)
		return error_set(err, ERROR_CORRUPT, "pid", "location of storage %s is not text",
			storage->key);
	if (value_is_text(location, "meta"))
		return error_set(err, ERROR_UNSUPPORTED, "pid",
			"storage %s is on the meta device: it has no data", storage->key);
	if (!read_count(tuple->items[4], "element count of a storage", &storage->count, err))
		return false;
	if (!checked_multiply(storage->count, id->entry.element_size, &storage->bytes))
		return error_set(err, ERROR_CORRUPT, "overflow", "storage %s: %" PRIu64
			" elements of %" PRIu64 " bytes overflow 64 bits", storage->key,
			storage->count, id->entry.element_size);
	if (tuple->count > VIEW_FIELD)
		return read_view(tuple->items[VIEW_FIELD], id, err);
	id->view_offset = 0;
	id->view_count = storage->count;
	return true;
}

/* *is_storage false: an id of a module class, which stays inert. */
static bool
read_id(const struct value *node, struct storage_id *id, bool *is_storage, struct error *err)
{
	const struct value *tuple = node->items[0];     /* that it is one was checked */

	memset(id, 0, sizeof *id);
	*is_storage = false;
	if (tuple->count == 0)
		return error_set(err, ERROR_CORRUPT, "persidtext",
			"persistent id is not a storage tuple");
	if (value_is_text(tuple->items[0], "module"))
		return true;
	if (!value_is_text(tuple->items[0], "storage"))
		return error_set(err, ERROR_CORRUPT, "persidtext",
			"persistent id does not begin with 'storage'");
	if (tuple->count < STORAGE_FIELDS || tuple->count > STORAGE_FIELDS + 1)
		return error_set(err, ERROR_CORRUPT, "pid",
			"storage id has %" PRIu32 " fields, %d expected", tuple->count,
			STORAGE_FIELDS);
	*is_storage = true;
	return read_fields(tuple, id, err);
}

/* ---- all ids ------------------------------------------------------------------------ */

static bool
add_id(struct id_list *list, const struct value *node, struct error *err)
{
	struct storage_id id;
	bool              is_storage;

	if (!read_id(node, &id, &is_storage, err))
		return false;
	if (!is_storage)
		return true;
	if (list->count == list->room) {
		size_t             room = list->room == 0 ? 64 : list->room * 2;
		struct storage_id *ids = realloc(list->ids, room * sizeof *ids);

		if (ids == NULL)
			return error_no_memory(err, room * sizeof *ids);
		list->ids = ids;
		list->room = room;
	}
	id.order = list->count;
	list->ids[list->count++] = id;
	return true;
}

static bool
walk_ids(struct id_list *list, const struct value *root, struct error *err)
{
	bool                done = false;
	struct torch_walk  *walk;
	const struct value *node;

	if ((walk = torch_walk_open(root, err)) == NULL)
		return false;
	while ((node = torch_walk_next(walk, err)) != NULL) {
		if (node->kind == VALUE_PERSISTENT && !add_id(list, node, err))
			goto out;
	}
	done = err->kind == ERROR_NONE;
out:
	torch_walk_close(walk);
	return done;
}

static int
by_key(const void *a, const void *b)
{
	const struct storage_id *left = a, *right = b;
	int order = strcmp(left->entry.storage.key, right->entry.storage.key);

	return order != 0 ? order : (left->order > right->order) - (left->order < right->order);
}

static int
by_order(const void *a, const void *b)
{
	const struct storage_id *left = a, *right = b;

	return (left->order > right->order) - (left->order < right->order);
}

/* One id per key stays, the first that appeared; the others must agree with it. */
static bool
merge_ids(struct id_list *list, struct error *err)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->count; i++) {
		const struct torch_storage_entry *one, *two = &list->ids[i].entry;

		if (kept == 0
			|| strcmp(list->ids[kept - 1].entry.storage.key, two->storage.key) != 0) {
			list->ids[kept++] = list->ids[i];
			continue;
		}
		one = &list->ids[kept - 1].entry;
		if (one->storage.count != two->storage.count
			|| strcmp(one->class_name, two->class_name) != 0)
			return error_set(err, ERROR_CORRUPT, "storagetwice", "storage %s is declared"
				" as %" PRIu64 " x %s and as %" PRIu64 " x %s (dtype or size"
				" differ)", one->storage.key, one->storage.count, one->class_name,
				two->storage.count, two->class_name);
	}
	list->count = kept;
	return true;
}

bool
torch_storages_collect(struct torch_storages *storages, const struct value *root,
	struct error *err)
{
	bool           done = false;
	struct id_list list = { NULL, 0, 0 };

	memset(storages, 0, sizeof *storages);
	if (!walk_ids(&list, root, err))
		goto out;
	if (list.count > 0)
		qsort(list.ids, list.count, sizeof *list.ids, by_key);
	if (!merge_ids(&list, err))
		goto out;
	storages->entries = calloc(list.count + 1, sizeof *storages->entries);
	storages->sorted = calloc(list.count + 1, sizeof *storages->sorted);
	if (storages->entries == NULL || storages->sorted == NULL) {
		error_no_memory(err, list.count * sizeof *storages->entries);
		goto out;
	}
	for (size_t i = 0; i < list.count; i++)
		list.ids[i].index = i;
	if (list.count > 0)
		qsort(list.ids, list.count, sizeof *list.ids, by_order);
	for (size_t i = 0; i < list.count; i++) {
		storages->entries[i] = list.ids[i].entry;
		storages->sorted[list.ids[i].index] = i;
	}
	storages->count = list.count;
	done = true;
out:
	free(list.ids);
	return done;
}

size_t
torch_storages_find(const struct torch_storages *storages, const char *key, size_t length)
{
	size_t low = 0, high = storages->count;

	while (low < high) {
		size_t      middle = low + (high - low) / 2, index = storages->sorted[middle];
		const char *found = storages->entries[index].storage.key;
		size_t      found_length = strlen(found);
		int         order = memcmp(key, found,
			length < found_length ? length : found_length);

		if (order == 0 && length == found_length)
			return index;
		if (order < 0 || (order == 0 && length < found_length))
			high = middle;
		else
			low = middle + 1;
	}
	return storages->count;
}

bool
torch_storages_resolve(const struct torch_storages *storages, const struct value *node,
	struct torch_storage_ref *ref, struct error *err)
{
	struct storage_id id;
	bool              is_storage;
	char              shown[96];

	if (node->kind != VALUE_PERSISTENT)
		return error_set(err, ERROR_CORRUPT, "rebuildargs",
			"%s where a storage was expected", value_describe(node, shown, sizeof shown));
	if (!read_id(node, &id, &is_storage, err))
		return false;
	if (!is_storage)
		return error_set(err, ERROR_CORRUPT, "rebuildargs",
			"a module class where a storage was expected");
	ref->storage = torch_storages_find(storages, id.entry.storage.key, id.key_length);
	ref->offset = id.view_offset;
	ref->count = id.view_count;
	if (ref->storage == storages->count)
		return error_set(err, ERROR_INTERNAL, "storage", "storage %s was not collected",
			id.entry.storage.key);
	return true;
}

void
torch_storages_fini(struct torch_storages *storages)
{
	free(storages->entries);
	free(storages->sorted);
	memset(storages, 0, sizeof *storages);
}
