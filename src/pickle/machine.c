#include "pickle/machine_state.h"

#include "base/text.h"

#include <inttypes.h>
#include <string.h>

#define NEWEST_PROTOCOL 5

/* Under sanitizers an opcode takes tens of times as long: the fuzzers' limit of a second for
 * an input is to find what grows too fast, not this number. */
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
#define MOST_OPCODES 2000000
#else
#define MOST_OPCODES 20000000
#endif

const struct pickle_limits pickle_default_limits = {
	.bytes = UINT64_C(64) << 20,
	.opcodes = MOST_OPCODES,
	.depth = 1000,
	.string_bytes = UINT64_C(16) << 20,
	.memo_entries = 4000000,
};

static bool
run_proto(struct machine *machine, const struct argument *argument)
{
	const struct pickle_reader *reader = &machine->reader;

	if (argument->number > NEWEST_PROTOCOL)
		return pickle_reader_fail(&machine->reader, ERROR_UNSUPPORTED, "proto",
			"pickle protocol %" PRIu64 " is not supported (PROTO at byte %" PRIu64 ")",
			argument->number, reader->opcode_offset);
	if (reader->opcode_offset > 0 && machine->protocol != (int)argument->number)
		return pickle_reader_fail_here(&machine->reader, ERROR_UNSUPPORTED, "proto",
			machine->protocol < 0 ? "protocol told after the first opcode"
			: "protocol told twice and not alike");
	machine->protocol = (int)argument->number;
	return true;
}

static bool
run_frame(struct machine *machine, const struct argument *argument)
{
	struct pickle_reader *reader = &machine->reader;
	uint64_t              left = pickle_reader_left(reader);

	if (reader->opcode_offset < machine->frame_end)
		return pickle_reader_fail_here(reader, ERROR_CORRUPT, "frame",
			"a frame within a frame");
	if (argument->number == 0)
		return pickle_reader_fail_here(reader, ERROR_CORRUPT, "frame",
			"frame of 0 bytes");
	if (argument->number > left)
		return pickle_reader_fail(reader, ERROR_CORRUPT, "frame",
			"frame of %" PRIu64 " bytes, %" PRIu64 " left at byte %" PRIu64 " (FRAME)",
			argument->number, left, reader->opcode_offset);
	machine->frame_end = pickle_reader_offset(reader) + argument->number;
	return true;
}

static bool
run_mark(struct machine *machine, const struct argument *argument)
{
	(void)argument;
	return stack_mark(&machine->stack);
}

/* Takes a value, or the mark where nothing is above it. */
static bool
run_pop(struct machine *machine, const struct argument *argument)
{
	struct stack *stack = &machine->stack;
	size_t        first;

	(void)argument;
	if (stack->height == stack->floor && stack->mark_count > 0)
		return stack_unmark(stack, &first);
	if (!stack_need(stack, 1)
	    || !assembly_allows(&machine->assembly, stack_peek(stack, 0)))
		return false;
	stack->height--;
	return true;
}

static bool
run_pop_mark(struct machine *machine, const struct argument *argument)
{
	struct stack *stack = &machine->stack;
	size_t        first;

	(void)argument;
	if (!stack_unmark(stack, &first))
		return false;
	for (; stack->height > first; stack->height--)
		if (!assembly_allows(&machine->assembly, stack_peek(stack, 0)))
			return false;
	return true;
}

static bool
run_dup(struct machine *machine, const struct argument *argument)
{
	struct stack *stack = &machine->stack;

	(void)argument;
	return stack_need(stack, 1) && stack_push(stack, stack_peek(stack, 0));
}

/* GET and PUT tell the index as text. */
static bool
memo_index(struct machine *machine, const struct argument *argument, uint64_t *index)
{
	const struct pickle_reader *reader = &machine->reader;

	*index = argument->number;
	if (reader->opcode->argument != ARGUMENT_INDEX_LINE)
		return true;
	if (text_parse_u64(argument->bytes, argument->length, index) && *index <= UINT32_MAX)
		return true;
	return pickle_reader_fail(&machine->reader, ERROR_CORRUPT, "memo",
		"malformed memo index \"%.40s\" at byte %" PRIu64 " (%s)", argument->bytes,
		reader->opcode_offset, reader->opcode->name);
}

