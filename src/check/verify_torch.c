#include "check/verify_torch.h"

#include "container/identify.h"
#include "torch/torch_pass.h"

#include <stdlib.h>
#include <string.h>

#define PICKLE_MEMORY ((size_t)256 << 20)

_Static_assert(SAFETENSORS_MAX_RANK >= TENSOR_MAX_RANK, "shapes are copied");

struct verify_torch {
	struct arena              *arena;
	struct byte_stream        *stream;
	struct torch_file         *file;
	struct torch_pass         *pass;
	struct safetensors_tensor *tensors;
	size_t                     count, room;
};

static bool
count_tensor(void *context, const char *path, const struct value *node, struct error *err)
{
	struct verify_torch *torch = context;

	(void)path, (void)node, (void)err;
	torch->room++;
	return true;
}

static bool
keep_tensor(void *context, const char *path, const struct value *node, struct error *err)
{
	struct verify_torch       *torch = context;
	struct safetensors_tensor *tensor = &torch->tensors[torch->count];
	struct tensor_view         view;

	if (torch->count == torch->room)
		return error_set(err, ERROR_INTERNAL, "vtorch", "a tensor more than were counted");
	if (!torch_file_tensor(torch->file, node, &view, err))
		return error_in_tensor(err, path);
	if ((tensor->name = arena_copy(torch->arena, path, strlen(path))) == NULL)
		return error_no_memory(err, strlen(path));
	tensor->dtype = view.dtype;
	tensor->rank = view.rank;
	memcpy(tensor->shape, view.shape, view.rank * sizeof *view.shape);
	tensor->bytes = tensor_view_count(&view) * dtype_size(view.dtype);
	torch->count++;
	return true;
}

static bool
read_tensors(struct verify_torch *torch, struct error *err)
{
	if (!torch_file_each_tensor(torch->file, count_tensor, torch, err))
		return false;
	torch->tensors = arena_take(torch->arena, torch->room, sizeof *torch->tensors);
	if (torch->tensors == NULL)
		return error_no_memory(err, torch->room * sizeof *torch->tensors);
	return torch_file_each_tensor(torch->file, keep_tensor, torch, err);
}

static bool
open_parts(struct verify_torch *torch, const struct input_file *file, struct error *err)
{
	if ((torch->stream = byte_stream_open(file, 0, file->size, err)) == NULL)
		return false;
	switch (identify_stream(torch->stream, err)) {
	case IDENTITY_ZIP:
	case IDENTITY_TORCH_LEGACY:
		break;
	case IDENTITY_SAFETENSORS:
		return error_set(err, ERROR_CORRUPT, "vtorch",
			"a safetensors file under the name of a torch file");
	case IDENTITY_REFUSED:
		return false;
	}
	return (torch->file = torch_file_open(torch->stream, PICKLE_MEMORY, err)) != NULL
		&& read_tensors(torch, err)
		&& (torch->pass = torch_pass_open(torch->file, NULL, NULL, err)) != NULL;
}

struct verify_torch *
verify_torch_open(const struct input_file *file, struct arena *arena, struct error *err)
{
	struct verify_torch *torch = calloc(1, sizeof *torch);

	if (torch == NULL) {
		error_no_memory(err, sizeof *torch);
		return NULL;
	}
	torch->arena = arena;
	if (!open_parts(torch, file, err)) {
		verify_torch_close(torch);
		return NULL;
	}
	return torch;
}

bool
verify_torch_feed(struct verify_torch *torch, const unsigned char *bytes, size_t count,
	struct error *err)
{
	return torch_pass_feed(torch->pass, bytes, count, err);
}

bool
verify_torch_finish(struct verify_torch *torch, struct safetensors_tensor **tensors,
	size_t *count, struct error *err)
{
	*tensors = torch->tensors;
	*count = torch->count;
	return torch_pass_finish(torch->pass, err);
}

void
verify_torch_close(struct verify_torch *torch)
{
	if (torch == NULL)
		return;
	torch_pass_close(torch->pass);
	torch_file_close(torch->file);
	byte_stream_close(torch->stream);
	free(torch);
}
