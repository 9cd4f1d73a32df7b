#ifndef MEGATRON2HF_H
#define MEGATRON2HF_H

/*
 * megatron2hf: NVIDIA Megatron-LM GPT checkpoints to Hugging Face GPT-2 directories.
 *
 * Every function returns a result that the caller frees with the matching m2h_*_free();
 * NULL only when memory ends at once.  A result owns all its strings.  `status` in it is
 * the exit status the command line would give; where it is not M2H_OK, `error` says why.
 * Text in results is UTF-8; untrusted bytes in messages are escaped already, but names and
 * paths are not.  Calls are independent of each other; one conversion may use several
 * threads, but calls the progress function from the calling thread's call only, one call at
 * a time.  Nothing in an input is ever executed.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define M2H_API __attribute__((visibility("default")))

#define M2H_VERSION "0.1.0"
M2H_API const char *m2h_version(void);         /* of the library at run time */

enum m2h_status {
	M2H_OK = 0,             /* done, or "yes" */
	M2H_MISMATCH = 1,       /* a check said "no" */
	M2H_USAGE = 2,          /* an option has no sense */
	M2H_CORRUPT = 3,        /* the input is damaged, truncated or inconsistent */
	M2H_UNSUPPORTED = 4,    /* well-formed, but nothing GPT-2 or this version can express */
	M2H_UNSAFE = 5,         /* the input tries something hostile */
	M2H_NO_INPUT = 6,       /* missing or unreadable */
	M2H_NO_OUTPUT = 7,      /* cannot be written */
	M2H_LIMIT = 8,          /* memory or a limit exhausted */
	M2H_INTERNAL = 9,       /* a self-check failed: a bug of ours */
	M2H_SIGNAL = 128,       /* + the signal's number: ended by it, after cleaning up */
};
/* "corrupt", "unsafe", ... */
M2H_API const char *m2h_status_name(int status);

struct m2h_error {
	const char *slug;       /* stable name: "bitflip"; "" when there is no error */
	const char *message;    /* "FILE:MEMBER: WHAT (offset N)", escaped, one line */
	const char *hint;       /* what to do about it, or "" */
};

struct m2h_note {
	bool        is_warning;
	const char *slug, *text;
};

/* One value that was chosen, and where it came from. */
struct m2h_decision {
	const char *key, *value;
	const char *source;     /* "tensor shape", "args.NAME", "option", "known model", "default" */
};

struct m2h_file {
	const char *name;       /* base name of an input, name in the directory of an output */
	const char *member;     /* the shard inside that input that was read; "" if it is one itself,
	                           or holds several */
	uint64_t    bytes;
	char        sha256[65]; /* lower-case hex of all of it; "" when it was not computed */
	char        git_sha1[41];       /* git's blob name, for files that are not LFS; else "" */
};

/* What is known of a model; numbers are 0 where they are not known. */
struct m2h_model {
	const char *family;     /* "GPT-2" */
	const char *dialect;    /* "2019 nested transformer" */
	const char *container;  /* "torch legacy stream in a zip (deflated)" */
	const char *dtype;      /* "float16"; "mixed" */
	const char *iteration;  /* "release", "5000", "" */
	const char *version_label;      /* checkpoint_version as found, "" */
	unsigned    tensor_size, pipeline_size;
	unsigned    virtual_size;       /* virtual pipeline stages of each rank; 1: none */
	unsigned    qkv_layout;
	uint64_t    layers, hidden, heads, ffn, positions;
	uint64_t    vocabulary, padded_vocabulary;
	uint64_t    parameters;         /* of the result */
	uint64_t    stored_parameters;  /* of the checkpoint, padding included */
};

struct m2h_dropped {
	const char *what, *reason;
	uint64_t    bytes;
};

/* Called now and then while work goes on.  total is known from the start. */
enum m2h_phase { M2H_READING, M2H_CONVERTING, M2H_CHECKING, M2H_SYNCING };
typedef void m2h_progress(void *context, enum m2h_phase phase, uint64_t done, uint64_t total);

/* ---- convert ---------------------------------------------------------------------- */

