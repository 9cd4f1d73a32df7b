#include "convert/hugging_face.h"

#include "base/text.h"
#include "gpt2/config.h"
#include "gpt2/safetensors_file.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONFIG_BYTES     ((uint64_t)1 << 20)
#define MAX_WEIGHT_FILES 1000
#define PARSE_BYTES      ((size_t)256 << 20)

/* ---- one safetensors file --------------------------------------------------------- */

static char *
shape_text(const struct safetensors_tensor *tensor, char *to, size_t size)
{
	size_t used = (size_t)snprintf(to, size, "[");

	for (unsigned i = 0; i < tensor->rank && used < size; i++)
		used += (size_t)snprintf(to + used, size - used, "%s%llu", i > 0 ? ", " : "",
			(unsigned long long)tensor->shape[i]);
	if (used < size)
		snprintf(to + used, size - used, "]");
	return to;
}

static void
list_tensors(struct listing *listing, const struct safetensors_index *index, const char *file,
	uint64_t *elements)
{
	for (size_t i = 0; i < index->count; i++) {
		const struct safetensors_tensor *tensor = &index->tensors[i];
		char                             shape[256];

		*elements += tensor->bytes / dtype_size(tensor->dtype);
		if (!listing->tensors_wanted)
			continue;
		listing_add_tensor(listing, &(struct m2h_tensor){
			.file = file, .name = answer_text(listing->answer, tensor->name),
			.dtype = dtype_name(tensor->dtype), .stride = "", .storage = "",
			.shape = answer_text(listing->answer, shape_text(tensor, shape, sizeof shape)),
			.offset = tensor->offset, .bytes = tensor->bytes,
		});
	}
}

bool
hugging_face_file(struct listing *listing, const char *path, struct m2h_file *file,
	uint64_t *elements, struct error *err)
{
	struct input_file       *input = input_file_open(path, ".", err);
	struct safetensors_index index = { 0 };
	struct arena             arena;
	char                     name[256];
	bool                     done;

	if (input == NULL)
		return false;
	arena_init(&arena, PARSE_BYTES);
	file->name = answer_text(listing->answer, text_base_name(name, sizeof name, path));
	file->member = "";
	file->bytes = input->size;
	done = safetensors_file_read(input, &arena, &index, err);
	if (done)
		list_tensors(listing, &index, file->name, elements);
	else
		error_in_file(err, path);
	arena_fini(&arena);
	input_file_close(input);
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

static int
is_weight_file(const struct dirent *entry)
{
	return text_has_suffix(entry->d_name, ".safetensors");
}

static bool
list_weight_files(struct listing *listing, const char *directory, struct m2h_model *model,
	const struct m2h_file **files, size_t *file_count, struct error *err)
{
	struct dirent  **entries = NULL;
	int              count = scandir(directory, &entries, is_weight_file, alphasort);
	struct m2h_file *table;
	bool             done = true;

	if (count < 0)
		return error_os(err, ERROR_NO_INPUT, "noread", "cannot list '%s'", directory);
	table = answer_take(listing->answer, (size_t)count, sizeof *table);
	if (table == NULL || count > MAX_WEIGHT_FILES)
		done = error_set(err, ERROR_LIMIT, "files", "more than %d weight files",
			MAX_WEIGHT_FILES);
	for (int i = 0; i < count; i++) {
		struct text path = { 0 };

		text_add(&path, "%s/%s", directory, entries[i]->d_name);
		if (done)
			done = path.failed ? error_no_memory(err, path.length)
				: hugging_face_file(listing, path.bytes, &table[i], &model->parameters, err);
		text_free(&path);
		free(entries[i]);
	}
	free(entries);
	*files = table;
	*file_count = done ? (size_t)count : 0;
	return done;
}

bool
hugging_face_directory(struct listing *listing, const char *path, struct m2h_model *model,
	const struct m2h_file **files, size_t *file_count, struct error *err)
{
	struct text config = { 0 };
	bool        done;

	*model = (struct m2h_model){ .family = "", .dialect = "", .container = "safetensors",
		.dtype = "", .iteration = "", .version_label = "" };
	text_add(&config, "%s/config.json", path);
	done = config.failed ? error_no_memory(err, config.length)
		: read_config(config.bytes, model, err);
	text_free(&config);
	return done && list_weight_files(listing, path, model, files, file_count, err);
}
