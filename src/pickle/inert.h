#ifndef PICKLE_INERT_H
#define PICKLE_INERT_H

#include "pickle/assembly.h"

/*
 * What "callable(*arguments)" denotes, without calling anything: a plain value for the few
 * callables that pickles use to spell one (OrderedDict, set, bytes, torch.Size), else a
 * VALUE_CALL or VALUE_OBJECT, as `kind` says.  `arguments` is a tuple.  builtins.getattr of
 * a class and a plain name, how Python 3.11 writes members of an enum, is a call like any
 * other; every other use of it is ERROR_UNSAFE.  NULL: the error is set.
 */
struct value *inert_apply(struct assembly *assembly, enum value_kind kind,
	struct value *callable, struct value *arguments);

#endif
