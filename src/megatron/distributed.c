#include "megatron/distributed.h"

#include "base/json.h"
#include "base/text.h"
#include "megatron/argument_value.h"
#include "megatron/rank_name.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define INDEX      ".metadata"
#define MARKER     "metadata.json"
#define COMMON     "common.pt"
#define ZARR_HINT  "load it with the Megatron-LM that wrote it, and save it with --ckpt-format torch_dist"

#define MARKER_LIMIT ((size_t)64 << 10)

/* Where torch_dcp keeps what torch_dist has in one place. */
static const char *const words[] = { "args", "checkpoint_version", "iteration" };
#define WORD_COUNT (sizeof words / sizeof *words)

/* ---- the folder --------------------------------------------------------------------------- */

static bool
has_ranks(const struct folder_listing *listing)
{
	struct rank_name rank;
	size_t           index;

	for (index = 0; index < listing->count; index++)
		if (rank_name_parse(listing->names[index], strlen(listing->names[index]), &rank))
			return true;
	return false;
}

/* Megatron-LM looks for these in the same order. */
bool
distributed_is(const struct folder_listing *listing)
{
	bool has_index = folder_listing_has(listing, INDEX);
	bool has_marker = folder_listing_has(listing, MARKER);

	return (has_index && has_marker) || ((has_index || has_marker) && !has_ranks(listing));
}

static bool
check_marker(const char *bytes, size_t length, struct error *err)
{
	struct json *json = json_parse(bytes, length, err);
	const char  *backend;
	char         shown[64];
	bool         done = false;

	if (json == NULL)
		return false;
	backend = json_kind(json) == JSON_OBJECT && json_member(json, "sharded_backend") != NULL
	    ? json_string(json_member(json, "sharded_backend")) : NULL;
	if (backend == NULL)
		error_set(err, ERROR_UNSUPPORTED, "distckpt", MARKER " names no sharded_backend");
	else if (strcmp(backend, "zarr") == 0) {
		error_set(err, ERROR_UNSUPPORTED, "distckpt",
			"a distributed checkpoint of the zarr backend, which is not supported");
		error_hint(err, ZARR_HINT);
	} else if (strcmp(backend, "torch_dist") != 0)
		error_set(err, ERROR_UNSUPPORTED, "distckpt", "a distributed checkpoint of the "
			"backend '%s', which is not supported", text_escape(shown, sizeof shown,
			backend, strlen(backend)));
	else
		done = true;
	json_free(json);
	return done;
}

static bool
read_marker(int directory, const char *path, struct error *err)
{
	struct input_file *file = input_file_open_at(directory, MARKER, path, err);
	char              *bytes = NULL;
	bool               done = false;

	if (file == NULL)
		return false;
	if (file->size > MARKER_LIMIT)
		error_set(err, ERROR_LIMIT, "json", "%" PRIu64 " bytes (limit %zu)", file->size,
			MARKER_LIMIT);
	else if ((bytes = input_file_text(file, MARKER_LIMIT, err)) != NULL)
		done = check_marker(bytes, (size_t)file->size, err);
	free(bytes);
	input_file_close(file);
	return done ? true : error_in_file(err, path);
}

/* ---- inputs ------------------------------------------------------------------------------- */

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool
open_input(struct shards *shards, int directory, const char *shown, const char *name,
	struct error *err)
{
	const char *path = folder_listing_join(&shards->arena, shown, name, err);

	if (path == NULL)
		return false;
	shards->inputs[shards->input_count] = input_file_open_at(directory, name, path, err);
	if (shards->inputs[shards->input_count] == NULL)
		return false;
	return input_file_may_rest(shards->inputs[shards->input_count++], path, err);
}

/* The files that hold weights, or what tells of them: each once, sorted. */
static size_t
list_files(const struct distribution *distribution, bool has_common, const char **files)
{
	const struct dist_metadata *metadata = &distribution->metadata;
	size_t                      count = 0, index, chunk, kept = 0;

	for (index = 0; index < distribution->weight_count; index++) {
		const struct dist_tensor *tensor = distribution->weights[index].tensor;

		for (chunk = 0; chunk < tensor->chunk_count; chunk++)
			files[count++] = tensor->chunks[chunk].item.file;
	}
	for (index = 0; index < metadata->object_count && !has_common; index++)
		if (text_has_prefix(metadata->objects[index].key, "common_state/")
		    || bsearch(&metadata->objects[index].key, words, WORD_COUNT, sizeof *words,
			by_text) != NULL)
			files[count++] = metadata->objects[index].item.file;
	if (count > 0)
		qsort(files, count, sizeof *files, by_text);
	for (index = 0; index < count; index++)
		if (kept == 0 || strcmp(files[kept - 1], files[index]) != 0)
			files[kept++] = files[index];
	return kept;
}

