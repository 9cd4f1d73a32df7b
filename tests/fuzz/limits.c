/* What one input may cost, under sanitizers too; more ends the program, as a crash does, so that
 * libFuzzer keeps the input. */
#include "fuzz.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define HEAP_BYTES ((size_t)256 << 20)

double fuzz_seconds = 1;

/*
 * Time is that of the processor, so that a busy machine, or a fuzzer that was stopped for a
 * while, finds nothing.  Memory is what is allocated and not yet freed: the size of the
 * process holds libFuzzer's corpus, and what AddressSanitizer keeps back, too.
 */

/* AddressSanitizer's; without it memory is not counted. */
int __sanitizer_install_malloc_and_free_hooks(void (*taken)(const volatile void *, size_t),
	void (*freed)(const volatile void *)) __attribute__((weak));
size_t __sanitizer_get_allocated_size(const volatile void *block) __attribute__((weak));

static atomic_size_t held, most;
static atomic_bool   is_counting;

static void
count_taken(const volatile void *block, size_t size)
{
	size_t now, before = atomic_load(&most);

	(void)block;
	now = atomic_fetch_add(&held, size) + size;
	while (atomic_load(&is_counting) && now > before && now < SIZE_MAX / 2
		&& !atomic_compare_exchange_weak(&most, &before, now))
		continue;
}

static void
count_freed(const volatile void *block)
{
	if (block != NULL)
		atomic_fetch_sub(&held, __sanitizer_get_allocated_size(block));
}

static void
install(void)
{
	static bool is_installed;

	if (!is_installed && __sanitizer_install_malloc_and_free_hooks != NULL)
		__sanitizer_install_malloc_and_free_hooks(count_taken, count_freed);
	is_installed = true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct timespec began, ended;
	double          seconds;

	install();
	atomic_store(&held, 0);
	atomic_store(&most, 0);
	atomic_store(&is_counting, true);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &began);
	fuzz_one(bytes, length);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ended);
	atomic_store(&is_counting, false);
	seconds = (double)(ended.tv_sec - began.tv_sec)
		+ (double)(ended.tv_nsec - began.tv_nsec) * 1e-9;
	if (seconds > fuzz_seconds || atomic_load(&most) > HEAP_BYTES) {
		fprintf(stderr, "limits: %.2f s of %.2f, %zu bytes of %zu\n", seconds,
			fuzz_seconds, atomic_load(&most), HEAP_BYTES);
		abort();
	}
	return 0;
}
