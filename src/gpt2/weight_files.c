#include "gpt2/weight_files.h"

#include "base/json.h"

#include <stdlib.h>
#include <string.h>

#define ARENA_BYTES ((size_t)256 << 20)
#define NO_FILE     SIZE_MAX

static const struct format_facts {
	const char *stem, *suffix, *index;
} formats[] = {
	[FORMAT_SAFETENSORS] = { "model", ".safetensors", "model.safetensors.index.json" },
	[FORMAT_TORCH]       = { "pytorch_model", ".bin", "pytorch_model.bin.index.json" },
};

/* ---- which tensor goes to which file ---------------------------------------------- */

/* Files of one format while tensors are dealt out to them. */
struct deal {
	size_t  *file_of;               /* by tensor of the state dict, counted from 0 */
	uint64_t total_bytes, parameters;
	size_t   file_count;
};

/*
 * The rule of huggingface_hub: the open file is closed when a tensor does not fit, and gets
 * its number only then; a tensor larger than the limit takes a number at once, so it comes
 * before the file that is open.
 */
static void
deal_out(const struct stored_tensor *tensors, size_t count, uint64_t limit, struct deal *deal)
{
	size_t   open_from = 0;         /* first tensor that may be in the open file */
	uint64_t open_bytes = 0;
	bool     is_open = false;

	for (size_t i = 0; i <= count; i++) {
		uint64_t bytes = i < count ? tensors[i].bytes : 0;

		if (i < count && (tensors[i].is_tied || bytes > limit)) {
			deal->file_of[i] = tensors[i].is_tied ? NO_FILE : deal->file_count++;
			continue;
		}
		if (is_open && (i == count || open_bytes + bytes > limit)) {
			for (size_t t = open_from; t < i; t++)
				if (!tensors[t].is_tied && tensors[t].bytes <= limit)
					deal->file_of[t] = deal->file_count;
			deal->file_count++;
			open_from = i;
			open_bytes = 0;
		}
		open_bytes += bytes;
		is_open = true;
	}
	for (size_t i = 0; i < count; i++) {
		if (tensors[i].is_tied) {
			deal->file_of[i] = deal->file_of[0];    /* wte is the first */
			continue;
		}
		deal->total_bytes += tensors[i].bytes;
		if (tensors[i].tensor.part != GPT2_ATTN_MASK
		    && tensors[i].tensor.part != GPT2_ATTN_MASKED_BIAS)
			deal->parameters += gpt2_names_elements(&tensors[i].tensor);
	}
}

/* ---- one file --------------------------------------------------------------------- */

static void
name_file(struct stored_file *file, size_t number, size_t count)
{
	const struct format_facts *format = &formats[file->format];

	if (count == 1)
		text_format(file->name, sizeof file->name, "%s%s", format->stem, format->suffix);
	else
		text_format(file->name, sizeof file->name, "%s-%05zu-of-%05zu%s", format->stem,
			number + 1, count, format->suffix);
}

/* Sorts the tensors of the file into its order and gives them their places. */
static bool
lay_out_safetensors(struct weight_files *files, struct stored_file *file, struct error *err)
{
	struct stored_tensor      *tensors = files->tensors + file->first;
	struct safetensors_tensor *table = calloc(file->count + 1, sizeof *table);
	struct stored_tensor      *unsorted = calloc(file->count + 1, sizeof *unsorted);
	bool                       done;

	if (table == NULL || unsorted == NULL) {
		done = error_no_memory(err, file->count * sizeof *unsorted);
		goto out;
	}
	for (size_t i = 0; i < file->count; i++) {
		unsorted[i] = tensors[i];
		table[i] = (struct safetensors_tensor){ .name = unsorted[i].tensor.name,
			.dtype = tensors[i].dtype, .rank = tensors[i].tensor.rank };
		memcpy(table[i].shape, tensors[i].tensor.shape, sizeof tensors[i].tensor.shape);
	}
	done = safetensors_lay_out(table, file->count, &file->header, &file->bytes, err);
	for (size_t i = 0; i < file->count && done; i++) {
		size_t from = 0;

		while (table[i].name != unsorted[from].tensor.name)
			from++;
		tensors[i] = unsorted[from];
		tensors[i].offset = table[i].offset;
	}
out:
	free(unsorted);
	free(table);
	return done;
}

