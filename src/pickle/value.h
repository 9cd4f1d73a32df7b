#ifndef PICKLE_VALUE_H
#define PICKLE_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * An inert value: what a pickle denotes, with nothing looked up, imported or called.
 * Values live in the arena of the machine that made them, are shared by pointer (the graph
 * may have cycles) and are never copied.  Walk them with an own stack and a budget, never
 * by recursion.
 */
enum value_kind {
	VALUE_NONE,
	VALUE_BOOL,
	VALUE_INT,              /* fits int64_t */
	VALUE_BIG,              /* a wider integer; its value is never needed */
	VALUE_FLOAT,
	VALUE_TEXT,             /* str; from Python 2 also byte strings (raw_text) */
	VALUE_BYTES,
	VALUE_TUPLE,
	VALUE_LIST,
	VALUE_DICT,             /* also collections.OrderedDict, whatever built it */
	VALUE_SET,
	VALUE_GLOBAL,           /* a module and a name */
	VALUE_CALL,             /* REDUCE of anything else: callable(args), never called */
	VALUE_OBJECT,           /* NEWOBJ, OBJ, INST: class(args), never built */
	VALUE_PERSISTENT,       /* BINPERSID: items[0] is the id */
};

struct value {
	uint8_t  kind;          /* enum value_kind */
	bool     raw_text;      /* VALUE_TEXT that was a Python 2 byte string, is not UTF-8 or
	                           holds a NUL: to be checked where it is a name */
	bool     unhashable;    /* LIST, DICT, SET but a frozenset, a TUPLE with such: no key */
	uint16_t depth;         /* of nesting: 0 for a scalar, else 1 + that of the deepest item
	                           when it was added */
	uint32_t count, room;   /* of items; a dict has 2 per entry: key, value, key, value ... */
	union {
		bool    boolean;
		int64_t integer;
		double  real;
		struct {
			const char *bytes;      /* a NUL follows */
			size_t      length;
		} text;                         /* VALUE_TEXT, VALUE_BYTES */
		struct {
			const char *module, *name;      /* Python 3 names ("builtins") */
		} global;
		struct {
			struct value *callable;         /* function or class */
			struct value *arguments;        /* a tuple; NULL: none */
		} call;                                 /* VALUE_CALL, VALUE_OBJECT */
	};
	struct value **items;   /* of TUPLE, LIST, DICT, SET, PERSISTENT; of CALL and OBJECT what
	                           APPEND(S) or SETITEM(S) added to them */
	struct value  *state;   /* what BUILD gave it (the last), or NULL */
};

/* The entry of a dict under a text key; NULL when there is none or `dict` is no dict (NULL
 * included).  Python 2 and 3 text compare by bytes. */
struct value *value_find(const struct value *dict, const char *key);
/* An attribute of an object: an entry of its state dict (also of a (dict, slots) pair), or of
 * a plain dict.  So argparse.Namespace, SimpleNamespace and dict read alike. */
struct value *value_attribute(const struct value *object, const char *name);
/* The first text key that a dict has twice, or NULL; also NULL when it is no dict.  In linear
 * time whatever the keys, so it is fit for untrusted dicts. */
const struct value *value_duplicate_key(const struct value *dict);
bool value_is_text(const struct value *value, const char *text);
bool value_is_global(const struct value *value, const char *module, const char *name);
/* "a list", "a dict", "torch._utils._rebuild_qtensor(...)": for messages, escaped and cut.
 * Returns `to`. */
char *value_describe(const struct value *value, char *to, size_t size);

#endif
