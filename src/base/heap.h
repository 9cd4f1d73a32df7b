#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include <stdint.h>

/* Bytes that malloc() has from the system for this thread and those that share its heap; 0
 * where the C library does not tell. */
uint64_t heap_taken(void);

/* What the program, its libraries and the stacks of its threads take beside that, and the
 * heaps of threads for what is small. */
#define HEAP_PROGRAM_BYTES ((uint64_t)12 << 20)

#endif
