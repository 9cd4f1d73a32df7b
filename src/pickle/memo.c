#include "pickle/memo.h"

#include "pickle/name_hash.h"

#include <stdlib.h>

#define FIRST_BITS 8

struct memo_slot {
	struct value *value;            /* NULL: free */
	uint32_t      index;
};

void
memo_init(struct memo *memo)
{
	*memo = (struct memo){ .multiplier = name_hash_secret() * 8 + 1 };
}

/* The slot of an index, or the free one where it would be. */
static struct memo_slot *
find_slot(const struct memo *memo, uint32_t index)
{
	size_t mask = ((size_t)1 << memo->bits) - 1;
	size_t at = (size_t)(((uint64_t)index + 1) * memo->multiplier >> (64 - memo->bits));

	while (memo->slots[at].value != NULL && memo->slots[at].index != index)
		at = (at + 1) & mask;
	return &memo->slots[at];
}

struct value *
memo_get(const struct memo *memo, uint32_t index)
{
	return memo->bits != 0 ? find_slot(memo, index)->value : NULL;
}

static bool
grow(struct memo *memo)
{
	struct memo  larger = *memo;
	const size_t room = memo->bits != 0 ? (size_t)1 << memo->bits : 0;

	larger.bits = memo->bits != 0 ? memo->bits + 1 : FIRST_BITS;
	larger.slots = calloc((size_t)1 << larger.bits, sizeof *larger.slots);
	if (larger.slots == NULL)
		return false;
	for (size_t i = 0; i < room; i++)
		if (memo->slots[i].value != NULL)
			*find_slot(&larger, memo->slots[i].index) = memo->slots[i];
	free(memo->slots);
	*memo = larger;
	return true;
}

bool
memo_put(struct memo *memo, uint32_t index, struct value *value)
{
	struct memo_slot *slot;

	/* At most three quarters full. */
	if (memo->bits == 0 || memo->count >= ((size_t)3 << memo->bits) / 4)
		if (!grow(memo))
			return false;
	slot = find_slot(memo, index);
	memo->count += slot->value == NULL;
	*slot = (struct memo_slot){ value, index };
	return true;
}

void
memo_fini(struct memo *memo)
{
	free(memo->slots);
	memo->slots = NULL;
	memo->bits = 0;
}
