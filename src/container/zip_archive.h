#ifndef CONTAINER_ZIP_ARCHIVE_H
#define CONTAINER_ZIP_ARCHIVE_H

#include "container/byte_stream.h"
#include "container/zip_record.h"

/*
 * The directory of a zip, trusted only after two opinions agree: the tiling check (local
 * headers, data and descriptors cover the file from 0 to the directory without a gap or an
 * overlap, and each repeats what the directory says), which runs first, and libzip with
 * ZIP_CHECKCONS (for archives that lie in a file as they are; without ZIP_CHECKCONS where
 * Info-ZIP wrote sound headers that it refuses).  Reads headers only.
 * Records are sorted by data offset.  The archive owns names and records; the stream must
 * outlive it.
 *
 * NULL: *err; kinds and slugs as in the catalogue of bad input: ERROR_CORRUPT (truncated,
 * damaged), ERROR_UNSAFE (overlap, smuggling, names), ERROR_UNSUPPORTED (method,
 * encryption, volumes), ERROR_LIMIT (more than 1,000,000 entries).
 */
struct zip_archive;

struct zip_archive *zip_archive_open(struct byte_stream *stream, enum zip_rules rules,
	struct error *err);
size_t                   zip_archive_count(const struct zip_archive *archive);
const struct zip_record *zip_archive_record(const struct zip_archive *archive, size_t index);
/* By full name; NULL when there is none. */
const struct zip_record *zip_archive_find(const struct zip_archive *archive, const char *name);
/* ZIP_TORCH: the common root folder without its slash. */
const char              *zip_archive_root(const struct zip_archive *archive);
/* The file it lies in, for messages. */
const struct input_file *zip_archive_file(const struct zip_archive *archive);
size_t                   zip_archive_comment_length(const struct zip_archive *archive);
void                     zip_archive_close(struct zip_archive *archive);  /* NULL is fine */

/* The bytes of a record of an archive that lies in a file as it is.  Does not check the CRC. */
struct byte_stream *zip_archive_open_record(const struct zip_archive *archive,
	const struct zip_record *record, struct error *err);
/* All of a small record (at most `limit` bytes, else ERROR_LIMIT), its CRC checked, in
 * malloc()ed memory with a NUL after it.  Leaves the stream's position anywhere. */
char *zip_archive_read_record(const struct zip_archive *archive,
	const struct zip_record *record, size_t limit, struct error *err);

#endif
