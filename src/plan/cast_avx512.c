#include "plan/cast_kernel.h"

#if defined(__x86_64__)

#include "plan/float_bits.h"

#include <immintrin.h>

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#define INLINE static inline __attribute__((always_inline))

#define HALF_OF(bytes) ((const __m256i *)(const void *)(bytes))

struct singles {
	__m512 low, high;
};

/* ---- to float32 ------------------------------------------------------------------- */

AVX512 INLINE struct singles
load_half(const unsigned char *from)
{
	return (struct singles){ _mm512_cvtph_ps(_mm256_loadu_si256(HALF_OF(from))),
		_mm512_cvtph_ps(_mm256_loadu_si256(HALF_OF(from + 32))) };
}

/* NaN becomes quiet. */
AVX512 INLINE __m512
widen_bfloat(__m256i bfloats)
{
	__m512i bits = _mm512_slli_epi32(_mm512_cvtepu16_epi32(bfloats), 16);
	__m512  single = _mm512_castsi512_ps(bits);

	return _mm512_castsi512_ps(_mm512_mask_or_epi32(bits,
		_mm512_cmp_ps_mask(single, single, _CMP_UNORD_Q), bits,
		_mm512_set1_epi32(1 << 22)));
}

AVX512 INLINE struct singles
load_bfloat(const unsigned char *from)
{
	return (struct singles){ widen_bfloat(_mm256_loadu_si256(HALF_OF(from))),
		widen_bfloat(_mm256_loadu_si256(HALF_OF(from + 32))) };
}

AVX512 INLINE struct singles
load_single(const unsigned char *from)
{
	struct singles singles = { _mm512_loadu_ps(from), _mm512_loadu_ps(from + 64) };

	CAST_KEEP(singles.low);
	CAST_KEEP(singles.high);
	return singles;
}

AVX512 INLINE __m512
narrow_doubles(__m512i low, __m512i high)
{
	return _mm512_insertf32x8(
		_mm512_castps256_ps512(_mm512_cvtpd_ps(_mm512_castsi512_pd(low))),
		_mm512_cvtpd_ps(_mm512_castsi512_pd(high)), 1);
}

AVX512 INLINE struct singles
load_double(const unsigned char *from)
{
	return (struct singles){
		narrow_doubles(_mm512_loadu_si512(from), _mm512_loadu_si512(from + 64)),
		narrow_doubles(_mm512_loadu_si512(from + 128), _mm512_loadu_si512(from + 192)) };
}

/* As float_bits_double_to_odd_single(); 0x54 is (a | b) & ~c. */
AVX512 INLINE __m512i
load_odd(const unsigned char *from)
{
	const __m512i lost = _mm512_set1_epi64(FLOAT_BITS_LOST);
	__m512i       bits = _mm512_loadu_si512(from);

	CAST_KEEP(bits);
	return _mm512_ternarylogic_epi64(bits,
		_mm512_add_epi64(_mm512_and_si512(bits, lost), lost), lost, 0x54);
}

AVX512 INLINE struct singles
load_odd_double(const unsigned char *from)
{
	return (struct singles){ narrow_doubles(load_odd(from), load_odd(from + 64)),
		narrow_doubles(load_odd(from + 128), load_odd(from + 192)) };
}

/* ---- from float32 ----------------------------------------------------------------- */

/* What is kept as the largest: the bits without the sign, one place up. */
AVX512 INLINE void
store_16(unsigned char *to, __m512i stored, __m512i *largest)
{
	_mm512_storeu_si512(to, stored);
	*largest = _mm512_max_epu16(*largest, _mm512_slli_epi16(stored, 1));
}

AVX512 INLINE bool
reaches_16(__m512i largest, int exponent)
{
	return _mm512_cmpge_epu16_mask(largest, _mm512_set1_epi16((short)(exponent * 2))) != 0;
}

AVX512 INLINE void
store_half(unsigned char *to, struct singles singles, __m512i *largest)
{
	store_16(to, _mm512_inserti64x4(_mm512_castsi256_si512(
		_mm512_cvtps_ph(singles.low, _MM_FROUND_TO_NEAREST_INT)),
		_mm512_cvtps_ph(singles.high, _MM_FROUND_TO_NEAREST_INT), 1), largest);
}

/* As float_bits_single_to_bfloat(). */
AVX512 INLINE __m512i
round_to_bfloat(__m512 singles)
{
	__m512i   bits = _mm512_castps_si512(singles);
	__mmask16 is_nan = _mm512_cmp_ps_mask(singles, singles, _CMP_UNORD_Q);
	__mmask16 is_odd = _mm512_test_epi32_mask(bits, _mm512_set1_epi32(1 << 16));
	__m512i   bias = _mm512_mask_blend_epi32(is_odd, _mm512_set1_epi32(0x7fff),
		_mm512_set1_epi32(0x8000));

	return _mm512_srli_epi32(_mm512_mask_or_epi32(_mm512_add_epi32(bits, bias), is_nan, bits,
		_mm512_set1_epi32(1 << 22)), 16);
}

/* Packing takes 8 bytes from either source in turn. */
AVX512 INLINE void
store_bfloat(unsigned char *to, struct singles singles, __m512i *largest)
{
	const __m512i in_turn = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);

	store_16(to, _mm512_permutexvar_epi64(in_turn, _mm512_packus_epi32(
		round_to_bfloat(singles.low), round_to_bfloat(singles.high))), largest);
}

AVX512 INLINE void
store_single(unsigned char *to, struct singles singles, __m512i *largest)
{
	__m512i low = _mm512_castps_si512(singles.low), high = _mm512_castps_si512(singles.high);

	_mm512_storeu_si512(to, low);
	_mm512_storeu_si512(to + 64, high);
	*largest = _mm512_max_epu32(*largest, _mm512_max_epu32(_mm512_slli_epi32(low, 1),
		_mm512_slli_epi32(high, 1)));
}

AVX512 INLINE bool
found_single(__m512i largest)
{
	return _mm512_cmpge_epu32_mask(largest, _mm512_set1_epi32((int)(0x7f800000u * 2))) != 0;
}

AVX512 INLINE void
store_16_doubles(unsigned char *to, __m512 singles)
{
	_mm512_storeu_pd(to, _mm512_cvtps_pd(_mm512_castps512_ps256(singles)));
	_mm512_storeu_pd(to + 64, _mm512_cvtps_pd(_mm512_extractf32x8_ps(singles, 1)));
}

/* Exact, so nobody asks whether a result became infinite. */
AVX512 INLINE void
store_double(unsigned char *to, struct singles singles, __m512i *largest)
{
	store_16_doubles(to, singles.low);
	store_16_doubles(to + 128, singles.high);
	(void)largest;
}

/* ---- the loops -------------------------------------------------------------------- */

#define found_half(largest)    reaches_16(largest, 0x7c00)
#define found_bfloat(largest)  reaches_16(largest, 0x7f80)
#define found_double(largest)  true
#define undone_half(largest)   false
#define undone_bfloat(largest) false
#define undone_single(largest) false
#define undone_double(largest) false

#define LOOP(from, loaded, to) CAST_VECTOR_LOOP(AVX512, __m512i, 32, from, loaded, to)
CAST_PAIRS(LOOP)

const struct cast_kernel cast_kernel_avx512 = CAST_KERNEL;

#endif
