#include "check/weight_set.h"

#include "base/descriptor.h"
#include "base/text.h"
#include "check/weight_index.h"
#include "check/weight_read.h"
#include "container/identify.h"
#include "gpt2/gpt2_names.h"
#include "gpt2/safetensors_file.h"
#include "torch/torch_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Names and tables; the largest header a file may have makes some 50 MB of them. */
#define ARENA_LIMIT   ((size_t)512 << 20)
#define PICKLE_MEMORY ((size_t)256 << 20)
#define INDEX_BYTES   (UINT64_C(64) << 20)

_Static_assert(SAFETENSORS_MAX_RANK == TENSOR_MAX_RANK, "shapes are copied");

/* A set while it is put together. */
struct opening {
	struct weight_set *set;
	size_t             room;                /* of the table of tensors */
	struct torch_file *torch;               /* while its tensors are listed */
	size_t             torch_first;         /* the first of them in the table */
};

/* ---- tensors ---------------------------------------------------------------------- */

static int
compare_tensors(const void *a, const void *b)
{
	return strcmp(((const struct weight_tensor *)a)->name,
		((const struct weight_tensor *)b)->name);
}

static bool
add_tensor(struct opening *opening, const struct weight_tensor *tensor, struct error *err)
{
	struct weight_set    *set = opening->set;
	struct weight_tensor *added;

	if (set->count == opening->room) {
		size_t                room = opening->room == 0 ? 256 : 2 * opening->room;
		struct weight_tensor *grown = realloc(set->tensors, room * sizeof *grown);

		if (grown == NULL)
			return error_no_memory(err, room * sizeof *grown);
		set->tensors = grown;
		opening->room = room;
	}
	added = &set->tensors[set->count];
	*added = *tensor;
	added->name = arena_copy(&set->arena, tensor->name, strlen(tensor->name));
	if (added->name == NULL)
		return error_no_memory(err, strlen(tensor->name));
	added->file = set->file_count - 1;
	/* Strides of what has no element mean nothing. */
	if (weight_set_elements(tensor) == 0)
		memset(added->stride, 0, sizeof added->stride);
	set->count++;
	return true;
}

static bool
add_safetensors(struct opening *opening, const struct input_file *input, struct error *err)
{
	struct safetensors_index index;

	if (!safetensors_file_read(input, &opening->set->arena, &index, err))
		return false;
	for (size_t i = 0; i < index.count; i++) {
		const struct safetensors_tensor *found = &index.tensors[i];
		struct weight_tensor             tensor = { .name = found->name,
			.dtype = found->dtype, .rank = found->rank, .offset = found->offset };
		uint64_t                         stride = 1;

		memcpy(tensor.shape, found->shape, sizeof tensor.shape);
		for (unsigned d = found->rank; d-- > 0;) {
			tensor.stride[d] = stride;
			stride *= tensor.shape[d];
		}
		if (!add_tensor(opening, &tensor, err))
			return false;
	}
	return true;
}

/* ---- torch files ------------------------------------------------------------------ */

static bool
keep_tensor(void *context, const char *path, const struct value *node, struct error *err)
{
	struct opening             *opening = context;
	struct weight_tensor        tensor = { .name = path };
	const struct torch_storage *storage;
	struct tensor_view          view;

	if (!torch_file_tensor(opening->torch, node, &view, err))
		return error_in_tensor(err, path);
	storage = torch_file_storage(opening->torch, view.storage);
	tensor.dtype = view.dtype;
	tensor.rank = view.rank;
	memcpy(tensor.shape, view.shape, sizeof tensor.shape);
	memcpy(tensor.stride, view.stride, sizeof tensor.stride);
	if (tensor_view_count(&view) > 0) {
		if (!storage->is_placed) {
			error_set(err, ERROR_UNSUPPORTED, "deflated",
				"its storage is compressed and cannot be read in pieces");
			return error_in_tensor(err, path);
		}
		tensor.offset = storage->offset + view.offset * dtype_size(view.dtype);
	}
	return add_tensor(opening, &tensor, err);
}

/* The walk comes to each tensor once; the outermost dict may have it under more keys, as an
 * output layer that is the embedding. */
