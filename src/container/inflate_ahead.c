#include "container/inflate_ahead.h"

#include "container/deflate_cursor.h"

#include <stdlib.h>

/* How far a block's beginning is looked for: zlib makes one of 30 KiB of weights. */
#define SEARCH_BYTES ((size_t)64 << 10)
/* So much is made, at first and at most, to come to 32 KiB without an unknown byte. */
#define HEAD_FIRST   ((size_t)72 << 10)
#define HEAD_MOST    ((size_t)288 << 10)
/* Of a round: less input is not worth it. */
#define LEAST_PART   16

#define PLACE_SLABS  (INFLATE_AHEAD_SLABS - 2)  /* one for the front, one that it goes on to */

/* A place in the stream, and the slabs it fills: each begins with the window before it. */
struct place {
	struct deflate_cursor cursor;
	struct slab          *slabs[PLACE_SLABS];
	size_t                slab_count;       /* the last one is being filled */
	bool                  goes_on;
};

struct inflate_ahead {
	struct slab_pool     *pool;
	inflate_ahead_sink   *sink;
	void                 *context;
	uint64_t              declared, made, met;
	unsigned char        *input;            /* and DEFLATE_SLACK zeros */
	size_t                filled, capacity;
	struct place         *front, *ahead;
	uint64_t              ahead_start;      /* its first bit */
	size_t                unknown;          /* of its first bytes */
	struct deflate_cursor other;            /* begins at the same bit */
	unsigned char        *other_bytes;      /* a window, then what it makes */
	bool                  gave_up;
};

/* ---- slabs ------------------------------------------------------------------------- */

/* The slab that is being filled is as full as it will get. */
static void
end_slab(struct place *place)
{
	struct slab *slab = place->slabs[place->slab_count - 1];

	slab->length = (size_t)(place->cursor.out - slab->bytes) - DEFLATE_WINDOW;
}

/* Another slab for the place, and the window that its last one ends with. */
static void
next_slab(struct inflate_ahead *ahead, struct place *place)
{
	struct slab           *slab = slab_take(ahead->pool);
	struct deflate_cursor *cursor = &place->cursor;
	size_t                 known = 0;

	slab->start = DEFLATE_WINDOW;
	if (place->slab_count > 0) {
		end_slab(place);
		known = (size_t)(cursor->out - cursor->history);
		if (known > DEFLATE_WINDOW)
			known = DEFLATE_WINDOW;
		memcpy(slab->bytes + DEFLATE_WINDOW - known, cursor->out - known, known);
	}
	place->slabs[place->slab_count++] = slab;
	cursor->out = slab->bytes + DEFLATE_WINDOW;
	cursor->out_end = slab->bytes + SLAB_BYTES;
	cursor->history = cursor->out - known;
}

/* Hands over the place's first slab. */
static bool
send_slab(struct inflate_ahead *ahead, struct place *place, struct error *err)
{
	struct slab *slab = place->slabs[0];

	place->slab_count--;
	memmove(place->slabs, place->slabs + 1, place->slab_count * sizeof *place->slabs);
	if (slab->length > ahead->declared - ahead->made)
		ahead->gave_up = true;
	if (ahead->gave_up || slab->length == 0) {
		slab_release(slab);
		return true;
	}
	ahead->made += slab->length;
	return ahead->sink(ahead->context, slab, err);
}

static void
drop_slabs(struct place *place)
{
	while (place->slab_count > 0)
		slab_release(place->slabs[--place->slab_count]);
}

/* ---- the place ahead ---------------------------------------------------------------- */

static void
set_at(struct deflate_cursor *cursor, const struct inflate_ahead *ahead, uint64_t bit)
{
	cursor->place = DEFLATE_BETWEEN;
	cursor->bit = bit;
	cursor->input = ahead->input;
	cursor->input_end = ahead->input + ahead->filled;
	cursor->is_all = ahead->front->cursor.is_all;
}

static void
set_room(struct deflate_cursor *cursor, unsigned char *out, size_t room)
{
	cursor->out = out;
	cursor->out_end = out + room;
	cursor->history = out - DEFLATE_WINDOW;
}

