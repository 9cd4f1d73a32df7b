#ifndef CONTAINER_ZIP_END_H
#define CONTAINER_ZIP_END_H

#include "container/byte_stream.h"
#include "container/zip_record.h"

/* Where the directory of an archive lies, by its end records. */
struct zip_end {
	uint64_t directory_offset, directory_length;
	uint64_t count;                 /* entries, as declared; they fit into the directory */
	size_t   comment_length;
};

#define ZIP_END_MOST_ENTRIES 1000000

/*
 * Finds the end records and checks that they agree, that the directory they name ends where
 * they begin, and that no comment holds another archive.  Otherwise says what happened to
 * the file: cut, prefixed, joined to another, followed by something.
 */
bool zip_end_read(struct byte_stream *stream, enum zip_rules rules, struct zip_end *end,
	struct error *err);
/* Does the stream end like an archive, whatever it begins with? */
bool zip_end_is_there(struct byte_stream *stream, struct error *err, bool *is_there);

#endif