static bool
add_aliases(struct opening *opening, struct error *err)
{
	const struct value  *root = torch_file_root(opening->torch);
	const size_t         walked = opening->set->count - opening->torch_first;
	struct weight_tensor wanted;

	if (root->kind != VALUE_DICT || walked == 0)
		return true;
	qsort(opening->set->tensors + opening->torch_first, walked, sizeof wanted,
		compare_tensors);
	for (uint32_t i = 0; i + 1 < root->count; i += 2) {
		const struct value *key = root->items[i], *node = root->items[i + 1];

		if (key->kind != VALUE_TEXT || !torch_file_is_tensor(opening->torch, node))
			continue;
		if (!text_is_utf8(key->text.bytes, key->text.length))
			return error_set(err, ERROR_CORRUPT, "strings",
				"the name of a tensor is not UTF-8 text without NUL");
		wanted.name = key->text.bytes;
		if (bsearch(&wanted, opening->set->tensors + opening->torch_first, walked,
			sizeof wanted, compare_tensors) == NULL
		    && !keep_tensor(opening, key->text.bytes, node, err))
			return false;
	}
	return true;
}

static bool
add_torch(struct opening *opening, struct byte_stream *stream, struct error *err)
{
	bool done;

	if ((opening->torch = torch_file_open(stream, PICKLE_MEMORY, err)) == NULL)
		return false;
	opening->torch_first = opening->set->count;
	done = torch_file_each_tensor(opening->torch, keep_tensor, opening, err)
		&& add_aliases(opening, err);
	torch_file_close(opening->torch);
	opening->torch = NULL;
	return done;
}

/* ---- files ------------------------------------------------------------------------ */

static bool
add_content(struct opening *opening, const struct input_file *input, enum weight_form form,
	struct error *err)
{
	struct byte_stream *stream = byte_stream_open(input, 0, input->size, err);
	bool                done = false;

	if (stream == NULL)
		return false;
	switch (identify_stream(stream, err)) {
	case IDENTITY_ZIP:
	case IDENTITY_TORCH_LEGACY:
		done = form == WEIGHTS_SAFETENSORS
			? error_set(err, ERROR_CORRUPT, "otherformat",
				"what torch.save writes, where a safetensors file was expected")
			: add_torch(opening, stream, err);
		break;
	case IDENTITY_SAFETENSORS:
		done = form == WEIGHTS_TORCH
			? error_set(err, ERROR_CORRUPT, "otherformat",
				"a safetensors file, where one that torch.save wrote was expected")
			: add_safetensors(opening, input, err);
		break;
	case IDENTITY_REFUSED:
		break;
	}
	byte_stream_close(stream);
	return done;
}

/* An entry of `directory` (which may be AT_FDCWD); `shown` is what messages call it. */
static bool
add_file(struct opening *opening, int directory, const char *entry, const char *shown,
	enum weight_form form, struct error *err)
{
	struct weight_set  *set = opening->set;
	struct weight_file *grown, *file;
	char                name[256];

	if (set->file_count == GPT2_MAX_WEIGHT_FILES)
		return error_set(err, ERROR_LIMIT, "files", "more than %d weight files",
			GPT2_MAX_WEIGHT_FILES);
	grown = realloc(set->files, (set->file_count + 1) * sizeof *grown);
	if (grown == NULL)
		return error_no_memory(err, (set->file_count + 1) * sizeof *grown);
	set->files = grown;
	file = &grown[set->file_count];
	if ((file->input = input_file_open_at(directory, entry, shown, err)) == NULL)
		return error_in_file(err, shown);
	set->file_count++;
	text_base_name(name, sizeof name, entry);
	if ((file->name = arena_copy(&set->arena, name, strlen(name))) == NULL)
		return error_no_memory(err, strlen(name));
	return add_content(opening, file->input, form, err) || error_in_file(err, shown);
}

/* ---- directories ------------------------------------------------------------------ */

/* In the order in which transformers looks for them. */
static const struct candidate {
	enum weight_form form;
	const char      *name;
	enum weight_form shards;        /* of an index; else WEIGHTS_ANY */
} candidates[] = {
	{ WEIGHTS_SAFETENSORS, "model.safetensors", WEIGHTS_ANY },
	{ WEIGHTS_SAFETENSORS, "model.safetensors.index.json", WEIGHTS_SAFETENSORS_SHARDS },
	{ WEIGHTS_TORCH, "pytorch_model.bin", WEIGHTS_ANY },
	{ WEIGHTS_TORCH, "pytorch_model.bin.index.json", WEIGHTS_TORCH_SHARDS },
};
#define CANDIDATE_COUNT (sizeof candidates / sizeof *candidates)

