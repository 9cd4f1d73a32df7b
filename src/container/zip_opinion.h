#ifndef CONTAINER_ZIP_OPINION_H
#define CONTAINER_ZIP_OPINION_H

#include "container/zip_names.h"

struct byte_stream;

/*
 * A second opinion: libzip opens the same bytes, checks them its own way, and must list the
 * same records with the same sizes and checksums.  `stream` is a range of a file.
 */
bool zip_opinion_agrees(const struct byte_stream *stream, const struct zip_names *names,
	size_t count, struct error *err);

#endif
