#ifndef CONVERT_EXPECTED_DIGEST_H
#define CONVERT_EXPECTED_DIGEST_H

#include "check/sums.h"
#include "megatron/shards.h"

/*
 * What --sha256 says the input must be: 64 hex digits for a single file, or a SHA256SUMS
 * list that names every file of weights.  Of the listed names that are the end of a file's path,
 * component by component, the longest counts; where there is none, those that end with the path
 * do, if their digests are one.
 */
struct expected_digest {
	bool         is_given;
	char         hex[DIGEST_HEX_SIZE];      /* "" when it is a list */
	const char  *list;                      /* its path, as the option gave it */
	struct sums  sums;
	struct arena arena;
};

/* `text` is what the option says, NULL: not given.  ERROR_USAGE: neither digits nor a file. */
bool expected_digest_open(struct expected_digest *expected, const char *text, struct error *err);
/* Before work begins: one input for one digest; every input is on the list. */
bool expected_digest_covers(const struct expected_digest *expected, const struct shards *shards,
	struct error *err);
/* ERROR_MISMATCH "shaexp" with both digests. */
bool expected_digest_check(const struct expected_digest *expected, const struct shards *shards,
	size_t input, const char *sha256, struct error *err);
/* When a conversion failed: a file that is not the expected one is a better reason than what
 * was found in it.  Hashes `path`, or where that is a folder what the list names (below the
 * folder, or beside the list, as sha256sum -c would), and replaces *err on a mismatch. */
void expected_digest_explain(const struct expected_digest *expected, const char *path,
	struct error *err);
void expected_digest_fini(struct expected_digest *expected);

#endif
