#ifndef CHECK_SIGN_H
#define CHECK_SIGN_H

#include "base/arena.h"
#include "base/decision_log.h"
#include "base/ecdsa.h"
#include "base/error.h"
#include "check/statement.h"

#include <stddef.h>
#include <stdint.h>

struct sign_order {
	const char       *directory;
	const char       *key;          /* PEM file of the private key, "-": standard input */
	const char       *certificate;  /* PEM file of its chain, leaf first; NULL: none */
	const char       *output;       /* NULL: model.sig in the directory */
	bool              replace;      /* an existing signature */
	ecdsa_passphrase *ask;          /* may be NULL */
	void             *ask_context;
	void            (*progress)(void *context, uint64_t done, uint64_t total); /* may be NULL */
	void             *progress_context;
};

struct sign_result {
	struct arena     arena;
	const char      *output;
	struct statement statement;     /* what was signed */
	const uint64_t  *sizes;         /* of its files, in bytes */
	char             fingerprint[DIGEST_HEX_SIZE];
};

/*
 * Hashes every file of the directory, signs the list and writes the signature, which appears
 * complete or not at all.  Before that it is verified as a stranger would.
 *
 * false: *err, and nothing was written.  sign_fini in either case.
 */
bool sign_directory(const struct sign_order *order, struct sign_result *result,
	struct decision_log *log, struct error *err);
void sign_fini(struct sign_result *result);

#endif
