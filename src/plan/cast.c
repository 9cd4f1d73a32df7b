#include "plan/cast.h"

#include "plan/cast_kernel.h"
#include "plan/element.h"
#include "plan/instructions.h"

#include <math.h>
#include <string.h>

/* Elements at a time: what is looked at again is still in the first-level cache. */
#define BLOCK_ELEMENTS 2048
#define LINE_BYTES     64

static const struct cast_kernel *
choose_kernel(void)
{
#if defined(__x86_64__)
	if (instructions_used() == INSTRUCTIONS_AVX512)
		return &cast_kernel_avx512;
	if (instructions_used() == INSTRUCTIONS_AVX2)
		return &cast_kernel_avx2;
#endif
	return &cast_kernel_portable;
}

/* Elements of the first block: to where the target reaches a cache line, because stores across
 * two of them are slow. */
static size_t
first_block(const unsigned char *target, size_t size)
{
	size_t bytes = -(uintptr_t)target % LINE_BYTES;

	return bytes > 0 && bytes % size == 0 ? bytes / size : BLOCK_ELEMENTS;
}

/* bfloat16 has the exponents of float32: only rounding makes one infinite. */
static bool
may_overflow(enum dtype from, enum dtype to)
{
	switch (to) {
	case DTYPE_FLOAT16: return true;
	case DTYPE_BFLOAT16: return from == DTYPE_FLOAT32 || from == DTYPE_FLOAT64;
	case DTYPE_FLOAT32: return from == DTYPE_FLOAT64;
	default: return false;
	}
}

/* Most blocks hold no infinity, and to know that takes little. */
static void
count_overflow(struct cast_overflow *overflow, enum dtype from, const unsigned char *source,
	enum dtype to, const unsigned char *target, size_t count)
{
	struct element_specials specials = { 0, 0 };

	element_count_specials(&specials, to, target, count);
	for (size_t i = 0; i < count && specials.infinities > 0; i++) {
		double value = element_value(from, source + i * dtype_size(from));

		if (!isfinite(value) || !isinf(element_value(to, target + i * dtype_size(to))))
			continue;
		overflow->elements++;
		if (fabs(value) > overflow->largest)
			overflow->largest = fabs(value);
	}
}

void
cast_elements(enum dtype from, const unsigned char *source, enum dtype to,
	unsigned char *target, uint64_t count, struct cast_overflow *overflow)
{
	cast_loop *loop = choose_kernel()->loops[from][to];
	bool       counts = overflow != NULL && may_overflow(from, to);
	size_t     some = first_block(target, dtype_size(to));

	if (from == to) {
		memcpy(target, source, (size_t)count * dtype_size(to));
		count = 0;
	}
	for (; count > 0; some = BLOCK_ELEMENTS) {
		bool unknown;

		if (some > count)
			some = (size_t)count;
		unknown = loop(source, target, some);
		if (counts && unknown)
			count_overflow(overflow, from, source, to, target, some);
		source += some * dtype_size(from);
		target += some * dtype_size(to);
		count -= some;
	}
}
