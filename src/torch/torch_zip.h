#ifndef TORCH_TORCH_ZIP_H
#define TORCH_TORCH_ZIP_H

#include "torch/torch_parts.h"

/* The zip form, by its directory.  Where the stream is deflated this inflates it once more. */
bool torch_zip_open(struct torch_file *file, struct error *err);

/* The contents of the records `version` and `byteorder`. */
#define TORCH_ZIP_SMALL_RECORD 4096
bool torch_zip_check_version(const char *bytes, size_t length, struct error *err);
bool torch_zip_check_byteorder(const char *bytes, size_t length, struct error *err);
/* The key in the name of a storage record ("data/7" gives "7"), NULL when it is none. */
const char *torch_zip_storage_key(const char *record_name);
/* "bitflip": what a record's CRC-32 says against its bytes. */
bool torch_zip_crc_error(const char *name, uint32_t stored, uint32_t computed,
	struct error *err);

#endif
