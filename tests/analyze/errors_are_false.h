/*
 * Given to analyzers before each file: what its comment in base/error.h says, that all of these
 * return false, which they cannot see from another file.  Without it they follow paths on which a
 * failure counts as success.
 */
#include "base/error.h"

#define error_set(...)       ((void)(error_set)(__VA_ARGS__), false)
#define error_os(...)        ((void)(error_os)(__VA_ARGS__), false)
#define error_no_memory(...) ((void)(error_no_memory)(__VA_ARGS__), false)
#define error_hint(...)      ((void)(error_hint)(__VA_ARGS__), false)
#define error_at(...)        ((void)(error_at)(__VA_ARGS__), false)
#define error_in_file(...)   ((void)(error_in_file)(__VA_ARGS__), false)
#define error_in_member(...) ((void)(error_in_member)(__VA_ARGS__), false)
#define error_in_tensor(...) ((void)(error_in_tensor)(__VA_ARGS__), false)
