#ifndef CHECK_STATEMENT_H
#define CHECK_STATEMENT_H

#include "base/arena.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>

/* What a model signature is over: the files of a directory and their digests. */
struct statement_file {
	const char *name;               /* in the directory, '/' between its parts */
	char        sha256[DIGEST_HEX_SIZE];
};
struct statement {
	const char                  *subject;   /* the directory's name */
	const struct statement_file *files;     /* at least one */
	size_t                       count;
	const char *const           *ignored;   /* files and folders that were left out */
	size_t                       ignored_count;
	bool                         allow_symlinks;
	char                         root[DIGEST_HEX_SIZE];     /* over all digests */
};

/* Fills in the root digest: SHA-256 over the digests' raw bytes, in the order of the files. */
bool statement_seal(struct statement *statement, struct error *err);
/* As compact JSON; faults of memory end up in to->failed. */
void statement_write(const struct statement *statement, struct text *to);

/*
 * Takes bytes apart whose signature has been verified; strings and tables go to the arena, and
 * the files are sorted by name.  ERROR_CORRUPT, with the JSON pointer of the fault: it is no
 * statement, lists a file twice, or its root digest is not that of its files; ERROR_UNSAFE: it
 * names a file outside the directory; ERROR_UNSUPPORTED: another predicate, method or hash.
 */
bool statement_parse(const char *bytes, size_t length, struct arena *arena,
	struct statement *statement, struct error *err);
/* Is the file one of those that were left out, or in a folder that was? */
bool statement_ignores(const struct statement *statement, const char *name);

#endif
