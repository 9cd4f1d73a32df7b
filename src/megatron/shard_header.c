#include "megatron/shard_header.h"

#include "base/text.h"
#include "megatron/argument_refusals.h"
#include "megatron/argument_value.h"
#include "megatron/shard_grid.h"

#include <inttypes.h>
#include <string.h>

/* A checkpoint has about ten; what has more is something else, and costs time. */
#define MAX_TOP_LEVEL_KEYS 256

/* Virtual pipeline stages of a rank; real runs have a handful. */
#define MAX_CHUNKS 1024

/* A shard's own word. */
struct said {
	const struct value *root, *args, *label;
	size_t              chunks;
	int64_t             iteration;
};

/* Keys that stand where 'model' should, and what file has them. */
static const struct {
	const char *key, *slug, *what, *hint;
} strangers[] = {
	{ "sd",         "arch",     "a BERT checkpoint of 2019-03 (sd), not a GPT-2", "" },
	{ "module",     "distckpt", "one file of a DeepSpeed checkpoint (module)", SHARDS_LAYERS_HINT },
	{ "state_dict", "toplevel", "Lightning and NeMo checkpoints (state_dict) are not supported", "" },
	{ "wte.weight", "toplevel", "GPT-2 weights (wte.weight), not a Megatron checkpoint",
		SHARDS_HF_WEIGHTS_HINT },
	{ "transformer.wte.weight", "toplevel",
		"GPT-2 weights (transformer.wte.weight), not a Megatron checkpoint",
		SHARDS_HF_WEIGHTS_HINT },
};

/* "a, b, c": the text keys of a dict, cut where they do not fit. */
static char *
list_keys(const struct value *dict, char *to, size_t size)
{
	uint32_t index;
	size_t   used = 0;

	text_format(to, size, "%s", dict->count == 0 ? "none" : "");
	for (index = 0; index + 1 < dict->count && used + 8 < size; index += 2) {
		const struct value *key = dict->items[index];

		used = strlen(to);
		text_format(to + used, size - used, "%s", index > 0 ? ", " : "");
		used = strlen(to);
		if (key->kind == VALUE_TEXT)
			text_escape(to + used, size - used, key->text.bytes, key->text.length);
		else
			value_describe(key, to + used, size - used);
	}
	return to;
}

/* "model", or "model2" of several chunks. */
static char *
chunk_key(size_t chunk, bool is_lone, char to[16])
{
	return is_lone ? text_format(to, 16, "model") : text_format(to, 16, "model%zu", chunk);
}

static bool
check_chunk(const struct value *model, const char *key, struct error *err)
{
	char found[96];

	return model->kind == VALUE_DICT || error_set(err, ERROR_UNSUPPORTED, "foreignweight",
		"'%s' is %s; a dict of weights is expected", key,
		value_describe(model, found, sizeof found));
}

/* model, or model0, model1, ...: as many as follow each other. */
static bool
count_chunks(const struct value *root, size_t *chunks, struct error *err)
{
	const struct value *model = value_find(root, "model");
	char                key[16];

	*chunks = 0;
	if (model != NULL && value_find(root, "model0") != NULL)
		return error_set(err, ERROR_UNSUPPORTED, "toplevel",
			"'model' and 'model0' both are there, and only one of them can be meant");
	if (model != NULL) {
		*chunks = 1;
		return check_chunk(model, "model", err);
	}
	while (*chunks < MAX_CHUNKS
	       && (model = value_find(root, chunk_key(*chunks, false, key))) != NULL) {
		if (!check_chunk(model, key, err))
			return false;
		++*chunks;
	}
	return true;
}

static bool
find_model(const struct value *root, size_t *chunks, struct error *err)
{
	const struct value *twice;
	size_t              index;
	char                found[240];

	if (root->kind != VALUE_DICT)
		return error_set(err, ERROR_UNSUPPORTED, "toplevel",
			"top level is %s; a dict with 'model' is expected",
			value_describe(root, found, sizeof found));
	if ((twice = value_duplicate_key(root)) != NULL)
		return error_set(err, ERROR_UNSAFE, "hash", "two values for key '%s'",
			text_escape(found, sizeof found, twice->text.bytes, twice->text.length));
	if (!count_chunks(root, chunks, err))
		return false;
	for (index = 0; index < sizeof strangers / sizeof *strangers && *chunks == 0; index++)
		if (value_find(root, strangers[index].key) != NULL) {
			error_set(err, ERROR_UNSUPPORTED, strangers[index].slug, "%s",
				strangers[index].what);
			return error_hint(err, "%s", strangers[index].hint);
		}
	if (*chunks == 0 || root->count / 2 > MAX_TOP_LEVEL_KEYS)
		return error_set(err, ERROR_UNSUPPORTED, "toplevel",
			"top level is no Megatron checkpoint: a dict with 'model' is expected, "
			"its keys are: %s", list_keys(root, found, sizeof found));
	return true;
}

