#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/error.h"
#include "base/text.h"

#include <stddef.h>
#include <stdint.h>

/*
 * A strict face over cJSON, for JSON that somebody else wrote.  Refused: duplicate keys,
 * a NUL in a string (\u0000), invalid UTF-8, a byte-order mark, anything after the value,
 * nesting beyond 64, more than 4,000,000 values, NaN and Infinity.  Nodes live until
 * json_free() of their root.
 */
struct json;

enum json_kind { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

/* NULL: *err (ERROR_CORRUPT "json" with the offset of the fault, or ERROR_LIMIT). */
struct json *json_parse(const char *bytes, size_t length, struct error *err);
void         json_free(struct json *root);               /* NULL is fine */

enum json_kind     json_kind(const struct json *node);
const struct json *json_member(const struct json *object, const char *key);  /* or NULL */
/* The member that must be there and of this kind.  NULL: *err, ERROR_CORRUPT `slug`, with the
 * place as a JSON pointer (RFC 6901). */
const struct json *json_required(const struct json *object, const char *key,
	enum json_kind kind, const char *pointer, const char *slug, struct error *err);
const struct json *json_first(const struct json *container);                 /* or NULL */
const struct json *json_next(const struct json *node);                       /* or NULL */
const char        *json_key(const struct json *node);      /* of an object's member */
size_t             json_count(const struct json *container);
const char        *json_string(const struct json *node);   /* NULL: not a string */
bool               json_bool(const struct json *node, bool *to);
bool               json_number(const struct json *node, double *to);
/* A whole number from 0 to 2^53 - 1 (the last that has no neighbour) that was written without
 * fraction or exponent. */
bool               json_u64(const struct json *node, uint64_t *to);

/*
 * Writing: JSON in the layout of Python's json.dumps, which no C library prints
 * (indent 2, or compact), into a growing text.  Memory faults end up in text->failed.
 */
struct json_writer {
	struct text *to;
	unsigned     indent;            /* blanks per level; 0: compact, no blanks at all */
	bool         ascii;             /* non-ASCII as \uXXXX (surrogate pairs), lower case */
	unsigned     depth;
	bool         has_items, after_key;
};

void json_open(struct json_writer *w, char bracket);     /* '{' or '[' */
void json_close(struct json_writer *w, char bracket);    /* '}' or ']' */
void json_write_key(struct json_writer *w, const char *key);
void json_write_string(struct json_writer *w, const char *string);  /* NULL: null */
void json_write_bytes(struct json_writer *w, const char *string, size_t length);
void json_write_u64(struct json_writer *w, uint64_t number);
void json_write_double(struct json_writer *w, double number);    /* text_double */
void json_write_bool(struct json_writer *w, bool value);
void json_write_null(struct json_writer *w);
/* A member of an object: its key, and the value or its opening bracket. */
void json_add_string(struct json_writer *w, const char *key, const char *string);
void json_add_u64(struct json_writer *w, const char *key, uint64_t number);
void json_add_bool(struct json_writer *w, const char *key, bool value);
void json_open_member(struct json_writer *w, const char *key, char bracket);

#endif
