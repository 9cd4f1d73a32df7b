#include "gpt2/token_list.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int
compare_by_text(const void *a, const void *b)
{
	const struct token *x = a, *y = b;

	return strcmp(x->text, y->text);
}

static int
compare_by_id(const void *a, const void *b)
{
	const struct token *x = a, *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return strcmp(x->text, y->text);
}

static bool
make_room(struct token_list *list, size_t count, struct error *err)
{
	list->count = 0;
	list->items = calloc(count + 1, sizeof *list->items);
	return list->items != NULL || error_no_memory(err, count * sizeof *list->items);
}

static void
sort_by_text(struct token_list *list)
{
	qsort(list->items, list->count, sizeof *list->items, compare_by_text);
}

bool
token_list_read_vocabulary(struct token_list *list, const struct json *object,
	struct error *err)
{
	if (object == NULL || json_kind(object) != JSON_OBJECT)
		return error_set(err, ERROR_CORRUPT, "vtok", "the vocabulary is not a JSON object");
	if (!make_room(list, json_count(object), err))
		return false;
	for (const struct json *at = json_first(object); at != NULL; at = json_next(at)) {
		struct token *token = &list->items[list->count++];

		token->text = json_key(at);
		if (!json_u64(at, &token->id))
			return error_set(err, ERROR_CORRUPT, "vtok",
				"the id of \"%.100s\" is not an integer from 0 up", token->text);
	}
	sort_by_text(list);
	return true;
}

bool
token_list_read_added(struct token_list *list, const struct json *array, struct error *err)
{
	if (array != NULL && json_kind(array) != JSON_ARRAY)
		return error_set(err, ERROR_CORRUPT, "vtok", "added_tokens is not a list");
	if (!make_room(list, array != NULL ? json_count(array) : 0, err))
		return false;
	if (array == NULL)
		return true;
	for (const struct json *at = json_first(array); at != NULL; at = json_next(at)) {
		struct token *token = &list->items[list->count++];

		if (json_kind(at) != JSON_OBJECT
		    || (token->text = json_string(json_member(at, "content"))) == NULL
		    || !json_u64(json_member(at, "id"), &token->id))
			return error_set(err, ERROR_CORRUPT, "vtok",
				"entry %zu of added_tokens has no content or no id",
				list->count - 1);
	}
	sort_by_text(list);
	for (size_t i = 1; i < list->count; i++) {
		if (strcmp(list->items[i - 1].text, list->items[i].text) == 0)
			return error_set(err, ERROR_CORRUPT, "vocabdup",
				"\"%.100s\" stands twice in added_tokens", list->items[i].text);
	}
	return true;
}

const struct token *
token_list_find(const struct token_list *list, const char *text, size_t length)
{
	size_t first = 0, end = list->count;

	while (first < end) {
		size_t      middle = first + (end - first) / 2;
		const char *there = list->items[middle].text;
		int         order = strncmp(there, text, length);

		if (order == 0 && there[length] != '\0')
			order = 1;
		if (order == 0)
			return &list->items[middle];
		if (order < 0)
			first = middle + 1;
		else
			end = middle;
	}
	return NULL;
}

static bool
check_sorted_ids(const struct token *tokens, size_t count, struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		if (i > 0 && tokens[i].id == tokens[i - 1].id)
			return error_set(err, ERROR_CORRUPT, "vocabdup", "id %" PRIu64
				" is used by \"%.100s\" and \"%.100s\"", tokens[i].id,
				tokens[i - 1].text, tokens[i].text);
		if (tokens[i].id != i)
			return error_set(err, ERROR_CORRUPT, "vocabgap",
				"id %zu is missing (the next one is %" PRIu64 ")", i, tokens[i].id);
	}
	return true;
}

struct token *
token_list_by_id(const struct token_list *vocabulary, const struct token_list *added,
	size_t *count, struct error *err)
{
	const size_t  room = vocabulary->count + added->count;
	struct token *all = calloc(room + 1, sizeof *all);
	size_t        used = vocabulary->count;

	if (all == NULL) {
		error_no_memory(err, room * sizeof *all);
		return NULL;
	}
	if (vocabulary->count > 0)
		memcpy(all, vocabulary->items, vocabulary->count * sizeof *all);
	for (size_t i = 0; i < added->count; i++) {
		const struct token *token = &added->items[i];
		const struct token *same = token_list_find(vocabulary, token->text,
			strlen(token->text));

		if (same == NULL) {
			all[used++] = *token;
		} else if (same->id != token->id) {
			error_set(err, ERROR_CORRUPT, "vtok", "\"%.100s\" has id %" PRIu64
				" in the vocabulary and %" PRIu64 " in added_tokens",
				token->text, same->id, token->id);
			free(all);
			return NULL;
		}
	}
	qsort(all, used, sizeof *all, compare_by_id);
	*count = used;
	return all;
}

bool
token_list_check_ids(const struct token_list *vocabulary, const struct token_list *added,
	uint64_t *count, struct error *err)
{
	size_t        used = 0;
	struct token *all = token_list_by_id(vocabulary, added, &used, err);
	bool          done = all != NULL && check_sorted_ids(all, used, err);

	*count = used;
	free(all);
	return done;
}

bool
token_list_check_same(const struct token_list *list, const struct token_list *other,
	const char *other_name, struct error *err)
{
	if (list->count != other->count)
		return error_set(err, ERROR_MISMATCH, "vtok", "%zu tokens, but %s has %zu",
			list->count, other_name, other->count);
	for (size_t i = 0; i < list->count; i++) {
		const struct token *mine = &list->items[i], *theirs = &other->items[i];

		if (strcmp(mine->text, theirs->text) != 0)
			return error_set(err, ERROR_MISMATCH, "vtok",
				"\"%.100s\" and %s's \"%.100s\" are not in both files",
				mine->text, other_name, theirs->text);
		if (mine->id != theirs->id)
			return error_set(err, ERROR_MISMATCH, "vtok", "\"%.100s\" has id %" PRIu64
				", but %" PRIu64 " in %s", mine->text, mine->id, theirs->id,
				other_name);
	}
	return true;
}

void
token_list_free(struct token_list *list)
{
	free(list->items);
	*list = (struct token_list){ 0 };
}
