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

/* What was read of an input, in its order, and the digest of that. */
static void
write_ranges(struct json_writer *w, const struct manifest_file *file)
{
	json_add_string(w, "sha256_of_ranges", file->ranges_sha256);
	json_open_member(w, "ranges", '[');
	for (size_t i = 0; i < file->range_count; i++) {
		json_open(w, '{');
		json_add_u64(w, "offset", file->ranges[i].offset);
		json_add_u64(w, "bytes", file->ranges[i].length);
		json_close(w, '}');
	}
	json_close(w, ']');
}

static void
write_file(struct json_writer *w, const struct manifest_file *file)
{
	json_add_string(w, "name", file->name);
	json_add_u64(w, "bytes", file->bytes);
	if (file->ranges_sha256[0] == '\0')
		json_add_string(w, "sha256", file->sha256);
	else
		write_ranges(w, file);
	if (file->git_blob[0] != '\0')
		json_add_string(w, "git_blob_sha1", file->git_blob);
}

static void
write_inputs(struct json_writer *w, const struct manifest *manifest)
{
	json_open_member(w, "inputs", '[');
	for (size_t i = 0; i < manifest->input_count; i++) {
		json_open(w, '{');
		write_file(w, &manifest->inputs[i]);
		json_open_member(w, "shards", '[');
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
	json_open_member(w, "layout", '{');
	json_add_string(w, "dialect", dialect_name(model->dialect));
	json_add_string(w, "container", container);
	json_add_string(w, "folder", manifest->shards->iteration);
	json_add_string(w, "checkpoint_version", model->version_label);
	json_add_u64(w, "tensor_parallel_size", manifest->shards->tensor_size);
	json_add_u64(w, "pipeline_parallel_size", manifest->shards->pipeline_size);
	json_add_u64(w, "virtual_pipeline_size", model->chunk_count);
	json_add_u64(w, "qkv_layout", (uint64_t)model->qkv_layout);
	json_close(w, '}');
}

static void
write_log(struct json_writer *w, const struct decision_log *log)
{
	json_open_member(w, "decisions", '[');
	for (size_t i = 0; i < log->decision_count; i++) {
		json_open(w, '{');
		json_add_string(w, "key", log->decisions[i].key);
		json_add_string(w, "value", log->decisions[i].value);
		json_add_string(w, "source", log->decisions[i].source);
		json_close(w, '}');
	}
	json_close(w, ']');
	json_open_member(w, "notes", '[');
	for (size_t i = 0; i < log->note_count; i++) {
		json_open(w, '{');
		json_add_string(w, "level", log->notes[i].level == NOTE_WARNING ? "warning" : "note");
		json_add_string(w, "code", log->notes[i].slug);
		json_add_string(w, "text", log->notes[i].text);
		json_close(w, '}');
	}
	json_close(w, ']');
}

static void
write_counts(struct json_writer *w, const struct manifest *manifest)
{
	const struct plan *plan = manifest->plan;

	json_open_member(w, "counts", '{');
	json_add_u64(w, "tensors", plan->distinct_count);
	json_add_u64(w, "parameters", plan->parameter_count);
	json_add_u64(w, "stored_parameters", manifest->model->parameter_count);
	json_add_u64(w, "slices_copied", plan->slice_count);
	json_add_u64(w, "replicas_compared", plan->replica_count);
	json_add_u64(w, "tensors_of_zeros", plan->zero_count);
	json_add_u64(w, "padding_rows_left_out", plan->padding_rows);
	json_close(w, '}');
	json_open_member(w, "dropped", '[');
	for (size_t i = 0; i < manifest->model->dropped_count; i++) {
		json_open(w, '{');
		json_add_string(w, "what", manifest->model->dropped[i].what);
		json_add_string(w, "reason", manifest->model->dropped[i].reason);
		json_add_u64(w, "bytes", manifest->model->dropped[i].bytes);
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

	json_open_member(w, "from", '{');
	if (from != NULL) {
		const struct role_facts *facts = &dialect_roles[from->role];
		char                     name[128];

		if (facts->per_layer)
			text_format(name, sizeof name, "layers.%u.%s", from->layer, facts->name);
		else
			text_format(name, sizeof name, "%s", facts->name);
		json_add_string(w, "parameter", name);
	}
	json_open_member(w, "shards", '[');
	for (size_t i = 0; from != NULL && i < from->slice_count; i++)
		json_write_string(w, manifest->shards->items[from->slices[i].shard].name);
	json_close(w, ']');
	if (made != NULL)
		json_add_string(w, "made", made);
	if (tensor->dtype != tensor->source_dtype)
		json_add_string(w, "cast_from", dtype_safetensors_name(tensor->source_dtype));
	json_close(w, '}');
}

/* Where a tensor lies; its object is left open. */
static void
write_place(struct json_writer *w, const char *name, enum dtype dtype, const uint64_t *shape,
	unsigned rank, const char *file, uint64_t offset, uint64_t bytes)
{
	json_open(w, '{');
	json_add_string(w, "name", name);
	json_add_string(w, "dtype", dtype_safetensors_name(dtype));
	json_open_member(w, "shape", '[');
	for (unsigned d = 0; d < rank; d++)
		json_write_u64(w, shape[d]);
	json_close(w, ']');
	json_add_string(w, "file", file);
	json_add_u64(w, "offset", offset);
	json_add_u64(w, "bytes", bytes);
}

static void
write_tensors(struct json_writer *w, const struct manifest *manifest)
{
	const struct weight_files *files = manifest->plan->files;

	json_open_member(w, "tensors", '[');
	for (size_t i = 0; i < manifest->plan->tensor_count; i++) {
		const struct plan_tensor *tensor = &manifest->plan->tensors[i];

		write_place(w, tensor->name, tensor->dtype, tensor->shape, tensor->rank,
			files->files[tensor->file].name, tensor->offset, tensor->bytes);
		if (manifest->tensor_sha256 != NULL)
			json_add_string(w, "sha256", manifest->tensor_sha256[i]);
		write_origin(w, manifest, tensor);
		json_close(w, '}');
	}
	for (size_t i = 0; i < files->tied_count; i++) {
		const struct stored_tensor *tied = &files->tied[i];

		write_place(w, tied->tensor.name, tied->dtype, tied->tensor.shape, tied->tensor.rank,
			files->files[tied->file].name, tied->offset, tied->bytes);
		json_open_member(w, "from", '{');
		json_add_string(w, "tied_to", "transformer.wte.weight");
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
	json_add_string(&w, "schema", "megatron2hf.conversion/1");
	json_open_member(&w, "tool", '{');
	json_add_string(&w, "name", "megatron2hf");
	json_add_string(&w, "version", manifest->tool_version);
	json_close(&w, '}');
	write_inputs(&w, manifest);
	write_layout(&w, manifest);
	write_log(&w, manifest->log);
	write_counts(&w, manifest);
	json_open_member(&w, "outputs", '[');
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
