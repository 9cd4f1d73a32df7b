#include "container/inflate.h"
#include "container/inflate_ahead.h"

#include "check.h"

#include <stdlib.h>
#include <zlib.h>

/* What goes in is made by zlib, so what must come out is what zlib was given. */
#define PLAIN_BYTES  ((size_t)3 << 20)
#define ROUND        ((size_t)256 << 10)

static unsigned char *plain, *packed, *found;
static size_t         found_count;

/* ---- contents ----------------------------------------------------------------------- */

static uint64_t random_state;

static uint32_t
random_number(void)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(random_state >> 33);
}

/* Half-precision numbers about zero, as weights are. */
static void
make_weights(unsigned char *to, size_t count)
{
	for (size_t i = 0; i + 1 < count; i += 2) {
		uint32_t sum = random_number() % 16 + random_number() % 16;

		to[i] = (unsigned char)random_number();
		to[i + 1] = (unsigned char)(0x10 + sum / 2 + (random_number() & 0x80));
	}
}

static void
make_noise(unsigned char *to, size_t count)
{
	for (size_t i = 0; i < count; i++)
		to[i] = (unsigned char)random_number();
}

static void
make_zeros(unsigned char *to, size_t count)
{
	memset(to, 0, count);
}

/* Words from a short list: nearly all of it refers to what came before. */
static void
make_text(unsigned char *to, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint32_t word = random_number() % 2000 * 2654435761u;

		for (size_t end = i + 3 + word % 7; i < end && i < count - 1; i++, word /= 26)
			to[i] = (unsigned char)('a' + word % 26);
		to[i] = ' ';
	}
}

/* Weights, zeros, noise and text in turn: none of them as long as half a round. */
static void
make_mixture(unsigned char *to, size_t count)
{
	static void (*const kinds[])(unsigned char *, size_t) = {
		make_weights, make_zeros, make_weights, make_noise, make_weights, make_text,
	};

	for (size_t i = 0, kind = 0; i < count; kind++) {
		size_t length = 50001 + random_number() % 100000;

		length = length < count - i ? length : count - i;
		kinds[kind % 6](to + i, length);
		i += length;
	}
}

/* ---- streams ------------------------------------------------------------------------ */

/* zlib's; every `flush_each` bytes a full flush, which begins a byte with an empty block. */
static size_t
pack(const unsigned char *from, size_t count, int level, int memory, int strategy,
	size_t flush_each, unsigned char *to, size_t room)
{
	z_stream zlib = { 0 };

	deflateInit2(&zlib, level, Z_DEFLATED, -15, memory, strategy);
	zlib.next_out = to;
	zlib.avail_out = (uInt)room;
	for (size_t at = 0; at < count; at += flush_each) {
		size_t piece = flush_each < count - at ? flush_each : count - at;

		zlib.next_in = (unsigned char *)(uintptr_t)(from + at);
		zlib.avail_in = (uInt)piece;
		deflate(&zlib, at + piece == count ? Z_FINISH : Z_FULL_FLUSH);
	}
	deflateEnd(&zlib);
	return room - zlib.avail_out;
}

static bool
take_slab(void *context, struct slab *slab, struct error *err)
{
	(void)context, (void)err;
	memcpy(found + found_count, slab->bytes + slab->start, slab->length);
	found_count += slab->length;
	slab_release(slab);
	return true;
}

struct result {
	bool     gave_up;
	uint64_t met;
};

/* In two places; what comes out is `found`. */
static struct result
inflate_both(const unsigned char *in, size_t count, size_t round, size_t step, uint64_t declared)
{
	struct error          err = { 0 };
	struct slab_pool     *pool = slab_pool_open(INFLATE_AHEAD_SLABS, &err);
	struct inflate_ahead *ahead = inflate_ahead_open(declared, round, pool, take_slab, NULL,
		&err);
	struct result         result;

	found_count = 0;
	for (size_t at = 0; at < count; at += step) {
		size_t         piece = step < count - at ? step : count - at;
		unsigned char *copy = malloc(piece);    /* of which no byte more may be read */

		memcpy(copy, in + at, piece);
		inflate_ahead_feed(ahead, copy, piece, at + piece == count, &err);
		free(copy);
	}
	result = (struct result){ inflate_ahead_gave_up(ahead), inflate_ahead_met(ahead) };
	CHECK(inflate_ahead_made(ahead) == found_count, "%zu", found_count);
	inflate_ahead_close(ahead);
	slab_pool_close(pool);
	return result;
}

