#include "gpt2/merge_list.h"

#include <stdlib.h>
#include <string.h>

/* "line 42", "merge 42": where a merge stands, for messages. */
static char *
describe_place(const struct merge_list *list, const struct merge *merge,
	char to[TEXT_NUMBER_SIZE])
{
	return text_format(to, TEXT_NUMBER_SIZE, "%s %zu", list->is_json ? "merge" : "line",
		merge->line);
}

static bool
make_room(struct merge_list *list, size_t count, struct error *err)
{
	list->count = 0;
	list->items = calloc(count + 1, sizeof *list->items);
	return list->items != NULL || error_no_memory(err, count * sizeof *list->items);
}

/* "A B": two parts that are not empty, one blank between them. */
static bool
split(struct merge_list *list, const char *text, size_t length, size_t line, struct error *err)
{
	const char   *blank = length > 0 ? memchr(text, ' ', length) : NULL;
	struct merge *merge = &list->items[list->count];
	char          place[TEXT_NUMBER_SIZE];

	merge->line = line;
	if (blank == NULL || blank == text || blank + 1 == text + length
	    || memchr(blank + 1, ' ', (size_t)(text + length - blank - 1)) != NULL)
		return error_set(err, ERROR_CORRUPT, "mergesbad",
			"%s is not two tokens with a blank between them: \"%.*s\"",
			describe_place(list, merge, place), length < 100 ? (int)length : 100, text);
	merge->left = text;
	merge->left_length = (size_t)(blank - text);
	merge->right = blank + 1;
	merge->right_length = (size_t)(text + length - blank - 1);
	list->count++;
	return true;
}

/* Not every "#" begins a comment: "# #" is a merge. */
static bool
is_version_line(const char *line, size_t length)
{
	return length >= 8 && memcmp(line, "#version", 8) == 0;
}

bool
merge_list_read_text(struct merge_list *list, const char *text, size_t length,
	struct error *err)
{
	const char *at = text, *end = text + length;
	size_t      lines = 1;

	if (!text_is_utf8(text, length))
		return error_set(err, ERROR_CORRUPT, "tokutf8", "not UTF-8 text");
	for (size_t i = 0; i < length; i++)
		lines += text[i] == '\n';
	if (!make_room(list, lines, err))
		return false;
	if (length >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0)
		at += 3;
	for (size_t line = 1; at < end; line++) {
		const char *line_end = memchr(at, '\n', (size_t)(end - at));
		size_t      used;

		if (line_end == NULL)
			line_end = end;
		used = (size_t)(line_end - at);
		while (used > 0 && (at[used - 1] == ' ' || at[used - 1] == '\r'))
			used--;
		if (used > 0 && !(line == 1 && is_version_line(at, used))
		    && !split(list, at, used, line, err))
			return false;
		at = line_end < end ? line_end + 1 : end;
	}
	return true;
}

/* ["A", "B"], the form that tokenizers writes from 0.20 on. */
static bool
read_pair(struct merge_list *list, const struct json *pair, size_t entry, struct error *err)
{
	const struct json *first = json_kind(pair) == JSON_ARRAY ? json_first(pair) : NULL;
	struct merge      *merge = &list->items[list->count];

	merge->line = entry;
	merge->left = json_string(first);
	merge->right = first != NULL ? json_string(json_next(first)) : NULL;
	if (merge->left == NULL || merge->right == NULL || json_count(pair) != 2)
		return error_set(err, ERROR_CORRUPT, "mergesbad",
			"merge %zu is neither a string nor a list of two", entry);
	merge->left_length = strlen(merge->left);
	merge->right_length = strlen(merge->right);
	list->count++;
	return true;
}

bool
merge_list_read_json(struct merge_list *list, const struct json *array, struct error *err)
{
	size_t entry = 0;

	list->is_json = true;
	if (array == NULL || json_kind(array) != JSON_ARRAY)
		return error_set(err, ERROR_CORRUPT, "mergesbad", "model.merges is not a list");
	if (!make_room(list, json_count(array), err))
		return false;
	for (const struct json *at = json_first(array); at != NULL; at = json_next(at), entry++) {
		const char *text = json_string(at);

		if (text != NULL ? !split(list, text, strlen(text), entry, err)
		    : !read_pair(list, at, entry, err))
			return false;
	}
	return true;
}

