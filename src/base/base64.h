#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>

/* RFC 4648 section 4: the standard alphabet with padding. */
void base64_write(struct text *to, const void *bytes, size_t length);

/*
 * The bytes that `text` stands for, malloc()ed and the caller's; *length of them.  Line ends
 * may stand anywhere in it.  Strict in all else, so that one text stands for one value: no
 * other alphabet, no missing padding, no bits set that are thrown away.  NULL: it is none, or
 * memory ended (*no_memory).
 */
unsigned char *base64_read(const char *text, size_t *length, bool *no_memory);

#endif
