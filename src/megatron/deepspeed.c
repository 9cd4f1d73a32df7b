#include "megatron/deepspeed.h"

#include "base/text.h"
#include "megatron/argument_value.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define STATES "mp_rank_00_model_states.pt"

/* ---- names ---------------------------------------------------------------------------------- */

struct layer_file {
	uint64_t    place, tensor_rank;
	const char *name;
};

/* Digits at *at, which is moved behind them. */
static bool
take_number(const char **at, uint64_t *number)
{
	size_t digits = strspn(*at, "0123456789");

	if (digits < 2 || digits > 6 || !text_parse_u64(*at, digits, number))
		return false;
	*at += digits;
	return true;
}

static bool
take_word(const char **at, const char *word)
{
	if (!text_has_prefix(*at, word))
		return false;
	*at += strlen(word);
	return true;
}

/* layer_PLACE-model_RANK-model_states.pt */
static bool
parse_name(const char *name, struct layer_file *file)
{
	file->name = name;
	return take_word(&name, "layer_") && take_number(&name, &file->place)
	    && take_word(&name, "-model_") && take_number(&name, &file->tensor_rank)
	    && strcmp(name, "-model_states.pt") == 0;
}

bool
deepspeed_is(const struct folder_listing *listing)
{
	struct layer_file file;
	size_t            index;

	for (index = 0; index < listing->count; index++)
		if (parse_name(listing->names[index], &file))
			return true;
	return false;
}

/* ---- the grid of places and ranks ------------------------------------------------------------- */

/* 100 comes after 11. */
static int
by_place(const void *left, const void *right)
{
	const struct layer_file *a = left, *b = right;

	if (a->place != b->place)
		return a->place < b->place ? -1 : 1;
	if (a->tensor_rank != b->tensor_rank)
		return a->tensor_rank < b->tensor_rank ? -1 : 1;
	return strcmp(a->name, b->name);
}

/* Each place has the ranks 0, 1, ... that the first one has. */
static bool
check_grid(const struct layer_file *files, size_t count, size_t ranks, struct error *err)
{
	size_t index;

	for (index = 0; index < count; index++) {
		uint64_t place = files[index / ranks * ranks].place;

		/* layer_03 and layer_003 are the same. */
		if (index > 0 && files[index].place == files[index - 1].place
		    && files[index].tensor_rank == files[index - 1].tensor_rank)
			return error_set(err, ERROR_CORRUPT, "collision",
				"%s and %s are of one layer and rank", files[index - 1].name,
				files[index].name);
		if (files[index].place == place && files[index].tensor_rank == index % ranks)
			continue;
		/* The one that should stand here, or be the first of its place. */
		return error_set(err, ERROR_NO_INPUT, "missingrank", "layer_%02" PRIu64
			"-model_%02zu-model_states.pt is missing", place, index % ranks);
	}
	if (count % ranks == 0)
		return true;
	return error_set(err, ERROR_NO_INPUT, "missingrank", "layer_%02" PRIu64
		"-model_%02zu-model_states.pt is missing", files[count - 1].place, count % ranks);
}

/* As many as any place has. */
static size_t
count_ranks(const struct layer_file *files, size_t count)
{
	uint64_t most = 0;
	size_t   index;

	for (index = 0; index < count; index++)
		if (files[index].tensor_rank > most)
			most = files[index].tensor_rank;
	return (size_t)most + 1;
}

bool
deepspeed_open(struct shards *shards, const struct folder_listing *listing, struct error *err)
{
	struct layer_file *files = arena_take(&shards->arena, listing->count, sizeof *files);
	size_t             index, count = 0, ranks;

	shards->items = arena_take(&shards->arena, listing->count + 1, sizeof *shards->items);
	if (files == NULL || shards->items == NULL)
		return error_no_memory(err, listing->count * sizeof *shards->items);
	for (index = 0; index < listing->count; index++)
		count += parse_name(listing->names[index], &files[count]);
	qsort(files, count, sizeof *files, by_place);
	ranks = count_ranks(files, count);
	if (!check_grid(files, count, ranks, err))
		return false;
	for (index = 0; index < count; index++)
		shards->items[index] = (struct shard){ .name = files[index].name,
			.tensor_rank = (unsigned)(index % ranks),
			.pipeline_rank = (unsigned)(index / ranks) };
	shards->count = count;
	shards->tensor_size = (unsigned)ranks;
	shards->stage_count = (unsigned)(count / ranks);
	shards->pipeline_size = 1;
	shards->layer_prefixes = arena_take(&shards->arena, shards->stage_count,
		sizeof *shards->layer_prefixes);
	if (shards->layer_prefixes == NULL)
		return error_no_memory(err, count * sizeof *shards->layer_prefixes);
	if (folder_listing_has(listing, STATES))
		shards->items[shards->count++] = (struct shard){ .name = STATES };
	return true;
}

