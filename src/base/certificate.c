#include "base/certificate.h"

#include "base/crypt_memory.h"
#include "base/text.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <limits.h>
#include <string.h>

/* A list is OpenSSL's stack of certificates under a name of ours. */
static STACK_OF(X509) *
stack_of(const struct certificate_list *list)
{
	return (STACK_OF(X509) *)list;
}

static X509 *
at(const struct certificate_list *list, size_t index)
{
	return sk_X509_value(stack_of(list), (int)index);
}

struct certificate_list *
certificate_list_new(void)
{
	return (struct certificate_list *)sk_X509_new_null();
}

void
certificate_close(struct certificate_list *list)
{
	sk_X509_pop_free(stack_of(list), X509_free);
}

size_t
certificate_count(const struct certificate_list *list)
{
	int count = sk_X509_num(stack_of(list));

	return count > 0 ? (size_t)count : 0;
}

/* ---- reading and writing ---------------------------------------------------------- */

/* Takes `certificate` over. */
static bool
push(struct certificate_list *list, X509 *certificate, struct error *err)
{
	if (sk_X509_push(stack_of(list), certificate) > 0)
		return true;
	X509_free(certificate);
	return error_no_memory(err, sizeof certificate);
}

/* PEM_read_bio_X509 says "no" at the end of the file and at a damaged block alike. */
static bool
is_end_of_pem(void)
{
	unsigned long fault = ERR_peek_last_error();

	return ERR_GET_LIB(fault) == ERR_LIB_PEM && ERR_GET_REASON(fault) == PEM_R_NO_START_LINE;
}

/* OpenSSL would ask at the terminal for the passphrase of an encrypted block. */
static int
no_passphrase(char *to, int size, int for_writing, void *context)
{
	(void)to, (void)size, (void)for_writing, (void)context;
	return -1;
}

static bool
read_all(BIO *memory, struct certificate_list *list, size_t most, struct error *err)
{
	X509 *certificate;

	while ((certificate = PEM_read_bio_X509(memory, NULL, no_passphrase, NULL)) != NULL) {
		if (!push(list, certificate, err))
			return false;
		if (certificate_count(list) > most)
			return error_set(err, ERROR_LIMIT, "certificates",
				"more than %zu certificates", most);
	}
	if (is_end_of_pem() && certificate_count(list) > 0)
		return true;
	if (crypt_memory_ended())
		return error_no_memory(err, 0);
	return error_set(err, ERROR_CORRUPT, "sigcert",
		certificate_count(list) == 0 ? "not a certificate in PEM"
		: "certificate %zu of the file is damaged", certificate_count(list) + 1);
}

struct certificate_list *
certificate_read(const char *pem, size_t length, size_t most, struct error *err)
{
	BIO                     *memory = length <= INT_MAX ? BIO_new_mem_buf(pem, (int)length) : NULL;
	struct certificate_list *list = certificate_list_new();
	bool                     done = false;

	if (memory == NULL || list == NULL)
		error_no_memory(err, length);
	else
		done = read_all(memory, list, most, err);
	ERR_clear_error();
	BIO_free(memory);
	if (!done) {
		certificate_close(list);
		list = NULL;
	}
	return list;
}

bool
certificate_add_der(struct certificate_list *list, const void *der, size_t length,
	struct error *err)
{
	const unsigned char *end = der;
	X509                *certificate = length <= LONG_MAX
		? d2i_X509(NULL, &end, (long)length) : NULL;

	if (certificate == NULL && crypt_memory_ended())
		return error_no_memory(err, length);
	ERR_clear_error();
	if (certificate == NULL || end != (const unsigned char *)der + length) {
		X509_free(certificate);
		return error_set(err, ERROR_CORRUPT, "sigcert", "not a DER certificate");
	}
	return push(list, certificate, err);
}

bool
certificate_der(const struct certificate_list *list, size_t index, struct text *to,
	struct error *err)
{
	unsigned char *der = NULL;
	int            length = i2d_X509(at(list, index), &der);

	if (length > 0)
		text_add_bytes(to, der, (size_t)length);
	OPENSSL_free(der);
	ERR_clear_error();
	return (length > 0 && !to->failed) || error_no_memory(err, 0);
}

