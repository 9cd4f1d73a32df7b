#include "plan/drift.h"

#include "plan/element.h"

#include <math.h>
#include <string.h>

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
		difference = fabs(element_value(dtype, used + i * size)
			- element_value(dtype, replica + i * size));
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

void
drift_join(struct drift *drift, const struct drift *other)
{
	if (drift->elements == 0)
		drift->shard = other->shard;
	drift->elements += other->elements;
	drift->square_sum += other->square_sum;
	if (other->largest > drift->largest)
		drift->largest = other->largest;
}

double
drift_square_sum(enum dtype dtype, const unsigned char *elements, size_t count)
{
	size_t size = dtype_size(dtype);
	double sum = 0;

	for (size_t i = 0; i < count; i++) {
		double value = element_value(dtype, elements + i * size);

		if (isfinite(value))
			sum += value * value;
	}
	return sum;
}
