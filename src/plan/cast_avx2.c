#include "plan/cast_kernel.h"

#if defined(__x86_64__)

#include "plan/float_bits.h"

#include <immintrin.h>

#define AVX2   __attribute__((target("avx2,f16c")))
#define INLINE static inline __attribute__((always_inline))

#define AT(bytes)   ((__m256i *)(void *)(bytes))
#define FROM(bytes) ((const __m256i *)(const void *)(bytes))
#define HALF_OF(bytes) ((const __m128i *)(const void *)(bytes))

struct singles {
	__m256 low, high;
};

/* ---- to float32 ------------------------------------------------------------------- */

AVX2 INLINE struct singles
load_half(const unsigned char *from)
{
	return (struct singles){ _mm256_cvtph_ps(_mm_loadu_si128(HALF_OF(from))),
		_mm256_cvtph_ps(_mm_loadu_si128(HALF_OF(from + 16))) };
}

/* NaN becomes quiet. */
AVX2 INLINE __m256
widen_bfloat(__m128i bfloats)
{
	const __m256 quiet = _mm256_castsi256_ps(_mm256_set1_epi32(1 << 22));
	__m256       single = _mm256_castsi256_ps(
		_mm256_slli_epi32(_mm256_cvtepu16_epi32(bfloats), 16));

	return _mm256_or_ps(single,
		_mm256_and_ps(_mm256_cmp_ps(single, single, _CMP_UNORD_Q), quiet));
}

AVX2 INLINE struct singles
load_bfloat(const unsigned char *from)
{
	return (struct singles){ widen_bfloat(_mm_loadu_si128(HALF_OF(from))),
		widen_bfloat(_mm_loadu_si128(HALF_OF(from + 16))) };
}

AVX2 INLINE struct singles
load_single(const unsigned char *from)
{
	__m256i low = _mm256_loadu_si256(FROM(from)), high = _mm256_loadu_si256(FROM(from + 32));

	CAST_KEEP(low);
	CAST_KEEP(high);
	return (struct singles){ _mm256_castsi256_ps(low), _mm256_castsi256_ps(high) };
}

AVX2 INLINE __m256
narrow_doubles(__m256i low, __m256i high)
{
	return _mm256_set_m128(_mm256_cvtpd_ps(_mm256_castsi256_pd(high)),
		_mm256_cvtpd_ps(_mm256_castsi256_pd(low)));
}

AVX2 INLINE struct singles
load_double(const unsigned char *from)
{
	return (struct singles){
		narrow_doubles(_mm256_loadu_si256(FROM(from)), _mm256_loadu_si256(FROM(from + 32))),
		narrow_doubles(_mm256_loadu_si256(FROM(from + 64)),
			_mm256_loadu_si256(FROM(from + 96))) };
}

/* As float_bits_double_to_odd_single(). */
AVX2 INLINE __m256i
load_odd(const unsigned char *from)
{
	const __m256i lost = _mm256_set1_epi64x(FLOAT_BITS_LOST);
	__m256i       bits = _mm256_loadu_si256(FROM(from)), sticky;

	CAST_KEEP(bits);
	sticky = _mm256_add_epi64(_mm256_and_si256(bits, lost), lost);
	return _mm256_andnot_si256(lost, _mm256_or_si256(bits, sticky));
}

AVX2 INLINE struct singles
load_odd_double(const unsigned char *from)
{
	return (struct singles){ narrow_doubles(load_odd(from), load_odd(from + 32)),
		narrow_doubles(load_odd(from + 64), load_odd(from + 96)) };
}

/* ---- from float32 ----------------------------------------------------------------- */

/* As integers, the bits without the sign grow with the size, and NaN is the largest. */
AVX2 INLINE bool
is_above(__m256i largest, int size)
{
	return _mm256_movemask_epi8(_mm256_cmpgt_epi32(largest, _mm256_set1_epi32(size))) != 0;
}

