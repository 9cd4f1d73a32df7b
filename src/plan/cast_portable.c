#include "plan/cast_kernel.h"

CAST_LOOP(half_to_single, , uint16_t, uint32_t, float_bits_half_to_single)
CAST_LOOP(bfloat_to_single, , uint16_t, uint32_t, float_bits_bfloat_to_single)
CAST_LOOP(single_to_half, , uint32_t, uint16_t, float_bits_single_to_half)
CAST_LOOP(single_to_bfloat, , uint32_t, uint16_t, float_bits_single_to_bfloat)
CAST_LOOP(single_to_double, , uint32_t, uint64_t, float_bits_single_to_double)
CAST_LOOP(double_to_single, , uint64_t, uint32_t, float_bits_double_to_single)
CAST_LOOP(double_to_odd_single, , uint64_t, uint32_t, float_bits_double_to_odd_single)

const struct cast_kernel cast_kernel_portable = {
	.name = "portable",
	.half_to_single = half_to_single, .bfloat_to_single = bfloat_to_single,
	.single_to_half = single_to_half, .single_to_bfloat = single_to_bfloat,
	.single_to_double = single_to_double, .double_to_single = double_to_single,
	.double_to_odd_single = double_to_odd_single,
};