struct row {
	const char *what;
	void      (*make)(unsigned char *to, size_t count);
	int         level, memory, strategy;
	size_t      flush_each;
	unsigned    least_met;          /* places ahead that count, of some ten rounds */
};

static const struct row rows[] = {
	{ "weights", make_weights, 6, 8, Z_DEFAULT_STRATEGY, PLAIN_BYTES, 9 },
	{ "weights, level 1", make_weights, 1, 8, Z_DEFAULT_STRATEGY, PLAIN_BYTES, 8 },
	{ "weights, level 9", make_weights, 9, 9, Z_DEFAULT_STRATEGY, PLAIN_BYTES, 9 },
	{ "weights, small blocks", make_weights, 6, 5, Z_DEFAULT_STRATEGY, PLAIN_BYTES, 9 },
	{ "weights, literals only", make_weights, 6, 8, Z_HUFFMAN_ONLY, PLAIN_BYTES, 9 },
	{ "weights, flushed", make_weights, 6, 8, Z_DEFAULT_STRATEGY, 5000, 9 },
	{ "weights, fixed codes", make_weights, 6, 8, Z_FIXED, PLAIN_BYTES, 0 },
	{ "weights, stored", make_weights, 0, 8, Z_DEFAULT_STRATEGY, PLAIN_BYTES, 0 },
	{ "noise", make_noise, 6, 8, Z_DEFAULT_STRATEGY, PLAIN_BYTES, 0 },
	{ "zeros", make_zeros, 6, 8, Z_DEFAULT_STRATEGY, PLAIN_BYTES, 0 },
	{ "text", make_text, 6, 8, Z_DEFAULT_STRATEGY, PLAIN_BYTES, 0 },
	{ "text, flushed", make_text, 6, 8, Z_DEFAULT_STRATEGY, 70000, 0 },
	{ "mixture", make_mixture, 6, 8, Z_DEFAULT_STRATEGY, PLAIN_BYTES, 3 },
	{ "mixture, small blocks", make_mixture, 6, 1, Z_DEFAULT_STRATEGY, PLAIN_BYTES, 3 },
	{ "mixture, flushed", make_mixture, 9, 8, Z_DEFAULT_STRATEGY, 30011, 3 },
};

static void
test_row(const struct row *row)
{
	static const size_t steps[] = { 1 << 20, 65536, 100003 };
	size_t              count;

	random_state = 1;
	row->make(plain, PLAIN_BYTES);
	count = pack(plain, PLAIN_BYTES, row->level, row->memory, row->strategy, row->flush_each,
		packed, 2 * PLAIN_BYTES);
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		struct result result = inflate_both(packed, count, ROUND, steps[i], PLAIN_BYTES);

		CHECK(!result.gave_up && found_count == PLAIN_BYTES
			&& memcmp(found, plain, PLAIN_BYTES) == 0, "%s: %zu bytes", row->what,
			found_count);
		CHECK(result.met >= row->least_met, "%s: %u", row->what, (unsigned)result.met);
	}
	CHECK(!inflate_both(packed, count, INFLATE_AHEAD_ROUND, 1 << 20, PLAIN_BYTES).gave_up
		&& memcmp(found, plain, PLAIN_BYTES) == 0, "%s: one round", row->what);
}

/* Stored blocks that hold blocks with codes: the search finds these, and they do not count. */
static void
test_planted(void)
{
	unsigned char *inner = malloc(PLAIN_BYTES);
	size_t         inner_count, count;
	struct result  result;

	random_state = 2;
	make_weights(plain, PLAIN_BYTES / 2);
	inner_count = pack(plain, PLAIN_BYTES / 2, 6, 8, Z_DEFAULT_STRATEGY, PLAIN_BYTES, inner,
		PLAIN_BYTES);
	count = pack(inner, inner_count, 0, 9, Z_DEFAULT_STRATEGY, PLAIN_BYTES, packed,
		2 * PLAIN_BYTES);
	result = inflate_both(packed, count, ROUND, 1 << 20, inner_count);
	CHECK(!result.gave_up && result.met == 0 && found_count == inner_count
		&& memcmp(found, inner, inner_count) == 0, "planted: %zu", found_count);
	free(inner);
}

/* ---- what is wrong ------------------------------------------------------------------ */

/* What one inflater makes of it, in `plain`; false: it refuses. */
static bool
inflate_one(const unsigned char *in, size_t count, uint64_t declared, size_t *total)
{
	struct error     err = { 0 };
	struct inflater *inflater = inflater_open(declared, &err);
	bool             intact = true;
	size_t           made;

	*total = 0;
	do {
		intact = inflater_step(inflater, &in, &count, plain + *total,
			2 * PLAIN_BYTES - *total, &made, &err);
		*total += made;
	} while (intact && !inflater_ended(inflater) && (count > 0 || made > 0));
	intact = intact && count == 0 && inflater_finish(inflater, &err);
	inflater_close(inflater);
	return intact;
}

