#ifndef CHECK_SUMS_H
#define CHECK_SUMS_H

#include "base/arena.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>

/* A SHA256SUMS list: what coreutils' sha256sum writes, and all that its -c accepts. */
struct sums_line {
	const char *name;               /* unescaped; may be any path: the caller decides */
	char        sha256[DIGEST_HEX_SIZE];    /* lower case */
};
struct sums {
	struct sums_line *lines;
	size_t            count;
	size_t            malformed;    /* lines that are none, skipped */
};

/* Tables go to the arena.  ERROR_CORRUPT: no valid line at all. */
bool sums_parse(const char *bytes, size_t length, struct arena *arena, struct sums *sums,
	struct error *err);
/* "HEX  NAME\n", the name escaped as coreutils does. */
void sums_write_line(struct text *to, const char *sha256, const char *name);
/* 64 hex digits, in either case, with or without "sha256:" in front; lower case to `to`. */
bool sums_parse_digest(const char *text, char to[DIGEST_HEX_SIZE]);

#endif
