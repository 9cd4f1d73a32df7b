#ifndef CONTAINER_ZIP_RECORD_H
#define CONTAINER_ZIP_RECORD_H

#include <stdbool.h>
#include <stdint.h>

/* Two kinds of zip, two rule sets. */
enum zip_rules {
	ZIP_TORCH,      /* torch.save: one common root folder, no comment, no directories */
	ZIP_DOWNLOAD,   /* what holds .../model_optim_rng.pt: several roots, directory entries,
	                   an archive comment are fine */
};

enum zip_method { ZIP_STORED = 0, ZIP_DEFLATED = 8 };

struct zip_record {
	const char *name;               /* UTF-8, checked; unique also when case is ignored */
	uint64_t    header_offset;      /* of the local header, in the stream */
	uint64_t    data_offset;
	uint64_t    stored_length;      /* as it lies in the archive */
	uint64_t    length;             /* inflated */
	uint32_t    crc;                /* 0 with length > 0: this file has no checksums */
	uint16_t    method;             /* enum zip_method */
	bool        is_directory;
};

#endif
