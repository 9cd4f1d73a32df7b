#ifndef CHECK_VERIFY_TARGETS_H
#define CHECK_VERIFY_TARGETS_H

#include "check/verify_cause.h"

/*
 * Which tensors of a set are compared with what: fills targets, tensors and count.  Tensors
 * that have another shape than the checkpoint gives them, that are missing or that no weight
 * can be become problems and are no targets.  Masks of old versions and the constant beside
 * them are compared here, for no checkpoint has them; they count as constants.
 * false: the set cannot be read, or no memory.
 */
bool verify_targets_take(struct comparing *comparing, struct error *err);

#endif
