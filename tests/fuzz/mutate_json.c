#include "fuzz/mutate.h"

#include "base/checked.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Strings, numbers and words, brackets, each with the blanks behind it: as many as the text
 * has bytes, at most. */
struct token {
	const uint8_t *at;
	size_t         length, blanks;
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

static size_t
blanks_length(const uint8_t *at, size_t left)
{
	size_t length = 0;

	while (length < left && at[length] != '\0' && strchr(" \t\r\n", at[length]) != NULL)
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
	for (size_t at = 0, taken, blanks; at < length; at += taken + blanks) {
		taken = token_length(bytes + at, length - at);
		blanks = blanks_length(bytes + at + taken, length - at - taken);
		row->tokens[row->count++] = (struct token){ bytes + at, taken, blanks };
	}
}

static bool
is_one_of(const struct tokens *row, size_t at, const char *letters)
{
	return at < row->count && *row->tokens[at].at != '\0'
		&& strchr(letters, *row->tokens[at].at) != NULL;
}

/* From `at` on to where as many brackets are closed as were opened. */
static size_t
value_length(const struct tokens *row, size_t at)
{
	size_t open = 0, i = at;

	for (; i < row->count; i++) {
		if (is_one_of(row, i, "{["))
			open++;
		else if (is_one_of(row, i, "]}"))
			open -= open > 0;
		if (open == 0)
			break;
	}
	return (i < row->count ? i + 1 : i) - at;
}

/* A value, or a key with its value. */
static size_t
span_of(const struct tokens *row, size_t at)
{
	return is_one_of(row, at + 1, ":") ? 2 + value_length(row, at + 2) : value_length(row, at);
}

/* Rather a value or a key than what stands between them. */
static size_t
choose(struct mutation *mutation, const struct tokens *row)
{
	size_t at = 0;

	for (int i = 0; i < 8; i++) {
		at = mutation_below(mutation, row->count);
		if (!is_one_of(row, at, ",:]}"))
			break;
	}
	return at;
}

static void
put_tokens(const struct tokens *row, size_t from, size_t count, struct text *to)
{
	for (size_t i = from; i < from + count; i++)
		text_add_bytes(to, row->tokens[i].at,
			row->tokens[i].length + row->tokens[i].blanks);
}

/* Of a string what is between the quotes. */
static void
put_changed_bytes(struct mutation *mutation, struct token token, struct text *to)
{
	const bool is_string = *token.at == '"' && token.length >= 2
		&& !mutation_one_in(mutation, 8);

	text_add_bytes(to, token.at, is_string);
	mutate_bytes(mutation, token.at + is_string, token.length - 2 * is_string, to);
	text_add_bytes(to, token.at, is_string);
}

/* Another token in the place of this one. */
static void
put_changed(struct mutation *mutation, const struct tokens *row, size_t at, struct text *to)
{
	static const char *const values[] = { "null", "true", "false", "{}", "[]", "\"\"", "0", "-0",
		"1e308", "1e999", "0.5", "[[[[]]]]", "\"\\u0000\"", "\"\\ud800\"", ",", ":", "//",
		"18446744073709551615", "9007199254740993" };
	const struct token token = row->tokens[at], other = row->tokens[choose(mutation, row)];

	switch (mutation_below(mutation, 5)) {
	case 0:
		text_add(to, "%s", values[mutation_below(mutation, sizeof values / sizeof *values)]);
		break;
	case 1:
		text_add_bytes(to, other.at, other.length);
		break;
	case 2:
		put_changed_bytes(mutation, token, to);
		break;
	default:
		if (*token.at >= '0' && *token.at <= '9')
			text_add(to, "%" PRId64, mutation_number(mutation,
				(int64_t)strtoll((const char *)token.at, NULL, 10)));
		else
			put_changed_bytes(mutation, token, to);
	}
}

/* A value with all that is in it is left out or stands there twice, here or elsewhere; or one
 * token is another. */
static void
put_mutant(struct mutation *mutation, const struct tokens *row, struct text *to)
{
	const size_t at = choose(mutation, row), count = span_of(row, at);
	const size_t behind = at + count, where = choose(mutation, row);

	switch (mutation_below(mutation, 8)) {
	case 0:
		put_tokens(row, 0, at, to);
		put_tokens(row, behind + is_one_of(row, behind, ","), row->count - behind
			- is_one_of(row, behind, ","), to);
		break;
	case 1:
		put_tokens(row, 0, behind, to);
		text_add(to, "%s", mutation_one_in(mutation, 8) ? "" : ",");
		put_tokens(row, at, row->count - at, to);
		break;
	case 2:
		put_tokens(row, 0, where, to);
		put_tokens(row, at, count, to);
		text_add(to, "%s", mutation_one_in(mutation, 8) ? "" : ",");
		put_tokens(row, where, row->count - where, to);
		break;
	default:
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