static bool
run_get(struct machine *machine, const struct argument *argument)
{
	struct value *found;
	uint64_t      index;

	if (!memo_index(machine, argument, &index))
		return false;
	if ((found = memo_get(&machine->memo, (uint32_t)index)) == NULL)
		return pickle_reader_fail(&machine->reader, ERROR_CORRUPT, "memo",
			"memo %" PRIu64 " is not set at byte %" PRIu64 " (%s)", index,
			machine->reader.opcode_offset, machine->reader.opcode->name);
	return stack_push(&machine->stack, found);
}

/* PUT, BINPUT, LONG_BINPUT, and MEMOIZE, whose index is the count of entries. */
static bool
run_put(struct machine *machine, const struct argument *argument)
{
	struct memo *memo = &machine->memo;
	uint64_t     index = memo->count;

	if (machine->code != OPCODE_MEMOIZE && !memo_index(machine, argument, &index))
		return false;
	if (!stack_need(&machine->stack, 1))
		return false;
	if (memo->count >= machine->limits->memo_entries
	    && memo_get(memo, (uint32_t)index) == NULL)
		return pickle_reader_fail(&machine->reader, ERROR_LIMIT, "memo",
			"more than %" PRIu32 " memo entries at byte %" PRIu64 " (%s)",
			machine->limits->memo_entries, machine->reader.opcode_offset,
			machine->reader.opcode->name);
	if (!memo_put(memo, (uint32_t)index, stack_peek(&machine->stack, 0)))
		return error_no_memory(machine->reader.err, (uint64_t)memo->count * 32);
	return true;
}

static bool
run_stop(struct machine *machine, const struct argument *argument)
{
	struct pickle_reader *reader = &machine->reader;
	struct stack         *stack = &machine->stack;
	struct value         *top;

	(void)argument;
	if (stack->mark_count > 0)
		return pickle_reader_fail_here(reader, ERROR_CORRUPT, "nostop",
			"a MARK is left on the stack");
	if (!stack_need(stack, 1))
		return false;
	if (stack->height > 1)
		return pickle_reader_fail(reader, ERROR_CORRUPT, "nostop",
			"%zu values are left on the stack, 1 expected, at byte %" PRIu64 " (STOP)",
			stack->height, reader->opcode_offset);
	if (pickle_reader_offset(reader) < machine->frame_end)
		return pickle_reader_fail(reader, ERROR_CORRUPT, "frame",
			"STOP at byte %" PRIu64 ", but its frame ends at byte %" PRIu64,
			reader->opcode_offset, machine->frame_end);
	top = stack_peek(stack, 0);
	if (!assembly_allows(&machine->assembly, top))
		return false;
	machine->result = top;
	return true;
}

static machine_operation *const operations[256] = {
	[OPCODE_MARK] = run_mark,
	[OPCODE_EMPTY_TUPLE] = collections_empty,
	[OPCODE_STOP] = run_stop,
	[OPCODE_POP] = run_pop,
	[OPCODE_POP_MARK] = run_pop_mark,
	[OPCODE_DUP] = run_dup,
	[OPCODE_BINBYTES] = scalars_bytes,
	[OPCODE_SHORT_BINBYTES] = scalars_bytes,
	[OPCODE_FLOAT] = scalars_float_line,
	[OPCODE_BINFLOAT] = scalars_double,
	[OPCODE_INT] = scalars_integer_line,
	[OPCODE_BININT] = scalars_integer,
	[OPCODE_BININT1] = scalars_unsigned,
	[OPCODE_LONG] = scalars_integer_line,
	[OPCODE_BININT2] = scalars_unsigned,
	[OPCODE_NONE] = scalars_none,
	[OPCODE_PERSID] = objects_persid,
	[OPCODE_BINPERSID] = objects_binpersid,
	[OPCODE_REDUCE] = objects_reduce,
	[OPCODE_STRING] = scalars_quoted_line,
	[OPCODE_BINSTRING] = scalars_python2_text,
	[OPCODE_SHORT_BINSTRING] = scalars_python2_text,
	[OPCODE_UNICODE] = scalars_unicode_line,
	[OPCODE_BINUNICODE] = scalars_text,
	[OPCODE_EMPTY_LIST] = collections_empty,
	[OPCODE_APPEND] = collections_append,
	[OPCODE_BUILD] = objects_build,
	[OPCODE_GLOBAL] = objects_global,
	[OPCODE_DICT] = collections_dict,
	[OPCODE_APPENDS] = collections_appends,
	[OPCODE_GET] = run_get,
	[OPCODE_BINGET] = run_get,
	[OPCODE_INST] = objects_inst,
	[OPCODE_LONG_BINGET] = run_get,
	[OPCODE_LIST] = collections_list,
	[OPCODE_OBJ] = objects_obj,
	[OPCODE_PUT] = run_put,
	[OPCODE_BINPUT] = run_put,
	[OPCODE_LONG_BINPUT] = run_put,
	[OPCODE_SETITEM] = collections_setitem,
	[OPCODE_TUPLE] = collections_tuple,
	[OPCODE_SETITEMS] = collections_setitems,
	[OPCODE_EMPTY_DICT] = collections_empty,
	[OPCODE_PROTO] = run_proto,
	[OPCODE_NEWOBJ] = objects_newobj,
	[OPCODE_EXT1] = objects_extension,
	[OPCODE_EXT2] = objects_extension,
	[OPCODE_EXT4] = objects_extension,
	[OPCODE_TUPLE1] = collections_short_tuple,
	[OPCODE_TUPLE2] = collections_short_tuple,
	[OPCODE_TUPLE3] = collections_short_tuple,
	[OPCODE_NEWTRUE] = scalars_bool,
	[OPCODE_NEWFALSE] = scalars_bool,
	[OPCODE_LONG1] = scalars_long,
	[OPCODE_LONG4] = scalars_long,
	[OPCODE_SHORT_BINUNICODE] = scalars_text,
	[OPCODE_BINUNICODE8] = scalars_text,
	[OPCODE_BINBYTES8] = scalars_bytes,
	[OPCODE_EMPTY_SET] = collections_empty,
	[OPCODE_ADDITEMS] = collections_additems,
	[OPCODE_FROZENSET] = collections_frozenset,
	[OPCODE_NEWOBJ_EX] = objects_newobj_ex,
	[OPCODE_STACK_GLOBAL] = objects_stack_global,
	[OPCODE_MEMOIZE] = run_put,
	[OPCODE_FRAME] = run_frame,
	[OPCODE_BYTEARRAY8] = scalars_bytes,
	[OPCODE_NEXT_BUFFER] = objects_extension,
	[OPCODE_READONLY_BUFFER] = objects_extension,
};

