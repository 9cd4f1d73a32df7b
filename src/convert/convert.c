#include "convert/conversion.h"

#include "base/path.h"
#include "megatron/distributed.h"
#include "megatron/known_classes.h"
#include "megatron/shard_copies.h"
#include "plan/buffers.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SPARE_PERCENT      1            /* of free space, beside what is written */

/* ---- finding out ------------------------------------------------------------------ */

static void
forget_source(struct conversion *conversion)
{
	plan_close(conversion->plan);
	model_close(conversion->model);
	shards_close(conversion->shards);
	tokenizer_source_forget(&conversion->tokenizer);
	conversion->plan = NULL;
	conversion->model = NULL;
	conversion->shards = NULL;
}

/* --vocab-size or --config say how many rows there are. */
static bool
is_size_given(const struct conversion *conversion)
{
	const char *size = conversion->options->vocab_size;

	return (size != NULL && strcmp(size, "auto") != 0)
		|| (conversion->options->config != NULL && conversion->given.values.vocabulary > 0);
}

/* What the programs that a profile is for do not know. */
static void
doubt_profile(struct conversion *conversion)
{
	if (conversion->form.is_4_18
	    && conversion->model->arguments.activation == ACTIVATION_SQUARED_RELU)
		decision_log_note(&conversion->answer.log, NOTE_WARNING, "profile-activation",
			"squared ReLU (relu2) is unknown to transformers 4.18, which the profile is "
			"for: later versions load it");
}

/* The model, and the tokenizer: what was found tells of padding, and must fit then. */
static bool
open_model(struct conversion *conversion, struct error *err)
{
	const struct m2h_convert_options *options = conversion->options;
	struct decision_log              *log = &conversion->answer.log;
	struct model_options              model_options = {
		.attention_heads = options->attention_heads, .vocabulary = options->vocab_size,
		.activation = options->activation, .qkv_layout = options->qkv_layout,
		.given = options->config != NULL ? &conversion->given.values : NULL,
		.assume_untied = conversion->assume_untied };

	if (!tokenizer_source_find(&conversion->tokenizer, conversion->shards, options->source,
		log, err))
		return false;
	model_options.tokenizer_size = tokenizer_source_size(&conversion->tokenizer);
	conversion->model = model_open(conversion->shards, &model_options, log, err);
	if (conversion->model != NULL)
		doubt_profile(conversion);
	return conversion->model != NULL && tokenizer_source_settle(&conversion->tokenizer,
		&conversion->model->arguments, is_size_given(conversion), log, err);
}

/* Does nothing that is to be replaced hold this input? */
static bool
is_spared(const struct input_file *input, const struct m2h_convert_options *options,
	struct error *err)
{
	int  fd = input_file_hold(input, err);
	bool done = fd >= 0 && (options->stream != NULL
		|| destination_spares(options->destination, fd, input->name, options->replace, err))
		&& (options->provenance == NULL
		|| destination_spares(options->provenance, fd, input->name, options->replace, err));

	if (fd >= 0)
		input_file_release(input);
	return done;
}

/* Shards, model and plan: everything that is known before a byte moves. */
static bool
open_source(struct conversion *conversion, bool indexed, struct error *err)
{
	const struct m2h_convert_options *options = conversion->options;
	struct decision_log              *log = &conversion->answer.log;
	char                              parent[4096];
	struct shards_options             shards_options = {
		.arena_limit = SHARDS_ARENA_LIMIT(options->memory_limit),
		.spool_directory = destination_parent(options->destination, parent, sizeof parent),
		.spooled = &conversion->spooled, .iteration = options->iteration,
		.indexed = indexed };

	if ((conversion->shards = shards_open(options->source, &shards_options, log, err)) == NULL)
		return false;
	known_classes_note(conversion->shards, log);
	for (size_t i = 0; i < conversion->shards->input_count; i++)
		if (!is_spared(conversion->shards->inputs[i], options, err))
			return false;
	return expected_digest_covers(&conversion->expected, conversion->shards, err)
		&& open_model(conversion, err) && shard_copies_check(conversion->shards, err)
		&& (conversion->plan = plan_build(conversion->model, &conversion->form.plan, err)) != NULL;
}

/* ---- all of it -------------------------------------------------------------------- */

