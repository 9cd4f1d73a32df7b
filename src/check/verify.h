#ifndef CHECK_VERIFY_H
#define CHECK_VERIFY_H

#include "base/arena.h"
#include "base/decision_log.h"
#include "base/digest.h"
#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

/* A file of the directory that was checked. */
struct verify_file {
	const char *name;
	uint64_t    bytes;
	char        sha256[DIGEST_HEX_SIZE];
};

/* All problems of a directory, not only the first. */
struct verify_result {
	struct error       *problems;
	size_t              problem_count;
	struct verify_file *files;
	size_t              file_count;
	size_t              tensors;
	struct arena        arena;
};

/* A signature, and who may have made it: exactly one of `key` and `ca`. */
struct verify_trust {
	const char *signature;          /* path of the bundle */
	const char *key;                /* PEM file with a public key, a certificate or a private key */
	const char *ca;                 /* PEM file with root certificates */
};

typedef void verify_progress(void *context, uint64_t done, uint64_t total);

/*
 * Checks a Hugging Face GPT-2 directory by itself: SHA256SUMS, conversion.json, the structure
 * of model.safetensors, config.json against the tensors, tokenizer against the vocabulary,
 * files that are missing or extra.  Reads each file once.  pytorch_model.bin is held to the
 * rules for checkpoints: its pickle is read, never executed, and every record is checked.
 * With `trust` (may be NULL) the files are also compared with what was signed.  Of `threads`
 * (0: all cores allowed) the comparison of two forms of the weights takes at most two.
 *
 * false: it could not begin or go on (no such directory, no memory, a signal).  Problems are
 * no failure.  verify_fini in either case.  Names in problems and files are relative to the
 * directory.  Calls `progress` (may be NULL) after every block of a file.
 * verify_severest gives the problem that decides the exit status, in the order of severity
 * 9 5 3 8 4 6 7 1, or NULL.
 */
bool verify_directory(const char *directory, const struct verify_trust *trust,
	unsigned threads, verify_progress *progress, void *context, struct verify_result *result,
	struct decision_log *log, struct error *err);
const struct error *verify_severest(const struct verify_result *result);
void verify_fini(struct verify_result *result);

#endif
