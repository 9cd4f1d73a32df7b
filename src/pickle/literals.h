#ifndef PICKLE_LITERALS_H
#define PICKLE_LITERALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The text forms of protocols 0 and 1.  false: not of that form. */

/* A decimal integer, with a final L where `allow_l`.  *wide: it does not fit *integer.  With
 * leading zeros it is none: one of Python's two unpicklers reads those as octal. */
bool literals_integer(const char *text, size_t length, bool allow_l, int64_t *integer,
	bool *wide);
/* A float as Python's repr() writes it, whatever the locale: "-0.5", "1e-05", "inf", "nan". */
bool literals_float(const char *text, size_t length, double *real);
/* A quoted string with the escapes of a Python 2 literal: 'a\n\x41\101\''.  Writes at most
 * `length` bytes. */
bool literals_quoted(const char *text, size_t length, char *to, size_t *made);
/* raw-unicode-escape: \uXXXX and \UXXXXXXXX, every other byte a code point of its own.
 * Writes at most 2 * length bytes of UTF-8, in which a lone surrogate stays one. */
bool literals_unicode(const char *text, size_t length, char *to, size_t *made);
/* UTF-8 whose code points are all below 256, each made one byte: _codecs.encode(..., 'latin1').
 * Writes at most `length` bytes. */
bool literals_latin1(const char *text, size_t length, char *to, size_t *made);

#endif
