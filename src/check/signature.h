#ifndef CHECK_SIGNATURE_H
#define CHECK_SIGNATURE_H

#include "base/certificate.h"
#include "base/ecdsa.h"
#include "base/error.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * A model signature: a Sigstore bundle around a DSSE envelope.  What it signs is opaque here.
 */

/* Whom the user trusts; exactly one is set.  Never taken from the bundle. */
struct signature_trust {
	const struct ecdsa_key        *key;
	const struct certificate_list *roots;
};

struct signature {
	unsigned char *payload;         /* verified */
	size_t         length;
	bool           has_hint;        /* false for bundles of older versions */
	bool           has_certificate; /* it was the chain that was trusted */
	int            certificate_at;  /* the leaf at present: below 0 too early, above 0 expired */
	char           subject[256];    /* of the leaf, escaped */
	char           fingerprint[DIGEST_HEX_SIZE];    /* of the key that signed */
};

/*
 * Takes a bundle apart and verifies it; the payload is decoded once and never before it is
 * needed.  `to` is zeroed first; signature_fini in either case.
 *
 * ERROR_CORRUPT with the JSON pointer of the fault; ERROR_MISMATCH: signed by another key, not
 * by a certificate that leads to the roots, or not at all; ERROR_UNSUPPORTED: another scheme.
 */
bool signature_verify(const char *bytes, size_t length, const struct signature_trust *trust,
	struct signature *to, struct error *err);
void signature_fini(struct signature *signature);

/* Does it say that it is a bundle?  No more than that is looked at. */
bool signature_is_bundle(const char *bytes, size_t length);

/* Signs the payload and adds the bundle, one line.  `chain` is that of the key, or NULL. */
bool signature_write(const char *payload, size_t length, const struct ecdsa_key *key,
	const struct certificate_list *chain, struct text *to, struct error *err);

#endif
