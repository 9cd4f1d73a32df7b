#include "check/difference.h"

#include "base/text.h"
#include "plan/cast.h"
#include "plan/element.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

/* Elements that are compared at once before they are looked at one by one. */
#define BLOCK 256

/* ---- one element ------------------------------------------------------------------ */

static int64_t
whole_value(enum dtype dtype, const unsigned char *element)
{
	int8_t  byte;
	int16_t half;
	int32_t word;
	int64_t value;

	switch (dtype) {
	case DTYPE_INT8:
		memcpy(&byte, element, sizeof byte);
		return byte;
	case DTYPE_UINT8:
	case DTYPE_BOOL:
		return element[0];
	case DTYPE_INT16:
		memcpy(&half, element, sizeof half);
		return half;
	case DTYPE_INT32:
		memcpy(&word, element, sizeof word);
		return word;
	default:
		memcpy(&value, element, sizeof value);
		return value;
	}
}

/* Many elements as numbers. */
static void
widen(enum dtype dtype, const unsigned char *elements, size_t count, double *to)
{
	const size_t size = dtype_size(dtype);

	if (dtype_is_weight(dtype)) {
		cast_elements(dtype, elements, DTYPE_FLOAT64, (unsigned char *)to, count, NULL);
	} else {
		for (size_t i = 0; i < count; i++)
			to[i] = (double)whole_value(dtype, elements + i * size);
	}
}

/* A whole number that double rounds equals none of another type. */
static bool
is_exact(enum dtype dtype, const unsigned char *element)
{
	int64_t value;

	if (dtype != DTYPE_INT64)
		return true;
	value = whole_value(dtype, element);
	return (double)value < 0x1p63 && (int64_t)(double)value == value;
}

/* |a - b| of two whole numbers of 64 bits, rounded once. */
static double
distance(const unsigned char *a, const unsigned char *b)
{
	int64_t x = whole_value(DTYPE_INT64, a), y = whole_value(DTYPE_INT64, b);

	return x > y ? (double)((uint64_t)x - (uint64_t)y) : (double)((uint64_t)y - (uint64_t)x);
}

/* Floats of one type in their order: neighbours are one apart, and both zeros are 0. */
static int64_t
place_of(enum dtype dtype, const unsigned char *element)
{
	uint16_t half;
	uint32_t single;
	uint64_t bits;

	switch (dtype) {
	case DTYPE_FLOAT16:
	case DTYPE_BFLOAT16:
		memcpy(&half, element, sizeof half);
		return (half & 0x8000) != 0 ? -(int64_t)(half & 0x7fff) : half;
	case DTYPE_FLOAT32:
		memcpy(&single, element, sizeof single);
		return (single >> 31) != 0 ? -(int64_t)(single & 0x7fffffff) : single;
	default:
		memcpy(&bits, element, sizeof bits);
		return (bits >> 63) != 0 ? -(int64_t)(bits & INT64_MAX) : (int64_t)bits;
	}
}

static uint64_t
ulps_between(enum dtype dtype, const unsigned char *a, const unsigned char *b)
{
	int64_t x = place_of(dtype, a), y = place_of(dtype, b);

	return x > y ? (uint64_t)x - (uint64_t)y : (uint64_t)y - (uint64_t)x;
}

bool
difference_has_ulps(enum dtype dtype_a, enum dtype dtype_b)
{
	return dtype_a == dtype_b && dtype_is_weight(dtype_a);
}

/* ---- rows ------------------------------------------------------------------------- */

/* A piece of two rows, and its elements as numbers. */
struct piece {
	enum dtype           dtype_a, dtype_b;
	size_t               size_a, size_b;
	bool                 one_type, is_float;        /* of one type, and that a float */
	const unsigned char *a, *b;
	size_t               count;
	double               x[BLOCK], y[BLOCK];
};