static bool
check_space(struct conversion *conversion, struct error *err)
{
	uint64_t needed = conversion->plan->file_bytes + OUTPUT_FURNITURE_BYTES;
	uint64_t free_bytes = staging_free_bytes(conversion->options->destination);
	char     shown_needed[TEXT_NUMBER_SIZE], shown_free[TEXT_NUMBER_SIZE];

	if (conversion->tokenizer.files.count > 0)
		needed += tokenizer_bytes_bound(conversion->tokenizer.tokenizer);
	needed += needed / 100 * SPARE_PERCENT;
	conversion->result.free_bytes = free_bytes != UINT64_MAX ? free_bytes : 0;
	if (free_bytes >= needed)
		return true;
	return error_set(err, ERROR_NO_OUTPUT, "enospcstart",
		"the result needs %s, %s are free where '%s' would be",
		text_byte_count(shown_needed, needed), text_byte_count(shown_free, free_bytes),
		conversion->options->destination);
}

/* A stream has no destination: a place among what passes through stands for it, where space
 * and the spool of a pipe are meant. */
static bool
place_stream(struct conversion *conversion, struct error *err)
{
	struct m2h_convert_options *streaming = &conversion->streaming;

	if (conversion->options->stream == NULL)
		return true;
	if (strcmp(conversion->options->stream, "tar") != 0)
		return error_set(err, ERROR_USAGE, "usage", "the stream is 'tar', not '%s'",
			conversion->options->stream);
	*streaming = *conversion->options;
	streaming->staging = destination_staging_folder(streaming->staging);
	streaming->destination = conversion->stream_place;
	conversion->options = streaming;
	return destination_in_folder(streaming->staging, conversion->stream_place,
		sizeof conversion->stream_place, err);
}

static bool
read_input_sha256(struct conversion *conversion, struct error *err)
{
	const struct m2h_convert_options *options = conversion->options;
	const char                       *what = options->input_sha256;

	conversion->only_used = what != NULL && strcmp(what, "used") == 0;
	if (what != NULL && !conversion->only_used && strcmp(what, "full") != 0)
		return error_set(err, ERROR_USAGE, "usage",
			"what of the input is hashed: '%s' is not known", what);
	if (!conversion->only_used || options->sha256 == NULL)
		return true;
	error_set(err, ERROR_USAGE, "usage",
		"--sha256 is of whole files, of which --input-sha256 used may read a part");
	return error_hint(err, "leave one of them out");
}

static bool
check_options(const struct m2h_convert_options *options, struct error *err)
{
	if (options->source == NULL || options->source[0] == '\0')
		return error_set(err, ERROR_USAGE, "usage", "no checkpoint was named");
	if (options->destination == NULL || options->destination[0] == '\0')
		return error_set(err, ERROR_USAGE, "usage", "no output directory was named");
	if (options->tokenizer != NULL && options->tokenizer[0] == '\0')
		return error_set(err, ERROR_USAGE, "usage", "the path of the tokenizer is empty");
	return true;
}

static bool
run_attempt(struct conversion *conversion, bool indexed, struct error *err)
{
	const struct m2h_convert_options *options = conversion->options;
	struct buffers                    buffers;

	if (!open_source(conversion, indexed, err) || !check_space(conversion, err))
		goto fail;
	if (conversion->only_used)
		decision_log_decide(&conversion->answer.log, "input_sha256", "option", "used");
	if (conversion->form.from_disk)
		decision_log_decide(&conversion->answer.log, "read_back", "option", "disk");
	if (!buffers_fit(&buffers, conversion->shards, conversion->plan, options->memory_limit, err))
		goto fail;
	conversion->result.memory_bytes = buffers_bytes(&buffers, conversion->plan);
	if (options->dry_run ? conversion_output_plan(conversion, err)
		: conversion_output_write(conversion, err))
		return true;
fail:
	return conversion->shards != NULL && shards_blame_change(conversion->shards, err);
}

/* A fault that another way to read the source avoids; each comes at most once. */
static bool
knows_better(struct conversion *conversion, bool *indexed, const struct error *err)
{
	/* A zip inside a deflated member that cannot be read in one pass after all. */
	if (strcmp(err->slug, "walk") == 0 && !*indexed)
		return *indexed = true;
	/* An output layer of which nothing was said, and whose numbers are its own. */
	if (strcmp(err->slug, "untied") == 0 && !conversion->assume_untied)
		return conversion->assume_untied = true;
	return false;
}