/* Tied names stand behind the tensors, where the state dict has them too. */
static bool
lay_out_torch(struct weight_files *files, struct stored_file *file, struct error *err)
{
	struct stored_tensor       *tensors = files->tensors + file->first;
	size_t                      count = file->count, size = count + files->tied_count;
	struct torch_writer_tensor *table = calloc(size + 1, sizeof *table);

	if (table == NULL)
		return error_no_memory(err, size * sizeof *table);
	for (size_t i = 0; i < size; i++) {
		const struct stored_tensor *from = i < file->count ? &tensors[i]
			: &files->tied[i - file->count];

		if (i >= file->count && from->file != (size_t)(file - files->files))
			continue;
		table[i < file->count ? i : count++] = (struct torch_writer_tensor){
			.name = from->tensor.name, .dtype = from->dtype, .rank = from->tensor.rank,
			.shape = { from->tensor.shape[0], from->tensor.shape[1],
				from->tensor.shape[2], from->tensor.shape[3] },
			.storage = i < file->count ? i : 0 };
	}
	file->writer = torch_writer_open(formats[FORMAT_TORCH].stem, table, count, err);
	free(table);
	if (file->writer == NULL)
		return false;
	file->bytes = torch_writer_file_bytes(file->writer);
	for (size_t i = 0; i < file->count; i++)
		tensors[i].offset = torch_writer_offset(file->writer, i);
	for (size_t i = 0; i < files->tied_count; i++)
		if (files->tied[i].file == (size_t)(file - files->files))
			files->tied[i].offset = tensors[0].offset;
	return true;
}

/* ---- one format ------------------------------------------------------------------- */

static int
compare_tensor_names(const void *a, const void *b)
{
	const struct stored_tensor *const *x = a, *const *y = b;

	return strcmp((*x)->tensor.name, (*y)->tensor.name);
}

/* Indent 2, sorted keys, a newline at the end: as transformers writes it. */
static bool
write_index(struct weight_files *files, enum weight_format format, const struct deal *deal,
	size_t first, const struct stored_tensor **sorted, size_t count, bool counts_parameters,
	struct error *err)
{
	struct weight_index *index = &files->indexes[files->index_count++];
	struct json_writer   w = { .to = &index->text, .indent = 2, .ascii = true };

	index->name = formats[format].index;
	qsort(sorted, count, sizeof *sorted, compare_tensor_names);
	json_open(&w, '{');
	json_open_member(&w, "metadata", '{');
	if (counts_parameters)
		json_add_u64(&w, "total_parameters", deal->parameters);
	json_add_u64(&w, "total_size", deal->total_bytes);
	json_close(&w, '}');
	json_open_member(&w, "weight_map", '{');
	for (size_t i = 0; i < count; i++)
		json_add_string(&w, sorted[i]->tensor.name, files->files[first + sorted[i]->file].name);
	json_close(&w, '}');
	json_close(&w, '}');
	text_add(&index->text, "\n");
	return !index->text.failed || error_no_memory(err, index->text.length);
}

/* Sorts the tensors of one format into its files, which begin at number `first`. */
static void
fill_files(struct weight_files *files, const struct stored_tensor *tensors, size_t count,
	const struct deal *deal, size_t first)
{
	for (size_t f = 0; f < deal->file_count; f++) {
		struct stored_file *file = &files->files[first + f];

		file->first = files->tensor_count;
		for (size_t i = 0; i < count; i++) {
			struct stored_tensor *to = tensors[i].is_tied
				? &files->tied[files->tied_count] : &files->tensors[files->tensor_count];

			if (deal->file_of[i] != f)
				continue;
			*to = tensors[i];
			to->file = first + f;
			files->tied_count += tensors[i].is_tied;
			files->tensor_count += !tensors[i].is_tied;
			file->count += !tensors[i].is_tied;
		}
	}
}

static bool
add_format(struct weight_files *files, const struct stored_tensor *tensors, size_t count,
	enum weight_format format, const struct weight_files_options *options,
	struct stored_tensor *placed, struct error *err)
{
	const struct stored_tensor **sorted = arena_take(&files->arena, count, sizeof *sorted);
	struct deal                  deal = {
		.file_of = arena_take(&files->arena, count, sizeof *deal.file_of) };
	size_t                       first = files->file_count;
	bool                         done = true;