/* The name was total_iters at first. */
static bool
read_iteration(const struct value *root, int64_t *iteration, struct error *err)
{
	const struct value *value = value_find(root, "iteration");
	char                found[96];

	*iteration = -1;
	if (value == NULL)
		value = value_find(root, "total_iters");
	if (value == NULL || value->kind == VALUE_NONE)
		return true;
	if (value->kind != VALUE_INT || value->integer < 0)
		return error_set(err, ERROR_CORRUPT, "iteration",
			"iteration is %s; a number from 0 on is expected",
			argument_word(value, found, sizeof found));
	*iteration = value->integer;
	return true;
}

/* 1 and 1.0 both were written; 3.0 says of args only, its rows are those of 2.0. */
static bool
read_label(const struct value *label, struct shard_header *header, struct error *err)
{
	static const struct {
		double          version;
		enum qkv_layout layout;
	} versions[] = {
		{ 0.0, QKV_LAYOUT_0 },
		{ 1.0, QKV_LAYOUT_1 },
		{ 2.0, QKV_LAYOUT_2 },
		{ 3.0, QKV_LAYOUT_2 },
	};
	size_t index;
	double version = -1.0;
	char   found[96];

	if (label == NULL)
		return true;
	header->has_label = true;
	if (label->kind == VALUE_INT)
		version = (double)label->integer;
	else if (label->kind == VALUE_FLOAT)
		version = label->real;
	argument_word(label, found, sizeof found);
	text_format(header->label, sizeof header->label, "%s", found);
	for (index = 0; index < sizeof versions / sizeof *versions; index++) {
		if (version == versions[index].version) {
			header->layout = versions[index].layout;
			return true;
		}
	}
	return error_set(err, ERROR_UNSUPPORTED, "cv",
		"checkpoint_version %s is not known: 0, 1.0, 2.0 or 3.0 is expected", found);
}

static bool
read_said(const struct shards *shards, size_t index, struct said *said, struct error *err)
{
	const struct value *root = torch_file_root(shards->items[index].torch);

	said->root = root;
	if (!find_model(root, &said->chunks, err)
	    || !read_iteration(root, &said->iteration, err)
	    || !argument_holder(value_find(root, "args"), &said->args, err))
		return shards_blame(shards, index, err);
	said->label = value_find(root, "checkpoint_version");
	return true;
}

/* ---- shards against each other -------------------------------------------------------- */

/* Arguments of the model, which all ranks share. */
static const char *const shared_arguments[] = {
	"num_layers", "hidden_size", "num_attention_heads", "ffn_hidden_size", "kv_channels",
	"max_position_embeddings", "padded_vocab_size", "orig_vocab_size",
	"make_vocab_size_divisible_by", "tokenizer_type", "model_parallel_size",
	"tensor_model_parallel_size", "pipeline_model_parallel_size", "layernorm_epsilon",
	"norm_epsilon", "openai_gelu", "bias_gelu_fusion", "onnx_safe", "hidden_dropout",
	"attention_dropout", "init_method_std", "apply_residual_connection_post_layernorm",
	"virtual_pipeline_model_parallel_size", "apply_layernorm_1p",
	"layernorm_zero_centered_gamma", "untie_embeddings_and_output_weights",
	"add_bias_linear", "squared_relu", "world_size",
};

/* "None" where it is absent. */
static char *
word_of(const struct value *value, char *to, size_t size)
{
	return value == NULL ? text_format(to, size, "None") : argument_word(value, to, size);
}

static bool
compare_arguments(const struct said *first, const struct said *other, const char *first_name,
	struct error *err)
{
	char   ours[96], theirs[96];
	size_t index;

	if ((first->args == NULL) != (other->args == NULL))
		return error_set(err, ERROR_CORRUPT, "argsdiff", "the shard has %s args, %s has %s",
			other->args != NULL ? "an" : "no", first_name,
			first->args != NULL ? "them" : "none");
	for (index = 0; index < sizeof shared_arguments / sizeof *shared_arguments; index++) {
		const char *name = shared_arguments[index];

		word_of(argument_find(first->args, name), theirs, sizeof theirs);
		word_of(argument_find(other->args, name), ours, sizeof ours);
		if (strcmp(ours, theirs) != 0)
			return error_set(err, ERROR_CORRUPT, "argsdiff",
				"args.%s=%s, but %s has %s", name, ours, first_name, theirs);
	}
	return true;
}

