#ifndef PICKLE_MACHINE_STATE_H
#define PICKLE_MACHINE_STATE_H

#include "pickle/argument.h"
#include "pickle/assembly.h"
#include "pickle/global_index.h"
#include "pickle/memo.h"
#include "pickle/stack.h"

/* All of a running machine, and the operations of its opcodes by what they deal with. */
struct machine {
	struct pickle_reader        reader;
	struct assembly             assembly;
	struct stack                stack;
	struct memo                 memo;
	struct global_index         globals;
	const struct pickle_limits *limits;
	uint64_t                    opcode_count;
	uint64_t                    frame_end;          /* offset; 0: no frame yet */
	int                         protocol;           /* as PROTO said; -1: not said */
	uint8_t                     code;               /* of the current opcode */
	struct value               *result;             /* set by STOP */
};

/* Pushes what an assembly function made; NULL is its failure. */
static inline bool
machine_state_push(struct machine *machine, struct value *made)
{
	return made != NULL && stack_push(&machine->stack, made);
}

/* false: the error is set. */
typedef bool machine_operation(struct machine *machine, const struct argument *argument);

/* scalars.c: numbers, text, bytes */
machine_operation scalars_none, scalars_bool, scalars_integer, scalars_unsigned,
	scalars_integer_line, scalars_long, scalars_double, scalars_float_line, scalars_text,
	scalars_python2_text, scalars_bytes, scalars_quoted_line, scalars_unicode_line;
/* collections.c: tuples, lists, dicts, sets */
machine_operation collections_empty, collections_tuple, collections_short_tuple,
	collections_list, collections_dict, collections_frozenset, collections_append,
	collections_appends, collections_setitem, collections_setitems, collections_additems;
/* objects.c: names, calls, instances, persistent ids */
machine_operation objects_global, objects_stack_global, objects_reduce, objects_newobj,
	objects_newobj_ex, objects_obj, objects_inst, objects_build, objects_persid,
	objects_binpersid, objects_extension;

#endif
