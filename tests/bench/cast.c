/*
 * How fast element types are converted, beside memcpy() of as many bytes, read and written
 * together:
 *
 *     cast [ROUNDS]
 *
 * The larger side of every pair is 1 MiB.  Cast and memcpy take turns, ten times each, so that
 * both find the caches as they left them; the fastest of ROUNDS (default 30) counts.
 */
#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "plan/cast.h"

enum { SIDE = 1 << 20, TURNS = 10 };

static double
seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static unsigned char *
new_side(void)
{
	unsigned char *bytes = malloc(SIDE);

	if (bytes == NULL)
		err(1, "buffer");
	memset(bytes, 0, SIDE);
	return bytes;
}

/* Weights as they are: normal numbers of either sign, none near the ends. */
static void
fill(enum dtype dtype, unsigned char *elements, size_t count)
{
	unsigned char *doubles = malloc(count * sizeof(double));
	uint32_t       state = 1;

	if (doubles == NULL)
		err(1, "buffer");
	for (size_t i = 0; i < count; i++) {
		double value;

		state = state * 1664525 + 1013904223;
		value = ((double)state - 0x1p31) * 0x1p-35;
		memcpy(doubles + i * sizeof value, &value, sizeof value);
	}
	cast_elements(DTYPE_FLOAT64, doubles, dtype, elements, count, NULL);
	free(doubles);
}

static double
less_of(double a, double b)
{
	return a < b ? a : b;
}

static void
measure(enum dtype from, enum dtype to, int rounds)
{
	size_t         larger = dtype_size(from) > dtype_size(to) ? dtype_size(from) : dtype_size(to);
	size_t         count = SIDE / larger, bytes = count * (dtype_size(from) + dtype_size(to));
	unsigned char *source = new_side(), *target = new_side();
	double         cast_time = 1e9, copy_time = 1e9;
	struct cast_overflow overflow = { 0, 0 };

	fill(from, source, count);
	for (int i = 0; i < rounds; i++) {
		for (int turn = 0; turn < TURNS; turn++) {
			double start = seconds_now();

			cast_elements(from, source, to, target, count, &overflow);
			cast_time = less_of(cast_time, seconds_now() - start);
		}
		for (int turn = 0; turn < TURNS; turn++) {
			double start = seconds_now();

			memcpy(target, source, bytes / 2);
			/* Without a look at the target the copy could be left out. */
			__asm__ volatile("" : : "r"(target) : "memory");
			copy_time = less_of(copy_time, seconds_now() - start);
		}
	}
	printf("%-8s to %-8s  %6.1f GB/s  memcpy %6.1f GB/s  ratio %.2f\n", dtype_name(from),
		dtype_name(to), (double)bytes / cast_time / 1e9, (double)bytes / copy_time / 1e9,
		copy_time / cast_time);
	free(source);
	free(target);
}

int
main(int argc, char **argv)
{
	static const enum dtype pairs[][2] = {
		{ DTYPE_FLOAT16, DTYPE_FLOAT32 }, { DTYPE_FLOAT32, DTYPE_FLOAT16 },
		{ DTYPE_BFLOAT16, DTYPE_FLOAT32 }, { DTYPE_FLOAT32, DTYPE_BFLOAT16 },
		{ DTYPE_FLOAT16, DTYPE_BFLOAT16 }, { DTYPE_BFLOAT16, DTYPE_FLOAT16 },
		{ DTYPE_FLOAT32, DTYPE_FLOAT64 }, { DTYPE_FLOAT64, DTYPE_FLOAT32 },
		{ DTYPE_FLOAT64, DTYPE_FLOAT16 },
	};
	int rounds = argc > 1 ? atoi(argv[1]) : 30;

	if (rounds < 1)
		errx(2, "usage: cast [ROUNDS]");
	for (int portable = 0; portable < 2; portable++) {
		cast_force_portable(portable);
		printf("%s\n", cast_kernel_name());
		for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
			measure(pairs[i][0], pairs[i][1], rounds);
	}
	return 0;
}
