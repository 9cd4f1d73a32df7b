#include "gpt2/safetensors_file.h"

#include <stdlib.h>

#define LENGTH_BYTES 8

bool
safetensors_file_read(const struct input_file *file, struct arena *arena,
	struct safetensors_index *index, struct error *err)
{
	unsigned char first[LENGTH_BYTES] = { 0 };
	uint64_t      header_bytes;
	size_t        length;
	char         *json;
	bool          done;

	/* What is too short is told by the length, not by the read. */
	if (!input_file_read(file, 0, first, file->size < LENGTH_BYTES ? (size_t)file->size
		: LENGTH_BYTES, err)
	    || !safetensors_header_bytes(first, file->size, &header_bytes, err))
		return false;
	length = (size_t)(header_bytes - LENGTH_BYTES);
	if ((json = malloc(length + 1)) == NULL)
		return error_no_memory(err, length);
	done = input_file_read(file, LENGTH_BYTES, json, length, err)
		&& safetensors_parse(json, length, file->size, arena, index, err);
	free(json);
	return done;
}
