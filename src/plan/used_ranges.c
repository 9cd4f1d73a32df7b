#include "plan/used_ranges.h"

#include <stdlib.h>

/* Bytes [begin, end) of an input: that may be passed over, or that must not be. */
struct stretch {
	size_t   input;
	uint64_t begin, end;
};

struct stretches {
	struct stretch *items;
	size_t          count;
};

static int
compare_stretches(const void *a, const void *b)
{
	const struct stretch *x = a, *y = b;

	if (x->input != y->input)
		return x->input < y->input ? -1 : 1;
	return x->begin < y->begin ? -1 : x->begin > y->begin;
}

static void
add(struct stretches *list, size_t input, uint64_t begin, uint64_t end)
{
	if (end > begin && end - begin >= USED_RANGES_LEAST)
		list->items[list->count++] = (struct stretch){ input, begin, end };
}

/* ---- what may be passed over ------------------------------------------------------ */

static void
add_storages(struct stretches *skips, const struct shards *shards, const struct plan *plan,
	size_t index)
{
	const struct shard *shard = &shards->items[index];
	uint64_t            base = byte_stream_file_offset(shard->stream);
	size_t              first;

	for (size_t i = 0; i < torch_file_storage_count(shard->torch); i++) {
		const struct torch_storage *storage = torch_file_storage(shard->torch, i);

		if (storage->is_placed && plan_copies_of(plan, index, i, &first) == 0)
			add(skips, shard->input, base + storage->offset,
				base + storage->offset + storage->bytes);
	}
}

/* What lies before, between and behind the pieces that hold weights. */
static void
add_gaps(struct stretches *skips, const struct shards *shards, const struct stretches *pieces)
{
	for (size_t i = 0; i < pieces->count; i++) {
		const struct stretch *piece = &pieces->items[i];
		bool is_first = i == 0 || piece[-1].input != piece->input;
		bool is_last = i + 1 == pieces->count || piece[1].input != piece->input;

		add(skips, piece->input, is_first ? 0 : piece[-1].end, piece->begin);
		if (is_last)
			add(skips, piece->input, piece->end, shards->inputs[piece->input]->size);
	}
}

static bool
list_skips(struct stretches *skips, const struct shards *shards, const struct plan *plan)
{
	struct stretches pieces = { calloc(shards->count + 1, sizeof *pieces.items), 0 };
	size_t           room = shards->count + shards->input_count + 1, first;
	bool             done;

	for (size_t i = 0; i < shards->count; i++)
		if (shards->items[i].torch != NULL)
			room += torch_file_storage_count(shards->items[i].torch);
	skips->items = calloc(room, sizeof *skips->items);
	done = skips->items != NULL && pieces.items != NULL;
	for (size_t i = 0; i < shards->count && done; i++) {
		const struct shard *shard = &shards->items[i];

		if (shard->torch == NULL && plan_copies_of(plan, i, 0, &first) > 0)
			pieces.items[pieces.count++] = (struct stretch){ shard->input,
				shard->offset, shard->offset + shard->length };
		else if (shard->torch != NULL && shard->member == NULL)
			add_storages(skips, shards, plan, i);
	}
	if (done) {
		qsort(pieces.items, pieces.count, sizeof *pieces.items, compare_stretches);
		add_gaps(skips, shards, &pieces);
		qsort(skips->items, skips->count, sizeof *skips->items, compare_stretches);
	}
	free(pieces.items);
	return done;
}

/* ---- the rest --------------------------------------------------------------------- */

static void
lay_out(struct used_ranges *used, const struct shards *shards, const struct stretches *skips)
{
	size_t count = 0, skip = 0;

	for (size_t i = 0; i < shards->input_count; i++) {
		uint64_t at = 0, size = shards->inputs[i]->size;

		used->first[i] = count;
		while (at < size) {
			bool     is_skip = skip < skips->count && skips->items[skip].input == i;
			uint64_t end = is_skip ? skips->items[skip].begin : size;

			if (end > at) {
				used->ranges[count++] = (struct used_range){ at, end - at };
				used->bytes[i] += end - at;
			}
			at = is_skip && skips->items[skip].end > at ? skips->items[skip].end
				: end > at ? end : at;
			skip += is_skip;
		}
		while (skip < skips->count && skips->items[skip].input == i)
			skip++;
	}
	used->first[shards->input_count] = count;
}

bool
used_ranges_open(struct used_ranges *used, const struct shards *shards,
	const struct plan *plan, bool all, struct error *err)
{
	struct stretches skips = { 0 };
	size_t           inputs = shards->input_count;
	bool             done = all || list_skips(&skips, shards, plan);

	*used = (struct used_ranges){ 0 };
	if (done) {
		used->ranges = calloc(inputs + skips.count + 1, sizeof *used->ranges);
		used->first = calloc(inputs + 1, sizeof *used->first);
		used->bytes = calloc(inputs + 1, sizeof *used->bytes);
	}
	done = used->ranges != NULL && used->first != NULL && used->bytes != NULL;
	if (done)
		lay_out(used, shards, &skips);
	else
		error_no_memory(err, (inputs + skips.count) * sizeof *used->ranges);
	free(skips.items);
	return done;
}

bool
used_ranges_is_whole(const struct used_ranges *used, const struct shards *shards, size_t input)
{
	return used->bytes[input] == shards->inputs[input]->size;
}

void
used_ranges_fini(struct used_ranges *used)
{
	free(used->ranges);
	free(used->first);
	free(used->bytes);
	*used = (struct used_ranges){ 0 };
}