static double
number_of(const struct value *value)
{
	return value->kind == VALUE_INT ? (double)value->integer
	    : value->kind == VALUE_FLOAT ? value->real : -1.0;
}

static bool
compare(const struct said *first, const struct said *other, const char *first_name,
	struct error *err)
{
	char ours[96], theirs[96];

	if (first->chunks != other->chunks)
		return error_set(err, ERROR_CORRUPT, "pp", "the shard holds %zu virtual pipeline "
			"chunk%s, %s holds %zu", other->chunks, other->chunks == 1 ? "" : "s",
			first_name, first->chunks);
	if (first->iteration != other->iteration)
		return error_set(err, ERROR_CORRUPT, "iteration", "the shard is of iteration %" PRId64
			", %s of %" PRId64, other->iteration, first_name, first->iteration);
	if ((first->label == NULL) != (other->label == NULL) || (first->label != NULL
	    && number_of(first->label) != number_of(other->label)))
		return error_set(err, ERROR_CORRUPT, "cvdiff",
			"checkpoint_version is %s, but %s has %s",
			word_of(other->label, ours, sizeof ours), first_name,
			word_of(first->label, theirs, sizeof theirs));
	return compare_arguments(first, other, first_name, err);
}

/* ---- shards against the grid ---------------------------------------------------------- */

/* The tensor parallel size by args, 0 when they do not say; *name is the argument. */
static bool
size_by_arguments(const struct value *args, uint64_t *size, const char **name,
	struct error *err)
{
	static const char *const names[] = { "tensor_model_parallel_size", "model_parallel_size" };
	bool                     found = false;
	size_t                   index;

	*size = 0;
	for (index = 0; index < 2 && !found; index++) {
		*name = names[index];
		if (!argument_whole(args, *name, size, &found, err))
			return false;
	}
	return true;
}

/* One size of the grid: what the folders show, and what an argument says. */
static bool
check_extent(const struct shards *shards, uint64_t said, uint64_t found, const char *name,
	bool is_stages, struct error *err)
{
	char have[128], missing[SHARD_GRID_NAME_SIZE];

	if (said == 0 || said == found)
		return true;
	if (said < found)
		return error_set(err, ERROR_CORRUPT, "extrarank", "%" PRIu64 " %s, but args say %s=%"
			PRIu64, found, is_stages ? "pipeline stages" : "shards", name, said);
	shard_grid_name(is_stages ? 0 : (size_t)found, is_stages ? (size_t)found : 0,
		is_stages || shards->pipeline_size > 1, missing);
	error_set(err, ERROR_NO_INPUT, "missingrank",
		"shard %s is missing (found %s; args say %s=%" PRIu64 ")", missing,
		shard_grid_list(shards, have, sizeof have), name, said);
	return shard_grid_hint(shards, missing, err);
}

static bool
check_size(const struct shards *shards, const struct said *first, struct error *err)
{
	uint64_t    stages = 0, size, chunks = 0;
	bool        found;
	const char *name;

	if (!argument_refusals_check(first->args, err)
	    || !argument_whole(first->args, "pipeline_model_parallel_size", &stages, &found, err)
	    || !argument_whole(first->args, "virtual_pipeline_model_parallel_size", &chunks,
			&found, err)
	    || !size_by_arguments(first->args, &size, &name, err)
	    || !check_extent(shards, size, shards->tensor_size, name, false, err)
	    || !check_extent(shards, stages, shards->pipeline_size,
			"pipeline_model_parallel_size", true, err))
		return shards_blame(shards, 0, err);
	if (found && chunks > 0 && chunks != first->chunks) {
		error_set(err, ERROR_CORRUPT, "pp", "%zu virtual pipeline chunk%s, but args say "
			"virtual_pipeline_model_parallel_size=%" PRIu64, first->chunks,
			first->chunks == 1 ? " is there" : "s are there", chunks);
		return shards_blame(shards, 0, err);
	}
	return true;
}

/* Tools that cut a checkpoint anew write one rank into all shards: that says nothing. */
static bool
all_ranks_equal(const struct said *said, size_t count)
{
	size_t index;
	char   first[96], other[96];

	word_of(argument_find(said[0].args, "rank"), first, sizeof first);
	for (index = 1; index < count; index++) {
		word_of(argument_find(said[index].args, "rank"), other, sizeof other);
		if (strcmp(first, other) != 0)
			return false;
	}
	return true;
}

/* Pipeline stages are the outermost cut of the ranks, unless an option says else. */
static uint64_t
ranks_per_stage(const struct shards *shards, const struct value *args)
{
	uint64_t     ranks = 0;
	bool         found;
	struct error ignored;

	if (!argument_whole(args, "world_size", &ranks, &found, &ignored) || !found
	    || ranks % shards->pipeline_size != 0
	    || argument_truth(argument_find(args, "use_tp_pp_dp_mapping")))
		return 0;
	return ranks / shards->pipeline_size;
}

