#include "base/json.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>

#define MAX_DEPTH  64
#define MAX_VALUES 4000000      /* a node of the tree takes some 64 bytes */

/* ---- reading ---------------------------------------------------------------------- */

/*
 * cJSON is lenient in places where a verifier must not be, and says nothing of depth or of
 * how a number was spelt.  One walk over the bytes settles what the tree cannot show:
 * depth, escapes (cJSON reads \u12G4 as NUL), spelling of numbers, control characters in
 * strings.
 */
struct scan {
	const char *bytes;
	size_t      at, length;
	unsigned    depth;
	size_t      values;
	struct text spelling;   /* of each number in turn: 'i' a plain integer, 'f' other */
};

static bool
scan_fault(const struct scan *scan, struct error *err, const char *what)
{
	error_set(err, ERROR_CORRUPT, "json", "not strict JSON: %s", what);
	return error_at(err, scan->at);
}

static bool
are_hex(const char *at, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (memchr("0123456789abcdefABCDEF", at[i], 22) == NULL)
			return false;
	return true;
}

/* At a backslash; ends on the last character of the escape.  Halves of surrogate pairs are
 * cJSON's, which refuses them. */
static bool
scan_escape(struct scan *scan, struct error *err)
{
	const char *at = scan->bytes + scan->at + 1;
	size_t      left = scan->length - scan->at - 1;

	if (left == 0 || memchr("\"\\/bfnrtu", *at, 9) == NULL)
		return scan_fault(scan, err, "an escape that is none");
	if (*at == 'u') {
		if (left < 5 || !are_hex(at + 1, 4))
			return scan_fault(scan, err, "an escape that is none");
		if (memcmp(at + 1, "0000", 4) == 0)
			return scan_fault(scan, err, "\\u0000 in a string");
		scan->at += 4;
	}
	scan->at++;
	return true;
}

static bool
scan_string(struct scan *scan, struct error *err)
{
	for (scan->at++; scan->at < scan->length; scan->at++) {
		unsigned char byte = (unsigned char)scan->bytes[scan->at];

		if (byte == '"')
			return true;
		if (byte < 0x20)
			return scan_fault(scan, err, "a control character in a string");
		if (byte == '\\' && !scan_escape(scan, err))
			return false;
	}
	return scan_fault(scan, err, "a string without end");
}

/* number = [-] int [frac] [exp] of RFC 8259; cJSON takes what strtod takes. */
static bool
scan_number(struct scan *scan, struct error *err)
{
	const char *b = scan->bytes;
	size_t      at = scan->at + (b[scan->at] == '-'), digits = at;
	bool        is_plain = true;

	while (at < scan->length && b[at] >= '0' && b[at] <= '9')
		at++;
	if (at == digits || (b[digits] == '0' && at - digits > 1))
		return scan_fault(scan, err, "a number that is none");
	if (at < scan->length && b[at] == '.') {
		is_plain = false;
		digits = ++at;
		while (at < scan->length && b[at] >= '0' && b[at] <= '9')
			at++;
		if (at == digits)
			return scan_fault(scan, err, "a number that is none");
	}
	if (at < scan->length && (b[at] == 'e' || b[at] == 'E')) {
		is_plain = false;
		at++;
		if (at < scan->length && (b[at] == '+' || b[at] == '-'))
			at++;
		digits = at;
		while (at < scan->length && b[at] >= '0' && b[at] <= '9')
			at++;
		if (at == digits)
			return scan_fault(scan, err, "a number that is none");
	}
	scan->at = at - 1;
	text_add_bytes(&scan->spelling, is_plain ? "i" : "f", 1);
	return !scan->spelling.failed || error_no_memory(err, scan->spelling.length);
}

