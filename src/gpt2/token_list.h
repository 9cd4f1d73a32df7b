#ifndef GPT2_TOKEN_LIST_H
#define GPT2_TOKEN_LIST_H

#include "base/error.h"
#include "base/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct token {
	const char *text;       /* lives in the JSON it was read from */
	uint64_t    id;
};

/* Tokens with their ids, sorted by text.  Zeroed: empty. */
struct token_list {
	struct token *items;
	size_t        count;
};

/* From {"TOKEN": ID, ...}: vocab.json, or model.vocab of tokenizer.json. */
bool token_list_read_vocabulary(struct token_list *list, const struct json *object,
	struct error *err);
/* From [{"id": ID, "content": "TOKEN", ...}, ...]; NULL: an empty list. */
bool token_list_read_added(struct token_list *list, const struct json *array,
	struct error *err);
/* The token that is these bytes, or NULL. */
const struct token *token_list_find(const struct token_list *list, const char *text,
	size_t length);
/* The tokens of both lists, each once, sorted by id; malloc()ed, NULL: *err.  A token with
 * another id in each list is ERROR_CORRUPT "vtok". */
struct token *token_list_by_id(const struct token_list *vocabulary,
	const struct token_list *added, size_t *count, struct error *err);
/* The ids of both lists together are 0 to *count - 1, each of one token.  An added token may
 * stand in the vocabulary too, with the same id. */
bool token_list_check_ids(const struct token_list *vocabulary, const struct token_list *added,
	uint64_t *count, struct error *err);
bool token_list_check_same(const struct token_list *list, const struct token_list *other,
	const char *other_name, struct error *err);
void token_list_free(struct token_list *list);

#endif
