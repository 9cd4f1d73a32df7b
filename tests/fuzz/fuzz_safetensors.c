#include "fuzz.h"

#include "gpt2/safetensors_file.h"

/* The header of a safetensors file. */
void
fuzz_one(const uint8_t *bytes, size_t length)
{
	struct input_file        *file = memory_file_open(bytes, length);
	struct safetensors_index  index;
	struct error              err = { 0 };
	struct arena              arena;

	arena_init(&arena, FUZZ_ARENA_BYTES);
	safetensors_file_read(file, &arena, &index, &err);
	arena_fini(&arena);
	input_file_close(file);
}
