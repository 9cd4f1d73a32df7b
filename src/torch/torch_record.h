#ifndef TORCH_TORCH_RECORD_H
#define TORCH_TORCH_RECORD_H

#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

#define TORCH_RECORD_ALIGNMENT 64

/* Where a record of the zip that we write lies.  Its bytes are stored as they are. */
struct torch_record {
	uint64_t header_offset, data_offset, bytes;
};

/* Puts a record at `offset`: its data at the next multiple of 64 after its header.  false: no
 * file is that long. */
bool     torch_record_place(struct torch_record *record, const char *name, uint64_t offset,
	uint64_t bytes);
uint64_t torch_record_end(const struct torch_record *record);

/* Want of memory ends up in to->failed. */
void     torch_record_add_header(const struct torch_record *record, const char *name,
	uint32_t crc, struct text *to);
void     torch_record_add_entry(const struct torch_record *record, const char *name,
	uint32_t crc, struct text *to);         /* of the directory */
uint64_t torch_record_entry_bytes(const struct torch_record *record, const char *name);

/* The three end records, after a directory of `count` entries. */
#define TORCH_RECORD_END_BYTES (56 + 20 + 22)
void     torch_record_add_end(uint64_t count, uint64_t directory_offset,
	uint64_t directory_bytes, struct text *to);

#endif
