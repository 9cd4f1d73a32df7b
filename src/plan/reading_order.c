#include "plan/reading_order.h"

#include <stdlib.h>

/* A storage that is of this size is worth a step that ends with it. */
#define LARGE_BYTES ((uint64_t)64 << 10)
#define NOTHING     SIZE_MAX            /* no tensor: the rest of an input is of no use */

/* Bytes [begin, end) of an input, which go to tensors of the plan. */
struct mark {
	size_t   input;
	uint64_t begin, end;
	size_t   tensor;                /* the first of the output that is here */
	size_t   wanted;                /* the same of this and all that follow in the input */
};

struct progress {
	uint64_t position;
	size_t   range, last_range;     /* of the ranges: at hand, after the input's last */
	size_t   mark, last;            /* of the marks: not passed yet, after the input's last */
	bool     is_begun;
};

struct reading_order {
	const struct used_range *ranges;
	struct progress *inputs;
	size_t           count;
	size_t           begun;         /* inputs that are begun and not at their end */
	size_t           current;       /* the input of the step before */
	struct mark     *marks;         /* by input, by begin */
	size_t           mark_count;
};

/* ---- what is where ---------------------------------------------------------------- */

static struct mark
mark_of(const struct shards *shards, const struct plan_copy *copy)
{
	const struct shard         *shard = &shards->items[copy->shard];
	const struct torch_storage *storage;
	struct mark                 mark = { .input = shard->input, .tensor = copy->tensor };

	mark.begin = shard->offset;
	mark.end = shard->offset + shard->length;
	if (shard->stream == NULL)
		return mark;
	mark.begin = byte_stream_file_offset(shard->stream);
	mark.end = mark.begin + byte_stream_stored_length(shard->stream);
	storage = torch_file_storage(shard->torch, copy->storage);
	if (!byte_stream_is_deflated(shard->stream) && storage->is_placed) {
		mark.begin += storage->offset;
		mark.end = mark.begin + storage->bytes;
	}
	return mark;
}

static int
compare_marks(const void *a, const void *b)
{
	const struct mark *x = a, *y = b;

	if (x->input != y->input)
		return x->input < y->input ? -1 : 1;
	if (x->begin != y->begin)
		return x->begin < y->begin ? -1 : 1;
	return x->end < y->end ? -1 : x->end > y->end;
}

static void
deal_marks(struct reading_order *order)
{
	size_t at = 0;

	if (order->mark_count > 0)
		qsort(order->marks, order->mark_count, sizeof *order->marks, compare_marks);
	for (size_t i = 0; i < order->count; i++) {
		order->inputs[i].mark = at;
		while (at < order->mark_count && order->marks[at].input == i)
			at++;
		order->inputs[i].last = at;
	}
	for (size_t i = order->mark_count; i-- > 0;) {
		struct mark *mark = &order->marks[i];

		mark->wanted = mark->tensor;
		if (i + 1 < order->mark_count && mark[1].input == mark->input
		    && mark[1].wanted < mark->wanted)
			mark->wanted = mark[1].wanted;
	}
}

/*
 * A replica is compared with as much of its slice as came before it, which is known as a
 * count.  So both must come in the same order wherever they are cut: line by line.
 */
static bool
allows_turns(const struct plan *plan, unsigned char *pieces)
{
	enum { IS_REPEATED = 1, IS_NO_LINE = 2 };

	for (size_t i = 0; i < plan->copy_count; i++) {
		const struct plan_copy *copy = &plan->copies[i];
		unsigned char          *piece = &pieces[copy->piece];

		*piece |= copy->action == COPY_COMPARE ? IS_REPEATED : 0;
		*piece |= strided_copy_is_line(&copy->box) ? 0 : IS_NO_LINE;
		if (*piece == (IS_REPEATED | IS_NO_LINE) || plan->tensors[copy->tensor].is_mean)
			return false;
	}
	return true;
}

