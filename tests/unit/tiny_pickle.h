#ifndef TESTS_UNIT_TINY_PICKLE_H
#define TESTS_UNIT_TINY_PICKLE_H

#include "base/text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/*
 * torch.save files (legacy streams) from a short notation, for files that torch itself would
 * not write:
 *
 *   {key:VALUE,key:VALUE}      a dict; '^' in a key is a NUL
 *   [VALUE,VALUE]              a list
 *   5  'text'  N               a number, a text, None
 *   T  T(8x4)                  a float32 tensor of shape [1], or of that one; all share one
 *                              storage, which is as large as the largest; no other T in it
 *   @a.B                       a global
 *   VALUE=3  &3                remembers a value, and names it again
 */
static const char *tiny_pickle_value(struct text *pickle, const char *at);

static inline void
tiny_pickle_u32(struct text *pickle, uint32_t number)
{
	unsigned char bytes[4] = { (unsigned char)number, (unsigned char)(number >> 8),
		(unsigned char)(number >> 16), (unsigned char)(number >> 24) };

	text_add_bytes(pickle, bytes, sizeof bytes);
}

static inline void
tiny_pickle_text(struct text *pickle, const char *text, size_t length)
{
	text_add_bytes(pickle, "X", 1);
	tiny_pickle_u32(pickle, (uint32_t)length);
	for (; length > 0; length--, text++)
		text_add_bytes(pickle, *text == '^' ? "" : text, 1);
}

/* The sizes behind a T, and how many they are; *at is moved behind them. */
static inline unsigned
tiny_pickle_shape(const char **at, uint32_t shape[4])
{
	unsigned rank = 0;
	char    *end;

	shape[0] = 1;
	if (**at != '(')
		return 1;
	do {
		shape[rank++] = (uint32_t)strtoul(*at + 1, &end, 10);
		*at = end;
	} while (*end == 'x' && rank < 4);
	++*at;
	return rank;
}

/* Elements of the storage. */
static inline uint32_t
tiny_pickle_elements(const char *notation)
{
	uint32_t most = 1;

	while ((notation = strchr(notation, 'T')) != NULL) {
		uint32_t shape[4], count = 1;
		unsigned rank;

		notation++;
		rank = tiny_pickle_shape(&notation, shape);
		for (unsigned d = 0; d < rank; d++)
			count *= shape[d];
		most = count > most ? count : most;
	}
	return most;
}

static inline void
tiny_pickle_number(struct text *pickle, uint32_t number)
{
	text_add(pickle, "J");
	tiny_pickle_u32(pickle, number);
}

static uint32_t tiny_pickle_storage;    /* elements */

static inline const char *
tiny_pickle_tensor(struct text *pickle, const char *at)
{
	uint32_t shape[4], stride;
	unsigned rank;

	at++;
	rank = tiny_pickle_shape(&at, shape);
	text_add(pickle, "ctorch._utils\n_rebuild_tensor_v2\n((");
	tiny_pickle_text(pickle, "storage", 7);
	text_add(pickle, "ctorch\nFloatStorage\n");
	tiny_pickle_text(pickle, "0", 1);
	tiny_pickle_text(pickle, "cpu", 3);
	tiny_pickle_number(pickle, tiny_pickle_storage);
	text_add_bytes(pickle, "NtQK\000(", 6);
	for (unsigned d = 0; d < rank; d++)
		tiny_pickle_number(pickle, shape[d]);
	text_add(pickle, "t(");
	for (unsigned d = 0; d < rank; d++) {
		stride = 1;
		for (unsigned inner = d + 1; inner < rank; inner++)
			stride *= shape[inner];
		tiny_pickle_number(pickle, stride);
	}
	text_add(pickle, "t\211ccollections\nOrderedDict\n)RtR");
	return at;
}

static inline const char *
tiny_pickle_dict(struct text *pickle, const char *at)
{
	text_add(pickle, "}(");
	for (at++; *at != '}'; at += *at == ',') {
		size_t length = strcspn(at, ":");

		tiny_pickle_text(pickle, at, length);
		at = tiny_pickle_value(pickle, at + length + 1);
	}
	text_add(pickle, "u");
	return at + 1;
}

static inline const char *
tiny_pickle_list(struct text *pickle, const char *at)
{
	text_add(pickle, "](");
	for (at++; *at != ']'; at += *at == ',')
		at = tiny_pickle_value(pickle, at);
	text_add(pickle, "e");
	return at + 1;
}

static const char *
tiny_pickle_value(struct text *pickle, const char *at)
{
	char  *end;
	size_t length;

	switch (*at) {
	case '{':
		at = tiny_pickle_dict(pickle, at);
		break;
	case '[':
		at = tiny_pickle_list(pickle, at);
		break;
	case '\'':
		length = strcspn(at + 1, "'");
		tiny_pickle_text(pickle, at + 1, length);
		at += length + 2;
		break;
	case 'N':
		text_add(pickle, "N");
		at++;
		break;
	case 'T':
		at = tiny_pickle_tensor(pickle, at);
		break;
	case '@':
		length = strcspn(at, ",]}");
		text_add(pickle, "c%.*s\n%.*s\n", (int)strcspn(at, ".") - 1, at + 1,
			(int)(length - strcspn(at, ".")) - 1, at + strcspn(at, ".") + 1);
		at += length;
		break;
	case '&':
		text_add(pickle, "j");
		tiny_pickle_u32(pickle, (uint32_t)strtoul(at + 1, &end, 10));
		at = end;
		break;
	default:
		text_add(pickle, "J");
		tiny_pickle_u32(pickle, (uint32_t)strtol(at, &end, 10));
		at = end > at ? end : at + 1;
		break;
	}
	if (*at == '=') {
		text_add(pickle, "r");
		tiny_pickle_u32(pickle, (uint32_t)strtoul(at + 1, &end, 10));
		at = end;
	}
	return at;
}

/* The whole file; `file` is the caller's to free. */
static inline void
tiny_pickle_file(struct text *file, const char *notation)
{
	const char *tensor = strchr(notation, 'T');

	tiny_pickle_storage = tiny_pickle_elements(notation);
	text_add_bytes(file, "\200\002\212\012\154\374\234\106\371\040\152\250\120\031.", 15);
	text_add_bytes(file, "\200\002M\351\003.", 6);
	text_add_bytes(file, "\200\002}(", 4);
	tiny_pickle_text(file, "protocol_version", 16);
	text_add_bytes(file, "M\351\003", 3);
	tiny_pickle_text(file, "little_endian", 13);
	text_add_bytes(file, "\210", 1);
	tiny_pickle_text(file, "type_sizes", 10);
	text_add(file, "}(");
	tiny_pickle_text(file, "short", 5);
	text_add_bytes(file, "K\002", 2);
	tiny_pickle_text(file, "int", 3);
	text_add_bytes(file, "K\004", 2);
	tiny_pickle_text(file, "long", 4);
	text_add_bytes(file, "K\004uu.", 5);
	text_add_bytes(file, "\200\002", 2);
	tiny_pickle_value(file, notation);
	text_add(file, ".");
	text_add_bytes(file, "\200\002](", 4);
	if (tensor != NULL)
		tiny_pickle_text(file, "0", 1);
	text_add(file, "e.");
	if (tensor != NULL) {
		tiny_pickle_u32(file, tiny_pickle_storage);
		text_add_bytes(file, "\0\0\0\0", 4);
		for (uint32_t i = 0; i < tiny_pickle_storage; i++)
			text_add_bytes(file, "\0\0\200?", 4);
	}
	if (file->failed)
		abort();
}

#endif
