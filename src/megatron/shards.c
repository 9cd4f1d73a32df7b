#include "megatron/shards.h"

#include "base/descriptor.h"
#include "base/text.h"
#include "container/identify.h"
#include "container/zip_archive.h"
#include "megatron/deepspeed.h"
#include "megatron/distributed.h"
#include "megatron/rank_name.h"
#include "megatron/shard_folder.h"
#include "megatron/shard_grid.h"
#include "megatron/shard_zip.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ARENA_LIMIT       ((size_t)256 << 20)
#define PIECE_ARENA_LIMIT ((size_t)1 << 20)     /* one tensor: a pickle of 300 bytes */

bool
shards_blame(const struct shards *shards, size_t index, struct error *err)
{
	const struct shard *shard = &shards->items[index];

	if (shard->member != NULL || shard->piece != NULL)
		error_in_member(err, shard->member != NULL ? shard->member : shard->piece);
	return error_in_file(err, shards->inputs[shard->input]->name);
}

char *
shards_describe(const struct shards *shards, size_t index, char *to, size_t size)
{
	const struct shard *shard = &shards->items[index];

	return text_format(to, size, "%s%s%s", shards->inputs[shard->input]->name,
		shard->member != NULL ? ":" : "", shard->member != NULL ? shard->member : "");
}

/* A download that has not ended is often still called so. */
static void
note_unfinished_name(const char *name, struct decision_log *log)
{
	static const char *const suffixes[] = {
		".part", ".aria2", ".crdownload", ".incomplete", ".tmp",
	};
	size_t index;

	for (index = 0; index < sizeof suffixes / sizeof *suffixes; index++)
		if (text_has_suffix(name, suffixes[index]))
			decision_log_note(log, NOTE_WARNING, "partsuffix",
				"the name ends in %s, which suggests an unfinished download",
				suffixes[index]);
}

/* What is odd about a shard's container, but no fault. */
static void
note_container(const struct shards *shards, size_t index, struct decision_log *log)
{
	const struct torch_file *torch = shards->items[index].torch;
	char                     bytes[TEXT_NUMBER_SIZE], name[160];

	text_escape(name, sizeof name, shards->items[index].name,
		strlen(shards->items[index].name));
	if (torch_file_form(torch) == TORCH_ZIP && !torch_file_has_checksums(torch))
		decision_log_note(log, NOTE_WARNING, "no-checksums",
			"%s carries no CRC-32 values: damage to its numbers cannot be seen", name);
	if (torch_file_inflates_twice(torch))
		decision_log_note(log, NOTE_NOTE, "inflates-twice",
			"%s is inflated twice, because its order does not allow one pass", name);
	if (torch_file_unused_bytes(torch) > 0)
		decision_log_note(log, NOTE_WARNING, "extrarec",
			"%s holds records of %s that no tensor uses", name,
			text_byte_count(bytes, torch_file_unused_bytes(torch)));
}

static bool
refuse_safetensors(struct error *err)
{
	error_set(err, ERROR_UNSUPPORTED, "otherformat",
		"a safetensors file; a checkpoint that torch.save wrote is expected");
	return error_hint(err, SHARDS_HF_WEIGHTS_HINT);
}

static bool
open_torch(struct shards *shards, size_t index, const struct shards_options *options,
	struct decision_log *log, struct error *err)
{
	struct shard *shard = &shards->items[index];

	switch (identify_stream(shard->stream, err)) {
	case IDENTITY_REFUSED:
		return false;
	case IDENTITY_SAFETENSORS:
		return refuse_safetensors(err);
	case IDENTITY_ZIP:
	case IDENTITY_TORCH_LEGACY:
		break;
	}
	shard->torch = options->indexed
		? torch_file_open_indexed(shard->stream, options->arena_limit, err)
		: torch_file_open(shard->stream, options->arena_limit, err);
	if (shard->torch == NULL)
		return false;
	note_container(shards, index, log);
	return true;
}

/* A single file in a format of torch.save. */
static bool
add_file(struct shards *shards, const char *path, struct byte_stream **stream,
	struct error *err)
{
	struct rank_name rank = { 0 };
	char             base[256], *name;

	shards->is_lone = true;
	if (strcmp(path, "-") != 0 && !shard_folder_neighbours(shards, path, &rank, err))
		return false;
	text_base_name(base, sizeof base, shards->inputs[0]->name);
	if ((name = arena_copy(&shards->arena, base, strlen(base))) == NULL)
		return error_no_memory(err, strlen(base) + 1);
	if (!shard_grid_add(shards, &rank, name, NULL, err))
		return false;
	shards->items[0].stream = *stream;
	*stream = NULL;
	return shard_grid_check(shards, err);
}

