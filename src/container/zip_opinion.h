#ifndef CONTAINER_ZIP_OPINION_H
#define CONTAINER_ZIP_OPINION_H

#include "container/zip_names.h"

struct byte_stream;

/*
 * A second opinion: libzip opens the same bytes, checks them its own way, and must list the
 * same records with the same sizes and checksums.  `stream` is a range of a file.  Without
 * `is_strict` libzip does not compare local headers with the directory.
 */
bool zip_opinion_agrees(const struct byte_stream *stream, const struct zip_names *names,
	size_t count, bool is_strict, struct error *err);

#endif
