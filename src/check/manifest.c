#include "check/manifest.h"

#include "base/json.h"
#include "megatron/distributed.h"

#include <string.h>

void
manifest_container(const struct shards *shards, char *to, size_t size)
{
	const struct distribution *distribution = shards->distribution;

	if (distribution != NULL) {
		text_format(to, size, "%s (%zu piece%s in %zu file%s)", distribution->format,
			distribution->piece_count, distribution->piece_count == 1 ? "" : "s",
			distribution->file_count, distribution->file_count == 1 ? "" : "s");
		return;
	}
	text_format(to, size, "%s%s%s", shards->layer_prefixes != NULL ? "layer files, " : "",
		torch_file_form_name(shards->items[0].torch),
		!shards->in_zip ? "" : shards->zip_deflated ? " in a zip (deflated)"
		: " in a zip (stored)");
}

static void
write_text(struct json_writer *w, const char *key, const char *value)
{
	json_write_key(w, key);
	json_write_string(w, value);
}

static void
write_number(struct json_writer *w, const char *key, uint64_t value)
{
	json_write_key(w, key);
	json_write_u64(w, value);
}

static void
write_file(struct json_writer *w, const struct manifest_file *file)
{
	write_text(w, "name", file->name);
	write_number(w, "bytes", file->bytes);
	write_text(w, "sha256", file->sha256);
	if (file->git_blob[0] != '\0')
		write_text(w, "git_blob_sha1", file->git_blob);
}

static void
write_inputs(struct json_writer *w, const struct manifest *manifest)
{
	json_write_key(w, "inputs");
	json_open(w, '[');
	for (size_t i = 0; i < manifest->input_count; i++) {
		json_open(w, '{');
		write_file(w, &manifest->inputs[i]);
		json_write_key(w, "shards");
		json_open(w, '[');
		for (size_t s = 0; s < manifest->shards->count; s++)
			if (manifest->shards->items[s].input == i)
				json_write_string(w, manifest->shards->items[s].piece != NULL
					? manifest->shards->items[s].piece
					: manifest->shards->items[s].name);
		json_close(w, ']');
		json_close(w, '}');
	}
	json_close(w, ']');
}

static void
write_layout(struct json_writer *w, const struct manifest *manifest)
{
	const struct model *model = manifest->model;
	char                container[128];

	manifest_container(manifest->shards, container, sizeof container);
	json_write_key(w, "layout");
	json_open(w, '{');
	write_text(w, "dialect", dialect_name(model->dialect));
	write_text(w, "container", container);
	write_text(w, "folder", manifest->shards->iteration);
	write_text(w, "checkpoint_version", model->version_label);
	write_number(w, "tensor_parallel_size", manifest->shards->tensor_size);
	write_number(w, "pipeline_parallel_size", manifest->shards->pipeline_size);
	write_number(w, "virtual_pipeline_size", model->chunk_count);
	write_number(w, "qkv_layout", (uint64_t)model->qkv_layout);
	json_close(w, '}');
}

static void
write_log(struct json_writer *w, const struct decision_log *log)
{
	json_write_key(w, "decisions");
	json_open(w, '[');
	for (size_t i = 0; i < log->decision_count; i++) {
		json_open(w, '{');
		write_text(w, "key", log->decisions[i].key);
		write_text(w, "value", log->decisions[i].value);
		write_text(w, "source", log->decisions[i].source);
		json_close(w, '}');
	}
	json_close(w, ']');
	json_write_key(w, "notes");
	json_open(w, '[');
	for (size_t i = 0; i < log->note_count; i++) {
		json_open(w, '{');
		write_text(w, "level", log->notes[i].level == NOTE_WARNING ? "warning" : "note");
		write_text(w, "code", log->notes[i].slug);
		write_text(w, "text", log->notes[i].text);
		json_close(w, '}');
	}
	json_close(w, ']');
}

static void
write_counts(struct json_writer *w, const struct manifest *manifest)
{
	const struct plan *plan = manifest->plan;

	json_write_key(w, "counts");
	json_open(w, '{');
	write_number(w, "tensors", plan->distinct_count);
	write_number(w, "parameters", plan->parameter_count);
	write_number(w, "stored_parameters", manifest->model->parameter_count);
	write_number(w, "slices_copied", plan->slice_count);
	write_number(w, "replicas_compared", plan->replica_count);
	write_number(w, "tensors_of_zeros", plan->zero_count);
	write_number(w, "padding_rows_left_out", plan->padding_rows);
	json_close(w, '}');
	json_write_key(w, "dropped");
	json_open(w, '[');
	for (size_t i = 0; i < manifest->model->dropped_count; i++) {
		json_open(w, '{');
		write_text(w, "what", manifest->model->dropped[i].what);
		write_text(w, "reason", manifest->model->dropped[i].reason);
		write_number(w, "bytes", manifest->model->dropped[i].bytes);
		json_close(w, '}');
	}
	json_close(w, ']');
}

