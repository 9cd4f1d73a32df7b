#include "base/base64.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/*
 * Three bytes are four digits of six bits, the highest first; one or two bytes at the end are
 * two or three digits and "==" or "=".
 */
static const char alphabet[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void
base64_write(struct text *to, const void *bytes, size_t length)
{
	const unsigned char *at = bytes;

	for (size_t i = 0; i < length; i += 3) {
		size_t   count = length - i < 3 ? length - i : 3;
		uint32_t group = (uint32_t)at[i] << 16;
		char     digits[4];

		group |= count > 1 ? (uint32_t)at[i + 1] << 8 : 0;
		group |= count > 2 ? at[i + 2] : 0;
		for (unsigned d = 0; d < 4; d++)
			digits[d] = d <= count ? alphabet[group >> (18 - 6 * d) & 63] : '=';
		text_add_bytes(to, digits, sizeof digits);
	}
}

/* 0 to 63, or -1. */
static int
value_of(char digit)
{
	const char *found = digit != '\0' ? strchr(alphabet, digit) : NULL;

	return found != NULL ? (int)(found - alphabet) : -1;
}

/* `padding` of the four characters are '='. */
static bool
read_group(const char digits[4], unsigned padding, unsigned char *to)
{
	uint32_t group = 0;

	for (unsigned d = 0; d < 4; d++) {
		int value = d < 4 - padding ? value_of(digits[d]) : digits[d] == '=' ? 0 : -1;

		if (value < 0)
			return false;
		group = group << 6 | (uint32_t)value;
	}
	for (unsigned i = 0; i < 3; i++) {
		unsigned char byte = (unsigned char)(group >> (16 - 8 * i));

		if (i < 3 - padding)
			to[i] = byte;
		else if (byte != 0)
			return false;
	}
	return true;
}

unsigned char *
base64_read(const char *text, size_t *length, bool *no_memory)
{
	size_t         room = strlen(text) / 4 * 3, used = 0;
	unsigned       count = 0, padding = 0;
	unsigned char *bytes = malloc(room > 0 ? room : 1);
	char           digits[4];

	*no_memory = bytes == NULL;
	for (; bytes != NULL && *text != '\0'; text++) {
		if (*text == '\n' || *text == '\r')
			continue;
		if (padding > 0 && count == 0)
			goto none;              /* something follows the padded end */
		padding += *text == '=';
		digits[count++] = *text;
		if (count < 4)
			continue;
		if (padding > 2 || !read_group(digits, padding, bytes + used))
			goto none;
		used += 3 - padding;
		count = 0;
	}
	*length = used;
	if (count == 0)
		return bytes;
none:
	free(bytes);
	return NULL;
}