/* The file itself is the shard: there is nothing to choose. */
static bool
refuse_iteration(const struct shards_options *options, struct error *err)
{
	return options->iteration == NULL || error_set(err, ERROR_USAGE, "usage",
		"--iteration %s: only a folder or a zip can hold several iterations",
		options->iteration);
}

static bool
add_zip(struct shards *shards, const char *path, struct byte_stream **stream,
	const struct shards_options *options, struct decision_log *log, struct error *err)
{
	struct zip_archive *archive = zip_archive_open(*stream, ZIP_DOWNLOAD, err);
	bool                done = false;

	if (archive == NULL)
		return false;
	switch (identify_zip(archive, err)) {
	case ZIP_IDENTITY_TORCH:
		done = refuse_iteration(options, err) && byte_stream_seek(*stream, 0, err)
		    && add_file(shards, path, stream, err);
		break;
	case ZIP_IDENTITY_DOWNLOAD:
		done = shard_zip_open(shards, archive, options, log, err);
		break;
	case ZIP_IDENTITY_REFUSED:
		break;
	}
	zip_archive_close(archive);
	return done;
}

#define OF_HUGGING_FACE ERROR_CORRUPT, "otherformat", "one file of a Hugging Face directory", \
	"give the directory to verify, inspect or diff"
#define OF_DISTRIBUTED  ERROR_UNSUPPORTED, "distckpt", "one file of a distributed checkpoint", \
	"give the folder that holds .metadata and all *.distcp files"

/* Files that are nothing without those beside them, by their names. */
static const struct {
	const char     *pattern;        /* of fnmatch(3) */
	enum error_kind kind;
	const char     *slug, *what, *hint;
} parts[] = {
	{ "*.distcp",               OF_DISTRIBUTED },
	{ ".metadata",              OF_DISTRIBUTED },
	{ "layer_*-model_*-model_states.pt", ERROR_UNSUPPORTED, "distckpt",
		"one file of a DeepSpeed checkpoint", SHARDS_LAYERS_HINT },
	{ RANK_NAME_TRACKER,        ERROR_CORRUPT, "tracker",
		"the name of an iteration, not a checkpoint", "give the folder that holds it" },
	{ "config.json",            OF_HUGGING_FACE },
	{ "conversion.json",        OF_HUGGING_FACE },
	{ "generation_config.json", OF_HUGGING_FACE },
	{ "tokenizer*.json",        OF_HUGGING_FACE },
	{ "vocab.json",             OF_HUGGING_FACE },
	{ "*.index.json",           OF_HUGGING_FACE },
};

static bool
refuse_part(const char *path, struct error *err)
{
	char   base[256];
	size_t index;

	text_base_name(base, sizeof base, path);
	for (index = 0; index < sizeof parts / sizeof *parts; index++) {
		if (fnmatch(parts[index].pattern, base, 0) != 0)
			continue;
		error_set(err, parts[index].kind, parts[index].slug, "%s", parts[index].what);
		error_hint(err, "%s", parts[index].hint);
		return error_in_file(err, path);
	}
	return true;
}

/* What may have been meant by a path that is no file. */
static bool
hint_path(const char *path, struct error *err)
{
	struct stat found;

	if (text_has_prefix(path, "https://") || text_has_prefix(path, "http://"))
		return error_hint(err, "nothing is downloaded: fetch it first, curl -fLO '%s'", path);
	if (stat(path, &found) == 0 && S_ISFIFO(found.st_mode))
		return error_hint(err, "use - for standard input");
	return false;
}

static bool
open_file(struct shards *shards, const char *path, const struct shards_options *options,
	struct decision_log *log, struct error *err)
{
	bool                done = false;
	struct byte_stream *stream = NULL;

	if ((shards->inputs = arena_take(&shards->arena, 1, sizeof *shards->inputs)) == NULL)
		return error_no_memory(err, sizeof *shards->inputs);
	shards->inputs[0] = options->spooled != NULL
		? input_file_open_again(path, options->spool_directory, options->spooled, err)
		: input_file_open(path, options->spool_directory, err);
	if (shards->inputs[0] == NULL)
		return hint_path(path, err);
	shards->input_count = 1;
	if (!refuse_part(path, err))
		return false;
	note_unfinished_name(path, log);
	stream = byte_stream_open(shards->inputs[0], 0, shards->inputs[0]->size, err);
	if (stream == NULL)
		goto out;
	switch (identify_stream(stream, err)) {
	case IDENTITY_ZIP:
		done = add_zip(shards, path, &stream, options, log, err);
		break;
	case IDENTITY_TORCH_LEGACY:
		done = refuse_iteration(options, err) && add_file(shards, path, &stream, err);
		break;
	case IDENTITY_SAFETENSORS:
		refuse_safetensors(err);
		break;
	case IDENTITY_REFUSED:
		break;
	}
out:
	byte_stream_close(stream);
	return done ? true : error_in_file(err, shards->inputs[0]->name);
}