/* Where one inflater refuses, two places give up, having made nothing but what that one made; where
 * it does not, they may have given up too, but only over what zlib does not write. */
static void
compare(const char *what, size_t where, const unsigned char *in, size_t count, uint64_t declared)
{
	size_t        total;
	bool          intact = inflate_one(in, count, declared, &total);
	struct result result = inflate_both(in, count, ROUND, ROUND, declared);

	CHECK(intact || result.gave_up, "%s at %zu: accepted", what, where);
	CHECK(found_count <= total && memcmp(found, plain, found_count) == 0,
		"%s at %zu: %zu bytes, %zu by one", what, where, found_count, total);
	CHECK(result.gave_up || found_count == total, "%s at %zu: %zu bytes, %zu by one", what,
		where, found_count, total);
}

/* Every cut and every flipped bit of a small stream; every `step`th byte of a long one. */
static void
test_damage(const char *what, size_t plain_count, int memory, size_t step)
{
	unsigned char *whole = malloc(PLAIN_BYTES);
	size_t         count;

	random_state = 3;
	make_mixture(plain, plain_count);
	if (step > 1)
		make_weights(plain, plain_count);
	count = pack(plain, plain_count, 6, memory, Z_DEFAULT_STRATEGY, PLAIN_BYTES, whole,
		PLAIN_BYTES);
	for (size_t at = 1; at < count; at += step)
		compare(what, at, whole, at, plain_count);
	for (size_t at = 0; at < count; at += step) {
		for (unsigned bit = 0; bit < 8; bit++) {
			memcpy(packed, whole, count);
			packed[at] ^= (unsigned char)(1 << bit);
			compare(what, at, packed, count, plain_count);
		}
	}
	free(whole);
}

/* The length is another one, or bytes follow: not for two places to judge. */
static void
test_lengths(void)
{
	size_t count;

	random_state = 4;
	make_weights(plain, PLAIN_BYTES);
	count = pack(plain, PLAIN_BYTES, 6, 8, Z_DEFAULT_STRATEGY, PLAIN_BYTES, packed,
		2 * PLAIN_BYTES);
	packed[count] = 0;
	CHECK(!inflate_both(packed, count, ROUND, ROUND, PLAIN_BYTES).gave_up, "as declared");
	CHECK(inflate_both(packed, count, ROUND, ROUND, PLAIN_BYTES - 1).gave_up, "longer");
	CHECK(found_count < PLAIN_BYTES, "longer: %zu", found_count);
	CHECK(inflate_both(packed, count, ROUND, ROUND, PLAIN_BYTES + 1).gave_up, "shorter");
	CHECK(inflate_both(packed, count, ROUND, ROUND, 10).gave_up && found_count == 0,
		"much longer: %zu", found_count);
	CHECK(inflate_both(packed, count + 1, ROUND, ROUND, PLAIN_BYTES).gave_up, "behind");
	CHECK(inflate_both(packed, count, ROUND, 1, PLAIN_BYTES).met >= 9, "byte by byte");
	inflate_ahead_close(NULL);
}

/* ---- a sink that fails -------------------------------------------------------------- */

static bool
take_some_slabs(void *context, struct slab *slab, struct error *err)
{
	size_t *left = context;

	slab_release(slab);
	return (*left)-- > 0 || error_set(err, ERROR_NO_OUTPUT, "full", "no more of them");
}

/* Whichever slab the sink does not want, its reason comes back, and no slab is lost. */
static void
test_sink(const char *what, void (*make)(unsigned char *, size_t), size_t round)
{
	size_t count, slabs = 0;
	bool   done = false;

	random_state = 5;
	make(plain, PLAIN_BYTES);
	count = pack(plain, PLAIN_BYTES, 6, 8, Z_DEFAULT_STRATEGY, PLAIN_BYTES, packed,
		2 * PLAIN_BYTES);
	for (; !done; slabs++) {
		struct error          err = { 0 };
		struct slab_pool     *pool = slab_pool_open(INFLATE_AHEAD_SLABS, &err);
		size_t                left = slabs;
		struct inflate_ahead *ahead = inflate_ahead_open(PLAIN_BYTES, round, pool,
			take_some_slabs, &left, &err);

		done = inflate_ahead_feed(ahead, packed, count, true, &err);
		CHECK(done == (err.kind == ERROR_NONE) && (done || strcmp(err.slug, "full") == 0),
			"%s: %zu slabs: %s", what, slabs, err.text);
		inflate_ahead_close(ahead);
		for (size_t i = 0; i < INFLATE_AHEAD_SLABS; i++)
			slab_take(pool);        /* would wait for one that is lost */
		slab_pool_close(pool);
	}
	CHECK(slabs >= PLAIN_BYTES / SLAB_BYTES, "%s: %zu slabs", what, slabs);
}

