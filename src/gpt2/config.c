#include "gpt2/config.h"
#include "base/checked.h"
#include "base/json.h"

#include <inttypes.h>
#include <string.h>

/* What differs between the releases that wrote the two forms of config.json. */
static const struct form {
	const char *transformers_version, *tokenizer_class;
} forms[] = {
	[CONFIG_HF5] = { "5.14.0", "GPT2Tokenizer" },
	[CONFIG_HF4_18] = { "4.18.0", "GPT2TokenizerFast" },
};

/* The hub's generation_config.json of GPT-2 was made by this one. */
#define GENERATION_VERSION   "4.26.0.dev0"

/* ---- writing ---------------------------------------------------------------------- */

/* How a key of config.json gets its value: from a field, or always the same, or by form. */
enum source {
	FIXED_TRUE, FIXED_FALSE, FIXED_NULL, FIXED_TEXT, FIXED_ARCHITECTURES, FIXED_TENTH,
	FIELD_TEXT, FIELD_WHOLE, FIELD_REAL, FIELD_TOKEN_ID, FIELD_TIE, FIELD_DTYPE,
	HF5_FALSE, HF5_NULL,            /* 4.18 writes no such key */
	FORM_TOKENIZER_CLASS, FORM_VERSION,
};

static const struct key_rule {
	const char *key;
	enum source source;
	size_t      field;      /* offset in struct gpt2_config */
	const char *text;       /* of FIXED_TEXT */
} key_rules[] = {
#define AT(member) offsetof(struct gpt2_config, member), NULL
#define NO_FIELD   0, NULL
	{ "activation_function",             FIELD_TEXT,          AT(activation_function) },
	{ "add_cross_attention",             HF5_FALSE,           NO_FIELD },
	{ "architectures",                   FIXED_ARCHITECTURES, NO_FIELD },
	{ "attn_pdrop",                      FIELD_REAL,          AT(attn_pdrop) },
	{ "bos_token_id",                    FIELD_TOKEN_ID,      AT(bos_token_id) },
	{ "embd_pdrop",                      FIELD_REAL,          AT(embd_pdrop) },
	{ "eos_token_id",                    FIELD_TOKEN_ID,      AT(eos_token_id) },
	{ "initializer_range",               FIELD_REAL,          AT(initializer_range) },
	{ "layer_norm_epsilon",              FIELD_REAL,          AT(layer_norm_epsilon) },
	{ "model_type",                      FIXED_TEXT,          0, "gpt2" },
	{ "n_embd",                          FIELD_WHOLE,         AT(sizes.n_embd) },
	{ "n_head",                          FIELD_WHOLE,         AT(n_head) },
	{ "n_inner",                         FIELD_WHOLE,         AT(sizes.n_inner) },
	{ "n_layer",                         FIELD_WHOLE,         AT(sizes.n_layer) },
	{ "n_positions",                     FIELD_WHOLE,         AT(sizes.n_positions) },
	{ "pad_token_id",                    HF5_NULL,            NO_FIELD },
	{ "reorder_and_upcast_attn",         FIXED_FALSE,         NO_FIELD },
	{ "resid_pdrop",                     FIELD_REAL,          AT(resid_pdrop) },
	{ "scale_attn_by_inverse_layer_idx", FIXED_FALSE,         NO_FIELD },
	{ "scale_attn_weights",              FIXED_TRUE,          NO_FIELD },
	{ "summary_activation",              FIXED_NULL,          NO_FIELD },
	{ "summary_first_dropout",           FIXED_TENTH,         NO_FIELD },
	{ "summary_proj_to_labels",          FIXED_TRUE,          NO_FIELD },
	{ "summary_type",                    FIXED_TEXT,          0, "cls_index" },
	{ "summary_use_proj",                FIXED_TRUE,          NO_FIELD },
	{ "tie_word_embeddings",             FIELD_TIE,           NO_FIELD },
	{ "tokenizer_class",                 FORM_TOKENIZER_CLASS, NO_FIELD },
	{ "torch_dtype",                     FIELD_DTYPE,         NO_FIELD },
	{ "transformers_version",            FORM_VERSION,        NO_FIELD },
	{ "use_cache",                       FIXED_TRUE,          NO_FIELD },
	{ "vocab_size",                      FIELD_WHOLE,         AT(sizes.vocab_size) },
#undef AT
#undef NO_FIELD
};