struct m2h_convert_options {            /* zeroed: the defaults */
	const char   *source;           /* a path, or "-" for standard input */
	const char   *destination;      /* the directory to make */
	bool          replace;          /* replace it if it exists */
	bool          dry_run;          /* plan and check only; nothing is written */
	const char   *sha256;           /* 64 hex digits, or the path of a SHA256SUMS file */
	uint64_t      attention_heads;  /* for checkpoints that do not say; 0: not given */
	const char   *input_sha256;     /* "full" (NULL), or "used": storages without weights are
	                                   neither read nor hashed */
	const char   *vocab_size;       /* "auto" (NULL), "padded" or a number */
	const char   *tokenizer;        /* "auto" (NULL), "none" or a folder */
	const char   *qkv_layout;       /* "auto" (NULL), "0", "1" or "2" */
	const char   *activation;       /* "gelu_new", "gelu", "relu2"; NULL: as the source says */
	const char   *iteration;        /* a number or "release"; NULL: as the tracker says */
	const char   *config;           /* path of a GPT-2 config.json to fill and to check from */
	const char   *replicas;         /* "rank0" (NULL) or "mean" */
	const char   *weights;          /* "safetensors" (NULL), "pytorch" or "both" */
	const char   *dtype;            /* "keep" (NULL), "float16", "bfloat16", "float32" */
	bool          allow_overflow;   /* values that the dtype cannot hold become infinite */
	uint64_t      max_shard_bytes;  /* of the tensors in a weight file; 0: 50 GB */
	const char   *profile;          /* "hf5" (NULL) or "hf4.18" */
	bool          tensor_sha256;    /* a SHA-256 of each tensor in the manifest */
	const char   *read_back;        /* "kernel" (NULL), or "disk": what was written is read
	                                   back from the device */
	const char   *model_card;       /* README.md: "none" (NULL), "auto" or the path of a text */
	const char   *license;          /* id for the head of README.md; NULL: none */
	const char   *stream;           /* "tar": no directory is made, but its files are written to
	                                   stream_descriptor as a tar; NULL: a directory */
	int           stream_descriptor;
	const char   *staging;          /* folder in which they are made before; NULL: $TMPDIR, else
	                                   /tmp */
	const char   *provenance;       /* a file for an in-toto statement; `replace` counts for it */
	uint64_t      source_date;      /* time in a stream or statement, in seconds since 1970, at
	                                   most 8589934591; 0: 1970 in the one, none in the other */
	bool          strict;           /* warnings are M2H_MISMATCH, and nothing is written */
	uint64_t      memory_limit;     /* bytes, of the process; rather than use more, M2H_LIMIT;
	                                   0: about 64 MiB beside the tables of the model */
	unsigned      threads;          /* 0: all cores allowed */
	m2h_progress *progress;         /* may be NULL */
	void         *progress_context;
};

struct m2h_conversion {
	int                        status;
	struct m2h_error           error;
	struct m2h_model           model;
	const struct m2h_file     *inputs;
	size_t                     input_count;
	const struct m2h_file     *outputs;     /* planned ones on a dry run; sorted by name */
	size_t                     output_count;
	const struct m2h_decision *decisions;
	size_t                     decision_count;
	const struct m2h_note     *notes;
	size_t                     note_count;
	const struct m2h_dropped  *dropped;
	size_t                     dropped_count;
	size_t                     tensors;             /* written */
	size_t                     copies, replicas;    /* strided copies; replicas compared */
	size_t                     zeros;               /* tensors that are filled with zeros */
	uint64_t                   output_bytes;        /* of the weights */
	uint64_t                   memory_bytes;        /* bound for buffers, dry run */
	uint64_t                   free_bytes;          /* at the destination, dry run */
};
M2H_API struct m2h_conversion *m2h_convert(const struct m2h_convert_options *options);
M2H_API void m2h_conversion_free(struct m2h_conversion *conversion);

/* ---- inspect ---------------------------------------------------------------------- */

struct m2h_inspect_options {
	const char *path;
	bool        tensors;            /* list them */
	bool        arguments;          /* list args */
	uint64_t    attention_heads;    /* as for convert, all of these */
	const char *vocab_size;
	const char *qkv_layout, *activation, *iteration, *config;
	uint64_t    memory_limit;
};

struct m2h_tensor {
	const char *file;       /* shard or weight file it lies in */
	const char *name;
	const char *dtype;
	const char *shape;      /* "[50304, 1024]" */
	const char *stride;     /* "[1024, 1]" */
	const char *storage;    /* key of its storage; "" in weights of Hugging Face's form */
	uint64_t    offset;     /* in elements in the storage; without one, in bytes in the file */
	uint64_t    bytes;
};

struct m2h_argument {
	const char *name, *value;
};

