#include "plan/drift.h"

#include <math.h>
#include <string.h>

static double
value_of_half(uint16_t bits)
{
	int    exponent = bits >> 10 & 0x1f, fraction = bits & 0x3ff;
	double value = exponent == 0x1f ? (fraction != 0 ? (double)NAN : (double)INFINITY)
		: exponent == 0 ? ldexp(fraction, -24) : ldexp(fraction + 0x400, exponent - 25);

	return bits & 0x8000 ? -value : value;
}

static double
value_of_single(uint32_t bits)
{
	float value;

	memcpy(&value, &bits, sizeof value);
	return (double)value;
}

double
drift_value(enum dtype dtype, const unsigned char *element)
{
	uint16_t half;
	uint32_t single;
	double   value;

	switch (dtype) {
	case DTYPE_FLOAT16:
		memcpy(&half, element, sizeof half);
		return value_of_half(half);
	case DTYPE_BFLOAT16:
		memcpy(&half, element, sizeof half);
		return value_of_single((uint32_t)half << 16);
	case DTYPE_FLOAT32:
		memcpy(&single, element, sizeof single);
		return value_of_single(single);
	default:
		memcpy(&value, element, sizeof value);
		return value;
	}
}

void
drift_add(struct drift *drift, enum dtype dtype, const unsigned char *used,
	const unsigned char *replica, size_t count, size_t shard)
{
	size_t size = dtype_size(dtype);

	if (memcmp(used, replica, count * size) == 0)
		return;
	for (size_t i = 0; i < count; i++) {
		double difference;

		if (memcmp(used + i * size, replica + i * size, size) == 0)
			continue;
		difference = fabs(drift_value(dtype, used + i * size)
			- drift_value(dtype, replica + i * size));
		if (drift->elements++ == 0)
			drift->shard = shard;
		/* A NaN on one side only is as far away as can be. */
		if (isnan(difference))
			difference = (double)INFINITY;
		if (difference > drift->largest)
			drift->largest = difference;
		drift->square_sum += difference * difference;
	}
}

double
drift_square_sum(enum dtype dtype, const unsigned char *elements, size_t count)
{
	size_t size = dtype_size(dtype);
	double sum = 0;

	for (size_t i = 0; i < count; i++) {
		double value = drift_value(dtype, elements + i * size);
		sum += value * value;
	}
	return sum;
}