static void
start_again(struct conversion *conversion)
{
	staging_close(conversion->staging);
	atomic_file_close(conversion->statement);
	conversion->staging = NULL;
	conversion->statement = NULL;
	free(conversion->fds);
	conversion->fds = NULL;
	output_directory_fini(&conversion->directory);
	execute_result_fini(&conversion->executed);
	forget_source(conversion);
	decision_log_fini(&conversion->answer.log);
	decision_log_init(&conversion->answer.log);
}

/* Of what is to be read the statement replaces nothing: neither what was named, nor a file in
 * it, nor one of a tokenizer that would be found at the source. */
static bool
check_statement(const struct conversion *conversion, const char *read, struct error *err)
{
	const struct m2h_convert_options *options = conversion->options;
	const char                       *statement = options->provenance;
	char                              parent[PATH_MAX], name[PATH_MAX];

	return destination_keeps(statement, read, options->replace, err)
		&& destination_leaves(statement, read, options->replace, err)
		&& (!tokenizer_source_searches(&conversion->tokenizer)
			|| !tokenizer_files_knows(text_base_name(name, sizeof name, statement))
			|| !path_is_inside(read, destination_parent(statement, parent, sizeof parent))
			|| destination_leaves(statement, parent, options->replace, err));
}

/* Nothing that is to be read may be in what is to be replaced.  What a stream is made of has a
 * place of its own. */
static bool
check_destination(const struct conversion *conversion, struct error *err)
{
	const struct m2h_convert_options *options = conversion->options;
	const char *read[] = { options->source, options->sha256, options->config,
		options->model_card, conversion->tokenizer.folder };

	if (options->stream != NULL && !staging_check_private(options->staging, err))
		return false;
	for (size_t i = 0; i < sizeof read / sizeof *read; i++) {
		if (read[i] == NULL)
			continue;
		if (options->stream == NULL
		    && !destination_check(options->destination, read[i], options->replace, err))
			return false;
		if (options->provenance != NULL && !check_statement(conversion, read[i], err))
			return false;
	}
	return options->provenance == NULL
		|| ((options->stream != NULL
			|| destination_check_beside(options->destination, options->provenance, err))
		    && atomic_file_check(options->provenance, options->replace, err));
}

/* What goes with --force.  Told last: conversion.json does not depend on what stood there. */
static void
tell_replaced(struct conversion *conversion)
{
	const struct m2h_convert_options  *options = conversion->options;
	const struct destination_contents *replaced = &conversion->replaced;

	if (replaced->count == 0)
		return;
	if (options->dry_run)
		decision_log_note(&conversion->answer.log, NOTE_NOTE, "replaced",
			"'%s' exists: replacing it would remove %s", options->destination, replaced->shown);
	else if (!replaced->is_model)
		decision_log_note(&conversion->answer.log, NOTE_NOTE, "replaced",
			"'%s' existed and was not made by megatron2hf: replacing it removed %s",
			options->destination, replaced->shown);
}

static bool
run(struct conversion *conversion, struct error *err)
{
	const struct m2h_convert_options *options;
	bool                              done, indexed = false;

	if (!place_stream(conversion, err))
		return false;
	options = conversion->options;
	if (!check_options(options, err) || !read_input_sha256(conversion, err)
	    || !output_form_read(&conversion->form, options, err)
	    || !expected_digest_open(&conversion->expected, options->sha256, err)
	    || !model_card_open(&conversion->card, options->model_card, options->license, err)
	    || (options->config != NULL
	        && !given_config_read(options->config, &conversion->given, err))
	    || !tokenizer_source_name(&conversion->tokenizer, options->tokenizer, err)
	    || !check_destination(conversion, err))
		return false;
	if (options->stream == NULL && options->replace)
		destination_look(options->destination, &conversion->replaced);
	done = run_attempt(conversion, indexed, err);
	while (!done && knows_better(conversion, &indexed, err)) {
		start_again(conversion);
		*err = (struct error){ 0 };
		done = run_attempt(conversion, indexed, err);
	}
	if (!done) {
		expected_digest_explain(&conversion->expected, options->source, err);
		answer_blame(options->source, err);
	} else {
		tell_replaced(conversion);
	}
	return done;
}

/* ---- the answer ------------------------------------------------------------------- */