static bool
open_streams(struct shards *shards, struct error *err)
{
	size_t index;

	for (index = 0; index < shards->count; index++) {
		struct shard      *shard = &shards->items[index];
		struct input_file *input = shards->inputs[shard->input];

		if (shard->stream != NULL || shard->piece != NULL)
			continue;
		shard->stream = byte_stream_open(input, 0, input->size, err);
		if (shard->stream == NULL)
			return shards_blame(shards, index, err);
	}
	return true;
}

static bool
open_path(struct shards *shards, const char *path, const struct shards_options *options,
	struct decision_log *log, struct error *err)
{
	bool done;
	int  directory = -1;

	/* A fault of the path is for opening as a file to explain; one of the machine may be gone
	 * by then. */
	errno = 0;
	if (strcmp(path, "-") != 0)
		directory = descriptor_open_directory(AT_FDCWD, path, 0);
	if (errno == EIO || errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
		error_os(err, ERROR_NO_INPUT, "noinput", "cannot open it");
		return error_in_file(err, path);
	}
	if (directory < 0)
		return open_file(shards, path, options, log, err);
	done = shard_folder_open(shards, directory, path, options, log, err);
	close(directory);
	return done && open_streams(shards, err);
}

bool
shards_blame_change(const struct shards *shards, struct error *err)
{
	bool is_of_input = err->kind == ERROR_CORRUPT || err->kind == ERROR_UNSAFE
		|| err->kind == ERROR_UNSUPPORTED;

	for (size_t i = 0; i < shards->input_count && is_of_input; i++)
		if (!input_file_unchanged(shards->inputs[i], err))
			break;
	return false;
}

struct shards *
shards_open(const char *path, const struct shards_options *options, struct decision_log *log,
	struct error *err)
{
	struct shards *shards = calloc(1, sizeof *shards);
	size_t         index;

	if (shards == NULL) {
		error_no_memory(err, sizeof *shards);
		return NULL;
	}
	arena_init(&shards->arena, ARENA_LIMIT);
	shards->iteration = "";
	if (!open_path(shards, path, options, log, err))
		goto fail;
	for (index = 0; index < shards->count; index++) {
		if (shards->items[index].stream != NULL
		    && !open_torch(shards, index, options, log, err)) {
			shards_blame(shards, index, err);
			goto fail;
		}
	}
	if ((shards->distribution != NULL && !distributed_take_common(shards, log, err))
	    || (shards->layer_prefixes != NULL && !deepspeed_classify(shards, log, err)))
		goto fail;
	return shards;
fail:
	shards_blame_change(shards, err);
	shards_close(shards);
	return NULL;
}

bool
shards_may_repeat(const struct shards *shards, size_t input)
{
	return shards->distribution != NULL ? distributed_may_repeat(shards, input)
	    : shards->layer_prefixes != NULL && deepspeed_may_repeat(shards, input);
}

const struct value *
shards_root(const struct shards *shards)
{
	size_t layer_files = (size_t)shards->stage_count * shards->tensor_size;

	if (shards->distribution != NULL)
		return shards->distribution->common;
	if (shards->layer_prefixes != NULL)
		return shards->count > layer_files
		    ? torch_file_root(shards->items[layer_files].torch) : NULL;
	return torch_file_root(shards->items[0].torch);
}

struct torch_file *
shards_open_piece(const struct shards *shards, size_t index, struct error *err)
{
	const struct shard *shard = &shards->items[index];
	struct torch_file  *piece = NULL;
	struct byte_stream *stream = byte_stream_open(shards->inputs[shard->input], shard->offset,
		shard->length, err);

	if (stream != NULL
	    && (piece = torch_file_open(stream, PIECE_ARENA_LIMIT, err)) == NULL)
		byte_stream_close(stream);
	return piece;
}

void
shards_close_piece(struct torch_file *piece)
{
	struct byte_stream *stream = piece != NULL ? torch_file_stream(piece) : NULL;

	torch_file_close(piece);
	byte_stream_close(stream);
}

void
shards_close(struct shards *shards)
{
	size_t index;

	if (shards == NULL)
		return;
	for (index = 0; index < shards->count; index++) {
		torch_file_close(shards->items[index].torch);
		byte_stream_close(shards->items[index].stream);
	}
	for (index = 0; index < shards->input_count; index++)
		input_file_close(shards->inputs[index]);
	arena_fini(&shards->arena);
	free(shards);
}
