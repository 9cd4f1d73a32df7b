#include "convert/conversion.h"

#include "base/signals.h"
#include "base/workers.h"
#include "convert/judgement.h"
#include "convert/provenance.h"
#include "convert/tar_stream.h"

#include <stdlib.h>
#include <string.h>

/* ---- what the input must be --------------------------------------------------------- */

/* --strict: nothing to warn of, or nothing at all. */
static bool
check_strict(struct conversion *conversion, struct error *err)
{
	const struct decision_log *log = &conversion->answer.log;
	const char                *first = NULL;
	size_t                     count = 0;

	for (size_t i = 0; i < log->note_count && conversion->options->strict; i++) {
		if (log->notes[i].level != NOTE_WARNING)
			continue;
		first = first != NULL ? first : log->notes[i].text;
		count++;
	}
	if (count == 0)
		return true;
	return error_set(err, ERROR_MISMATCH, "strict", "--strict and %zu warning%s: %s", count,
		count == 1 ? "" : "s, the first", first);
}

/* ---- what is beside the weights --------------------------------------------------- */

/* All files that depend on the model alone.  Fits execute_options. */
static bool
write_furniture(void *context, struct error *err)
{
	struct conversion       *conversion = context;
	const struct arguments  *arguments = &conversion->model->arguments;
	const struct tokenizer  *tokenizer = conversion->tokenizer.tokenizer;
	struct output_directory *directory = &conversion->directory;

	/* A torch_dtype where one was asked for, and nothing of it where the type is kept. */
	return output_directory_add_config(directory, arguments, tokenizer,
			conversion->form.is_4_18 ? CONFIG_HF4_18 : CONFIG_HF5, conversion->form.plan.casts
			? dtype_name(conversion->form.plan.dtype) : NULL, err)
		&& (tokenizer == NULL || output_directory_add_tokenizer(directory, tokenizer,
			conversion->form.is_4_18 ? TOKENIZER_4_18 : TOKENIZER_HUB,
			arguments->positions, err));
}

/* ---- weights ---------------------------------------------------------------------- */

static void
on_progress(void *context, uint64_t done, uint64_t total)
{
	const struct m2h_convert_options *options = ((struct conversion *)context)->options;

	options->progress(options->progress_context, M2H_CONVERTING, done, total);
}

static bool
check_inputs(struct conversion *conversion, struct error *err)
{
	for (size_t i = 0; i < conversion->shards->input_count; i++)
		if (!expected_digest_check(&conversion->expected, conversion->shards, i,
			conversion->executed.input_sha256[i], err))
			return false;
	return true;
}

static bool
create_files(struct conversion *conversion, struct error *err)
{
	const struct weight_files *files = conversion->plan->files;

	conversion->fds = calloc(files->file_count, sizeof *conversion->fds);
	if (conversion->fds == NULL)
		return error_no_memory(err, files->file_count * sizeof *conversion->fds);
	/* All of them are open until the end, beside what is read. */
	input_file_allow(conversion->shards->input_count + files->file_count);
	for (size_t i = 0; i < files->file_count; i++) {
		conversion->fds[i] = staging_create(conversion->staging, files->files[i].name,
			files->files[i].bytes, err);
		if (conversion->fds[i] < 0)
			return false;
	}
	return true;
}

/* The weight files, with their digests or, on a dry run, without; and the indexes. */
static bool
add_weights(struct conversion *conversion, struct error *err)
{
	/* Zeros stand for the digest that is not known, so that lengths come out right. */
	static const char unknown[] =
		"0000000000000000000000000000000000000000000000000000000000000000";
	const struct weight_files *files = conversion->plan->files;
	const struct execute_result *executed = &conversion->executed;

	for (size_t i = 0; i < files->file_count; i++)
		if (!output_directory_add_weights(&conversion->directory, files->files[i].name,
			files->files[i].bytes, executed->output_sha256 != NULL
			? executed->output_sha256[i] : unknown, err))
			return false;
	for (size_t i = 0; i < files->index_count; i++)
		if (!output_directory_add(&conversion->directory, files->indexes[i].name,
			&files->indexes[i].text, err))
			return false;
	return true;
}

