#include "check/verify_model.h"

#include "base/json.h"
#include "gpt2/gpt2_names.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX      "transformer."
#define HEAD_NAME   "lm_head.weight"
/* More layers than any table here is made for; only to read layer numbers. */
#define ANY_LAYERS  ((uint64_t)1 << 31)

struct model_check {
	struct verify_run *run;
	const char        *set;
	struct gpt2_sizes  sizes;       /* n_layer no larger than the tensors show */
	bool              *seen;        /* by index of gpt2_names */
	size_t             expected;
	bool               has_head, has_prefix;
};

/* "[50304, 1024]" */
#define SHAPE_SIZE 200
static char *
describe_shape(char to[SHAPE_SIZE], const uint64_t *shape, unsigned rank)
{
	size_t used = 1;

	text_format(to, SHAPE_SIZE, "[");
	for (unsigned i = 0; i < rank; i++) {
		text_format(to + used, SHAPE_SIZE - used, "%s%" PRIu64, i > 0 ? ", " : "", shape[i]);
		used = strlen(to);
	}
	text_format(to + used, SHAPE_SIZE - used, "]");
	return to;
}

static void
check_shape(struct model_check *check, const struct verify_tensor *found, const uint64_t *shape,
	unsigned rank)
{
	const struct safetensors_tensor *tensor = found->tensor;
	char                             expected[SHAPE_SIZE], shown[SHAPE_SIZE];

	if (tensor->rank != rank || memcmp(tensor->shape, shape, rank * sizeof *shape) != 0)
		verify_run_report(check->run, ERROR_MISMATCH, "vtensor", found->file, tensor->name,
			"shape is %s, config.json makes it %s",
			describe_shape(shown, tensor->shape, tensor->rank),
			describe_shape(expected, shape, rank));
	if (!dtype_is_weight(tensor->dtype))
		verify_run_report(check->run, ERROR_MISMATCH, "vtensor", found->file, tensor->name,
			"dtype is %s, which no weight has", dtype_name(tensor->dtype));
}

/* "h.3.attn.bias" and "h.3.attn.masked_bias": buffers that versions before 5 saved. */
static bool
is_mask(const char *name)
{
	const char *at;

	if (text_has_prefix(name, PREFIX))
		name += strlen(PREFIX);
	if (!text_has_prefix(name, "h."))
		return false;
	at = name + 2 + strspn(name + 2, "0123456789");
	return at != name + 2
		&& (strcmp(at, ".attn.bias") == 0 || strcmp(at, ".attn.masked_bias") == 0);
}

bool
verify_model_may_lack(const char *name)
{
	return strcmp(name, HEAD_NAME) == 0 || is_mask(name);
}

static void
check_tensor(struct model_check *check, const struct verify_tensor *found)
{
	const char        *name = found->tensor->name;
	const uint64_t     head[2] = { check->sizes.vocab_size, check->sizes.n_embd };
	const struct gpt2_sizes any = { .n_layer = ANY_LAYERS };
	struct gpt2_tensor expected;
	size_t             index;

	if (strcmp(name, HEAD_NAME) == 0) {
		check->has_head = true;
		check_shape(check, found, head, 2);
	} else if (is_mask(name)) {
		return;
	} else if (gpt2_names_find(&check->sizes, name, &index)) {
		if (check->seen[index])
			verify_run_report(check->run, ERROR_MISMATCH, "vtensor", found->file, name,
				"stands twice in the weights");
		check->seen[index] = true;
		gpt2_names_tensor(&check->sizes, index, &expected);
		check_shape(check, found, expected.shape, expected.rank);
	} else if (!gpt2_names_find(&any, name, &index)) {
		/* That of a layer too many was said once, for all of them. */
		verify_run_report(check->run, ERROR_MISMATCH, "vtensor", found->file, name,
			"is no tensor of a GPT-2");
	}
}

/* Layers by the highest number in a name. */
static uint64_t
count_layers(const struct verify_tensor *tensors, size_t count)
{
	const struct gpt2_sizes any = { .n_layer = ANY_LAYERS };
	uint64_t                layers = 0;

	for (size_t i = 0; i < count; i++) {
		struct gpt2_tensor tensor;
		size_t             index;

		if (!gpt2_names_find(&any, tensors[i].tensor->name, &index))
			continue;
		gpt2_names_tensor(&any, index, &tensor);
		if (tensor.part >= GPT2_LN_1_WEIGHT && tensor.part < GPT2_LN_F_WEIGHT
		    && tensor.layer >= layers)
			layers = (uint64_t)tensor.layer + 1;
	}
	return layers;
}

