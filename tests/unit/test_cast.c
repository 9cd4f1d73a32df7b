#include "check.h"
#include "float_reference.h"

#include "plan/cast.h"
#include "plan/element.h"
#include "plan/instructions.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

/* ---- reading and writing ---------------------------------------------------------- */

static uint64_t
bits_at(enum dtype dtype, const unsigned char *elements, size_t i)
{
	uint16_t half;
	uint32_t single;
	uint64_t bits;

	switch (dtype_size(dtype)) {
	case 2: memcpy(&half, elements + 2 * i, 2); return half;
	case 4: memcpy(&single, elements + 4 * i, 4); return single;
	default: memcpy(&bits, elements + 8 * i, 8); return bits;
	}
}

static void
put_bits(enum dtype dtype, unsigned char *elements, size_t i, uint64_t bits)
{
	uint16_t half = (uint16_t)bits;
	uint32_t single = (uint32_t)bits;

	switch (dtype_size(dtype)) {
	case 2: memcpy(elements + 2 * i, &half, 2); break;
	case 4: memcpy(elements + 4 * i, &single, 4); break;
	default: memcpy(elements + 8 * i, &bits, 8);
	}
}

static unsigned char *
room(size_t count)
{
	unsigned char *elements = calloc(count, sizeof(uint64_t));

	if (elements == NULL)
		abort();
	return elements;
}

/* Casts, and compares every element with the reference; one CHECK for all. */
static void
check_all(enum dtype from, const unsigned char *source, enum dtype to, unsigned char *target,
	size_t count, const char *what)
{
	struct cast_overflow overflow = { 0, 0 };
	size_t               wrong = 0, first = 0, infinite = 0;

	cast_elements(from, source, to, target, count, &overflow);
	for (size_t i = 0; i < count; i++) {
		uint64_t bits = bits_at(from, source, i), found = bits_at(to, target, i);

		if (!is_right(from, bits, to, found) && wrong++ == 0)
			first = i;
		infinite += !is_nan(from, bits) && !is_nan(to, found) && isinf(size_of(to, found))
			&& !isinf(size_of(from, bits));
	}
	CHECK(wrong == 0, "%s (%s): %s to %s: %zu wrong, first %" PRIx64 " became %" PRIx64, what,
		instructions_name(instructions_used()), dtype_name(from), dtype_name(to), wrong,
		bits_at(from, source, first), bits_at(to, target, first));
	CHECK(overflow.elements == infinite, "%s (%s): %s to %s: %" PRIu64 " became infinite, "
		"expected %zu", what, instructions_name(instructions_used()), dtype_name(from), dtype_name(to),
		overflow.elements, infinite);
}

/* ---- every half, every bfloat16 --------------------------------------------------- */

static void
test_all_of(enum dtype from)
{
	size_t         count = 0x10000, wrong = 0;
	unsigned char *source = room(count), *target = room(count), *back = room(count);

	for (size_t i = 0; i < count; i++)
		put_bits(from, source, i, i);
	for (unsigned t = 0; t < FORMATS; t++) {
		enum dtype to = formats[t].dtype;

		check_all(from, source, to, target, count, "all");
		if (dtype_size(to) == 2)
			continue;
		cast_elements(to, target, from, back, count, NULL);
		for (size_t i = 0; i < count; i++) {
			uint64_t quiet = is_nan(from, i) ? expected_nan(from, i, from) : i;
			wrong += bits_at(from, back, i) != quiet;
		}
		CHECK(wrong == 0, "%s by way of %s: %zu came back otherwise", dtype_name(from),
			dtype_name(to), wrong);
	}
	free(source);
	free(target);
	free(back);
}

/* ---- rows worked out by hand ------------------------------------------------------ */

#define F16 DTYPE_FLOAT16
#define B16 DTYPE_BFLOAT16
#define F32 DTYPE_FLOAT32
#define F64 DTYPE_FLOAT64