static size_t
count_pieces(const struct distribution *distribution)
{
	size_t index, count = 0;

	for (index = 0; index < distribution->weight_count; index++)
		count += distribution->weights[index].tensor->chunk_count;
	return count;
}

static bool
open_inputs(struct shards *shards, int directory, const char *shown, bool has_common,
	const char *const *files, size_t file_count, struct error *err)
{
	size_t              i, room = file_count + 2;
	struct input_file **inputs = arena_take(&shards->arena, room, sizeof *inputs);

	if (inputs == NULL)
		return error_no_memory(err, room * sizeof *inputs);
	inputs[0] = shards->inputs[0];
	shards->inputs = inputs;
	input_file_allow(room);
	if (has_common && !open_input(shards, directory, shown, COMMON, err))
		return false;
	for (i = 0; i < file_count; i++)
		if (!open_input(shards, directory, shown, files[i], err))
			return false;
	return true;
}

/* ---- items -------------------------------------------------------------------------------- */

/* "KEY[0, 48, 0]" */
static const char *
name_piece(struct shards *shards, const struct dist_tensor *tensor,
	const struct dist_chunk *chunk)
{
	struct tensor_view at = { .rank = tensor->rank };
	char               offsets[256], name[720];

	memcpy(at.shape, chunk->offset, sizeof at.shape);
	text_format(name, sizeof name, "%s%s", tensor->key,
		tensor_view_shape_text(&at, offsets, sizeof offsets));
	return arena_copy(&shards->arena, name, strlen(name));
}

static bool
add_item(struct shards *shards, const struct dist_item *item, const char *piece,
	const char *const *files, size_t file_count, struct error *err)
{
	const char  **file = bsearch(&item->file, files, file_count, sizeof *files, by_text);
	size_t        input;
	struct shard *shard = &shards->items[shards->count];

	if (piece == NULL || file == NULL)
		return error_no_memory(err, sizeof *shard);
	input = shards->input_count - file_count + (size_t)(file - (const char **)files);
	*shard = (struct shard){ .name = *file, .input = input, .piece = piece,
		.offset = item->offset, .length = item->length };
	if (item->offset > shards->inputs[input]->size
	    || item->length > shards->inputs[input]->size - item->offset) {
		error_set(err, ERROR_CORRUPT, "truncated", "%" PRIu64 " bytes at offset %" PRIu64
			" are needed, the file has %" PRIu64, item->length, item->offset,
			shards->inputs[input]->size);
		return shards_blame(shards, shards->count, err);
	}
	shards->count++;
	return true;
}

/* An object is read at once, and stays open. */
static bool
add_object(struct shards *shards, const struct dist_object *object, const char *const *files,
	size_t file_count, struct error *err)
{
	struct shard *shard = &shards->items[shards->count];

	if (!add_item(shards, &object->item, object->key, files, file_count, err))
		return false;
	shard->stream = byte_stream_open(shards->inputs[shard->input], shard->offset,
		shard->length, err);
	return shard->stream != NULL;
}

/* common.pt, or the one item that took its place, or those of torch_dcp. */
static bool
add_common(struct shards *shards, bool has_common, const char *const *files, size_t file_count,
	struct error *err)
{
	const struct dist_metadata *metadata = &shards->distribution->metadata;
	size_t                      index;

	if (has_common) {
		shards->items[shards->count++] = (struct shard){ .name = COMMON, .input = 1 };
		return true;
	}
	for (index = 0; index < metadata->object_count; index++)
		if (text_has_prefix(metadata->objects[index].key, "common_state/"))
			return add_object(shards, &metadata->objects[index], files, file_count, err);
	for (index = 0; index < WORD_COUNT; index++) {
		const struct dist_object *object = dist_metadata_object(metadata, words[index]);

		if (object != NULL && !add_object(shards, object, files, file_count, err))
			return false;
	}
	return true;
}

