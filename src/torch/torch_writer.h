#ifndef TORCH_TORCH_WRITER_H
#define TORCH_TORCH_WRITER_H

#include "base/error.h"
#include "base/text.h"
#include "torch/tensor_view.h"

/* A tensor to be written: row-major over the whole of its storage. */
struct torch_writer_tensor {
	const char *name;               /* key in the OrderedDict, in this order */
	enum dtype  dtype;
	unsigned    rank;               /* 0: a scalar */
	uint64_t    shape[TENSOR_MAX_RANK];
	size_t      storage;            /* index from 0 in order of first use; tied names share one */
};

/*
 * The layout of a torch.save file (zip) that holds an OrderedDict of tensors, without the
 * bytes of its storages: somebody else writes those at the offsets given here, in any order.
 * What stands between them is ready once their CRC-32 values are known; its length does not
 * depend on the values.  No I/O.  After open any thread may ask.
 */
struct torch_writer;

/*
 * Lays the file out: data.pkl, byteorder, data/0, data/1, ..., version, directory.  `root` is
 * the folder in the archive ("pytorch_model").  Names are copied.
 *
 * NULL: *err.  ERROR_LIMIT: no memory, or more bytes than a file can have; ERROR_INTERNAL:
 * storages not in order of first use, tensors of one storage that differ in dtype or count, a
 * name that is used twice or is not UTF-8.
 */
struct torch_writer *torch_writer_open(const char *root,
	const struct torch_writer_tensor *tensors, size_t count, struct error *err);

size_t   torch_writer_storage_count(const struct torch_writer *writer);
/* Where the first byte of a storage lies in the file (a multiple of 64), and how many there
 * are. */
uint64_t torch_writer_offset(const struct torch_writer *writer, size_t storage);
uint64_t torch_writer_bytes(const struct torch_writer *writer, size_t storage);
uint64_t torch_writer_file_bytes(const struct torch_writer *writer);

/* Adds the bytes that stand directly before a storage, from the end of the one before it (for
 * the first: from the start of the file), the header of its record among them.  `crc` is that
 * of the storage.  Want of memory ends up in to->failed, here and below. */
void torch_writer_add_front(const struct torch_writer *writer, size_t storage, uint32_t crc,
	struct text *to);
/* Adds the bytes from the end of the last storage (where there is none: from the start of the
 * file) to the end of the file.  `crcs` by storage. */
void torch_writer_add_tail(const struct torch_writer *writer, const uint32_t *crcs,
	struct text *to);
void torch_writer_close(struct torch_writer *writer);   /* NULL is fine */

#endif
