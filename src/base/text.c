#include "base/text.h"

#include <locale.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool
text_reserve(struct text *text, size_t more)
{
	size_t room = text->room != 0 ? text->room : 256;
	char  *bytes;

	if (text->failed || more > SIZE_MAX / 4 || text->length > SIZE_MAX / 4) {
		text->failed = true;
		return false;
	}
	if (text->room > text->length + more)
		return true;
	while (room <= text->length + more)
		room *= 2;
	if ((bytes = realloc(text->bytes, room)) == NULL) {
		text->failed = true;
		return false;
	}
	text->bytes = bytes;
	text->room = room;
	return true;
}

void
text_add_bytes(struct text *text, const void *bytes, size_t length)
{
	if (!text_reserve(text, length))
		return;
	if (length > 0)
		memcpy(text->bytes + text->length, bytes, length);
	text->length += length;
	text->bytes[text->length] = '\0';
}

void
text_add(struct text *text, const char *fmt, ...)
{
	va_list args, again;
	int     length;

	va_start(args, fmt);
	va_copy(again, args);
	length = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (length < 0)
		text->failed = true;
	else if (text_reserve(text, (size_t)length)) {
		vsnprintf(text->bytes + text->length, (size_t)length + 1, fmt, again);
		text->length += (size_t)length;
	}
	va_end(again);
}

void
text_add_little_endian(struct text *text, uint64_t number, unsigned bytes)
{
	for (; bytes > 0; bytes--, number >>= 8) {
		const unsigned char byte = (unsigned char)number;

		text_add_bytes(text, &byte, 1);
	}
}

void
text_free(struct text *text)
{
	free(text->bytes);
	*text = (struct text){ 0 };
}

/* Length of the well-formed UTF-8 sequence at `at`, 0: none; its code point to *point. */
static size_t
utf8_sequence(const unsigned char *at, size_t left, uint32_t *point)
{
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t length = at[0] < 0x80 ? 1 : at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2
		: at[0] < 0xf0 ? 3 : at[0] < 0xf5 ? 4 : 0;

	if (length == 0 || length > left)
		return 0;
	*point = length == 1 ? at[0] : at[0] & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		*point = *point << 6 | (at[i] & 0x3fu);
	}
	if (*point < smallest[length] || *point > 0x10ffff
	    || (*point >= 0xd800 && *point < 0xe000))
		return 0;
	return length;
}

bool
text_is_utf8(const void *bytes, size_t length)
{
	const unsigned char *at = bytes;

	while (length > 0) {
		uint32_t point;
		size_t   step = utf8_sequence(at, length, &point);
		if (step == 0 || point == 0)
			return false;
		at += step;
		length -= step;
	}
	return true;
}

/* Control characters, and marks that reorder or hide the text around them. */
static bool
is_printable(uint32_t point)
{
	return point >= 0x20 && !(point >= 0x7f && point < 0xa0) && point != 0xad
		&& point != 0x61c && !(point >= 0x200b && point <= 0x200f)
		&& !(point >= 0x2028 && point <= 0x202e)
		&& !(point >= 0x2060 && point <= 0x206f) && point != 0xfeff;
}

char *
text_escape(char *to, size_t size, const void *bytes, size_t length)
{
	const unsigned char *at = bytes;
	size_t               used = 0, cut = 0; /* where dots would still fit */

	if (size == 0)
		return to;
	while (length > 0) {
		char     piece[20] = "";
		uint32_t point = 0;
		size_t   step = utf8_sequence(at, length, &point), made = 0;

		if (step > 0 && is_printable(point)) {
			memcpy(piece, at, step);
			made = step;
		} else {
			step = step > 0 ? step : 1;
			for (size_t i = 0; i < step; i++)
				made += (size_t)snprintf(piece + made, sizeof piece - made, "\\x%02x",
					at[i]);
		}
		if (used + 3 < size)
			cut = used;
		if (used + made >= size) {
			snprintf(to + cut, size - cut, "...");
			return to;
		}
		memcpy(to + used, piece, made);
		used += made;
		at += step;
		length -= step;
	}
	to[used] = '\0';
	return to;
}

char *
text_format(char *to, size_t size, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(to, size, fmt, args);
	va_end(args);
	return to;
}

char *
text_byte_count(char to[TEXT_NUMBER_SIZE], uint64_t bytes)
{
	static const char *const units[] = { "bytes", "kB", "MB", "GB", "TB", "PB", "EB" };
	double                   scaled = (double)bytes;
	size_t                   unit = 0;

	while (scaled >= 999.95 && unit + 1 < sizeof units / sizeof *units) {
		scaled /= 1000;
		unit++;
	}
	if (unit == 0)
		return text_format(to, TEXT_NUMBER_SIZE, "%" PRIu64 " bytes", bytes);
	return text_format(to, TEXT_NUMBER_SIZE, "%.1f %s", scaled, units[unit]);
}

