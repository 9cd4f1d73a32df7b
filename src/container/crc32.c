#include "container/crc32.h"

#include <libdeflate.h>
#include <stdbool.h>

/*
 * A CRC-32 register is a polynomial over GF(2) of degree below 32, its highest bit the
 * coefficient of x^0 (the zip form is reflected).  One zero byte more multiplies it by x^8,
 * modulo P.  P is primitive, so the powers of x repeat after 2^32 - 1 and an exponent of any
 * size shrinks to 32 bits.
 *
 * The register starts as all ones and is inverted at the end.  Without these two it would be
 * linear: linear(A xor B) = linear(A) xor linear(B), and zeros in front do not change it.
 * For a string of n bytes crc = linear xor crc_of_zeros(n), which is how pieces join.
 */
#define POLYNOMIAL 0xEDB88320u
#define ONE        0x80000000u          /* x^0 */
#define X_TO_8     0x00800000u          /* x^8 */
#define ORDER      0xFFFFFFFFu          /* x^ORDER = 1 */

uint32_t
crc32_of(uint32_t crc, const void *bytes, size_t length)
{
	/* libdeflate takes a null pointer to mean "begin". */
	return length == 0 ? crc : libdeflate_crc32(crc, bytes, length);
}

/* Masks instead of branches: the bits are as good as random. */
static uint32_t
multiply(uint32_t a, uint32_t b)
{
	uint32_t product = 0;

	for (unsigned bit = 0; bit < 32; bit++) {
		product ^= b & (0u - (a >> 31));
		a <<= 1;
		b = (b >> 1) ^ (POLYNOMIAL & (0u - (b & 1)));
	}
	return product;
}

/* What `count` zero bytes multiply a register by. */
static uint32_t
power(uint32_t count)
{
	uint32_t result = ONE, square = X_TO_8;

	for (; count != 0; count >>= 1) {
		if ((count & 1) != 0)
			result = multiply(result, square);
		square = multiply(square, square);
	}
	return result;
}

uint32_t
crc32_of_zeros(uint64_t length)
{
	return ~multiply(power((uint32_t)(length % ORDER)), ~(uint32_t)0);
}

/* crc32_of_zeros() of lengths that mostly repeat. */
static uint32_t
zeros_again(uint64_t length)
{
	static _Thread_local uint64_t last_length;
	static _Thread_local uint32_t last_crc;         /* 0: that of no bytes */

	if (length != last_length) {
		last_crc = crc32_of_zeros(length);
		last_length = length;
	}
	return last_crc;
}

/* power() of counts that mostly go on by the same step, as the rows of a matrix do: then one
 * multiplication instead of some fifty. */
static uint32_t
power_again(uint32_t count)
{
	static _Thread_local struct {
		uint32_t count, power;          /* of the last call; 0 before the first */
		uint32_t step, step_power;
		bool     is_step_known;
	} last = { .power = ONE };
	uint32_t step = count >= last.count ? count - last.count
		: ORDER - (last.count - count);

	if (step != last.step) {
		last.step = step;
		last.is_step_known = false;
		last.power = power(count);
	} else {
		if (!last.is_step_known)
			last.step_power = power(step);
		last.is_step_known = true;
		last.power = multiply(last.power, last.step_power);
	}
	last.count = count;
	return last.power;
}

uint32_t
crc32_piece(uint32_t piece_crc, uint64_t length, uint64_t bytes_after)
{
	uint32_t linear = piece_crc ^ zeros_again(length);

	return multiply(linear, power_again((uint32_t)(bytes_after % ORDER)));
}
