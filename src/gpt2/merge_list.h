#ifndef GPT2_MERGE_LIST_H
#define GPT2_MERGE_LIST_H

#include "gpt2/token_list.h"

/* Two parts of bytes that live in the text they were read from. */
struct merge {
	const char *left, *right;
	size_t      left_length, right_length;
	size_t      line;       /* from 1; in a JSON list, the entry from 0 */
};

/* A byte-pair merge list in its order.  Zeroed: empty. */
struct merge_list {
	struct merge *items;
	size_t        count;
	bool          is_json;
};

/* merges.txt: one "A B" a line.  The "#version" line, blank lines, a byte-order mark, CRLF and
 * blanks at a line's end are passed over. */
bool merge_list_read_text(struct merge_list *list, const char *text, size_t length,
	struct error *err);
/* model.merges of tokenizer.json: "A B" or ["A", "B"]. */
bool merge_list_read_json(struct merge_list *list, const struct json *array,
	struct error *err);
/* Every part, and what both make together, is a token; no merge stands twice. */
bool merge_list_check(const struct merge_list *list, const struct token_list *vocabulary,
	struct error *err);
bool merge_list_check_same(const struct merge_list *list, const struct merge_list *other,
	const char *other_name, struct error *err);
void merge_list_free(struct merge_list *list);

#endif
