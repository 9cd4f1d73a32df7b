#ifndef CONTAINER_IDENTIFY_H
#define CONTAINER_IDENTIFY_H

#include "container/zip_archive.h"

/* What a stream really is, by its first bytes. */
enum identity {
	IDENTITY_ZIP,
	IDENTITY_TORCH_LEGACY,          /* torch.save before 1.6: begins with the magic pickle */
	IDENTITY_SAFETENSORS,
	IDENTITY_REFUSED,               /* anything else: identify_stream() set *err */
};

/* What a zip really is, by the names of its records. */
enum zip_identity {
	ZIP_IDENTITY_TORCH,             /* ROOT/data.pkl */
	ZIP_IDENTITY_DOWNLOAD,          /* holds .../mp_rank_NN.../model_optim_rng.pt, model_rng.pt
	                                   or, failing these, any member ending in .pt */
	ZIP_IDENTITY_REFUSED,           /* TorchScript, .npz, no checkpoint inside: *err is set */
};

/* Leaves the stream at position 0.  Everything that is not a checkpoint is refused by its
 * own name with a hint: empty, zeros, HTML, JSON, LFS pointer, gzip, GGUF, tar, ... */
enum identity     identify_stream(struct byte_stream *stream, struct error *err);
/* A zip by its directory, opened with ZIP_DOWNLOAD rules (the laxer ones). */
enum zip_identity identify_zip(const struct zip_archive *archive, struct error *err);
/* "model_optim_rng.pt" or "model_rng.pt": the last component of a shard's path. */
bool              identify_is_shard_name(const char *path);

#endif
