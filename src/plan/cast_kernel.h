#ifndef PLAN_CAST_KERNEL_H
#define PLAN_CAST_KERNEL_H

#include "torch/dtype.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Converts `count` elements side by side; nothing need be aligned, nothing may overlap.
 * false: it was seen that no result is infinite or NaN; true: there may be some. */
typedef bool cast_loop(const unsigned char *restrict source, unsigned char *restrict target,
	size_t count);

#define CAST_TYPES (DTYPE_FLOAT64 + 1)

/* A loop for every pair of different float types, for one kind of processor.  The results are the
 * same for all kinds. */
struct cast_kernel {
	cast_loop *loops[CAST_TYPES][CAST_TYPES];       /* from, to */
};

extern const struct cast_kernel cast_kernel_portable;
#if defined(__x86_64__)
extern const struct cast_kernel cast_kernel_avx2, cast_kernel_avx512;
#endif

/*
 * All pairs, as PAIR(from, loaded, to).  Every one goes by way of float32, in registers, which
 * holds all halves and bfloat16 exactly:
 *
 *     half, bfloat                    exact      single    nearest    half, bfloat
 *     double, to half or bfloat       to odd     single    nearest    half, bfloat
 *     double, to single               nearest    single
 *                                                single    exact      double
 *
 * `loaded` says how it becomes one: odd_double is to odd.
 */
#define CAST_PAIRS(PAIR) \
	PAIR(half, half, bfloat) PAIR(half, half, single) PAIR(half, half, double) \
	PAIR(bfloat, bfloat, half) PAIR(bfloat, bfloat, single) PAIR(bfloat, bfloat, double) \
	PAIR(single, single, half) PAIR(single, single, bfloat) PAIR(single, single, double) \
	PAIR(double, odd_double, half) PAIR(double, odd_double, bfloat) \
	PAIR(double, double, single)

#define CAST_DTYPE_half   DTYPE_FLOAT16
#define CAST_DTYPE_bfloat DTYPE_BFLOAT16
#define CAST_DTYPE_single DTYPE_FLOAT32
#define CAST_DTYPE_double DTYPE_FLOAT64

#define CAST_BYTES_half   2
#define CAST_BYTES_bfloat 2
#define CAST_BYTES_single 4
#define CAST_BYTES_double 8

/* A kernel of loops that are called FROM_to_TO. */
#define CAST_ENTRY(from, loaded, to) \
	.loops[CAST_DTYPE_##from][CAST_DTYPE_##to] = from##_to_##to,
#define CAST_KERNEL { CAST_PAIRS(CAST_ENTRY) }

/* Loaded once: compilers would read a vector again for every instruction that takes it, which
 * is slow where it lies across two cache lines. */
#define CAST_KEEP(vector) __asm__("" : "+v"(vector))

/*
 * Defines a loop over vectors of `turn` elements: `load_LOADED` gives a `struct singles` of the
 * source, `store_TO` stores it and notes in `largest`, a `vector`, what went by.  Of that
 * `found_TO` tells whether a result may be infinite or NaN, `undone_TO` whether NaN among them
 * were not treated as they should be.  Those, and what fills no vector, are left to portable
 * code.
 */
#define CAST_VECTOR_LOOP(attributes, vector, turn, from, loaded, to) \
	attributes static bool \
	from##_to_##to(const unsigned char *restrict source, unsigned char *restrict target, \
		size_t count) \
	{ \
		vector largest = { 0 }; \
		size_t done = count - count % (turn); \
		for (size_t i = 0; i < done; i += (turn)) \
			store_##to(target + i * CAST_BYTES_##to, \
				load_##loaded(source + i * CAST_BYTES_##from), &largest); \
		if (undone_##to(largest)) \
			done = 0; \
		if (done < count) \
			cast_kernel_portable.loops[CAST_DTYPE_##from][CAST_DTYPE_##to]( \
				source + done * CAST_BYTES_##from, target + done * CAST_BYTES_##to, \
				count - done); \
		return done < count || found_##to(largest); \
	}

#endif