/* A directory that is open, and what it was called. */
struct folder {
	const char *path;
	int         fd;
};

static bool
add_entry(struct opening *opening, const struct folder *folder, const char *entry,
	enum weight_form form, struct error *err)
{
	struct text shown = { 0 };
	bool        done;

	text_add(&shown, "%s/%s", folder->path, entry);
	done = shown.failed ? error_no_memory(err, shown.length)
		: add_file(opening, folder->fd, entry, shown.bytes, form, err);
	text_free(&shown);
	return done;
}

/* Every tensor that the index places in a shard is one of its tensors, which stand in the
 * table from `first` on. */
static bool
check_placed(struct opening *opening, size_t first, const struct weight_mapping *mappings,
	size_t count, struct error *err)
{
	struct weight_set *set = opening->set;

	if (set->count > first)
		qsort(set->tensors + first, set->count - first, sizeof *set->tensors,
			compare_tensors);
	for (size_t i = 0; i < count; i++) {
		const struct weight_tensor wanted = { .name = mappings[i].tensor };

		if (set->count > first && bsearch(&wanted, set->tensors + first,
			set->count - first, sizeof wanted, compare_tensors) != NULL)
			continue;
		error_set(err, ERROR_CORRUPT, "vindex",
			"is missing here, where the index places it");
		error_in_tensor(err, mappings[i].tensor);
		return error_in_file(err, set->files[set->file_count - 1].input->name);
	}
	return true;
}

static bool
add_shards(struct opening *opening, const struct folder *folder,
	const struct weight_index *index, enum weight_form form, struct error *err)
{
	size_t end;

	/* Each stays open, and another set may be that this one is compared with. */
	input_file_allow(2 * (size_t)GPT2_MAX_WEIGHT_FILES);
	for (size_t i = 0; i < index->count; i = end) {
		const char *file = index->mappings[i].file;
		size_t      first = opening->set->count;

		if (file == NULL) {
			error_set(err, ERROR_CORRUPT, "vindex", "its file is not a string");
			return error_in_tensor(err, index->mappings[i].tensor);
		}
		if (!weight_index_is_bare(file)) {
			error_set(err, ERROR_UNSAFE, "vindex",
				"refusing \"%.200s\": the name of a shard is no path", file);
			return error_in_tensor(err, index->mappings[i].tensor);
		}
		for (end = i + 1; end < index->count
		     && strcmp(index->mappings[end].file, file) == 0; end++)
			;
		if (!add_entry(opening, folder, file, form, err)
		    || !check_placed(opening, first, &index->mappings[i], end - i, err))
			return false;
	}
	return true;
}

static bool
add_index(struct opening *opening, const struct folder *folder,
	const struct candidate *candidate, struct error *err)
{
	struct input_file  *input = input_file_open_at(folder->fd, candidate->name,
		candidate->name, err);
	struct weight_index index;
	char               *text;
	bool                done = false;

	if (input == NULL)
		return false;
	text = input_file_text(input, INDEX_BYTES, err);
	if (text != NULL && weight_index_parse(text, (size_t)input->size, &index, err)) {
		done = add_shards(opening, folder, &index, candidate->form, err);
		if (!done && err->kind == ERROR_NO_INPUT)
			error_hint(err, "it is named in %s", candidate->name);
		weight_index_fini(&index);
	}
	free(text);
	input_file_close(input);
	return done;
}

/* The first of the candidates from `next` on that is there too. */
static const char *
find_other(const struct folder *folder, size_t next)
{
	for (size_t i = next; i < CANDIDATE_COUNT; i++)
		if (faccessat(folder->fd, candidates[i].name, F_OK, 0) == 0)
			return candidates[i].name;
	return NULL;
}

