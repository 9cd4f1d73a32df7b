#include "gpt2/tokenizer_read.h"

#include <stdlib.h>
#include <string.h>

/* What the files say, as far as it was read. */
struct reading {
	const struct tokenizer_files *files;
	struct json       *pair_root, *root;    /* vocab.json, tokenizer.json */
	struct token_list  pair, model, added;
	struct merge_list  pair_merges, model_merges;
	bool               has_pair, has_model;
};

bool
tokenizer_read_tables(const struct json *root, struct token_list *vocabulary,
	struct token_list *added, struct merge_list *merges, struct error *err)
{
	const struct json *model = json_kind(root) == JSON_OBJECT ? json_member(root, "model") : NULL;
	const struct json *type;
	const char        *name;

	if (model == NULL || json_kind(model) != JSON_OBJECT)
		return error_set(err, ERROR_CORRUPT, "vtok", "model is missing or no JSON object");
	if ((type = json_member(model, "type")) != NULL) {
		if ((name = json_string(type)) == NULL)
			return error_set(err, ERROR_CORRUPT, "vtok", "model.type is not a string");
		if (strcmp(name, "BPE") != 0)
			return error_set(err, ERROR_UNSUPPORTED, "vtok",
				"model.type is \"%.80s\" (expected \"BPE\")", name);
	}
	return token_list_read_vocabulary(vocabulary, json_member(model, "vocab"), err)
		&& token_list_read_added(added, json_member(root, "added_tokens"), err)
		&& merge_list_read_json(merges, json_member(model, "merges"), err);
}

/* ---- what GPT-2's tokenizer cannot do --------------------------------------------- */

/* A member that says something, or NULL. */
static const struct json *
find(const struct json *object, const char *key)
{
	const struct json *node = object != NULL && json_kind(object) == JSON_OBJECT
		? json_member(object, key) : NULL;

	return node != NULL && json_kind(node) != JSON_NULL ? node : NULL;
}

static bool
is_true(const struct json *object, const char *key)
{
	bool value = false;

	return json_bool(find(object, key), &value) && value;
}

/* A step must be absent or ByteLevel; in `key` of tokenizer.json. */
static bool
check_byte_level(const struct json *root, const char *key, struct error *err)
{
	const struct json *step = find(root, key);
	const char        *type = json_string(find(step, "type"));

	if (step == NULL || (type != NULL && strcmp(type, "ByteLevel") == 0))
		return true;
	return error_set(err, ERROR_UNSUPPORTED, "vtok", "%s is \"%.80s\" (GPT-2's tokenizer has "
		"\"ByteLevel\" only)", key, type != NULL ? type : "");
}

/* Texts that would make other tokens of the same words. */
static bool
check_model_texts(const struct json *model, struct error *err)
{
	static const char *const keys[] = { "continuing_subword_prefix", "end_of_word_suffix" };

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		const struct json *node = find(model, keys[i]);
		const char        *text = json_string(node);

		if (node != NULL && (text == NULL || text[0] != '\0'))
			return error_set(err, ERROR_UNSUPPORTED, "vtok",
				"model.%s is not empty, as it is in GPT-2's tokenizer", keys[i]);
	}
	return true;
}

/* Steps that would turn the same text into other ids than GPT-2's tokenizer class makes. */
static bool
check_steps(const struct json *root, struct error *err)
{
	const struct json *model = find(root, "model"), *before = find(root, "pre_tokenizer");
	bool               uses_regex = true;

	if (find(root, "normalizer") != NULL)
		return error_set(err, ERROR_UNSUPPORTED, "vtok",
			"there is a normalizer, which GPT-2's tokenizer has not");
	if (before == NULL)
		return error_set(err, ERROR_UNSUPPORTED, "vtok",
			"pre_tokenizer is null (GPT-2's tokenizer has \"ByteLevel\")");
	json_bool(find(before, "use_regex"), &uses_regex);
	if (!uses_regex)
		return error_set(err, ERROR_UNSUPPORTED, "vtok",
			"pre_tokenizer.use_regex is false: words are cut otherwise than in GPT-2");
	if (find(model, "dropout") != NULL || is_true(model, "byte_fallback")
	    || is_true(model, "ignore_merges"))
		return error_set(err, ERROR_UNSUPPORTED, "vtok",
			"model has dropout, byte_fallback or ignore_merges, which GPT-2's has not");
	return check_byte_level(root, "pre_tokenizer", err)
		&& check_byte_level(root, "post_processor", err)
		&& check_byte_level(root, "decoder", err) && check_model_texts(model, err);
}

