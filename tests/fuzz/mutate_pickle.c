#include "fuzz/mutate.h"

#include "fuzz/pickle_words.h"
#include "pickle/opcodes.h"

#include <string.h>

#define COUNT_OF(table) (sizeof (table) / sizeof *(table))

static bool
is_number(uint8_t code)
{
	return code == OPCODE_BININT || code == OPCODE_BININT1 || code == OPCODE_BININT2
		|| code == OPCODE_LONG1;
}

static bool
is_string(uint8_t code)
{
	return code == OPCODE_BINUNICODE || code == OPCODE_SHORT_BINUNICODE
		|| code == OPCODE_BINSTRING || code == OPCODE_SHORT_BINSTRING;
}

static bool
same(struct pickle_op a, struct pickle_op b)
{
	return a.length == b.length && memcmp(a.at, b.at, a.length) == 0;
}

static int64_t
value_of(struct pickle_op op)
{
	const bool is_long = *op.at == OPCODE_LONG1, is_signed = is_long || *op.at == OPCODE_BININT;
	const size_t start = is_long ? 2 : 1, width = op.length - start;
	uint64_t value = 0;

	for (size_t i = 0; i < 8 && i < width; i++)
		value |= (uint64_t)op.at[start + i] << 8 * i;
	if (is_signed && width > 0 && width < 8 && value >> (8 * width - 1) != 0)
		value |= UINT64_MAX << 8 * width;
	return (int64_t)value;
}

static void
replace(struct edit *edit, size_t at, struct pickle_op by)
{
	if (at < edit->row.count)
		edit->row.ops[at] = by;
}

static void
replace_everywhere(struct edit *edit, struct pickle_op old, struct pickle_op by)
{
	for (size_t i = 0; i < edit->row.count; i++)
		if (same(edit->row.ops[i], old))
			edit->row.ops[i] = by;
}

static void
change_number(struct edit *edit)
{
	const size_t     at = pickle_words_choose(edit, is_number);
	struct pickle_op old, by;

	if (at == edit->row.count)
		return;
	old = edit->row.ops[at];
	by = pickle_words_number(edit, mutation_number(edit->mutation, value_of(old)));
	if (mutation_one_in(edit->mutation, 3))
		replace_everywhere(edit, old, by);
	else
		replace(edit, at, by);
}

/* A key or a name: by another word, or letter by letter. */
static void
change_string(struct edit *edit)
{
	const size_t     at = pickle_words_choose(edit, is_string);
	struct pickle_op old, by;
	struct text      changed = { 0 };
	size_t           skip;

	if (at == edit->row.count)
		return;
	old = edit->row.ops[at];
	skip = *old.at == OPCODE_BINUNICODE || *old.at == OPCODE_BINSTRING ? 5 : 2;
	if (mutation_one_in(edit->mutation, 2)) {
		by = pickle_words_word(edit);
	} else {
		mutate_bytes(edit->mutation, old.at + skip, old.length - skip, &changed);
		by = pickle_words_string(edit, changed.bytes, changed.length);
		text_free(&changed);
	}
	if (mutation_one_in(edit->mutation, 3))
		replace_everywhere(edit, old, by);
	else
		replace(edit, at, by);
}

static bool
is_global(uint8_t code)
{
	return code == OPCODE_GLOBAL;
}

static void
change_global(struct edit *edit)
{
	replace(edit, pickle_words_choose(edit, is_global), pickle_words_global(edit));
}

/* The argument of any opcode, its own length included: this one may break the row. */
static void
change_argument(struct edit *edit)
{
	const size_t           at = mutation_below(edit->mutation, edit->row.count);
	const struct pickle_op old = edit->row.ops[at];
	struct text            changed = { 0 };

	if (old.length == 1)
		return;
	mutate_bytes(edit->mutation, old.at + 1, old.length - 1, &changed);
	replace(edit, at, pickle_ops_make(&edit->row, *old.at, changed.bytes, changed.length));
	text_free(&changed);
}

static void
replace_leaf(struct edit *edit)
{
	struct expression expression = { .count = 0 };
	const size_t      at = pickle_words_choose(edit, pickle_words_is_leaf);

	if (at == edit->row.count)
		return;
	pickle_words_say(edit, &expression);
	pickle_ops_remove(&edit->row, at, 1);
	pickle_ops_insert(&edit->row, at, expression.ops, expression.count);
}

static bool
ends_a_dict(uint8_t code)
{
	return code == OPCODE_SETITEMS || code == OPCODE_DICT;
}

static void
add_item(struct edit *edit)
{
	struct expression expression = { .count = 0 };
	const size_t      at = pickle_words_choose(edit, ends_a_dict);

	if (at == edit->row.count)
		return;
	expression.ops[expression.count++] = mutation_one_in(edit->mutation, 6)
		? pickle_words_leaf(edit) : pickle_words_word(edit);
	pickle_words_say(edit, &expression);
	pickle_ops_insert(&edit->row, at, expression.ops, expression.count);
}

