#include "convert/given_config.h"

#include "base/json.h"
#include "container/input_file.h"
#include "gpt2/config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BYTES ((uint64_t)1 << 20)

/* A member that says something, or NULL. */
static const struct json *
find(const struct json *root, const char *key)
{
	const struct json *node = json_member(root, key);

	return node != NULL && json_kind(node) != JSON_NULL ? node : NULL;
}

static bool
read_sizes(const struct json *root, struct arguments_given *to, struct error *err)
{
	/* Of two names of one thing the first stands first. */
	const struct {
		const char *key;
		uint64_t   *to;
	} rows[] = {
		{ "n_layer", &to->layers },        { "num_hidden_layers", &to->layers },
		{ "n_embd", &to->hidden },         { "hidden_size", &to->hidden },
		{ "n_head", &to->heads },          { "num_attention_heads", &to->heads },
		{ "n_positions", &to->positions }, { "max_position_embeddings", &to->positions },
		{ "n_inner", &to->ffn },           { "vocab_size", &to->vocabulary },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct json *node = find(root, rows[i].key);
		uint64_t           found = 0;

		if (node == NULL)
			continue;
		if (!config_read_size(node, rows[i].key, &found, err))
			return false;
		if (i > 0 && *rows[i].to != 0 && *rows[i].to != found)
			return error_set(err, ERROR_CORRUPT, "confjson", "%s is %" PRIu64
				" and %s is %" PRIu64 ": two names of one thing", rows[i - 1].key,
				*rows[i].to, rows[i].key, found);
		*rows[i].to = found;
	}
	return true;
}

static bool
read_reals(const struct json *root, struct arguments_given *to, struct error *err)
{
	const struct {
		const char *key;
		double     *to;
	} rows[] = {
		{ "layer_norm_epsilon", &to->epsilon },
		{ "attn_pdrop", &to->attention_dropout },
		{ "embd_pdrop", &to->embedding_dropout },
		{ "resid_pdrop", &to->residual_dropout },
		{ "initializer_range", &to->init_method_std },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		*rows[i].to = -1;
		if (!config_read_real(find(root, rows[i].key), rows[i].key, rows[i].to, err))
			return false;
	}
	return true;
}

static bool
read_rest(const struct json *root, struct given_config *to, struct error *err)
{
	const struct json *type = find(root, "model_type"), *tie = find(root, "tie_word_embeddings");
	const struct json *activation = find(root, "activation_function");
	const char        *name;
	bool               ties = false;

	if (type != NULL && ((name = json_string(type)) == NULL || strcmp(name, "gpt2") != 0))
		return error_set(err, ERROR_UNSUPPORTED, "vconfig",
			"model_type is \"%.80s\" (expected \"gpt2\")", name != NULL ? name : "");
	to->values.ties = -1;
	if (tie != NULL && !json_bool(tie, &ties))
		return error_set(err, ERROR_CORRUPT, "confjson",
			"tie_word_embeddings is neither true nor false");
	if (tie != NULL)
		to->values.ties = ties;
	if (activation == NULL)
		return true;
	if ((name = json_string(activation)) == NULL || strlen(name) >= sizeof to->activation)
		return error_set(err, ERROR_CORRUPT, "confjson",
			"activation_function is not a string of at most %zu bytes",
			sizeof to->activation - 1);
	memcpy(to->activation, name, strlen(name) + 1);
	to->values.activation = to->activation;
	return true;
}

static bool
parse(const char *bytes, size_t length, struct given_config *config, struct error *err)
{
	struct json *root = json_parse(bytes, length, err);
	bool         done = false;

	if (root == NULL)
		return false;
	if (json_kind(root) != JSON_OBJECT)
		error_set(err, ERROR_CORRUPT, "confjson", "not a JSON object");
	else
		done = read_sizes(root, &config->values, err)
			&& read_reals(root, &config->values, err) && read_rest(root, config, err);
	json_free(root);
	return done;
}

bool
given_config_read(const char *path, struct given_config *config, struct error *err)
{
	struct input_file *file = input_file_open(path, ".", err);
	char              *bytes = NULL;
	bool               done = false;

	*config = (struct given_config){ .activation = "" };
	if (file == NULL)
		return error_in_file(err, path);
	if (file->size > MAX_BYTES)
		error_set(err, ERROR_LIMIT, "confjson", "larger than 1 MiB");
	else if ((bytes = input_file_text(file, MAX_BYTES, err)) != NULL)
		done = parse(bytes, (size_t)file->size, config, err)
			&& (digest_sha256(bytes, (size_t)file->size, config->sha256)
				|| error_no_memory(err, 0));
	free(bytes);
	input_file_close(file);
	return done || error_in_file(err, path);
}