/* Tensor ranks are neighbours among the ranks of the run, from 0 on. */
static bool
check_ranks(const struct shards *shards, const struct said *said, struct error *err)
{
	size_t   index;
	uint64_t rank = 0, stage;
	bool     found;
	char     name[SHARD_GRID_NAME_SIZE];

	if (all_ranks_equal(said, shards->count))
		return true;
	for (index = 0; index < shards->count; index++) {
		const struct shard *shard = &shards->items[index];

		if (!argument_whole(said[index].args, "rank", &rank, &found, err))
			return shards_blame(shards, index, err);
		if (!found)
			continue;
		stage = ranks_per_stage(shards, said[index].args);
		if (rank % shards->tensor_size == shard->tensor_rank
		    && (stage == 0 || rank / stage == shard->pipeline_rank))
			continue;
		error_set(err, ERROR_CORRUPT, "swapped", "%s was saved by rank %" PRIu64,
			shard_grid_name(shard->tensor_rank, shard->pipeline_rank,
				shards->pipeline_size > 1, name), rank);
		return shards_blame(shards, index, err);
	}
	return true;
}

static bool
take_models(const struct shards *shards, const struct said *said, struct arena *arena,
	struct shard_header *header, struct error *err)
{
	size_t index, chunk, count = shards->count * said[0].chunks;
	char   key[16];

	header->chunk_count = said[0].chunks;
	header->models = arena_take(arena, count, sizeof *header->models);
	if (header->models == NULL)
		return error_no_memory(err, count * sizeof *header->models);
	for (index = 0; index < shards->count; index++) {
		bool is_lone = value_find(said[index].root, "model") != NULL;

		for (chunk = 0; chunk < header->chunk_count; chunk++)
			header->models[index * header->chunk_count + chunk] =
			    value_find(said[index].root, chunk_key(chunk, is_lone, key));
	}
	return true;
}

bool
shard_header_read(const struct shards *shards, struct arena *arena,
	struct shard_header *header, struct error *err)
{
	struct said *said = arena_take(arena, shards->count, sizeof *said);
	size_t       index;

	memset(header, 0, sizeof *header);
	if (said == NULL)
		return error_no_memory(err, shards->count * sizeof *said);
	for (index = 0; index < shards->count; index++) {
		if (!read_said(shards, index, &said[index], err))
			return false;
		if (index > 0 && !compare(&said[0], &said[index], shards->items[0].name, err))
			return shards_blame(shards, index, err);
	}
	if (!read_label(said[0].label, header, err))
		return shards_blame(shards, 0, err);
	header->args = said[0].args;
	header->iteration = said[0].iteration;
	return take_models(shards, said, arena, header, err) && check_size(shards, &said[0], err)
	    && check_ranks(shards, said, err);
}

bool
shard_header_common(const struct value *common, struct shard_header *header, struct error *err)
{
	const struct value *twice = value_duplicate_key(common);
	uint64_t            chunks = 1;
	bool                found;
	char                shown[160];

	memset(header, 0, sizeof *header);
	header->chunk_count = 1;
	header->iteration = -1;
	if (common == NULL)
		return true;
	if (twice != NULL)
		return error_set(err, ERROR_UNSAFE, "hash", "two values for key '%s'",
			text_escape(shown, sizeof shown, twice->text.bytes, twice->text.length));
	if (!read_iteration(common, &header->iteration, err)
	    || !argument_holder(value_find(common, "args"), &header->args, err)
	    || !argument_refusals_check(header->args, err)
	    || !read_label(value_find(common, "checkpoint_version"), header, err)
	    || !argument_whole(header->args, "virtual_pipeline_model_parallel_size", &chunks, &found,
			err))
		return false;
	header->chunk_count = found && chunks > 0 && chunks <= MAX_CHUNKS ? (size_t)chunks : 1;
	return true;
}

bool
shard_header_layers(const struct shards *shards, struct arena *arena,
	struct shard_header *header, struct error *err)
{
	size_t index, count = (size_t)shards->stage_count * shards->tensor_size;

	if (!shard_header_common(shards_root(shards), header, err))
		return shards_blame(shards, shards->count - 1, err);
	header->chunk_count = 1;
	header->models = arena_take(arena, shards->count, sizeof *header->models);
	if (header->models == NULL)
		return error_no_memory(err, shards->count * sizeof *header->models);
	for (index = 0; index < count; index++)
		header->models[index] = torch_file_root(shards->items[index].torch);
	return true;
}
