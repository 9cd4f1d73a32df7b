#ifndef PICKLE_MEMO_H
#define PICKLE_MEMO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct value;

/* The memo: from a number to a value.  Memory follows the count of entries, never the size
 * of an index, and its slots cannot be aimed at. */
struct memo {
	struct memo_slot *slots;
	unsigned          bits;         /* 2^bits slots; 0: none yet */
	uint32_t          count;
	uint64_t          multiplier;   /* secret and odd */
};

void          memo_init(struct memo *memo);
struct value *memo_get(const struct memo *memo, uint32_t index);   /* NULL: not set */
/* Replaces what was there.  false: no memory. */
bool          memo_put(struct memo *memo, uint32_t index, struct value *value);
void          memo_fini(struct memo *memo);

#endif
