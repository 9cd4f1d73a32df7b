#ifndef CHECK_VERIFY_SIGNATURE_H
#define CHECK_VERIFY_SIGNATURE_H

#include "check/verify_run.h"

/*
 * Verifies the signature that run->trust names, before the files are read, and marks the files
 * that it is over.  What is wrong with it, or with the key, becomes a problem of the run.
 * Without run->trust it does nothing.  false: no memory, or a signal.
 */
bool verify_signature_open(struct verify_run *run, struct error *err);
/* Compares the files with what was signed, both ways, once all were read.  false: no memory. */
bool verify_signature_compare(struct verify_run *run, struct error *err);

#endif