static const struct row {
	enum dtype from, to;
	uint64_t   bits, expected;
	const char *what;
} rows[] = {
	{ F32, F16, 0x00000000, 0x0000, "0" },
	{ F32, F16, 0x80000000, 0x8000, "-0" },
	{ F32, F16, 0x3f800000, 0x3c00, "1" },
	{ F32, F16, 0x3f801000, 0x3c00, "1 + 2^-11: half way, down to even" },
	{ F32, F16, 0x3f801001, 0x3c01, "a little more" },
	{ F32, F16, 0x3f803000, 0x3c02, "1 + 3 x 2^-11: half way, up to even" },
	{ F32, F16, 0x3f802fff, 0x3c01, "a little less" },
	{ F32, F16, 0x3ffff000, 0x4000, "2 - 2^-11: the carry" },
	{ F32, F16, 0x477fe000, 0x7bff, "65504, the largest" },
	{ F32, F16, 0x477fefff, 0x7bff, "65519.996" },
	{ F32, F16, 0x477ff000, 0x7c00, "65520" },
	{ F32, F16, 0xc77ff000, 0xfc00, "-65520" },
	{ F32, F16, 0x47800000, 0x7c00, "65536" },
	{ F32, F16, 0x7f7fffff, 0x7c00, "the largest float32" },
	{ F32, F16, 0xff7fffff, 0xfc00, "the lowest float32" },
	{ F32, F16, 0x7f800000, 0x7c00, "infinity" },
	{ F32, F16, 0xff800000, 0xfc00, "-infinity" },
	{ F32, F16, 0x38800000, 0x0400, "2^-14, the smallest normal half" },
	{ F32, F16, 0x387fffff, 0x0400, "a little less" },
	{ F32, F16, 0x387fe000, 0x0400, "1023.5 x 2^-24: half way, up to even" },
	{ F32, F16, 0x387fdfff, 0x03ff, "a little less" },
	{ F32, F16, 0x387fc000, 0x03ff, "1023 x 2^-24, the largest subnormal" },
	{ F32, F16, 0x34200000, 0x0002, "2.5 x 2^-24: half way, down to even" },
	{ F32, F16, 0x34200001, 0x0003, "a little more" },
	{ F32, F16, 0x33c00000, 0x0002, "1.5 x 2^-24: half way, up to even" },
	{ F32, F16, 0x33bfffff, 0x0001, "a little less" },
	{ F32, F16, 0x33800000, 0x0001, "2^-24, the smallest" },
	{ F32, F16, 0x33000001, 0x0001, "a little more than half of it" },
	{ F32, F16, 0x33000000, 0x0000, "half of it" },
	{ F32, F16, 0xb3000000, 0x8000, "the same, negative" },
	{ F32, F16, 0xb3000001, 0x8001, "and a little more" },
	{ F32, F16, 0x00000001, 0x0000, "the smallest float32" },
	{ F32, F16, 0x7fc00000, 0x7e00, "NaN" },
	{ F32, F16, 0xffc00000, 0xfe00, "-NaN" },
	{ F32, F16, 0x7f800001, 0x7e00, "signalling NaN, low bits only" },
	{ F32, F16, 0x7fa00000, 0x7f00, "signalling NaN, a high bit" },
	{ F32, F16, 0xff802000, 0xfe01, "signalling NaN, the lowest bit that fits" },
	{ F32, F16, 0x7fffffff, 0x7fff, "NaN, all ones" },

	{ F32, B16, 0x80000000, 0x8000, "-0" },
	{ F32, B16, 0x3f800000, 0x3f80, "1" },
	{ F32, B16, 0x3f808000, 0x3f80, "1 + 2^-8: half way, down to even" },
	{ F32, B16, 0x3f808001, 0x3f81, "a little more" },
	{ F32, B16, 0x3f818000, 0x3f82, "1 + 3 x 2^-8: half way, up to even" },
	{ F32, B16, 0x3f817fff, 0x3f81, "a little less" },
	{ F32, B16, 0x7f7f7fff, 0x7f7f, "nearly half way to infinity" },
	{ F32, B16, 0x7f7f8000, 0x7f80, "half way to infinity" },
	{ F32, B16, 0xff7fffff, 0xff80, "the lowest float32" },
	{ F32, B16, 0x7f800000, 0x7f80, "infinity" },
	{ F32, B16, 0x00008000, 0x0000, "half of the smallest" },
	{ F32, B16, 0x00008001, 0x0001, "a little more" },
	{ F32, B16, 0x00018000, 0x0002, "subnormal, half way, up to even" },
	{ F32, B16, 0x007fffff, 0x0080, "the largest subnormal float32" },
	{ F32, B16, 0x7f800001, 0x7fc0, "signalling NaN, low bits only" },
	{ F32, B16, 0xffa10000, 0xffe1, "signalling NaN, high bits" },
	{ F32, B16, 0x7fffffff, 0x7fff, "NaN, all ones" },

	{ F64, F16, 0x3ff0020000000000, 0x3c00, "1 + 2^-11: half way" },
	{ F64, F16, 0x3ff0020000001000, 0x3c01, "2^-40 more, which float32 would lose" },
	{ F64, F16, 0x3ff0060000000000, 0x3c02, "1 + 3 x 2^-11: half way" },
	{ F64, F16, 0x3ff005fffffff000, 0x3c01, "2^-40 less" },
	{ F64, F16, 0x40effdffffffffff, 0x7bff, "the last below 65520" },
	{ F64, F16, 0x40effe0000000000, 0x7c00, "65520" },
	{ F64, F16, 0x3e60000000000000, 0x0000, "2^-25" },
	{ F64, F16, 0x3e60000000000001, 0x0001, "the next" },
	{ F64, F16, 0x3e77ffffffffffff, 0x0001, "the last below 1.5 x 2^-24" },
	{ F64, F16, 0x3e78000000000000, 0x0002, "1.5 x 2^-24" },
	{ F64, F16, 0x0000000000000001, 0x0000, "the smallest float64" },
	{ F64, F16, 0x8000000000000001, 0x8000, "the same, negative" },
	{ F64, F16, 0x8000000000000000, 0x8000, "-0" },
	{ F64, F16, 0x7fefffffffffffff, 0x7c00, "the largest float64" },
	{ F64, F16, 0xfff0000000000000, 0xfc00, "-infinity" },
	{ F64, F16, 0x7ff0000000000001, 0x7e00, "signalling NaN, low bits only" },
	{ F64, F16, 0xfff4000000000000, 0xff00, "signalling NaN, a high bit" },

	{ F64, B16, 0x3ff0100000000000, 0x3f80, "1 + 2^-8: half way" },
	{ F64, B16, 0x3ff0100000001000, 0x3f81, "2^-40 more" },
	{ F64, B16, 0x3ff02fffffffffff, 0x3f81, "the last below 1 + 3 x 2^-8" },
	{ F64, B16, 0x3ff0300000000000, 0x3f82, "1 + 3 x 2^-8" },
	{ F64, B16, 0x47efefffffffffff, 0x7f7f, "nearly half way to infinity" },
	{ F64, B16, 0x47eff00000000000, 0x7f80, "half way to infinity" },
	{ F64, B16, 0x3790000000000000, 0x0000, "2^-134" },
	{ F64, B16, 0x3790000000000001, 0x0001, "the next" },
	{ F64, B16, 0x37a7ffffffffffff, 0x0001, "the last below 1.5 x 2^-133" },
	{ F64, B16, 0x37a8000000000000, 0x0002, "1.5 x 2^-133" },
	{ F64, B16, 0x37b4000000000000, 0x0002, "2.5 x 2^-133" },
	{ F64, B16, 0x37b4000000000001, 0x0003, "the next: lost in a subnormal float32" },
	{ F64, B16, 0x0000000000000001, 0x0000, "the smallest float64" },
	{ F64, B16, 0x7ff0000000000001, 0x7fc0, "signalling NaN, low bits only" },

	{ F64, F32, 0x3ff0000010000000, 0x3f800000, "1 + 2^-24: half way" },
	{ F64, F32, 0x3ff0000010000001, 0x3f800001, "the next" },
	{ F64, F32, 0x3ff0000030000000, 0x3f800002, "1 + 3 x 2^-24" },
	{ F64, F32, 0x47efffffefffffff, 0x7f7fffff, "nearly half way to infinity" },
	{ F64, F32, 0x47effffff0000000, 0x7f800000, "half way to infinity" },
	{ F64, F32, 0x3690000000000000, 0x00000000, "2^-150" },
	{ F64, F32, 0x3690000000000001, 0x00000001, "the next" },
	{ F64, F32, 0x7ff0000000000001, 0x7fc00000, "signalling NaN, low bits only" },
	{ F64, F32, 0xfff0000020000000, 0xffc00001, "signalling NaN, the lowest bit that fits" },

	{ F32, F64, 0x00000001, 0x36a0000000000000, "2^-149" },
	{ F32, F64, 0x7f800001, 0x7ff8000020000000, "signalling NaN" },
	{ F32, F64, 0xff800000, 0xfff0000000000000, "-infinity" },
	{ F16, F32, 0x7c01, 0x7fc02000, "signalling NaN" },
	{ F16, F32, 0xfdff, 0xffffe000, "signalling NaN, all its bits" },
	{ F16, F32, 0x03ff, 0x387fc000, "the largest subnormal" },
	{ F16, F32, 0x7bff, 0x477fe000, "65504" },
	{ F16, F64, 0x7c01, 0x7ff8040000000000, "signalling NaN" },
	{ F16, F64, 0x8001, 0xbe70000000000000, "-2^-24" },
	{ F16, B16, 0x7c01, 0x7fc0, "signalling NaN" },
	{ F16, B16, 0x3c04, 0x3f80, "1 + 2^-8: half way, down to even" },
	{ F16, B16, 0x3c0c, 0x3f82, "1 + 3 x 2^-8: half way, up to even" },
	{ F16, B16, 0x7bff, 0x4780, "65504 becomes 65536" },
	{ F16, B16, 0x0001, 0x3380, "2^-24" },
	{ B16, F16, 0x477f, 0x7bf8, "65280" },
	{ B16, F16, 0x4780, 0x7c00, "65536" },
	{ B16, F16, 0x3380, 0x0001, "2^-24" },
	{ B16, F16, 0x3300, 0x0000, "2^-25" },
	{ B16, F16, 0x3301, 0x0001, "a little more" },
	{ B16, F16, 0x7f81, 0x7e08, "signalling NaN" },
	{ B16, F32, 0xff81, 0xffc10000, "signalling NaN" },
	{ B16, F64, 0x0001, 0x37a0000000000000, "2^-133" },
	{ F16, F16, 0x7c01, 0x7c01, "a copy" },
	{ F64, F64, 0x7ff0000000000001, 0x7ff0000000000001, "a copy" },
};