static bool
go_on(struct deflate_cursor *cursor)
{
	return deflate_cursor_run(cursor) == DEFLATE_WANTS_NOTHING
		&& cursor->place != DEFLATE_ENDED && cursor->place != DEFLATE_REFUSED;
}

static bool
in_codes(const struct deflate_cursor *a, const struct deflate_cursor *b)
{
	return a->place == DEFLATE_IN_CODES && b->place == DEFLATE_IN_CODES;
}

/* Both as far as their room goes; they read the same, but need not stop at the same code. */
static void
run_heads(struct deflate_cursor *a, struct deflate_cursor *b)
{
	bool a_goes = true, b_goes = true;

	while (a_goes || b_goes) {
		if (in_codes(a, b) && a_goes && b_goes)
			deflate_cursor_run_two(a, b);
		a_goes = a_goes && go_on(a);
		b_goes = b_goes && go_on(b);
	}
}

/* The last 32 KiB that both have made are the same: then *unknown is how many bytes before that
 * may differ. */
static bool
heads_agree(const unsigned char *a, const unsigned char *b, size_t made, size_t *unknown)
{
	if (made < DEFLATE_WINDOW || memcmp(a + made - DEFLATE_WINDOW,
	    b + made - DEFLATE_WINDOW, DEFLATE_WINDOW) != 0)
		return false;
	*unknown = made - DEFLATE_WINDOW;
	while (*unknown > 0 && a[*unknown - 1] == b[*unknown - 1])
		--*unknown;
	return true;
}

/* From the start of the place ahead on, until nothing comes from before it. */
static bool
run_head(struct inflate_ahead *ahead)
{
	struct place         *place = ahead->ahead;
	struct deflate_cursor *a = &place->cursor, *b = &ahead->other;
	unsigned char        *a_bytes, *b_bytes = ahead->other_bytes + DEFLATE_WINDOW;
	bool                  agree = false;

	next_slab(ahead, place);
	a_bytes = a->out;
	memset(a_bytes - DEFLATE_WINDOW, 0, DEFLATE_WINDOW);
	memset(b_bytes - DEFLATE_WINDOW, 0xff, DEFLATE_WINDOW);
	set_at(a, ahead, ahead->ahead_start);
	set_at(b, ahead, ahead->ahead_start);
	set_room(a, a_bytes, 0);
	set_room(b, b_bytes, 0);
	for (size_t room = HEAD_FIRST; !agree && room <= HEAD_MOST; room *= 2) {
		size_t a_made, b_made;

		a->out_end = a_bytes + room;
		b->out_end = b_bytes + room;
		run_heads(a, b);
		a_made = (size_t)(a->out - a_bytes);
		b_made = (size_t)(b->out - b_bytes);
		agree = heads_agree(a_bytes, b_bytes, a_made < b_made ? a_made : b_made,
			&ahead->unknown);
		if (a->place == DEFLATE_REFUSED)
			return false;
	}
	a->out_end = a_bytes + SLAB_BYTES - DEFLATE_WINDOW;
	return agree;
}

static void
drop_ahead(struct inflate_ahead *ahead)
{
	drop_slabs(ahead->ahead);
	ahead->ahead_start = UINT64_MAX;
	ahead->ahead->goes_on = false;
}

/* Looks for a place half way through the input. */
static void
look_ahead(struct inflate_ahead *ahead)
{
	size_t from = (size_t)(ahead->front->cursor.bit / 8);
	size_t middle = from + (ahead->filled - from) / 2, end = ahead->filled;

	if (end - from < ahead->capacity / LEAST_PART)
		return;
	if (end - middle > SEARCH_BYTES)
		end = middle + SEARCH_BYTES;
	ahead->ahead_start = deflate_codes_search(ahead->input, (uint64_t)middle * 8,
		(uint64_t)end * 8);
	if (ahead->ahead_start == UINT64_MAX)
		return;
	ahead->ahead->goes_on = run_head(ahead);
	if (!ahead->ahead->goes_on)
		drop_ahead(ahead);
}

