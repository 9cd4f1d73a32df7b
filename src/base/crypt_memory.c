#include "base/crypt_memory.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdlib.h>

static _Thread_local bool ended;

static void *
note(void *taken, size_t size)
{
	ended = ended || (taken == NULL && size > 0);
	return taken;
}

static void *
take(size_t size, const char *file, int line)
{
	(void)file, (void)line;
	return note(malloc(size), size);
}

/* OpenSSL frees by a size of 0, which C does not promise of realloc(). */
static void *
take_again(void *old, size_t size, const char *file, int line)
{
	(void)file, (void)line;
	if (size > 0)
		return note(realloc(old, size), size);
	free(old);
	return NULL;
}

static void
give_back(void *taken, const char *file, int line)
{
	(void)file, (void)line;
	free(taken);
}

void
crypt_memory_watch(void)
{
	CRYPTO_set_mem_functions(take, take_again, give_back);
}

bool
crypt_memory_ended(void)
{
	unsigned long fault;
	bool          had_ended = ended;

	while ((fault = ERR_get_error()) != 0)
		had_ended = had_ended || ERR_GET_REASON(fault) == ERR_R_MALLOC_FAILURE;
	ended = false;
	return had_ended;
}
