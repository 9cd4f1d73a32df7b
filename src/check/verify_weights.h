#ifndef CHECK_VERIFY_WEIGHTS_H
#define CHECK_VERIFY_WEIGHTS_H

#include "check/verify_run.h"

/* Finds the weights (one file, or shards with their index; safetensors, torch, or both),
 * checks an index against its shards, and the tensors against config.json.  false: no
 * memory. */
bool verify_weights(struct verify_run *run, struct error *err);

#endif
