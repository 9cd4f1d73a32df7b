#include "plan/cast.h"

#include "plan/cast_kernel.h"
#include "plan/element.h"

#include <math.h>
#include <string.h>

/*
 * Every pair goes by way of float32, which holds all halves and bfloat16 exactly:
 *
 *     float16, bfloat16                  exact      float32    nearest    float16, bfloat16
 *     float64, to float16 or bfloat16    to odd     float32    nearest    float16, bfloat16
 *     float64, to float32                nearest    float32
 *                                                   float32    exact      float64
 *
 * in blocks that stay in the first-level cache.
 */
#define BLOCK_ELEMENTS 2048
#define LINE_BYTES     64

static bool portable_forced;

static const struct cast_kernel *
choose_kernel(void)
{
	const struct cast_kernel *kernel = portable_forced ? NULL : cast_kernel_x86();

	return kernel != NULL ? kernel : &cast_kernel_portable;
}

/* Elements of the first block: to where the target reaches a cache line, because stores across
 * two of them are slow. */
static size_t
first_block(const unsigned char *target, size_t size)
{
	size_t bytes = -(uintptr_t)target % LINE_BYTES;

	return bytes > 0 && bytes % size == 0 ? bytes / size : BLOCK_ELEMENTS;
}

/* The loop to float32, with `to` in mind; NULL: it is float32. */
static cast_loop *
loop_to_single(const struct cast_kernel *kernel, enum dtype from, enum dtype to)
{
	switch (from) {
	case DTYPE_FLOAT16: return kernel->half_to_single;
	case DTYPE_BFLOAT16: return kernel->bfloat_to_single;
	case DTYPE_FLOAT32: return NULL;
	default: return to == DTYPE_FLOAT32 ? kernel->double_to_single
		: kernel->double_to_odd_single;
	}
}

static cast_loop *
loop_of_single(const struct cast_kernel *kernel, enum dtype to)
{
	switch (to) {
	case DTYPE_FLOAT16: return kernel->single_to_half;
	case DTYPE_BFLOAT16: return kernel->single_to_bfloat;
	case DTYPE_FLOAT32: return NULL;
	default: return kernel->single_to_double;
	}
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
	const struct cast_kernel *kernel = choose_kernel();
	cast_loop                *first = loop_to_single(kernel, from, to);
	cast_loop                *second = loop_of_single(kernel, to);
	_Alignas(LINE_BYTES) unsigned char singles[BLOCK_ELEMENTS * sizeof(float)];
	bool                      counts = overflow != NULL && may_overflow(from, to);
	size_t                    some = first_block(target, dtype_size(to));

	if (from == to) {
		memcpy(target, source, (size_t)count * dtype_size(to));
		count = 0;
	}
	for (; count > 0; some = BLOCK_ELEMENTS) {
		bool unknown;

		if (some > count)
			some = (size_t)count;
		if (first == NULL) {
			unknown = second(source, target, some);
		} else if (second == NULL) {
			unknown = first(source, target, some);
		} else {
			first(source, singles, some);
			unknown = second(singles, target, some);
		}
		if (counts && unknown)
			count_overflow(overflow, from, source, to, target, some);
		source += some * dtype_size(from);
		target += some * dtype_size(to);
		count -= some;
	}
}

const char *
cast_kernel_name(void)
{
	return choose_kernel()->name;
}

void
cast_force_portable(bool portable)
{
	portable_forced = portable;
}
