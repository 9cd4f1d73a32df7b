#include "cli/report_json.h"

#include "base/json.h"

static struct json_writer
open_document(struct text *to, const char *schema)
{
	struct json_writer w = { .to = to, .indent = 2, .ascii = true };

	json_open(&w, '{');
	json_add_string(&w, "schema", schema);
	return w;
}

static void
close_document(struct json_writer *w)
{
	json_close(w, '}');
	text_add(w->to, "\n");
}

/* ---- members ----------------------------------------------------------------------- */

/* 0 means "not known" in results. */
static void
add_known(struct json_writer *w, const char *key, uint64_t value)
{
	json_write_key(w, key);
	if (value == 0)
		json_write_null(w);
	else
		json_write_u64(w, value);
}

/* "" means "was not computed". */
static void
add_digest(struct json_writer *w, const char *key, const char *digest)
{
	json_add_string(w, key, digest[0] != '\0' ? digest : NULL);
}

/* "" means "none". */
static void
add_place(struct json_writer *w, const char *key, const char *name)
{
	json_add_string(w, key, name != NULL && name[0] != '\0' ? name : NULL);
}

static void
add_outcome(struct json_writer *w, int status, const struct m2h_error *error)
{
	bool        has_slug = error->slug != NULL && error->slug[0] != '\0';
	const char *class = m2h_status_name(status > M2H_SIGNAL ? M2H_SIGNAL : status);

	json_add_string(w, "status", status == M2H_OK ? "ok" : "error");
	json_add_u64(w, "exit", (uint64_t)status);
	json_add_string(w, "code", status == M2H_OK ? "ok" : has_slug ? error->slug : class);
	json_write_key(w, "error");
	if (status == M2H_OK) {
		json_write_null(w);
		return;
	}
	json_open(w, '{');
	json_add_string(w, "class", class);
	json_add_string(w, "message", error->message);
	json_add_string(w, "hint", error->hint);
	json_close(w, '}');
}

static void
add_model(struct json_writer *w, const struct m2h_model *model)
{
	json_open_member(w, "model", '{');
	json_add_string(w, "family", model->family);
	json_add_string(w, "dialect", model->dialect);
	json_add_string(w, "container", model->container);
	json_add_string(w, "dtype", model->dtype);
	json_add_string(w, "iteration", model->iteration);
	json_add_string(w, "version_label", model->version_label);
	add_known(w, "tensor_size", model->tensor_size);
	add_known(w, "pipeline_size", model->pipeline_size);
	add_known(w, "virtual_size", model->virtual_size);
	/* 0 is a layout too: it is known as soon as the dialect is. */
	json_write_key(w, "qkv_layout");
	if (model->dialect == NULL || model->dialect[0] == '\0')
		json_write_null(w);
	else
		json_write_u64(w, model->qkv_layout);
	add_known(w, "layers", model->layers);
	add_known(w, "hidden", model->hidden);
	add_known(w, "heads", model->heads);
	add_known(w, "ffn", model->ffn);
	add_known(w, "positions", model->positions);
	add_known(w, "vocabulary", model->vocabulary);
	add_known(w, "padded_vocabulary", model->padded_vocabulary);
	add_known(w, "parameters", model->parameters);
	add_known(w, "stored_parameters", model->stored_parameters);
	json_close(w, '}');
}

static void
add_files(struct json_writer *w, const char *key, const struct m2h_file *files, size_t count)
{
	json_open_member(w, key, '[');
	for (size_t i = 0; i < count; i++) {
		json_open(w, '{');
		json_add_string(w, "name", files[i].name);
		json_add_string(w, "member", files[i].member);
		json_add_u64(w, "bytes", files[i].bytes);
		add_digest(w, "sha256", files[i].sha256);
		add_digest(w, "git_sha1", files[i].git_sha1);
		json_close(w, '}');
	}
	json_close(w, ']');
}

static void
add_decisions(struct json_writer *w, const struct m2h_decision *decisions, size_t count)
{
	json_open_member(w, "decisions", '[');
	for (size_t i = 0; i < count; i++) {
		json_open(w, '{');
		json_add_string(w, "key", decisions[i].key);
		json_add_string(w, "value", decisions[i].value);
		json_add_string(w, "source", decisions[i].source);
		json_close(w, '}');
	}
	json_close(w, ']');
}

static void
add_notes(struct json_writer *w, const struct m2h_note *notes, size_t count)
{
	json_open_member(w, "notes", '[');
	for (size_t i = 0; i < count; i++) {
		json_open(w, '{');
		json_add_string(w, "level", notes[i].is_warning ? "warning" : "note");
		json_add_string(w, "code", notes[i].slug);
		json_add_string(w, "text", notes[i].text);
		json_close(w, '}');
	}
	json_close(w, ']');
}