static bool
scan_all(struct scan *scan, struct error *err)
{
	for (; scan->at < scan->length; scan->at++) {
		char c = scan->bytes[scan->at];

		scan->values += c == ',' || c == '[' || c == '{';
		if (scan->values > MAX_VALUES)
			return error_set(err, ERROR_LIMIT, "jsonvalues", "more than %d JSON values",
				MAX_VALUES);
		if (c == '"') {
			if (!scan_string(scan, err))
				return false;
		} else if (c == '-' || (c >= '0' && c <= '9')) {
			if (!scan_number(scan, err))
				return false;
		} else if (c == '{' || c == '[') {
			if (++scan->depth > MAX_DEPTH)
				return scan_fault(scan, err, "nested deeper than 64");
		} else if ((c == '}' || c == ']') && scan->depth > 0) {
			scan->depth--;
		} else if ((unsigned char)c < 0x20 && strchr("\t\n\r", c) == NULL) {
			return scan_fault(scan, err, "a control character");
		}
	}
	return true;
}

static int
compare_keys(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool
object_keys_unique(const cJSON *object, struct error *err)
{
	size_t       count = (size_t)cJSON_GetArraySize(object), used = 0;
	const char **keys;
	bool         unique = true;

	if (count < 2)
		return true;
	if ((keys = malloc(count * sizeof *keys)) == NULL)
		return error_no_memory(err, count * sizeof *keys);
	for (const cJSON *item = object->child; item != NULL && used < count; item = item->next)
		keys[used++] = item->string;
	qsort(keys, used, sizeof *keys, compare_keys);
	for (size_t i = 1; i < used && unique; i++) {
		if (strcmp(keys[i - 1], keys[i]) == 0)
			unique = error_set(err, ERROR_CORRUPT, "json", "not strict JSON: duplicate "
				"key \"%.100s\"", keys[i]);
	}
	free(keys);
	return unique;
}

/*
 * Checks the keys of every object, and leaves in each number's valueint whether it was
 * spelt as a plain integer (the tree is walked in the order of the text).  Depth is at most
 * MAX_DEPTH here, so a stack of that size will do.
 */
static bool
check_tree(cJSON *root, const char *spelling, struct error *err)
{
	cJSON *stack[MAX_DEPTH + 1];
	size_t depth = 0;

	for (cJSON *at = root; at != NULL;) {
		if (cJSON_IsNumber(at))
			at->valueint = spelling != NULL && *spelling++ == 'i';
		if (cJSON_IsObject(at) && !object_keys_unique(at, err))
			return false;
		if (at->child != NULL) {
			stack[depth++] = at;
			at = at->child;
			continue;
		}
		while (at != root && at->next == NULL)
			at = stack[--depth];
		if (at == root)
			return true;
		at = at->next;
	}
	return true;
}

/* cJSON says "no" to bad syntax and to want of memory alike; its hooks tell them apart. */
static _Thread_local bool memory_ended;

static void *
take_memory(size_t size)
{
	void *memory = malloc(size);

	memory_ended = memory_ended || memory == NULL;
	return memory;
}

static void
set_hooks(void)
{
	cJSON_Hooks hooks = { .malloc_fn = take_memory, .free_fn = free };

	cJSON_InitHooks(&hooks);
}

static cJSON *
parse_scanned(struct scan *scan, struct error *err)
{
	static once_flag hooked = ONCE_FLAG_INIT;
	const char      *end = NULL;
	cJSON           *root;
	bool             done = false;

	call_once(&hooked, set_hooks);
	memory_ended = false;
	root = cJSON_ParseWithLengthOpts(scan->bytes, scan->length, &end, 0);
	if (root == NULL && memory_ended) {
		error_no_memory(err, scan->length);
		return NULL;
	}
	scan->at = end != NULL ? (size_t)(end - scan->bytes) : 0;
	if (root == NULL) {
		scan_fault(scan, err, "syntax error");
		return NULL;
	}
	while (scan->at < scan->length && strchr(" \t\n\r", scan->bytes[scan->at]) != NULL)
		scan->at++;
	if (scan->at != scan->length)
		scan_fault(scan, err, "something follows the value");
	else
		done = check_tree(root, scan->spelling.bytes, err);
	if (!done) {
		cJSON_Delete(root);
		root = NULL;
	}
	return root;
}

struct json *
json_parse(const char *bytes, size_t length, struct error *err)
{
	struct scan scan = { .bytes = bytes, .length = length };
	cJSON      *root = NULL;

	if (!text_is_utf8(bytes, length))
		scan_fault(&scan, err, "not UTF-8");
	else if (length >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0)
		scan_fault(&scan, err, "begins with a byte-order mark");
	else if (scan_all(&scan, err))
		root = parse_scanned(&scan, err);
	text_free(&scan.spelling);
	return (struct json *)root;
}

static const cJSON *
node_of(const struct json *node)
{
	return (const cJSON *)node;
}

void
json_free(struct json *root)
{
	cJSON_Delete((cJSON *)root);
}

enum json_kind
json_kind(const struct json *node)
{
	const cJSON *at = node_of(node);

	return cJSON_IsObject(at) ? JSON_OBJECT : cJSON_IsArray(at) ? JSON_ARRAY
		: cJSON_IsString(at) ? JSON_STRING : cJSON_IsNumber(at) ? JSON_NUMBER
		: cJSON_IsBool(at) ? JSON_BOOL : JSON_NULL;
}

const struct json *
json_member(const struct json *object, const char *key)
{
	return (const struct json *)cJSON_GetObjectItemCaseSensitive(node_of(object), key);
}

const struct json *
json_required(const struct json *object, const char *key, enum json_kind kind,
	const char *pointer, const char *slug, struct error *err)
{
	const struct json *found = json_member(object, key);

	if (found != NULL && json_kind(found) == kind)
		return found;
	error_set(err, ERROR_CORRUPT, slug, "%s: %s", pointer,
		found == NULL ? "is missing" : "is of the wrong kind");
	return NULL;
}

const struct json *
json_first(const struct json *container)
{
	return (const struct json *)node_of(container)->child;
}

const struct json *
json_next(const struct json *node)
{
	return (const struct json *)node_of(node)->next;
}

const char *
json_key(const struct json *node)
{
	return node_of(node)->string;
}

size_t
json_count(const struct json *container)
{
	return (size_t)cJSON_GetArraySize(node_of(container));
}

const char *
json_string(const struct json *node)
{
	return node != NULL ? cJSON_GetStringValue(node_of(node)) : NULL;
}

bool
json_bool(const struct json *node, bool *to)
{
	if (node == NULL || !cJSON_IsBool(node_of(node)))
		return false;
	*to = cJSON_IsTrue(node_of(node));
	return true;
}

bool
json_number(const struct json *node, double *to)
{
	if (node == NULL || !cJSON_IsNumber(node_of(node)))
		return false;
	*to = node_of(node)->valuedouble;
	return isfinite(*to);
}

bool
json_u64(const struct json *node, uint64_t *to)
{
	double number;

	if (!json_number(node, &number) || node_of(node)->valueint == 0 || number < 0
	    || number > 9007199254740991.0)
		return false;
	*to = (uint64_t)number;
	return true;
}

/* ---- writing ---------------------------------------------------------------------- */

static void
new_line(struct json_writer *w)
{
	if (w->indent > 0)
		text_add(w->to, "\n%*s", (int)(w->indent * w->depth), "");
}

/* What stands between the last thing written and a new item. */
static void
begin_item(struct json_writer *w)
{
	if (w->after_key) {
		w->after_key = false;
		return;
	}
	if (w->has_items)
		text_add_bytes(w->to, ",", 1);
	if (w->depth > 0)
		new_line(w);
	w->has_items = true;
}

void
json_open(struct json_writer *w, char bracket)
{
	begin_item(w);
	text_add_bytes(w->to, &bracket, 1);
	w->depth++;
	w->has_items = false;
}

void
json_close(struct json_writer *w, char bracket)
{
	w->depth--;
	if (w->has_items)
		new_line(w);
	text_add_bytes(w->to, &bracket, 1);
	w->has_items = true;
}

static uint32_t
next_point(const unsigned char **at)
{
	const unsigned char *b = *at;
	unsigned length = b[0] < 0x80 ? 1 : b[0] < 0xe0 ? 2 : b[0] < 0xf0 ? 3 : 4;
	uint32_t point = length == 1 ? b[0] : b[0] & (0x7fu >> length);

	for (unsigned i = 1; i < length; i++)
		point = point << 6 | (b[i] & 0x3fu);
	*at += length;
	return point;
}

/* The letter of a two-character escape, NUL: there is none. */
static char
short_escape(uint32_t point)
{
	switch (point) {
	case '"': case '\\': return (char)point;
	case '\b': return 'b';
	case '\f': return 'f';
	case '\n': return 'n';
	case '\r': return 'r';
	case '\t': return 't';
	default: return '\0';
	}
}

static void
add_escaped(struct json_writer *w, const char *string, size_t length)
{
	const unsigned char *at = (const unsigned char *)string, *end = at + length;

	while (at < end) {
		const unsigned char *begin = at;
		uint32_t             point = next_point(&at);
		char                 letter = short_escape(point);

		if (letter != '\0')
			text_add(w->to, "\\%c", letter);
		else if (point < 0x20 || (w->ascii && point > 0x7f && point < 0x10000))
			text_add(w->to, "\\u%04x", point);
		else if (w->ascii && point >= 0x10000)
			text_add(w->to, "\\u%04x\\u%04x", 0xd800 + ((point - 0x10000) >> 10),
				0xdc00 + ((point - 0x10000) & 0x3ff));
		else
			text_add_bytes(w->to, begin, (size_t)(at - begin));
	}
}

void
json_write_bytes(struct json_writer *w, const char *string, size_t length)
{
	begin_item(w);
	text_add_bytes(w->to, "\"", 1);
	if (text_is_utf8(string, length)) {
		add_escaped(w, string, length);
	} else {
		/* Names from the file system may be any bytes: shown as messages show them. */
		char shown[1024];
		text_escape(shown, sizeof shown, string, length);
		add_escaped(w, shown, strlen(shown));
	}
	text_add_bytes(w->to, "\"", 1);
}

void
json_write_string(struct json_writer *w, const char *string)
{
	if (string == NULL)
		json_write_null(w);
	else
		json_write_bytes(w, string, strlen(string));
}

void
json_write_key(struct json_writer *w, const char *key)
{
	json_write_string(w, key);
	text_add(w->to, w->indent > 0 ? ": " : ":");
	w->after_key = true;
}

void
json_write_u64(struct json_writer *w, uint64_t number)
{
	begin_item(w);
	text_add(w->to, "%" PRIu64, number);
}

void
json_write_double(struct json_writer *w, double number)
{
	char digits[TEXT_NUMBER_SIZE];

	begin_item(w);
	text_add(w->to, "%s", text_double(digits, number));
}

void
json_write_bool(struct json_writer *w, bool value)
{
	begin_item(w);
	text_add(w->to, value ? "true" : "false");
}

void
json_write_null(struct json_writer *w)
{
	begin_item(w);
	text_add(w->to, "null");
}

void
json_add_string(struct json_writer *w, const char *key, const char *string)
{
	json_write_key(w, key);
	json_write_string(w, string);
}

void
json_add_u64(struct json_writer *w, const char *key, uint64_t number)
{
	json_write_key(w, key);
	json_write_u64(w, number);
}

void
json_add_bool(struct json_writer *w, const char *key, bool value)
{
	json_write_key(w, key);
	json_write_bool(w, value);
}

void
json_open_member(struct json_writer *w, const char *key, char bracket)
{
	json_write_key(w, key);
	json_open(w, bracket);
}
