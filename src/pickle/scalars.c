#include "pickle/machine_state.h"

#include "pickle/literals.h"

#include <inttypes.h>
#include <string.h>

bool
scalars_none(struct machine *machine, const struct argument *argument)
{
	(void)argument;
	return machine_state_push(machine, machine->assembly.none);
}

bool
scalars_bool(struct machine *machine, const struct argument *argument)
{
	(void)argument;
	return machine_state_push(machine, machine->assembly.truth[machine->code == OPCODE_NEWTRUE]);
}

bool
scalars_integer(struct machine *machine, const struct argument *argument)
{
	return machine_state_push(machine, assembly_integer(&machine->assembly, argument->integer));
}

bool
scalars_unsigned(struct machine *machine, const struct argument *argument)
{
	return machine_state_push(machine, assembly_integer(&machine->assembly,
		(int64_t)argument->number));
}

bool
scalars_long(struct machine *machine, const struct argument *argument)
{
	if (argument->wide)
		return machine_state_push(machine, assembly_new(&machine->assembly, VALUE_BIG));
	return scalars_integer(machine, argument);
}

/* INT and LONG.  Protocol 1 writes bools as the lines "00" and "01" of INT. */
bool
scalars_integer_line(struct machine *machine, const struct argument *argument)
{
	struct argument parsed = { .wide = false };
	bool            is_long = machine->code == OPCODE_LONG;

	if (!is_long && argument->length == 2 && argument->bytes[0] == '0'
	    && (argument->bytes[1] == '0' || argument->bytes[1] == '1'))
		return machine_state_push(machine, machine->assembly.truth[argument->bytes[1] == '1']);
	if (!literals_integer(argument->bytes, argument->length, is_long, &parsed.integer,
			&parsed.wide))
		return pickle_reader_fail(&machine->reader, ERROR_CORRUPT, "longint",
			"malformed integer \"%.40s\" at byte %" PRIu64 " (%s)", argument->bytes,
			machine->reader.opcode_offset, machine->reader.opcode->name);
	return scalars_long(machine, &parsed);
}

bool
scalars_double(struct machine *machine, const struct argument *argument)
{
	struct value *made = assembly_new(&machine->assembly, VALUE_FLOAT);

	if (made != NULL)
		made->real = argument->real;
	return machine_state_push(machine, made);
}

bool
scalars_float_line(struct machine *machine, const struct argument *argument)
{
	struct argument parsed = { .real = 0 };

	if (!literals_float(argument->bytes, argument->length, &parsed.real))
		return pickle_reader_fail(&machine->reader, ERROR_CORRUPT, "floats",
			"malformed float \"%.40s\" at byte %" PRIu64 " (FLOAT)",
			argument->bytes, machine->reader.opcode_offset);
	return scalars_double(machine, &parsed);
}

bool
scalars_text(struct machine *machine, const struct argument *argument)
{
	return machine_state_push(machine, assembly_text(&machine->assembly, VALUE_TEXT,
		argument->bytes, argument->length, false));
}

bool
scalars_python2_text(struct machine *machine, const struct argument *argument)
{
	return machine_state_push(machine, assembly_text(&machine->assembly, VALUE_TEXT,
		argument->bytes, argument->length, true));
}

bool
scalars_bytes(struct machine *machine, const struct argument *argument)
{
	return machine_state_push(machine, assembly_text(&machine->assembly, VALUE_BYTES,
		argument->bytes, argument->length, false));
}

typedef bool line_decoder(const char *text, size_t length, char *to, size_t *made);

/* A text line, decoded to at most `widest` bytes for each of its own. */
static bool
push_line(struct machine *machine, const struct argument *argument, line_decoder *decode,
	size_t widest, bool is_python2)
{
	struct arena *arena = machine->assembly.arena;
	size_t        room = argument->length * widest, made;
	char         *bytes = arena_take(arena, room + 1, 1);

	if (bytes == NULL)
		return pickle_reader_no_memory(&machine->reader, arena, room + 1);
	if (!decode(argument->bytes, argument->length, bytes, &made))
		return pickle_reader_fail_here(&machine->reader, ERROR_CORRUPT, "strings",
			"malformed string");
	bytes[made] = '\0';
	return machine_state_push(machine, assembly_text(&machine->assembly, VALUE_TEXT, bytes, made,
		is_python2));
}

bool
scalars_quoted_line(struct machine *machine, const struct argument *argument)
{
	return push_line(machine, argument, literals_quoted, 1, true);
}

bool
scalars_unicode_line(struct machine *machine, const struct argument *argument)
{
	return push_line(machine, argument, literals_unicode, 2, false);
}
