#include "check.h"

#include "plan/reading_order.h"

/*
 * Pieces in inputs, made by hand, with the tensor that each goes to; and the steps in which the
 * inputs must be read.
 */
enum { MOST_INPUTS = 20, MOST_PIECES = 40 };

struct scene {
	struct shards      shards;
	struct input_file  files[MOST_INPUTS], *inputs[MOST_INPUTS];
	struct shard       items[MOST_PIECES];
	struct plan        plan;
	struct plan_copy   copies[MOST_PIECES];
	struct plan_tensor tensors[MOST_PIECES];
};

static void
add_piece(struct scene *scene, size_t input, uint64_t offset, uint64_t length, size_t tensor)
{
	size_t at = scene->shards.count++;

	scene->items[at] = (struct shard){ .input = input, .offset = offset, .length = length,
		.piece = "piece" };
	scene->copies[at] = (struct plan_copy){ .shard = at, .tensor = tensor, .piece = at };
	scene->plan.copy_count = scene->plan.piece_count = at + 1;
}

static void
set_scene(struct scene *scene, size_t inputs, uint64_t size)
{
	*scene = (struct scene){ .shards = { .input_count = inputs },
		.plan = { .tensor_count = MOST_PIECES } };
	scene->shards.inputs = scene->inputs;
	scene->shards.items = scene->items;
	scene->plan.copies = scene->copies;
	scene->plan.tensors = scene->tensors;
	for (size_t i = 0; i < inputs; i++) {
		scene->files[i].size = size;
		scene->inputs[i] = &scene->files[i];
	}
}

static void
check_steps(const char *name, const struct scene *scene, bool all,
	const struct reading_step *expected, size_t count)
{
	struct used_ranges    used;
	struct error          err = { 0 };
	struct reading_step   step;
	struct reading_order *order;

	CHECK(used_ranges_open(&used, &scene->shards, &scene->plan, all, &err), "%s", err.text);
	order = reading_order_open(&scene->shards, &scene->plan, &used, &err);
	CHECK(order != NULL, "%s", err.text);
	for (size_t i = 0; i < count; i++)
		CHECK(reading_order_next(order, 1 << 20, &step) && step.input == expected[i].input
			&& step.offset == expected[i].offset && step.length == expected[i].length,
			"%s: step %zu: input %zu, %llu, %zu", name, i, step.input,
			(unsigned long long)step.offset, step.length);
	CHECK(!reading_order_next(order, 1 << 20, &step), "%s: no more", name);
	reading_order_close(order);
	used_ranges_fini(&used);
}

/* Two stages: the first has tensors 0 and 2, the second 1 and 3. */
static void
two_stages(struct scene *scene)
{
	set_scene(scene, 2, 500000);
	add_piece(scene, 0, 100, 100000, 0);
	add_piece(scene, 0, 100100, 200000, 2);
	add_piece(scene, 1, 50, 200000, 1);
	add_piece(scene, 1, 200050, 100000, 3);
}

static void
test_turns(void)
{
	static const struct reading_step turns[] = {
		{ 0, 0, 100100 }, { 1, 0, 200050 }, { 0, 100100, 200000 }, { 1, 200050, 100000 },
		{ 0, 300100, 199900 }, { 1, 300050, 199950 },
	};
	static const struct reading_step used[] = {
		{ 0, 0, 100100 }, { 1, 0, 200050 }, { 0, 100100, 200000 }, { 1, 200050, 100000 },
	};
	static const struct reading_step whole[] = { { 0, 0, 500000 }, { 1, 0, 500000 } };
	struct scene scene;

	two_stages(&scene);
	check_steps("turns", &scene, true, turns, sizeof turns / sizeof *turns);
	check_steps("used", &scene, false, used, sizeof used / sizeof *used);
	/* The mean of replicas is added up in the order of the inputs. */
	scene.tensors[2].is_mean = true;
	check_steps("mean", &scene, true, whole, sizeof whole / sizeof *whole);
	/* So are they read where a replica comes in no line. */
	two_stages(&scene);
	scene.copies[1].action = COPY_COMPARE;
	scene.copies[1].box = (struct strided_copy){ .dims = 1, .extent = { 9 },
		.source_stride = { 1 }, .target_stride = { 2 } };
	check_steps("strided replica", &scene, true, whole, sizeof whole / sizeof *whole);
}

/* Ranks of one stage: each its part of tensor 0, then of tensor 1; what is begun is read to the
 * end of its part, however many steps that takes. */
static void
test_ranks(void)
{
	static const struct reading_step expected[] = {
		{ 0, 0, 1 << 20 }, { 0, 1 << 20, 500000 }, { 1, 0, 1 << 20 }, { 1, 1 << 20, 500000 },
		{ 0, (1 << 20) + 500000, 100000 }, { 1, (1 << 20) + 500000, 100000 },
	};
	struct scene scene;

	set_scene(&scene, 2, (1 << 20) + 600000);
	for (size_t input = 0; input < 2; input++) {
		add_piece(&scene, input, 0, (1 << 20) + 500000, 0);
		add_piece(&scene, input, (1 << 20) + 500000, 100000, 1);
	}
	check_steps("ranks", &scene, true, expected, sizeof expected / sizeof *expected);
}

/* Many inputs: each byte once, front to back, and not more of them begun than there may be. */
static void
test_many(void)
{
	struct scene          scene;
	struct used_ranges    used;
	struct reading_step   step;
	struct error          err = { 0 };
	struct reading_order *order;
	uint64_t              at[MOST_INPUTS] = { 0 };
	size_t                most_begun = 0, unread = MOST_INPUTS;

	set_scene(&scene, MOST_INPUTS, 300000);
	for (size_t input = 0; input < MOST_INPUTS; input++) {
		add_piece(&scene, input, 0, 100000, input);
		add_piece(&scene, input, 100000, 100000, MOST_INPUTS + input);
	}
	CHECK(used_ranges_open(&used, &scene.shards, &scene.plan, true, &err), "%s", err.text);
	order = reading_order_open(&scene.shards, &scene.plan, &used, &err);
	while (reading_order_next(order, 1 << 20, &step)) {
		size_t begun = 0;

		CHECK(step.offset == at[step.input], "input %zu goes on where it was", step.input);
		at[step.input] += step.length;
		unread -= at[step.input] == 300000;
		for (size_t i = 0; i < MOST_INPUTS; i++)
			begun += at[i] > 0 && at[i] < 300000;
		most_begun = begun > most_begun ? begun : most_begun;
	}
	CHECK(unread == 0, "%zu inputs are not read", unread);
	CHECK(most_begun == READING_ORDER_BESIDE, "%zu were begun", most_begun);
	reading_order_close(order);
	used_ranges_fini(&used);
}

int
main(void)
{
	test_turns();
	test_ranks();
	test_many();
	return check_end("reading_order");
}
