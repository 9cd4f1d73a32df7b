#ifndef GPT2_FURNITURE_H
#define GPT2_FURNITURE_H

#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * What the Hub expects beside a model: .gitattributes, whose patterns also say which files it
 * keeps in LFS, and the metadata block at the head of README.md (hub-docs, model-cards.md).
 */

/* The 35 lines that the Hub puts into every new model repository. */
void furniture_write_gitattributes(struct text *to);
/* Is a file of this name (relative, with '/') one of those that go to LFS? */
bool furniture_is_lfs(const char *name);

/* What the metadata block says; nothing is guessed, and no licence unless one was given. */
struct furniture_metadata {
	const char *license;            /* furniture_is_license(), or NULL */
	bool        has_safetensors;
};

/* An id as the Hub's list has them: letters, digits, '.', '-', '+', '_', at most 64. */
bool furniture_is_license(const char *id);
/* From "---" to "---", with their line ends. */
void furniture_write_metadata(const struct furniture_metadata *metadata, struct text *to);

enum furniture_block { FURNITURE_NO_BLOCK, FURNITURE_BLOCK, FURNITURE_OPEN_BLOCK };

/* Has a README.md a block of its own, and does that end? */
enum furniture_block furniture_find_block(const char *bytes, size_t length);

#endif