/* Nine of each: eight are a vector, one is left over. */
static void
test_rows(void)
{
	for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
		const struct row *row = &rows[r];
		unsigned char     source[9 * 8], target[9 * 8], element[8];
		uint64_t          first, last;

		for (size_t i = 0; i < 9; i++)
			put_bits(row->from, source, i, row->bits);
		cast_elements(row->from, source, row->to, target, 9, NULL);
		first = bits_at(row->to, target, 0);
		last = bits_at(row->to, target, 8);
		CHECK(first == row->expected && last == row->expected, "%s (%s): %s %" PRIx64
			" to %s: %" PRIx64 ", %" PRIx64, row->what, instructions_name(instructions_used()),
			dtype_name(row->from), row->bits, dtype_name(row->to), first, last);
		CHECK(is_right(row->from, row->bits, row->to, row->expected),
			"%s: the reference has another opinion", row->what);
		if (row->from == row->to)
			continue;
		element_put(row->to, element_value(row->from, source), element);
		CHECK(bits_at(row->to, element, 0) == row->expected, "%s as a single element: %"
			PRIx64, row->what, bits_at(row->to, element, 0));
	}
}

/* ---- a million random values ------------------------------------------------------ */

#define MILLION 1000000

static uint64_t random_state = 0x9e3779b97f4a7c15;

