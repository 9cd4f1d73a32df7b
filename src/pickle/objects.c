#include "pickle/machine_state.h"

#include "pickle/globals.h"
#include "pickle/inert.h"

#include <inttypes.h>
#include <string.h>

#define NAME_LIMIT 1024

/* The value of a global name, once it is found harmless.  Both texts end with a NUL. */
static struct value *
take_global(struct machine *machine, const char *module, size_t module_length,
	const char *name, size_t name_length)
{
	struct pickle_reader *reader = &machine->reader;
	struct global_slot   *slot;

	if (module_length > NAME_LIMIT || name_length > NAME_LIMIT
	    || !globals_is_name(module, module_length) || !globals_is_name(name, name_length)) {
		pickle_reader_fail(reader, ERROR_CORRUPT, "dotted",
			"malformed global name \"%.100s\" \"%.100s\" at byte %" PRIu64 " (%s)",
			module, name, reader->opcode_offset, reader->opcode->name);
		return NULL;
	}
	module = globals_python3_module(module);
	slot = global_index_take(&machine->globals, machine->assembly.arena, reader, module,
		name);
	if (slot == NULL)
		return NULL;
	if (!slot->judged && value_is_global(slot->value, "builtins", "getattr")) {
		machine->assembly.getattr = slot->value;        /* judged where it is used */
	} else if (!slot->judged && globals_is_dangerous(module, name)) {
		pickle_reader_fail(reader, ERROR_UNSAFE, "os",
			"pickle imports %.200s.%.200s; refusing", module, name);
		return NULL;
	}
	slot->judged = true;
	return slot->value;
}

/* GLOBAL */
bool
objects_global(struct machine *machine, const struct argument *argument)
{
	return machine_state_push(machine, take_global(machine, argument->bytes,
		argument->length, argument->second, argument->second_length));
}

bool
objects_stack_global(struct machine *machine, const struct argument *argument)
{
	struct stack       *stack = &machine->stack;
	const struct value *module, *name;

	(void)argument;
	if (!stack_need(stack, 2))
		return false;
	module = stack_peek(stack, 1);
	name = stack_peek(stack, 0);
	if (!assembly_allows(&machine->assembly, module)
	    || !assembly_allows(&machine->assembly, name))
		return false;
	if (module->kind != VALUE_TEXT || name->kind != VALUE_TEXT)
		return pickle_reader_fail_here(&machine->reader, ERROR_CORRUPT, "stackglobal",
			"a global name that is not text");
	stack->height -= 2;
	return machine_state_push(machine, take_global(machine, module->text.bytes, module->text.length,
		name->text.bytes, name->text.length));
}

/* Can this be called?  A name, or what a call returned: getattr(Outer, 'Inner')(1). */
static bool
check_callable(struct machine *machine, const struct value *value)
{
	char text[256];

	if (value->kind == VALUE_GLOBAL || value->kind == VALUE_CALL
	    || value->kind == VALUE_OBJECT || value->kind == VALUE_PERSISTENT)
		return true;
	return pickle_reader_fail(&machine->reader, ERROR_CORRUPT, "reduce",
		"%s of %s at byte %" PRIu64 ": not a callable", machine->reader.opcode->name,
		value_describe(value, text, sizeof text), machine->reader.opcode_offset);
}

static bool
check_arguments(struct machine *machine, const struct value *value, enum value_kind kind)
{
	char text[256];

	if (!assembly_allows(&machine->assembly, value))
		return false;
	if (value->kind == kind)
		return true;
	return pickle_reader_fail(&machine->reader, ERROR_CORRUPT, "reduce",
		"%s with %s for arguments at byte %" PRIu64 ": not a %s",
		machine->reader.opcode->name, value_describe(value, text, sizeof text),
		machine->reader.opcode_offset, kind == VALUE_TUPLE ? "tuple" : "dict");
}

/* callable, tuple -> value */
static bool
apply(struct machine *machine, enum value_kind kind)
{
	struct stack *stack = &machine->stack;
	struct value *callable = stack_peek(stack, 1), *arguments = stack_peek(stack, 0);

	if (!check_callable(machine, callable)
	    || !check_arguments(machine, arguments, VALUE_TUPLE))
		return false;
	stack->height -= 2;
	return machine_state_push(machine, inert_apply(&machine->assembly, kind, callable, arguments));
}

bool
objects_reduce(struct machine *machine, const struct argument *argument)
{
	(void)argument;
	return stack_need(&machine->stack, 2) && apply(machine, VALUE_CALL);
}