/* One or two bytes of UTF-8 that stand for a byte: U+0021 to U+0143. */
static size_t
byte_character(const unsigned char *at, size_t length)
{
	unsigned point;

	if (length >= 1 && at[0] < 0x80)
		return at[0] > 0x20 && at[0] < 0x7f ? 1 : 0;
	if (length < 2 || at[0] > 0xc5)
		return 0;
	point = (at[0] & 0x1fu) << 6 | (at[1] & 0x3fu);
	return point >= 0xa1 && point <= 0x143 && point != 0xad ? 2 : 0;
}

/* A vocabulary of another kind ("▁the", "the</w>" are fine words, but of no GPT-2) would load
 * and find none of its tokens.  What merges are made of shows it. */
static bool
check_characters(const char *text, size_t length, struct error *err)
{
	const unsigned char *at = (const unsigned char *)text;

	for (size_t done = 0; done < length;) {
		size_t step = byte_character(at + done, length - done);

		if (step == 0)
			return error_set(err, ERROR_UNSUPPORTED, "vtok", "not a byte-level "
				"vocabulary: no byte is written as the %s character of \"%.*s\"",
				done == 0 ? "first" : "next", length - done < 60
				? (int)(length - done) : 60, text + done);
		done += step;
	}
	return true;
}

static bool
check_alphabet(const struct merge_list *merges, struct error *err)
{
	for (size_t i = 0; i < merges->count; i++) {
		const struct merge *merge = &merges->items[i];

		if (merge->left_length == 0 || merge->right_length == 0)
			return error_set(err, ERROR_CORRUPT, "mergesbad",
				"merge %zu has an empty part", i);
		if (!check_characters(merge->left, merge->left_length, err)
		    || !check_characters(merge->right, merge->right_length, err))
			return false;
	}
	return true;
}

/* What has no token becomes unk_token there, and nothing in GPT-2's: alike where every byte
 * has one. */
static bool
check_unknown(const struct json *root, const struct token_list *vocabulary, struct error *err)
{
	if (find(find(root, "model"), "unk_token") == NULL)
		return true;
	for (unsigned byte = 0; byte < 256; byte++) {
		const uint16_t point = tokenizer_byte_point((unsigned char)byte);
		const char     text[] = { (char)(0xc0 | point >> 6), (char)(0x80 | (point & 0x3f)) };
		const char     plain[] = { (char)point };

		if (token_list_find(vocabulary, point < 0x80 ? plain : text, point < 0x80 ? 1 : 2)
		    == NULL)
			return error_set(err, ERROR_UNSUPPORTED, "vtok", "there is an unk_token, and "
				"byte 0x%02x has no token: GPT-2's tokenizer would leave it out", byte);
	}
	return true;
}

/* ---- reading ---------------------------------------------------------------------- */

static bool
read_pair(struct reading *reading, struct error *err)
{
	const struct tokenizer_files *files = reading->files;
	static const struct token_list nothing;
	uint64_t                      count;

	reading->has_pair = files->vocabulary != NULL && files->merges != NULL;
	if (!reading->has_pair)
		return true;
	reading->pair_root = json_parse(files->vocabulary, files->vocabulary_length, err);
	if (reading->pair_root == NULL
	    || !token_list_read_vocabulary(&reading->pair, reading->pair_root, err))
		return error_in_file(err, TOKENIZER_READ_VOCABULARY);
	/* Beside a tokenizer.json, whose added tokens may fill gaps, agreement is what counts. */
	if (files->tokenizer == NULL
	    && !token_list_check_ids(&reading->pair, &nothing, &count, err))
		return error_in_file(err, TOKENIZER_READ_VOCABULARY);
	if (!merge_list_read_text(&reading->pair_merges, files->merges, files->merges_length, err)
	    || !merge_list_check(&reading->pair_merges, &reading->pair, err)
	    || !check_alphabet(&reading->pair_merges, err))
		return error_in_file(err, TOKENIZER_READ_MERGES);
	return true;
}