static int
by_place(const void *a, const void *b)
{
	const struct shard *x = *(const struct shard *const *)a;
	const struct shard *y = *(const struct shard *const *)b;

	return x->input != y->input ? (x->input < y->input ? -1 : 1)
	    : x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Each byte of a file belongs to one item, so that what is read follows from what is there. */
static bool
check_overlaps(struct shards *shards, struct error *err)
{
	const struct shard **items = arena_take(&shards->arena, shards->count + 1, sizeof *items);
	size_t               index;

	if (items == NULL)
		return error_no_memory(err, shards->count * sizeof *items);
	for (index = 0; index < shards->count; index++)
		items[index] = &shards->items[index];
	qsort(items, shards->count, sizeof *items, by_place);
	for (index = 1; index < shards->count; index++) {
		const struct shard *before = items[index - 1];

		if (before->piece == NULL || before->input != items[index]->input
		    || items[index]->offset - before->offset >= before->length)
			continue;
		error_set(err, ERROR_CORRUPT, "itemoverlap", "shares bytes with %s", before->piece);
		return shards_blame(shards, (size_t)(items[index] - shards->items), err);
	}
	return true;
}

static bool
add_items(struct shards *shards, bool has_common, const char *const *files, size_t file_count,
	struct error *err)
{
	struct distribution *distribution = shards->distribution;
	size_t               index, chunk, room = distribution->piece_count + WORD_COUNT + 1;

	shards->items = arena_take(&shards->arena, room, sizeof *shards->items);
	if (shards->items == NULL)
		return error_no_memory(err, room * sizeof *shards->items);
	if (!add_common(shards, has_common, files, file_count, err))
		return false;
	for (index = 0; index < distribution->weight_count; index++) {
		struct dist_weight       *weight = &distribution->weights[index];
		const struct dist_tensor *tensor = weight->tensor;

		weight->first_shard = shards->count;
		for (chunk = 0; chunk < tensor->chunk_count; chunk++)
			if (!add_item(shards, &tensor->chunks[chunk].item,
			        name_piece(shards, tensor, &tensor->chunks[chunk]), files,
			        file_count, err))
				return false;
	}
	return check_overlaps(shards, err);
}

/* ---- all of it ---------------------------------------------------------------------------- */

/* Tells weights from names that are none of a GPT's. */
static bool
sort_names(struct shards *shards, struct error *err)
{
	struct distribution *distribution = shards->distribution;
	size_t               index, count = distribution->metadata.tensor_count;

	distribution->weights = arena_take(&shards->arena, count + 1,
		sizeof *distribution->weights);
	distribution->unknown = arena_take(&shards->arena, count + 1,
		sizeof *distribution->unknown);
	if (distribution->weights == NULL || distribution->unknown == NULL)
		return error_no_memory(err, count * sizeof *distribution->weights);
	for (index = 0; index < count; index++) {
		struct dist_weight weight = { .tensor = &distribution->metadata.tensors[index] };

		dist_names_kind(weight.tensor->key, &weight.path);
		if (dist_names_role(weight.path, &weight.role))
			distribution->weights[distribution->weight_count++] = weight;
		else
			distribution->unknown[distribution->unknown_count++] = weight.path;
	}
	distribution->piece_count = count_pieces(distribution);
	return true;
}

/* A folder of somebody else's tensors. */
static bool
refuse_strange(const struct distribution *distribution, struct error *err)
{
	char   list[300] = "";
	size_t index, used;

	for (index = 0; index < distribution->unknown_count && index < 5; index++) {
		used = strlen(list);
		text_format(list + used, sizeof list - used, "%s%s", index > 0 ? ", " : "",
			distribution->unknown[index]);
	}
	error_set(err, ERROR_UNSUPPORTED, "distckpt",
		"a distributed checkpoint without the names of a Megatron Core GPT; it has: %s%s",
		index > 0 ? list : "no tensors", index < distribution->unknown_count ? ", ..." : "");
	return error_hint(err, "load it with Megatron-LM, and save it with --ckpt-format torch_dist");
}

static bool
open_index(struct shards *shards, int directory, const char *shown, struct error *err)
{
	/* Room for one: the number of the others is in it. */
	shards->inputs = arena_take(&shards->arena, 1, sizeof *shards->inputs);
	if (shards->inputs == NULL)
		return error_no_memory(err, sizeof *shards->inputs);
	return open_input(shards, directory, shown, INDEX, err)
	    && dist_metadata_read(shards->inputs[0], &shards->arena,
			&shards->distribution->metadata, err);
}

bool
distributed_open(struct shards *shards, int directory, const char *shown,
	const struct folder_listing *listing, struct error *err)
{
	struct distribution *distribution = arena_take(&shards->arena, 1, sizeof *distribution);
	bool                 has_marker = folder_listing_has(listing, MARKER);
	bool                 has_common = folder_listing_has(listing, COMMON);
	const char         **files, *path = folder_listing_join(&shards->arena, shown, MARKER, err);
	size_t               file_count, room;

	if (distribution == NULL || path == NULL)
		return error_no_memory(err, sizeof *distribution);
	if (has_marker && !read_marker(directory, path, err))
		return false;
	distribution->format = has_marker || has_common ? "torch_dist" : "torch_dcp";
	distribution->is_finished = has_marker || !has_common;
	shards->distribution = distribution;
	if (!open_index(shards, directory, shown, err) || !sort_names(shards, err))
		return false;
	if (distribution->weight_count == 0) {
		refuse_strange(distribution, err);
		return error_in_file(err, shown);
	}
	room = distribution->piece_count + distribution->metadata.object_count + 1;
	if ((files = arena_take(&shards->arena, room, sizeof *files)) == NULL)
		return error_no_memory(err, room * sizeof *files);
	file_count = list_files(distribution, has_common, files);
	distribution->file_count = file_count;
	return open_inputs(shards, directory, shown, has_common, files, file_count, err)
	    && add_items(shards, has_common, files, file_count, err);
}

/* A rank of FSDP for which no rows were left. */
static bool
is_empty(const struct dist_tensor *tensor, const struct dist_chunk *chunk)
{
	unsigned d = 0;

	while (d < tensor->rank && chunk->size[d] > 0)
		d++;
	return d < tensor->rank;
}

bool
distributed_may_repeat(const struct shards *shards, size_t input)
{
	const struct distribution *distribution = shards->distribution;
	size_t                     index, chunk;

	for (index = 0; index < distribution->weight_count; index++) {
		const struct dist_weight *weight = &distribution->weights[index];

		if (dialect_roles[weight->role.role].rank < 2)
			continue;
		for (chunk = 0; chunk < weight->tensor->chunk_count; chunk++)
			if (shards->items[weight->first_shard + chunk].input == input
			    && !is_empty(weight->tensor, &weight->tensor->chunks[chunk]))
				return false;
	}
	return true;
}

/* ---- what is common to all ---------------------------------------------------------------- */

/* torch_dcp keeps each word apart: a dict is made of them. */
static struct value *
gather_words(struct shards *shards, size_t count)
{
	struct value *dict = arena_take(&shards->arena, 1, sizeof *dict);
	struct value *keys = arena_take(&shards->arena, count, sizeof *keys);
	size_t        index;

	if (dict == NULL || keys == NULL)
		return NULL;
	dict->kind = VALUE_DICT;
	dict->items = arena_take(&shards->arena, 2 * count, sizeof *dict->items);
	if (dict->items == NULL)
		return NULL;
	for (index = 0; index < count; index++) {
		keys[index].kind = VALUE_TEXT;
		keys[index].text.bytes = shards->items[index].piece;
		keys[index].text.length = strlen(shards->items[index].piece);
		dict->items[dict->count++] = &keys[index];
		dict->items[dict->count++] = (struct value *)torch_file_root(
			shards->items[index].torch);
	}
	return dict;
}

static unsigned
size_of_run(const struct value *args, const char *name)
{
	uint64_t     size = 1;
	bool         found;
	struct error ignored;

	return argument_whole(args, name, &size, &found, &ignored) && found && size > 0
	    && size <= UINT16_MAX ? (unsigned)size : 1;
}

static bool
find_common(struct shards *shards, size_t count, struct error *err)
{
	struct distribution *distribution = shards->distribution;
	const struct value  *root = count > 0 ? torch_file_root(shards->items[0].torch) : NULL;
	char                 found[160];

	if (count == 0)
		return true;
	if (shards->items[0].piece != NULL
	    && !text_has_prefix(shards->items[0].piece, "common_state/"))
		return (distribution->common = gather_words(shards, count)) != NULL
		    || error_no_memory(err, sizeof *root);
	/* Megatron Core saves objects in lists, of those that one key has. */
	if (root->kind == VALUE_LIST && root->count == 1)
		root = root->items[0];
	if (root->kind != VALUE_DICT) {
		error_set(err, ERROR_UNSUPPORTED, "toplevel", "it holds %s; a dict is expected",
			value_describe(root, found, sizeof found));
		return shards_blame(shards, 0, err);
	}
	distribution->common = root;
	return true;
}

bool
distributed_take_common(struct shards *shards, struct decision_log *log, struct error *err)
{
	struct distribution *distribution = shards->distribution;
	const struct value  *args;
	struct error         ignored;
	size_t               count = shards->count - distribution->piece_count;

	if (!find_common(shards, count, err))
		return false;
	if (!argument_holder(value_find(distribution->common, "args"), &args, &ignored))
		args = NULL;
	shards->tensor_size = size_of_run(args, "tensor_model_parallel_size");
	shards->pipeline_size = size_of_run(args, "pipeline_model_parallel_size");
	shards->stage_count = 1;
	if (count == 0)
		decision_log_note(log, NOTE_WARNING, "no-common", "neither " COMMON " nor a common "
			"state is there: the checkpoint carries no arguments");
	if (!distribution->is_finished)
		decision_log_note(log, NOTE_WARNING, "unfinished", MARKER " is missing, which is "
			"written last: did the save end?");
	return true;
}
