#include "base/signals.h"
#include "base/text.h"
#include "check/manifest.h"
#include "container/identify.h"
#include "convert/answer.h"
#include "convert/given_config.h"
#include "convert/hugging_face.h"
#include "convert/tokenizer_source.h"
#include "megatron/distributed.h"
#include "megatron/known_classes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>


struct inspection {
	struct m2h_inspection             result;       /* first: what the caller holds */
	struct answer                     answer;
	const struct m2h_inspect_options *options;
	struct listing                    listing;
	struct given_config               given;
};

/* ---- Megatron checkpoints and torch files ----------------------------------------- */

static void
add_globals(struct inspection *inspection, const struct pickle_globals *globals)
{
	for (size_t g = 0; g < globals->count; g++)
		listing_add_global(&inspection->listing, globals->items[g]->global.module,
			globals->items[g]->global.name);
}

static bool
answer_globals(struct inspection *inspection, const struct shards *shards, struct error *err)
{
	if (shards->distribution != NULL)
		add_globals(inspection, &shards->distribution->metadata.globals);
	for (size_t i = 0; i < shards->count; i++) {
		if (!signals_go_on(err))
			return false;
		if (shards->items[i].torch != NULL)
			add_globals(inspection, torch_file_globals(shards->items[i].torch));
	}
	return listing_settle_globals(&inspection->listing, err);
}

static void
answer_arguments(struct inspection *inspection, const struct shards *shards)
{
	const struct value *args = value_find(shards_root(shards), "args");
	const struct value *attributes = args != NULL && args->state != NULL ? args->state : args;

	if (attributes == NULL || attributes->kind != VALUE_DICT)
		return;
	for (uint32_t i = 0; i + 1 < attributes->count; i += 2)
		listing_add_argument(&inspection->listing, attributes->items[i],
			attributes->items[i + 1]);
}

/* The model, with the tokenizer that came with it, as a conversion would open it. */
static struct model *
open_model(struct inspection *inspection, const struct shards *shards,
	struct model_options *options, struct error *err)
{
	const char             *size = inspection->options->vocab_size;
	const bool              is_size_given = (size != NULL && strcmp(size, "auto") != 0)
		|| (options->given != NULL && options->given->vocabulary > 0);
	struct decision_log    *log = &inspection->answer.log;
	struct tokenizer_source source;
	struct model           *model = NULL;

	if (!tokenizer_source_name(&source, "auto", err)
	    || !tokenizer_source_find(&source, shards, inspection->options->path, log, err))
		goto out;
	options->tokenizer_size = tokenizer_source_size(&source);
	model = model_open(shards, options, log, err);
	if (model != NULL && !tokenizer_source_settle(&source, &model->arguments, is_size_given,
		log, err)) {
		model_close(model);
		model = NULL;
	}
out:
	tokenizer_source_fini(&source);
	return model;
}

/* What a conversion would say, judged by structure: *is_model false, it says why not.  That
 * reading failed, or memory ended, tells nothing of the checkpoint. */
static bool
inspect_model(struct inspection *inspection, const struct shards *shards, bool *is_model,
	struct error *failure)
{
	struct model_options options = {
		.attention_heads = inspection->options->attention_heads,
		.vocabulary = inspection->options->vocab_size,
		.activation = inspection->options->activation,
		.qkv_layout = inspection->options->qkv_layout,
		.given = inspection->options->config != NULL ? &inspection->given.values : NULL };
	struct error  err = { 0 };
	struct model *model = open_model(inspection, shards, &options, &err);

	*is_model = model != NULL;
	if (err.kind == ERROR_NO_INPUT || strcmp(err.slug, "oom") == 0) {
		*failure = err;
		return false;
	}
	answer_blame(inspection->options->path, &err);
	inspection->result.convert_status = answer_status(&err);
	answer_error(&inspection->answer, &err, &inspection->result.convert_error);
	if (model == NULL)
		return true;
	answer_model(&inspection->answer, shards, model, &inspection->result.model);
	answer_dropped(&inspection->answer, model, &inspection->result.dropped,
		&inspection->result.dropped_count);
	model_close(model);
	return true;
}