/* ---- a place that was left ---------------------------------------------------------- */

#define LONG_BYTES ((size_t)20 << 20)

/* Contents that grow until zlib has made so many bytes of them. */
struct growing {
	unsigned char *plain, *packed;
	size_t         count;
	z_stream       zlib;
};

static void
grow(struct growing *growing, size_t count)
{
	growing->zlib.next_in = growing->plain + growing->count;
	growing->zlib.avail_in = (uInt)count;
	deflate(&growing->zlib, Z_NO_FLUSH);
	growing->count += count;
}

static void
grow_symbols(struct growing *growing, uint32_t symbols, size_t count)
{
	for (size_t i = 0; i < count; i++)
		growing->plain[growing->count + i] = (unsigned char)(random_number() % symbols);
	grow(growing, count);
}

/* Short repetitions from far away, which are slow to inflate. */
static void
grow_repeats(struct growing *growing, size_t count)
{
	unsigned char *to = growing->plain + growing->count;

	for (size_t i = 0; i < count;) {
		const unsigned char *from;

		if (random_number() % 5 == 0)
			to[i++] = (unsigned char)random_number();
		from = to + i - 20000 - random_number() % 12000;
		for (size_t end = i + 5; i < end && i < count; i++)
			to[i] = *from++;
	}
	grow(growing, count);
}

static void
grow_zeros(struct growing *growing, size_t count)
{
	memset(growing->plain + growing->count, 0, count);
	grow(growing, count);
}

/*
 * The front comes fast to the place ahead, becomes the one that is left, and is not set to a new
 * place for long: it must stand still, for its slab has others by then.
 */
static void
test_left_place(void)
{
	struct growing growing = { .plain = malloc(LONG_BYTES), .packed = malloc(LONG_BYTES) };
	const size_t   quarter = INFLATE_AHEAD_ROUND / 4;
	struct result  result;

	random_state = 16;
	deflateInit2(&growing.zlib, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
	growing.zlib.next_out = growing.packed;
	growing.zlib.avail_out = (uInt)LONG_BYTES;
	while (growing.zlib.total_out < 2 * quarter)
		grow_symbols(&growing, 200, 65536);
	while (growing.zlib.total_out < 4 * quarter - 30000)
		grow_symbols(&growing, 40, 32768);
	grow_symbols(&growing, 200, 32768);
	grow_symbols(&growing, 256, 65536);
	grow_zeros(&growing, 400000);
	while (growing.zlib.total_out < 6 * quarter - 40000)
		grow_repeats(&growing, 65536);
	grow_symbols(&growing, 200, 808000);
	grow_zeros(&growing, 1024000);
	while (growing.zlib.total_out < 9 * quarter)
		grow_symbols(&growing, 200, 65536);
	deflate(&growing.zlib, Z_FINISH);
	found = realloc(found, growing.count);
	result = inflate_both(growing.packed, growing.zlib.total_out, INFLATE_AHEAD_ROUND, 1 << 20,
		growing.count);
	CHECK(!result.gave_up && result.met >= 2 && found_count == growing.count
		&& memcmp(found, growing.plain, growing.count) == 0, "met %u",
		(unsigned)result.met);
	deflateEnd(&growing.zlib);
	free(growing.plain);
	free(growing.packed);
}

int
main(void)
{
	plain = malloc(2 * PLAIN_BYTES);
	packed = malloc(2 * PLAIN_BYTES);
	found = malloc(2 * PLAIN_BYTES);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		test_row(&rows[i]);
	test_planted();
	test_left_place();
	test_damage("small", 1500, 1, 1);
	test_damage("long", 400000, 8, 9973);
	test_lengths();
	test_sink("weights", make_weights, ROUND);
	test_sink("weights, one round", make_weights, INFLATE_AHEAD_ROUND);
	test_sink("zeros", make_zeros, ROUND);
	test_sink("mixture", make_mixture, ROUND);
	free(plain);
	free(packed);
	free(found);
	return check_end("inflate_ahead");
}
