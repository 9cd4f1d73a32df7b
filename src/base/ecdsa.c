#include "base/ecdsa.h"

#include "base/crypt_memory.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define CURVE_NAME_SIZE 64

struct ecdsa_key {
	EVP_PKEY     *pkey;
	const EVP_MD *method;
	char          fingerprint[DIGEST_HEX_SIZE];
};

/* SEC's and NIST's names of the same curves; OpenSSL answers with either. */
static const struct {
	const char *name, *other;
	const EVP_MD *(*method)(void);
} curves[] = {
	{ "prime256v1", "P-256", EVP_sha256 },
	{ "secp384r1",  "P-384", EVP_sha384 },
	{ "secp521r1",  "P-521", EVP_sha512 },
};

/* What OpenSSL says of its last fault, or that memory ended; its list of faults is emptied. */
static bool
fail(struct error *err, enum error_kind kind, const char *slug, const char *what)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	if (crypt_memory_ended())
		return error_no_memory(err, 0);
	return error_set(err, kind, slug, "%s%s%s", what, reason != NULL ? ": " : "",
		reason != NULL ? reason : "");
}

/* ---- keys ------------------------------------------------------------------------- */

static bool
unsupported(struct error *err, const char *kind)
{
	if (crypt_memory_ended())
		return error_no_memory(err, 0);
	error_set(err, ERROR_UNSUPPORTED, "sigkey", "%s keys are not part of OMS v1.0 (expected "
		"ECDSA on P-256, P-384 or P-521)", kind);
	return error_hint(err, "openssl ecparam -name prime256v1 -genkey -noout -out key.pem "
		"makes one that is");
}

static bool
choose_method(struct ecdsa_key *key, struct error *err)
{
	int         is_explicit = 0;
	char        curve[CURVE_NAME_SIZE] = "";
	const char *type = EVP_PKEY_get0_type_name(key->pkey);

	if (!EVP_PKEY_is_a(key->pkey, "EC"))
		return unsupported(err, EVP_PKEY_is_a(key->pkey, "ED25519") ? "Ed25519"
			: type != NULL ? type : "such");
	/* Parameters in the place of a name may be anybody's, and give a key another fingerprint. */
	if (EVP_PKEY_get_int_param(key->pkey, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS,
		&is_explicit) == 1 && is_explicit != 0)
		return unsupported(err, "explicit parameters");
	if (EVP_PKEY_get_group_name(key->pkey, curve, sizeof curve, NULL) != 1)
		return unsupported(err, "unnamed curve");
	for (size_t i = 0; i < sizeof curves / sizeof *curves; i++) {
		if (strcmp(curve, curves[i].name) == 0 || strcmp(curve, curves[i].other) == 0)
			key->method = curves[i].method();
	}
	return key->method != NULL || unsupported(err, curve);
}

static bool
take_fingerprint(struct ecdsa_key *key, struct error *err)
{
	BIO  *memory = BIO_new(BIO_s_mem());
	char *pem = NULL;
	long  length = 0;
	bool  done = false;

	if (memory != NULL && PEM_write_bio_PUBKEY(memory, key->pkey) == 1
	    && (length = BIO_get_mem_data(memory, &pem)) > 0)
		done = digest_sha256(pem, (size_t)length, key->fingerprint);
	BIO_free(memory);
	ERR_clear_error();
	return done || error_no_memory(err, 0);
}

struct ecdsa_key *
ecdsa_from_openssl(EVP_PKEY *pkey, struct error *err)
{
	struct ecdsa_key *key = calloc(1, sizeof *key);

	if (key == NULL) {
		error_no_memory(err, sizeof *key);
		return NULL;
	}
	EVP_PKEY_up_ref(pkey);
	key->pkey = pkey;
	if (!choose_method(key, err) || !take_fingerprint(key, err)) {
		ecdsa_close(key);
		return NULL;
	}
	return key;
}

void
ecdsa_close(struct ecdsa_key *key)
{
	if (key == NULL)
		return;
	EVP_PKEY_free(key->pkey);
	free(key);
}

const char *
ecdsa_fingerprint(const struct ecdsa_key *key)
{
	return key->fingerprint;
}

/* ---- PEM -------------------------------------------------------------------------- */

/* What OpenSSL asks its questions with. */
struct question {
	ecdsa_passphrase *ask;
	void             *context;
	struct error     *err;
	bool              was_asked, was_refused;
};

static int
answer(char *to, int size, int for_writing, void *context)
{
	struct question *question = context;

	(void)for_writing;
	/* After a refusal OpenSSL asks again, to try it as another kind of key. */
	if (question->was_refused)
		return -1;
	question->was_asked = true;
	if (question->ask != NULL
	    && question->ask(question->context, to, (size_t)size, question->err))
		return (int)strlen(to);
	question->was_refused = true;
	if (question->ask == NULL)
		error_set(question->err, ERROR_NO_OUTPUT, "signpath",
			"the key is encrypted, and there is no passphrase");
	return -1;
}

