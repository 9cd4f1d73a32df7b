#include "check/difference.h"

#include "base/text.h"
#include "plan/element.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

/* What is compared at once before elements are looked at one by one. */
#define BLOCK_BYTES 256

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

static double
number_of(enum dtype dtype, const unsigned char *element)
{
	return dtype_is_weight(dtype) ? element_value(dtype, element)
		: (double)whole_value(dtype, element);
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

/* |a - b|, exact in double where both are whole numbers of 64 bits too, as far as that goes. */
static double
distance(enum dtype dtype_a, const unsigned char *a, enum dtype dtype_b, const unsigned char *b)
{
	int64_t x, y;
	double  between;

	if (dtype_a != DTYPE_INT64 || dtype_b != DTYPE_INT64) {
		between = fabs(number_of(dtype_a, a) - number_of(dtype_b, b));
		return between > DBL_MAX ? DBL_MAX : between;
	}
	x = whole_value(dtype_a, a);
	y = whole_value(dtype_b, b);
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

/* Two elements that are not equal. */
static void
add_pair(struct difference *difference, enum dtype dtype_a, const unsigned char *a,
	enum dtype dtype_b, const unsigned char *b, uint64_t index, double tolerance)
{
	double x = number_of(dtype_a, a), y = number_of(dtype_b, b);

	if (difference->differing++ == 0) {
		difference->first = index;
		memcpy(difference->first_a, a, dtype_size(dtype_a));
		memcpy(difference->first_b, b, dtype_size(dtype_b));
	}
	if (isfinite(x) && isfinite(y)) {
		double between = distance(dtype_a, a, dtype_b, b);
		double larger = fmax(fabs(x), fabs(y));
		double relative = larger > 0 ? between / larger : 0;

		if (between > difference->max_absolute)
			difference->max_absolute = between;
		if (relative > difference->max_relative)
			difference->max_relative = relative;
		if (difference_has_ulps(dtype_a, dtype_b)) {
			uint64_t ulps = ulps_between(dtype_a, a, b);

			if (ulps > difference->max_ulps)
				difference->max_ulps = ulps;
		}
		difference->outside += !(between <= tolerance);
	} else {
		difference->not_finite++;
		difference->outside++;
	}
}

static void
add_same_type(struct difference *difference, enum dtype dtype, const unsigned char *a,
	const unsigned char *b, uint64_t index, size_t count, double tolerance)
{
	const size_t size = dtype_size(dtype), per_block = BLOCK_BYTES / size;

	if (memcmp(a, b, count * size) == 0)
		return;
	for (size_t from = 0; from < count; from += per_block) {
		size_t end = count - from < per_block ? count : from + per_block;

		if (memcmp(a + from * size, b + from * size, (end - from) * size) == 0)
			continue;
		for (size_t i = from; i < end; i++)
			if (memcmp(a + i * size, b + i * size, size) != 0)
				add_pair(difference, dtype, a + i * size, dtype, b + i * size,
					index + i, tolerance);
	}
}

static void
add_two_types(struct difference *difference, enum dtype dtype_a, const unsigned char *a,
	enum dtype dtype_b, const unsigned char *b, uint64_t index, size_t count,
	double tolerance)
{
	const size_t size_a = dtype_size(dtype_a), size_b = dtype_size(dtype_b);

	for (size_t i = 0; i < count; i++, a += size_a, b += size_b) {
		double x = number_of(dtype_a, a), y = number_of(dtype_b, b);
		bool   is_equal = (x == y && is_exact(dtype_a, a) && is_exact(dtype_b, b))
			|| (isnan(x) && isnan(y));

		if (!is_equal)
			add_pair(difference, dtype_a, a, dtype_b, b, index + i, tolerance);
	}
}

void
difference_add(struct difference *difference, enum dtype dtype_a, const unsigned char *a,
	enum dtype dtype_b, const unsigned char *b, uint64_t index, size_t count,
	double tolerance)
{
	difference->compared += count;
	if (dtype_a == dtype_b)
		add_same_type(difference, dtype_a, a, b, index, count, tolerance);
	else
		add_two_types(difference, dtype_a, a, dtype_b, b, index, count, tolerance);
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
