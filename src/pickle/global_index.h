#ifndef PICKLE_GLOBAL_INDEX_H
#define PICKLE_GLOBAL_INDEX_H

#include "pickle/pickle_reader.h"

/* Finds a global among those already seen, so that each is one value and is judged once. */
struct global_slot {
	struct value *value;                    /* NULL: free */
	bool          judged;                   /* found harmless in this run */
};

struct global_index {
	struct pickle_globals *globals;
	struct global_slot    *slots;
	size_t                 room;            /* a power of two, or 0 */
	uint64_t               secret;
};

/* Indexes what `globals` already holds.  false: *err. */
bool global_index_init(struct global_index *index, struct pickle_globals *globals,
	struct error *err);
/* The one value of a global; new ones are added to index->globals.  The slot is valid until
 * the next call.  NULL: reader->err. */
struct global_slot *global_index_take(struct global_index *index, struct arena *arena,
	struct pickle_reader *reader, const char *module, const char *name);
void global_index_fini(struct global_index *index);

#endif
