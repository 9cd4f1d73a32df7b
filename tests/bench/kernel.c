/*
 * How fast the kernel is beside memcpy():
 *
 *     kernel [ROUNDS]
 *
 * Conversions of element types, of which the larger side is 1 MiB; transpositions of a whole
 * matrix and of the strips that tensor parallel ranks hold, as they go into the columns of the
 * whole; rows of QKV in another order, transposed or not; looking for infinities.  The target
 * begins with a cache line, as panels do, the source does not.
 *
 * Bytes are those read and those written, added up, on both sides: memcpy() copies half as
 * many from the same source to the same target, so that it reads and writes as many together.
 * Both take turns, ten times each, so that they find the caches as they left them; the fastest
 * of ROUNDS (default 30) counts.  A ratio of 1 is as fast as memcpy(), of 0.5 half as fast.
 */
#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

#include "plan/cast.h"
#include "plan/element.h"
#include "plan/instructions.h"
#include "plan/strided_copy.h"

enum { SIDE = 1 << 20, MATRIX = 16 << 20, TURNS = 10, LINE = 64 };

/* One thing that is measured. */
struct work {
	char                 name[64];
	void               (*run)(const struct work *work);
	uint64_t             bytes;             /* read and written */
	const unsigned char *source;
	unsigned char       *target;
	enum dtype           from, to;
	uint64_t             count;             /* elements */
	struct strided_copy  copy;
};

static double
less_of(double a, double b)
{
	return a < b ? a : b;
}

static void
measure(const struct work *work, int rounds)
{
	double ours = 1e9, copy = 1e9;

	for (int i = 0; i < rounds; i++) {
		for (int turn = 0; turn < TURNS; turn++) {
			double start = seconds_now();

			work->run(work);
			ours = less_of(ours, seconds_now() - start);
		}
		for (int turn = 0; turn < TURNS; turn++) {
			double start = seconds_now();

			memcpy(work->target, work->source, work->bytes / 2);
			/* Without a look at the target the copy could be left out. */
			__asm__ volatile("" : : "r"(work->target) : "memory");
			copy = less_of(copy, seconds_now() - start);
		}
	}
	printf("%-44s %6.1f GB/s  memcpy %6.1f GB/s  ratio %.2f\n", work->name,
		(double)work->bytes / ours / 1e9, (double)work->bytes / copy / 1e9, copy / ours);
}

/* ---- element types ---------------------------------------------------------------- */

/* Weights as they are: normal numbers of either sign, none near the ends. */
static void
fill(enum dtype dtype, unsigned char *elements, size_t count)
{
	uint32_t state = 1;

	for (size_t i = 0; i < count; i++) {
		state = state * 1664525 + 1013904223;
		element_put(dtype, ((double)state - 0x1p31) * 0x1p-35, elements + i * dtype_size(dtype));
	}
}

static void
run_cast(const struct work *work)
{
	struct cast_overflow overflow = { 0, 0 };

	cast_elements(work->from, work->source, work->to, work->target, work->count, &overflow);
	if (overflow.elements > 0)
		errx(1, "a weight became infinite");
}

static void
run_specials(const struct work *work)
{
	struct element_specials found = { 0, 0 };

	element_count_specials(&found, work->from, work->source, work->count);
	if (found.infinities > 0)
		errx(1, "a weight is infinite");
}

static void
measure_types(unsigned char *source, unsigned char *target, int rounds)
{
	static const enum dtype types[] = { DTYPE_FLOAT16, DTYPE_BFLOAT16, DTYPE_FLOAT32,
		DTYPE_FLOAT64 };
	struct work work = { .source = source, .target = target };

	for (unsigned pair = 0; pair < 16; pair++) {
		size_t from_size, to_size, larger;

		work.from = types[pair / 4];
		work.to = types[pair % 4];
		from_size = dtype_size(work.from);
		to_size = dtype_size(work.to);
		larger = from_size > to_size ? from_size : to_size;
		work.count = SIDE / larger;
		fill(work.from, source, work.count);
		if (work.from == work.to) {
			snprintf(work.name, sizeof work.name, "%s, looking for infinities",
				dtype_name(work.from));
			work.run = run_specials;
			work.bytes = SIDE;
		} else {
			snprintf(work.name, sizeof work.name, "%s to %s", dtype_name(work.from),
				dtype_name(work.to));
			work.run = run_cast;
			work.bytes = work.count * (from_size + to_size);
		}
		measure(&work, rounds);
	}
}

/* ---- places ----------------------------------------------------------------------- */

static void
run_copy(const struct work *work)
{
	strided_copy_run(&work->copy, work->source, work->target, dtype_size(work->from));
}

static void
measure_places(unsigned char *source, unsigned char *target, int rounds)
{
	static const struct {
		const char         *name;
		struct strided_copy copy;
	} rows[] = {
		{ "1024 x 4096, transposed",
			{ 2, { 1024, 4096 }, { 4096, 1 }, { 1, 1024 }, 0, 0 } },
		{ "256 columns of 1024 x 4096, transposed",
			{ 2, { 256, 1024 }, { 1024, 1 }, { 1, 4096 }, 0, 256 } },
		{ "512 columns of 1024 x 4096, transposed",
			{ 2, { 512, 1024 }, { 1024, 1 }, { 1, 4096 }, 0, 512 } },
		{ "1024 columns of 1024 x 4096, transposed",
			{ 2, { 1024, 1024 }, { 1024, 1 }, { 1, 4096 }, 0, 1024 } },
		{ "QKV rows of 16 heads x 64 x 3",
			{ 4, { 16, 64, 3, 1024 }, { 196608, 3072, 1024, 1 },
			{ 65536, 1024, 1048576, 1 }, 0, 0 } },
		{ "QKV rows of 16 heads x 64 x 3, transposed",
			{ 4, { 16, 64, 3, 1024 }, { 196608, 3072, 1024, 1 }, { 64, 1, 1024, 3072 },
			0, 0 } },
		{ "QKV rows of 16 heads x 3 x 64, transposed",
			{ 4, { 16, 3, 64, 1024 }, { 196608, 65536, 1024, 1 }, { 64, 1024, 1, 3072 },
			0, 0 } },
	};
	static const enum dtype types[] = { DTYPE_FLOAT16, DTYPE_FLOAT32 };
	struct work             work = { .run = run_copy, .source = source, .target = target };

	for (size_t i = 0; i < 2 * (sizeof rows / sizeof *rows); i++) {
		work.from = types[i % 2];
		work.copy = rows[i / 2].copy;
		work.bytes = 2 * strided_copy_count(&work.copy) * dtype_size(work.from);
		snprintf(work.name, sizeof work.name, "%s, %zu B", rows[i / 2].name,
			dtype_size(work.from));
		measure(&work, rounds);
	}
}

int
main(int argc, char **argv)
{
	int            rounds = argc > 1 ? atoi(argv[1]) : 30;
	unsigned char *source = malloc(MATRIX), *target = aligned_alloc(LINE, MATRIX);

	if (rounds < 1)
		errx(2, "usage: kernel [ROUNDS]");
	if (source == NULL || target == NULL)
		err(1, "buffers");
	memset(source, 0, MATRIX);
	memset(target, 0, MATRIX);
	for (unsigned i = INSTRUCTIONS_AVX512 + 1; i-- > 0;) {
		instructions_limit(i);
		if (instructions_used() != i)
			continue;
		printf("%s\n", instructions_name(i));
		measure_types(source, target, rounds);
		measure_places(source, target, rounds);
	}
	free(source);
	free(target);
	return 0;
}
