#include "fuzz/pickle_words.h"

#include "pickle/opcodes.h"

#include <stdio.h>
#include <string.h>

struct global {
	const char *module, *name;
};

/* The Makefile makes words.h of the dictionaries. */
#define GLOBAL(module, name) { module, name },
#define WORD(word)
static const struct global globals[] = {
#include "fuzz/words.h"
};
#undef GLOBAL
#undef WORD
#define GLOBAL(module, name)
#define WORD(word) word,
static const char *const words[] = {
#include "fuzz/words.h"
};

#define COUNT_OF(table) (sizeof (table) / sizeof *(table))

bool
pickle_words_is_leaf(uint8_t code)
{
	static const uint8_t leaves[] = { OPCODE_NONE, OPCODE_NEWTRUE, OPCODE_NEWFALSE, OPCODE_INT,
		OPCODE_BININT, OPCODE_BININT1, OPCODE_BININT2, OPCODE_LONG, OPCODE_LONG1,
		OPCODE_LONG4, OPCODE_FLOAT, OPCODE_BINFLOAT, OPCODE_STRING, OPCODE_BINSTRING,
		OPCODE_SHORT_BINSTRING, OPCODE_UNICODE, OPCODE_BINUNICODE,
		OPCODE_SHORT_BINUNICODE, OPCODE_BINUNICODE8, OPCODE_BINBYTES,
		OPCODE_SHORT_BINBYTES, OPCODE_BINBYTES8, OPCODE_BYTEARRAY8, OPCODE_EMPTY_TUPLE,
		OPCODE_EMPTY_LIST, OPCODE_EMPTY_DICT, OPCODE_EMPTY_SET, OPCODE_GLOBAL, OPCODE_GET,
		OPCODE_BINGET, OPCODE_LONG_BINGET };

	return memchr(leaves, code, sizeof leaves) != NULL;
}

size_t
pickle_words_choose(struct edit *edit, bool (*fits)(uint8_t code))
{
	const size_t start = mutation_below(edit->mutation, edit->row.count);

	for (size_t i = 0; i < edit->row.count; i++) {
		const size_t at = (start + i) % edit->row.count;

		if (fits(*edit->row.ops[at].at))
			return at;
	}
	return edit->row.count;
}

static struct pickle_op
plain(struct edit *edit, uint8_t code)
{
	return pickle_ops_make(&edit->row, code, NULL, 0);
}

/* As short as CPython writes it, sometimes longer. */
struct pickle_op
pickle_words_number(struct edit *edit, int64_t value)
{
	uint8_t bytes[9];
	size_t  width = 8;

	for (int i = 0; i < 8; i++)
		bytes[i + 1] = (uint8_t)((uint64_t)value >> 8 * i);
	bytes[0] = 8;
	if (!mutation_one_in(edit->mutation, 20)) {
		if (value >= 0 && value < 256)
			return pickle_ops_make(&edit->row, OPCODE_BININT1, bytes + 1, 1);
		if (value >= 0 && value < 65536)
			return pickle_ops_make(&edit->row, OPCODE_BININT2, bytes + 1, 2);
		if (value == (int32_t)value)
			return pickle_ops_make(&edit->row, OPCODE_BININT, bytes + 1, 4);
	}
	return pickle_ops_make(&edit->row, OPCODE_LONG1, bytes, 1 + width);
}

struct pickle_op
pickle_words_string(struct edit *edit, const void *bytes, size_t length)
{
	struct text      argument = { 0 };
	const bool       is_short = length < 256 && mutation_one_in(edit->mutation, 3);
	struct pickle_op made;

	text_add_little_endian(&argument, length, is_short ? 1 : 4);
	text_add_bytes(&argument, bytes, length);
	made = pickle_ops_make(&edit->row, mutation_one_in(edit->mutation, 30)
		? (is_short ? OPCODE_SHORT_BINSTRING : OPCODE_BINSTRING)
		: (is_short ? OPCODE_SHORT_BINUNICODE : OPCODE_BINUNICODE),
		argument.bytes, argument.length);
	text_free(&argument);
	return made;
}

static struct pickle_op
word(struct edit *edit, const char *text)
{
	return pickle_words_string(edit, text, strlen(text));
}

struct pickle_op
pickle_words_word(struct edit *edit)
{
	return word(edit, words[mutation_below(edit->mutation, COUNT_OF(words))]);
}

static struct pickle_op
global(struct edit *edit, const char *module, const char *name)
{
	char lines[256];
	int  length = snprintf(lines, sizeof lines, "%s\n%s\n", module, name);

	return pickle_ops_make(&edit->row, OPCODE_GLOBAL, lines, (size_t)length);
}

struct pickle_op
pickle_words_global(struct edit *edit)
{
	const struct global *found = &globals[mutation_below(edit->mutation, COUNT_OF(globals))];

	return global(edit, found->module, found->name);
}

