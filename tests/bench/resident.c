/*
 * resident MIB: has so much memory for a moment, all of it written to.
 *
 * A virtual machine may hand free memory back to its host.  Whoever wants it next waits until it
 * is there again: seconds for a gigabyte, as time of the kernel, now and then.  What is free
 * because it was just used is there, and is what the kernel gives away first.
 */
#include <err.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { PAGE = 4096 };

int
main(int argc, char **argv)
{
	size_t         size = argc == 2 ? (size_t)strtoull(argv[1], NULL, 10) << 20 : 0;
	unsigned char *memory;

	if (size == 0)
		errx(2, "usage: resident MIB");
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		err(1, "%s MiB", argv[1]);
	(void)madvise(memory, size, MADV_HUGEPAGE);
	for (size_t i = 0; i < size; i += PAGE)
		*(volatile unsigned char *)&memory[i] = 1;
	return 0;
}
