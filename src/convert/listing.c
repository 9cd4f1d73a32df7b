#include "convert/listing.h"

#include "base/signals.h"
#include "base/text.h"
#include "torch/torch_pass.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Room for one more element; NULL (and the table as it was) when memory ends. */
static void *
grow(struct listing *listing, void *table, size_t count, size_t *room, size_t size)
{
	size_t more = *room != 0 ? *room * 2 : 64;
	void  *grown;

	if (count < *room)
		return table;
	if ((grown = realloc(table, more * size)) == NULL) {
		listing->answer->failed = true;
		return NULL;
	}
	*room = more;
	return grown;
}

void
listing_add_global(struct listing *listing, const char *module, const char *name)
{
	char         full[512];
	const char **table = grow(listing, listing->globals, listing->global_count,
		&listing->global_room, sizeof *table);

	if (table == NULL)
		return;
	text_format(full, sizeof full, "%s.%s", module, name);
	listing->globals = table;
	listing->globals[listing->global_count++] = answer_text(listing->answer, full);
}

/* Equal names side by side, in the order in which they came. */
static int
compare_names(const void *a, const void *b)
{
	const char **x = *(const char **const *)a, **y = *(const char **const *)b;
	int          order = strcmp(*x, *y);

	return order != 0 ? order : (x > y) - (x < y);
}

bool
listing_settle_globals(struct listing *listing, struct error *err)
{
	size_t         count = listing->global_count, kept = 0;
	const char  ***sorted = calloc(count + 1, sizeof *sorted), *last = NULL;

	if (sorted == NULL)
		return error_no_memory(err, count * sizeof *sorted);
	for (size_t i = 0; i < count; i++)
		sorted[i] = &listing->globals[i];
	qsort(sorted, count, sizeof *sorted, compare_names);
	for (size_t i = 0; i < count; i++) {
		if (last != NULL && strcmp(last, *sorted[i]) == 0)
			*sorted[i] = NULL;
		else
			last = *sorted[i];
	}
	for (size_t i = 0; i < count; i++)
		if (listing->globals[i] != NULL)
			listing->globals[kept++] = listing->globals[i];
	listing->global_count = kept;
	free(sorted);
	return true;
}

static const char *
show_value(const struct value *value, char *to, size_t size)
{
	char number[TEXT_NUMBER_SIZE];

	switch (value->kind) {
	case VALUE_NONE: return "None";
	case VALUE_BOOL: return value->boolean ? "True" : "False";
	case VALUE_INT: return text_format(to, size, "%" PRId64, value->integer);
	case VALUE_FLOAT: return text_format(to, size, "%s", text_double(number, value->real));
	case VALUE_TEXT: return value->text.bytes;
	default: return value_describe(value, to, size);
	}
}

void
listing_add_argument(struct listing *listing, const struct value *name,
	const struct value *value)
{
	char                 shown[256];
	struct m2h_argument *table;

	if (name->kind != VALUE_TEXT)
		return;
	table = grow(listing, listing->arguments, listing->argument_count,
		&listing->argument_room, sizeof *table);
	if (table == NULL)
		return;
	listing->arguments = table;
	listing->arguments[listing->argument_count++] = (struct m2h_argument){
		answer_text(listing->answer, name->text.bytes),
		answer_text(listing->answer, show_value(value, shown, sizeof shown)),
	};
}

void
listing_add_tensor(struct listing *listing, const struct m2h_tensor *tensor)
{
	struct m2h_tensor *table = grow(listing, listing->tensors, listing->tensor_count,
		&listing->tensor_room, sizeof *table);

	if (table == NULL)
		return;
	listing->tensors = table;
	listing->tensors[listing->tensor_count++] = *tensor;
}

/* ---- torch files ------------------------------------------------------------------ */

struct torch_listing {
	struct listing     *listing;
	const struct shard *shard;
	bool                strict;
	size_t              seen;       /* tensors, readable or not */
};

