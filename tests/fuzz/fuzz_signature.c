#include "fuzz.h"

#include "base/ecdsa.h"
#include "check/signature.h"
#include "check/statement.h"

/* The public half of a key of nobody's. */
static const char key_pem[] =
	"-----BEGIN PUBLIC KEY-----\n"
	"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE9b+dGD8SbXGuyj1nDfB+dOYFtDZ9\n"
	"aeaGGYxmJlMjhGy2nkRrKSuxqEby+/n6JQ6XepGD35uBMwYnOc0r9hhbQg==\n"
	"-----END PUBLIC KEY-----\n";

/* A model signature, and the statement that one is over, as if it had been verified. */
void
fuzz_one(const uint8_t *bytes, size_t length)
{
	struct error            err = { 0 };
	struct signature        signature = { .payload = NULL };
	struct statement        statement;
	struct signature_trust  trust = { .key = ecdsa_read_public(key_pem, sizeof key_pem - 1,
		&err) };
	struct arena            arena;

	memory_file_must(trust.key != NULL, err.text);
	signature_verify((const char *)bytes, length, &trust, &signature, &err);
	signature_fini(&signature);
	arena_init(&arena, FUZZ_ARENA_BYTES);
	statement_parse((const char *)bytes, length, &arena, &statement, &err);
	arena_fini(&arena);
	ecdsa_close((struct ecdsa_key *)trust.key);
}
