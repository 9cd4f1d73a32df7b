#ifndef MEGATRON_SHARDS_H
#define MEGATRON_SHARDS_H

#include "base/decision_log.h"
#include "container/input_file.h"
#include "torch/torch_file.h"

#define SHARDS_HF_WEIGHTS_HINT \
	"these are Hugging Face weights already: verify, inspect and diff take them"
#define SHARDS_LAYERS_HINT "give the folder that holds all layer_* files"

/* One rank's file: a torch.save file on disk, or a member of a zip. */
struct shard {
	unsigned            tensor_rank, pipeline_rank;
	const char         *name;       /* "mp_rank_00/model_optim_rng.pt", as found */
	size_t              input;      /* index of the file its bytes lie in */
	const char         *member;     /* name in that zip, NULL for a file of its own */
	uint32_t            member_crc; /* of the member, as its zip says */
	struct byte_stream *stream;
	struct torch_file  *torch;

	/* A piece of a distributed checkpoint: one of hundreds, so it is opened when it is
	 * needed.  stream and torch are NULL. */
	const char         *piece;      /* "decoder.layers.mlp.linear_fc2.bias[3, 0]", else NULL */
	uint64_t            offset, length;     /* of a piece, in its input */
};

/*
 * A Megatron checkpoint, found from whatever the user named: the zip as downloaded, a root
 * with latest_checkpointed_iteration.txt, an iteration or release folder, an mp_rank_* folder,
 * a .pt file, "-".  In a distributed checkpoint the tensors are no longer the ranks', and a
 * shard is one piece of one of them, or what they have in common.
 */
struct shards {
	struct input_file **inputs;     /* in the order in which they are read */
	size_t              input_count;
	struct shard       *items;      /* sorted by pipeline rank, then tensor rank */
	size_t              count;
	unsigned            tensor_size, pipeline_size;         /* of the run that saved it */
	unsigned            stage_count;        /* in the grid of items: pipeline_size, or the
	                                           places of layer files */
	const char        **layer_prefixes;     /* of DeepSpeed's layer files, by stage: what their
	                                           names are behind; NULL: there are none */
	struct distribution *distribution;      /* NULL: every shard is a rank's */
	const char         *iteration;  /* folder that was taken ("release", "iter_0005000"), or "" */
	bool                is_lone;    /* one rank was named: others were not looked for */
	bool                in_zip;     /* shards are members of inputs[0] */
	bool                zip_deflated;
	struct arena        arena;      /* names and tables */
};

/* What the values of one torch file may take: 32 MiB, or half of a limit on all memory. */
#define SHARDS_ARENA_BYTES ((size_t)32 << 20)
#define SHARDS_ARENA_LIMIT(memory_limit) \
	((memory_limit) == 0 ? SHARDS_ARENA_BYTES : (size_t)((memory_limit) / 2))

struct shards_options {
	const char *spool_directory;    /* for a standard input that cannot seek */
	int        *spooled;            /* as of input_file_open_again(); NULL: one opening */
	const char *iteration;          /* --iteration: "release", "5000" or NULL */
	size_t      arena_limit;        /* per torch file */
	bool        indexed;            /* never walk a zip inside a deflated member */
};

/*
 * Opens the files and reads their pickles.  Missing ranks (a hole in the grid) are
 * ERROR_NO_INPUT and named; sorts, checks, notes (zip comment, unused members).
 * Formats that are neither mp_rank_* folders nor torch_dist nor DeepSpeed's layer files (zarr,
 * .nemo) are refused by name. */
struct shards *shards_open(const char *path, const struct shards_options *options,
	struct decision_log *log, struct error *err);
/* Adds file and member of a shard to an error; returns false. */
bool  shards_blame(const struct shards *shards, size_t index, struct error *err);
/* What is wrong with an input that changed meanwhile is no fault of the checkpoint: the error
 * becomes that it changed.  Returns false. */
bool  shards_blame_change(const struct shards *shards, struct error *err);
/* "FILE" or "FILE:MEMBER" of a shard, for messages; returns `to`. */
char *shards_describe(const struct shards *shards, size_t index, char *to, size_t size);
/* May two inputs be the same, byte for byte, and this one of them? */
bool shards_may_repeat(const struct shards *shards, size_t input);
/* The dict that holds `args` and the like: of the first rank, or common to all.  NULL: none.
 * What DeepSpeed saved it in is the last of its files. */
const struct value *shards_root(const struct shards *shards);
/* Opens a piece of a distributed checkpoint, for shards_close_piece().  Any thread may ask. */
struct torch_file  *shards_open_piece(const struct shards *shards, size_t index,
	struct error *err);
void shards_close_piece(struct torch_file *piece);      /* NULL is fine */
void shards_close(struct shards *shards);               /* NULL is fine */

#endif
