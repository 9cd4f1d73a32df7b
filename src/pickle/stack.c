#include "pickle/stack.h"

#include <inttypes.h>
#include <stdlib.h>

void
stack_init(struct stack *stack, struct pickle_reader *reader, size_t most, size_t mark_most)
{
	*stack = (struct stack){ .reader = reader, .most = most, .mark_most = mark_most };
}

bool
stack_grow(struct stack *stack)
{
	size_t         room = stack->room != 0 ? stack->room * 2 : 1024;
	struct value **values;

	if (stack->height >= stack->most)
		return pickle_reader_fail(stack->reader, ERROR_LIMIT, "oom",
			"more than %zu values on the stack at byte %" PRIu64, stack->most,
			stack->reader->opcode_offset);
	if ((values = realloc(stack->values, room * sizeof *values)) == NULL)
		return error_no_memory(stack->reader->err, room * sizeof *values);
	stack->values = values;
	stack->room = room;
	return true;
}

bool
stack_underflow(struct stack *stack)
{
	return pickle_reader_fail_here(stack->reader, ERROR_CORRUPT, "underflow",
		"stack underflow");
}

bool
stack_mark(struct stack *stack)
{
	if (stack->mark_count >= stack->mark_most)
		return pickle_reader_fail(stack->reader, ERROR_LIMIT, "deepmark",
			"nesting deeper than %zu at byte %" PRIu64 " (MARK)", stack->mark_most,
			stack->reader->opcode_offset);
	if (stack->mark_count == stack->mark_room) {
		size_t  room = stack->mark_room != 0 ? stack->mark_room * 2 : 64;
		size_t *marks = realloc(stack->marks, room * sizeof *marks);
		if (marks == NULL)
			return error_no_memory(stack->reader->err, room * sizeof *marks);
		stack->marks = marks;
		stack->mark_room = room;
	}
	stack->marks[stack->mark_count++] = stack->height;
	stack->floor = stack->height;
	return true;
}

bool
stack_unmark(struct stack *stack, size_t *first)
{
	const struct pickle_reader *reader = stack->reader;

	if (stack->mark_count == 0)
		return pickle_reader_fail(stack->reader, ERROR_CORRUPT, "nomark",
			"no MARK for %s at byte %" PRIu64, reader->opcode->name,
			reader->opcode_offset);
	*first = stack->marks[--stack->mark_count];
	stack->floor = stack->mark_count > 0 ? stack->marks[stack->mark_count - 1] : 0;
	return true;
}

void
stack_fini(struct stack *stack)
{
	free(stack->values);
	free(stack->marks);
	stack->values = NULL;
	stack->marks = NULL;
}
