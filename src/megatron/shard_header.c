#include "megatron/shard_header.h"

#include "base/text.h"
#include "megatron/argument_value.h"
#include "megatron/shard_grid.h"

#include <inttypes.h>
#include <string.h>

/* A checkpoint has about ten; what has more is something else, and costs time. */
#define MAX_TOP_LEVEL_KEYS 256

/* A shard's own word. */
struct said {
	const struct value *model, *args, *label;
	int64_t             iteration;
};

/* Keys that stand where 'model' should, and what file has them. */
static const struct {
	const char *key, *slug, *what;
} strangers[] = {
	{ "model0",     "pp",       "virtual pipeline chunks (model0, ...) are not supported yet" },
	{ "sd",         "arch",     "a BERT checkpoint of 2019-03 (sd), not a GPT-2" },
	{ "module",     "distckpt", "DeepSpeed checkpoints (module) are not supported" },
	{ "state_dict", "toplevel", "Lightning and NeMo checkpoints (state_dict) are not supported" },
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

static bool
find_model(const struct value *root, const struct value **model, struct error *err)
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
	*model = value_find(root, "model");
	for (index = 0; index < sizeof strangers / sizeof *strangers; index++) {
		bool beside_model = strcmp(strangers[index].key, "model0") == 0;

		if ((*model == NULL || beside_model)
		    && value_find(root, strangers[index].key) != NULL)
			return error_set(err, ERROR_UNSUPPORTED, strangers[index].slug, "%s",
				strangers[index].what);
	}
	if (*model == NULL || root->count / 2 > MAX_TOP_LEVEL_KEYS)
		return error_set(err, ERROR_UNSUPPORTED, "toplevel",
			"top level is no Megatron checkpoint: a dict with 'model' is expected, "
			"its keys are: %s", list_keys(root, found, sizeof found));
	if ((*model)->kind != VALUE_DICT)
		return error_set(err, ERROR_UNSUPPORTED, "foreignweight",
			"'model' is %s; a dict of weights is expected",
			value_describe(*model, found, sizeof found));
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

	if (!find_model(root, &said->model, err)
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

static bool
check_size(const struct shards *shards, const struct value *args, struct error *err)
{
	uint64_t    stages = 1, size;
	bool        found;
	const char *name;
	char        have[128];

	if (!argument_whole(args, "pipeline_model_parallel_size", &stages, &found, err)
	    || !size_by_arguments(args, &size, &name, err))
		return shards_blame(shards, 0, err);
	if (stages > 1) {
		error_set(err, ERROR_UNSUPPORTED, "pp", "a pipeline-parallel checkpoint "
			"(args.pipeline_model_parallel_size=%" PRIu64 ") is not supported yet",
			stages);
		return shards_blame(shards, 0, err);
	}
	if (size > shards->tensor_size) {
		error_set(err, ERROR_NO_INPUT, "missingrank",
			"shard mp_rank_%02u is missing (found %s; args say %s=%" PRIu64 ")",
			shards->tensor_size, shard_grid_list(shards, have, sizeof have), name, size);
		if (shards->is_lone)
			error_hint(err, "give the folder that holds all mp_rank_* folders");
		return shards_blame(shards, 0, err);
	}
	if (size != 0 && size < shards->tensor_size) {
		error_set(err, ERROR_CORRUPT, "extrarank", "%u shards, but args say %s=%" PRIu64,
			shards->tensor_size, name, size);
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

/* Tensor ranks are neighbours among the ranks of the run, from 0 on. */
static bool
check_ranks(const struct shards *shards, const struct said *said, struct error *err)
{
	size_t   index;
	uint64_t rank = 0;
	bool     found;

	if (all_ranks_equal(said, shards->count))
		return true;
	for (index = 0; index < shards->count; index++) {
		if (!argument_whole(said[index].args, "rank", &rank, &found, err))
			return shards_blame(shards, index, err);
		if (found && rank % shards->tensor_size != shards->items[index].tensor_rank) {
			error_set(err, ERROR_CORRUPT, "swapped",
				"mp_rank_%02u was saved by rank %" PRIu64,
				shards->items[index].tensor_rank, rank);
			return shards_blame(shards, index, err);
		}
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
	header->models = arena_take(arena, shards->count, sizeof *header->models);
	if (said == NULL || header->models == NULL)
		return error_no_memory(err, shards->count * sizeof *said);
	for (index = 0; index < shards->count; index++) {
		if (!read_said(shards, index, &said[index], err))
			return false;
		header->models[index] = said[index].model;
		if (index > 0 && !compare(&said[0], &said[index], shards->items[0].name, err))
			return shards_blame(shards, index, err);
	}
	if (!read_label(said[0].label, header, err))
		return shards_blame(shards, 0, err);
	header->args = said[0].args;
	header->iteration = said[0].iteration;
	return check_size(shards, header->args, err) && check_ranks(shards, said, err);
}
