#include "pickle/name_hash.h"

#include <sys/random.h>
#include <time.h>

#define PRIME ((UINT64_C(1) << 61) - 1)

__extension__ typedef unsigned __int128 product;

uint64_t
name_hash_secret(void)
{
	uint64_t secret = 0;

	if (getrandom(&secret, sizeof secret, GRND_NONBLOCK) != (ssize_t)sizeof secret) {
		struct timespec now;
		clock_gettime(CLOCK_MONOTONIC, &now);
		secret = (uint64_t)now.tv_nsec * UINT64_C(0x9e3779b97f4a7c15)
			^ (uint64_t)(uintptr_t)&now;
	}
	return secret % (PRIME - 256) + 256;
}

static uint64_t
step(uint64_t sum, uint64_t secret, uint64_t digit)
{
	product  wide = (product)sum * secret + digit;
	uint64_t folded = ((uint64_t)wide & PRIME) + (uint64_t)(wide >> 61);

	return folded >= PRIME ? folded - PRIME : folded;
}

uint64_t
name_hash(uint64_t secret, const void *bytes, size_t length)
{
	const unsigned char *at = bytes;
	uint64_t             sum = step(1, secret, (uint64_t)length);

	/* Seven bytes are one digit: each stays below the prime. */
	while (length > 0) {
		uint64_t digit = 0;
		size_t   count = length < 7 ? length : 7;
		for (size_t i = 0; i < count; i++)
			digit = digit << 8 | at[i];
		sum = step(sum, secret, digit);
		at += count;
		length -= count;
	}
	/* A last round, so that the low bits depend on all digits. */
	return step(sum, secret, 1);
}