struct pickle_op
pickle_words_leaf(struct edit *edit)
{
	static const uint8_t plains[] = { OPCODE_NONE, OPCODE_NEWTRUE, OPCODE_NEWFALSE,
		OPCODE_EMPTY_TUPLE, OPCODE_EMPTY_LIST, OPCODE_EMPTY_DICT, OPCODE_EMPTY_SET };
	struct mutation *mutation = edit->mutation;
	size_t           found;
	uint8_t          bytes[8];

	switch (mutation_below(mutation, 8)) {
	case 0: return plain(edit, plains[mutation_below(mutation, sizeof plains)]);
	case 1: return pickle_words_number(edit, mutation_number(mutation, 0));
	case 2: return pickle_words_word(edit);
	case 3: return pickle_words_global(edit);
	case 4:
		bytes[0] = (uint8_t)mutation_below(mutation, edit->row.count / 4 + 2);
		return pickle_ops_make(&edit->row, OPCODE_BINGET, bytes, 1);
	case 5:
		for (size_t i = 0; i < sizeof bytes; i++)
			bytes[i] = (uint8_t)mutation_number(mutation, 0x7f);
		return pickle_ops_make(&edit->row, OPCODE_BINFLOAT, bytes, sizeof bytes);
	default:
		found = pickle_words_choose(edit, pickle_words_is_leaf);
		return found < edit->row.count ? edit->row.ops[found] : plain(edit, OPCODE_NONE);
	}
}

struct pickle_op
pickle_words_op(struct edit *edit)
{
	for (;;) {
		const uint8_t code = (uint8_t)mutation_below(edit->mutation, 256);

		if (opcodes_table[code].name == NULL || code == OPCODE_STOP)
			continue;
		if (opcodes_table[code].argument == ARGUMENT_NONE)
			return plain(edit, code);
		if (opcodes_table[code].argument == ARGUMENT_U8)
			return pickle_ops_make(&edit->row, code,
				&(uint8_t){ (uint8_t)mutation_number(edit->mutation, 2) }, 1);
		return pickle_words_leaf(edit);
	}
}

static void
say(struct expression *expression, struct pickle_op op)
{
	if (expression->count < EXPRESSION_ROOM)
		expression->ops[expression->count++] = op;
}

static void
say_numbers(struct edit *edit, struct expression *expression, size_t count)
{
	say(expression, plain(edit, OPCODE_MARK));
	for (; count > 0; count--)
		say(expression, pickle_words_number(edit, mutation_one_in(edit->mutation, 4)
			? mutation_number(edit->mutation, 1)
			: (int64_t)mutation_below(edit->mutation, 9)));
	say(expression, plain(edit, OPCODE_TUPLE));
}

/* A tensor over a storage with a key that is likely to exist. */
static void
say_tensor(struct edit *edit, struct expression *expression)
{
	static const char *const storages[] = { "FloatStorage", "HalfStorage", "BFloat16Storage",
		"LongStorage", "ByteStorage", "BoolStorage", "DoubleStorage" };
	struct mutation *mutation = edit->mutation;
	const size_t     rank = mutation_below(mutation, 4);
	char             key[8];

	snprintf(key, sizeof key, "%zu", mutation_below(mutation, 6));
	say(expression, global(edit, "torch._utils", "_rebuild_tensor_v2"));
	say(expression, plain(edit, OPCODE_MARK));
	say(expression, plain(edit, OPCODE_MARK));
	say(expression, word(edit, "storage"));
	say(expression, global(edit, "torch",
		storages[mutation_below(mutation, COUNT_OF(storages))]));
	say(expression, word(edit, key));
	say(expression, word(edit, "cpu"));
	say(expression, pickle_words_number(edit, (int64_t)mutation_below(mutation, 65)));
	say(expression, plain(edit, OPCODE_TUPLE));
	say(expression, plain(edit, OPCODE_BINPERSID));
	say(expression, pickle_words_number(edit, (int64_t)mutation_below(mutation, 5)));
	say_numbers(edit, expression, rank);
	say_numbers(edit, expression, mutation_one_in(mutation, 10) ? 1 : rank);
	say(expression, plain(edit, OPCODE_NEWFALSE));
	say(expression, global(edit, "collections", "OrderedDict"));
	say(expression, plain(edit, OPCODE_EMPTY_TUPLE));
	say(expression, plain(edit, OPCODE_REDUCE));
	say(expression, plain(edit, OPCODE_TUPLE));
	say(expression, plain(edit, OPCODE_REDUCE));
}

static void
say_call(struct edit *edit, struct expression *expression)
{
	static const uint8_t calls[] = { OPCODE_REDUCE, OPCODE_NEWOBJ };

	say(expression, pickle_words_global(edit));
	say(expression, plain(edit, OPCODE_MARK));
	for (size_t i = mutation_below(edit->mutation, 5); i > 0; i--)
		say(expression, pickle_words_leaf(edit));
	say(expression, plain(edit, OPCODE_TUPLE));
	say(expression, plain(edit, calls[mutation_below(edit->mutation, sizeof calls)]));
	if (mutation_one_in(edit->mutation, 2)) {
		say(expression, pickle_words_leaf(edit));
		say(expression, plain(edit, OPCODE_BUILD));
	}
}

void
pickle_words_say(struct edit *edit, struct expression *expression)
{
	static const uint8_t many[] = { OPCODE_TUPLE, OPCODE_LIST, OPCODE_DICT, OPCODE_FROZENSET };

	switch (mutation_below(edit->mutation, 6)) {
	case 0:
		say_tensor(edit, expression);
		break;
	case 1:
		say_call(edit, expression);
		break;
	case 2:
		say(expression, plain(edit, OPCODE_MARK));
		for (size_t i = mutation_below(edit->mutation, 3) * 2; i > 0; i--)
			say(expression, pickle_words_leaf(edit));
		say(expression, plain(edit, many[mutation_below(edit->mutation, sizeof many)]));
		break;
	default:
		say(expression, pickle_words_leaf(edit));
	}
}
