#include "megatron/dist_metadata.h"

#include "base/checked.h"
#include "base/text.h"
#include "megatron/dist_names.h"
#include "torch/torch_source.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/*
 * One pickle, Python's default protocol (4 or 5), of objects made by NEWOBJ and BUILD:
 *
 *	Metadata
 *	    state_dict_metadata   { key: TensorStorageMetadata or BytesStorageMetadata }
 *	    storage_data          { MetadataIndex: _StorageInfo }
 *	    planner_data, storage_meta, version, mcore_data, all_local_plans: of no interest
 *	TensorStorageMetadata     properties, size, chunks [ChunkStorageMetadata]
 *	TensorProperties          a tuple; the dtype comes first
 *	ChunkStorageMetadata      offsets, sizes
 *	MetadataIndex             fqn (the key), offset (of a chunk; None of an object), index
 *	_StorageInfo              relative_path, offset, length, transform_descriptors
 *
 * (torch/distributed/checkpoint/metadata.py and filesystem.py.)  The modules of the classes
 * differ between versions of PyTorch, so they are told by their names.  A chunk's item is the
 * one under the chunk's key and offsets.
 */

#define SCRATCH_LIMIT  ((size_t)256 << 20)      /* plans of all ranks may stand beside */
#define MAX_KEY        400
#define MAX_ATTRIBUTES 64                       /* entries of an object's state */
#define MAX_RESTS      32

/* An entry of storage_data. */
struct entry {
	const char      *key;
	bool             has_offset;
	unsigned         rank;
	uint64_t         offset[DIST_MAX_RANK];
	struct dist_item item;
	bool             is_used;
};

struct reading {
	struct arena         *arena;            /* of the result */
	struct dist_metadata *metadata;
	struct entry         *entries;          /* sorted by key, offset */
	size_t                entry_count;
	struct arena          scratch;
};

/* ---- values ----------------------------------------------------------------------------- */

static bool
is_object_of(const struct value *value, const char *class)
{
	return value != NULL && value->kind == VALUE_OBJECT
	    && value->call.callable->kind == VALUE_GLOBAL
	    && strcmp(value->call.callable->global.name, class) == 0;
}

static bool
expect(const struct value *value, const char *class, struct error *err)
{
	char found[160];

	if (!is_object_of(value, class))
		return error_set(err, ERROR_CORRUPT, "dcpmeta", "%s where a %s is expected",
			value_describe(value, found, sizeof found), class);
	/* Objects can share a state: it is looked through for each of them. */
	if (value->state != NULL && value->state->count > MAX_ATTRIBUTES)
		return error_set(err, ERROR_CORRUPT, "dcpmeta", "a %s with %" PRIu32 " attributes",
			class, value->state->count / 2);
	return true;
}

static bool
read_number(const struct value *value, const char *name, uint64_t *number, struct error *err)
{
	char found[160];

	if (value == NULL || value->kind != VALUE_INT || value->integer < 0)
		return error_set(err, ERROR_CORRUPT, "dcpmeta", "%s is %s; a number from 0 on is "
			"expected", name, value != NULL && value->kind == VALUE_INT ? "negative"
			: value_describe(value, found, sizeof found));
	*number = (uint64_t)value->integer;
	return true;
}

/* A torch.Size, which is read as the tuple it is made of. */
static bool
read_sizes(const struct value *value, const char *name, unsigned *rank,
	uint64_t sizes[DIST_MAX_RANK], struct error *err)
{
	char     found[160];
	uint32_t index;

	if (value == NULL || (value->kind != VALUE_TUPLE && value->kind != VALUE_LIST))
		return error_set(err, ERROR_CORRUPT, "dcpmeta", "%s is %s; a size is expected", name,
			value_describe(value, found, sizeof found));
	if (value->count > DIST_MAX_RANK)
		return error_set(err, ERROR_LIMIT, "dims", "%s has %" PRIu32 " dimensions (limit %d)",
			name, value->count, DIST_MAX_RANK);
	*rank = value->count;
	for (index = 0; index < value->count; index++)
		if (!read_number(value->items[index], name, &sizes[index], err))
			return false;
	return true;
}

