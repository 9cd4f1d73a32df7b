/*
 * Canonical codes, and where a deflate block says them (RFC 1951, 3.2.7).  Bits fill each byte
 * from its low end; codes come with their first bit first, numbers with their lowest:
 *
 *     1 bit    last block
 *     2 bits   type: 0 stored, 1 fixed codes, 2 codes of its own
 *     5 bits   literal and length codes - 257
 *     5 bits   distance codes - 1
 *     4 bits   lengths of the third code - 4
 *     3 bits   each of these, in the order of `length_order`
 *     ...      the lengths of all codes, in the third code: 0 to 15 a length; 16 the last one 3
 *              to 6 times (2 bits), 17 none 3 to 10 times (3 bits), 18 none 11 to 138 times (7)
 */
#include "container/deflate_codes.h"

#define LONGEST        15
#define LENGTH_CODES   19
#define LENGTH_BITS    7
#define END_OF_BLOCK   256
#define MAX_LITERALS   286
#define MAX_DISTANCES  30
#define LONGEST_REPEAT 138

/* Headers that a search may begin to read: some fifty are usual. */
#define SEARCH_TRIES   1000

static const uint8_t length_order[LENGTH_CODES] = {
	16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
};

static const uint16_t match_bases[] = {
	3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115,
	131, 163, 195, 227, 258,
};

/* ---- what a number of the code means, as an entry ---------------------------------- */

typedef uint32_t entry_of(unsigned number);

static uint32_t
literal_entry(unsigned number)
{
	unsigned match = number - END_OF_BLOCK - 1;
	uint32_t extra = match < 8 || match == 28 ? 0 : match / 4 - 1;

	if (number < END_OF_BLOCK)
		return ENTRY_LITERAL | number << 8;
	if (number == END_OF_BLOCK)
		return ENTRY_SPECIAL;
	return number < MAX_LITERALS ? (uint32_t)match_bases[match] << 13 | extra << 8
		: ENTRY_SPECIAL | ENTRY_NOTHING;
}

static uint32_t
distance_entry(unsigned number)
{
	uint32_t extra = number < 2 ? 0 : number / 2 - 1;
	uint32_t base = number < 2 ? number + 1 : ((2 + number % 2) << extra) + 1;

	return number < MAX_DISTANCES ? base << 13 | extra << 8 : ENTRY_SPECIAL | ENTRY_NOTHING;
}

static uint32_t
length_entry(unsigned number)
{
	return number << 8;
}

/* ---- tables ------------------------------------------------------------------------ */

/* How many codes of each length there are; false: they are not a complete code. */
static bool
count_lengths(const uint8_t *lengths, unsigned count, unsigned of_length[LONGEST + 1])
{
	unsigned taken = 0;

	memset(of_length, 0, (LONGEST + 1) * sizeof *of_length);
	for (unsigned i = 0; i < count; i++)
		of_length[lengths[i]]++;
	for (unsigned length = 1; length <= LONGEST; length++)
		taken += of_length[length] << (LONGEST - length);
	return taken == 1 << LONGEST;
}

/* The first bit of a code comes first, so it is the lowest of an index. */
static unsigned
reversed(unsigned code, unsigned length)
{
	code = (code & 0x5555) << 1 | (code >> 1 & 0x5555);
	code = (code & 0x3333) << 2 | (code >> 2 & 0x3333);
	code = (code & 0x0f0f) << 4 | (code >> 4 & 0x0f0f);
	code = (code & 0x00ff) << 8 | code >> 8;
	return code >> (16 - length);
}

/* Bits of the second table for codes that begin alike, `length` being that of the first of them
 * and `left` how many more there are of that length: what the prefix leaves must be filled. */
static unsigned
second_bits(const unsigned of_length[LONGEST + 1], unsigned bits, unsigned length,
	unsigned left)
{
	unsigned second = length - bits, filled = left;

	while (filled < 1u << second && bits + second < LONGEST) {
		second++;
		filled = 2 * filled + of_length[bits + second];
	}
	return second;
}

/* The table of a code: `bits` of index, and behind it, in at most `room` entries, the second
 * tables of codes that are longer.  false: not a complete code, or no room. */
static bool
make_table(uint32_t *table, unsigned bits, unsigned room, const uint8_t *lengths,
	unsigned count, entry_of *entry)
{
	unsigned of_length[LONGEST + 1], next[LONGEST + 1], code = 0, done = 0;
	unsigned prefix = UINT32_MAX, second = 0, begin = 0, end = 1u << bits;
	uint16_t numbers[MAX_LITERALS + 2];     /* by length of their code */

	if (!count_lengths(lengths, count, of_length))
		return false;
	next[0] = next[1] = 0;
	for (unsigned length = 2; length <= LONGEST; length++)
		next[length] = next[length - 1] + of_length[length - 1];
	for (unsigned i = 0; i < count; i++)
		if (lengths[i] != 0)
			numbers[next[lengths[i]]++] = (uint16_t)i;
	for (unsigned length = 1; length <= LONGEST; length++, code <<= 1) {
		for (unsigned left = of_length[length]; left > 0; left--, code++, done++) {
			uint32_t value = entry(numbers[done]) | length;
			unsigned index = reversed(code, length);

			if (length <= bits) {
				for (; index < 1u << bits; index += 1u << length)
					table[index] = value;
				continue;
			}
			if ((index & ((1u << bits) - 1)) != prefix) {
				prefix = index & ((1u << bits) - 1);
				second = second_bits(of_length, bits, length, left);
				begin = end;
				end += 1u << second;
				if (end > (1u << bits) + room)
					return false;
				table[prefix] = ENTRY_SPECIAL | ENTRY_LINK | begin << 8 | second;
			}
			for (index >>= bits; index < 1u << second; index += 1u << (length - bits))
				table[begin + index] = value;
		}
	}
	return true;
}