/* As far as it can be said of a file that holds no model we know. */
static void
describe_shards(struct inspection *inspection, const struct shards *shards)
{
	struct m2h_model *to = &inspection->result.model;
	char              container[128];

	manifest_container(shards, container, sizeof container);
	to->container = answer_text(&inspection->answer, container);
	to->iteration = answer_text(&inspection->answer, shards->iteration);
	to->tensor_size = shards->tensor_size;
	to->pipeline_size = shards->pipeline_size;
	to->virtual_size = 1;
	to->family = to->dialect = to->dtype = to->version_label = "";
}

/* One piece of a distributed checkpoint, open for this alone. */
static bool
list_piece(struct inspection *inspection, const struct shards *shards, size_t index,
	struct error *err)
{
	struct shard piece = shards->items[index];
	bool         done;

	if ((piece.torch = shards_open_piece(shards, index, err)) == NULL)
		return false;
	done = listing_add_torch(&inspection->listing, &piece, true, err);
	shards_close_piece(piece.torch);
	return done;
}

static bool
inspect_shards(struct inspection *inspection, const struct shards *shards, struct error *err)
{
	const struct value *root = shards_root(shards);
	bool                is_model;

	inspection->result.inputs = answer_inputs(&inspection->answer, shards, 0);
	inspection->result.input_count = inspection->result.inputs != NULL
		? shards->input_count : 0;
	if (!answer_globals(inspection, shards, err))
		return false;
	known_classes_note(shards, &inspection->answer.log);
	if (inspection->options->arguments)
		answer_arguments(inspection, shards);
	if (!inspect_model(inspection, shards, &is_model, err))
		return false;
	inspection->result.kind = is_model || shards->distribution != NULL
		|| value_find(root, "model") != NULL || value_find(root, "model0") != NULL
		? "Megatron checkpoint" : "torch file";
	if (!is_model)
		describe_shards(inspection, shards);
	/* In a model only its weights need be readable; elsewhere every tensor is looked at. */
	for (size_t i = 0; i < shards->count; i++) {
		if (is_model && !inspection->options->tensors)
			break;
		if (!(shards->items[i].torch == NULL ? list_piece(inspection, shards, i, err)
			: listing_add_torch(&inspection->listing, &shards->items[i],
				!is_model && shards->distribution == NULL, err)))
			return shards_blame(shards, i, err);
	}
	return true;
}

/* ---- Hugging Face directories and weight files ------------------------------------ */

static bool
inspect_safetensors(struct inspection *inspection, const char *path, struct error *err)
{
	inspection->result.kind = "safetensors file";
	inspection->result.convert_status = M2H_UNSUPPORTED;
	inspection->result.convert_error = (struct m2h_error){ "otherformat",
		"weights in safetensors form, not a Megatron checkpoint", "" };
	return hugging_face_file(&inspection->listing, path, &inspection->result.model,
		&inspection->result.inputs, &inspection->result.input_count, err);
}

static bool
inspect_directory(struct inspection *inspection, struct error *err)
{
	inspection->result.kind = "Hugging Face directory";
	inspection->result.convert_status = M2H_UNSUPPORTED;
	inspection->result.convert_error = (struct m2h_error){ "otherformat",
		"a Hugging Face directory, not a Megatron checkpoint", "" };
	return hugging_face_directory(&inspection->listing, inspection->options->path,
		&inspection->result.model, &inspection->result.inputs,
		&inspection->result.input_count, err);
}

/* ---- what it is ------------------------------------------------------------------- */