static bool
add_directory(struct opening *opening, const struct folder *folder, enum weight_form form,
	struct error *err)
{
	for (size_t i = 0; i < CANDIDATE_COUNT; i++) {
		const struct candidate *candidate = &candidates[i];
		struct stat             found;
		struct text             shown = { 0 };

		if (form != WEIGHTS_ANY && form != candidate->form && form != candidate->shards)
			continue;
		if (fstatat(folder->fd, candidate->name, &found, 0) != 0) {
			if (errno == ENOENT)
				continue;
			error_os(err, ERROR_NO_INPUT, "noinput", "cannot look at %s",
				candidate->name);
			return error_in_file(err, folder->path);
		}
		if (form == WEIGHTS_ANY)
			opening->set->passed_over = find_other(folder, i + 1);
		if (candidate->shards == WEIGHTS_ANY)
			return add_entry(opening, folder, candidate->name, candidate->form, err);
		if (add_index(opening, folder, candidate, err))
			return true;
		text_add(&shown, "%s/%s", folder->path, candidate->name);
		error_in_file(err, shown.failed ? candidate->name : shown.bytes);
		text_free(&shown);
		return false;
	}
	error_set(err, ERROR_NO_INPUT, "noweights", "there are no weights in it: expected %s",
		form == WEIGHTS_TORCH ? "pytorch_model.bin or its index"
		: form == WEIGHTS_SAFETENSORS ? "model.safetensors or its index"
		: "model.safetensors, pytorch_model.bin or an index of one");
	return error_in_file(err, folder->path);
}

/* ---- the set ---------------------------------------------------------------------- */

/* By name, and each name once. */
static bool
settle(struct weight_set *set, struct error *err)
{
	if (set->count > 0)
		qsort(set->tensors, set->count, sizeof *set->tensors, compare_tensors);
	for (size_t i = 1; i < set->count; i++) {
		const struct weight_tensor *one = &set->tensors[i - 1], *other = &set->tensors[i];

		if (strcmp(one->name, other->name) != 0)
			continue;
		error_set(err, ERROR_CORRUPT, "nametwice", "stands twice: in %.100s and in %.100s",
			set->files[one->file < other->file ? one->file : other->file].name,
			set->files[one->file < other->file ? other->file : one->file].name);
		error_in_tensor(err, one->name);
		return error_in_file(err, set->files[other->file].input->name);
	}
	return true;
}

static bool
open_path(struct opening *opening, const char *path, enum weight_form form, struct error *err)
{
	struct folder folder = { .path = path };
	bool          done;

	folder.fd = descriptor_open_directory(AT_FDCWD, path, 0);
	if (folder.fd < 0 && (errno == ENOTDIR || errno == ENOENT))
		return add_file(opening, AT_FDCWD, path, path, form, err);
	if (folder.fd < 0) {
		error_os(err, ERROR_NO_INPUT, "noinput", "cannot open it");
		return error_in_file(err, path);
	}
	done = add_directory(opening, &folder, form, err);
	close(folder.fd);
	return done;
}

struct weight_set *
weight_set_open(const char *path, enum weight_form form, struct error *err)
{
	struct opening opening = { .set = calloc(1, sizeof *opening.set) };

	if (opening.set == NULL) {
		error_no_memory(err, sizeof *opening.set);
		return NULL;
	}
	arena_init(&opening.set->arena, ARENA_LIMIT);
	if (!open_path(&opening, path, form, err) || !settle(opening.set, err)) {
		weight_set_close(opening.set);
		return NULL;
	}
	return opening.set;
}

const struct weight_tensor *
weight_set_find(const struct weight_set *set, const char *name)
{
	const struct weight_tensor wanted = { .name = name };

	return set->count == 0 ? NULL : bsearch(&wanted, set->tensors, set->count, sizeof wanted,
		compare_tensors);
}

bool
weight_set_read(const struct weight_set *set, const struct weight_tensor *tensor,
	uint64_t first, uint64_t count, void *to, struct error *err)
{
	if (first + count > weight_set_elements(tensor))
		return error_set(err, ERROR_INTERNAL, "range", "elements are asked for behind the last");
	return weight_read(set->files[tensor->file].input, tensor, first, count, to, err)
		|| error_in_tensor(err, tensor->name);
}

bool
weight_set_unchanged(const struct weight_set *set, struct error *err)
{
	for (size_t i = 0; i < set->file_count; i++)
		if (!input_file_unchanged(set->files[i].input, err))
			return false;
	return true;
}

uint64_t
weight_set_elements(const struct weight_tensor *tensor)
{
	uint64_t count = 1;

	for (unsigned i = 0; i < tensor->rank; i++)
		count *= tensor->shape[i];
	return count;
}

void
weight_set_close(struct weight_set *set)
{
	if (set == NULL)
		return;
	for (size_t i = 0; i < set->file_count; i++)
		input_file_close(set->files[i].input);
	free(set->files);
	free(set->tensors);
	arena_fini(&set->arena);
	free(set);
}
