#ifndef CONVERT_DESTINATION_H
#define CONVERT_DESTINATION_H

#include "base/error.h"

#include <stddef.h>

/* The directory in which `destination` lies, or will lie; returns `to`. */
const char *destination_parent(const char *destination, char *to, size_t size);
/* Can be made, and making it would not remove what is at the path `source`. */
bool destination_check(const char *destination, const char *source, bool replace,
	struct error *err);
/* Replacing what is there would not remove `source`. */
bool destination_keeps(const char *destination, const char *source, bool replace,
	struct error *err);
/* Nor would replacing a file take one from the folder `read`, or from those below it. */
bool destination_leaves(const char *file, const char *read, bool replace, struct error *err);
/* What stands in a directory that is to be replaced; nothing where there is none. */
struct destination_contents {
	size_t count;
	bool   is_model;                /* a conversion's, or another of its kind */
	char   shown[240];              /* "3 entries (a, b, c)" */
};
void destination_look(const char *destination, struct destination_contents *contents);
/* A file that is made beside the destination: it is neither that, nor in it. */
bool destination_check_beside(const char *destination, const char *path, struct error *err);
/* The folder for what only passes through: `given`, else $TMPDIR, else /tmp. */
const char *destination_staging_folder(const char *given);
/* A path in it that stands for a destination, to `to`. */
bool destination_in_folder(const char *folder, char *to, size_t size, struct error *err);
/* destination_keeps() for a file that is open, wherever it was found. */
bool destination_spares(const char *destination, int fd, const char *shown, bool replace,
	struct error *err);

#endif