/* How a tensor is made, where it is not only copied; NULL: it is. */
static const char *
made_how(const struct plan_tensor *tensor)
{
	switch (tensor->fill) {
	case FILL_ZEROS: return "zeros: the model has no such bias";
	case FILL_CAUSAL_MASK: return "causal mask";
	case FILL_MASKED_BIAS: return "constant -10000";
	case FILL_NOTHING: break;
	}
	if (!tensor->plus_one)
		return tensor->is_mean ? "mean of all ranks" : NULL;
	return tensor->is_mean ? "mean of all ranks, 1 added" : "1 added";
}

/* The Megatron parameter a tensor comes from: its role, with the layer where it has one. */
static void
write_origin(struct json_writer *w, const struct manifest *manifest,
	const struct plan_tensor *tensor)
{
	const struct model_parameter *from = tensor->parameter == PLAN_NO_PARAMETER ? NULL
		: &manifest->model->parameters[tensor->parameter];
	const char                   *made = made_how(tensor);

	json_write_key(w, "from");
	json_open(w, '{');
	if (from != NULL) {
		const struct role_facts *facts = &dialect_roles[from->role];
		char                     name[128];

		if (facts->per_layer)
			text_format(name, sizeof name, "layers.%u.%s", from->layer, facts->name);
		else
			text_format(name, sizeof name, "%s", facts->name);
		write_text(w, "parameter", name);
	}
	json_write_key(w, "shards");
	json_open(w, '[');
	for (size_t i = 0; from != NULL && i < from->slice_count; i++)
		json_write_string(w, manifest->shards->items[from->slices[i].shard].name);
	json_close(w, ']');
	if (made != NULL)
		write_text(w, "made", made);
	if (tensor->dtype != tensor->source_dtype)
		write_text(w, "cast_from", dtype_safetensors_name(tensor->source_dtype));
	json_close(w, '}');
}

/* Where a tensor lies; its object is left open. */
static void
write_place(struct json_writer *w, const char *name, enum dtype dtype, const uint64_t *shape,
	unsigned rank, const char *file, uint64_t offset, uint64_t bytes)
{
	json_open(w, '{');
	write_text(w, "name", name);
	write_text(w, "dtype", dtype_safetensors_name(dtype));
	json_write_key(w, "shape");
	json_open(w, '[');
	for (unsigned d = 0; d < rank; d++)
		json_write_u64(w, shape[d]);
	json_close(w, ']');
	write_text(w, "file", file);
	write_number(w, "offset", offset);
	write_number(w, "bytes", bytes);
}

static void
write_tensors(struct json_writer *w, const struct manifest *manifest)
{
	const struct weight_files *files = manifest->plan->files;

	json_write_key(w, "tensors");
	json_open(w, '[');
	for (size_t i = 0; i < manifest->plan->tensor_count; i++) {
		const struct plan_tensor *tensor = &manifest->plan->tensors[i];

		write_place(w, tensor->name, tensor->dtype, tensor->shape, tensor->rank,
			files->files[tensor->file].name, tensor->offset, tensor->bytes);
		if (manifest->tensor_sha256 != NULL)
			write_text(w, "sha256", manifest->tensor_sha256[i]);
		write_origin(w, manifest, tensor);
		json_close(w, '}');
	}
	for (size_t i = 0; i < files->tied_count; i++) {
		const struct stored_tensor *tied = &files->tied[i];

		write_place(w, tied->tensor.name, tied->dtype, tied->tensor.shape, tied->tensor.rank,
			files->files[tied->file].name, tied->offset, tied->bytes);
		json_write_key(w, "from");
		json_open(w, '{');
		write_text(w, "tied_to", "transformer.wte.weight");
		json_close(w, '}');
		json_close(w, '}');
	}
	json_close(w, ']');
}

void
manifest_write(const struct manifest *manifest, struct text *to)
{
	struct json_writer w = { .to = to, .indent = 2 };

	json_open(&w, '{');
	write_text(&w, "schema", "megatron2hf.conversion/1");
	json_write_key(&w, "tool");
	json_open(&w, '{');
	write_text(&w, "name", "megatron2hf");
	write_text(&w, "version", manifest->tool_version);
	json_close(&w, '}');
	write_inputs(&w, manifest);
	write_layout(&w, manifest);
	write_log(&w, manifest->log);
	write_counts(&w, manifest);
	json_write_key(&w, "outputs");
	json_open(&w, '[');
	for (size_t i = 0; i < manifest->output_count; i++) {
		json_open(&w, '{');
		write_file(&w, &manifest->outputs[i]);
		json_close(&w, '}');
	}
	json_close(&w, ']');
	write_tensors(&w, manifest);
	json_close(&w, '}');
	text_add(to, "\n");
}
