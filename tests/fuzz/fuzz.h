#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include "unit/memory_file.h"

#include <stddef.h>
#include <stdint.h>

/* One input to one part of the program: it must come back, whatever the bytes are.  Each
 * target has its own. */
void fuzz_one(const uint8_t *bytes, size_t length);
/* The same within the limits of limits.c: seconds of processor time, 256 MiB of heap. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);
extern double fuzz_seconds;

/* What a reader may take for a file of at most a megabyte. */
#define FUZZ_ARENA_BYTES ((size_t)32 << 20)

#endif
