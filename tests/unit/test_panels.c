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

/* ---- ranks -------------------------------------------------------------------------- */

enum { MOST_RANKS = 8 };

/*
 * A tensor of 64 rows of `ranks` x `heads` x 3 x 40 columns, or, `apart`, of 3 x `ranks` x
 * `heads` x 40 as QKV has them, of which each rank has its heads, turned.  The source of a
 * rank is [heads][3][40][64].
 */
struct shape {
	size_t   ranks;
	uint64_t heads;
	bool     apart;
	size_t   limit;
	uint64_t shortest;      /* run, that is to be, but for one that ends at `multiple` */
	uint64_t multiple;
};

static uint64_t
target_of(const struct shape *shape, size_t rank, uint64_t at)
{
	uint64_t all = shape->ranks * shape->heads, row = at % 64, column = at / 64 % 40;
	uint64_t part = at / 64 / 40 % 3, head = rank * shape->heads + at / 64 / 40 / 3;

	return row * all * 120 + (shape->apart ? part * all * 40 + head * 40
		: head * 120 + part * 40) + column;
}

static void
make_copy(const struct shape *shape, size_t rank, struct plan_copy *copy)
{
	const uint64_t all = shape->ranks * shape->heads;

	*copy = (struct plan_copy){ .action = COPY_WRITE, .shard = rank, .box = { .dims = 4,
		.extent = { shape->heads, 3, 40, 64 }, .source_stride = { 7680, 2560, 64, 1 },
		.target_stride = { shape->apart ? 40 : 120, shape->apart ? all * 40 : 40, 1,
			all * 120 },
		.target_offset = target_of(shape, rank, 0) } };
	CHECK(strided_copy_normalise(&copy->box), "no view overlaps");
}

struct seen {
	const struct shape *shape;
	unsigned char      *times;      /* by element of the target */
	uint64_t            count, wrong, shortest;
};

/* Fits panels_put. */
static bool
take_seen(void *context, const struct plan_copy *copy, uint64_t target,
	const unsigned char *bytes, uint64_t count, struct error *err)
{
	struct seen *seen = context;

	(void)copy, (void)err;
	seen->count++;
	for (uint64_t i = 0; i < count; i++) {
		seen->times[target + i]++;
		seen->wrong += (uint16_t)(bytes[2 * i] | bytes[2 * i + 1] << 8)
			!= (uint16_t)(target + i);
	}
	if (count < seen->shortest && (target + count) % seen->shape->multiple != 0)
		seen->shortest = count;
	return true;
}

/* Ranks take turns, `step` elements each; 0: one after the other. */
static void
join_ranks(const struct shape *shape, uint64_t step)
{
	const uint64_t     each = shape->heads * 7680, all = shape->ranks * each;
	struct plan_tensor tensor = { .name = "joined", .dtype = DTYPE_FLOAT16,
		.source_dtype = DTYPE_FLOAT16, .bytes = 2 * all };
	struct plan_copy   copies[MOST_RANKS];
	struct plan        plan = { .tensors = &tensor, .tensor_count = 1, .copies = copies,
		.copy_count = shape->ranks };
	struct seen        seen = { shape, calloc(all, 1), 0, 0, all };
	unsigned char     *sources = malloc(2 * all);
	struct error       err = { 0 };
	struct panels     *panels;
	uint64_t           missed = 0;

	for (size_t rank = 0; rank < shape->ranks; rank++) {
		make_copy(shape, rank, &copies[rank]);
		for (uint64_t at = 0; at < each; at++) {
			uint64_t target = target_of(shape, rank, at);

			sources[2 * (rank * each + at)] = (unsigned char)target;
			sources[2 * (rank * each + at) + 1] = (unsigned char)(target >> 8);
		}
	}
	panels = panels_open(&plan, shape->limit, take_seen, &seen, &err);
	for (uint64_t turn = 0; step > 0 && turn < each; turn += step)
		for (size_t rank = 0; rank < shape->ranks; rank++)
			panels_take(panels, &copies[rank], turn,
				turn + step < each ? turn + step : each, turn,
				sources + 2 * (rank * each + turn), &err);
	for (size_t rank = 0; step == 0 && rank < shape->ranks; rank++)
		panels_take(panels, &copies[rank], 0, each, 0, sources + 2 * rank * each, &err);
	panels_close(panels);
	for (uint64_t at = 0; at < all; at++)
		missed += seen.times[at] != 1;
	CHECK(missed == 0 && seen.wrong == 0, "%zu ranks, limit %zu, step %llu: %llu elements not "
		"once, %llu wrong", shape->ranks, shape->limit, (unsigned long long)step,
		(unsigned long long)missed, (unsigned long long)seen.wrong);
	CHECK(step > 0 || seen.shortest >= shape->shortest, "%zu ranks, limit %zu: a run of %llu",
		shape->ranks, shape->limit, (unsigned long long)seen.shortest);
	free(sources);
	free(seen.times);
}

int
main(void)
{
	/* A rank with 5 heads has 76,800 bytes. */
	static const struct shape shapes[] = {
		{ 8, 5, false, 1 << 20, 8 * 600, 8 * 600 },     /* the whole tensor */
		{ 8, 5, false, 3 * 76800, 3 * 600, 8 * 600 },   /* 3, 3 and 2 ranks */
		{ 8, 5, false, 2 * 76800 - 1, 600, 8 * 600 },   /* each by itself */
		{ 8, 5, true, 1 << 20, 8 * 600, 8 * 600 },
		{ 8, 5, true, 4 * 76800, 4 * 200, 8 * 200 },
		{ 7, 5, true, 4 * 76800, 3 * 200, 7 * 200 },    /* 4 and 3 */
		{ 8, 1, true, 4 * 15360, 4 * 40, 8 * 40 },      /* the dimension of heads is gone */
		{ 8, 1, false, 4 * 15360, 4 * 120, 8 * 120 },
		{ 2, 5, true, 70000, 0, 400 },
	};
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
		CHECK(turn(source, 1638400, step).shortest >= 8192, "and more of it");
		CHECK(turn(source, 2 * ELEMENTS, step).count <= 40, "a whole matrix is one panel");
		CHECK(turn(source, 409600, step).shortest >= 2048, "as long as they can be");
		turn(source, 4096, step);
	}
	free(source);
	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
		join_ranks(&shapes[i], 0);
		for (uint64_t step = 64; step < 40000; step = step * 7 + 64)
			join_ranks(&shapes[i], step);
	}
	return check_end("panels");
}
