#ifndef PICKLE_STACK_H
#define PICKLE_STACK_H

#include "pickle/pickle_reader.h"

/*
 * The stack with its marks.  An opcode cannot reach below the newest mark: `floor` is the
 * height there.  Faults are reported through the reader with the opcode's name.
 */
struct stack {
	struct pickle_reader *reader;
	struct value        **values;
	size_t                height, room, floor;
	size_t                most;     /* limit on the height */
	size_t               *marks;    /* heights */
	size_t                mark_count, mark_room, mark_most;
};

void stack_init(struct stack *stack, struct pickle_reader *reader, size_t most,
	size_t mark_most);
bool stack_grow(struct stack *stack);
bool stack_underflow(struct stack *stack);
bool stack_mark(struct stack *stack);
/* Removes the newest mark; what was above it are the values from *first on.  The caller
 * cuts them off by stack->height = *first. */
bool stack_unmark(struct stack *stack, size_t *first);
void stack_fini(struct stack *stack);

static inline bool
stack_push(struct stack *stack, struct value *value)
{
	if (stack->height == stack->room && !stack_grow(stack))
		return false;
	stack->values[stack->height++] = value;
	return true;
}

/* Are there `count` values above the newest mark? */
static inline bool
stack_need(struct stack *stack, size_t count)
{
	return stack->height - stack->floor >= count || stack_underflow(stack);
}

/* The value `down` below the top, which stack_need() has promised. */
static inline struct value *
stack_peek(const struct stack *stack, size_t down)
{
	return stack->values[stack->height - 1 - down];
}

#endif
