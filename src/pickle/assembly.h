#ifndef PICKLE_ASSEMBLY_H
#define PICKLE_ASSEMBLY_H

#include "pickle/pickle_reader.h"

/* Makes values in the arena and puts them together, under the rules that hold for all of
 * them: bounded depth, hashable keys, and builtins.getattr never a part of anything. */
struct assembly {
	struct pickle_reader *reader;
	struct arena         *arena;
	uint32_t              depth_limit;
	const struct value   *getattr;          /* the value of that global once it was named */
	/* Shared: nothing can be added to them. */
	struct value         *none, *truth[2], *empty_tuple, *small[256];
};

bool assembly_init(struct assembly *assembly, struct pickle_reader *reader,
	struct arena *arena, uint32_t depth_limit);

/* Each returns NULL, or false, with reader->err set. */
struct value *assembly_new(struct assembly *assembly, enum value_kind kind);
struct value *assembly_integer(struct assembly *assembly, int64_t integer);
/* `bytes` stay where they are: in the arena. */
struct value *assembly_text(struct assembly *assembly, enum value_kind kind,
	const char *bytes, size_t length, bool is_python2);
struct value *assembly_tuple(struct assembly *assembly, struct value *const *items,
	size_t count);
struct value *assembly_call(struct assembly *assembly, enum value_kind kind,
	struct value *callable, struct value *arguments);
/* Adds items; for a dict they are key, value, key, value ... */
bool assembly_add(struct assembly *assembly, struct value *to, struct value *const *items,
	size_t count);
/* Takes `part` as a part of `whole`: depth grows with it. */
bool assembly_adopt(struct assembly *assembly, struct value *whole,
	const struct value *part);
/* false, ERROR_UNSAFE: `value` is builtins.getattr, put to a use that is none of an enum. */
bool assembly_allows(struct assembly *assembly, const struct value *value);
bool assembly_refuse_getattr(struct assembly *assembly);

#endif