static uint64_t
next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

/* Three of four lie where halves and bfloat16 are, at their middles or a bit beside them. */
static uint64_t
random_bits(enum dtype dtype)
{
	int      width = formats[dtype].fraction_bits, shift = 64 - 8 * (int)dtype_size(dtype);
	uint64_t bits = next_random() >> shift, kind = next_random();
	int      kept = kind & 4 ? 11 : kind & 16 ? 24 : 8;

	if (kind % 4 == 0 || width < kept)
		return bits;
	if (kind & 8) {         /* an exponent from 2^-27 to 2^16 */
		uint64_t bias = low_bits(formats[dtype].exponent_bits - 1);

		bits &= ~(low_bits(formats[dtype].exponent_bits) << width);
		bits |= (bias - 27 + (kind >> 8) % 44) << width;
	}
	bits &= ~low_bits(width - kept);
	return kind % 4 == 1 ? bits : kind % 4 == 2 ? bits + 1 : bits - 1;
}

static void
test_random(enum dtype from)
{
	unsigned char *source = room(MILLION), *target = room(MILLION), *other = room(MILLION);

	for (size_t i = 0; i < MILLION; i++)
		put_bits(from, source, i, random_bits(from));
	for (unsigned t = 0; t < FORMATS; t++) {
		enum dtype to = formats[t].dtype;

		instructions_limit(INSTRUCTIONS_PORTABLE);
		check_all(from, source, to, target, MILLION, "random");
		for (unsigned i = INSTRUCTIONS_AVX2; i <= INSTRUCTIONS_AVX512; i++) {
			instructions_limit(i);
			cast_elements(from, source, to, other, MILLION, NULL);
			CHECK(memcmp(target, other, MILLION * dtype_size(to)) == 0,
				"%s to %s: %s differs", dtype_name(from), dtype_name(to),
				instructions_name(instructions_used()));
		}
	}
	free(source);
	free(target);
	free(other);
}

/* ---- places and counts ------------------------------------------------------------ */

