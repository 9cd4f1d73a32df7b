#include "fuzz/mutate.h"

#include "base/checked.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Strings, numbers and words, brackets, blanks: as many bytes as the text has, at most. */
struct token {
	const uint8_t *at;
	size_t         length;
};

struct tokens {
	struct token *tokens;
	size_t        count;
};

static bool
is_part_of_word(uint8_t c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '-'
		|| c == '+' || c == '.';
}

static size_t
token_length(const uint8_t *at, size_t left)
{
	size_t length = 1;

	if (*at == '"') {
		while (length < left && at[length] != '"')
			length += at[length] == '\\' && length + 1 < left ? 2 : 1;
		return length < left ? length + 1 : left;
	}
	if (is_part_of_word(*at))
		while (length < left && is_part_of_word(at[length]))
			length++;
	return length;
}

static void
take_tokens(const uint8_t *bytes, size_t length, struct tokens *row)
{
	row->count = 0;
	row->tokens = malloc((length + 1) * sizeof *row->tokens);
	if (row->tokens == NULL)
		abort();
	for (size_t at = 0, taken; at < length; at += taken) {
		taken = token_length(bytes + at, length - at);
		row->tokens[row->count++] = (struct token){ bytes + at, taken };
	}
}

/* From `at` on to where as many brackets are closed as were opened. */
static size_t
span_of(const struct tokens *row, size_t at)
{
	size_t open = 0, i = at;

	for (; i < row->count; i++) {
		const uint8_t c = *row->tokens[i].at;

		if (c == '{' || c == '[')
			open++;
		else if (c == '}' || c == ']')
			open -= open > 0;
		if (open == 0)
			break;
	}
	return (i < row->count ? i + 1 : i) - at;
}

static void
put_tokens(const struct tokens *row, size_t from, size_t count, struct text *to)
{
	for (size_t i = from; i < from + count; i++)
		text_add_bytes(to, row->tokens[i].at, row->tokens[i].length);
}

/* Another token in the place of this one. */
static void
put_changed(struct mutation *mutation, const struct tokens *row, size_t at, struct text *to)
{
	static const char *const values[] = { "null", "true", "false", "{}", "[]", "\"\"", "0", "-0",
		"1e308", "1e999", "0.5", "[[[[]]]]", "\"\\u0000\"", "\"\\ud800\"", ",", ":", "//",
		"18446744073709551615", "9007199254740993" };
	const struct token token = row->tokens[at];
	const struct token other = row->tokens[mutation_below(mutation, row->count)];

	switch (mutation_below(mutation, 4)) {
	case 0:
		text_add(to, "%s", values[mutation_below(mutation, sizeof values / sizeof *values)]);
		break;
	case 1:
		text_add_bytes(to, other.at, other.length);
		break;
	case 2:
		if (*token.at >= '0' && *token.at <= '9') {
			text_add(to, "%" PRId64, mutation_number(mutation,
				(int64_t)strtoll((const char *)token.at, NULL, 10)));
			break;
		} /* fall through */
	default:
		mutate_bytes(mutation, token.at, token.length, to);
	}
}

/* A value with all that is in it moves, is left out or stands there twice; or one token is
 * another. */
static void
put_mutant(struct mutation *mutation, const struct tokens *row, struct text *to)
{
	const size_t at = mutation_below(mutation, row->count), count = span_of(row, at);
	const size_t where = mutation_below(mutation, row->count - count + 1);
	const size_t what = mutation_below(mutation, 8);

	if (what == 0) {                /* left out */
		put_tokens(row, 0, at, to);
		put_tokens(row, at + count, row->count - at - count, to);
	} else if (what == 1) {         /* twice */
		put_tokens(row, 0, at + count, to);
		text_add(to, "%s", mutation_one_in(mutation, 2) ? "," : "");
		put_tokens(row, at, row->count - at, to);
	} else if (what == 2) {         /* copied elsewhere */
		put_tokens(row, 0, where, to);
		put_tokens(row, at, count, to);
		put_tokens(row, where, row->count - where, to);
	} else {
		put_tokens(row, 0, at, to);
		put_changed(mutation, row, at, to);
		put_tokens(row, at + 1, row->count - at - 1, to);
	}
}

/* A number in it is followed by what is not one: strtoll() stops there. */
bool
mutate_json(struct mutation *mutation, const uint8_t *bytes, size_t length, struct text *to)
{
	struct text   whole = { 0 };
	struct tokens row;

	if (length == 0 || (bytes[0] != '{' && bytes[0] != '['))
		return false;
	text_add_bytes(&whole, bytes, length);
	take_tokens((const uint8_t *)whole.bytes, whole.length, &row);
	put_mutant(mutation, &row, to);
	free(row.tokens);
	text_free(&whole);
	return true;
}

/* Eight bytes with the length of the JSON, the JSON, the tensors: the length follows. */
bool
mutate_safetensors(struct mutation *mutation, const uint8_t *bytes, size_t length,
	struct text *to)
{
	const uint64_t header = length < 9 ? 0 : checked_u64(bytes);
	struct text    json = { 0 };
	const uint8_t *data;
	uint64_t       told;

	if (header < 2 || header > length - 8 || bytes[8] != '{')
		return false;
	data = bytes + 8 + header;
	if (mutation_one_in(mutation, 8))
		text_add_bytes(&json, bytes + 8, (size_t)header);
	else
		mutate_json(mutation, bytes + 8, (size_t)header, &json);
	if (mutation_one_in(mutation, 4))
		text_add(&json, "%*s", (int)(8 - json.length % 8), "");
	told = mutation_one_in(mutation, 20) ? (uint64_t)mutation_number(mutation, (int64_t)json.length)
		: json.length;
	text_add_little_endian(to, told, 8);
	text_add_bytes(to, json.bytes, json.length);
	length -= 8 + (size_t)header;
	if (mutation_one_in(mutation, 16))
		length = mutation_below(mutation, length + 1);
	text_add_bytes(to, data, length);
	text_free(&json);
	return true;
}