static bool
read_key(struct reading *reading, const struct value *value, const char **key, struct error *err)
{
	char shown[160];

	if (value == NULL || value->kind != VALUE_TEXT || value->text.length > MAX_KEY
	    || !text_is_utf8(value->text.bytes, value->text.length))
		return error_set(err, ERROR_CORRUPT, "dcpmeta", "a key is %s; a name of at most %d "
			"bytes is expected", value_describe(value, shown, sizeof shown), MAX_KEY);
	*key = arena_copy(&reading->scratch, value->text.bytes, value->text.length);
	return *key != NULL || error_no_memory(err, value->text.length + 1);
}

/* ---- storage_data: where the items lie -------------------------------------------------- */

/* The name of a file in the folder and nothing else: it is opened. */
static bool
read_file_name(struct reading *reading, const struct value *value, const char **name,
	struct error *err)
{
	char shown[160];

	if (value == NULL || value->kind != VALUE_TEXT || value->text.length == 0
	    || value->text.length > MAX_KEY
	    || !text_is_utf8(value->text.bytes, value->text.length))
		return error_set(err, ERROR_CORRUPT, "dcpmeta", "relative_path is %s; a file name is "
			"expected", value_describe(value, shown, sizeof shown));
	if (memchr(value->text.bytes, '/', value->text.length) != NULL
	    || memchr(value->text.bytes, '\\', value->text.length) != NULL
	    || value_is_text(value, ".") || value_is_text(value, ".."))
		return error_set(err, ERROR_UNSAFE, "traversal", "relative_path '%s' leaves the "
			"folder", text_escape(shown, sizeof shown, value->text.bytes,
			value->text.length));
	*name = arena_copy(&reading->scratch, value->text.bytes, value->text.length);
	return *name != NULL || error_no_memory(err, value->text.length + 1);
}

static bool
read_item(struct reading *reading, const struct value *info, struct dist_item *item,
	struct error *err)
{
	const struct value *transforms = value_attribute(info, "transform_descriptors");

	if (!expect(info, "_StorageInfo", err)
	    || !read_file_name(reading, value_attribute(info, "relative_path"), &item->file, err)
	    || !read_number(value_attribute(info, "offset"), "offset", &item->offset, err)
	    || !read_number(value_attribute(info, "length"), "length", &item->length, err))
		return false;
	if (item->length == 0)
		return error_set(err, ERROR_CORRUPT, "outside", "an item of 0 bytes at offset %"
			PRIu64, item->offset);
	/* None, or the names of none. */
	if (transforms != NULL && transforms->kind != VALUE_NONE && (transforms->count > 0
	    || (transforms->kind != VALUE_LIST && transforms->kind != VALUE_TUPLE))) {
		error_set(err, ERROR_UNSUPPORTED, "distckpt",
			"the items are transformed (compressed); plain torch.save items are expected");
		return error_hint(err, "save it again without the writer's transforms");
	}
	return true;
}

/* The bytes of what belongs to no model. */
static bool
add_rest(struct reading *reading, const char *key, uint64_t bytes, struct error *err)
{
	struct dist_metadata *metadata = reading->metadata;
	char                  what[64];
	size_t                index = 0;

	dist_names_top(key, what, sizeof what);
	while (index < metadata->rest_count && strcmp(metadata->rest[index].what, what) != 0)
		index++;
	if (index == metadata->rest_count) {
		metadata->rest[index].what = arena_copy(reading->arena, what, strlen(what));
		if (metadata->rest[index].what == NULL)
			return error_no_memory(err, sizeof what);
		metadata->rest_count++;
	}
	return checked_add(metadata->rest[index].bytes, bytes, &metadata->rest[index].bytes)
	    || error_set(err, ERROR_CORRUPT, "outside", "the lengths of all items overflow");
}

static bool
read_entry(struct reading *reading, const struct value *index, const struct value *info,
	struct error *err)
{
	struct entry       *entry = &reading->entries[reading->entry_count];
	const struct value *offset;

	if (!expect(index, "MetadataIndex", err)
	    || !read_key(reading, value_attribute(index, "fqn"), &entry->key, err))
		return false;
	offset = value_attribute(index, "offset");
	entry->has_offset = offset != NULL && offset->kind != VALUE_NONE;
	if (!read_item(reading, info, &entry->item, err)
	    || (entry->has_offset && !read_sizes(offset, "an offset", &entry->rank, entry->offset,
			err)))
		return error_in_tensor(err, entry->key);
	reading->entry_count++;
	return (dist_names_kind(entry->key, NULL) == DIST_WEIGHT && entry->has_offset)
	    || add_rest(reading, entry->key, entry->item.length, err);
}

