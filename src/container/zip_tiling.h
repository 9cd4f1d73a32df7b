#ifndef CONTAINER_ZIP_TILING_H
#define CONTAINER_ZIP_TILING_H

#include "container/zip_directory.h"

/*
 * Do the records cover the stream from 0 to the directory, each byte once?  And does every
 * local header and descriptor repeat what the directory says?  `entries` must be sorted by
 * header offset; their data offsets are set.
 */
bool zip_tiling_check(struct byte_stream *stream, enum zip_rules rules,
	const struct zip_end *end, struct zip_entry *entries, struct error *err);

#endif