/* ---- what each file is ------------------------------------------------------------------------ */

/* A key that tells what a file holds, and what its names are behind. */
static const struct {
	const char *key, *prefix;
} kinds[] = {
	{ "word_embeddings.weight", "" },
	{ "input_layernorm.weight", "layers.0" },
	{ "lm_head.weight",         "" },
	{ "weight",                 "final_layernorm" },
};

static bool
classify(const struct value *root, const char **prefix, struct error *err)
{
	size_t index;
	char   found[160];

	if (root->kind != VALUE_DICT)
		return error_set(err, ERROR_UNSUPPORTED, "toplevel", "top level is %s; a dict of a "
			"layer's weights is expected", value_describe(root, found, sizeof found));
	for (index = 0; index < sizeof kinds / sizeof *kinds; index++) {
		*prefix = kinds[index].prefix;
		if (value_find(root, kinds[index].key) != NULL)
			return true;
	}
	return error_set(err, ERROR_UNSUPPORTED, "toplevel", "no key of it is that of embeddings, "
		"a layer or a norm of a GPT");
}

bool
deepspeed_may_repeat(const struct shards *shards, size_t input)
{
	size_t index = 0;

	while (index < shards->count && shards->items[index].input != input)
		index++;
	return index < (size_t)shards->stage_count * shards->tensor_size
	    && shards->layer_prefixes[index / shards->tensor_size][0] == 'f';
}

static uint64_t
place_of(const struct shards *shards, size_t stage)
{
	struct layer_file file = { 0 };

	parse_name(shards->items[stage * shards->tensor_size].name, &file);
	return file.place;
}

/* Layers follow each other without a gap. */
static bool
check_gaps(const struct shards *shards, struct error *err)
{
	size_t stage;

	for (stage = 1; stage < shards->stage_count; stage++) {
		bool are_layers = shards->layer_prefixes[stage][0] == 'l'
		    && shards->layer_prefixes[stage - 1][0] == 'l';

		if (!are_layers || place_of(shards, stage) == place_of(shards, stage - 1) + 1)
			continue;
		error_set(err, ERROR_NO_INPUT, "missingrank", "layer_%02" PRIu64
			"-model_00-model_states.pt is missing, which comes before this layer",
			place_of(shards, stage - 1) + 1);
		return shards_blame(shards, stage * shards->tensor_size, err);
	}
	return true;
}

/* Against args, which the last file holds. */
static bool
check_sizes(struct shards *shards, struct error *err)
{
	const struct value *args;
	uint64_t            tensor_size = shards->tensor_size, stages = 1;
	bool                found;

	if (!argument_holder(value_find(shards_root(shards), "args"), &args, err)
	    || !argument_whole(args, "tensor_model_parallel_size", &tensor_size, &found, err)
	    || !argument_whole(args, "pipeline_model_parallel_size", &stages, &found, err))
		return shards_blame(shards, shards->count - 1, err);
	if (stages > 0 && stages <= UINT16_MAX)
		shards->pipeline_size = (unsigned)stages;
	if (tensor_size == shards->tensor_size)
		return true;
	error_set(err, tensor_size > shards->tensor_size ? ERROR_NO_INPUT : ERROR_CORRUPT,
		tensor_size > shards->tensor_size ? "missingrank" : "extrarank",
		"each layer has %u file%s, but args say tensor_model_parallel_size=%" PRIu64,
		shards->tensor_size, shards->tensor_size == 1 ? "" : "s", tensor_size);
	return shards_blame(shards, shards->count - 1, err);
}

bool
deepspeed_classify(struct shards *shards, struct decision_log *log, struct error *err)
{
	size_t      index, count = (size_t)shards->stage_count * shards->tensor_size;
	const char *prefix = "";

	for (index = 0; index < count; index++) {
		const char **of_stage = &shards->layer_prefixes[index / shards->tensor_size];

		if (!classify(torch_file_root(shards->items[index].torch), &prefix, err))
			return shards_blame(shards, index, err);
		if (index % shards->tensor_size > 0 && *of_stage != prefix) {
			error_set(err, ERROR_CORRUPT, "missingkey", "another kind of layer than %s "
				"holds", shards->items[index - 1].name);
			return shards_blame(shards, index, err);
		}
		*of_stage = prefix;
	}
	if (!check_gaps(shards, err))
		return false;
	if (shards->count == count) {
		decision_log_note(log, NOTE_WARNING, "no-common", STATES " is not there: the "
			"checkpoint carries no arguments");
		return true;
	}
	return check_sizes(shards, err);
}
