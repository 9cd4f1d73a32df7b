#ifndef CHECK_MANIFEST_H
#define CHECK_MANIFEST_H

#include "base/decision_log.h"
#include "base/digest.h"
#include "base/text.h"
#include "plan/plan.h"
#include "plan/used_ranges.h"

/* A file of the output directory, or an input. */
struct manifest_file {
	const char *name;                       /* base name */
	uint64_t    bytes;
	char        sha256[DIGEST_HEX_SIZE];
	char        git_blob[DIGEST_HEX_SIZE];  /* SHA-1, 40 digits; "" for files that the Hub
	                                           keeps in LFS, and for inputs */
	/* Of an input of which only these ranges were read; sha256 is "" then. */
	char                     ranges_sha256[DIGEST_HEX_SIZE];
	const struct used_range *ranges;
	size_t                   range_count;
};

/* What conversion.json tells: where every byte of the output came from. */
struct manifest {
	const char                 *tool_version;
	const struct shards        *shards;
	const struct model         *model;
	const struct plan          *plan;
	const struct decision_log  *log;
	const char                (*tensor_sha256)[DIGEST_HEX_SIZE];    /* by tensor; NULL: none */
	const struct manifest_file *inputs;
	size_t                      input_count;
	const struct manifest_file *outputs;            /* all but conversion.json, SHA256SUMS */
	size_t                      output_count;
};

/* conversion.json: no clock, host, user or absolute path in it. */
void manifest_write(const struct manifest *manifest, struct text *to);
/* "torch legacy stream in a zip (deflated)" */
void manifest_container(const struct shards *shards, char *to, size_t size);

#endif