static void
add_dropped(struct json_writer *w, const struct m2h_dropped *dropped, size_t count)
{
	json_open_member(w, "dropped", '[');
	for (size_t i = 0; i < count; i++) {
		json_open(w, '{');
		json_add_string(w, "what", dropped[i].what);
		json_add_string(w, "reason", dropped[i].reason);
		json_add_u64(w, "bytes", dropped[i].bytes);
		json_close(w, '}');
	}
	json_close(w, ']');
}

static void
add_tensors(struct json_writer *w, const struct m2h_tensor *tensors, size_t count)
{
	json_open_member(w, "tensors", '[');
	for (size_t i = 0; i < count; i++) {
		json_open(w, '{');
		json_add_string(w, "file", tensors[i].file);
		json_add_string(w, "name", tensors[i].name);
		json_add_string(w, "dtype", tensors[i].dtype);
		json_add_string(w, "shape", tensors[i].shape);
		json_add_string(w, "stride", tensors[i].stride);
		json_add_string(w, "storage", tensors[i].storage);
		json_add_u64(w, "offset", tensors[i].offset);
		json_add_u64(w, "bytes", tensors[i].bytes);
		json_close(w, '}');
	}
	json_close(w, ']');
}

static void
add_arguments(struct json_writer *w, const struct m2h_argument *arguments, size_t count)
{
	json_open_member(w, "args", '[');
	for (size_t i = 0; i < count; i++) {
		json_open(w, '{');
		json_add_string(w, "name", arguments[i].name);
		json_add_string(w, "value", arguments[i].value);
		json_close(w, '}');
	}
	json_close(w, ']');
}

static void
add_null(struct json_writer *w, const char *key)
{
	json_write_key(w, key);
	json_write_null(w);
}

/* ---- documents --------------------------------------------------------------------- */

void
report_json_conversion(struct text *to, const struct options *options,
	const struct m2h_conversion *conversion)
{
	struct json_writer w = open_document(to, "megatron2hf.convert/1");

	add_outcome(&w, conversion->status, &conversion->error);
	json_add_string(&w, "version", m2h_version());
	json_add_string(&w, "source", options->operand);
	json_add_string(&w, "destination", options->output);
	json_add_bool(&w, "dry_run", options->dry_run);
	add_model(&w, &conversion->model);
	add_files(&w, "inputs", conversion->inputs, conversion->input_count);
	add_files(&w, "outputs", conversion->outputs, conversion->output_count);
	add_decisions(&w, conversion->decisions, conversion->decision_count);
	add_notes(&w, conversion->notes, conversion->note_count);
	add_dropped(&w, conversion->dropped, conversion->dropped_count);
	json_add_u64(&w, "tensors", conversion->tensors);
	json_add_u64(&w, "copies", conversion->copies);
	json_add_u64(&w, "replicas", conversion->replicas);
	json_add_u64(&w, "zeros", conversion->zeros);
	json_add_u64(&w, "weight_bytes", conversion->output_bytes);
	add_known(&w, "memory_bytes", conversion->memory_bytes);
	/* The largest number stands for "the file system does not say". */
	add_known(&w, "free_bytes", conversion->free_bytes == UINT64_MAX ? 0
		: conversion->free_bytes);
	close_document(&w);
}

void
report_json_inspection(struct text *to, const struct options *options,
	const struct m2h_inspection *inspection)
{
	struct json_writer w = open_document(to, "megatron2hf.inspect/1");

	add_outcome(&w, inspection->status, &inspection->error);
	json_add_string(&w, "version", m2h_version());
	json_add_string(&w, "path", options->operand);
	json_add_string(&w, "kind", inspection->kind);
	json_write_key(&w, "convert");
	if (inspection->status != M2H_OK) {
		json_write_null(&w);
	} else {
		json_open(&w, '{');
		add_outcome(&w, inspection->convert_status, &inspection->convert_error);
		json_close(&w, '}');
	}
	add_model(&w, &inspection->model);
	add_files(&w, "inputs", inspection->inputs, inspection->input_count);
	add_decisions(&w, inspection->decisions, inspection->decision_count);
	add_notes(&w, inspection->notes, inspection->note_count);
	add_dropped(&w, inspection->dropped, inspection->dropped_count);
	json_open_member(&w, "globals", '[');
	for (size_t i = 0; i < inspection->global_count; i++)
		json_write_string(&w, inspection->globals[i]);
	json_close(&w, ']');
	if (options->tensors)
		add_tensors(&w, inspection->tensors, inspection->tensor_count);
	else
		add_null(&w, "tensors");
	if (options->arguments)
		add_arguments(&w, inspection->arguments, inspection->argument_count);
	else
		add_null(&w, "args");
	close_document(&w);
}