AVX2 INLINE __m256i
larger_single(__m256i largest, __m256 singles)
{
	return _mm256_max_epi32(largest, _mm256_and_si256(_mm256_castps_si256(singles),
		_mm256_set1_epi32(0x7fffffff)));
}

AVX2 INLINE void
store_half(unsigned char *to, struct singles singles, __m256i *largest)
{
	__m256i halves = _mm256_set_m128i(
		_mm256_cvtps_ph(singles.high, _MM_FROUND_TO_NEAREST_INT),
		_mm256_cvtps_ph(singles.low, _MM_FROUND_TO_NEAREST_INT));

	_mm256_storeu_si256(AT(to), halves);
	/* Without the sign, one place up. */
	*largest = _mm256_max_epu16(*largest, _mm256_slli_epi16(halves, 1));
}

AVX2 INLINE bool
found_half(__m256i largest)
{
	__m256i infinity = _mm256_set1_epi16((short)(0x7c00 * 2));

	return _mm256_movemask_epi8(
		_mm256_cmpeq_epi16(_mm256_max_epu16(largest, infinity), largest)) != 0;
}

/* As float_bits_single_to_bfloat(), but for NaN. */
AVX2 INLINE __m256i
round_to_bfloat(__m256 singles)
{
	__m256i bits = _mm256_castps_si256(singles);
	__m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
	__m256i sum = _mm256_add_epi32(_mm256_add_epi32(bits, odd), _mm256_set1_epi32(0x7fff));

	return _mm256_srli_epi32(sum, 16);
}

/* Packing takes 8 bytes from either source in turn: 64-bit lanes 0 2 1 3. */
AVX2 INLINE void
store_bfloat(unsigned char *to, struct singles singles, __m256i *largest)
{
	__m256i packed = _mm256_packus_epi32(round_to_bfloat(singles.low),
		round_to_bfloat(singles.high));

	_mm256_storeu_si256(AT(to), _mm256_permute4x64_epi64(packed, 0xd8));
	*largest = larger_single(larger_single(*largest, singles.low), singles.high);
}

AVX2 INLINE bool
found_bfloat(__m256i largest)
{
	return is_above(largest, 0x7f7f7fff);
}

AVX2 INLINE void
store_single(unsigned char *to, struct singles singles, __m256i *largest)
{
	_mm256_storeu_si256(AT(to), _mm256_castps_si256(singles.low));
	_mm256_storeu_si256(AT(to + 32), _mm256_castps_si256(singles.high));
	*largest = larger_single(larger_single(*largest, singles.low), singles.high);
}

AVX2 INLINE bool
found_single(__m256i largest)
{
	return is_above(largest, 0x7f7fffff);
}

AVX2 INLINE void
store_four_doubles(unsigned char *to, __m128 singles)
{
	_mm256_storeu_si256(AT(to), _mm256_castpd_si256(_mm256_cvtps_pd(singles)));
}

/* Exact, so nobody asks whether a result became infinite. */
AVX2 INLINE void
store_double(unsigned char *to, struct singles singles, __m256i *largest)
{
	store_four_doubles(to, _mm256_castps256_ps128(singles.low));
	store_four_doubles(to + 32, _mm256_extractf128_ps(singles.low, 1));
	store_four_doubles(to + 64, _mm256_castps256_ps128(singles.high));
	store_four_doubles(to + 96, _mm256_extractf128_ps(singles.high, 1));
	(void)largest;
}

/* ---- the loops -------------------------------------------------------------------- */

#define found_double(largest)  true
#define undone_half(largest)   false
#define undone_bfloat(largest) is_above(largest, 0x7f800000)
#define undone_single(largest) false
#define undone_double(largest) false

#define LOOP(from, loaded, to) CAST_VECTOR_LOOP(AVX2, __m256i, 16, from, loaded, to)
CAST_PAIRS(LOOP)

const struct cast_kernel cast_kernel_avx2 = CAST_KERNEL;

#endif
