#ifndef MEGATRON_ARGUMENT_VALUE_H
#define MEGATRON_ARGUMENT_VALUE_H

#include "base/error.h"
#include "pickle/value.h"

/*
 * Typed reading of single training arguments.  None counts as absent.  What is no number
 * where one is needed, or is not finite, is ERROR_CORRUPT.
 */

/* The checkpoint's `args`: *args is NULL when there are none (absent or None).  A class that
 * is no Namespace and no dict: ERROR_UNSUPPORTED "noneargs". */
bool argument_holder(const struct value *node, const struct value **args, struct error *err);

/* NULL: absent or None. */
const struct value *argument_find(const struct value *args, const char *name);
/* A whole number >= 0 / a finite number.  *found false, and *number as it was: absent. */
bool argument_whole(const struct value *args, const char *name, uint64_t *number, bool *found,
	struct error *err);
bool argument_real(const struct value *args, const char *name, double *number, bool *found,
	struct error *err);
/* Python's truth of a value; of NULL false. */
bool argument_truth(const struct value *value);
/* The value as a word: a text itself, an enum's member ("rope", or its number), a global's
 * name, else as Python prints it ("16", "1e-05", "True").  Returns `to`. */
char *argument_word(const struct value *value, char *to, size_t size);

#endif
