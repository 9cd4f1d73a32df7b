#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIGEST_HEX_SIZE 65      /* of a SHA-256, with its NUL */

/* SHA-256 (or SHA-1, for git's blob names) over bytes that come in pieces.
 * One thread at a time per digest. */
struct digest;

/* Makes OpenSSL allocate what it needs once, where running out of memory does no harm yet. */
bool digest_prepare(void);

enum digest_algorithm { DIGEST_SHA256, DIGEST_SHA1 };

struct digest *digest_open(enum digest_algorithm algorithm);      /* NULL: no memory */
void           digest_add(struct digest *digest, const void *bytes, size_t length);
/* Lower-case hex of all that was added; the digest can then only be closed. */
void           digest_hex(struct digest *digest, char to[DIGEST_HEX_SIZE]);
void           digest_close(struct digest *digest);               /* NULL is fine */

/* In one go.  false: no memory. */
bool digest_sha256(const void *bytes, size_t length, char to[DIGEST_HEX_SIZE]);
/* The name git gives these bytes: SHA-1 over "blob LENGTH\0" and them. */
bool digest_git_blob(const void *bytes, size_t length, char to[DIGEST_HEX_SIZE]);

#endif