static void
answer_outputs(struct conversion *conversion)
{
	const struct output_directory *directory = &conversion->directory;
	struct m2h_file               *files = answer_take(&conversion->answer, directory->count,
		sizeof *files);

	if (files == NULL)
		return;
	for (size_t i = 0; i < directory->count; i++) {
		files[i].name = answer_text(&conversion->answer, directory->files[i].name);
		files[i].member = "";
		files[i].bytes = directory->files[i].bytes;
		if (conversion->options->dry_run)       /* not all could be known */
			continue;
		memcpy(files[i].sha256, directory->files[i].sha256, sizeof files[i].sha256);
		memcpy(files[i].git_sha1, directory->files[i].git_blob, sizeof files[i].git_sha1);
	}
	conversion->result.outputs = files;
	conversion->result.output_count = directory->count;
}

/* The files of the checkpoint, and of a tokenizer that was read. */
static void
answer_all_inputs(struct conversion *conversion)
{
	const struct shards              *shards = conversion->shards;
	const struct tokenizer_files_set *files = &conversion->tokenizer.files;
	struct m2h_file                  *inputs;

	if (shards == NULL)
		return;
	if ((inputs = answer_inputs(&conversion->answer, shards, files->count)) == NULL)
		return;
	for (size_t i = 0; i < shards->input_count; i++)
		if (conversion->executed.input_sha256 != NULL
		    && used_ranges_is_whole(&conversion->executed.used, shards, i))
			memcpy(inputs[i].sha256, conversion->executed.input_sha256[i],
				sizeof inputs[i].sha256);
	for (size_t i = 0; i < files->count; i++) {
		struct m2h_file *input = &inputs[shards->input_count + i];

		input->name = files->items[i].name;
		input->member = "";
		input->bytes = files->items[i].length;
		memcpy(input->sha256, files->items[i].sha256, sizeof input->sha256);
	}
	conversion->result.inputs = inputs;
	conversion->result.input_count = shards->input_count + files->count;
}

static void
answer_conversion(struct conversion *conversion, bool done, const struct error *err)
{
	struct m2h_conversion *result = &conversion->result;
	struct answer         *answer = &conversion->answer;

	result->status = done ? M2H_OK : answer_status(err);
	answer_error(answer, err, &result->error);
	answer_decisions(answer, &result->decisions, &result->decision_count);
	answer_notes(answer, &result->notes, &result->note_count);
	answer_all_inputs(conversion);
	if (conversion->model != NULL) {
		answer_model(answer, conversion->shards, conversion->model, &result->model);
		answer_dropped(answer, conversion->model, &result->dropped, &result->dropped_count);
	}
	if (conversion->plan != NULL) {
		result->tensors = conversion->plan->distinct_count;
		result->copies = conversion->plan->slice_count + conversion->plan->replica_count;
		result->replicas = conversion->plan->replica_count;
		result->zeros = conversion->plan->zero_count;
		result->output_bytes = conversion->plan->weight_bytes;
	}
	if (done)
		answer_outputs(conversion);
	answer_settle(answer, &result->status, &result->error);
	if (done && result->status != M2H_OK && !conversion->options->dry_run)
		result->error.hint = "the result itself is complete and in its place";
}

struct m2h_conversion *
m2h_convert(const struct m2h_convert_options *options)
{
	struct conversion *conversion = calloc(1, sizeof *conversion);
	struct error       err = { 0 };
	bool               done;

	if (conversion == NULL)
		return NULL;
	conversion->options = options;
	conversion->spooled = -1;
	answer_init(&conversion->answer);
	done = digest_prepare() ? run(conversion, &err) : error_no_memory(&err, 0);
	staging_close(conversion->staging);
	atomic_file_close(conversion->statement);
	answer_conversion(conversion, done, &err);
	execute_result_fini(&conversion->executed);
	output_directory_fini(&conversion->directory);
	free(conversion->fds);
	forget_source(conversion);
	if (conversion->spooled >= 0)
		close(conversion->spooled);
	tokenizer_source_fini(&conversion->tokenizer);
	expected_digest_fini(&conversion->expected);
	model_card_fini(&conversion->card);
	return &conversion->result;
}

void
m2h_conversion_free(struct m2h_conversion *result)
{
	struct conversion *conversion = (struct conversion *)result;

	if (conversion == NULL)
		return;
	answer_fini(&conversion->answer);
	free(conversion);
}
