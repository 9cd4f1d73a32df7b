#include "container/crc32.h"

#include "check.h"

#include <stdlib.h>
#include <zlib.h>

/* "123456789" is the check string of every CRC catalogue. */
static void
test_known(void)
{
	static const struct { const char *bytes; size_t length; uint32_t crc; } rows[] = {
		{ "", 0, 0 },
		{ "123456789", 9, 0xCBF43926 },
		{ "a", 1, 0xE8B7BE43 },
		{ "\0\0\0\0", 4, 0x2144DF1C },
		{ "\xff\xff\xff\xff", 4, 0xFFFFFFFF },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		CHECK(crc32_of(0, rows[i].bytes, rows[i].length) == rows[i].crc, "row %zu", i);
	CHECK(crc32_of(0, NULL, 0) == 0, "nothing");
	CHECK(crc32_of(5, NULL, 0) == 5, "nothing more");
	CHECK(crc32_of(crc32_of(0, "1234", 4), "56789", 5) == 0xCBF43926, "in two pieces");
}

static void
test_zeros(void)
{
	static const unsigned char zeros[100000];
	static const uint64_t lengths[] = { 0, 1, 2, 3, 4, 7, 8, 255, 256, 8192, 65537, 100000 };
	uint32_t gigabyte = 0;

	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
		CHECK(crc32_of_zeros(lengths[i]) == crc32(0, zeros, (uInt)lengths[i]),
			"%u zeros", (unsigned)lengths[i]);
	for (unsigned i = 0; i < 10000; i++)
		gigabyte = (uint32_t)crc32(gigabyte, zeros, sizeof zeros);
	CHECK(crc32_of_zeros(1000000000) == gigabyte, "10^9 zeros");
	/* zlib's algebra for lengths that nobody computes directly. */
	for (uint64_t length = 1; length < (uint64_t)1 << 62; length = length * 5 + 3) {
		uint32_t half = crc32_of_zeros(length);

		CHECK(crc32_of_zeros(2 * length) == crc32_combine(half, half, (z_off_t)length),
			"twice %llu zeros", (unsigned long long)length);
	}
}

/* Cuts `length` bytes into pieces of `step` (the last is shorter), takes them in the order
 * i, i + stride, i + 2 * stride ... and puts the CRC together. */
static uint32_t
join(const unsigned char *bytes, size_t length, size_t step, size_t stride)
{
	uint32_t crc = crc32_of_zeros(length);

	for (size_t first = 0; first < stride; first++) {
		for (size_t at = first * step; at < length; at += stride * step) {
			size_t count = length - at < step ? length - at : step;

			crc ^= crc32_piece(crc32_of(0, bytes + at, count), count,
				length - at - count);
		}
	}
	return crc;
}

static void
test_pieces(void)
{
	enum { LENGTH = 100003 };
	unsigned char *bytes = malloc(LENGTH);
	uint32_t       whole;

	for (size_t i = 0; i < LENGTH; i++)
		bytes[i] = (unsigned char)(i * 2654435761u >> 13);
	whole = (uint32_t)crc32(0, bytes, LENGTH);
	for (size_t step = 1; step < 3 * LENGTH; step = step * 3 + 1) {
		for (size_t stride = 1; stride < 20; stride += 6)
			CHECK(join(bytes, LENGTH, step, stride) == whole,
				"pieces of %zu, every %zuth", step, stride);
	}
	free(bytes);
}

int
main(void)
{
	test_known();
	test_zeros();
	test_pieces();
	return check_end("crc32");
}
