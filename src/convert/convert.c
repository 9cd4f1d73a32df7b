#include "base/signals.h"
#include "base/staging.h"
#include "base/workers.h"
#include "check/manifest.h"
#include "convert/answer.h"
#include "convert/destination.h"
#include "convert/expected_digest.h"
#include "convert/given_config.h"
#include "convert/judgement.h"
#include "convert/model_card.h"
#include "convert/output_directory.h"
#include "convert/output_form.h"
#include "convert/provenance.h"
#include "convert/tar_stream.h"
#include "convert/tokenizer_source.h"
#include "megatron/known_classes.h"
#include "plan/execute.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define PICKLE_ARENA_BYTES ((size_t)32 << 20)
#define SPARE_PERCENT      1            /* of free space, beside what is written */

struct conversion {
	struct m2h_conversion             result;       /* first: what the caller holds */
	struct answer                     answer;
	const struct m2h_convert_options *options;      /* the caller's, or `streaming` */
	struct m2h_convert_options        streaming;    /* those with a place for the files */
	char                              stream_place[PATH_MAX];
	struct output_form                form;
	struct expected_digest            expected;
	struct given_config               given;
	struct model_card                 card;
	struct tokenizer_source           tokenizer;
	bool                              assume_untied;
	struct shards                    *shards;
	struct model                     *model;
	struct plan                      *plan;
	struct staging                   *staging;
	struct staging                   *statement;    /* of --provenance; NULL: none */
	struct output_directory           directory;
	int                              *fds;          /* of the weight files; staging's */
	struct execute_result             executed;
	struct manifest_file             *inputs;
};

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
	return conversion->model != NULL && tokenizer_source_settle(&conversion->tokenizer,
		&conversion->model->arguments, is_size_given(conversion), log, err);
}

/* Shards, model and plan: everything that is known before a byte moves. */
static bool
open_source(struct conversion *conversion, bool indexed, struct error *err)
{
	const struct m2h_convert_options *options = conversion->options;
	struct decision_log              *log = &conversion->answer.log;
	char                              parent[4096];
	struct shards_options             shards_options = { .arena_limit = PICKLE_ARENA_BYTES,
		.spool_directory = destination_parent(options->destination, parent, sizeof parent),
		.iteration = options->iteration, .indexed = indexed };

	if ((conversion->shards = shards_open(options->source, &shards_options, log, err)) == NULL)
		return false;
	known_classes_note(conversion->shards, log);
	for (size_t i = 0; i < conversion->shards->input_count; i++) {
		const struct input_file *input = conversion->shards->inputs[i];

		if ((options->stream == NULL
		     && !destination_spares(options->destination, input->fd, input->name,
				options->replace, err))
		    || (options->provenance != NULL
		        && !destination_spares(options->provenance, input->fd, input->name,
				options->replace, err)))
			return false;
	}
	return expected_digest_covers(&conversion->expected, conversion->shards, err)
		&& open_model(conversion, err)
		&& (conversion->plan = plan_build(conversion->model, &conversion->form.plan, err)) != NULL;
}

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

/* A rank's file copied in the place of another would pass every other check. */
static bool
check_no_copies(struct conversion *conversion, struct error *err)
{
	for (size_t i = 0; i < conversion->shards->input_count; i++) {
		for (size_t j = 0; j < i; j++) {
			if (strcmp(conversion->executed.input_sha256[i],
				conversion->executed.input_sha256[j]) != 0)
				continue;
			error_set(err, ERROR_CORRUPT, "dupshard",
				"byte for byte the same as %s: a copy in the place of a shard",
				conversion->shards->inputs[j]->name);
			return error_in_file(err, conversion->shards->inputs[i]->name);
		}
	}
	return true;
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
	return check_no_copies(conversion, err);
}

static bool
create_files(struct conversion *conversion, struct error *err)
{
	const struct weight_files *files = conversion->plan->files;

	conversion->fds = calloc(files->file_count, sizeof *conversion->fds);
	if (conversion->fds == NULL)
		return error_no_memory(err, files->file_count * sizeof *conversion->fds);
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
	};

	if (!create_files(conversion, err)
	    || !execute_plan(conversion->shards, conversion->plan, conversion->fds, &run,
		&conversion->executed, err))
		return false;
	return check_inputs(conversion, err)
		&& judgement_of_weights(&(struct judgement){ conversion->shards, conversion->model,
		conversion->plan, &conversion->executed, &conversion->answer.log, conversion->fds,
		options->allow_overflow }, err)
		&& add_weights(conversion, err);
}

