#ifndef TORCH_TORCH_DIRECTORY_H
#define TORCH_TORCH_DIRECTORY_H

#include "base/error.h"
#include "container/zip_local_header.h"

/*
 * The directory of a zip that was walked: what the walk has seen is noted, and when the
 * directory comes at last, each entry and both end records must say the same.  Positions
 * count from the first byte of the zip.
 */
struct torch_directory;

#define TORCH_DIRECTORY_ENTRY_BYTES   46        /* without name, extra field and comment */
#define TORCH_DIRECTORY_END64_BYTES   56
#define TORCH_DIRECTORY_LOCATOR_BYTES 20
#define TORCH_DIRECTORY_END_BYTES     22

struct torch_directory *torch_directory_open(struct error *err);
/* A record that the walk has read to its end. */
bool torch_directory_note(struct torch_directory *directory,
	const struct zip_local_header *header, uint64_t position, uint32_t crc,
	uint64_t length, struct error *err);
/* The parts of the directory, in the order in which they come.  An order of records other
 * than that of the walk is ERROR_UNSUPPORTED "walk", as it may still be a good archive. */
bool torch_directory_entry(struct torch_directory *directory, uint64_t position,
	const unsigned char *bytes, size_t count, struct error *err);
bool torch_directory_end64(struct torch_directory *directory, uint64_t position,
	const unsigned char bytes[TORCH_DIRECTORY_END64_BYTES], struct error *err);
bool torch_directory_locator(struct torch_directory *directory, uint64_t position,
	const unsigned char bytes[TORCH_DIRECTORY_LOCATOR_BYTES], struct error *err);
bool torch_directory_end(struct torch_directory *directory, uint64_t position,
	const unsigned char bytes[TORCH_DIRECTORY_END_BYTES], struct error *err);
void torch_directory_close(struct torch_directory *directory);   /* NULL is fine */

#endif
