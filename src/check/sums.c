#include "check/sums.h"

#include <string.h>

/*
 * One line of a list, as coreutils writes it and as its -c reads it:
 *
 *   HEX  NAME          text mode                    HEX *NAME      binary mode
 *   \HEX  NAME         NAME has \n, \r or \\ for newline, carriage return, backslash
 *   SHA256 (NAME) = HEX                             BSD, with --tag
 *   HEX NAME           BSD, reversed: one blank
 *
 * Blanks before it, CRLF, upper-case digits, empty lines and lines that begin with '#' are
 * accepted.  A list is of one kind: once a line had two blanks, one is a fault, and a list
 * that began with one blank takes the second as part of the name.
 */
#define DIGEST_DIGITS (DIGEST_HEX_SIZE - 1)
#define SHORTEST_LINE ((size_t)DIGEST_DIGITS + 2)
#define TAG           "SHA256"

enum separator { NOT_YET_KNOWN, TWO_CHARACTERS, ONE_BLANK };

struct span {
	const char *at, *end;
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static void
skip_blanks(struct span *span)
{
	while (span->at < span->end && is_blank(*span->at))
		span->at++;
}

static bool
take_char(struct span *span, char c)
{
	if (span->at == span->end || *span->at != c)
		return false;
	span->at++;
	return true;
}

static bool
take_digest(struct span *span, char to[DIGEST_HEX_SIZE])
{
	if ((size_t)(span->end - span->at) < DIGEST_DIGITS)
		return false;
	for (size_t i = 0; i < DIGEST_DIGITS; i++) {
		char c = span->at[i];

		if (c >= 'A' && c <= 'F')
			c = (char)(c - 'A' + 'a');
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return false;
		to[i] = c;
	}
	to[DIGEST_DIGITS] = '\0';
	span->at += DIGEST_DIGITS;
	return true;
}

/* In place; false for an escape that is none. */
static bool
unescape(char *name)
{
	char *to = name;

	for (const char *at = name; *at != '\0'; at++) {
		if (*at != '\\') {
			*to++ = *at;
			continue;
		}
		switch (*++at) {
		case 'n': *to++ = '\n'; break;
		case 'r': *to++ = '\r'; break;
		case '\\': *to++ = '\\'; break;
		default: return false;
		}
	}
	*to = '\0';
	return true;
}

enum outcome { LINE_GOOD, LINE_MALFORMED, LINE_NO_MEMORY };

static enum outcome
keep_name(struct span name, bool escaped, struct arena *arena, struct sums_line *line)
{
	char *copy;

	if (name.at == name.end || memchr(name.at, '\0', (size_t)(name.end - name.at)) != NULL)
		return LINE_MALFORMED;
	copy = arena_copy(arena, name.at, (size_t)(name.end - name.at));
	if (copy == NULL)
		return LINE_NO_MEMORY;
	if (escaped && !unescape(copy))
		return LINE_MALFORMED;
	line->name = copy;
	return LINE_GOOD;
}

/* "(NAME) = HEX"; the last parenthesis counts, for names may hold some. */
static enum outcome
parse_tagged(struct span span, bool escaped, struct arena *arena, struct sums_line *line)
{
	struct span name;

	take_char(&span, ' ');
	if (!take_char(&span, '('))
		return LINE_MALFORMED;
	name = span;
	while (name.end > name.at && name.end[-1] != ')')
		name.end--;
	if (name.end == name.at)
		return LINE_MALFORMED;
	span.at = name.end--;
	skip_blanks(&span);
	if (!take_char(&span, '='))
		return LINE_MALFORMED;
	skip_blanks(&span);
	if (!take_digest(&span, line->sha256) || span.at != span.end)
		return LINE_MALFORMED;
	return keep_name(name, escaped, arena, line);
}

static enum outcome
parse_line(struct span span, enum separator *separator, struct arena *arena,
	struct sums_line *line)
{
	bool escaped;

	skip_blanks(&span);
	escaped = take_char(&span, '\\');
	if ((size_t)(span.end - span.at) > strlen(TAG)
	    && memcmp(span.at, TAG, strlen(TAG)) == 0) {
		span.at += strlen(TAG);
		return parse_tagged(span, escaped, arena, line);
	}
	if (!take_digest(&span, line->sha256) || span.at == span.end || !is_blank(*span.at++))
		return LINE_MALFORMED;
	if (span.end - span.at == 1
	    || (span.at < span.end && *span.at != ' ' && *span.at != '*')) {
		if (*separator == TWO_CHARACTERS)
			return LINE_MALFORMED;
		*separator = ONE_BLANK;
	} else if (*separator != ONE_BLANK) {
		*separator = TWO_CHARACTERS;
		if (span.at < span.end)
			span.at++;
	}
	return keep_name(span, escaped, arena, line);
}

/* The next line without its end. */
static struct span
next_line(struct span *rest)
{
	struct span line = *rest;
	const char *end = memchr(rest->at, '\n', (size_t)(rest->end - rest->at));

	rest->at = end != NULL ? end + 1 : rest->end;
	if (end != NULL)
		line.end = end;
	if (line.end > line.at && line.end[-1] == '\r')
		line.end--;
	return line;
}

bool
sums_parse(const char *bytes, size_t length, struct arena *arena, struct sums *sums,
	struct error *err)
{
	struct span    rest = { bytes, bytes + length };
	enum separator separator = NOT_YET_KNOWN;
	size_t         room = length / SHORTEST_LINE + 1;

	*sums = (struct sums){ .lines = arena_take(arena, room, sizeof *sums->lines) };
	if (sums->lines == NULL)
		return error_no_memory(err, room * sizeof *sums->lines);
	while (rest.at < rest.end) {
		struct span line = next_line(&rest);

		if (line.at == line.end || *line.at == '#')
			continue;
		switch (parse_line(line, &separator, arena, &sums->lines[sums->count])) {
		case LINE_GOOD:
			sums->count++;
			break;
		case LINE_MALFORMED:
			sums->malformed++;
			break;
		case LINE_NO_MEMORY:
			return error_no_memory(err, (uint64_t)(line.end - line.at));
		}
	}
	if (sums->count == 0)
		return error_set(err, ERROR_CORRUPT, "sumsbad",
			"no properly formatted SHA-256 checksum line found");
	return true;
}

void
sums_write_line(struct text *to, const char *sha256, const char *name)
{
	bool escaped = strpbrk(name, "\\\n\r") != NULL;

	text_add(to, "%s%s  ", escaped ? "\\" : "", sha256);
	for (const char *at = name; *at != '\0'; at++) {
		switch (*at) {
		case '\\': text_add(to, "\\\\"); break;
		case '\n': text_add(to, "\\n"); break;
		case '\r': text_add(to, "\\r"); break;
		default: text_add_bytes(to, at, 1);
		}
	}
	text_add(to, "\n");
}

bool
sums_parse_digest(const char *text, char to[DIGEST_HEX_SIZE])
{
	struct span span;

	if (text_has_prefix(text, "sha256:"))
		text += strlen("sha256:");
	span = (struct span){ text, text + strlen(text) };
	return take_digest(&span, to) && span.at == span.end;
}