static int
compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int                 order = strcmp(x->key, y->key);
	unsigned            d;

	if (order != 0)
		return order;
	if (x->has_offset != y->has_offset || x->rank != y->rank)
		return x->has_offset != y->has_offset ? x->has_offset - y->has_offset
		    : x->rank < y->rank ? -1 : 1;
	for (d = 0; d < x->rank; d++)
		if (x->offset[d] != y->offset[d])
			return x->offset[d] < y->offset[d] ? -1 : 1;
	return 0;
}

static bool
read_entries(struct reading *reading, const struct value *data, struct error *err)
{
	char     found[160];
	uint32_t index;
	size_t   i;

	if (data == NULL || data->kind != VALUE_DICT)
		return error_set(err, ERROR_CORRUPT, "dcpmeta", "storage_data is %s; a dict is "
			"expected", value_describe(data, found, sizeof found));
	reading->entries = arena_take(&reading->scratch, data->count / 2 + 1,
		sizeof *reading->entries);
	if (reading->entries == NULL)
		return error_no_memory(err, data->count / 2 * sizeof *reading->entries);
	for (index = 0; index + 1 < data->count; index += 2)
		if (!read_entry(reading, data->items[index], data->items[index + 1], err))
			return false;
	qsort(reading->entries, reading->entry_count, sizeof *reading->entries, compare_entries);
	for (i = 1; i < reading->entry_count; i++) {
		const struct entry *entry = &reading->entries[i];

		if (compare_entries(entry - 1, entry) != 0)
			continue;
		error_set(err, ERROR_CORRUPT, "collision", "one piece lies in %s and in %s",
			entry[-1].item.file, entry->item.file);
		return error_in_tensor(err, entry->key);
	}
	return true;
}

/* ---- state_dict_metadata: what there is --------------------------------------------------- */

/* The item is used, and belongs to nothing else. */
static bool
take_item(struct reading *reading, const struct entry *wanted, struct dist_item *item,
	struct error *err)
{
	struct entry *entry = bsearch(wanted, reading->entries, reading->entry_count,
		sizeof *wanted, compare_entries);

	if (entry == NULL)
		return error_set(err, ERROR_CORRUPT, "missingrec",
			"storage_data has no item for one of its pieces");
	if (entry->is_used)
		return error_set(err, ERROR_CORRUPT, "collision", "one piece is listed twice");
	entry->is_used = true;
	*item = entry->item;
	item->file = arena_copy(reading->arena, item->file, strlen(item->file));
	return item->file != NULL || error_no_memory(err, MAX_KEY);
}

static bool
read_chunk(struct reading *reading, const struct dist_tensor *tensor, const struct value *value,
	struct dist_chunk *chunk, struct error *err)
{
	struct entry wanted = { .key = tensor->key, .has_offset = true };
	unsigned     rank, d, lead;
	uint64_t     sizes[DIST_MAX_RANK];

	if (!expect(value, "ChunkStorageMetadata", err)
	    || !read_sizes(value_attribute(value, "offsets"), "offsets", &wanted.rank,
			wanted.offset, err)
	    || !read_sizes(value_attribute(value, "sizes"), "sizes", &rank, sizes, err))
		return false;
	/* Since core_v0.15.0 leading sizes of 1 may be left out. */
	if (wanted.rank != tensor->rank || rank > tensor->rank)
		return error_set(err, ERROR_CORRUPT, "outside", "a piece of %u dimensions at an "
			"offset of %u in a tensor of %u", rank, wanted.rank, tensor->rank);
	lead = tensor->rank - rank;
	for (d = 0; d < tensor->rank; d++) {
		chunk->offset[d] = wanted.offset[d];
		chunk->size[d] = d < lead ? 1 : sizes[d - lead];
		if (chunk->offset[d] > tensor->shape[d]
		    || chunk->size[d] > tensor->shape[d] - chunk->offset[d])
			return error_set(err, ERROR_CORRUPT, "outside", "a piece reaches from %" PRIu64
				" over %" PRIu64 " in dimension %u, which has %" PRIu64,
				chunk->offset[d], chunk->size[d], d, tensor->shape[d]);
	}
	return take_item(reading, &wanted, &chunk->item, err);
}

