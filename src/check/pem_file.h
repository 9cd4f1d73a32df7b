#ifndef CHECK_PEM_FILE_H
#define CHECK_PEM_FILE_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * A small file that may be a secret: read into one piece of memory that is overwritten when it
 * is closed, and never copied to disk.
 */
struct pem_file {
	char  *bytes;
	size_t length;
	bool   is_world_readable;       /* a file that every user of the machine may read */
};

/* "-" is standard input; pipes are fine.  At most 1 MiB, else ERROR_LIMIT.  pem_file_close in
 * either case. */
bool pem_file_read(const char *path, struct pem_file *file, struct error *err);
void pem_file_close(struct pem_file *file);

#endif