/* The place ahead has come to the end of a block, or lacks something. */
static void
advance_ahead(struct inflate_ahead *ahead)
{
	struct place      *place = ahead->ahead;
	enum deflate_wants wants = deflate_cursor_run(&place->cursor);

	if (wants == DEFLATE_WANTS_ROOM && place->slab_count < PLACE_SLABS)
		next_slab(ahead, place);
	else if (wants != DEFLATE_WANTS_NOTHING || place->cursor.place == DEFLATE_ENDED)
		place->goes_on = false;
	else if (place->cursor.place == DEFLATE_REFUSED)
		drop_ahead(ahead);
}

/* ---- the front ---------------------------------------------------------------------- */

/* The first bytes of the place ahead, now that what was before them is known. */
static bool
make_unknown(struct inflate_ahead *ahead)
{
	const struct deflate_cursor *front = &ahead->front->cursor;
	struct deflate_cursor       *other = &ahead->other;
	unsigned char               *bytes = ahead->other_bytes + DEFLATE_WINDOW;

	if ((size_t)(front->out - front->history) < DEFLATE_WINDOW)
		return false;
	memcpy(ahead->other_bytes, front->out - DEFLATE_WINDOW, DEFLATE_WINDOW);
	set_at(other, ahead, ahead->ahead_start);
	set_room(other, bytes, ahead->unknown + DEFLATE_SLACK);
	while (go_on(other))
		;
	if ((size_t)(other->out - bytes) < ahead->unknown)
		return false;
	memcpy(ahead->ahead->slabs[0]->bytes + DEFLATE_WINDOW, bytes, ahead->unknown);
	return true;
}

/* The front is between two blocks: if that is where the place ahead began, that one is the front
 * from now on. */
static bool
meet_ahead(struct inflate_ahead *ahead, struct error *err)
{
	struct place *before = ahead->front;

	if (before->cursor.bit < ahead->ahead_start)
		return true;
	if (before->cursor.bit > ahead->ahead_start || !make_unknown(ahead)) {
		drop_ahead(ahead);
		return true;
	}
	ahead->front = ahead->ahead;
	ahead->ahead = before;
	before->goes_on = false;        /* until it is set to another place */
	ahead->ahead_start = UINT64_MAX;
	ahead->met++;
	end_slab(before);
	if (!send_slab(ahead, before, err))
		return false;
	while (ahead->front->slab_count > 1)
		if (!send_slab(ahead, ahead->front, err))
			return false;
	return true;
}

/* false with *over: no more can be made of this input. */
static bool
advance_front(struct inflate_ahead *ahead, bool *over, struct error *err)
{
	struct place      *front = ahead->front;
	enum deflate_wants wants = deflate_cursor_run(&front->cursor);

	if (front->cursor.place == DEFLATE_REFUSED) {
		ahead->gave_up = true;
	} else if (wants == DEFLATE_WANTS_ROOM) {
		next_slab(ahead, front);
		return send_slab(ahead, front, err);
	}
	*over = wants == DEFLATE_WANTS_INPUT || front->cursor.place == DEFLATE_ENDED;
	return true;
}

/* ---- rounds ------------------------------------------------------------------------- */

enum { FRONT_STOPS = 1, AHEAD_STOPS = 2 };

/* All that the input gives. */
static bool
run_both(struct inflate_ahead *ahead, struct error *err)
{
	bool over = false;

	while (!over && !ahead->gave_up) {
		struct deflate_cursor *front, *other;
		unsigned               stops = FRONT_STOPS;
		bool                   both;

		if (ahead->front->cursor.place == DEFLATE_BETWEEN && !meet_ahead(ahead, err))
			return false;
		front = &ahead->front->cursor;
		other = &ahead->ahead->cursor;
		both = ahead->ahead->goes_on && in_codes(front, other);
		if (both)
			stops = deflate_cursor_run_two(front, other);
		else if (ahead->ahead->goes_on && other->place != DEFLATE_IN_CODES)
			stops = AHEAD_STOPS;
		if (stops & AHEAD_STOPS)
			advance_ahead(ahead);
		if (!(stops & FRONT_STOPS) || (both && front->place != DEFLATE_IN_CODES))
			continue;
		if (!advance_front(ahead, &over, err))
			return false;
	}
	return true;
}