void
report_json_verification(struct text *to, const struct options *options,
	const struct m2h_verification *verification)
{
	struct json_writer w = open_document(to, "megatron2hf.verify/1");

	add_outcome(&w, verification->status, &verification->error);
	json_add_string(&w, "version", m2h_version());
	json_add_string(&w, "directory", options->operand);
	json_open_member(&w, "problems", '[');
	for (size_t i = 0; i < verification->problem_count; i++) {
		json_open(&w, '{');
		add_outcome(&w, verification->problems[i].status, &verification->problems[i].error);
		add_place(&w, "file", verification->problems[i].file);
		add_place(&w, "tensor", verification->problems[i].tensor);
		json_close(&w, '}');
	}
	json_close(&w, ']');
	add_notes(&w, verification->notes, verification->note_count);
	add_files(&w, "files", verification->files, verification->file_count);
	json_add_u64(&w, "tensors", verification->tensors);
	if (options->source != NULL) {
		json_add_string(&w, "source", options->source);
		json_add_u64(&w, "compared", verification->compared);
	}
	close_document(&w);
}

/* ---- diff --------------------------------------------------------------------------- */

static void
add_side(struct json_writer *w, const char *key, const struct m2h_pair_side *side)
{
	json_write_key(w, key);
	if (side->name[0] == '\0') {
		json_write_null(w);
		return;
	}
	json_open(w, '{');
	json_add_string(w, "name", side->name);
	json_add_string(w, "file", side->file);
	json_add_string(w, "dtype", side->dtype);
	json_add_string(w, "shape", side->shape);
	json_add_string(w, "first", side->value[0] != '\0' ? side->value : NULL);
	json_close(w, '}');
}

static void
add_pair(struct json_writer *w, const struct m2h_pair *pair)
{
	json_open(w, '{');
	json_add_string(w, "state", m2h_pair_state_name(pair->state));
	add_side(w, "a", &pair->a);
	add_side(w, "b", &pair->b);
	json_add_bool(w, "padded", pair->is_padded);
	json_add_u64(w, "compared", pair->compared);
	json_add_u64(w, "differing", pair->differing);
	json_add_u64(w, "outside", pair->outside);
	json_add_u64(w, "not_finite", pair->not_finite);
	json_add_string(w, "first", pair->first[0] != '\0' ? pair->first : NULL);
	json_write_key(w, "max_absolute");
	json_write_double(w, pair->max_absolute);
	json_write_key(w, "max_relative");
	json_write_double(w, pair->max_relative);
	json_write_key(w, "max_ulps");
	if (pair->has_ulps)
		json_write_u64(w, pair->max_ulps);
	else
		json_write_null(w);
	json_close(w, '}');
}

void
report_json_comparison(struct text *to, const struct options *options,
	const struct m2h_comparison *comparison)
{
	struct json_writer w = open_document(to, "megatron2hf.diff/1");

	add_outcome(&w, comparison->status, &comparison->error);
	json_add_string(&w, "version", m2h_version());
	json_add_string(&w, "a", options->operand);
	json_add_string(&w, "b", options->second);
	json_write_key(&w, "tolerance");
	if (options->has_tolerance)
		json_write_double(&w, options->tolerance);
	else
		json_write_null(&w);
	add_files(&w, "files_a", comparison->files_a, comparison->file_count_a);
	add_files(&w, "files_b", comparison->files_b, comparison->file_count_b);
	json_open_member(&w, "tensors", '{');
	for (int i = 0; i < M2H_PAIR_STATES; i++)
		json_add_u64(&w, m2h_pair_state_name((enum m2h_pair_state)i), comparison->states[i]);
	json_close(&w, '}');
	json_add_u64(&w, "compared", comparison->compared);
	json_add_u64(&w, "differing", comparison->differing);
	json_open_member(&w, "pairs", '[');
	for (size_t i = 0; i < comparison->pair_count; i++)
		add_pair(&w, &comparison->pairs[i]);
	json_close(&w, ']');
	add_notes(&w, comparison->notes, comparison->note_count);
	close_document(&w);
}

void
report_json_signing(struct text *to, const struct options *options,
	const struct m2h_signing *signing)
{
	struct json_writer w = open_document(to, "megatron2hf.sign/1");

	add_outcome(&w, signing->status, &signing->error);
	json_add_string(&w, "version", m2h_version());
	json_add_string(&w, "directory", options->operand);
	json_add_string(&w, "signature", signing->status == M2H_OK ? signing->output : NULL);
	add_digest(&w, "key", signing->fingerprint);
	add_digest(&w, "root_sha256", signing->root);
	add_files(&w, "files", signing->files, signing->file_count);
	add_notes(&w, signing->notes, signing->note_count);
	close_document(&w);
}

void
report_json_help(struct text *to, int status, const struct m2h_error *usage, const char *text)
{
	static const struct m2h_error none = { "", "", "" };
	struct json_writer            w = open_document(to, "megatron2hf.help/1");

	add_outcome(&w, status, usage != NULL ? usage : &none);
	json_add_string(&w, "version", m2h_version());
	json_add_string(&w, "text", usage == NULL ? text : NULL);
	close_document(&w);
}
