#ifndef BASE_SIBLING_H
#define BASE_SIBLING_H

#include "base/error.h"

#include <limits.h>

/*
 * What is to appear at a path all at once is made beside it, as ".NAME.m2h-XXXXXX" in the same
 * directory, and renamed.  Such a sibling is locked as long as its maker lives, so that those
 * of killed runs are known, and removed by the next that makes one for the same path.
 *
 * staging (directories) and atomic_file (files) are made of this.  All errors are
 * ERROR_NO_OUTPUT, but for a path that names nothing that can be made: ERROR_USAGE.
 */
enum sibling_kind {
	SIBLING_DIRECTORY,
	SIBLING_FILE,
	SIBLING_PRIVATE,        /* a directory *in* the path, the owner's alone, never renamed */
};

struct sibling {
	enum sibling_kind kind;
	int               parent;               /* the directory that holds both; -1: not open */
	int               fd;                   /* the sibling; -1: not made */
	char              path[PATH_MAX];       /* as it was given, for messages */
	char              name[NAME_MAX + 1];   /* its last component */
	char              made[NAME_MAX + 1];   /* the sibling's name; "": there is none */
};

/* Finds the directory that would hold it and opens that; makes nothing.  sibling_close() in
 * either case. */
bool sibling_find(struct sibling *sibling, const char *path, enum sibling_kind kind,
	struct error *err);
/* Can it be made there?  What exists must be of the same kind (a regular file, a directory, no
 * link to one), and is in the way unless `replace`; a private one has a name of its own. */
bool sibling_check(const struct sibling *sibling, bool replace, struct error *err);
/* Removes stale ones, then makes the sibling and opens it: a directory, or an empty file for
 * writing, of mode 0777 or 0666 less the umask.  "stale": another run is at it, which a file
 * that may be replaced does not mind. */
bool sibling_make(struct sibling *sibling, bool replace, struct error *err);
/* Can a directory that was made replace one that exists?  Tried within it, so that a file system
 * that cannot exchange two of them says so before the work. */
bool sibling_can_replace(const struct sibling *sibling, struct error *err);
/* One rename; of two directories that is an exchange, and the old one then bears the name
 * `made`.  What must not be replaced is not, even where it came just now: errno is EEXIST. */
bool sibling_move(const struct sibling *sibling, bool replace);
/* A tree in the directory that holds both, without following a link. */
bool sibling_remove_tree(const struct sibling *sibling, const char *name);
/* Closes what is open, and removes the sibling `made`; a directory must be empty then. */
void sibling_close(struct sibling *sibling);

#endif
