#ifndef CONTAINER_ZIP_TILING_H
#define CONTAINER_ZIP_TILING_H

#include "container/zip_directory.h"

/*
 * Do the records cover the stream from 0 to the directory, each byte once?  And does every
 * local header and descriptor repeat what the directory says?  `entries` must be sorted by
 * header offset; their data offsets are set.
 *
 * *is_odd_header: some local header is sound, but of a kind that libzip's ZIP_CHECKCONS refuses.
 * Info-ZIP makes them: on a pipe it fills in the length and leaves the rest to the
 * descriptor; with zip64 it may ask for a higher version than the directory does.
 */
bool zip_tiling_check(struct byte_stream *stream, enum zip_rules rules,
	const struct zip_end *end, struct zip_entry *entries, bool *is_odd_header,
	struct error *err);

#endif
