#ifndef BASE_CHECKED_H
#define BASE_CHECKED_H

#include <stdbool.h>
#include <stdint.h>

/* Numbers of tensors are used as they stand in the files, and files are larger than 4 GiB. */
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__ || SIZE_MAX < UINT64_MAX
#error "megatron2hf needs a 64-bit machine with little-endian numbers"
#endif

/* Arithmetic on numbers from a file: false on overflow, and *result is then unset. */
static inline bool
checked_add(uint64_t a, uint64_t b, uint64_t *result)
{
	return !__builtin_add_overflow(a, b, result);
}

static inline bool
checked_multiply(uint64_t a, uint64_t b, uint64_t *result)
{
	return !__builtin_mul_overflow(a, b, result);
}

/* Little-endian fields of zip, torch and safetensors headers. */
static inline uint16_t
checked_u16(const unsigned char *at)
{
	return (uint16_t)(at[0] | at[1] << 8);
}

static inline uint32_t
checked_u32(const unsigned char *at)
{
	return checked_u16(at) | (uint32_t)checked_u16(at + 2) << 16;
}

static inline uint64_t
checked_u64(const unsigned char *at)
{
	return checked_u32(at) | (uint64_t)checked_u32(at + 4) << 32;
}

#endif
