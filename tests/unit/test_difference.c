#include "check/difference.h"

#include "check.h"

/*
 * One element against another, computed by hand from the formats: half has 10 bits of fraction
 * and exponent bias 15, bfloat16 7 and 127, float32 23 and 127, float64 52 and 1023.  Bits are
 * little-endian here as on the machines this runs on.
 */
static const struct row {
	const char *what;
	enum dtype  dtype_a;
	uint64_t    a;
	enum dtype  dtype_b;
	uint64_t    b;
	double      tolerance;
	uint64_t    differing, outside, not_finite;
	double      absolute, relative;
	uint64_t    ulps;
	const char *text_a, *text_b;    /* NULL: not looked at */
} rows[] = {
	{ "half: equal", DTYPE_FLOAT16, 0x3c00, DTYPE_FLOAT16, 0x3c00, -1, 0, 0, 0, 0, 0, 0,
	  "1.0", "1.0" },
	{ "half: neighbours", DTYPE_FLOAT16, 0x3c00, DTYPE_FLOAT16, 0x3c01, -1, 1, 1, 0,
	  0x1p-10, 0x1p-10 / (1 + 0x1p-10), 1, "1.0", "1.0009765625" },
	{ "half: zeros", DTYPE_FLOAT16, 0x0000, DTYPE_FLOAT16, 0x8000, -1, 1, 1, 0, 0, 0, 0,
	  "0.0", "-0.0" },
	{ "half: zeros, tolerance 0", DTYPE_FLOAT16, 0x0000, DTYPE_FLOAT16, 0x8000, 0, 1, 0, 0,
	  0, 0, 0, "0.0", "-0.0" },
	{ "half: smallest on both sides", DTYPE_FLOAT16, 0x0001, DTYPE_FLOAT16, 0x8001, -1, 1, 1,
	  0, 0x1p-23, 2, 2, NULL, NULL },
	{ "half: negative", DTYPE_FLOAT16, 0xbc00, DTYPE_FLOAT16, 0xc000, 1, 1, 0, 0, 1, 0.5, 1024,
	  "-1.0", "-2.0" },
	{ "half: largest", DTYPE_FLOAT16, 0x7bff, DTYPE_FLOAT16, 0xfbff, 131007, 1, 1, 0, 131008,
	  2, 63486, "65504.0", "-65504.0" },
	{ "half: infinity", DTYPE_FLOAT16, 0x7c00, DTYPE_FLOAT16, 0x7bff, 1e9, 1, 1, 1, 0, 0, 0,
	  "inf", "65504.0" },
	{ "half: NaN of the same bits", DTYPE_FLOAT16, 0x7e00, DTYPE_FLOAT16, 0x7e00, -1, 0, 0, 0,
	  0, 0, 0, "nan", "nan" },
	{ "half: NaN of other bits", DTYPE_FLOAT16, 0x7e00, DTYPE_FLOAT16, 0x7e01, 1e9, 1, 1, 1,
	  0, 0, 0, "nan", "nan" },
	{ "bfloat16: neighbours", DTYPE_BFLOAT16, 0xbf80, DTYPE_BFLOAT16, 0xbf81, -1, 1, 1, 0,
	  0x1p-7, 0x1p-7 / (1 + 0x1p-7), 1, "-1.0", "-1.0078125" },
	{ "float32: across zero", DTYPE_FLOAT32, 0x80000002, DTYPE_FLOAT32, 0x00000003, -1, 1, 1,
	  0, 5 * 0x1p-149, 5.0 / 3, 5, "-2.802596928649634e-45", "4.203895392974451e-45" },
	{ "float64: across zero", DTYPE_FLOAT64, 0xbff0000000000000, DTYPE_FLOAT64,
	  0x3ff0000000000000, -1, 1, 1, 0, 2, 2, 2 * 0x3ff0000000000000u, "-1.0", "1.0" },
	{ "float64: the difference overflows", DTYPE_FLOAT64, 0x7fefffffffffffff, DTYPE_FLOAT64,
	  0xffefffffffffffff, -1, 1, 1, 0, 0x1.fffffffffffffp1023, 1, 2 * 0x7fefffffffffffffu,
	  NULL, NULL },
	{ "half and float32: equal", DTYPE_FLOAT16, 0xc100, DTYPE_FLOAT32, 0xc0200000, -1, 0, 0, 0,
	  0, 0, 0, "-2.5", "-2.5" },
	{ "half and bfloat16: zeros", DTYPE_FLOAT16, 0x8000, DTYPE_BFLOAT16, 0x0000, -1, 0, 0, 0,
	  0, 0, 0, "-0.0", "0.0" },
	{ "half and float32: infinities", DTYPE_FLOAT16, 0xfc00, DTYPE_FLOAT32, 0xff800000, -1,
	  0, 0, 0, 0, 0, 0, "-inf", "-inf" },
	{ "half and float32: NaN", DTYPE_FLOAT16, 0x7e00, DTYPE_FLOAT32, 0xffc00001, -1, 0, 0, 0,
	  0, 0, 0, "nan", "nan" },
	{ "half and float64: one apart", DTYPE_FLOAT16, 0x4000, DTYPE_FLOAT64, 0x4008000000000000,
	  0.5, 1, 1, 0, 1, 1.0 / 3, 0, "2.0", "3.0" },
	{ "int8: negative", DTYPE_INT8, 0xff, DTYPE_INT8, 0x01, -1, 1, 1, 0, 2, 2, 0, "-1", "1" },
	{ "uint8", DTYPE_UINT8, 0xff, DTYPE_UINT8, 0x01, -1, 1, 1, 0, 254, 254.0 / 255, 0, "255",
	  "1" },
	{ "int64: ends", DTYPE_INT64, 0x8000000000000000, DTYPE_INT64, 0x7fffffffffffffff, -1, 1,
	  1, 0, 0x1p64, 2, 0, "-9223372036854775808", "9223372036854775807" },
	{ "int64: neighbours beyond 2^53", DTYPE_INT64, 0x20000000000001, DTYPE_INT64,
	  0x20000000000000, -1, 1, 1, 0, 1, 0x1p-53, 0, "9007199254740993", "9007199254740992" },
	{ "int64 and float64: rounded alike", DTYPE_INT64, 0x20000000000001, DTYPE_FLOAT64,
	  0x4340000000000000, -1, 1, 1, 0, 0, 0, 0, "9007199254740993", "9007199254740992.0" },
	{ "int64 and float64: the end", DTYPE_INT64, 0x7fffffffffffffff, DTYPE_FLOAT64,
	  0x43e0000000000000, -1, 1, 1, 0, 0, 0, 0, "9223372036854775807",
	  NULL },
	{ "bool and int32", DTYPE_BOOL, 1, DTYPE_INT32, 1, -1, 0, 0, 0, 0, 0, 0, "1", "1" },
};