/* Compares the number of layers, and bounds it by what the file shows: neither a number in
 * config.json nor one in a name chooses how much memory is taken. */
static void
check_layers(struct model_check *check, const struct verify_tensor *tensors, size_t count)
{
	uint64_t layers = count_layers(tensors, count);

	if (layers != check->sizes.n_layer)
		verify_run_report(check->run, ERROR_MISMATCH, "vconfig", check->set, NULL,
			"n_layer is %" PRIu64 " in config.json, but the tensors are of %" PRIu64
			" layers", check->sizes.n_layer, layers);
	if (check->sizes.n_layer > layers)
		check->sizes.n_layer = layers;
	if (check->sizes.n_layer > count)
		check->sizes.n_layer = count;
}

static void
check_prefix(struct model_check *check, const struct verify_tensor *tensors, size_t count)
{
	size_t with = 0, without = 0;

	for (size_t i = 0; i < count; i++) {
		if (text_has_prefix(tensors[i].tensor->name, PREFIX))
			with++;
		else if (strcmp(tensors[i].tensor->name, HEAD_NAME) != 0)
			without++;
	}
	check->has_prefix = with > 0;
	if (with > 0 && without > 0)
		verify_run_report(check->run, ERROR_MISMATCH, "vtensor", check->set, NULL,
			"%zu tensors have \"" PREFIX "\" in front, %zu have not", with, without);
}

static void
check_missing(struct model_check *check)
{
	for (size_t i = 0; i < check->expected; i++) {
		struct gpt2_tensor tensor;

		if (check->seen[i])
			continue;
		gpt2_names_tensor(&check->sizes, i, &tensor);
		verify_run_report(check->run, ERROR_MISMATCH, "vtensor", check->set,
			check->has_prefix ? tensor.name : tensor.name + strlen(PREFIX),
			"is missing");
	}
	if (!check->has_head && !check->run->config.tie_word_embeddings)
		verify_run_report(check->run, ERROR_MISMATCH, "vtensor", check->set, HEAD_NAME,
			"is missing, and tie_word_embeddings is false in config.json");
}

static bool
has_dtype(const struct verify_tensor *tensors, size_t count, enum dtype dtype)
{
	for (size_t i = 0; i < count; i++)
		if (tensors[i].tensor->dtype == dtype && !is_mask(tensors[i].tensor->name))
			return true;
	return false;
}

/* Readers round to this type what they load.  Of tensors of several types it is one. */
static void
check_dtype(struct model_check *check, const struct verify_tensor *tensors, size_t count)
{
	static const char *const keys[] = { "dtype", "torch_dtype" };
	const struct verify_entry *entry = verify_run_find(check->run, "config.json");
	struct error               ignored = { 0 };
	struct json               *root = json_parse(entry->text, entry->text_length, &ignored);

	for (size_t i = 0; root != NULL && i < sizeof keys / sizeof *keys; i++) {
		const char *name = json_string(json_member(root, keys[i]));

		if (name != NULL && dtype_of_name(name) != DTYPE_UNKNOWN
		    && !has_dtype(tensors, count, dtype_of_name(name)))
			verify_run_report(check->run, ERROR_MISMATCH, "vconfig", check->set, NULL,
				"%s is %s in config.json, but no tensor is of that type", keys[i], name);
	}
	json_free(root);
}

bool
verify_model(struct verify_run *run, const char *set, const struct verify_tensor *tensors,
	size_t count, struct error *err)
{
	struct model_check check = { .run = run, .set = set, .sizes = run->config.sizes };

	if (!run->has_config)
		return true;
	check_layers(&check, tensors, count);
	check.expected = gpt2_names_count(&check.sizes);
	if ((check.seen = calloc(check.expected, sizeof *check.seen)) == NULL)
		return error_no_memory(err, check.expected);
	check_prefix(&check, tensors, count);
	for (size_t i = 0; i < count; i++)
		check_tensor(&check, &tensors[i]);
	check_missing(&check);
	check_dtype(&check, tensors, count);
	free(check.seen);
	return true;
}