/* A file system that has its files in memory has no disk to read from. */
static void
tell_read_back(struct conversion *conversion)
{
	if (conversion->executed.output_kept > 0)
		decision_log_note(&conversion->answer.log, NOTE_WARNING, "read-back-memory",
			"--read-back disk: not all of the output could be dropped from memory "
			"(on tmpfs and the like nothing can): it was read back from there");
}

/* --input-sha256 used: what was left out, or why nothing could be. */
static void
tell_unread(struct conversion *conversion)
{
	const struct shards *shards = conversion->shards;
	uint64_t             all = 0, used = 0;
	char                 shown_all[TEXT_NUMBER_SIZE], shown_unread[TEXT_NUMBER_SIZE];

	if (!conversion->only_used)
		return;
	for (size_t i = 0; i < shards->input_count; i++) {
		all += shards->inputs[i]->size;
		used += conversion->executed.used.bytes[i];
	}
	if (used < all)
		decision_log_note(&conversion->answer.log, NOTE_NOTE, "input-used",
			"%s of %s hold no weights: they were not read, so neither hashed nor "
			"checked", text_byte_count(shown_unread, all - used),
			text_byte_count(shown_all, all));
	else if (shards->in_zip)
		decision_log_note(&conversion->answer.log, NOTE_NOTE, "input-full",
			"--input-sha256 used: a zip is read in full, for its checksums are of whole "
			"members");
}

static bool
write_weights(struct conversion *conversion, struct error *err)
{
	const struct m2h_convert_options *options = conversion->options;
	struct execute_options            run = {
		.threads = options->threads != 0 ? options->threads : workers_allowed_cores(),
		.progress = options->progress != NULL ? on_progress : NULL,
		.meanwhile = write_furniture,
		.context = conversion,
		.digests_tensors = options->tensor_sha256,
		.from_disk = conversion->form.from_disk,
		.only_used = conversion->only_used,
		.memory_limit = options->memory_limit,
	};

	if (!create_files(conversion, err)
	    || !execute_plan(conversion->shards, conversion->plan, conversion->fds, &run,
		&conversion->executed, err))
		return false;
	tell_read_back(conversion);
	tell_unread(conversion);
	return check_inputs(conversion, err)
		&& judgement_of_weights(&(struct judgement){ conversion->shards, conversion->model,
		conversion->plan, &conversion->executed, &conversion->answer.log, conversion->fds,
		options->allow_overflow }, err)
		&& add_weights(conversion, err);
}

/* ---- what tells of the conversion ------------------------------------------------- */

/* Of the whole file, or of what was read of it. */
static void
take_input_digest(struct conversion *conversion, size_t input)
{
	const struct used_ranges *used = &conversion->executed.used;
	struct manifest_file     *file = &conversion->inputs[input];

	if (conversion->executed.input_sha256 == NULL)
		return;
	if (used_ranges_is_whole(used, conversion->shards, input)) {
		memcpy(file->sha256, conversion->executed.input_sha256[input], DIGEST_HEX_SIZE);
		return;
	}
	memcpy(file->ranges_sha256, conversion->executed.input_sha256[input], DIGEST_HEX_SIZE);
	file->ranges = used->ranges + used->first[input];
	file->range_count = used->first[input + 1] - used->first[input];
}

static bool
take_inputs(struct conversion *conversion, struct error *err)
{
	const struct shards              *shards = conversion->shards;
	const struct tokenizer_files_set *files = &conversion->tokenizer.files;
	const size_t                      count = shards->input_count + files->count;

	conversion->inputs = answer_take(&conversion->answer, count, sizeof *conversion->inputs);
	if (conversion->inputs == NULL)
		return error_no_memory(err, count * sizeof *conversion->inputs);
	for (size_t i = 0; i < shards->input_count; i++) {
		char name[256];

		text_base_name(name, sizeof name, shards->inputs[i]->name);
		conversion->inputs[i].name = answer_text(&conversion->answer, name);
		conversion->inputs[i].bytes = shards->inputs[i]->size;
		take_input_digest(conversion, i);
	}
	for (size_t i = 0; i < files->count; i++) {
		struct manifest_file *input = &conversion->inputs[shards->input_count + i];

		input->name = files->items[i].name;
		input->bytes = files->items[i].length;
		memcpy(input->sha256, files->items[i].sha256, DIGEST_HEX_SIZE);
	}
	return true;
}

