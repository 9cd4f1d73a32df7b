#include "plan/cast_kernel.h"

#if defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>
#include <stdbool.h>

#define VECTOR 8
#define AVX2   __attribute__((target("avx2")))
#define F16C   __attribute__((target("avx2,f16c")))

/* Rare here, and fast enough: the portable steps in vectors twice as long. */
CAST_LOOP(single_to_double, AVX2, uint32_t, uint64_t, float_bits_single_to_double)
CAST_LOOP(double_to_single, AVX2, uint64_t, uint32_t, float_bits_double_to_single)
CAST_LOOP(double_to_odd_single, AVX2, uint64_t, uint32_t, float_bits_double_to_odd_single)

/* ---- to float32 ------------------------------------------------------------------- */

F16C static bool
half_to_single(const unsigned char *restrict source, unsigned char *restrict target,
	size_t count)
{
	size_t vectors = count - count % VECTOR;

	for (size_t i = 0; i < vectors; i += VECTOR) {
		__m128i halves = _mm_loadu_si128((const __m128i *)(const void *)(source + i * 2));

		_mm256_storeu_ps((float *)(void *)(target + i * 4), _mm256_cvtph_ps(halves));
	}
	return cast_kernel_portable.half_to_single(source + vectors * 2, target + vectors * 4,
		count - vectors);
}

AVX2 static bool
bfloat_to_single(const unsigned char *restrict source, unsigned char *restrict target,
	size_t count)
{
	const __m256 quiet = _mm256_castsi256_ps(_mm256_set1_epi32(1 << 22));
	size_t       vectors = count - count % VECTOR;

	for (size_t i = 0; i < vectors; i += VECTOR) {
		__m128i bfloats = _mm_loadu_si128((const __m128i *)(const void *)(source + i * 2));
		__m256  singles = _mm256_castsi256_ps(
			_mm256_slli_epi32(_mm256_cvtepu16_epi32(bfloats), 16));
		__m256  is_nan = _mm256_cmp_ps(singles, singles, _CMP_UNORD_Q);

		_mm256_storeu_ps((float *)(void *)(target + i * 4),
			_mm256_or_ps(singles, _mm256_and_ps(is_nan, quiet)));
	}
	return cast_kernel_portable.bfloat_to_single(source + vectors * 2, target + vectors * 4,
		count - vectors);
}

/* ---- from float32 ----------------------------------------------------------------- */

/* The largest so far, lane by lane, of what the bits without the sign are as integers. */
AVX2 static inline __m256i
larger_size(__m256i largest, __m256i singles)
{
	return _mm256_max_epi32(largest,
		_mm256_and_si256(singles, _mm256_set1_epi32(0x7fffffff)));
}

AVX2 static inline bool
is_above(__m256i largest, int limit)
{
	return _mm256_movemask_epi8(_mm256_cmpgt_epi32(largest, _mm256_set1_epi32(limit))) != 0;
}

F16C static bool
single_to_half(const unsigned char *restrict source, unsigned char *restrict target,
	size_t count)
{
	__m256i largest = _mm256_setzero_si256();
	size_t  vectors = count - count % VECTOR;

	for (size_t i = 0; i < vectors; i += VECTOR) {
		__m256i singles = _mm256_loadu_si256((const __m256i *)(const void *)(source + i * 4));

		_mm_storeu_si128((__m128i *)(void *)(target + i * 2), _mm256_cvtps_ph(
			_mm256_castsi256_ps(singles), _MM_FROUND_TO_NEAREST_INT));
		largest = larger_size(largest, singles);
	}
	if (vectors < count)
		cast_kernel_portable.single_to_half(source + vectors * 4, target + vectors * 2,
			count - vectors);
	return vectors < count || is_above(largest, 0x477fefff);
}

/* As float_bits_single_to_bfloat(), but for NaN. */
AVX2 static inline __m256i
round_to_bfloat(__m256i singles)
{
	__m256i odd = _mm256_and_si256(_mm256_srli_epi32(singles, 16), _mm256_set1_epi32(1));
	__m256i sum = _mm256_add_epi32(_mm256_add_epi32(singles, odd), _mm256_set1_epi32(0x7fff));

	return _mm256_srli_epi32(sum, 16);
}

/* Packing takes 8 bytes from either source in turn: 64-bit lanes 0 2 1 3. */
AVX2 static bool
single_to_bfloat(const unsigned char *restrict source, unsigned char *restrict target,
	size_t count)
{
	__m256i largest = _mm256_setzero_si256();
	size_t  vectors = count - count % (2 * VECTOR);

	for (size_t i = 0; i < vectors; i += 2 * VECTOR) {
		const unsigned char *at = source + i * 4;
		__m256i low = _mm256_loadu_si256((const __m256i *)(const void *)at);
		__m256i high = _mm256_loadu_si256((const __m256i *)(const void *)(at + 32));
		__m256i packed = _mm256_packus_epi32(round_to_bfloat(low), round_to_bfloat(high));

		_mm256_storeu_si256((__m256i *)(void *)(target + i * 2),
			_mm256_permute4x64_epi64(packed, 0xd8));
		largest = larger_size(larger_size(largest, low), high);
	}
	/* With NaN among them all is done again. */
	if (is_above(largest, 0x7f800000))
		vectors = 0;
	if (vectors < count)
		cast_kernel_portable.single_to_bfloat(source + vectors * 4, target + vectors * 2,
			count - vectors);
	return vectors < count || is_above(largest, 0x7f7f7fff);
}

/*
 * clang has no name for F16C in __builtin_cpu_supports(); that of AVX2 tells that the system
 * saves the registers that both use.  Asked once: under a hypervisor CPUID takes as long as
 * converting a megabyte.
 */
static bool
is_supported(void)
{
	enum answer { UNKNOWN, NO, YES };
	static _Atomic enum answer known;
	enum answer                answer = known;
	unsigned                   a, b, c, d;

	if (answer == UNKNOWN) {
		answer = __builtin_cpu_supports("avx2") && __get_cpuid(1, &a, &b, &c, &d)
			&& (c & bit_F16C) != 0 ? YES : NO;
		known = answer;
	}
	return answer == YES;
}

const struct cast_kernel *
cast_kernel_x86(void)
{
	static const struct cast_kernel kernel = {
		.name = "f16c, avx2",
		.half_to_single = half_to_single, .bfloat_to_single = bfloat_to_single,
		.single_to_half = single_to_half, .single_to_bfloat = single_to_bfloat,
		.single_to_double = single_to_double, .double_to_single = double_to_single,
		.double_to_odd_single = double_to_odd_single,
	};

	return is_supported() ? &kernel : NULL;
}

#else

const struct cast_kernel *
cast_kernel_x86(void)
{
	return NULL;
}

#endif