char *
text_grouped(char to[TEXT_NUMBER_SIZE], uint64_t number)
{
	char   digits[TEXT_NUMBER_SIZE];
	size_t count, used = 0;

	text_format(digits, sizeof digits, "%" PRIu64, number);
	count = strlen(digits);
	for (size_t i = 0; i < count; i++) {
		if (i > 0 && (count - i) % 3 == 0)
			to[used++] = ',';
		to[used++] = digits[i];
	}
	to[used] = '\0';
	return to;
}

/* Python writes the shortest digits that read back the same: positional from 1e-4 up to
 * 1e16, else with an exponent of at least two digits. */
/* The number with that many digits; or, where it lies just between two decimals, with the last
 * digit one off: what %e rounds to need not be the one that reads back as it. */
static bool
try_digits(char to[TEXT_NUMBER_SIZE], int precision, double number)
{
	static const int steps[] = { 0, 1, -1 };

	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		char *last;

		snprintf(to, TEXT_NUMBER_SIZE, "%.*e", precision - 1, number);
		if ((last = strchr(to, 'e')) == NULL)
			return true;            /* not finite */
		last--;
		if (*last + steps[i] < '0' || *last + steps[i] > '9')
			continue;
		*last = (char)(*last + steps[i]);
		if (!(strtod(to, NULL) < number) && !(strtod(to, NULL) > number))
			return true;
	}
	return false;
}

/* "-d.ddde-XX" as "-0.000dddd" or "dddd.d". */
static void
spread_exponent(char to[TEXT_NUMBER_SIZE])
{
	static const char zeros[] = "0000000000000000";
	const char       *sign = to[0] == '-' ? "-" : "", *at = to + strlen(sign);
	int               exponent = atoi(strchr(to, 'e') + 1), count = 0;
	char              digits[TEXT_NUMBER_SIZE];

	for (; *at != 'e'; at++)
		if (*at != '.')
			digits[count++] = *at;
	digits[count] = '\0';
	if (exponent < 0)
		text_format(to, TEXT_NUMBER_SIZE, "%s0.%.*s%s", sign, -exponent - 1, zeros, digits);
	else if (count <= exponent + 1)
		text_format(to, TEXT_NUMBER_SIZE, "%s%s%.*s.0", sign, digits, exponent + 1 - count,
			zeros);
	else
		text_format(to, TEXT_NUMBER_SIZE, "%s%.*s.%s", sign, exponent + 1, digits,
			digits + exponent + 1);
}

char *
text_double(char to[TEXT_NUMBER_SIZE], double number)
{
	locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	locale_t before = plain != (locale_t)0 ? uselocale(plain) : (locale_t)0;
	double   size = fabs(number);
	int      precision = 1;

	while (precision < 17 && !try_digits(to, precision, number))
		precision++;
	if (precision == 17)
		snprintf(to, TEXT_NUMBER_SIZE, "%.16e", number);
	if (strchr(to, 'e') != NULL && (size == 0 || (size >= 1e-4 && size < 1e16)))
		spread_exponent(to);
	if (plain != (locale_t)0) {
		uselocale(before);
		freelocale(plain);
	}
	return to;
}

bool
text_parse_u64(const char *text, size_t length, uint64_t *number)
{
	uint64_t sum = 0;

	if (length == 0)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9'
		    || __builtin_mul_overflow(sum, UINT64_C(10), &sum)
		    || __builtin_add_overflow(sum, (uint64_t)(text[i] - '0'), &sum))
			return false;
	}
	*number = sum;
	return true;
}

bool
text_has_prefix(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool
text_has_suffix(const char *text, const char *suffix)
{
	size_t length = strlen(text), tail = strlen(suffix);

	return length >= tail && strcmp(text + length - tail, suffix) == 0;
}

char *
text_base_name(char *to, size_t size, const char *path)
{
	size_t end = strlen(path), begin;

	while (end > 1 && path[end - 1] == '/')
		end--;
	for (begin = end; begin > 0 && path[begin - 1] != '/';)
		begin--;
	return text_format(to, size, "%.*s", (int)(end - begin), path + begin);
}

/* Levenshtein distance of two short words. */
static size_t
edit_distance(const char *a, const char *b)
{
	size_t row[64], length = strlen(b);

	if (length >= sizeof row / sizeof *row)
		return SIZE_MAX;
	for (size_t j = 0; j <= length; j++)
		row[j] = j;
	for (size_t i = 0; a[i] != '\0'; i++) {
		size_t diagonal = row[0];
		row[0] = i + 1;
		for (size_t j = 1; j <= length; j++) {
			size_t best = diagonal + (a[i] != b[j - 1]);
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			diagonal = row[j];
			row[j] = best;
		}
	}
	return row[length];
}

const char *
text_nearest(const char *word, const char *const *entries, size_t count)
{
	const char *nearest = NULL;
	size_t      length = strlen(word), least = length / 3 + 2;      /* further away is no
	                                                                   likeness */

	for (size_t i = 0; i < count; i++) {
		size_t distance = edit_distance(word, entries[i]);
		if (entries[i][1] == '\0')
			continue;       /* one digit is as near as another */
		if (distance < least && distance < length) {
			least = distance;
			nearest = entries[i];
		}
	}
	return nearest;
}