static bool
read_model(struct reading *reading, struct error *err)
{
	const struct tokenizer_files *files = reading->files;
	uint64_t                      count;

	reading->has_model = files->tokenizer != NULL;
	if (!reading->has_model)
		return true;
	reading->root = json_parse(files->tokenizer, files->tokenizer_length, err);
	return (reading->root != NULL
			&& tokenizer_read_tables(reading->root, &reading->model, &reading->added,
				&reading->model_merges, err)
			&& check_steps(reading->root, err)
			&& token_list_check_ids(&reading->model, &reading->added, &count, err)
			&& merge_list_check(&reading->model_merges, &reading->model, err)
			&& check_alphabet(&reading->model_merges, err)
			&& check_unknown(reading->root, &reading->model, err))
		|| error_in_file(err, TOKENIZER_READ_TOKENIZER);
}

static bool
is_added(const struct reading *reading, const struct token *token)
{
	return token_list_find(&reading->added, token->text, strlen(token->text)) != NULL;
}

/* Of both lists the tokens that are in one only must be added ones. */
static bool
check_covered(const struct reading *reading, const struct token_list *list,
	const struct token_list *other, const char *other_name, struct error *err)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct token *token = &list->items[i];
		const struct token *same = token_list_find(other, token->text,
			strlen(token->text));

		if (same == NULL ? !is_added(reading, token) : same->id != token->id)
			return error_set(err, ERROR_CORRUPT, "vtok", "\"%.100s\" is not in %s, or "
				"has another id there", token->text, other_name);
	}
	return true;
}

static bool
check_agreement(const struct reading *reading, struct error *err)
{
	if (!reading->has_pair || !reading->has_model)
		return true;
	if (!check_covered(reading, &reading->pair, &reading->model, TOKENIZER_READ_TOKENIZER, err)
	    || !check_covered(reading, &reading->model, &reading->pair, TOKENIZER_READ_TOKENIZER,
		err))
		return error_in_file(err, TOKENIZER_READ_VOCABULARY);
	if (!merge_list_check_same(&reading->pair_merges, &reading->model_merges,
		TOKENIZER_READ_TOKENIZER, err)) {
		err->kind = ERROR_CORRUPT;      /* of an input, not of what is to be verified */
		return error_in_file(err, TOKENIZER_READ_MERGES);
	}
	return true;
}

/* ---- filling ---------------------------------------------------------------------- */

static bool
add_flags(struct tokenizer_added *to, const struct json *from, struct error *err)
{
	const struct {
		const char *key;
		bool       *to;
	} rows[] = {
		{ "single_word", &to->single_word }, { "lstrip", &to->lstrip },
		{ "rstrip", &to->rstrip }, { "normalized", &to->normalized },
		{ "special", &to->special },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct json *node = json_member(from, rows[i].key);

		if (node != NULL && !json_bool(node, rows[i].to))
			return error_set(err, ERROR_CORRUPT, "vtok",
				"%s of an added token is neither true nor false", rows[i].key);
	}
	return true;
}

static int
compare_added(const void *a, const void *b)
{
	const struct tokenizer_added *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

/* Added tokens of tokenizer.json, and <|endoftext|> where it is none of them. */
static bool
fill_added(struct tokenizer *tokenizer, const struct reading *reading, struct error *err)
{
	const struct json *array = reading->has_model
		? json_member(reading->root, "added_tokens") : NULL;
	uint32_t           count = 0;
	bool               has_end = false;
	uint64_t           id;

	for (const struct json *at = array != NULL ? json_first(array) : NULL; at != NULL;
		at = json_next(at)) {
		if (!json_u64(json_member(at, "id"), &id)
		    || !add_flags(&tokenizer->added[count], at, err))
			return false;
		has_end = has_end || id == tokenizer->end_of_text;
		tokenizer->added[count++].id = (uint32_t)id;
	}
	if (!has_end)
		tokenizer->added[count++] = (struct tokenizer_added){
			.id = tokenizer->end_of_text, .normalized = true, .special = true };
	tokenizer->added_count = count;
	qsort(tokenizer->added, count, sizeof *tokenizer->added, compare_added);
	return true;
}

/* The list has been checked: every part is a token. */
static void
fill_merges(struct tokenizer *tokenizer, const struct merge_list *merges,
	const struct token_list *vocabulary)
{
	for (size_t i = 0; i < merges->count; i++) {
		const struct merge *merge = &merges->items[i];

		tokenizer->merges[i][0] = (uint32_t)token_list_find(vocabulary, merge->left,
			merge->left_length)->id;
		tokenizer->merges[i][1] = (uint32_t)token_list_find(vocabulary, merge->right,
			merge->right_length)->id;
	}
}

static void
fill_tokens(struct tokenizer *tokenizer, const struct token *tokens)
{
	uint32_t at = 0;

	for (uint32_t id = 0; id < tokenizer->size; id++) {
		size_t length = strlen(tokens[id].text);

		memcpy(tokenizer->bytes + at, tokens[id].text, length);
		at += (uint32_t)length;
		tokenizer->offsets[id + 1] = at;
		if (strcmp(tokens[id].text, TOKENIZER_END_OF_TEXT) == 0)
			tokenizer->end_of_text = id;
	}
}

static bool
has_end_of_text(const struct token *tokens, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(tokens[i].text, TOKENIZER_END_OF_TEXT) == 0)
			return true;
	return false;
}

