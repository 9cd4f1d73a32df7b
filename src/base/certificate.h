#ifndef BASE_CERTIFICATE_H
#define BASE_CERTIFICATE_H

#include "base/ecdsa.h"
#include "base/error.h"

#include <stddef.h>
#include <time.h>

#define CERTIFICATE_MAX 16              /* in one chain */
#define CERTIFICATE_ROOTS_MAX 1024      /* a whole system has some 150 */

/* X.509 certificates in their order: a chain begins with the signer's, the leaf. */
struct certificate_list;

/* All certificates of a PEM file, at least one and at most `most`.  NULL: *err. */
struct certificate_list *certificate_read(const char *pem, size_t length, size_t most,
	struct error *err);
/* An empty list, to add to.  NULL: no memory. */
struct certificate_list *certificate_list_new(void);
/* ERROR_CORRUPT: the bytes are not exactly one certificate. */
bool certificate_add_der(struct certificate_list *list, const void *der, size_t length,
	struct error *err);
void certificate_close(struct certificate_list *list);          /* NULL is fine */

size_t certificate_count(const struct certificate_list *list);
/* Adds its DER bytes. */
bool certificate_der(const struct certificate_list *list, size_t index, struct text *to,
	struct error *err);
/* The key of the leaf, whether it is trusted or not. */
struct ecdsa_key *certificate_key(const struct certificate_list *chain, struct error *err);
/* "CN=...,O=..." of the leaf (RFC 2253), cut to `size`.  Returns `to`. */
char *certificate_subject(const struct certificate_list *chain, char *to, size_t size);
/* KeyUsage digitalSignature, or else ExtendedKeyUsage codeSigning; ERROR_MISMATCH "sigcert". */
bool certificate_may_sign(const struct certificate_list *chain, struct error *err);

/*
 * Does the leaf lead to one of the roots, and may it sign?  Judged at the moment at which the
 * leaf's validity begins, as the reference implementation does, so that a signature outlives
 * its certificate.  ERROR_MISMATCH "sigcert" with OpenSSL's reason.
 */
bool certificate_check(const struct certificate_list *chain,
	const struct certificate_list *roots, struct error *err);
/* Where the leaf stands at `now`: below 0 not valid yet, above 0 no longer. */
int certificate_at(const struct certificate_list *chain, time_t now);

#endif
