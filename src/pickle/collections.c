#include "pickle/machine_state.h"

#include <inttypes.h>

/* What is above the newest mark, which goes; *items are valid until the next push. */
static bool
cut_at_mark(struct machine *machine, struct value *const **items, size_t *count)
{
	struct stack *stack = &machine->stack;
	size_t        first;

	if (!stack_unmark(stack, &first))
		return false;
	*count = stack->height - first;
	*items = *count > 0 ? stack->values + first : NULL;
	stack->height = first;
	return true;
}

static bool
check_even(struct machine *machine, size_t count)
{
	return count % 2 == 0 || pickle_reader_fail_here(&machine->reader, ERROR_CORRUPT,
		"setitem", "odd number of keys and values");
}

bool
collections_empty(struct machine *machine, const struct argument *argument)
{
	struct assembly *assembly = &machine->assembly;

	(void)argument;
	switch (machine->code) {
	case OPCODE_EMPTY_TUPLE:
		return machine_state_push(machine, assembly->empty_tuple);
	case OPCODE_EMPTY_LIST:
		return machine_state_push(machine, assembly_new(assembly, VALUE_LIST));
	case OPCODE_EMPTY_DICT:
		return machine_state_push(machine, assembly_new(assembly, VALUE_DICT));
	default:
		return machine_state_push(machine, assembly_new(assembly, VALUE_SET));
	}
}

bool
collections_tuple(struct machine *machine, const struct argument *argument)
{
	struct value *const *items;
	size_t               count;

	(void)argument;
	return cut_at_mark(machine, &items, &count)
		&& machine_state_push(machine, assembly_tuple(&machine->assembly, items, count));
}

/* TUPLE1, TUPLE2, TUPLE3 */
bool
collections_short_tuple(struct machine *machine, const struct argument *argument)
{
	struct stack *stack = &machine->stack;
	size_t        count = (size_t)(machine->code - OPCODE_TUPLE1 + 1);

	(void)argument;
	if (!stack_need(stack, count))
		return false;
	stack->height -= count;
	return machine_state_push(machine, assembly_tuple(&machine->assembly,
		stack->values + stack->height, count));
}

static bool
push_marked(struct machine *machine, enum value_kind kind, bool is_frozen)
{
	struct value *const *items;
	struct value        *made;
	size_t               count;

	if (!cut_at_mark(machine, &items, &count))
		return false;
	if (kind == VALUE_DICT && !check_even(machine, count))
		return false;
	if ((made = assembly_new(&machine->assembly, kind)) == NULL)
		return false;
	if (is_frozen)
		made->unhashable = false;
	return assembly_add(&machine->assembly, made, items, count)
		&& machine_state_push(machine, made);
}

bool
collections_list(struct machine *machine, const struct argument *argument)
{
	(void)argument;
	return push_marked(machine, VALUE_LIST, false);
}

bool
collections_dict(struct machine *machine, const struct argument *argument)
{
	(void)argument;
	return push_marked(machine, VALUE_DICT, false);
}

bool
collections_frozenset(struct machine *machine, const struct argument *argument)
{
	(void)argument;
	return push_marked(machine, VALUE_SET, true);
}

/* The top of the stack as what gets items: a collection of `kind`, or an object or a call,
 * which may be of a class that derives from one. */
static struct value *
target(struct machine *machine, enum value_kind kind)
{
	struct value *found;
	char          text[256];

	if (!stack_need(&machine->stack, 1))
		return NULL;
	found = stack_peek(&machine->stack, 0);
	if (!assembly_allows(&machine->assembly, found))
		return NULL;
	if ((found->kind == kind && found->unhashable) || found->kind == VALUE_CALL
	    || found->kind == VALUE_OBJECT)
		return found;
	pickle_reader_fail(&machine->reader, ERROR_CORRUPT,
		kind == VALUE_DICT ? "setitem" : "append", "%s on %s at byte %" PRIu64
		": not %s", machine->reader.opcode->name,
		value_describe(found, text, sizeof text), machine->reader.opcode_offset,
		kind == VALUE_DICT ? "a dict" : kind == VALUE_LIST ? "a list" : "a set");
	return NULL;
}

/* The top `count` values, the target below them. */
static bool
add_top(struct machine *machine, enum value_kind kind, size_t count)
{
	struct stack *stack = &machine->stack;
	struct value *to;

	if (!stack_need(stack, count + 1))
		return false;
	stack->height -= count;
	return (to = target(machine, kind)) != NULL
		&& assembly_add(&machine->assembly, to, stack->values + stack->height, count);
}

static bool
add_marked(struct machine *machine, enum value_kind kind)
{
	struct value *const *items;
	struct value        *to;
	size_t               count;

	return cut_at_mark(machine, &items, &count)
		&& (to = target(machine, kind)) != NULL
		&& (kind != VALUE_DICT || check_even(machine, count))
		&& assembly_add(&machine->assembly, to, items, count);
}

bool
collections_append(struct machine *machine, const struct argument *argument)
{
	(void)argument;
	return add_top(machine, VALUE_LIST, 1);
}

bool
collections_appends(struct machine *machine, const struct argument *argument)
{
	(void)argument;
	return add_marked(machine, VALUE_LIST);
}

bool
collections_setitem(struct machine *machine, const struct argument *argument)
{
	(void)argument;
	return add_top(machine, VALUE_DICT, 2);
}

bool
collections_setitems(struct machine *machine, const struct argument *argument)
{
	(void)argument;
	return add_marked(machine, VALUE_DICT);
}

bool
collections_additems(struct machine *machine, const struct argument *argument)
{
	(void)argument;
	return add_marked(machine, VALUE_SET);
}