static bool
read_dtype(const struct value *tensor, enum dtype *dtype, struct error *err)
{
	const struct value *properties = value_attribute(tensor, "properties"), *state;
	char                found[160];

	if (!expect(properties, "TensorProperties", err))
		return false;
	state = properties->state;
	/* The state is a tuple; a dict where no __getstate__ makes one. */
	state = state != NULL && state->kind == VALUE_TUPLE && state->count > 0 ? state->items[0]
	    : value_attribute(properties, "dtype");
	*dtype = state != NULL && state->kind == VALUE_GLOBAL
	    && strcmp(state->global.module, "torch") == 0 ? dtype_of_name(state->global.name)
	    : DTYPE_UNKNOWN;
	return *dtype != DTYPE_UNKNOWN || error_set(err, ERROR_UNSUPPORTED, "dtype",
		"dtype %s is not known", value_describe(state, found, sizeof found));
}

static bool
read_tensor(struct reading *reading, const struct value *value, struct dist_tensor *tensor,
	struct error *err)
{
	const struct value *chunks = value_attribute(value, "chunks");
	uint64_t            elements = 1;
	unsigned            d;
	uint32_t            index;

	if (!read_dtype(value, &tensor->dtype, err)
	    || !read_sizes(value_attribute(value, "size"), "size", &tensor->rank, tensor->shape,
			err))
		return false;
	for (d = 0; d < tensor->rank; d++)
		if (!checked_multiply(elements, tensor->shape[d], &elements))
			return error_set(err, ERROR_CORRUPT, "outside", "its size overflows");
	if (chunks == NULL || chunks->kind != VALUE_LIST || chunks->count == 0)
		return error_set(err, ERROR_CORRUPT, "missingrec", "it has no pieces");
	tensor->chunks = arena_take(reading->arena, chunks->count, sizeof *tensor->chunks);
	if (tensor->chunks == NULL)
		return error_no_memory(err, chunks->count * sizeof *tensor->chunks);
	tensor->chunk_count = chunks->count;
	for (index = 0; index < chunks->count; index++)
		if (!read_chunk(reading, tensor, chunks->items[index], &tensor->chunks[index], err))
			return false;
	return true;
}

/* A tensor that may be the model's, or an object that tells of it. */
static bool
read_one(struct reading *reading, const char *key, const struct value *value, struct error *err)
{
	struct dist_metadata *metadata = reading->metadata;
	enum dist_kind        kind = dist_names_kind(key, NULL);
	bool                  is_bytes = is_object_of(value, "BytesStorageMetadata");
	const char           *kept;

	if (!is_bytes && !expect(value, "TensorStorageMetadata", err))
		return false;
	metadata->prediction_heads += kind == DIST_PREDICTION_HEAD && !is_bytes;
	if (kind != DIST_WEIGHT && !(kind == DIST_OTHER && is_bytes))
		return true;
	if ((kept = arena_copy(reading->arena, key, strlen(key))) == NULL)
		return error_no_memory(err, strlen(key) + 1);
	if (!is_bytes) {
		metadata->tensors[metadata->tensor_count] = (struct dist_tensor){ .key = kept };
		return read_tensor(reading, value, &metadata->tensors[metadata->tensor_count++],
			err);
	}
	metadata->objects[metadata->object_count].key = kept;
	return take_item(reading, &(struct entry){ .key = key },
		&metadata->objects[metadata->object_count++].item, err);
}

static bool
read_all(struct reading *reading, const struct value *dict, struct error *err)
{
	struct dist_metadata *metadata = reading->metadata;
	const struct value   *twice;
	const char           *key;
	char                  found[160];
	uint32_t              index;
	size_t                i, room;

	if (dict == NULL || dict->kind != VALUE_DICT)
		return error_set(err, ERROR_CORRUPT, "dcpmeta", "state_dict_metadata is %s; a dict is "
			"expected", value_describe(dict, found, sizeof found));
	if ((twice = value_duplicate_key(dict)) != NULL)
		return error_set(err, ERROR_UNSAFE, "hash", "two values for key '%s'",
			text_escape(found, sizeof found, twice->text.bytes, twice->text.length));
	room = dict->count / 2 + 1;
	metadata->tensors = arena_take(reading->arena, room, sizeof *metadata->tensors);
	metadata->objects = arena_take(reading->arena, room, sizeof *metadata->objects);
	if (metadata->tensors == NULL || metadata->objects == NULL)
		return error_no_memory(err, room * sizeof *metadata->tensors);
	for (index = 0; index + 1 < dict->count; index += 2)
		if (!read_key(reading, dict->items[index], &key, err)
		    || !(read_one(reading, key, dict->items[index + 1], err)
			|| error_in_tensor(err, key)))
			return false;
	for (i = 0; i < reading->entry_count; i++) {
		const struct entry *entry = &reading->entries[i];

		if (entry->is_used || !entry->has_offset
		    || dist_names_kind(entry->key, NULL) != DIST_WEIGHT)
			continue;
		error_set(err, ERROR_CORRUPT, "orphan",
			"%s holds an item of it that is none of its pieces", entry->item.file);
		return error_in_tensor(err, entry->key);
	}
	return true;
}

