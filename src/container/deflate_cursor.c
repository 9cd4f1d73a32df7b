#include "container/deflate_cursor.h"

/* What one turn of a loop reads, and writes, at most. */
#define TURN_INPUT 64
#define TURN_ROOM  512

/* A cursor while it is in a block with codes: in registers. */
struct reader {
	const unsigned char *in;        /* up to eight bytes ahead of the next bit */
	uint64_t             bits;
	unsigned             count;     /* of bits that are valid */
	unsigned char       *out;
};

enum outcome { GOES_ON, BLOCK_ENDS, DAMAGED };

/* Hot, and run in pairs: only in registers are they fast. */
#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* At least 56 bits. */
ALWAYS_INLINE void
refill(struct reader *reader)
{
	reader->bits |= deflate_bits(reader->in, 0) << reader->count;
	reader->in += (63 - reader->count) >> 3;
	reader->count |= 56;
}

/* The next `count` bits as a number. */
ALWAYS_INLINE unsigned
take(struct reader *reader, unsigned count)
{
	unsigned taken = (unsigned)(reader->bits & (((uint64_t)1 << count) - 1));

	reader->bits >>= count;
	reader->count -= count;
	return taken;
}

ALWAYS_INLINE uint32_t
look_up(const uint32_t *table, const struct reader *reader, unsigned bits)
{
	return table[reader->bits & ((1u << bits) - 1)];
}

ALWAYS_INLINE uint32_t
look_up_second(const uint32_t *table, const struct reader *reader, unsigned bits, uint32_t link)
{
	return table[(link >> 8 & 0xffff)
		+ (reader->bits >> bits & ((1u << (link & 31)) - 1))];
}

ALWAYS_INLINE void
put_literal(struct reader *reader, uint32_t entry)
{
	take(reader, entry & 31);
	*reader->out++ = (unsigned char)(entry >> 8);
}

/* The number an entry stands for: base and extra bits. */
ALWAYS_INLINE unsigned
take_number(struct reader *reader, uint32_t entry)
{
	take(reader, entry & 31);
	return (entry >> 13) + take(reader, entry >> 8 & 15);
}

/* May write seven bytes more. */
ALWAYS_INLINE void
copy_match(struct reader *reader, unsigned length, unsigned distance)
{
	unsigned char       *to = reader->out, *end = to + length;
	const unsigned char *from = to - distance;

	reader->out = end;
	if (distance >= 8) {
		do {
			memcpy(to, from, 8);
			to += 8;
			from += 8;
		} while (to < end);
	} else {
		do
			*to++ = *from++;
		while (to < end);
	}
}

/* What `entry`, the next one, says where it is no literal of the first table. */
ALWAYS_INLINE enum outcome
take_other(const struct deflate_cursor *cursor, struct reader *reader, uint32_t entry)
{
	unsigned length, distance;

	refill(reader);
	if (entry & ENTRY_LINK)
		entry = look_up_second(cursor->codes.literals, reader, LITERAL_BITS, entry);
	if (entry & ENTRY_LITERAL) {
		put_literal(reader, entry);
		return GOES_ON;
	}
	if (entry & ENTRY_SPECIAL) {
		take(reader, entry & 31);
		return entry & ENTRY_NOTHING ? DAMAGED : BLOCK_ENDS;
	}
	length = take_number(reader, entry);
	refill(reader);
	entry = look_up(cursor->codes.distances, reader, DISTANCE_BITS);
	if (entry & ENTRY_LINK)
		entry = look_up_second(cursor->codes.distances, reader, DISTANCE_BITS, entry);
	if (entry & ENTRY_SPECIAL)
		return DAMAGED;
	distance = take_number(reader, entry);
	if (distance > (size_t)(reader->out - cursor->history))
		return DAMAGED;
	copy_match(reader, length, distance);
	return GOES_ON;
}

/* ---- in and out of the loops -------------------------------------------------------- */

static struct reader
enter(const struct deflate_cursor *cursor)
{
	struct reader reader = { .in = cursor->input + cursor->bit / 8, .out = cursor->out };

	refill(&reader);
	take(&reader, cursor->bit % 8);
	return reader;
}

/* What stands behind the end of the input was never there. */
static void
leave(struct deflate_cursor *cursor, const struct reader *reader, enum outcome outcome)
{
	cursor->bit = (uint64_t)(reader->in - cursor->input) * 8 - reader->count;
	cursor->out = reader->out;
	if (outcome == BLOCK_ENDS)
		cursor->place = cursor->last ? DEFLATE_ENDED : DEFLATE_BETWEEN;
	if (outcome == DAMAGED
	    || cursor->bit > (uint64_t)(cursor->input_end - cursor->input) * 8)
		cursor->place = DEFLATE_REFUSED;
}

/* The loops go on while they have not come there.  Zeros stand behind all of a stream. */
static const unsigned char *
input_limit(const struct deflate_cursor *cursor)
{
	return cursor->is_all ? cursor->input_end + 16 : cursor->input_end - TURN_INPUT;
}

static enum deflate_wants
lacks(const struct deflate_cursor *cursor)
{
	if (cursor->place != DEFLATE_IN_CODES)
		return DEFLATE_WANTS_NOTHING;
	return cursor->out_end - cursor->out <= TURN_ROOM ? DEFLATE_WANTS_ROOM
		: DEFLATE_WANTS_INPUT;
}

/* ---- blocks with codes -------------------------------------------------------------- */