/* The stream has ended, with the input, and the front sends what it still holds. */
static bool
end_stream(struct inflate_ahead *ahead, struct error *err)
{
	struct place *front = ahead->front;

	if (front->cursor.place != DEFLATE_ENDED
	    || (front->cursor.bit + 7) / 8 != ahead->filled)
		ahead->gave_up = true;
	if (ahead->gave_up)
		return true;
	end_slab(front);
	if (!send_slab(ahead, front, err))
		return false;
	ahead->gave_up = ahead->gave_up || ahead->made != ahead->declared;
	return true;
}

/* What was not used stays for the next round. */
static void
keep_rest(struct inflate_ahead *ahead)
{
	struct deflate_cursor *front = &ahead->front->cursor;
	size_t                 used = (size_t)(front->bit / 8);

	memmove(ahead->input, ahead->input + used, ahead->filled - used);
	ahead->filled -= used;
	front->bit %= 8;
}

static bool
run_round(struct inflate_ahead *ahead, bool is_all, struct error *err)
{
	struct deflate_cursor *front = &ahead->front->cursor;

	memset(ahead->input + ahead->filled, 0, DEFLATE_SLACK);
	front->input = ahead->input;
	front->input_end = ahead->input + ahead->filled;
	front->is_all = is_all;
	if (ahead->front->slab_count == 0)
		next_slab(ahead, ahead->front);
	look_ahead(ahead);
	if (!run_both(ahead, err))
		return false;
	drop_ahead(ahead);
	if (is_all)
		return end_stream(ahead, err);
	if (ahead->front->cursor.place == DEFLATE_ENDED)
		ahead->gave_up = true;
	if (!ahead->gave_up)
		keep_rest(ahead);
	return true;
}

bool
inflate_ahead_feed(struct inflate_ahead *ahead, const unsigned char *bytes, size_t count,
	bool last, struct error *err)
{
	while (!ahead->gave_up && (count > 0 || last)) {
		size_t taken = ahead->capacity - ahead->filled;

		if (taken > count)
			taken = count;
		memcpy(ahead->input + ahead->filled, bytes, taken);
		ahead->filled += taken;
		bytes += taken;
		count -= taken;
		if (count == 0 && last)
			return run_round(ahead, true, err);
		if (ahead->filled == ahead->capacity && !run_round(ahead, false, err))
			return false;
	}
	return true;
}

bool
inflate_ahead_gave_up(const struct inflate_ahead *ahead)
{
	return ahead->gave_up;
}

uint64_t
inflate_ahead_made(const struct inflate_ahead *ahead)
{
	return ahead->made;
}

uint64_t
inflate_ahead_met(const struct inflate_ahead *ahead)
{
	return ahead->met;
}

struct inflate_ahead *
inflate_ahead_open(uint64_t declared_length, size_t round_bytes, struct slab_pool *pool,
	inflate_ahead_sink *sink, void *context, struct error *err)
{
	struct inflate_ahead *ahead = calloc(1, sizeof *ahead);

	if (ahead != NULL) {
		ahead->declared = declared_length;
		ahead->capacity = round_bytes;
		ahead->pool = pool;
		ahead->sink = sink;
		ahead->context = context;
		ahead->ahead_start = UINT64_MAX;
		ahead->input = malloc(round_bytes + DEFLATE_SLACK);
		ahead->other_bytes = malloc(DEFLATE_WINDOW + HEAD_MOST + DEFLATE_SLACK);
		ahead->front = calloc(1, sizeof *ahead->front);
		ahead->ahead = calloc(1, sizeof *ahead->ahead);
	}
	if (ahead != NULL && ahead->input != NULL && ahead->other_bytes != NULL
	    && ahead->front != NULL && ahead->ahead != NULL)
		return ahead;
	inflate_ahead_close(ahead);
	error_no_memory(err, INFLATE_AHEAD_BYTES);
	return NULL;
}

void
inflate_ahead_close(struct inflate_ahead *ahead)
{
	if (ahead == NULL)
		return;
	if (ahead->front != NULL)
		drop_slabs(ahead->front);
	if (ahead->ahead != NULL)
		drop_slabs(ahead->ahead);
	free(ahead->front);
	free(ahead->ahead);
	free(ahead->input);
	free(ahead->other_bytes);
	free(ahead);
}
