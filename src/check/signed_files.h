#ifndef CHECK_SIGNED_FILES_H
#define CHECK_SIGNED_FILES_H

#include "base/arena.h"
#include "base/error.h"
#include "check/statement.h"

#include <stddef.h>

#define SIGNED_FILES_MAX ((size_t)100000)

/*
 * Lists every file below the open directory that a signature covers, sorted by name, without
 * digests; what `statement` ignores is passed over, whatever it is.  The table and the names
 * go to the arena.
 *
 * ERROR_CORRUPT "signdir": a name that is not UTF-8, a symbolic link, anything else that is
 * neither file nor directory, or no file at all.
 */
bool signed_files_find(int directory, const struct statement *statement, struct arena *arena,
	struct statement_file **files, size_t *count, struct error *err);

/* The name in the directory of a file that may not exist yet, "" when it lies elsewhere (also
 * when a folder is not there).  false: no memory. */
bool signed_files_name_inside(const char *directory, const char *path, char *to, size_t size,
	struct error *err);

#endif
