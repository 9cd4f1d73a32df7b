#ifndef PICKLE_NAME_HASH_H
#define PICKLE_NAME_HASH_H

#include <stddef.h>
#include <stdint.h>

/*
 * A hash whose collisions nobody can prepare: the bytes are the coefficients of a polynomial
 * modulo 2^61 - 1, taken at a secret point.  Two different strings of n bytes collide with a
 * chance of at most n / 2^61, whatever they are.  Only speed depends on the secret, never a
 * result: equal hashes are followed by a comparison.
 */
uint64_t name_hash_secret(void);
uint64_t name_hash(uint64_t secret, const void *bytes, size_t length);

#endif
