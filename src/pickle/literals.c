#include "pickle/literals.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool
literals_integer(const char *text, size_t length, bool allow_l, int64_t *integer, bool *wide)
{
	uint64_t sum = 0, limit = INT64_MAX;
	size_t   at = 0;
	bool     negative = false;

	if (allow_l && length > 0 && text[length - 1] == 'L')
		length--;
	if (at < length && (text[at] == '-' || text[at] == '+'))
		negative = text[at++] == '-';
	if (at == length || (text[at] == '0' && at + 1 < length))
		return false;
	limit += negative;
	*wide = false;
	for (; at < length; at++) {
		if (!is_digit(text[at]))
			return false;
		if (!*wide && (__builtin_mul_overflow(sum, UINT64_C(10), &sum)
		    || __builtin_add_overflow(sum, (uint64_t)(text[at] - '0'), &sum)
		    || sum > limit))
			*wide = true;
	}
	*integer = *wide ? 0 : negative ? (int64_t)(0 - sum) : (int64_t)sum;
	return true;
}

static size_t
digits_at(const char *text, size_t length, size_t at)
{
	size_t begin = at;

	while (at < length && is_digit(text[at]))
		at++;
	return at - begin;
}

/* [+-] (digits [. digits] | . digits) [e [+-] digits], or inf or nan */
static bool
is_float(const char *text, size_t length)
{
	size_t at = 0, whole, part = 0;

	if (at < length && (text[at] == '-' || text[at] == '+'))
		at++;
	if (length - at == 3
	    && (strncasecmp(text + at, "inf", 3) == 0 || strncasecmp(text + at, "nan", 3) == 0))
		return true;
	whole = digits_at(text, length, at);
	at += whole;
	if (at < length && text[at] == '.') {
		part = digits_at(text, length, ++at);
		at += part;
	}
	if (whole + part == 0)
		return false;
	if (at < length && (text[at] == 'e' || text[at] == 'E')) {
		at++;
		if (at < length && (text[at] == '-' || text[at] == '+'))
			at++;
		whole = digits_at(text, length, at);
		if (whole == 0)
			return false;
		at += whole;
	}
	return at == length;
}

bool
literals_float(const char *text, size_t length, double *real)
{
	locale_t plain;

	if (!is_float(text, length))
		return false;
	/* strtod() would want a comma in some locales.  A NUL follows the text. */
	if ((plain = newlocale(LC_ALL_MASK, "C", (locale_t)0)) == (locale_t)0)
		return false;
	*real = strtod_l(text, NULL, plain);
	freelocale(plain);
	return true;
}

static int
hex_digit(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Exactly `count` hex digits. */
static bool
hex_number(const char *text, size_t left, size_t count, uint32_t *number)
{
	*number = 0;
	if (left < count)
		return false;
	for (size_t i = 0; i < count; i++) {
		int digit = hex_digit(text[i]);
		if (digit < 0)
			return false;
		*number = *number << 4 | (uint32_t)digit;
	}
	return true;
}

/* The escape after a backslash: its length in *step; 0: malformed.  An unknown one stays as
 * it is, with its backslash. */
static size_t
put_escape(const char *text, size_t left, char *to, size_t *step)
{
	static const char letters[] = "\\'\"abfnrtv", meanings[] = "\\'\"\a\b\f\n\r\t\v";
	const char       *letter;
	uint32_t          number = 0;

	*step = 1;
	if (text[0] != '\0' && (letter = strchr(letters, text[0])) != NULL) {
		to[0] = meanings[letter - letters];
		return 1;
	}
	if (text[0] == 'x') {
		*step = hex_number(text + 1, left - 1, 2, &number) ? 3 : 0;
		to[0] = (char)number;
		return 1;
	}
	if (text[0] < '0' || text[0] > '7') {
		to[0] = '\\';
		to[1] = text[0];
		return 2;
	}
	for (*step = 0; *step < left && *step < 3; ++*step) {
		if (text[*step] < '0' || text[*step] > '7')
			break;
		number = number << 3 | (uint32_t)(text[*step] - '0');
	}
	to[0] = (char)number;
	return 1;
}

bool
literals_quoted(const char *text, size_t length, char *to, size_t *made)
{
	*made = 0;
	if (length < 2 || (text[0] != '\'' && text[0] != '"') || text[length - 1] != text[0])
		return false;
	for (size_t at = 1; at < length - 1;) {
		size_t step;
		if (text[at] != '\\') {
			to[(*made)++] = text[at++];
			continue;
		}
		if (++at == length - 1)
			return false;
		*made += put_escape(text + at, length - 1 - at, to + *made, &step);
		if (step == 0)
			return false;
		at += step;
	}
	return true;
}

static size_t
put_utf8(char *to, uint32_t point)
{
	if (point < 0x80) {
		to[0] = (char)point;
		return 1;
	}
	if (point < 0x800) {
		to[0] = (char)(0xc0 | point >> 6);
		to[1] = (char)(0x80 | (point & 0x3f));
		return 2;
	}
	if (point < 0x10000) {
		to[0] = (char)(0xe0 | point >> 12);
		to[1] = (char)(0x80 | (point >> 6 & 0x3f));
		to[2] = (char)(0x80 | (point & 0x3f));
		return 3;
	}
	to[0] = (char)(0xf0 | point >> 18);
	to[1] = (char)(0x80 | (point >> 12 & 0x3f));
	to[2] = (char)(0x80 | (point >> 6 & 0x3f));
	to[3] = (char)(0x80 | (point & 0x3f));
	return 4;
}

bool
literals_unicode(const char *text, size_t length, char *to, size_t *made)
{
	*made = 0;
	for (size_t at = 0; at < length;) {
		uint32_t point = (unsigned char)text[at++];
		size_t   digits = 0;

		if (point == '\\' && at < length) {
			digits = text[at] == 'u' ? 4 : text[at] == 'U' ? 8 : 0;
			if (digits == 0) {      /* a pair: its second byte begins no escape */
				to[(*made)++] = '\\';
				point = (unsigned char)text[at++];
			}
		}
		if (digits != 0) {
			at++;
			if (!hex_number(text + at, length - at, digits, &point)
			    || point > 0x10ffff)
				return false;
			at += digits;
		}
		*made += put_utf8(to + *made, point);
	}
	return true;
}

bool
literals_latin1(const char *text, size_t length, char *to, size_t *made)
{
	*made = 0;
	for (size_t at = 0; at < length; at++) {
		unsigned char first = (unsigned char)text[at];

		if (first >= 0x80) {
			/* Only C2 and C3 lead to a code point from 80 to FF. */
			if ((first != 0xc2 && first != 0xc3) || ++at == length
			    || ((unsigned char)text[at] & 0xc0) != 0x80)
				return false;
			first = (unsigned char)((first & 3) << 6
				| ((unsigned char)text[at] & 0x3f));
		}
		to[(*made)++] = (char)first;
	}
	return true;
}