	if (sorted == NULL || deal.file_of == NULL)
		return error_no_memory(err, count * sizeof *deal.file_of);
	deal_out(tensors, count, options->shard_bytes, &deal);
	if (deal.file_count > GPT2_MAX_WEIGHT_FILES) {
		error_set(err, ERROR_LIMIT, "shards", "%zu weight files (at most %d)",
			deal.file_count, GPT2_MAX_WEIGHT_FILES);
		return error_hint(err, "a larger --max-shard-size makes fewer");
	}
	fill_files(files, tensors, count, &deal, first);
	files->file_count += deal.file_count;
	for (size_t f = 0; f < deal.file_count && done; f++) {
		struct stored_file *file = &files->files[first + f];

		file->format = format;
		name_file(file, f, deal.file_count);
		done = format == FORMAT_TORCH ? lay_out_torch(files, file, err)
			: lay_out_safetensors(files, file, err);
	}
	for (size_t i = 0; i < count; i++) {
		placed[i] = tensors[i];
		placed[i].file = deal.file_of[i];
		sorted[i] = &placed[i];
	}
	return done && (deal.file_count == 1 || write_index(files, format, &deal, first, sorted,
		count, options->counts_parameters, err));
}

/* ---- all -------------------------------------------------------------------------- */

static bool
add_formats(struct weight_files *files, const struct stored_tensor *tensors, size_t count,
	const struct weight_files_options *options, struct error *err)
{
	size_t                sets = (size_t)options->safetensors + options->torch;
	struct stored_tensor *sized, *placed;

	/* No more files than tensors. */
	files->files = arena_take(&files->arena, sets * count, sizeof *files->files);
	files->tensors = arena_take(&files->arena, sets * count, sizeof *files->tensors);
	files->tied = arena_take(&files->arena, sets * count, sizeof *files->tied);
	sized = arena_take(&files->arena, count, sizeof *sized);
	placed = arena_take(&files->arena, count, sizeof *placed);
	if (files->files == NULL || files->tensors == NULL || files->tied == NULL
	    || sized == NULL || placed == NULL)
		return error_no_memory(err, sets * count * sizeof *files->tensors);
	for (size_t i = 0; i < count; i++) {
		sized[i] = tensors[i];
		sized[i].bytes = gpt2_names_elements(&tensors[i].tensor)
			* dtype_size(tensors[i].dtype);
	}
	return (!options->safetensors
		|| add_format(files, sized, count, FORMAT_SAFETENSORS, options, placed, err))
		&& (!options->torch
		|| add_format(files, sized, count, FORMAT_TORCH, options, placed, err));
}

struct weight_files *
weight_files_open(const struct stored_tensor *tensors, size_t count,
	const struct weight_files_options *options, struct error *err)
{
	struct weight_files *files = calloc(1, sizeof *files);

	if (files == NULL) {
		error_no_memory(err, sizeof *files);
		return NULL;
	}
	arena_init(&files->arena, ARENA_BYTES);
	if (!add_formats(files, tensors, count, options, err)) {
		weight_files_close(files);
		return NULL;
	}
	return files;
}

void
weight_files_add_front(const struct stored_file *file, size_t position, uint32_t crc,
	struct text *to)
{
	if (file->format == FORMAT_TORCH)
		torch_writer_add_front(file->writer, position, crc, to);
	else if (position == 0)
		text_add_bytes(to, file->header.bytes, file->header.length);
}

void
weight_files_add_tail(const struct stored_file *file, const uint32_t *crcs, struct text *to)
{
	if (file->format == FORMAT_TORCH)
		torch_writer_add_tail(file->writer, crcs, to);
}

void
weight_files_close(struct weight_files *files)
{
	if (files == NULL)
		return;
	for (size_t i = 0; i < files->file_count; i++) {
		text_free(&files->files[i].header);
		torch_writer_close(files->files[i].writer);
	}
	for (size_t i = 0; i < files->index_count; i++)
		text_free(&files->indexes[i].text);
	arena_fini(&files->arena);
	free(files);
}