static enum deflate_wants
run_codes(struct deflate_cursor *cursor)
{
	const uint32_t      *table = cursor->codes.literals;
	const unsigned char *in_limit = input_limit(cursor);
	const unsigned char *out_limit = cursor->out_end - TURN_ROOM;
	struct reader        reader = enter(cursor);
	enum outcome         outcome = GOES_ON;

	while (reader.in < in_limit && reader.out < out_limit && outcome == GOES_ON) {
		uint32_t entry;
		unsigned literals = 0;

		refill(&reader);
		entry = look_up(table, &reader, LITERAL_BITS);
		while (entry & ENTRY_LITERAL && literals < 4) {
			put_literal(&reader, entry);
			entry = look_up(table, &reader, LITERAL_BITS);
			literals++;
		}
		if (literals < 4)
			outcome = take_other(cursor, &reader, entry);
	}
	leave(cursor, &reader, outcome);
	return lacks(cursor);
}

unsigned
deflate_cursor_run_two(struct deflate_cursor *a, struct deflate_cursor *b)
{
	const uint32_t      *table_a = a->codes.literals, *table_b = b->codes.literals;
	const unsigned char *in_limit_a = input_limit(a), *in_limit_b = input_limit(b);
	const unsigned char *out_limit_a = a->out_end - TURN_ROOM;
	const unsigned char *out_limit_b = b->out_end - TURN_ROOM;
	struct reader        reader_a = enter(a), reader_b = enter(b);
	enum outcome         outcome_a = GOES_ON, outcome_b = GOES_ON;
	unsigned             stops = 0;

	for (;;) {
		uint32_t entry_a, entry_b;
		unsigned literals = 0;

		if (outcome_a != GOES_ON || reader_a.in >= in_limit_a
		    || reader_a.out >= out_limit_a)
			stops |= 1;
		if (outcome_b != GOES_ON || reader_b.in >= in_limit_b
		    || reader_b.out >= out_limit_b)
			stops |= 2;
		if (stops != 0)
			break;
		refill(&reader_a);
		refill(&reader_b);
		entry_a = look_up(table_a, &reader_a, LITERAL_BITS);
		entry_b = look_up(table_b, &reader_b, LITERAL_BITS);
		while (entry_a & entry_b & ENTRY_LITERAL && literals < 4) {
			put_literal(&reader_a, entry_a);
			put_literal(&reader_b, entry_b);
			entry_a = look_up(table_a, &reader_a, LITERAL_BITS);
			entry_b = look_up(table_b, &reader_b, LITERAL_BITS);
			literals++;
		}
		if (literals < 4 && !(entry_a & ENTRY_LITERAL))
			outcome_a = take_other(a, &reader_a, entry_a);
		if (literals < 4 && !(entry_b & ENTRY_LITERAL))
			outcome_b = take_other(b, &reader_b, entry_b);
	}
	leave(a, &reader_a, outcome_a);
	leave(b, &reader_b, outcome_b);
	return stops;
}

/* ---- other blocks, and between them ------------------------------------------------- */

static enum deflate_wants
run_stored(struct deflate_cursor *cursor)
{
	const unsigned char *from = cursor->input + cursor->bit / 8;
	size_t               count = cursor->stored;

	if (count > (size_t)(cursor->input_end - from))
		count = (size_t)(cursor->input_end - from);
	if (count > (size_t)(cursor->out_end - cursor->out))
		count = (size_t)(cursor->out_end - cursor->out);
	memcpy(cursor->out, from, count);
	cursor->out += count;
	cursor->bit += count * 8;
	cursor->stored -= count;
	if (cursor->stored > 0)
		return cursor->out == cursor->out_end ? DEFLATE_WANTS_ROOM : DEFLATE_WANTS_INPUT;
	cursor->place = cursor->last ? DEFLATE_ENDED : DEFLATE_BETWEEN;
	return DEFLATE_WANTS_NOTHING;
}

/* From the next byte on: u16 length, its complement. */
static bool
begin_stored(struct deflate_cursor *cursor)
{
	uint64_t bits;

	cursor->bit = (cursor->bit + 7) / 8 * 8;
	bits = deflate_bits(cursor->input, cursor->bit);
	cursor->bit += 32;
	cursor->stored = bits & 0xffff;
	cursor->place = DEFLATE_IN_STORED;
	return (bits & 0xffff) == (~bits >> 16 & 0xffff);
}

static enum deflate_wants
begin_block(struct deflate_cursor *cursor)
{
	uint64_t end = (uint64_t)(cursor->input_end - cursor->input) * 8;
	uint64_t bits;
	bool     begun;

	if (cursor->bit > end
	    || (!cursor->is_all && end - cursor->bit < (uint64_t)DEFLATE_HEADER_BYTES * 8))
		return DEFLATE_WANTS_INPUT;
	bits = deflate_bits(cursor->input, cursor->bit);
	cursor->bit += 3;
	cursor->last = bits & 1;
	cursor->place = DEFLATE_IN_CODES;
	switch (bits >> 1 & 3) {
	case 0:
		begun = begin_stored(cursor);
		break;
	case 1:
		deflate_codes_fixed(&cursor->codes);
		begun = true;
		break;
	case 2:
		begun = deflate_codes_read(&cursor->codes, cursor->input, &cursor->bit);
		break;
	default:
		begun = false;
	}
	if (!begun || cursor->bit > end)
		cursor->place = DEFLATE_REFUSED;
	return DEFLATE_WANTS_NOTHING;
}

enum deflate_wants
deflate_cursor_run(struct deflate_cursor *cursor)
{
	switch (cursor->place) {
	case DEFLATE_BETWEEN:
		return begin_block(cursor);
	case DEFLATE_IN_CODES:
		return run_codes(cursor);
	case DEFLATE_IN_STORED:
		return run_stored(cursor);
	default:
		return DEFLATE_WANTS_NOTHING;
	}
}