static uint64_t
field_whole(const struct gpt2_config *config, size_t field)
{
	uint64_t value;

	memcpy(&value, (const char *)config + field, sizeof value);
	return value;
}

static double
field_real(const struct gpt2_config *config, size_t field)
{
	double value;

	memcpy(&value, (const char *)config + field, sizeof value);
	return value;
}

static const char *
field_text(const struct gpt2_config *config, size_t field)
{
	const char *value;

	memcpy(&value, (const char *)config + field, sizeof value);
	return value;
}

static void
write_token_id(struct json_writer *w, const struct gpt2_config *config, uint64_t id)
{
	if (config->has_token_ids)
		json_write_u64(w, id);
	else
		json_write_null(w);
}

/* transformers leaves out keys at the default of its base class, which 5.x has fewer of. */
static bool
is_written(const struct gpt2_config *config, enum config_form form, const struct key_rule *rule)
{
	switch (rule->source) {
	case HF5_FALSE:
	case HF5_NULL:
		return form == CONFIG_HF5;
	case FIELD_TIE:
		return form == CONFIG_HF5 || !config->tie_word_embeddings;
	case FIELD_DTYPE:
		return config->torch_dtype != NULL;
	default:
		return true;
	}
}

static void
write_value(struct json_writer *w, const struct gpt2_config *config, enum config_form form,
	const struct key_rule *rule)
{
	switch (rule->source) {
	case FIXED_TRUE:
	case FIXED_FALSE:
	case HF5_FALSE:
		json_write_bool(w, rule->source == FIXED_TRUE);
		break;
	case FIXED_NULL:
	case HF5_NULL:
		json_write_null(w);
		break;
	case FIXED_TEXT:
		json_write_string(w, rule->text);
		break;
	case FIXED_ARCHITECTURES:
		json_open(w, '[');
		json_write_string(w, "GPT2LMHeadModel");
		json_close(w, ']');
		break;
	case FIXED_TENTH:
		json_write_double(w, 0.1);
		break;
	case FIELD_TEXT:
		json_write_string(w, field_text(config, rule->field));
		break;
	case FIELD_WHOLE:
		json_write_u64(w, field_whole(config, rule->field));
		break;
	case FIELD_REAL:
		json_write_double(w, field_real(config, rule->field));
		break;
	case FIELD_TOKEN_ID:
		write_token_id(w, config, field_whole(config, rule->field));
		break;
	case FIELD_TIE:
		json_write_bool(w, config->tie_word_embeddings);
		break;
	case FIELD_DTYPE:
		json_write_string(w, config->torch_dtype);
		break;
	case FORM_TOKENIZER_CLASS:
		json_write_string(w, forms[form].tokenizer_class);
		break;
	case FORM_VERSION:
		json_write_string(w, forms[form].transformers_version);
		break;
	}
}

void
config_write(const struct gpt2_config *config, enum config_form form, struct text *to)
{
	struct json_writer w = { .to = to, .indent = 2, .ascii = true };

	json_open(&w, '{');
	for (size_t i = 0; i < sizeof key_rules / sizeof *key_rules; i++) {
		if (!is_written(config, form, &key_rules[i]))
			continue;
		json_write_key(&w, key_rules[i].key);
		write_value(&w, config, form, &key_rules[i]);
	}
	json_close(&w, '}');
	text_add(to, "\n");
}