static struct manifest
manifest_of(struct conversion *conversion)
{
	output_directory_sort(&conversion->directory);
	return (struct manifest){
		.tool_version = M2H_VERSION, .shards = conversion->shards,
		.model = conversion->model, .plan = conversion->plan,
		.log = &conversion->answer.log, .inputs = conversion->inputs,
		.tensor_sha256 = conversion->options->tensor_sha256
			? (const char (*)[DIGEST_HEX_SIZE])conversion->executed.tensor_sha256 : NULL,
		.input_count = conversion->shards->input_count + conversion->tokenizer.files.count,
		.outputs = conversion->directory.files, .output_count = conversion->directory.count,
	};
}

static bool
write_card(struct conversion *conversion, struct error *err)
{
	struct manifest manifest = manifest_of(conversion);

	return model_card_add(&conversion->card, &manifest, &conversion->directory, err);
}

static bool
write_manifest(struct conversion *conversion, struct error *err)
{
	struct manifest manifest = manifest_of(conversion);
	struct text     text = { 0 };
	bool            done;

	manifest_write(&manifest, &text);
	done = output_directory_add(&conversion->directory, "conversion.json", &text, err);
	text_free(&text);
	return done && output_directory_add_sums(&conversion->directory, err);
}

static bool
write_provenance(struct conversion *conversion, struct error *err)
{
	struct manifest   manifest = manifest_of(conversion);
	struct provenance provenance = {
		.manifest = &manifest, .options = conversion->options, .given = &conversion->given,
		.card = &conversion->card,
	};

	if (conversion->options->provenance == NULL)
		return true;
	conversion->statement = provenance_stage(&provenance, err);
	return conversion->statement != NULL;
}

/* ---- all of it -------------------------------------------------------------------- */

/* What was made gets to where it is wanted. */
static bool
deliver(struct conversion *conversion, struct error *err)
{
	const struct m2h_convert_options *options = conversion->options;

	if (options->progress != NULL)
		options->progress(options->progress_context, M2H_SYNCING, 0, 0);
	if (options->stream != NULL)
		return tar_stream_write(options->stream_descriptor,
			staging_directory(conversion->staging), conversion->directory.files,
			conversion->directory.count, options->source_date, err);
	return staging_sync(conversion->staging, err) && signals_go_on(err)
		&& staging_publish(conversion->staging, err);
}

/* A result that is in its place has its statement, even where what it replaced could not go. */
static bool
publish_statement(struct conversion *conversion, bool is_delivered, struct error *err)
{
	struct error unused = { 0 };

	if (conversion->statement == NULL)
		return is_delivered;
	if (!is_delivered) {
		atomic_file_publish(conversion->statement, &unused);
		return false;
	}
	return atomic_file_publish(conversion->statement, err)
		|| error_hint(err, "the result itself is complete and in its place");
}

bool
conversion_output_write(struct conversion *conversion, struct error *err)
{
	const struct m2h_convert_options *options = conversion->options;
	bool                              is_delivered;

	conversion->staging = options->stream != NULL ? staging_open_private(options->staging, err)
		: staging_open(options->destination, options->replace, err);
	if (conversion->staging == NULL)
		return false;
	conversion->directory.staging = conversion->staging;
	if (!write_weights(conversion, err) || !check_strict(conversion, err)
	    || !take_inputs(conversion, err) || !write_card(conversion, err)
	    || !write_manifest(conversion, err) || !write_provenance(conversion, err)
	    || !answer_is_whole(&conversion->answer, err))
		return false;
	is_delivered = deliver(conversion, err);
	return (is_delivered || staging_is_published(conversion->staging))
		&& publish_statement(conversion, is_delivered, err);
}

/* Of the plan alone: conversion.json, whose size it has, will not have the note. */
static void
tell_uncompared(struct conversion *conversion)
{
	if (conversion->expected.is_given)
		decision_log_note(&conversion->answer.log, NOTE_NOTE, "sha256-uncompared",
			"--sha256 is not compared in a dry run, which does not read all of the input");
}

bool
conversion_output_plan(struct conversion *conversion, struct error *err)
{
	if (!add_weights(conversion, err)
	    || !write_furniture(conversion, err) || !check_strict(conversion, err)
	    || !take_inputs(conversion, err) || !write_card(conversion, err)
	    || !write_manifest(conversion, err))
		return false;
	tell_uncompared(conversion);
	return true;
}
