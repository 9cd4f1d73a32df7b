#ifndef PICKLE_GLOBALS_H
#define PICKLE_GLOBALS_H

#include <stdbool.h>
#include <stddef.h>

/* Longest path that globals_is_dangerous() is asked about: module, dot, name, dot, member. */
#define GLOBALS_PATH_SIZE 2560

#define GLOBALS_MAX_COMPONENTS 64

/* What Python 3 calls a module that Python 2 names: "__builtin__" is "builtins". */
const char *globals_python3_module(const char *module);
/* Printable ASCII without blanks, a few components and none of them empty.  Python would take
 * others, but no class has them.  A NUL follows `name`. */
bool globals_is_name(const char *name, size_t length);
/*
 * Would this name, looked up and called, run code, start a program, open files or reach the
 * network?  Judges each prefix of the path and each component of a dotted name, so that
 * "os.path" and "torch.serialization os.system" are found too.  A judgement on names alone,
 * for a clear message: nothing is ever looked up, so what the list lacks does no harm.
 */
bool globals_is_dangerous(const char *module, const char *name);

#endif
