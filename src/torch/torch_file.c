#include "torch/torch_file.h"

#include "container/identify.h"
#include "torch/torch_legacy.h"
#include "torch/torch_parts.h"
#include "torch/torch_rebuild.h"
#include "torch/torch_walk.h"
#include "torch/torch_zip.h"
#include "torch/torch_zip_walk.h"

#include <stdlib.h>

/* Back to what it was before anything was tried. */
static void
reset(struct torch_file *file, struct byte_stream *stream, size_t arena_limit)
{
	arena_fini(&file->arena);
	torch_storages_fini(&file->storages);
	zip_archive_close(file->archive);
	free(file->record_storage);
	free(file->order);
	*file = (struct torch_file){ .stream = stream };
	arena_init(&file->arena, arena_limit);
}

static bool
open_zip(struct torch_file *file, bool walk, size_t arena_limit, struct error *err)
{
	bool fits = false;

	if (walk && !torch_zip_walk_open(file, &fits, err))
		return false;
	if (fits)
		return true;
	reset(file, file->stream, arena_limit);
	return torch_zip_open(file, err);
}

static struct torch_file *
open_file(struct byte_stream *stream, bool walk, size_t arena_limit, struct error *err)
{
	struct torch_file *file = calloc(1, sizeof *file);
	bool               done = false;

	if (file == NULL) {
		error_no_memory(err, sizeof *file);
		return NULL;
	}
	reset(file, stream, arena_limit);
	switch (identify_stream(stream, err)) {
	case IDENTITY_ZIP:
		done = open_zip(file, walk, arena_limit, err);
		break;
	case IDENTITY_TORCH_LEGACY:
		done = torch_legacy_open(file, err);
		break;
	case IDENTITY_SAFETENSORS:
		error_set(err, ERROR_UNSUPPORTED, "otherformat",
			"this is a safetensors file; a file written by torch.save was expected");
		break;
	case IDENTITY_REFUSED:
		break;
	}
	if (!done) {
		torch_file_close(file);
		return NULL;
	}
	return file;
}

struct torch_file *
torch_file_open(struct byte_stream *stream, size_t arena_limit, struct error *err)
{
	return open_file(stream, byte_stream_is_deflated(stream), arena_limit, err);
}

struct torch_file *
torch_file_open_indexed(struct byte_stream *stream, size_t arena_limit, struct error *err)
{
	return open_file(stream, false, arena_limit, err);
}

enum torch_form
torch_file_form(const struct torch_file *file)
{
	return file->form;
}

const char *
torch_file_form_name(const struct torch_file *file)
{
	return file->form == TORCH_ZIP ? "torch zip" : "torch legacy stream";
}

bool
torch_file_inflates_twice(const struct torch_file *file)
{
	return file->inflates_twice;
}

const struct value *
torch_file_root(const struct torch_file *file)
{
	return file->root;
}

const struct pickle_globals *
torch_file_globals(const struct torch_file *file)
{
	return &file->globals;
}

size_t
torch_file_storage_count(const struct torch_file *file)
{
	return file->storages.count;
}

const struct torch_storage *
torch_file_storage(const struct torch_file *file, size_t index)
{
	return &file->storages.entries[index].storage;
}

struct byte_stream *
torch_file_stream(const struct torch_file *file)
{
	return file->stream;
}

uint64_t
torch_file_unused_bytes(const struct torch_file *file)
{
	return file->unused_bytes;
}

bool
torch_file_has_checksums(const struct torch_file *file)
{
	return file->has_checksums;
}

void
torch_file_close(struct torch_file *file)
{
	if (file == NULL)
		return;
	reset(file, NULL, 0);
	arena_fini(&file->arena);
	free(file);
}

bool
torch_file_is_tensor(const struct torch_file *file, const struct value *node)
{
	(void)file;
	return torch_rebuild_is_tensor(node);
}

bool
torch_file_tensor(const struct torch_file *file, const struct value *node,
	struct tensor_view *view, struct error *err)
{
	return torch_rebuild_view(&file->storages, node, view, err);
}

/* An nn.Module that somebody saved as a whole: its class is needed to make sense of it. */
static bool
is_module(const struct value *node)
{
	return node->kind == VALUE_OBJECT && value_attribute(node, "_parameters") != NULL
		&& value_attribute(node, "_modules") != NULL;
}

static bool
refuse_module(const struct value *node, struct error *err)
{
	const struct value *class = node->call.callable;
	char                shown[160];

	/* In a legacy stream the class is a persistent id: ('module', CLASS, file, source). */
	if (class->kind == VALUE_PERSISTENT && class->items[0]->count > 1)
		class = class->items[0]->items[1];
	error_set(err, ERROR_UNSUPPORTED, "foreignweight",
		"a whole module (%s), not a state dict", value_describe(class, shown, sizeof shown));
	return error_hint(err, "load it where its code is and save model.state_dict()");
}

bool
torch_file_each_tensor(const struct torch_file *file, torch_tensor_visitor *each,
	void *context, struct error *err)
{
	bool                done = false, found = false;
	char                path[TORCH_WALK_PATH_BYTES];
	struct torch_walk  *walk;
	const struct value *node, *module = NULL;

	if ((walk = torch_walk_open(file->root, err)) == NULL)
		return false;
	while ((node = torch_walk_next(walk, err)) != NULL) {
		if (is_module(node)) {
			module = node;
			torch_walk_skip(walk);
			continue;
		}
		if (!torch_rebuild_is_tensor(node))
			continue;
		found = true;
		if (!torch_walk_path(walk, path, err) || !each(context, path, node, err))
			goto out;
		torch_walk_skip(walk);
	}
	done = err->kind == ERROR_NONE && (found || module == NULL || refuse_module(module, err));
out:
	torch_walk_close(walk);
	return done;
}