#define COUNT 700               /* more than are looked at together */

/* The row at `place`, zeros elsewhere. */
static void
check_row(const struct row *row, size_t place)
{
	static unsigned char a[8 * COUNT], b[8 * COUNT];
	struct difference    found = { 0 };
	const size_t         size_a = dtype_size(row->dtype_a), size_b = dtype_size(row->dtype_b);
	char                 text[64];

	memset(a, 0, sizeof a);
	memset(b, 0, sizeof b);
	memcpy(a + place * size_a, &row->a, size_a);
	memcpy(b + place * size_b, &row->b, size_b);
	difference_add(&found, row->dtype_a, a, row->dtype_b, b, 1000, COUNT, row->tolerance);
	CHECK(found.compared == COUNT && found.differing == row->differing
		&& found.outside == row->outside && found.not_finite == row->not_finite,
		"%s: %llu differ, %llu outside, %llu not finite", row->what,
		(unsigned long long)found.differing, (unsigned long long)found.outside,
		(unsigned long long)found.not_finite);
	CHECK(found.max_absolute == row->absolute && found.max_relative == row->relative
		&& found.max_ulps == row->ulps, "%s: %a, %a, %llu", row->what,
		found.max_absolute, found.max_relative, (unsigned long long)found.max_ulps);
	CHECK(row->differing == 0 || (found.first == 1000 + place
		&& memcmp(found.first_a, &row->a, size_a) == 0
		&& memcmp(found.first_b, &row->b, size_b) == 0), "%s: first", row->what);
	if (row->text_a != NULL)
		CHECK_TEXT(difference_value_text(row->dtype_a, a + place * size_a, text,
			sizeof text), row->text_a, "%s", row->what);
	if (row->text_b != NULL)
		CHECK_TEXT(difference_value_text(row->dtype_b, b + place * size_b, text,
			sizeof text), row->text_b, "%s", row->what);
}

int
main(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		check_row(&rows[i], 0);
		check_row(&rows[i], 255);
		check_row(&rows[i], 256);
		check_row(&rows[i], COUNT - 1);
	}
	CHECK(difference_has_ulps(DTYPE_FLOAT16, DTYPE_FLOAT16), "halves");
	CHECK(!difference_has_ulps(DTYPE_FLOAT16, DTYPE_BFLOAT16), "two types");
	CHECK(!difference_has_ulps(DTYPE_INT32, DTYPE_INT32), "whole numbers");
	return check_end("difference");
}
