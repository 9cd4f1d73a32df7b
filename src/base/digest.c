#include "base/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

struct digest {
	EVP_MD_CTX *context;
};

struct digest *
digest_open(enum digest_algorithm algorithm)
{
	const EVP_MD  *method = algorithm == DIGEST_SHA256 ? EVP_sha256() : EVP_sha1();
	struct digest *digest;

	/* Where memory ended while OpenSSL set itself up, all else in it would crash. */
	if (OSSL_LIB_CTX_get0_global_default() == NULL
	    || (digest = malloc(sizeof *digest)) == NULL)
		return NULL;
	digest->context = EVP_MD_CTX_new();
	if (digest->context == NULL || EVP_DigestInit_ex(digest->context, method, NULL) != 1) {
		digest_close(digest);
		return NULL;
	}
	return digest;
}

bool
digest_prepare(void)
{
	char hex[DIGEST_HEX_SIZE];

	return digest_sha256("", 0, hex) && digest_git_blob("", 0, hex);
}

void
digest_add(struct digest *digest, const void *bytes, size_t length)
{
	EVP_DigestUpdate(digest->context, bytes, length);
}

void
digest_hex(struct digest *digest, char to[DIGEST_HEX_SIZE])
{
	unsigned char raw[EVP_MAX_MD_SIZE];
	unsigned      length = 0;

	to[0] = '\0';
	EVP_DigestFinal_ex(digest->context, raw, &length);
	for (size_t i = 0; i < length && 2 * i + 2 < DIGEST_HEX_SIZE; i++)
		snprintf(to + 2 * i, 3, "%02x", raw[i]);
}

void
digest_close(struct digest *digest)
{
	if (digest == NULL)
		return;
	EVP_MD_CTX_free(digest->context);
	free(digest);
}

bool
digest_sha256(const void *bytes, size_t length, char to[DIGEST_HEX_SIZE])
{
	struct digest *digest = digest_open(DIGEST_SHA256);

	if (digest == NULL)
		return false;
	digest_add(digest, bytes, length);
	digest_hex(digest, to);
	digest_close(digest);
	return true;
}

bool
digest_git_blob(const void *bytes, size_t length, char to[DIGEST_HEX_SIZE])
{
	struct digest *digest = digest_open(DIGEST_SHA1);
	char           head[40];
	int            head_length = snprintf(head, sizeof head, "blob %zu", length);

	if (digest == NULL)
		return false;
	digest_add(digest, head, (size_t)head_length + 1);
	digest_add(digest, bytes, length);
	digest_hex(digest, to);
	digest_close(digest);
	return true;
}
