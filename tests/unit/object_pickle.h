#ifndef TESTS_UNIT_OBJECT_PICKLE_H
#define TESTS_UNIT_OBJECT_PICKLE_H

#include "base/text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/*
 * Pickles of objects from a notation, as the index of a distributed checkpoint has them:
 *
 *   Name(key:VALUE,...)     an object of that class with these attributes
 *   Name<VALUE,...>         an object whose state is a tuple
 *   {VALUE:VALUE,...}       a dict       [VALUE,...] a list       <VALUE,...> a tuple
 *   'text' (~ the byte 255) 5 N          @MODULE.NAME a global
 *
 * The module of all classes is torch.distributed.checkpoint.metadata.
 */
static const char *object_put_value(struct text *pickle, const char *at);

static inline void
object_put_u32(struct text *pickle, uint32_t number)
{
	unsigned char bytes[4] = { (unsigned char)number, (unsigned char)(number >> 8),
		(unsigned char)(number >> 16), (unsigned char)(number >> 24) };

	text_add_bytes(pickle, bytes, sizeof bytes);
}

static inline const char *
object_put_text(struct text *pickle, const char *at, const char *ends)
{
	size_t length = strcspn(at, ends);

	text_add(pickle, "X");
	object_put_u32(pickle, (uint32_t)length);
	for (size_t i = 0; i < length; i++)
		text_add_bytes(pickle, at[i] == '~' ? "\xff" : at + i, 1);
	return at + length;
}

/* `end` and what is before it; "open" and "close" are what the pickle has around it. */
static inline const char *
object_put_items(struct text *pickle, const char *at, char end, const char *open, const char *close)
{
	text_add(pickle, "%s", open);
	while (*at != end) {
		at = object_put_value(pickle, at);
		at += *at == ',' || *at == ':';
	}
	text_add(pickle, "%s", close);
	return at + 1;
}

static inline const char *
object_put_number(struct text *pickle, const char *at)
{
	int     length = (int)strspn(at, "-0123456789");
	int64_t number = strtoll(at, NULL, 10);

	text_add_bytes(pickle, "\212\010", 2);          /* LONG1 of 8 bytes */
	object_put_u32(pickle, (uint32_t)((uint64_t)number & 0xffffffff));
	object_put_u32(pickle, (uint32_t)((uint64_t)number >> 32));
	return at + length;
}

static inline const char *
object_put_object(struct text *pickle, const char *at)
{
	size_t length = strcspn(at, "(<");

	text_add(pickle, "ctorch.distributed.checkpoint.metadata\n%.*s\n)\x81", (int)length, at);
	at += length;
	if (*at == '<') {
		at = object_put_items(pickle, at + 1, '>', "(", "tb");
		return at;
	}
	text_add(pickle, "}(");
	for (at++; *at != ')'; at += *at == ',') {
		at = object_put_text(pickle, at, ":");
		at = object_put_value(pickle, at + 1);
	}
	text_add(pickle, "ub");
	return at + 1;
}

static inline const char *
object_put_global(struct text *pickle, const char *at)
{
	size_t length = strcspn(at, ",)]>}"), dot = strcspn(at, ".");

	text_add(pickle, "c%.*s\n%.*s\n", (int)dot - 1, at + 1, (int)(length - dot - 1), at + dot + 1);
	return at + length;
}

static inline const char *
object_put_value(struct text *pickle, const char *at)
{
	switch (*at) {
	case '{':
		return object_put_items(pickle, at + 1, '}', "}(", "u");
	case '[':
		return object_put_items(pickle, at + 1, ']', "](", "e");
	case '<':
		return object_put_items(pickle, at + 1, '>', "(", "t");
	case '\'':
		return object_put_text(pickle, at + 1, "'") + 1;
	case '@':
		return object_put_global(pickle, at);
	case 'N':
		text_add(pickle, "N");
		return at + 1;
	default:
		return strchr("-0123456789", *at) != NULL ? object_put_number(pickle, at)
			: object_put_object(pickle, at);
	}
}

/* The whole pickle, behind what is in `pickle`. */
static inline void
object_pickle_add(struct text *pickle, const char *notation)
{
	text_add_bytes(pickle, "\200\002", 2);
	object_put_value(pickle, notation);
	text_add(pickle, ".");
}

#endif