struct ecdsa_key *
certificate_key(const struct certificate_list *chain, struct error *err)
{
	EVP_PKEY         *pkey = X509_get_pubkey(at(chain, 0));
	struct ecdsa_key *key = NULL;

	if (pkey == NULL && crypt_memory_ended())
		error_no_memory(err, 0);
	else if (pkey == NULL)
		error_set(err, ERROR_UNSUPPORTED, "sigkey",
			"the certificate has a key of an unknown kind");
	else
		key = ecdsa_from_openssl(pkey, err);
	EVP_PKEY_free(pkey);
	return key;
}

char *
certificate_subject(const struct certificate_list *chain, char *to, size_t size)
{
	BIO  *memory = BIO_new(BIO_s_mem());
	char *bytes = NULL;
	long  length = 0;

	if (memory != NULL
	    && X509_NAME_print_ex(memory, X509_get_subject_name(at(chain, 0)), 0,
		XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB) > 0)
		length = BIO_get_mem_data(memory, &bytes);
	text_escape(to, size, length > 0 ? bytes : "", length > 0 ? (size_t)length : 0);
	BIO_free(memory);
	ERR_clear_error();
	return to;
}

/* ---- trust ------------------------------------------------------------------------ */

bool
certificate_may_sign(const struct certificate_list *chain, struct error *err)
{
	X509    *leaf = at(chain, 0);
	uint32_t flags = X509_get_extension_flags(leaf);

	if ((flags & EXFLAG_KUSAGE) != 0
	    && (X509_get_key_usage(leaf) & KU_DIGITAL_SIGNATURE) != 0)
		return true;
	if ((flags & EXFLAG_XKUSAGE) != 0
	    && (X509_get_extended_key_usage(leaf) & XKU_CODE_SIGN) != 0)
		return true;
	return error_set(err, ERROR_MISMATCH, "sigcert", "the certificate may not sign: it has "
		"neither KeyUsage digitalSignature nor ExtendedKeyUsage codeSigning");
}

/* The moment at which the certificate begins to be valid. */
static bool
begin_of(X509 *leaf, time_t *begin)
{
	ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
	int        days = 0, seconds = 0;
	bool       done = epoch != NULL
		&& ASN1_TIME_diff(&days, &seconds, epoch, X509_get0_notBefore(leaf)) == 1;

	ASN1_TIME_free(epoch);
	*begin = (time_t)days * 86400 + seconds;
	return done;
}

static bool
add_roots(X509_STORE *store, const struct certificate_list *roots)
{
	for (size_t i = 0; i < certificate_count(roots); i++) {
		if (X509_STORE_add_cert(store, at(roots, i)) != 1)
			return false;
	}
	return true;
}

bool
certificate_check(const struct certificate_list *chain,
	const struct certificate_list *roots, struct error *err)
{
	X509_STORE     *store = X509_STORE_new();
	X509_STORE_CTX *context = X509_STORE_CTX_new();
	X509           *leaf = at(chain, 0);
	time_t          begin = 0;
	bool            done = false;

	if (store == NULL || context == NULL || !add_roots(store, roots)
	    || X509_STORE_CTX_init(context, store, leaf, stack_of(chain)) != 1) {
		error_no_memory(err, 0);
		goto out;
	}
	if (!begin_of(leaf, &begin)) {
		if (crypt_memory_ended())
			error_no_memory(err, 0);
		else
			error_set(err, ERROR_MISMATCH, "sigcert", "the certificate is not trusted: "
				"its validity has no beginning");
		goto out;
	}
	X509_STORE_CTX_set_time(context, 0, begin);
	if (X509_verify_cert(context) == 1)
		done = certificate_may_sign(chain, err);
	else if (X509_STORE_CTX_get_error(context) == X509_V_ERR_OUT_OF_MEM
	    || crypt_memory_ended())
		error_no_memory(err, 0);
	else
		error_set(err, ERROR_MISMATCH, "sigcert", "the certificate is not trusted: %s",
			X509_verify_cert_error_string(X509_STORE_CTX_get_error(context)));
out:
	X509_STORE_CTX_free(context);
	X509_STORE_free(store);
	ERR_clear_error();
	return done;
}

int
certificate_at(const struct certificate_list *chain, time_t now)
{
	X509 *leaf = at(chain, 0);

	/* X509_cmp_time: below 0, the time of the certificate is before now. */
	if (X509_cmp_time(X509_get0_notBefore(leaf), &now) > 0)
		return -1;
	return X509_cmp_time(X509_get0_notAfter(leaf), &now) < 0 ? 1 : 0;
}
