#include "gpt2/tokenizer_check.h"
#include "base/json.h"

#include <inttypes.h>
#include <string.h>

#define VOCABULARY_NAME TOKENIZER_READ_VOCABULARY
#define MERGES_NAME     TOKENIZER_READ_MERGES
#define TOKENIZER_NAME  TOKENIZER_READ_TOKENIZER
#define CONFIG_NAME     TOKENIZER_READ_CONFIG
#define END_OF_TEXT     TOKENIZER_END_OF_TEXT

/* What was read so far; a part that could not be read is not compared with others. */
struct check {
	const struct tokenizer_files *files;
	uint64_t           vocab_size;
	tokenizer_problem *report;
	void              *context;
	size_t             problems;
	struct json       *vocabulary_root, *tokenizer_root;
	bool               has_vocabulary, has_merges, has_model;
	struct token_list  vocabulary;          /* vocab.json */
	struct token_list  model, added;        /* tokenizer.json */
	struct merge_list  merges, model_merges;
};

static bool
found(struct check *check, const char *file, struct error *err)
{
	error_in_file(err, file);
	check->report(check->context, err);
	check->problems++;
	return false;
}

static void
read_files(struct check *check)
{
	const struct tokenizer_files *files = check->files;
	struct error                  err = { 0 };

	if (files->tokenizer != NULL) {
		check->tokenizer_root = json_parse(files->tokenizer, files->tokenizer_length, &err);
		check->has_model = check->tokenizer_root != NULL
			&& tokenizer_read_tables(check->tokenizer_root, &check->model,
				&check->added, &check->model_merges, &err);
		if (!check->has_model) {
			token_list_free(&check->added);
			found(check, TOKENIZER_NAME, &err);
		}
	}
	err = (struct error){ 0 };
	if (files->vocabulary != NULL) {
		check->vocabulary_root = json_parse(files->vocabulary, files->vocabulary_length,
			&err);
		check->has_vocabulary = check->vocabulary_root != NULL
			&& token_list_read_vocabulary(&check->vocabulary, check->vocabulary_root,
				&err);
		if (!check->has_vocabulary)
			found(check, VOCABULARY_NAME, &err);
	}
	err = (struct error){ 0 };
	if (files->merges != NULL) {
		check->has_merges = merge_list_read_text(&check->merges, files->merges,
			files->merges_length, &err);
		if (!check->has_merges)
			found(check, MERGES_NAME, &err);
	}
}

static void
check_vocabulary(struct check *check, const struct token_list *vocabulary, const char *file)
{
	struct error err = { 0 };
	uint64_t     count;

	if (!token_list_check_ids(vocabulary, &check->added, &count, &err)) {
		found(check, file, &err);
		return;
	}
	if (check->vocab_size != 0 && count > check->vocab_size) {
		error_set(&err, ERROR_MISMATCH, "vocabsize", "%" PRIu64 " tokens, but vocab_size in "
			"config.json is %" PRIu64, count, check->vocab_size);
		found(check, file, &err);
	}
	if (token_list_find(vocabulary, END_OF_TEXT, strlen(END_OF_TEXT)) == NULL
	    && token_list_find(&check->added, END_OF_TEXT, strlen(END_OF_TEXT)) == NULL) {
		error_set(&err, ERROR_CORRUPT, "eot", "no " END_OF_TEXT " token");
		found(check, file, &err);
	}
}

/* vocab.json and merges.txt are of use only together, unless tokenizer.json is there. */
static void
check_pair_is_whole(struct check *check)
{
	const struct tokenizer_files *files = check->files;
	const bool                    has_vocabulary = files->vocabulary != NULL;
	struct error                  err = { 0 };

	if (files->tokenizer != NULL || has_vocabulary == (files->merges != NULL))
		return;
	error_set(&err, ERROR_MISMATCH, "tokhalf", "%s is missing beside it",
		has_vocabulary ? MERGES_NAME : VOCABULARY_NAME);
	found(check, has_vocabulary ? VOCABULARY_NAME : MERGES_NAME, &err);
}

/* Is tokenizer.json's model what the two other files hold?  Then it is as good as they are. */
static bool
repeats_files(const struct check *check)
{
	struct error ignored;

	return check->has_vocabulary && check->has_merges
	    && token_list_check_same(&check->vocabulary, &check->model, TOKENIZER_NAME, &ignored)
	    && merge_list_check_same(&check->merges, &check->model_merges, TOKENIZER_NAME,
			&ignored);
}

static void
check_merges(struct check *check)
{
	const struct token_list *vocabulary = check->has_vocabulary ? &check->vocabulary
		: check->has_model ? &check->model : NULL;
	struct error             err = { 0 };
	bool                     is_good = true;

	if (check->has_merges && vocabulary != NULL
	    && !merge_list_check(&check->merges, vocabulary, &err))
		is_good = found(check, MERGES_NAME, &err);
	err = (struct error){ 0 };
	if (check->has_model && !(is_good && repeats_files(check))
	    && !merge_list_check(&check->model_merges, &check->model, &err))
		found(check, TOKENIZER_NAME, &err);
}

static void
check_agreement(struct check *check)
{
	struct error err = { 0 };

	if (!check->has_model)
		return;
	if (check->has_vocabulary && !token_list_check_same(&check->vocabulary, &check->model,
		TOKENIZER_NAME, &err))
		found(check, VOCABULARY_NAME, &err);
	err = (struct error){ 0 };
	if (check->has_merges && !merge_list_check_same(&check->merges, &check->model_merges,
		TOKENIZER_NAME, &err))
		found(check, MERGES_NAME, &err);
}

/* An integer of any size: transformers writes 10^30 for "no limit". */
static bool
check_max_length(const struct json *root, struct error *err)
{
	const struct json *node;
	double             number;

	if (json_kind(root) != JSON_OBJECT)
		return error_set(err, ERROR_CORRUPT, "vtok", "not a JSON object");
	if ((node = json_member(root, "model_max_length")) == NULL)
		return true;
	if (!json_number(node, &number) || number < 1
	    || (number < 9007199254740992.0 && (double)(uint64_t)number != number))
		return error_set(err, ERROR_MISMATCH, "vtok",
			"model_max_length is not a positive integer");
	return true;
}

static void
check_config(struct check *check)
{
	const struct tokenizer_files *files = check->files;
	struct error                  err = { 0 };
	struct json                  *root;

	if (files->config == NULL)
		return;
	root = json_parse(files->config, files->config_length, &err);
	if (root == NULL || !check_max_length(root, &err))
		found(check, CONFIG_NAME, &err);
	json_free(root);
}

size_t
tokenizer_check(const struct tokenizer_files *files, uint64_t vocab_size,
	tokenizer_problem *report, void *context)
{
	struct check check = { .files = files, .vocab_size = vocab_size, .report = report,
		.context = context };

	read_files(&check);
	check_pair_is_whole(&check);
	if (check.has_vocabulary)
		check_vocabulary(&check, &check.vocabulary, VOCABULARY_NAME);
	if (check.has_model)
		check_vocabulary(&check, &check.model, TOKENIZER_NAME);
	check_merges(&check);
	check_agreement(&check);
	check_config(&check);
	token_list_free(&check.vocabulary);
	token_list_free(&check.model);
	token_list_free(&check.added);
	merge_list_free(&check.merges);
	merge_list_free(&check.model_merges);
	json_free(check.vocabulary_root);
	json_free(check.tokenizer_root);
	return check.problems;
}
