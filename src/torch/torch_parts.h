#ifndef TORCH_TORCH_PARTS_H
#define TORCH_TORCH_PARTS_H

#include "container/zip_archive.h"
#include "torch/torch_file.h"
#include "torch/torch_storages.h"

#define TORCH_NO_STORAGE SIZE_MAX

/*
 * The inside of a torch_file, for the files of this room only.  torch_zip_open,
 * torch_zip_walk_open and torch_legacy_open fill it; torch_file_close releases that.
 */
struct torch_file {
	enum torch_form       form;
	struct byte_stream   *stream;
	struct arena          arena;
	struct value         *root;
	struct pickle_globals globals;
	struct torch_storages storages;
	bool                  inflates_twice, has_checksums;
	uint64_t              unused_bytes;

	/* What the pass compares with: data.pkl where a zip was only walked, all five pickles
	 * of a legacy stream. */
	uint64_t              pickle_length;
	uint32_t              pickle_crc;

	/* Zip */
	struct zip_archive   *archive;          /* NULL: only walked */
	size_t               *record_storage;   /* of each record: which storage, or none */
	char                 *folder;           /* the common root; in the arena */

	/* Legacy: storages in the order in which their bytes lie in the stream */
	size_t               *order;
	size_t                order_count;
};

#endif