static void
swap_leaves(struct edit *edit)
{
	const size_t     a = pickle_words_choose(edit, pickle_words_is_leaf);
	const size_t     b = pickle_words_choose(edit, pickle_words_is_leaf);
	struct pickle_op held;

	if (a == edit->row.count)
		return;
	held = edit->row.ops[a];
	edit->row.ops[a] = edit->row.ops[b];
	edit->row.ops[b] = held;
}

static void
insert_op(struct edit *edit)
{
	const struct pickle_op op = pickle_words_op(edit);

	pickle_ops_insert(&edit->row, mutation_below(edit->mutation, edit->row.count), &op, 1);
}

static void
remove_ops(struct edit *edit)
{
	const size_t at = mutation_below(edit->mutation, edit->row.count);
	size_t       count = mutation_one_in(edit->mutation, 3)
		? mutation_below(edit->mutation, 40) : 1;

	if (count > edit->row.count - 1 - at)   /* the last one stays */
		count = edit->row.count - 1 - at;
	pickle_ops_remove(&edit->row, at, count);
}

static void
copy_ops(struct edit *edit)
{
	const size_t from = mutation_below(edit->mutation, edit->row.count);
	size_t       count = 1 + mutation_below(edit->mutation,
		mutation_one_in(edit->mutation, 2) ? 60 : 3);

	if (count > edit->row.count - 1 - from)
		count = edit->row.count - 1 - from;
	pickle_ops_insert(&edit->row, mutation_below(edit->mutation, edit->row.count),
		edit->row.ops + from, count);
}

static void
swap_ops(struct edit *edit)
{
	const size_t     at = mutation_below(edit->mutation, edit->row.count);
	struct pickle_op held;

	if (at + 2 >= edit->row.count)
		return;
	held = edit->row.ops[at];
	edit->row.ops[at] = edit->row.ops[at + 1];
	edit->row.ops[at + 1] = held;
}

/* The donor's bytes outlive its row. */
static void
take_from_donor(struct edit *edit)
{
	struct pickle_ops donor;
	size_t            at, count;

	if (edit->mutation->donor == NULL
		|| !pickle_ops_take(&donor, edit->mutation->donor, edit->mutation->donor_length))
		return;
	at = mutation_below(edit->mutation, donor.count);
	count = 1 + mutation_below(edit->mutation, 60);
	if (count > donor.count - 1 - at)
		count = donor.count - 1 - at;
	pickle_ops_insert(&edit->row, mutation_below(edit->mutation, edit->row.count),
		donor.ops + at, count);
	pickle_ops_free(&donor);
}

/* The number that says how often a change is made, of all of them. */
static const struct change {
	void   (*make)(struct edit *edit);
	size_t weight;
} changes[] = {
	{ change_number, 6 }, { change_string, 5 }, { change_global, 2 }, { change_argument, 1 },
	{ replace_leaf, 5 },  { add_item, 3 },      { swap_leaves, 3 },   { insert_op, 2 },
	{ remove_ops, 2 },    { copy_ops, 2 },      { swap_ops, 1 },
};

static void
change_once(struct edit *edit)
{
	size_t all = 0, which;

	for (size_t i = 0; i < COUNT_OF(changes); i++)
		all += changes[i].weight;
	which = mutation_below(edit->mutation, all);
	for (size_t i = 0; i < COUNT_OF(changes); i++) {
		if (which < changes[i].weight) {
			changes[i].make(edit);
			break;
		}
		which -= changes[i].weight;
	}
}

size_t
mutate_pickle_length(const uint8_t *bytes, size_t length)
{
	struct pickle_ops row;
	size_t            taken = 0;

	if (!pickle_ops_take(&row, bytes, length))
		return 0;
	for (size_t i = 0; i < row.count; i++)
		taken += row.ops[i].length;
	pickle_ops_free(&row);
	return taken;
}

/* What stands behind STOP stays. */
bool
mutate_pickle(struct mutation *mutation, const uint8_t *bytes, size_t length, struct text *to)
{
	const size_t taken = mutate_pickle_length(bytes, length);
	struct edit  edit = { .mutation = mutation };

	if (taken == 0 || !pickle_ops_take(&edit.row, bytes, taken))
		return false;
	if (mutation->donor != NULL)
		take_from_donor(&edit);
	for (size_t times = 1 + mutation_below(mutation, mutation_one_in(mutation, 4) ? 6 : 2);
		times > 0; times--)
		change_once(&edit);
	pickle_ops_put(&edit.row, !mutation_one_in(mutation, 30), to);
	if (!mutation_one_in(mutation, 30))
		text_add_bytes(to, bytes + taken, length - taken);
	pickle_ops_free(&edit.row);
	return true;
}
