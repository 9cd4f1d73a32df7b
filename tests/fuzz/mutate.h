#ifndef TESTS_FUZZ_MUTATE_H
#define TESTS_FUZZ_MUTATE_H

#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Mutation that knows the forms of checkpoints: what it makes of a zip is again a zip with
 * right lengths, offsets and CRCs, what it makes of a pickle is again a row of whole opcodes.
 * So the readers behind the container see something new instead of one more bad checksum.
 * Now and then one field is made wrong on purpose.
 *
 * All choices follow from the seed.  Nothing fails: what cannot be taken apart is mutated as
 * the bytes that it is.
 */
struct mutation {
	uint64_t       dice;            /* from the seed, never 0 */
	const uint8_t *donor;           /* a pickle of another input, or NULL */
	size_t         donor_length;
	unsigned       depth;           /* of containers in containers */
};

/* Below `limit`; 0 where it is 0. */
size_t mutation_below(struct mutation *mutation, size_t limit);
bool mutation_one_in(struct mutation *mutation, size_t count);
/* A number of those that break things, or one near `old`. */
int64_t mutation_number(struct mutation *mutation, int64_t old);

/* Each adds its mutant to `to`.  false: the bytes do not have this form; nothing was added. */
bool mutate_zip(struct mutation *mutation, const uint8_t *bytes, size_t length,
	struct text *to);
bool mutate_legacy(struct mutation *mutation, const uint8_t *bytes, size_t length,
	struct text *to);
bool mutate_safetensors(struct mutation *mutation, const uint8_t *bytes, size_t length,
	struct text *to);
bool mutate_json(struct mutation *mutation, const uint8_t *bytes, size_t length,
	struct text *to);
bool mutate_pickle(struct mutation *mutation, const uint8_t *bytes, size_t length,
	struct text *to);
void mutate_bytes(struct mutation *mutation, const uint8_t *bytes, size_t length,
	struct text *to);
/* By the first form that fits. */
void mutate_any(struct mutation *mutation, const uint8_t *bytes, size_t length,
	struct text *to);

/* How long the pickle is that the bytes begin with; 0: none ends in them. */
size_t mutate_pickle_length(const uint8_t *bytes, size_t length);
/* A pickle of the file for mutation.donor: itself, or one out of its containers. */
bool mutate_find_pickle(struct mutation *mutation, const uint8_t *bytes, size_t length,
	struct text *to);

#endif