static char *
stride_text(const struct tensor_view *view, char *to, size_t size)
{
	struct tensor_view strides = *view;

	memcpy(strides.shape, view->stride, sizeof strides.shape);
	return tensor_view_shape_text(&strides, to, size);
}

static bool
list_tensor(void *context, const char *path, const struct value *node, struct error *err)
{
	struct torch_listing       *torch = context;
	struct answer              *answer = torch->listing->answer;
	const struct torch_storage *storage;
	struct tensor_view          view;
	struct error                fault = { 0 };
	char                        shape[256], stride[256];

	torch->seen++;
	if (!torch_file_tensor(torch->shard->torch, node, &view, &fault)) {
		if (!torch->strict && fault.kind == ERROR_UNSUPPORTED)
			return true;
		*err = fault;
		return error_in_tensor(err, path);
	}
	if (!torch->listing->tensors_wanted)
		return true;
	storage = torch_file_storage(torch->shard->torch, view.storage);
	listing_add_tensor(torch->listing, &(struct m2h_tensor){
		.file = answer_text(answer, torch->shard->name),
		.name = answer_text(answer, path[0] == '\0' && torch->shard->piece != NULL
			? torch->shard->piece : path), .dtype = dtype_name(view.dtype),
		.shape = answer_text(answer, tensor_view_shape_text(&view, shape, sizeof shape)),
		.stride = answer_text(answer, stride_text(&view, stride, sizeof stride)),
		.storage = answer_text(answer, storage->key), .offset = view.offset,
		.bytes = tensor_view_count(&view) * dtype_size(view.dtype),
	});
	return true;
}

/* All bytes of a torch file through its pass, for the checks alone. */
static bool
check_bytes(const struct torch_file *file, struct error *err)
{
	struct byte_stream  *stream = torch_file_stream(file);
	struct torch_pass   *pass = torch_pass_open(file, NULL, NULL, err);
	const unsigned char *at;
	size_t               count = 0;
	bool                 done = pass != NULL && byte_stream_seek(stream, 0, err);

	while (done && (done = signals_go_on(err) && byte_stream_peek(stream, &at, &count, err))
	       && count > 0) {
		done = torch_pass_feed(pass, at, count, err);
		byte_stream_consume(stream, count);
	}
	done = done && torch_pass_finish(pass, err);
	torch_pass_close(pass);
	return done;
}

/* A zip in a deflated member may turn out to need its directory for that. */
static bool
check_shard_bytes(const struct shard *shard, struct error *err)
{
	struct torch_file *indexed;
	bool               done;

	if (check_bytes(shard->torch, err) || strcmp(err->slug, "walk") != 0)
		return err->kind == ERROR_NONE;
	*err = (struct error){ 0 };
	indexed = torch_file_open_indexed(shard->stream, (size_t)32 << 20, err);
	done = indexed != NULL && check_bytes(indexed, err);
	torch_file_close(indexed);
	return done;
}

bool
listing_add_torch(struct listing *listing, const struct shard *shard, bool strict,
	struct error *err)
{
	struct torch_listing torch = { listing, shard, strict, 0 };

	if (!torch_file_each_tensor(shard->torch, list_tensor, &torch, err))
		return false;
	if (strict && torch.seen == 0)
		return error_set(err, ERROR_UNSUPPORTED, "notensors", "there is no tensor in it");
	return !listing->tensors_wanted || check_shard_bytes(shard, err);
}

/* ---- the answer ------------------------------------------------------------------- */

void
listing_answer(const struct listing *listing, struct m2h_inspection *result)
{
	result->tensors = listing->tensors;
	result->tensor_count = listing->tensor_count;
	result->globals = listing->globals;
	result->global_count = listing->global_count;
	result->arguments = listing->arguments;
	result->argument_count = listing->argument_count;
}

void
listing_fini(struct listing *listing)
{
	free(listing->tensors);
	free(listing->globals);
	free(listing->arguments);
	*listing = (struct listing){ 0 };
}
