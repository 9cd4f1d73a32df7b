#ifndef TORCH_TORCH_WALK_H
#define TORCH_TORCH_WALK_H

#include "base/error.h"
#include "pickle/value.h"

/*
 * Every node of a value graph that can hold others, each once, however many paths lead to it
 * and whatever cycles they make: time and memory are linear in the graph.  A node comes
 * before what is under it; under a persistent id there is nothing.  One thread per walk.
 */
struct torch_walk;

#define TORCH_WALK_PATH_BYTES 1024

struct torch_walk  *torch_walk_open(const struct value *root, struct error *err);
/* The next node; NULL at the end, or on failure with err->kind set (which it clears). */
const struct value *torch_walk_next(struct torch_walk *walk, struct error *err);
/* Do not go under the node that came last; once after each. */
void                torch_walk_skip(struct torch_walk *walk);
/*
 * The path of dict keys, attribute names and list indexes that led to the node that came
 * last: "a.b.0", "" for the root.  A key that is no name (not UTF-8, a NUL in it):
 * ERROR_CORRUPT; a dict on the path that has a key twice: ERROR_UNSAFE; a path that does not
 * fit TORCH_WALK_PATH_BYTES: ERROR_LIMIT.
 */
bool                torch_walk_path(struct torch_walk *walk,
	char to[TORCH_WALK_PATH_BYTES], struct error *err);
void                torch_walk_close(struct torch_walk *walk);    /* NULL is fine */

#endif