static BIO *
open_pem(const char *pem, size_t length, struct error *err)
{
	BIO *memory = length <= INT_MAX ? BIO_new_mem_buf(pem, (int)length) : NULL;

	if (memory == NULL)
		error_no_memory(err, length);
	return memory;
}

static struct ecdsa_key *
finish(EVP_PKEY *pkey, struct error *err)
{
	struct ecdsa_key *key = ecdsa_from_openssl(pkey, err);

	EVP_PKEY_free(pkey);
	ERR_clear_error();
	return key;
}

struct ecdsa_key *
ecdsa_read_private(const char *pem, size_t length, ecdsa_passphrase *ask, void *context,
	struct error *err)
{
	struct question question = { .ask = ask, .context = context, .err = err };
	BIO            *memory = open_pem(pem, length, err);
	EVP_PKEY       *pkey;

	if (memory == NULL)
		return NULL;
	pkey = PEM_read_bio_PrivateKey(memory, NULL, answer, &question);
	BIO_free(memory);
	if (pkey != NULL)
		return finish(pkey, err);
	if (question.was_refused)
		ERR_clear_error();
	else if (!question.was_asked)
		fail(err, ERROR_CORRUPT, "sigkey", "not a key in PEM");
	else if (crypt_memory_ended())
		error_no_memory(err, 0);
	else
		error_set(err, ERROR_NO_OUTPUT, "signpath",
			"the key cannot be decrypted: the passphrase is wrong, or the key damaged");
	return NULL;
}

struct ecdsa_key *
ecdsa_read_public(const char *pem, size_t length, struct error *err)
{
	struct error     unused = { 0 };
	struct question  question = { .err = &unused };
	BIO             *memory = open_pem(pem, length, err);
	EVP_PKEY        *pkey;
	X509            *certificate;

	if (memory == NULL)
		return NULL;
	/* Without a question of ours OpenSSL would ask at the terminal. */
	pkey = PEM_read_bio_PUBKEY(memory, NULL, answer, &question);
	if (pkey == NULL && BIO_reset(memory) == 1
	    && (certificate = PEM_read_bio_X509(memory, NULL, answer, &question)) != NULL) {
		pkey = X509_get_pubkey(certificate);
		X509_free(certificate);
	}
	BIO_free(memory);
	if (pkey != NULL)
		return finish(pkey, err);
	ERR_clear_error();
	if (!question.was_asked)
		return ecdsa_read_private(pem, length, NULL, NULL, err);
	error_set(err, ERROR_NO_INPUT, "sigkey", "the key is encrypted; its public half will do");
	error_hint(err, "openssl pkey -in KEY -pubout writes it");
	return NULL;
}

/* ---- signatures ------------------------------------------------------------------- */

bool
ecdsa_sign(const struct ecdsa_key *key, const void *bytes, size_t length,
	struct text *signature, struct error *err)
{
	EVP_MD_CTX    *context = EVP_MD_CTX_new();
	unsigned char *der = NULL;
	size_t         room = 0, size;
	bool           done = false;

	if (context == NULL || EVP_DigestSignInit(context, NULL, key->method, NULL, key->pkey) != 1
	    || EVP_DigestSign(context, NULL, &room, bytes, length) != 1)
		goto out;
	size = room;
	if ((der = malloc(room)) == NULL) {
		error_no_memory(err, room);
		goto out;
	}
	/* Without memory OpenSSL 3.0 says that all went well, and gives -1 for a length. */
	if (EVP_DigestSign(context, der, &size, bytes, length) != 1 || size > room)
		goto out;
	text_add_bytes(signature, der, size);
	done = !signature->failed || error_no_memory(err, size);
out:
	if (!done && err->kind != ERROR_LIMIT)
		fail(err, ERROR_INTERNAL, "sign", "OpenSSL cannot sign with this key");
	free(der);
	EVP_MD_CTX_free(context);
	return done;
}

bool
ecdsa_verify(const struct ecdsa_key *key, const void *bytes, size_t length,
	const void *signature, size_t signature_length, struct error *err)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool        is_ready = context != NULL
		&& EVP_DigestVerifyInit(context, NULL, key->method, NULL, key->pkey) == 1;
	/* 0 is "no", below 0 "that is no signature at all", such as r and s without DER. */
	bool        is_good = is_ready
		&& EVP_DigestVerify(context, signature, signature_length, bytes, length) == 1;

	EVP_MD_CTX_free(context);
	if (!is_ready)
		return fail(err, ERROR_LIMIT, "oom", "OpenSSL cannot verify with this key");
	if (is_good)
		return true;
	return crypt_memory_ended() ? error_no_memory(err, 0)
		: error_set(err, ERROR_MISMATCH, "sigbad",
			"signature does not verify with key %s", key->fingerprint);
}

void
ecdsa_wipe(void *secret, size_t length)
{
	if (secret != NULL)
		OPENSSL_cleanse(secret, length);
}