struct merge_key {
	uint64_t left, right;   /* ids */
	size_t   index;
};

static int
compare_keys(const void *a, const void *b)
{
	const struct merge_key *x = a, *y = b;

	if (x->left != y->left)
		return x->left < y->left ? -1 : 1;
	if (x->right != y->right)
		return x->right < y->right ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static bool
unknown_token(const struct merge_list *list, const struct merge *merge, const char *text,
	size_t length, struct error *err)
{
	char place[TEXT_NUMBER_SIZE];

	return error_set(err, ERROR_CORRUPT, "mergesbad", "%s: \"%.*s\" is not in the vocabulary",
		describe_place(list, merge, place), length < 100 ? (int)length : 100, text);
}

/* The ids of both parts, when these and their sum are tokens. */
static bool
resolve(const struct merge_list *list, const struct merge *merge,
	const struct token_list *vocabulary, struct text *joined, struct merge_key *key,
	struct error *err)
{
	const struct token *left, *right;

	left = token_list_find(vocabulary, merge->left, merge->left_length);
	if (left == NULL)
		return unknown_token(list, merge, merge->left, merge->left_length, err);
	right = token_list_find(vocabulary, merge->right, merge->right_length);
	if (right == NULL)
		return unknown_token(list, merge, merge->right, merge->right_length, err);
	joined->length = 0;
	text_add_bytes(joined, merge->left, merge->left_length);
	text_add_bytes(joined, merge->right, merge->right_length);
	if (joined->failed)
		return error_no_memory(err, merge->left_length + merge->right_length);
	if (token_list_find(vocabulary, joined->bytes, joined->length) == NULL)
		return unknown_token(list, merge, joined->bytes, joined->length, err);
	key->left = left->id;
	key->right = right->id;
	return true;
}

static bool
check_unique(const struct merge_list *list, const struct merge_key *keys, struct error *err)
{
	char place[TEXT_NUMBER_SIZE], other[TEXT_NUMBER_SIZE];

	for (size_t i = 1; i < list->count; i++) {
		if (keys[i].left == keys[i - 1].left && keys[i].right == keys[i - 1].right)
			return error_set(err, ERROR_CORRUPT, "mergesbad", "%s repeats %s",
				describe_place(list, &list->items[keys[i].index], place),
				describe_place(list, &list->items[keys[i - 1].index], other));
	}
	return true;
}

bool
merge_list_check(const struct merge_list *list, const struct token_list *vocabulary,
	struct error *err)
{
	struct merge_key *keys = calloc(list->count + 1, sizeof *keys);
	struct text       joined = { 0 };
	bool              done = false;

	if (keys == NULL)
		return error_no_memory(err, list->count * sizeof *keys);
	for (size_t i = 0; i < list->count; i++) {
		keys[i].index = i;
		if (!resolve(list, &list->items[i], vocabulary, &joined, &keys[i], err))
			goto out;
	}
	qsort(keys, list->count, sizeof *keys, compare_keys);
	done = check_unique(list, keys, err);
out:
	text_free(&joined);
	free(keys);
	return done;
}

bool
merge_list_check_same(const struct merge_list *list, const struct merge_list *other,
	const char *other_name, struct error *err)
{
	if (list->count != other->count)
		return error_set(err, ERROR_MISMATCH, "vtok", "%zu merges, but %s has %zu",
			list->count, other_name, other->count);
	for (size_t i = 0; i < list->count; i++) {
		const struct merge *mine = &list->items[i], *theirs = &other->items[i];

		if (mine->left_length != theirs->left_length
		    || mine->right_length != theirs->right_length
		    || memcmp(mine->left, theirs->left, mine->left_length) != 0
		    || memcmp(mine->right, theirs->right, mine->right_length) != 0)
			return error_set(err, ERROR_MISMATCH, "vtok",
				"merge %zu is not that of %s", i, other_name);
	}
	return true;
}

void
merge_list_free(struct merge_list *list)
{
	free(list->items);
	*list = (struct merge_list){ 0 };
}