struct m2h_inspection {
	int                        status;      /* M2H_OK: it could be read */
	struct m2h_error           error;
	const char                *kind;        /* "Megatron checkpoint", "torch file",
	                                           "Hugging Face directory", "safetensors file" */
	int                        convert_status;      /* what convert would say, by structure */
	struct m2h_error           convert_error;
	struct m2h_model           model;       /* as far as it was found */
	const struct m2h_file     *inputs;      /* without digests */
	size_t                     input_count;
	const struct m2h_decision *decisions;
	size_t                     decision_count;
	const struct m2h_note     *notes;
	size_t                     note_count;
	const struct m2h_dropped  *dropped;
	size_t                     dropped_count;
	const char *const         *globals;     /* pickle globals: "torch._utils._rebuild_tensor_v2" */
	size_t                     global_count;
	const struct m2h_tensor   *tensors;     /* when asked for */
	size_t                     tensor_count;
	const struct m2h_argument *arguments;   /* when asked for */
	size_t                     argument_count;
};
M2H_API struct m2h_inspection *m2h_inspect(const struct m2h_inspect_options *options);
M2H_API void m2h_inspection_free(struct m2h_inspection *inspection);

/* ---- verify ----------------------------------------------------------------------- */

struct m2h_verify_options {
	const char   *directory;
	const char   *source;           /* a Megatron checkpoint to derive the weights from again;
	                                   NULL: the directory by itself */
	uint64_t      attention_heads;  /* as for convert, all of these */
	const char   *vocab_size, *qkv_layout, *activation, *iteration, *replicas;
	uint64_t      memory_limit;
	bool          has_tolerance;
	double        tolerance;        /* |a - b| up to this is no difference */
	unsigned      threads;          /* 0: all cores allowed */
	const char   *signature;        /* path of a model signature to verify; NULL: none.  With it
	                                   exactly one of: */
	const char   *key;              /* PEM file with the signer's public key or certificate */
	const char   *ca;               /* PEM file with root certificates */
	m2h_progress *progress;
	void         *progress_context;
};

struct m2h_problem {
	int              status;
	struct m2h_error error;
	const char      *file;          /* in the directory, "." for itself; "": none */
	const char      *tensor;        /* of that file; "": it is not about one */
};

struct m2h_verification {
	int                       status;       /* the most severe of the problems */
	struct m2h_error          error;        /* the first problem of that status */
	const struct m2h_problem *problems;     /* all of them; none when it did not come to an end */
	size_t                    problem_count;
	const struct m2h_note    *notes;
	size_t                    note_count;
	const struct m2h_file    *files;        /* that were checked, with digests */
	size_t                    file_count;
	size_t                    tensors;      /* that were found in the weight files */
	size_t                    compared;     /* tensors that were compared with the source */
};
M2H_API struct m2h_verification *m2h_verify(const struct m2h_verify_options *options);
M2H_API void m2h_verification_free(struct m2h_verification *verification);

/* ---- diff ------------------------------------------------------------------------- */

struct m2h_diff_options {
	const char   *a, *b;            /* Hugging Face directories or weight files */
	bool          has_tolerance;
	double        tolerance;        /* |a - b| up to it is "within" and no difference */
	unsigned      threads;          /* 0: all cores allowed */
	m2h_progress *progress;
	void         *progress_context;
};

enum m2h_pair_state {
	M2H_PAIR_EQUAL,                 /* bit by bit; of two types: the same numbers */
	M2H_PAIR_WITHIN,                /* they differ, by no more than the tolerance */
	M2H_PAIR_DIFFERS,
	M2H_PAIR_SHAPE,                 /* the shapes differ */
	M2H_PAIR_ONLY_A, M2H_PAIR_ONLY_B,
	M2H_PAIR_STATES,
};
/* "equal", "within", "differs", "shape", "only_a", "only_b" */
M2H_API const char *m2h_pair_state_name(enum m2h_pair_state state);

/* One side of a pair; all of them "" where it has no such tensor. */
struct m2h_pair_side {
	const char *name, *file, *dtype, *shape;
	const char *value;              /* of the first element that differs: "0.25", "nan" */
};

