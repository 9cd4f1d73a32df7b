#ifndef CHECK_VERIFY_SUMS_H
#define CHECK_VERIFY_SUMS_H

#include "check/verify_run.h"

/* Takes the list apart, once SHA256SUMS was read; without one there is a note.  false: no
 * memory. */
bool verify_sums_parse(struct verify_run *run, struct error *err);
/* Compares it with the files, once all were read. */
void verify_sums_compare(struct verify_run *run);

#endif
