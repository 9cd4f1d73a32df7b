#include "fuzz.h"

#include "unit/test_pickle.h"

/* One pickle through the machine that builds inert values. */
void
fuzz_one(const uint8_t *bytes, size_t length)
{
	struct pickle_globals globals = { 0 };
	struct error          err = { 0 };
	struct arena          arena;
	size_t                consumed;

	arena_init(&arena, FUZZ_ARENA_BYTES);
	run_pickle(bytes, length, 7, &pickle_default_limits, &arena, &globals, &consumed, &err);
	arena_fini(&arena);
}