/* One opcode with its argument. */
static bool
step(struct machine *machine)
{
	struct pickle_reader *reader = &machine->reader;
	struct argument       argument;

	reader->opcode = NULL;
	reader->opcode_offset = pickle_reader_offset(reader);
	if (machine->opcode_count++ >= machine->limits->opcodes)
		return pickle_reader_fail(reader, ERROR_LIMIT, "opcount",
			"more than %" PRIu64 " pickle operations", machine->limits->opcodes);
	if (!pickle_reader_more(reader))
		return false;
	machine->code = *reader->at++;
	if (operations[machine->code] == NULL)
		return pickle_reader_fail(reader, ERROR_CORRUPT, "opcode",
			"unknown opcode 0x%02x at byte %" PRIu64, machine->code,
			reader->opcode_offset);
	reader->opcode = &opcodes_table[machine->code];
	if (!argument_read(&argument, reader, machine->assembly.arena,
			machine->limits->string_bytes))
		return false;
	if (reader->opcode_offset < machine->frame_end
	    && pickle_reader_offset(reader) > machine->frame_end)
		return pickle_reader_fail(reader, ERROR_CORRUPT, "frame",
			"%s at byte %" PRIu64 " crosses the end of its FRAME at byte %" PRIu64,
			reader->opcode->name, reader->opcode_offset, machine->frame_end);
	return operations[machine->code](machine, &argument);
}

struct value *
machine_run(const struct pickle_input *input, const struct pickle_limits *limits,
	struct arena *arena, struct pickle_globals *globals, uint64_t *length_consumed,
	struct error *err)
{
	struct pickle_globals unasked = { 0 };
	struct machine        machine = { .limits = limits, .protocol = -1 };

	pickle_reader_init(&machine.reader, input, limits->bytes, err);
	/* The stack is kept outside of the arena, but within the same limit. */
	stack_init(&machine.stack, &machine.reader, arena->limit / sizeof(struct value *),
		limits->depth);
	memo_init(&machine.memo);
	if (!global_index_init(&machine.globals, globals != NULL ? globals : &unasked, err)
	    || !assembly_init(&machine.assembly, &machine.reader, arena, limits->depth))
		goto out;
	while (machine.result == NULL)
		if (!step(&machine))
			break;
	*length_consumed = pickle_reader_offset(&machine.reader);
out:
	global_index_fini(&machine.globals);
	memo_fini(&machine.memo);
	stack_fini(&machine.stack);
	pickle_reader_fini(&machine.reader);
	return machine.result;
}
