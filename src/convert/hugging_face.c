#include "convert/hugging_face.h"

#include "base/signals.h"
#include "base/text.h"
#include "check/weight_set.h"
#include "gpt2/config.h"

#include <stdlib.h>
#include <string.h>

#define CONFIG_BYTES ((uint64_t)1 << 20)

/* ---- weights ---------------------------------------------------------------------- */

static void
list_tensor(struct listing *listing, const struct weight_set *set,
	const struct weight_tensor *tensor)
{
	struct tensor_view view = { .rank = tensor->rank };
	char               shape[256], stride[256];

	memcpy(view.shape, tensor->stride, sizeof tensor->stride);
	tensor_view_shape_text(&view, stride, sizeof stride);
	memcpy(view.shape, tensor->shape, sizeof tensor->shape);
	tensor_view_shape_text(&view, shape, sizeof shape);
	listing_add_tensor(listing, &(struct m2h_tensor){
		.file = answer_text(listing->answer, set->files[tensor->file].name),
		.name = answer_text(listing->answer, tensor->name),
		.dtype = dtype_name(tensor->dtype), .storage = "",
		.stride = answer_text(listing->answer, stride),
		.shape = answer_text(listing->answer, shape), .offset = tensor->offset,
		.bytes = weight_set_elements(tensor) * dtype_size(tensor->dtype),
	});
}

static int
compare_places(const void *a, const void *b)
{
	const struct weight_tensor *x = *(const struct weight_tensor *const *)a;
	const struct weight_tensor *y = *(const struct weight_tensor *const *)b;

	if (x->file != y->file)
		return x->file < y->file ? -1 : 1;
	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	if (weight_set_elements(x) != weight_set_elements(y))
		return weight_set_elements(x) < weight_set_elements(y) ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* In the order in which they lie in the files. */
static const struct weight_tensor **
sort_tensors(const struct weight_set *set, struct error *err)
{
	const struct weight_tensor **sorted = calloc(set->count + 1, sizeof *sorted);

	if (sorted == NULL) {
		error_no_memory(err, set->count * sizeof *sorted);
		return NULL;
	}
	for (size_t i = 0; i < set->count; i++)
		sorted[i] = &set->tensors[i];
	qsort(sorted, set->count, sizeof *sorted, compare_places);
	return sorted;
}

static bool
is_same_place(const struct weight_tensor *a, const struct weight_tensor *b)
{
	return a->file == b->file && a->offset == b->offset
		&& weight_set_elements(a) == weight_set_elements(b);
}

/* Elements that several tensors share are counted once, masks not at all. */
static uint64_t
count_parameters(const struct weight_tensor *const *sorted, size_t count)
{
	uint64_t parameters = 0;

	for (size_t i = 0; i < count; i++)
		if ((i == 0 || !is_same_place(sorted[i - 1], sorted[i]))
		    && !text_has_suffix(sorted[i]->name, ".attn.bias")
		    && !text_has_suffix(sorted[i]->name, ".attn.masked_bias"))
			parameters += weight_set_elements(sorted[i]);
	return parameters;
}

static bool
look_at_tensors(struct listing *listing, const struct weight_set *set,
	struct m2h_model *model, struct error *err)
{
	const struct weight_tensor **sorted = sort_tensors(set, err);
	bool                         done = sorted != NULL;

	if (done)
		model->parameters = count_parameters(sorted, set->count);
	for (size_t i = 0; i < set->count && done && listing->tensors_wanted; i++)
		if ((done = signals_go_on(err)))
			list_tensor(listing, set, sorted[i]);
	free(sorted);
	return done;
}

bool
hugging_face_file(struct listing *listing, const char *path, struct m2h_model *model,
	const struct m2h_file **files, size_t *file_count, struct error *err)
{
	struct weight_set *set = weight_set_open(path, WEIGHTS_ANY, err);
	struct m2h_file   *table;
	bool               done;

	if (set == NULL)
		return false;
	table = answer_take(listing->answer, set->file_count, sizeof *table);
	for (size_t i = 0; i < set->file_count && table != NULL; i++) {
		table[i].name = answer_text(listing->answer, set->files[i].name);
		table[i].member = "";
		table[i].bytes = set->files[i].input->size;
	}
	if (set->file_count > 0)
		model->container = text_has_suffix(set->files[0].name, ".safetensors")
			? "safetensors" : "torch files";
	*files = table;
	*file_count = table != NULL ? set->file_count : 0;
	done = (table != NULL || error_no_memory(err, sizeof *table))
		&& look_at_tensors(listing, set, model, err);
	weight_set_close(set);
	return done;
}

/* ---- a directory ------------------------------------------------------------------ */

static bool
read_config(const char *path, struct m2h_model *model, struct error *err)
{
	struct input_file *file = input_file_open(path, ".", err);
	struct gpt2_config config;
	char               activation[64], *bytes;
	bool               done;

	if (file == NULL)
		return false;
	bytes = input_file_text(file, CONFIG_BYTES, err);
	done = bytes != NULL
		&& config_read(bytes, (size_t)file->size, &config, activation, err);
	if (done) {
		model->family = "GPT-2";
		model->layers = config.sizes.n_layer;
		model->hidden = config.sizes.n_embd;
		model->heads = config.n_head;
		model->ffn = config.sizes.n_inner;
		model->positions = config.sizes.n_positions;
		model->vocabulary = model->padded_vocabulary = config.sizes.vocab_size;
	} else {
		error_in_file(err, path);
	}
	free(bytes);
	input_file_close(file);
	return done;
}

bool
hugging_face_directory(struct listing *listing, const char *path, struct m2h_model *model,
	const struct m2h_file **files, size_t *file_count, struct error *err)
{
	struct text config = { 0 };
	bool        done;

	*model = (struct m2h_model){ .family = "", .dialect = "", .container = "", .dtype = "",
		.iteration = "", .version_label = "" };
	text_add(&config, "%s/config.json", path);
	done = config.failed ? error_no_memory(err, config.length)
		: read_config(config.bytes, model, err);
	text_free(&config);
	return done && hugging_face_file(listing, path, model, files, file_count, err);
}