/* Elements `i`, which are not equal. */
static void
add_pair(struct difference *difference, const struct piece *piece, size_t i, double tolerance)
{
	const unsigned char *a = piece->a + i * piece->size_a, *b = piece->b + i * piece->size_b;
	double               x = piece->x[i], y = piece->y[i], between, larger, relative;

	if (!(fabs(x) <= DBL_MAX && fabs(y) <= DBL_MAX)) {
		difference->not_finite++;
		difference->outside++;
		return;
	}
	between = piece->dtype_a == DTYPE_INT64 && piece->dtype_b == DTYPE_INT64
		? distance(a, b) : fabs(x - y);
	if (between > DBL_MAX)
		between = DBL_MAX;
	larger = fabs(x) > fabs(y) ? fabs(x) : fabs(y);
	if (between > difference->max_absolute)
		difference->max_absolute = between;
	relative = larger > 0 ? between / larger : 0;
	if (relative > difference->max_relative)
		difference->max_relative = relative;
	if (piece->is_float) {
		uint64_t ulps = ulps_between(piece->dtype_a, a, b);

		if (ulps > difference->max_ulps)
			difference->max_ulps = ulps;
	}
	difference->outside += !(between <= tolerance);
}

static bool
is_equal(const struct piece *piece, size_t i)
{
	const unsigned char *a = piece->a + i * piece->size_a, *b = piece->b + i * piece->size_b;
	double               x = piece->x[i], y = piece->y[i];

	if (!piece->one_type)
		return (x == y && is_exact(piece->dtype_a, a) && is_exact(piece->dtype_b, b))
			|| (isnan(x) && isnan(y));
	/* Zeros have two forms, NaN have many, and double rounds whole numbers. */
	if (piece->is_float && (x < y || x > y))
		return false;
	return memcmp(a, b, piece->size_a) == 0;
}

static void
add_piece(struct difference *difference, struct piece *piece, uint64_t index, double tolerance)
{
	if (piece->one_type && memcmp(piece->a, piece->b, piece->count * piece->size_a) == 0)
		return;
	widen(piece->dtype_a, piece->a, piece->count, piece->x);
	widen(piece->dtype_b, piece->b, piece->count, piece->y);
	for (size_t i = 0; i < piece->count; i++) {
		if (is_equal(piece, i))
			continue;
		if (difference->differing++ == 0) {
			difference->first = index + i;
			memcpy(difference->first_a, piece->a + i * piece->size_a, piece->size_a);
			memcpy(difference->first_b, piece->b + i * piece->size_b, piece->size_b);
		}
		add_pair(difference, piece, i, tolerance);
	}
}

void
difference_add(struct difference *difference, enum dtype dtype_a, const unsigned char *a,
	enum dtype dtype_b, const unsigned char *b, uint64_t index, size_t count,
	double tolerance)
{
	const size_t size_a = dtype_size(dtype_a), size_b = dtype_size(dtype_b);
	struct piece piece;

	difference->compared += count;
	if (dtype_a == dtype_b && memcmp(a, b, count * size_a) == 0)
		return;
	piece.dtype_a = dtype_a;
	piece.dtype_b = dtype_b;
	piece.size_a = size_a;
	piece.size_b = size_b;
	piece.one_type = dtype_a == dtype_b;
	piece.is_float = difference_has_ulps(dtype_a, dtype_b);
	for (size_t from = 0; from < count; from += BLOCK) {
		piece.a = a + from * size_a;
		piece.b = b + from * size_b;
		piece.count = count - from < BLOCK ? count - from : BLOCK;
		add_piece(difference, &piece, index + from, tolerance);
	}
}

char *
difference_value_text(enum dtype dtype, const unsigned char *element, char *to, size_t size)
{
	char   number[TEXT_NUMBER_SIZE];
	double value;

	if (!dtype_is_weight(dtype))
		return text_format(to, size, "%" PRId64, whole_value(dtype, element));
	value = element_value(dtype, element);
	if (isnan(value))
		return text_format(to, size, "nan");
	if (isinf(value))
		return text_format(to, size, value < 0 ? "-inf" : "inf");
	return text_format(to, size, "%s", text_double(number, value));
}
