#ifndef CONTAINER_ZIP_DIRECTORY_H
#define CONTAINER_ZIP_DIRECTORY_H

#include "base/arena.h"
#include "container/zip_end.h"
#include "container/zip_extra.h"

/* A record of the directory, with what only the checks need. */
struct zip_entry {
	struct zip_record record;       /* data_offset is not known yet */
	uint16_t          flags, version;       /* needed to extract it */
};

/*
 * Reads the directory: as many entries as the end record says, no byte more or less, each
 * with a safe name, a method and flags we know, plausible sizes.  Names go to `names`, a
 * fresh arena; *entries is malloc()ed (not NULL even for none) and in directory order.
 */
bool zip_directory_read(struct byte_stream *stream, enum zip_rules rules,
	const struct zip_end *end, struct arena *names, struct zip_entry **entries,
	struct error *err);

/* Bytes that zip_directory_read() takes from the arena for `count` names, at most. */
size_t zip_directory_names_limit(size_t count);

/* What the extra fields of an entry say: completes `sizes`, which are as in the entry itself, and
 * refuses other numbers, another disk and another name than `name`. */
bool zip_directory_extra(struct zip_extra extra, const char *name, struct zip_extra_sizes *sizes,
	struct error *err);

/* "deflate64" for 9, "unknown" for numbers without a name. */
const char *zip_directory_method_name(unsigned method);

#endif
