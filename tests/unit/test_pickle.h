#ifndef TESTS_UNIT_TEST_PICKLE_H
#define TESTS_UNIT_TEST_PICKLE_H

#include "base/arena.h"
#include "pickle/machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A pickle in memory, shown to the machine in windows of `step` bytes (0: all at once).  Each
 * window is a copy of its own size, so that a read beyond it is seen. */
struct memory_input {
	const unsigned char *bytes;
	size_t               length, at, step;
	unsigned char       *window;
};

static inline bool
memory_peek(void *context, const unsigned char **at, size_t *count, struct error *err)
{
	struct memory_input *memory = context;

	(void)err;
	*count = memory->length - memory->at;
	if (memory->step != 0 && *count > memory->step)
		*count = memory->step;
	free(memory->window);
	memory->window = malloc(*count != 0 ? *count : 1);
	if (memory->window == NULL)
		abort();
	memcpy(memory->window, memory->bytes + memory->at, *count);
	*at = memory->window;
	return true;
}

static inline void
memory_consume(void *context, size_t count)
{
	struct memory_input *memory = context;

	if (count > memory->length - memory->at)
		abort();
	memory->at += count;
}

/* Runs a pickle; *consumed is what was taken from the input. */
static inline struct value *
run_pickle(const void *bytes, size_t length, size_t step, const struct pickle_limits *limits,
	struct arena *arena, struct pickle_globals *globals, size_t *consumed,
	struct error *err)
{
	struct memory_input memory = { .bytes = bytes, .length = length, .step = step };
	struct pickle_input input = { memory_peek, memory_consume, &memory, length };
	uint64_t            told = 0;
	struct value       *made;

	memset(err, 0, sizeof *err);
	made = machine_run(&input, limits, arena, globals, &told, err);
	if (made != NULL && told != memory.at) {
		printf("machine_run says %llu bytes, %zu were consumed\n",
			(unsigned long long)told, memory.at);
		abort();
	}
	if ((made == NULL) == (err->kind == ERROR_NONE)) {
		printf("a value and a reason, or neither\n");
		abort();
	}
	*consumed = memory.at;
	free(memory.window);
	return made;
}

/*
 * A value as text, by an own stack: None True 5 BIG 1.5 'text' r'Python 2 text' b'bytes'
 * (a, b) [a, b] {k: v} set{a, b} <persistent id>, module.name, f(args), new C(args), with
 * +[added items] and |state.  An ancestor of itself is "...".  Cut at the buffer's end.
 */
struct render {
	char  *to;
	size_t size, used;
	struct render_level {
		const struct value *value;
		uint32_t            next;
	} *levels;
	size_t depth, room;
};

static inline void
render_add(struct render *r, const char *text)
{
	for (; *text != '\0' && r->used + 1 < r->size; text++)
		r->to[r->used++] = *text;
	r->to[r->used] = '\0';
}

static inline void
render_bytes(struct render *r, const struct value *value)
{
	render_add(r, value->kind == VALUE_BYTES ? "b'" : value->raw_text ? "r'" : "'");
	for (size_t i = 0; i < value->text.length && r->used + 1 < r->size; i++) {
		unsigned char c = (unsigned char)value->text.bytes[i];
		char          piece[8];
		snprintf(piece, sizeof piece, c >= 0x20 && c < 0x7f && c != '\'' && c != '\\'
			? "%c" : "\\x%02x", c);
		render_add(r, piece);
	}
	render_add(r, "'");
}

/* A value without parts, or the opening of one with parts, which becomes a level. */
static inline void
render_open(struct render *r, const struct value *value)
{
	char piece[64] = "";

	for (size_t i = 0; i < r->depth; i++)
		if (r->levels[i].value == value) {
			render_add(r, "...");
			return;
		}
	switch ((enum value_kind)value->kind) {
	case VALUE_NONE: render_add(r, "None"); return;
	case VALUE_BOOL: render_add(r, value->boolean ? "True" : "False"); return;
	case VALUE_BIG: render_add(r, "BIG"); return;
	case VALUE_INT:
		snprintf(piece, sizeof piece, "%lld", (long long)value->integer);
		render_add(r, piece);
		return;
	case VALUE_FLOAT:
		snprintf(piece, sizeof piece, "%.17g", value->real);
		render_add(r, piece);
		return;
	case VALUE_TEXT:
	case VALUE_BYTES:
		render_bytes(r, value);
		return;
	case VALUE_GLOBAL:
		render_add(r, value->global.module);
		render_add(r, ".");
		render_add(r, value->global.name);
		return;
	case VALUE_TUPLE: render_add(r, "("); break;
	case VALUE_LIST: render_add(r, "["); break;
	case VALUE_DICT: render_add(r, "{"); break;
	case VALUE_SET: render_add(r, value->unhashable ? "set{" : "frozenset{"); break;
	case VALUE_PERSISTENT: render_add(r, "<"); break;
	case VALUE_OBJECT: render_add(r, "new "); break;
	case VALUE_CALL: break;
	}
	if (r->depth == r->room) {
		r->room = r->room * 2 + 64;
		r->levels = realloc(r->levels, r->room * sizeof *r->levels);
		if (r->levels == NULL)
			abort();
	}
	r->levels[r->depth++] = (struct render_level){ value, 0 };
}

/* The next part of a level, its separator written before it; NULL when it has no more. */
static inline const struct value *
render_next(struct render *r, struct render_level *level)
{
	static const char  closing[] = { [VALUE_TUPLE] = ')', [VALUE_LIST] = ']',
		[VALUE_DICT] = '}', [VALUE_SET] = '}', [VALUE_PERSISTENT] = '>',
		[VALUE_CALL] = ']', [VALUE_OBJECT] = ']' };
	const struct value *v = level->value;
	bool                is_call = v->kind == VALUE_CALL || v->kind == VALUE_OBJECT;
	uint32_t            i = level->next++, head = is_call ? 2 : 0;
	char                close[2] = { closing[v->kind], '\0' };

	if (i < head)
		return i == 0 ? v->call.callable : v->call.arguments;
	i -= head;
	if (i < v->count) {
		if (i > 0)
			render_add(r, v->kind == VALUE_DICT && i % 2 == 1 ? ": " : ", ");
		else if (is_call)
			render_add(r, "+[");
		return v->items[i];
	}
	if (i == v->count && (!is_call || v->count > 0))
		render_add(r, close);
	if (i == v->count && v->state != NULL) {
		render_add(r, "|");
		return v->state;
	}
	return NULL;
}

static inline char *
render_value(const struct value *value, char *to, size_t size)
{
	struct render r = { .to = to, .size = size };

	to[0] = '\0';
	render_open(&r, value);
	while (r.depth > 0 && r.used + 1 < r.size) {
		const struct value *part = render_next(&r, &r.levels[r.depth - 1]);
		if (part == NULL)
			r.depth--;
		else
			render_open(&r, part);
	}
	free(r.levels);
	return to;
}

#endif
