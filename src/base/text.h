#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A string that grows.  Once memory ends it stays `failed`, and is checked once.
 * `bytes` is NUL-terminated as soon as anything was added. */
struct text {
	char  *bytes;
	size_t length, room;
	bool   failed;
};

void text_add(struct text *text, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void text_add_bytes(struct text *text, const void *bytes, size_t length);
/* The lowest `bytes` bytes of a number, the lowest first: a field of a binary file. */
void text_add_little_endian(struct text *text, uint64_t number, unsigned bytes);
void text_free(struct text *text);

/* Untrusted bytes made safe to print: control, ESC, invalid UTF-8 and bidi overrides as
 * \xNN, cut with "..." where `size` is too small.  Returns `to`. */
char *text_escape(char *to, size_t size, const void *bytes, size_t length);
/* snprintf that returns `to`. */
char *text_format(char *to, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#define TEXT_NUMBER_SIZE 32
/* "709.8 MB": decimal units, one digit. */
char *text_byte_count(char to[TEXT_NUMBER_SIZE], uint64_t bytes);
/* "354,823,168" */
char *text_grouped(char to[TEXT_NUMBER_SIZE], uint64_t number);
/* Python's shortest form of a double: "1e-05", "0.1", "2.0"; locale-free. */
char *text_double(char to[TEXT_NUMBER_SIZE], double number);

/* Well-formed UTF-8 without NUL? (no overlong form, no surrogate, at most U+10FFFF) */
bool text_is_utf8(const void *bytes, size_t length);
/* A whole decimal number without sign or blanks; false when it is none or does not fit. */
bool text_parse_u64(const char *text, size_t length, uint64_t *number);
bool text_has_prefix(const char *text, const char *prefix);
bool text_has_suffix(const char *text, const char *suffix);
/* Last component of a path; trailing slashes do not count.  Written to `to`. */
char *text_base_name(char *to, size_t size, const char *path);
/* The entry nearest to `word` by edit distance, NULL when none is near. */
const char *text_nearest(const char *word, const char *const *entries, size_t count);

#endif