void
config_write_generation(const struct gpt2_config *config, struct text *to)
{
	struct json_writer w = { .to = to, .indent = 2, .ascii = true };

	json_open(&w, '{');
	json_add_bool(&w, "_from_model_config", true);
	if (config->has_token_ids) {
		json_add_u64(&w, "bos_token_id", config->bos_token_id);
		json_add_u64(&w, "eos_token_id", config->eos_token_id);
	}
	json_add_string(&w, "transformers_version", GENERATION_VERSION);
	json_close(&w, '}');
	text_add(to, "\n");
}

/* ---- reading ---------------------------------------------------------------------- */

bool
config_read_size(const struct json *node, const char *key, uint64_t *to, struct error *err)
{
	return node == NULL || (json_u64(node, to) && *to != 0)
		|| error_set(err, ERROR_CORRUPT, "confjson", "%s is not a positive integer", key);
}

bool
config_read_real(const struct json *node, const char *key, double *to, struct error *err)
{
	return node == NULL || (json_number(node, to) && *to >= 0)
		|| error_set(err, ERROR_CORRUPT, "confjson", "%s is not a number from 0 up", key);
}

/* A member that counts something: absent takes the default, null and 0 are refused. */
static bool
read_size(const struct json *root, const char *key, uint64_t absent, uint64_t *to,
	struct error *err)
{
	*to = absent;
	return config_read_size(json_member(root, key), key, to, err);
}

/* The same of one that transformers knows by two names (attribute_map of its GPT2Config); where
 * they contradict each other, its releases differ in which one counts. */
static bool
read_named_size(const struct json *root, const char *key, const char *alias, uint64_t absent,
	uint64_t *to, struct error *err)
{
	uint64_t other;

	if (!read_size(root, alias, absent, &other, err)
	    || !read_size(root, key, other, to, err))
		return false;
	return json_member(root, alias) == NULL || *to == other
		|| error_set(err, ERROR_CORRUPT, "confjson", "%s is %" PRIu64 " and %s is %" PRIu64
			": two names of one thing", key, *to, alias, other);
}

static bool
read_real(const struct json *root, const char *key, double absent, double *to, struct error *err)
{
	*to = absent;
	return config_read_real(json_member(root, key), key, to, err);
}

static bool
read_text(const struct json *root, const char *key, const char *absent, const char **to,
	struct error *err)
{
	const struct json *node = json_member(root, key);

	*to = absent;
	if (node == NULL)
		return true;
	if ((*to = json_string(node)) == NULL)
		return error_set(err, ERROR_CORRUPT, "confjson", "%s is not a string", key);
	return true;
}

/* A token id: absent is GPT-2's, null is none, and of a list (several stop tokens) the first
 * counts. */
static bool
read_token_id(const struct json *root, const char *key, uint64_t *to, bool *has_id,
	struct error *err)
{
	const struct json *node = json_member(root, key);

	*to = 50256;
	*has_id = true;
	if (node == NULL)
		return true;
	if (json_kind(node) == JSON_ARRAY && json_first(node) != NULL)
		node = json_first(node);
	if (json_kind(node) == JSON_NULL) {
		*has_id = false;
		return true;
	}
	if (!json_u64(node, to))
		return error_set(err, ERROR_CORRUPT, "confjson", "%s is not a token id", key);
	return true;
}

/* Is this a GPT-2 at all?  Files of before 2019-11 have no model_type. */
static bool
check_family(const struct json *root, struct error *err)
{
	const struct json *names = json_member(root, "architectures");
	const char        *type, *name;

	if (!read_text(root, "model_type", "gpt2", &type, err))
		return false;
	if (strcmp(type, "gpt2") != 0)
		return error_set(err, ERROR_UNSUPPORTED, "vconfig",
			"model_type is \"%.80s\" (expected \"gpt2\")", type);
	if (names == NULL || json_kind(names) == JSON_NULL)
		return true;
	if (json_kind(names) != JSON_ARRAY)
		return error_set(err, ERROR_CORRUPT, "confjson", "architectures is not a list");
	for (const struct json *at = json_first(names); at != NULL; at = json_next(at)) {
		if ((name = json_string(at)) == NULL)
			return error_set(err, ERROR_CORRUPT, "confjson",
				"architectures holds what is not a string");
		if (!text_has_prefix(name, "GPT2"))
			return error_set(err, ERROR_UNSUPPORTED, "vconfig",
				"architectures names \"%.80s\" (expected GPT2LMHeadModel)", name);
	}
	return true;
}

