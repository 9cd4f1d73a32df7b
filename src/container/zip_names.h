#ifndef CONTAINER_ZIP_NAMES_H
#define CONTAINER_ZIP_NAMES_H

#include "base/error.h"

#include <stddef.h>

#define ZIP_NAMES_LONGEST 512

struct zip_entry;

/* A name that no reader can mistake: UTF-8, relative, no "..", no empty component (but one
 * "/" at the end), no backslash, drive letter or control character.  ERROR_UNSAFE. */
bool zip_names_check(const char *name, size_t length, struct error *err);

/*
 * The entries of a directory by name.  Two names that are equal, or equal but for the case
 * of ASCII letters, are refused (ERROR_UNSAFE).  Neither owns nor copies the entries; they
 * must stay where they are.
 */
struct zip_names;

struct zip_names *zip_names_open(const struct zip_entry *entries, size_t count,
	struct error *err);
/* NULL: none has exactly this name. */
const struct zip_entry *zip_names_find(const struct zip_names *names, const char *name);
void zip_names_close(struct zip_names *names);  /* NULL is fine */

#endif