/* A fault of the path is left to the reader of shards and to its messages. */
static bool
has_entry(const char *directory, const char *name, bool *has, struct error *err)
{
	struct text path = { 0 };
	struct stat found;
	bool        done = true;

	text_add(&path, "%s/%s", directory, name);
	*has = !path.failed && stat(path.bytes, &found) == 0;
	if (path.failed)
		done = error_no_memory(err, path.length);
	else if (!*has && (errno == EIO || errno == ENOMEM))
		done = error_os(err, ERROR_NO_INPUT, "noinput", "cannot look at %s", name);
	text_free(&path);
	return done;
}

/* By its name and its first bytes; anything else is left to the reader of shards and to its
 * messages, a safetensors file under the name of a checkpoint too. */
static bool
is_safetensors(const char *path, bool *is, struct error *err)
{
	struct stat         found;
	struct input_file  *file = NULL;
	struct byte_stream *stream = NULL;
	bool                done = false;

	*is = false;
	if (!text_has_suffix(path, ".safetensors") || stat(path, &found) != 0
	    || !S_ISREG(found.st_mode))
		return true;
	if ((file = input_file_open(path, ".", err)) != NULL
	    && (stream = byte_stream_open(file, 0, file->size, err)) != NULL) {
		*is = identify_stream(stream, err) == IDENTITY_SAFETENSORS;
		done = err->kind != ERROR_NO_INPUT && err->kind != ERROR_LIMIT;
		if (done)
			*err = (struct error){ 0 };
	}
	byte_stream_close(stream);
	input_file_close(file);
	return done;
}

static bool
inspect(struct inspection *inspection, struct error *err)
{
	const char           *path = inspection->options->path;
	struct shards_options options = { .spool_directory = "/tmp",
		.arena_limit = SHARDS_ARENA_LIMIT(inspection->options->memory_limit),
		.iteration = inspection->options->iteration };
	struct shards        *shards;
	bool                  done, is_directory, is_file;

	if (path == NULL || path[0] == '\0')
		return error_set(err, ERROR_USAGE, "usage", "no file or directory was named");
	if (inspection->options->config != NULL
	    && !given_config_read(inspection->options->config, &inspection->given, err))
		return false;
	if (!has_entry(path, "config.json", &is_directory, err)
	    || !is_safetensors(path, &is_file, err))
		return error_in_file(err, path);
	if (is_directory)
		return inspect_directory(inspection, err);
	if (is_file)
		return inspect_safetensors(inspection, path, err);
	shards = shards_open(path, &options, &inspection->answer.log, err);
	if (shards == NULL) {
		inspection->result.convert_status = answer_status(err);
		return false;
	}
	done = inspect_shards(inspection, shards, err);
	shards_close(shards);
	return done;
}

struct m2h_inspection *
m2h_inspect(const struct m2h_inspect_options *options)
{
	struct inspection *inspection = calloc(1, sizeof *inspection);
	struct error       err = { 0 };
	bool               done;

	if (inspection == NULL)
		return NULL;
	answer_init(&inspection->answer);
	inspection->options = options;
	inspection->result.kind = "";
	inspection->listing = (struct listing){ .answer = &inspection->answer,
		.tensors_wanted = options->tensors };
	done = inspect(inspection, &err);
	if (!done)
		answer_blame(options->path, &err);
	inspection->result.status = done ? M2H_OK : answer_status(&err);
	answer_error(&inspection->answer, &err, &inspection->result.error);
	if (!done && inspection->result.convert_status == M2H_OK) {
		inspection->result.convert_status = inspection->result.status;
		inspection->result.convert_error = inspection->result.error;
	}
	answer_decisions(&inspection->answer, &inspection->result.decisions,
		&inspection->result.decision_count);
	answer_notes(&inspection->answer, &inspection->result.notes,
		&inspection->result.note_count);
	listing_answer(&inspection->listing, &inspection->result);
	answer_settle(&inspection->answer, &inspection->result.status, &inspection->result.error);
	return &inspection->result;
}

void
m2h_inspection_free(struct m2h_inspection *result)
{
	struct inspection *inspection = (struct inspection *)result;

	if (inspection == NULL)
		return;
	listing_fini(&inspection->listing);
	answer_fini(&inspection->answer);
	free(inspection);
}
