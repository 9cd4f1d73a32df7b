#ifndef TESTS_FUZZ_PICKLE_WORDS_H
#define TESTS_FUZZ_PICKLE_WORDS_H

#include "fuzz/mutate.h"
#include "fuzz/pickle_ops.h"

/* A row of opcodes that is being changed, and new opcodes for it. */
struct edit {
	struct mutation  *mutation;
	struct pickle_ops row;
};

/* Opcodes that leave one value more on the stack than they found. */
#define EXPRESSION_ROOM 48
struct expression {
	struct pickle_op ops[EXPRESSION_ROOM];
	size_t           count;
};

/* An opcode of the row for which `fits` holds, by going on from a chosen place; row.count when
 * there is none. */
size_t pickle_words_choose(struct edit *edit, bool (*fits)(uint8_t code));
/* Pushes one value and needs none? */
bool pickle_words_is_leaf(uint8_t code);

struct pickle_op pickle_words_number(struct edit *edit, int64_t value);
struct pickle_op pickle_words_string(struct edit *edit, const void *bytes, size_t length);
/* Out of the dictionaries: a string, a global. */
struct pickle_op pickle_words_word(struct edit *edit);
struct pickle_op pickle_words_global(struct edit *edit);
struct pickle_op pickle_words_leaf(struct edit *edit);
/* Of any kind. */
struct pickle_op pickle_words_op(struct edit *edit);
/* A leaf, a container, a call or a tensor, added to the expression. */
void pickle_words_say(struct edit *edit, struct expression *expression);

#endif
