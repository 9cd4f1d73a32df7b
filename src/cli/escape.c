#include "cli/escape.h"

#include <string.h>

#define PIECE_SIZE 20           /* four bytes as \xNN, and the NUL */

/*
 * One character at *at, or what stands in its place, as printable UTF-8; *at moves behind it.
 * A lead byte is taken with the bytes that can belong to it, and judged by text_escape.
 */
static const char *
next_piece(const char **at, char piece[PIECE_SIZE])
{
	size_t length = 1;

	while (length < 4 && ((unsigned char)(*at)[length] & 0xc0) == 0x80)
		length++;
	text_escape(piece, PIECE_SIZE, *at, length);
	/* U+FFFE and U+FFFF are well-formed UTF-8, but no characters, nor allowed in XML. */
	if (strcmp(piece, "\xef\xbf\xbe") == 0)
		text_format(piece, PIECE_SIZE, "\\xef\\xbf\\xbe");
	else if (strcmp(piece, "\xef\xbf\xbf") == 0)
		text_format(piece, PIECE_SIZE, "\\xef\\xbf\\xbf");
	*at += length;
	return piece;
}

static void
add_shown(struct text *to, const char **at)
{
	char piece[PIECE_SIZE];

	text_add(to, "%s", next_piece(at, piece));
}

void
escape_xml(struct text *to, const char *name)
{
	for (const char *at = name != NULL ? name : ""; *at != '\0';) {
		const char *entity = *at == '&' ? "&amp;" : *at == '<' ? "&lt;" : *at == '>' ? "&gt;"
			: *at == '"' ? "&quot;" : *at == '\'' ? "&apos;" : NULL;

		if (entity == NULL) {
			add_shown(to, &at);
		} else {
			text_add(to, "%s", entity);
			at++;
		}
	}
}

/* `special`: bytes that are written as %NN. */
static void
add_percent(struct text *to, const char *name, const char *special)
{
	for (const char *at = name != NULL ? name : ""; *at != '\0';) {
		if (strchr(special, *at) != NULL)
			text_add(to, "%%%02X", (unsigned)(unsigned char)*at++);
		else
			add_shown(to, &at);
	}
}

void
escape_annotation(struct text *to, const char *name)
{
	add_percent(to, name, "%\r\n");
}

void
escape_property(struct text *to, const char *name)
{
	add_percent(to, name, "%\r\n:,");
}

void
escape_uri(struct text *to, const char *name)
{
	static const char kept[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		"0123456789-._~/";

	for (const char *at = name != NULL ? name : ""; *at != '\0'; at++) {
		if (strchr(kept, *at) != NULL)
			text_add_bytes(to, at, 1);
		else
			text_add(to, "%%%02X", (unsigned)(unsigned char)*at);
	}
}

/* A span ends at as many backticks as it began with: one more than any run inside it.  A
 * blank on each side keeps backticks at the ends apart, and is not shown. */
void
escape_code(struct text *to, const char *name)
{
	size_t run = 0, longest = 0;

	if (name == NULL || name[0] == '\0')
		return;
	for (const char *at = name; *at != '\0'; at++) {
		run = *at == '`' ? run + 1 : 0;
		longest = run > longest ? run : longest;
	}
	for (size_t i = 0; i <= longest; i++)
		text_add(to, "`");
	text_add(to, longest > 0 ? " " : "");
	for (const char *at = name; *at != '\0';)
		add_shown(to, &at);
	text_add(to, longest > 0 ? " " : "");
	for (size_t i = 0; i <= longest; i++)
		text_add(to, "`");
}
