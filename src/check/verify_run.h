#ifndef CHECK_VERIFY_RUN_H
#define CHECK_VERIFY_RUN_H

#include "check/statement.h"
#include "check/sums.h"
#include "check/verify.h"
#include "gpt2/config.h"
#include "gpt2/safetensors.h"

/* How a file of the directory is read, by its name. */
enum verify_kind {
	VERIFY_PLAIN,           /* only hashed */
	VERIFY_TEXT,            /* kept in memory */
	VERIFY_SAFETENSORS,     /* header kept and parsed */
	VERIFY_TORCH,           /* pickle read, every record checked */
};

struct verify_entry {
	const char      *name;          /* path in the directory */
	enum verify_kind kind;
	uint64_t         bytes;
	bool             is_exempt;     /* need not be listed in SHA256SUMS */
	bool             is_listed;     /* in SHA256SUMS */
	bool             is_signed;     /* the signature is over it */
	bool             is_read;       /* whole: sha256 is known */
	char             sha256[DIGEST_HEX_SIZE];
	char            *text;          /* VERIFY_TEXT, malloc()ed; NULL: could not be read */
	size_t           text_length;
	bool             has_tensors;   /* the structure is sound */
	struct safetensors_tensor *tensors;     /* sorted by name */
	size_t           tensor_count;
	bool             is_output;     /* conversion.json lists it */
	size_t           manifest_count;        /* tensors that it places here */
};

/* One verification while it runs.  Used by one thread. */
struct verify_run {
	const char           *path;
	int                   directory;
	struct verify_result *result;
	size_t                problem_room;
	bool                  is_full;          /* of problems, and that was said */
	struct decision_log  *log;
	unsigned              threads;          /* 0: all cores allowed */
	verify_progress      *progress;         /* may be NULL */
	void                 *context;
	uint64_t              done, total;      /* bytes */
	struct verify_entry  *entries;          /* sorted by name */
	size_t                count, room;
	bool                  has_sums;
	struct sums           sums;             /* names without "./" */
	const struct verify_trust *trust;       /* NULL: no signature is to be verified */
	bool                  has_statement;    /* it was, and this is what it says */
	struct statement      statement;
	bool                  has_config;
	struct gpt2_config    config;
	char                  activation[64];
};

/* Keeps a problem.  Of more than a thousand only the more severe ones are kept. */
void verify_run_problem(struct verify_run *run, const struct error *problem);
/* The same for one that is made here: in `file`, about `tensor` (NULL: none). */
void verify_run_report(struct verify_run *run, enum error_kind kind, const char *slug,
	const char *file, const char *tensor, const char *fmt, ...) ERROR_PRINTF(6, 7);
struct verify_entry *verify_run_find(const struct verify_run *run, const char *name);
const struct safetensors_tensor *verify_run_find_tensor(const struct verify_entry *entry,
	const char *name);
/* Order of the exit statuses, most severe first: 9 5 3 8 4 6 7 1. */
unsigned verify_run_severity(enum error_kind kind);
/* A relative path without ".." that names something in the directory. */
bool verify_run_is_inside(const char *name);

#endif
