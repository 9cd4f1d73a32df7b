#ifndef GPT2_SAFETENSORS_FILE_H
#define GPT2_SAFETENSORS_FILE_H

#include "container/input_file.h"
#include "gpt2/safetensors.h"

/* The header of a safetensors file, read and checked; no weights are read.  Tables and names
 * go to the arena. */
bool safetensors_file_read(const struct input_file *file, struct arena *arena,
	struct safetensors_index *index, struct error *err);

#endif
