#ifndef CHECK_VERIFY_READ_H
#define CHECK_VERIFY_READ_H

#include "check/verify_run.h"

/*
 * Reads a file from its first byte to its last, once: its SHA-256, and by its kind its text,
 * the header of a safetensors file, or every record of a torch file.  What is wrong with the
 * file becomes a problem of the run.
 *
 * false: the run cannot go on (a signal, no memory).
 */
bool verify_read(struct verify_run *run, struct verify_entry *entry, struct error *err);

#endif
