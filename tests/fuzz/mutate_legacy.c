#include "fuzz/mutate.h"

#include <string.h>

#define PICKLES 5

static const uint8_t magic[] = { 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19 };

/* A stream of torch.save before 1.6: five pickles, then the storages.  One of the pickles
 * changes, mostly the object; or the storages, or their number. */
bool
mutate_legacy(struct mutation *mutation, const uint8_t *bytes, size_t length, struct text *to)
{
	static const int which_of[] = { 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 2, 4, 4, 1, 0, 5 };
	const int        which = which_of[mutation_below(mutation, sizeof which_of
		/ sizeof *which_of)];
	size_t           at = 0;

	/* The first pickle may have another protocol: the number stands somewhere in it. */
	if (length < 31 || memmem(bytes, 31, magic, sizeof magic) == NULL)
		return false;
	for (int i = 0; i < PICKLES; i++) {
		const size_t taken = mutate_pickle_length(bytes + at, length - at);

		if (taken == 0)
			break;
		if (i != which || !mutate_pickle(mutation, bytes + at, taken, to))
			text_add_bytes(to, bytes + at, taken);
		at += taken;
	}
	if (which == PICKLES)
		mutate_bytes(mutation, bytes + at, length - at, to);
	else
		text_add_bytes(to, bytes + at, length - at);
	return true;
}