/* ---- what tells of the conversion ------------------------------------------------- */

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
		if (conversion->executed.input_sha256 != NULL)
			memcpy(conversion->inputs[i].sha256, conversion->executed.input_sha256[i],
				DIGEST_HEX_SIZE);
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

	return conversion->statement == NULL
		|| provenance_stage(&provenance, conversion->statement, err);
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

static bool
write_directory(struct conversion *conversion, struct error *err)
{
	const struct m2h_convert_options *options = conversion->options;

	conversion->staging = options->stream != NULL ? staging_open_private(options->staging, err)
		: staging_open(options->destination, options->replace, err);
	if (conversion->staging == NULL)
		return false;
	if (options->provenance != NULL && (conversion->statement = staging_open_file(
		options->provenance, options->replace, err)) == NULL)
		return false;
	conversion->directory.staging = conversion->staging;
	if (!write_weights(conversion, err) || !check_strict(conversion, err)
	    || !take_inputs(conversion, err) || !write_card(conversion, err)
	    || !write_manifest(conversion, err) || !write_provenance(conversion, err)
	    || !deliver(conversion, err))
		return false;
	return conversion->statement == NULL || staging_publish_file(conversion->statement, err)
		|| error_hint(err, "the result itself is complete and in its place");
}

/* What would be written, with its sizes. */
static bool
plan_directory(struct conversion *conversion, struct error *err)
{
	return add_weights(conversion, err)
		&& write_furniture(conversion, err) && check_strict(conversion, err)
		&& take_inputs(conversion, err) && write_card(conversion, err)
		&& write_manifest(conversion, err);
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

	if (!open_source(conversion, indexed, err) || !check_space(conversion, err))
		return false;
	conversion->result.memory_bytes = execute_memory_bound(conversion->plan);
	return options->dry_run ? plan_directory(conversion, err)
		: write_directory(conversion, err);
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
	staging_close(conversion->statement);
	conversion->staging = conversion->statement = NULL;
	free(conversion->fds);
	conversion->fds = NULL;
	output_directory_fini(&conversion->directory);
	execute_result_fini(&conversion->executed);
	forget_source(conversion);
	decision_log_fini(&conversion->answer.log);
	decision_log_init(&conversion->answer.log);
}

/* Nothing that is to be read may be in what is to be replaced.  What a stream is made of has a
 * place of its own. */
static bool
check_destination(const struct conversion *conversion, struct error *err)
{
	const struct m2h_convert_options *options = conversion->options;
	const char *read[] = { options->source, options->sha256, options->config,
		options->model_card, conversion->tokenizer.folder };

	for (size_t i = 0; i < sizeof read / sizeof *read; i++) {
		if (read[i] == NULL)
			continue;
		if (options->stream == NULL
		    && !destination_check(options->destination, read[i], options->replace, err))
			return false;
		if (options->provenance != NULL
		    && !destination_keeps(options->provenance, read[i], options->replace, err))
			return false;
	}
	return options->provenance == NULL
		|| ((options->stream != NULL
			|| destination_check_beside(options->destination, options->provenance, err))
		    && staging_check_file(options->provenance, options->replace, err));
}

static bool
run(struct conversion *conversion, struct error *err)
{
	const struct m2h_convert_options *options;
	bool                              done, indexed = false;

	if (!place_stream(conversion, err))
		return false;
	options = conversion->options;
	if (!check_options(options, err) || !output_form_read(&conversion->form, options, err)
	    || !expected_digest_open(&conversion->expected, options->sha256, err)
	    || !model_card_open(&conversion->card, options->model_card, options->license, err)
	    || (options->config != NULL
	        && !given_config_read(options->config, &conversion->given, err))
	    || !tokenizer_source_name(&conversion->tokenizer, options->tokenizer, err)
	    || !check_destination(conversion, err))
		return false;
	done = run_attempt(conversion, indexed, err);
	while (!done && knows_better(conversion, &indexed, err)) {
		start_again(conversion);
		*err = (struct error){ 0 };
		done = run_attempt(conversion, indexed, err);
	}
	if (!done) {
		expected_digest_explain(&conversion->expected, options->source, err);
		answer_blame(options->source, err);
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
		if (conversion->executed.input_sha256 != NULL)
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
	answer_init(&conversion->answer);
	done = digest_prepare() ? run(conversion, &err) : error_no_memory(&err, 0);
	staging_close(conversion->staging);
	staging_close(conversion->statement);
	answer_conversion(conversion, done, &err);
	execute_result_fini(&conversion->executed);
	output_directory_fini(&conversion->directory);
	free(conversion->fds);
	forget_source(conversion);
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