static bool
open_tables(struct reading_order *order, const struct shards *shards, const struct plan *plan,
	const struct used_ranges *used)
{
	unsigned char *pieces = calloc(plan->piece_count + 1, 1);

	order->count = shards->input_count;
	order->inputs = calloc(order->count + 1, sizeof *order->inputs);
	order->marks = calloc(plan->copy_count + 1, sizeof *order->marks);
	if (pieces == NULL || order->inputs == NULL || order->marks == NULL) {
		free(pieces);
		return false;
	}
	order->ranges = used->ranges;
	for (size_t i = 0; i < order->count; i++) {
		order->inputs[i].range = used->first[i];
		order->inputs[i].last_range = used->first[i + 1];
		if (used->first[i] < used->first[i + 1])
			order->inputs[i].position = used->ranges[used->first[i]].offset;
	}
	if (order->count > 1 && allows_turns(plan, pieces))
		for (size_t i = 0; i < plan->copy_count; i++)
			order->marks[order->mark_count++] = mark_of(shards, &plan->copies[i]);
	deal_marks(order);
	free(pieces);
	return true;
}

struct reading_order *
reading_order_open(const struct shards *shards, const struct plan *plan,
	const struct used_ranges *used, struct error *err)
{
	struct reading_order *order = calloc(1, sizeof *order);

	if (order == NULL || !open_tables(order, shards, plan, used)) {
		error_no_memory(err, plan->copy_count * sizeof *order->marks);
		reading_order_close(order);
		return NULL;
	}
	return order;
}

/* ---- whose turn it is ------------------------------------------------------------- */

static size_t
wanted(const struct reading_order *order, size_t input)
{
	const struct progress *at = &order->inputs[input];

	return at->mark < at->last ? order->marks[at->mark].wanted : NOTHING;
}

/* In a storage that is worth to be read to its end before others have their turn. */
static bool
is_amid(const struct reading_order *order, size_t input)
{
	const struct progress *at = &order->inputs[input];
	const struct mark     *mark = &order->marks[at->mark];

	return at->range < at->last_range && at->mark < at->last && mark->begin < at->position
		&& mark->end - mark->begin >= LARGE_BYTES;
}

static bool
comes_first(const struct reading_order *order, size_t input, size_t other)
{
	size_t one = wanted(order, input), two = wanted(order, other);

	if (one != two)
		return one < two;
	return one != NOTHING && order->inputs[input].position < order->inputs[other].position;
}

/* count: there is none. */
static size_t
choose(const struct reading_order *order)
{
	size_t chosen = order->count;

	if (order->begun > 0 && is_amid(order, order->current))
		return order->current;
	for (size_t i = 0; i < order->count; i++) {
		const struct progress *input = &order->inputs[i];

		if (input->range == input->last_range
		    || (!input->is_begun && order->begun == READING_ORDER_BESIDE))
			continue;
		if (chosen == order->count || comes_first(order, i, chosen))
			chosen = i;
	}
	return chosen;
}

/* Up to the end of a large storage, where there is one, and of the range. */
static size_t
step_length(const struct reading_order *order, size_t input, size_t most)
{
	const struct progress   *at = &order->inputs[input];
	const struct used_range *range = &order->ranges[at->range];
	uint64_t                 left = range->offset + range->length - at->position;
	size_t                   length = left < most ? (size_t)left : most;

	for (size_t i = at->mark; i < at->last && order->marks[i].begin < at->position + length; i++) {
		const struct mark *mark = &order->marks[i];

		if (mark->end - mark->begin >= LARGE_BYTES && mark->end > at->position
		    && mark->end - at->position <= length)
			return (size_t)(mark->end - at->position);
	}
	return length;
}

bool
reading_order_next(struct reading_order *order, size_t most, struct reading_step *step)
{
	size_t           input = choose(order);
	struct progress *at = &order->inputs[input];

	if (input == order->count)
		return false;
	*step = (struct reading_step){ input, at->position, step_length(order, input, most) };
	order->begun += !at->is_begun;
	at->is_begun = true;
	at->position += step->length;
	if (at->position == order->ranges[at->range].offset + order->ranges[at->range].length
	    && ++at->range < at->last_range)
		at->position = order->ranges[at->range].offset;
	order->begun -= at->range == at->last_range;
	while (at->mark < at->last && order->marks[at->mark].end <= at->position)
		at->mark++;
	order->current = input;
	return true;
}

void
reading_order_close(struct reading_order *order)
{
	if (order == NULL)
		return;
	free(order->inputs);
	free(order->marks);
	free(order);
}
