#include "check.h"

#include "plan/panels.h"

#include <stdlib.h>

/*
 * A matrix of ROWS x COLUMNS 16-bit elements goes through panels into [COLUMNS, ROWS].  Each
 * element is its number in the target, so what comes out is known by where it goes.
 */
enum { ROWS = 10000, COLUMNS = 100, ELEMENTS = ROWS * COLUMNS };

struct runs {
	uint64_t count, elements, wrong;
	uint64_t shortest;      /* of those that do not end a row */
};

/* Fits panels_put. */
static bool
take_run(void *context, const struct plan_copy *copy, uint64_t target,
	const unsigned char *bytes, uint64_t count, struct error *err)
{
	struct runs *runs = context;

	(void)copy, (void)err;
	runs->count++;
	runs->elements += count;
	for (uint64_t i = 0; i < count; i++)
		runs->wrong += (uint16_t)(bytes[2 * i] | bytes[2 * i + 1] << 8)
			!= (uint16_t)(target + i);
	if ((target + count) % ROWS != 0 && count < runs->shortest)
		runs->shortest = count;
	return true;
}

/* How the runs are when images take `limit` bytes, and elements come `step` at a time. */
static struct runs
turn(const unsigned char *source, size_t limit, uint64_t step)
{
	struct plan_tensor tensor = { .name = "turned", .dtype = DTYPE_FLOAT16,
		.source_dtype = DTYPE_FLOAT16, .bytes = 2 * ELEMENTS };
	struct plan_copy   copy = { .action = COPY_WRITE, .box = { .dims = 2,
		.extent = { ROWS, COLUMNS }, .source_stride = { COLUMNS, 1 },
		.target_stride = { 1, ROWS } } };
	struct plan        plan = { .tensors = &tensor, .tensor_count = 1, .copies = &copy,
		.copy_count = 1 };
	struct runs        runs = { .shortest = ELEMENTS };
	struct error       err = { 0 };
	struct panels     *panels = panels_open(&plan, limit, take_run, &runs, &err);

	for (uint64_t at = 0; at < ELEMENTS && panels != NULL; at += step) {
		uint64_t end = at + step < ELEMENTS ? at + step : ELEMENTS;

		CHECK(panels_take(panels, &copy, at, end, at, source + 2 * at, &err), "%s",
			err.text);
	}
	panels_close(panels);
	CHECK(runs.elements == ELEMENTS && runs.wrong == 0, "limit %zu, step %llu: %llu elements, "
		"%llu wrong", limit, (unsigned long long)step, (unsigned long long)runs.elements,
		(unsigned long long)runs.wrong);
	return runs;
}

int
main(void)
{
	unsigned char *source = malloc(2 * ELEMENTS);

	if (source == NULL)
		return 1;
	for (uint64_t i = 0; i < ELEMENTS; i++) {
		uint64_t target = i % COLUMNS * ROWS + i / COLUMNS;

		source[2 * i] = (unsigned char)target;
		source[2 * i + 1] = (unsigned char)(target >> 8);
	}
	/* 8 KiB of a row of the target are 4096 rows of the source: 819,200 bytes. */
	for (uint64_t step = 777; step < ELEMENTS; step = step * 9 + 1) {
		CHECK(turn(source, 819200, step).shortest >= 4096, "the panel takes all the room");
		CHECK(turn(source, 1638400, step).shortest >= 4096, "half of it is enough");
		CHECK(turn(source, 1638400, step).shortest < 8192, "and no more than half is taken");
		CHECK(turn(source, 409600, step).shortest >= 2048, "as long as they can be");
		turn(source, 4096, step);
	}
	free(source);
	return check_end("panels");
}
