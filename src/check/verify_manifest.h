#ifndef CHECK_VERIFY_MANIFEST_H
#define CHECK_VERIFY_MANIFEST_H

#include "check/verify_run.h"

/* Compares conversion.json, where there is one, with the files and tensors that were read. */
void verify_manifest(struct verify_run *run);

#endif
