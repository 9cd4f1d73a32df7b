#ifndef CHECK_VERIFY_MODEL_H
#define CHECK_VERIFY_MODEL_H

#include "check/verify_run.h"

/* A tensor of a set of weight files, and the file it lies in. */
struct verify_tensor {
	const struct safetensors_tensor *tensor;
	const char                      *file;
};

/*
 * Compares the tensors of one set of weights with config.json: missing, extra and twice,
 * shapes, dtypes, and the type it names.  Names have "transformer." in front, all or none; the causal masks of old
 * versions and lm_head.weight are let pass.  `set` names the weights in messages that are of
 * no file.  false: no memory.
 */
bool verify_model(struct verify_run *run, const char *set, const struct verify_tensor *tensors,
	size_t count, struct error *err);
/* The causal masks of old versions, and lm_head.weight: one of two forms of a model may have
 * them and the other not. */
bool verify_model_may_lack(const char *name);

#endif
