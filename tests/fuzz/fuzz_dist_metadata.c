#include "fuzz.h"

#include "megatron/dist_metadata.h"

/* The index of a distributed checkpoint: .metadata. */
void
fuzz_one(const uint8_t *bytes, size_t length)
{
	struct input_file    *file = memory_file_open(bytes, length);
	struct dist_metadata  metadata;
	struct error          err = { 0 };
	struct arena          arena;

	arena_init(&arena, 4 * FUZZ_ARENA_BYTES);
	dist_metadata_read(file, &arena, &metadata, &err);
	arena_fini(&arena);
	input_file_close(file);
}
