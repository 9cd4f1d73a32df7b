#include "check.h"

#include "plan/drift.h"

#include <math.h>

#define COUNT 5

static const float with_specials[COUNT] = { INFINITY, 3, -INFINITY, 4, NAN };

static void
test_norm(void)
{
	double sum = drift_square_sum(DTYPE_FLOAT32, (const unsigned char *)with_specials, COUNT);

	CHECK(!(sum < 25) && !(sum > 25), "the squares of what is finite add up to %g", sum);
}

/* What is not finite in both copies alike does not hide how far the others are apart; on one
 * side only it is as far away as can be. */
static void
test_apart(void)
{
	float        replica[COUNT];
	struct drift drift = { 0 };

	memcpy(replica, with_specials, sizeof replica);
	replica[1] = 5;
	drift_add(&drift, DTYPE_FLOAT32, (const unsigned char *)with_specials,
		(const unsigned char *)replica, COUNT, 7);
	CHECK(drift.elements == 1 && drift.shard == 7 && !(drift.square_sum < 4)
		&& !(drift.square_sum > 4), "%llu elements, squares of %g",
		(unsigned long long)drift.elements, drift.square_sum);
	replica[0] = 0;
	drift_add(&drift, DTYPE_FLOAT32, (const unsigned char *)with_specials,
		(const unsigned char *)replica, COUNT, 7);
	CHECK(drift.elements == 3 && isinf(drift.square_sum), "%llu elements, squares of %g",
		(unsigned long long)drift.elements, drift.square_sum);
}

int
main(void)
{
	test_norm();
	test_apart();
	return check_end("drift");
}