/* Any count at odd addresses; what lies around the target is left alone. */
static void
test_places(enum dtype from, enum dtype to)
{
	unsigned char *source = room(82), *target = room(82), *whole = room(82);
	size_t         from_size = dtype_size(from), to_size = dtype_size(to), wrong = 0;

	for (size_t i = 0; i < 70 * from_size; i++)
		source[3 + i] = (unsigned char)next_random();
	cast_elements(from, source + 3, to, whole, 70, NULL);
	for (size_t count = 0; count <= 70; count++) {
		for (size_t at = 1; at < 9; at++) {
			memset(target, 0xa5, 82 * 8);
			cast_elements(from, source + 3, to, target + at, count, NULL);
			wrong += memcmp(target + at, whole, count * to_size) != 0;
			for (size_t i = 0; i < 82 * 8; i++)
				wrong += (i < at || i >= at + count * to_size) && target[i] != 0xa5;
		}
	}
	for (size_t i = 0; i < 70; i++)
		wrong += !is_right(from, bits_at(from, source + 3, i), to, bits_at(to, whole, i));
	CHECK(wrong == 0, "%s to %s (%s): %zu times wrong", dtype_name(from), dtype_name(to),
		instructions_name(instructions_used()), wrong);
	free(source);
	free(target);
	free(whole);
}

/* ---- overflow --------------------------------------------------------------------- */

/* 1 everywhere but for three values, of which the infinity and the NaN do not count. */
static void
test_overflow(void)
{
	static const struct {
		enum dtype from, to;
		uint64_t   one, value, infinity, nan;
		double     size;        /* 0: does not overflow */
	} cases[] = {
		{ F32, F16, 0x3f800000, 0xc78ab000, 0x7f800000, 0x7fc00000, 71008 },
		{ F32, F16, 0x3f800000, 0x477fefff, 0x7f800000, 0x7fc00000, 0 },
		{ B16, F16, 0x3f80, 0xc780, 0xff80, 0x7fc0, 65536 },
		{ F64, F16, 0x3ff0000000000000, 0x40effe0000000000, 0x7ff0000000000000,
			0x7ff8000000000000, 65520 },
		{ F32, B16, 0x3f800000, 0xff7fffff, 0x7f800000, 0x7fc00000, 0x1.fffffep127 },
		{ F16, B16, 0x3c00, 0x7bff, 0x7c00, 0x7e00, 0 },
		{ F64, B16, 0x3ff0000000000000, 0x47eff00000000000, 0x7ff0000000000000,
			0x7ff8000000000000, 0x1.ffp127 },
		{ F64, F32, 0x3ff0000000000000, 0xfe37e43c8800759c, 0xfff0000000000000,
			0x7ff8000000000000, 1e300 },
	};
	static const size_t counts[] = { 1, 2, 7, 8, 9, 2047, 2048, 2049, 5000 };
	unsigned char      *source = room(5000), *target = room(5000);

	for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
		for (size_t n = 0; n < sizeof counts / sizeof *counts * 3; n++) {
			struct cast_overflow found = { 10, 3 };
			size_t               count = counts[n / 3];
			size_t               at = n % 3 == 0 ? 0 : n % 3 == 1 ? count / 2 : count - 1;
			bool                 is = cases[c].size > 0;

			for (size_t i = 0; i < count; i++)
				put_bits(cases[c].from, source, i, cases[c].one);
			put_bits(cases[c].from, source, count / 3, cases[c].infinity);
			put_bits(cases[c].from, source, count / 4, cases[c].nan);
			put_bits(cases[c].from, source, at, cases[c].value);
			cast_elements(cases[c].from, source, cases[c].to, target, count, &found);
			CHECK(found.elements == (is ? 11 : 10)
				&& !(fabs(found.largest - (is ? cases[c].size : 3)) > 0),
				"case %zu, %zu of %zu: %" PRIu64 ", %.17g", c, at, count, found.elements,
				found.largest);
		}
	}
	free(source);
	free(target);
}

/* Against float_reference.h, by all the instructions that this processor has. */
int
main(void)
{
	make_sizes();
	for (unsigned i = INSTRUCTIONS_PORTABLE; i <= INSTRUCTIONS_AVX512; i++) {
		instructions_limit(i);
		if (instructions_used() != i) {
			printf("cast: skipped: %s, which this processor has not\n",
				instructions_name(i));
			continue;
		}
		test_all_of(DTYPE_FLOAT16);
		test_all_of(DTYPE_BFLOAT16);
		test_rows();
		test_overflow();
		for (unsigned pair = 0; pair < FORMATS * FORMATS; pair++)
			test_places(formats[pair / FORMATS].dtype, formats[pair % FORMATS].dtype);
	}
	for (unsigned i = 0; i < FORMATS; i++)
		test_random(formats[i].dtype);
	return check_end("cast");
}
