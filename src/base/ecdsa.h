#ifndef BASE_ECDSA_H
#define BASE_ECDSA_H

#include "base/digest.h"
#include "base/error.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * ECDSA keys on P-256, P-384 and P-521, the ones that OpenSSF Model Signing v1.0 knows; each
 * goes with SHA-256, SHA-384 and SHA-512.  Other kinds of keys are ERROR_UNSUPPORTED.
 * A key may be used by one thread at a time.
 */
struct ecdsa_key;
struct evp_pkey_st;             /* OpenSSL's */

/* Asked only when a private key is encrypted.  false: there is no passphrase, and *err says
 * why.  Otherwise a NUL-terminated one of less than `size` bytes is in `to`. */
typedef bool ecdsa_passphrase(void *context, char *to, size_t size, struct error *err);

/* A private key in PEM, PKCS#8 or SEC1.  `ask` may be NULL.  NULL: *err; ERROR_NO_OUTPUT when
 * it is encrypted and the passphrase is missing or wrong. */
struct ecdsa_key *ecdsa_read_private(const char *pem, size_t length, ecdsa_passphrase *ask,
	void *context, struct error *err);
/* What to verify with, from the first PEM block that has one: a public key, a certificate (only
 * its key is used, nothing of it is checked) or a private key that is not encrypted. */
struct ecdsa_key *ecdsa_read_public(const char *pem, size_t length, struct error *err);
/* Of a key that OpenSSL has made; takes a reference of its own. */
struct ecdsa_key *ecdsa_from_openssl(struct evp_pkey_st *pkey, struct error *err);
void              ecdsa_close(struct ecdsa_key *key);           /* NULL is fine */

/* Lower-case hex of the SHA-256 of the public key as PEM, which is what
 * `openssl pkey -pubout | sha256sum` says, and OMS calls the hint. */
const char *ecdsa_fingerprint(const struct ecdsa_key *key);

/* Adds the signature over the bytes, DER SEQUENCE{r,s}, to the text.  The nonce is random: no
 * two signatures are the same. */
bool ecdsa_sign(const struct ecdsa_key *key, const void *bytes, size_t length,
	struct text *signature, struct error *err);
/* ERROR_MISMATCH "sigbad": it is not a signature of this key over these bytes. */
bool ecdsa_verify(const struct ecdsa_key *key, const void *bytes, size_t length,
	const void *signature, size_t signature_length, struct error *err);

/* Overwrites a secret, in a way that the compiler does not leave out. */
void ecdsa_wipe(void *secret, size_t length);

#endif
