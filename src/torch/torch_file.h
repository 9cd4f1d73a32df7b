#ifndef TORCH_TORCH_FILE_H
#define TORCH_TORCH_FILE_H

#include "base/arena.h"
#include "container/byte_stream.h"
#include "pickle/machine.h"
#include "torch/tensor_view.h"

/* One face over both forms of a torch.save file: zip (torch_zip) and legacy stream
 * (torch_legacy). */
enum torch_form { TORCH_ZIP, TORCH_LEGACY };

struct torch_storage {
	const char *key;                /* decimal text */
	enum dtype  dtype;              /* DTYPE_UINT8 for untyped ones */
	uint64_t    count;              /* elements */
	uint64_t    bytes;
	bool        is_placed;          /* offset is known, and the bytes lie there as they are
	                                   (not in a zip that is only walked or a deflated record) */
	uint64_t    offset;             /* of its first byte in the stream */
};

/*
 * What a torch.save file holds, read as far as its pickle.  Owns everything it returns;
 * the stream must outlive it.  Opening reads headers, directory and pickle only, checks
 * them, and knows every storage that any persistent id names, needed or not.
 *
 * A zip inside a deflated member is only walked: data.pkl comes first, and where the other
 * records lie is found by the pass.  Where that cannot work (data.pkl not first, or itself
 * deflated) the member is inflated once more to reach its directory; torch_file_inflates_twice().
 *
 * NULL: *err.  Nothing in the file is ever executed.
 */
struct torch_file;

struct torch_file *torch_file_open(struct byte_stream *stream, size_t arena_limit,
	struct error *err);
/* The same, but never walks: for an archive whose pass ended with ERROR_UNSUPPORTED "walk". */
struct torch_file *torch_file_open_indexed(struct byte_stream *stream, size_t arena_limit,
	struct error *err);
enum torch_form              torch_file_form(const struct torch_file *file);
/* "torch legacy stream", "torch zip" */
const char                  *torch_file_form_name(const struct torch_file *file);
bool                         torch_file_inflates_twice(const struct torch_file *file);
const struct value          *torch_file_root(const struct torch_file *file);
const struct pickle_globals *torch_file_globals(const struct torch_file *file);
size_t                       torch_file_storage_count(const struct torch_file *file);
const struct torch_storage  *torch_file_storage(const struct torch_file *file, size_t index);
struct byte_stream          *torch_file_stream(const struct torch_file *file);
/* Zip records that no persistent id names (bytes), 0 when none; for a warning. */
uint64_t                     torch_file_unused_bytes(const struct torch_file *file);
/* The file's records carry CRC-32 values (false: a torch option left them 0, or it is a
 * legacy stream, which has none). */
bool                         torch_file_has_checksums(const struct torch_file *file);
void                         torch_file_close(struct torch_file *file);   /* NULL is fine */

/* Is this node a tensor (or a parameter around one), readable or not? */
bool torch_file_is_tensor(const struct torch_file *file, const struct value *node);
/* The view a node denotes, checked against its storage; its offset counts from the start of
 * the storage, also where torch 0.3 wrote a window on it.  false: ERROR_CORRUPT for broken
 * arguments, ERROR_UNSUPPORTED for what is no plain strided tensor (sparse, quantized, meta,
 * an unknown class), by name. */
bool torch_file_tensor(const struct torch_file *file, const struct value *node,
	struct tensor_view *view, struct error *err);

/*
 * Calls `each` for every tensor under the root, readable or not, each node once, without
 * recursion, with the path of dict keys, attribute names and list indexes that leads to it:
 * "a.b.0", or "" for the root itself.  Modules that were saved as a whole are passed over;
 * where no tensor is outside of them that is ERROR_UNSUPPORTED.  On the path to a tensor a
 * key that is not UTF-8 without NUL is ERROR_CORRUPT, one that a dict has twice
 * ERROR_UNSAFE; a path of more than 1,000 bytes is ERROR_LIMIT.
 */
typedef bool torch_tensor_visitor(void *context, const char *path, const struct value *node,
	struct error *err);
bool torch_file_each_tensor(const struct torch_file *file, torch_tensor_visitor *each,
	void *context, struct error *err);

#endif
