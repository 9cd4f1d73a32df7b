#ifndef CHECK_VERIFY_ENTRIES_H
#define CHECK_VERIFY_ENTRIES_H

#include "check/verify_run.h"

/* Lists every file below the directory, sorted by name.  ".git*" and ".cache" at the top are
 * not entered, and they and model.sig need not be listed anywhere.  false: no memory. */
bool verify_entries_find(struct verify_run *run, struct error *err);
/* Marks the files that SHA256SUMS lists, and adds those that the walk passed over. */
bool verify_entries_add_listed(struct verify_run *run, struct error *err);
/* The same for the files that the signature is over. */
bool verify_entries_add_signed(struct verify_run *run, struct error *err);
/* A symbolic link may lead to another file of the directory, or to a blob of the Hub's cache;
 * ERROR_UNSAFE: it leads elsewhere. */
bool verify_entries_check_link(const struct verify_run *run, const struct verify_entry *entry,
	struct error *err);

#endif