/* ---- the file ----------------------------------------------------------------------------- */

/* The names outlive the values. */
static bool
keep_globals(const struct pickle_globals *globals, struct arena *arena,
	struct pickle_globals *to, struct error *err)
{
	size_t index;

	to->items = arena_take(arena, globals->count + 1, sizeof *to->items);
	if (to->items == NULL)
		return error_no_memory(err, globals->count * sizeof *to->items);
	for (index = 0; index < globals->count; index++) {
		const struct value *from = globals->items[index];
		struct value       *kept = arena_take(arena, 1, sizeof *kept);

		if (kept == NULL)
			return error_no_memory(err, sizeof *kept);
		kept->kind = VALUE_GLOBAL;
		kept->global.module = arena_copy(arena, from->global.module,
			strlen(from->global.module));
		kept->global.name = arena_copy(arena, from->global.name, strlen(from->global.name));
		if (kept->global.module == NULL || kept->global.name == NULL)
			return error_no_memory(err, sizeof *kept);
		to->items[to->count++] = kept;
	}
	return true;
}

static const struct value *
run_pickle(struct reading *reading, const struct input_file *file, struct error *err)
{
	struct byte_stream   *stream = byte_stream_open(file, 0, file->size, err);
	struct torch_source   source;
	struct pickle_globals globals = { 0 };
	const struct value   *root = NULL;

	if (stream == NULL)
		return NULL;
	if (file->size > pickle_default_limits.bytes)
		error_set(err, ERROR_LIMIT, "hugepkl", "it has %" PRIu64 " bytes (limit %" PRIu64
			" MiB)", file->size, pickle_default_limits.bytes >> 20);
	else if (torch_source_open(&source, stream, 0, file->size, false, file->size, err)) {
		root = torch_source_pickle(&source, file->size, &reading->scratch, &globals, err);
		if (root != NULL && source.consumed != file->size) {
			error_set(err, ERROR_CORRUPT, "nostop", "%" PRIu64 " bytes after STOP",
				file->size - source.consumed);
			root = NULL;
		}
		torch_source_close(&source);
	}
	byte_stream_close(stream);
	if (root != NULL && !keep_globals(&globals, reading->arena, &reading->metadata->globals,
			err))
		root = NULL;
	return root;
}

bool
dist_metadata_read(const struct input_file *file, struct arena *arena,
	struct dist_metadata *metadata, struct error *err)
{
	struct reading      reading = { .arena = arena, .metadata = metadata };
	const struct value *root;
	bool                done = false;

	*metadata = (struct dist_metadata){ 0 };
	arena_init(&reading.scratch, SCRATCH_LIMIT);
	metadata->rest = arena_take(arena, MAX_RESTS, sizeof *metadata->rest);
	if (metadata->rest == NULL)
		error_no_memory(err, MAX_RESTS * sizeof *metadata->rest);
	else if ((root = run_pickle(&reading, file, err)) != NULL)
		done = expect(root, "Metadata", err)
		    && read_entries(&reading, value_attribute(root, "storage_data"), err)
		    && read_all(&reading, value_attribute(root, "state_dict_metadata"), err);
	arena_fini(&reading.scratch);
	return done ? true : error_in_file(err, file->name);
}

const struct dist_object *
dist_metadata_object(const struct dist_metadata *metadata, const char *key)
{
	size_t index;

	for (index = 0; index < metadata->object_count; index++)
		if (strcmp(metadata->objects[index].key, key) == 0)
			return &metadata->objects[index];
	return NULL;
}