static bool
read_sizes(const struct json *root, struct gpt2_config *config, struct error *err)
{
	struct gpt2_sizes *sizes = &config->sizes;
	const struct json *inner = json_member(root, "n_inner");
	uint64_t           four_wide;

	if (!read_named_size(root, "n_layer", "num_hidden_layers", 12, &sizes->n_layer, err)
	    || !read_named_size(root, "n_embd", "hidden_size", 768, &sizes->n_embd, err)
	    || !read_named_size(root, "n_head", "num_attention_heads", 12, &config->n_head, err)
	    || !read_named_size(root, "n_positions", "max_position_embeddings", 1024,
		&sizes->n_positions, err)
	    || !read_size(root, "vocab_size", 50257, &sizes->vocab_size, err))
		return false;
	if (sizes->n_embd % config->n_head != 0)
		return error_set(err, ERROR_CORRUPT, "headsdiv", "n_embd %" PRIu64
			" is not divisible by n_head %" PRIu64, sizes->n_embd, config->n_head);
	if (!checked_multiply(4, sizes->n_embd, &four_wide))
		return error_set(err, ERROR_CORRUPT, "confjson", "n_embd is too large");
	sizes->n_inner = four_wide;
	if (inner == NULL || json_kind(inner) == JSON_NULL)
		return true;
	return read_size(root, "n_inner", four_wide, &sizes->n_inner, err);
}

static bool
read_rest(const struct json *root, struct gpt2_config *config, char activation[64],
	struct error *err)
{
	const struct json *tie = json_member(root, "tie_word_embeddings");
	const char        *name;
	bool               has_bos, has_eos;

	if (!read_text(root, "activation_function", "gelu_new", &name, err)
	    || !read_real(root, "layer_norm_epsilon", 1e-5, &config->layer_norm_epsilon, err)
	    || !read_real(root, "attn_pdrop", 0.1, &config->attn_pdrop, err)
	    || !read_real(root, "embd_pdrop", 0.1, &config->embd_pdrop, err)
	    || !read_real(root, "resid_pdrop", 0.1, &config->resid_pdrop, err)
	    || !read_real(root, "initializer_range", 0.02, &config->initializer_range, err)
	    || !read_token_id(root, "bos_token_id", &config->bos_token_id, &has_bos, err)
	    || !read_token_id(root, "eos_token_id", &config->eos_token_id, &has_eos, err))
		return false;
	config->has_token_ids = has_bos && has_eos;
	config->tie_word_embeddings = true;
	if (tie != NULL && !json_bool(tie, &config->tie_word_embeddings))
		return error_set(err, ERROR_CORRUPT, "confjson",
			"tie_word_embeddings is neither true nor false");
	if (strlen(name) >= 64)
		return error_set(err, ERROR_CORRUPT, "confjson",
			"activation_function is %zu bytes long (at most 63)", strlen(name));
	memcpy(activation, name, strlen(name) + 1);
	config->activation_function = activation;
	return true;
}

bool
config_read(const char *bytes, size_t length, struct gpt2_config *config, char activation[64],
	struct error *err)
{
	struct json *root = json_parse(bytes, length, err);
	bool         done = false;

	memset(config, 0, sizeof *config);
	activation[0] = '\0';
	if (root == NULL)
		return false;
	if (json_kind(root) != JSON_OBJECT)
		error_set(err, ERROR_CORRUPT, "confjson", "not a JSON object");
	else
		done = check_family(root, err) && read_sizes(root, config, err)
			&& read_rest(root, config, activation, err);
	json_free(root);
	return done;
}