static bool
make_codes(struct deflate_codes *codes, const uint8_t *lengths, unsigned literals,
	unsigned distances)
{
	return lengths[END_OF_BLOCK] != 0
		&& make_table(codes->literals, LITERAL_BITS, SECOND_ENTRIES, lengths, literals,
			literal_entry)
		&& make_table(codes->distances, DISTANCE_BITS, SECOND_ENTRIES,
			lengths + literals, distances, distance_entry);
}

void
deflate_codes_fixed(struct deflate_codes *codes)
{
	uint8_t lengths[288 + 32];

	memset(lengths, 8, 144);
	memset(lengths + 144, 9, 256 - 144);
	memset(lengths + 256, 7, 280 - 256);
	memset(lengths + 280, 8, 288 - 280);
	memset(lengths + 288, 5, 32);
	make_codes(codes, lengths, 288, 32);
}

/* ---- the header -------------------------------------------------------------------- */

struct header {
	unsigned literals, distances, third;
	uint64_t lengths;               /* of the third code, 3 bits each */
};

/* From the 14 bits of counts on. */
static struct header
read_counts(const unsigned char *bytes, uint64_t bit)
{
	uint64_t counts = deflate_bits(bytes, bit);

	return (struct header){ .literals = 257 + (counts & 31),
		.distances = 1 + (counts >> 5 & 31), .third = 4 + (counts >> 10 & 15),
		.lengths = deflate_bits(bytes, bit + 14) };
}

/* The third code is complete: one header in hundreds that chance made. */
static bool
third_is_complete(const struct header *header)
{
	unsigned taken = 0;

	for (unsigned i = 0; i < header->third; i++) {
		unsigned length = header->lengths >> 3 * i & 7;

		taken += length != 0 ? 1u << (LENGTH_BITS - length) : 0;
	}
	return taken == 1 << LENGTH_BITS;
}

/* The lengths of all codes; *bit stands behind those of the third one. */
static bool
read_lengths(const struct header *header, const unsigned char *bytes, uint64_t *bit,
	uint8_t *lengths)
{
	uint8_t  third[LENGTH_CODES] = { 0 };
	uint32_t table[1 << LENGTH_BITS];
	unsigned made = 0, wanted = header->literals + header->distances;

	for (unsigned i = 0; i < header->third; i++)
		third[length_order[i]] = header->lengths >> 3 * i & 7;
	if (!make_table(table, LENGTH_BITS, 0, third, LENGTH_CODES, length_entry))
		return false;
	while (made < wanted) {
		uint64_t bits = deflate_bits(bytes, *bit);
		uint32_t entry = table[bits & ((1 << LENGTH_BITS) - 1)];
		unsigned number = entry >> 8, taken = entry & 31, times = 1;

		bits >>= taken;
		if (number == 16 && made == 0)
			return false;
		if (number >= 16) {
			unsigned extra = number == 16 ? 2 : number == 17 ? 3 : 7;

			times = (number == 18 ? 11 : 3) + (unsigned)(bits & ((1u << extra) - 1));
			taken += extra;
			number = number == 16 ? lengths[made - 1] : 0;
		}
		*bit += taken;
		memset(lengths + made, (int)number, times);
		made += times;
	}
	return made == wanted;
}

bool
deflate_codes_read(struct deflate_codes *codes, const unsigned char *bytes, uint64_t *bit)
{
	struct header header = read_counts(bytes, *bit);
	uint8_t       lengths[MAX_LITERALS + MAX_DISTANCES + LONGEST_REPEAT];

	if (header.literals > MAX_LITERALS || header.distances > MAX_DISTANCES
	    || !third_is_complete(&header))
		return false;
	*bit += 14 + 3 * header.third;
	return read_lengths(&header, bytes, bit, lengths)
		&& make_codes(codes, lengths, header.literals, header.distances);
}

/* ---- the search -------------------------------------------------------------------- */

/* For each of 44 bits at least: a block that is not the last, of type 2, with counts that are
 * possible, can begin there. */
static uint64_t
possible_starts(uint64_t bits)
{
	uint64_t type = ~bits & ~(bits >> 1) & bits >> 2;
	uint64_t literals = ~(bits >> 4 & bits >> 5 & bits >> 6 & bits >> 7);
	uint64_t distances = ~(bits >> 9 & bits >> 10 & bits >> 11 & bits >> 12);

	return type & literals & distances & (((uint64_t)1 << 44) - 1);
}

uint64_t
deflate_codes_search(const unsigned char *bytes, uint64_t bit, uint64_t end)
{
	struct deflate_codes codes;
	unsigned             tries = 0;

	for (; bit < end; bit += 44) {
		uint64_t starts = possible_starts(deflate_bits(bytes, bit));

		for (; starts != 0; starts &= starts - 1) {
			uint64_t      start = bit + (unsigned)__builtin_ctzll(starts);
			uint64_t      after = start + 3;
			struct header header = read_counts(bytes, after);

			if (start >= end || !third_is_complete(&header))
				continue;
			if (deflate_codes_read(&codes, bytes, &after))
				return start;
			if (++tries == SEARCH_TRIES)
				return UINT64_MAX;
		}
	}
	return UINT64_MAX;
}