bool
objects_newobj(struct machine *machine, const struct argument *argument)
{
	(void)argument;
	return stack_need(&machine->stack, 2) && apply(machine, VALUE_OBJECT);
}

/* The keyword arguments are checked and then forgotten: nothing needs them. */
bool
objects_newobj_ex(struct machine *machine, const struct argument *argument)
{
	struct stack *stack = &machine->stack;

	(void)argument;
	if (!stack_need(stack, 3)
	    || !check_arguments(machine, stack_peek(stack, 0), VALUE_DICT))
		return false;
	stack->height--;
	return apply(machine, VALUE_OBJECT);
}

/* Makes a tuple of what is above `first` and applies `class` to it. */
static bool
apply_marked(struct machine *machine, struct value *class, size_t first)
{
	struct stack *stack = &machine->stack;
	size_t        count = stack->height - first;
	struct value *arguments;

	stack->height = first;
	arguments = assembly_tuple(&machine->assembly,
		count > 0 ? stack->values + first : NULL, count);
	return arguments != NULL && machine_state_push(machine,
		inert_apply(&machine->assembly, VALUE_OBJECT, class, arguments));
}

/* mark, class, arguments ... -> object */
bool
objects_obj(struct machine *machine, const struct argument *argument)
{
	struct stack *stack = &machine->stack;
	struct value *class;
	size_t        first;

	(void)argument;
	if (!stack_unmark(stack, &first))
		return false;
	if (stack->height == first)
		return stack_underflow(stack);
	class = stack->values[first];
	if (!check_callable(machine, class)
	    || !apply_marked(machine, class, first + 1))
		return false;
	stack->values[first] = stack_peek(stack, 0);
	stack->height = first + 1;
	return true;
}

bool
objects_inst(struct machine *machine, const struct argument *argument)
{
	struct value *class = take_global(machine, argument->bytes, argument->length,
		argument->second, argument->second_length);
	size_t        first;

	return class != NULL && stack_unmark(&machine->stack, &first)
		&& apply_marked(machine, class, first);
}

bool
objects_build(struct machine *machine, const struct argument *argument)
{
	struct stack *stack = &machine->stack;
	struct value *object, *state;
	char          text[256];

	(void)argument;
	if (!stack_need(stack, 2))
		return false;
	object = stack_peek(stack, 1);
	state = stack_peek(stack, 0);
	if (!assembly_allows(&machine->assembly, object))
		return false;
	if (object->kind != VALUE_DICT && object->kind != VALUE_CALL
	    && object->kind != VALUE_OBJECT)
		return pickle_reader_fail(&machine->reader, ERROR_CORRUPT, "build",
			"BUILD on %s at byte %" PRIu64, value_describe(object, text, sizeof text),
			machine->reader.opcode_offset);
	if (!assembly_adopt(&machine->assembly, object, state))
		return false;
	object->state = state;
	stack->height--;
	return true;
}

static bool
refuse_id(struct machine *machine)
{
	return pickle_reader_fail_here(&machine->reader, ERROR_CORRUPT, "persidtext",
		"persistent id is not a storage tuple");
}

bool
objects_persid(struct machine *machine, const struct argument *argument)
{
	(void)argument;
	return refuse_id(machine);
}

bool
objects_binpersid(struct machine *machine, const struct argument *argument)
{
	struct stack *stack = &machine->stack;
	struct value *id, *made;

	(void)argument;
	if (!stack_need(stack, 1))
		return false;
	id = stack_peek(stack, 0);
	if (!assembly_allows(&machine->assembly, id))
		return false;
	if (id->kind != VALUE_TUPLE)
		return refuse_id(machine);
	if ((made = assembly_new(&machine->assembly, VALUE_PERSISTENT)) == NULL
	    || !assembly_add(&machine->assembly, made, &id, 1))
		return false;
	stack->height--;
	return machine_state_push(machine, made);
}

/* EXT1, EXT2, EXT4, NEXT_BUFFER, READONLY_BUFFER: what stands elsewhere. */
bool
objects_extension(struct machine *machine, const struct argument *argument)
{
	bool is_code = machine->code <= OPCODE_EXT4;

	(void)argument;
	return pickle_reader_fail_here(&machine->reader, ERROR_UNSUPPORTED,
		is_code ? "ext" : "buffer",
		is_code ? "pickle extension codes are not supported"
		: "out-of-band buffers are not supported");
}