struct m2h_pair {
	enum m2h_pair_state  state;
	struct m2h_pair_side a, b;
	bool                 is_padded; /* M2H_PAIR_SHAPE: an embedding with more rows on one side;
	                                   the rows that both have were compared */
	uint64_t             compared, differing;       /* elements */
	uint64_t             outside;           /* of those that differ: by more than the tolerance */
	uint64_t             not_finite;        /* of those that differ: NaN or infinite */
	const char          *first;             /* index of the first that differs: "[3, 0]", "" */
	double               max_absolute, max_relative;        /* of finite ones; relative to the
	                                                           larger of both */
	bool                 has_ulps;          /* both are floats of one type */
	uint64_t             max_ulps;
};

struct m2h_comparison {
	int                    status;          /* M2H_OK: equal, or within the tolerance */
	struct m2h_error       error;
	const struct m2h_file *files_a, *files_b;       /* without digests */
	size_t                 file_count_a, file_count_b;
	const struct m2h_pair *pairs;           /* all: those of A by name, then those only in B */
	size_t                 pair_count;
	size_t                 states[M2H_PAIR_STATES]; /* how many pairs are in each */
	uint64_t               compared, differing;     /* elements, all in all */
	const struct m2h_note *notes;
	size_t                 note_count;
};
M2H_API struct m2h_comparison *m2h_diff(const struct m2h_diff_options *options);
M2H_API void m2h_comparison_free(struct m2h_comparison *comparison);

/* ---- sign ------------------------------------------------------------------------- */

/* Asked when the private key is encrypted, at most once.  false: there is no passphrase, and
 * `reason` (room for 256 bytes) may say why.  Else it is in `to`, below `size` bytes. */
typedef bool m2h_passphrase(void *context, char *to, size_t size, char *reason);

struct m2h_sign_options {
	const char     *directory;
	const char     *key;            /* PEM file of the private key; "-": standard input */
	const char     *certificate;    /* PEM file of its certificates, leaf first; NULL: none */
	const char     *output;         /* the signature to make; NULL: model.sig in the directory */
	bool            replace;        /* replace it if it exists */
	m2h_passphrase *passphrase;     /* may be NULL */
	void           *passphrase_context;
	m2h_progress   *progress;       /* may be NULL */
	void           *progress_context;
};

struct m2h_signing {
	int                    status;
	struct m2h_error       error;
	const char            *output;          /* path of the signature */
	char                   fingerprint[65]; /* of the key: SHA-256 of its public half as PEM */
	char                   root[65];        /* SHA-256 over the digests of all files */
	const struct m2h_file *files;           /* that were signed, sorted by name */
	size_t                 file_count;
	const struct m2h_note *notes;
	size_t                 note_count;
};
M2H_API struct m2h_signing *m2h_sign(const struct m2h_sign_options *options);
M2H_API void m2h_signing_free(struct m2h_signing *signing);

/* SIGINT, SIGTERM and SIGHUP make running calls clean up and end with M2H_SIGNAL + N; a
 * second one ends the process.  SIGPIPE and SIGXFSZ are ignored.  For programs that have no
 * handlers of their own. */
M2H_API void m2h_install_signals(void);

/* ---- confine ---------------------------------------------------------------------- */

/* What the calls of this library that follow will need. */
enum m2h_place_kind {
	M2H_PLACE_READ,         /* a file, or a folder with all in it and what links in it lead to */
	M2H_PLACE_SOURCE,       /* the same of a checkpoint, and what is looked for around it: the
	                           names of other ranks, tokenizer files */
	M2H_PLACE_LOOK,         /* a file or directory of which a dry run asks whether it could be
	                           made: the names beside it */
	M2H_PLACE_MAKE,         /* one that is made or replaced: all that is below its parent */
	M2H_PLACE_FILL,         /* a folder in which files are made; NULL: $TMPDIR, else /tmp */
	M2H_PLACE_APPEND,       /* a file that is appended to, and made where it is not there */
	M2H_PLACE_ASK,          /* a terminal */
};

struct m2h_place {
	enum m2h_place_kind kind;
	const char         *path;       /* "-" and what is not there: nothing */
};

enum m2h_confined {             /* bits */
	M2H_CONFINED_FILES = 1, /* files and folders other than these (Landlock) */
	M2H_CONFINED_CALLS = 2, /* sockets, other programs and processes, modes and owners (seccomp) */
};
/*
 * Takes from the calling thread, and from those that it starts later, what is not needed, for
 * good; the result says what could be taken.  For programs that do nothing else, before they
 * start threads: the library never calls it.  It opens the places, but reads no file.
 */
M2H_API unsigned m2h_confine(const struct m2h_place *places, size_t count);

#ifdef __cplusplus
}
#endif

#endif