static bool
compare_with_gpt2(struct tokenizer *tokenizer, struct error *err)
{
	struct tokenizer *gpt2;

	if (tokenizer->size != TOKENIZER_GPT2_SIZE)
		return true;
	if ((gpt2 = tokenizer_open_gpt2(err)) == NULL)
		return false;
	tokenizer->is_gpt2 = tokenizer_same(tokenizer, gpt2);
	tokenizer_close(gpt2);
	return true;
}

/* `tokens` are sorted, and their ids are 0 to count - 1. */
static struct tokenizer *
fill(const struct reading *reading, const struct token *tokens, size_t count, struct error *err)
{
	const struct token_list *vocabulary = reading->has_model ? &reading->model : &reading->pair;
	const struct merge_list *merges = reading->has_model ? &reading->model_merges
		: &reading->pair_merges;
	struct tokenizer        *tokenizer;
	uint64_t                 bytes = 0;

	for (size_t i = 0; i < count; i++)
		bytes += strlen(tokens[i].text);
	if (count >= UINT32_MAX || merges->count >= UINT32_MAX || bytes >= UINT32_MAX) {
		error_set(err, ERROR_LIMIT, "vtok", "more than 4 GiB of tokens");
		return NULL;
	}
	if (!has_end_of_text(tokens, count)) {
		error_set(err, ERROR_CORRUPT, "eot", "no " TOKENIZER_END_OF_TEXT " token");
		return NULL;
	}
	tokenizer = tokenizer_open((uint32_t)count, (uint32_t)bytes, (uint32_t)merges->count,
		(uint32_t)reading->added.count + 1, err);
	if (tokenizer == NULL)
		return NULL;
	fill_tokens(tokenizer, tokens);
	fill_merges(tokenizer, merges, vocabulary);
	tokenizer->add_prefix_space = reading->has_model
		&& is_true(find(reading->root, "pre_tokenizer"), "add_prefix_space");
	if (!fill_added(tokenizer, reading, err) || !compare_with_gpt2(tokenizer, err)) {
		tokenizer_close(tokenizer);
		tokenizer = NULL;
	}
	return tokenizer;
}

struct tokenizer *
tokenizer_read(const struct tokenizer_files *files, struct error *err)
{
	struct reading    reading = { .files = files };
	struct tokenizer *tokenizer = NULL;
	struct token     *tokens = NULL;
	size_t            count;

	if (!read_model(&reading, err) || !read_pair(&reading, err)
	    || !check_agreement(&reading, err))
		goto out;
	tokens = token_list_by_id(reading.has_model ? &reading.model : &reading.pair,
		&reading.added, &count, err);
	if (tokens != NULL)
		tokenizer = fill(&reading, tokens, count, err);
	if (tokenizer == NULL)
		error_in_file(err, reading.has_model ? TOKENIZER_READ_TOKENIZER
			: TOKENIZER_READ_VOCABULARY);
out:
	free(tokens);
	token_list_free(&reading.pair);
	token_list_free(&reading.model);
	token_list_free(&reading.added);
	merge_list_free(&reading.pair_merges);
	merge_list_free(&reading.model_merges);
	json_free(reading.pair_root);
	json_free(reading.root);
	return tokenizer;
}
