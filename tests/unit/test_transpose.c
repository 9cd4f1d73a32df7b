#include "check.h"

#include "plan/instructions.h"
#include "plan/transpose.h"

#include <stdlib.h>

#define ROOM (1 << 20)
static unsigned char source[ROOM], expected[ROOM], found[ROOM];

/* By definition, byte by byte. */
static void
turn_by_definition(size_t from, uint64_t source_pitch, size_t to, uint64_t target_pitch,
	uint64_t rows, uint64_t columns, size_t size)
{
	for (uint64_t i = 0; i < rows; i++)
		for (uint64_t j = 0; j < columns; j++)
			for (size_t byte = 0; byte < size; byte++)
				expected[to + (j * target_pitch + i) * size + byte]
					= source[from + (i * source_pitch + j) * size + byte];
}

/* What lies around the target is left alone, too. */
static void
check_shape(uint64_t rows, uint64_t columns, size_t size, unsigned more, size_t to)
{
	uint64_t source_pitch = columns + more, target_pitch = rows + 2 * more;
	size_t   from = more * 5;

	memset(expected, 0xa5, ROOM);
	memset(found, 0xa5, ROOM);
	turn_by_definition(from, source_pitch, to, target_pitch, rows, columns, size);
	transpose(source + from, source_pitch, found + to, target_pitch, rows, columns, size);
	CHECK(memcmp(expected, found, ROOM) == 0, "%s: %u x %u of %zu bytes, %u apart, to %zu",
		instructions_name(instructions_used()), (unsigned)rows, (unsigned)columns, size,
		more, to);
}

/* Every instructions' kernel; sides around the 16 and 32 of a tile, and several tiles. */
int
main(void)
{
	static const uint64_t sides[] = { 1, 2, 7, 8, 15, 16, 17, 31, 32, 33, 64, 65, 100 };
	static const size_t   places[] = { 0, 1, 2, 16, 60, 63 };
	const size_t          side_count = sizeof sides / sizeof *sides;

	srand(1);
	for (size_t i = 0; i < ROOM; i++)
		source[i] = (unsigned char)rand();
	for (unsigned i = INSTRUCTIONS_PORTABLE; i <= INSTRUCTIONS_AVX512; i++) {
		instructions_limit(i);
		if (instructions_used() != i) {
			printf("transpose: skipped: %s, which this processor has not\n",
				instructions_name(i));
			continue;
		}
		for (size_t shape = 0; shape < side_count * side_count; shape++)
			for (size_t size = 1; size <= 8; size *= 2)
				check_shape(sides[shape / side_count], sides[shape % side_count], size,
					shape % 4, places[shape % (sizeof places / sizeof *places)]);
		/* Pitches of whole cache lines, where rows up to the first line come first. */
		for (size_t to = 0; to < 68; to += 4)
			for (unsigned more = 0; more < 64; more += 16)
				check_shape(96, 80, 2 + 2 * (to % 8 == 0), more, to);
	}
	return check_end("transpose");
}
