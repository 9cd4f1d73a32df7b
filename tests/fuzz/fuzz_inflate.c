#include "fuzz.h"

#include "container/inflate.h"
#include "container/inflate_ahead.h"

#include <stdlib.h>
#include <string.h>

/* Rounds are short, so that a short input has a place ahead. */
#define ROUND_BYTES ((size_t)16 << 10)
#define MOST_BYTES  ((size_t)4 << 20)

struct output {
	unsigned char *bytes;
	size_t         count;
};

static bool
take_slab(void *context, struct slab *slab, struct error *err)
{
	struct output *output = context;

	(void)err;
	memory_file_must(slab->length <= MOST_BYTES - output->count, "length");
	memcpy(output->bytes + output->count, slab->bytes + slab->start, slab->length);
	output->count += slab->length;
	slab_release(slab);
	return true;
}

/* What one inflater makes of it, up to MOST_BYTES; false: it refuses. */
static bool
inflate_one(const uint8_t *in, size_t count, uint64_t declared, struct output *output)
{
	struct error     err = { 0 };
	struct inflater *inflater = inflater_open(declared, &err);
	size_t           made;
	bool             intact;

	output->count = 0;
	do {
		intact = inflater_step(inflater, &in, &count, output->bytes + output->count,
			MOST_BYTES - output->count, &made, &err);
		output->count += made;
	} while (intact && !inflater_ended(inflater) && (count > 0 || made > 0));
	intact = intact && count == 0 && inflater_finish(inflater, &err);
	inflater_close(inflater);
	return intact;
}

/* Raw deflate: what two places make of it is what one makes, and where one refuses they do. */
void
fuzz_one(const uint8_t *bytes, size_t length)
{
	struct error          err = { 0 };
	struct output         one = { malloc(MOST_BYTES), 0 }, two = { malloc(MOST_BYTES), 0 };
	struct slab_pool     *pool = slab_pool_open(INFLATE_AHEAD_SLABS, &err);
	struct inflate_ahead *ahead;
	bool                  intact;

	inflate_one(bytes, length, MOST_BYTES, &one);
	intact = inflate_one(bytes, length, one.count, &one);
	ahead = inflate_ahead_open(one.count, ROUND_BYTES, pool, take_slab, &two, &err);
	inflate_ahead_feed(ahead, bytes, length / 3, false, &err);
	inflate_ahead_feed(ahead, bytes + length / 3, length - length / 3, true, &err);
	memory_file_must(intact || inflate_ahead_gave_up(ahead), "damaged, and accepted");
	memory_file_must(two.count == one.count || inflate_ahead_gave_up(ahead), "cut short");
	memory_file_must(two.count <= one.count && memcmp(two.bytes, one.bytes, two.count) == 0,
		"other bytes");
	inflate_ahead_close(ahead);
	slab_pool_close(pool);
	free(one.bytes);
	free(two.bytes);
}
