/* What libFuzzer calls instead of its own mutator, in every target. */
#include "fuzz/mutate.h"

#include <string.h>

size_t LLVMFuzzerMutate(uint8_t *bytes, size_t length, size_t room);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t length, size_t room, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *bytes, size_t length, const uint8_t *other,
	size_t other_length, uint8_t *to, size_t room, unsigned seed);

static struct mutation
mutation_from(unsigned seed)
{
	return (struct mutation){ .dice = (seed + 1ull) * 0x9e3779b97f4a7c15 | 1 };
}

/* A mutant that is too long is no mutant. */
static size_t
mutant(const uint8_t *bytes, size_t length, struct mutation *mutation, uint8_t *to, size_t room)
{
	struct text made = { 0 };
	size_t      count = 0;

	mutate_any(mutation, bytes, length, &made);
	if (!made.failed && made.length <= room && made.length > 0) {
		memcpy(to, made.bytes, made.length);
		count = made.length;
	}
	text_free(&made);
	return count;
}

size_t
LLVMFuzzerCustomMutator(uint8_t *bytes, size_t length, size_t room, unsigned seed)
{
	struct mutation mutation = mutation_from(seed);
	const size_t    count = mutant(bytes, length, &mutation, bytes, room);

	return count > 0 ? count : LLVMFuzzerMutate(bytes, length, room);
}

size_t
LLVMFuzzerCustomCrossOver(const uint8_t *bytes, size_t length, const uint8_t *other,
	size_t other_length, uint8_t *to, size_t room, unsigned seed)
{
	struct mutation mutation = mutation_from(seed);
	struct text     donor = { 0 };
	size_t          count;

	if (mutate_find_pickle(&mutation, other, other_length, &donor)) {
		mutation.donor = (const uint8_t *)donor.bytes;
		mutation.donor_length = donor.length;
	}
	count = mutant(bytes, length, &mutation, to, room);
	text_free(&donor);
	return count;
}
