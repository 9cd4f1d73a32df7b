#include "base/heap.h"

#include <features.h>
#include <stdlib.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

uint64_t
heap_taken(void)
{
#if defined __GLIBC__ && __GLIBC_PREREQ(2, 33)
	struct mallinfo2 taken = mallinfo2();

	return (uint64_t)taken.arena + taken.hblkhd;
#else
	return 0;
#endif
}
