#ifndef TORCH_TORCH_STORAGES_H
#define TORCH_TORCH_STORAGES_H

#include "base/error.h"
#include "pickle/value.h"
#include "torch/torch_file.h"

/* A storage, and what only this room needs to know of it. */
struct torch_storage_entry {
	struct torch_storage storage;
	const char          *class_name;        /* "HalfStorage" */
	uint64_t             element_size;
	bool                 is_listed;         /* legacy: the key list names it */
};

/*
 * The storages that the persistent ids of a pickle name, each once, in order of appearance.
 * Keys and class names point into the arena of the values.
 */
struct torch_storages {
	struct torch_storage_entry *entries;
	size_t                      count;
	size_t                     *sorted;     /* indexes of entries, by key */
};

/* What one persistent id denotes: a storage, or a window on one (torch 0.3 and older). */
struct torch_storage_ref {
	size_t   storage;
	uint64_t offset, count;                 /* in elements of the storage */
};

/* Every storage under `root`.  false: ERROR_CORRUPT for broken or contradictory ids,
 * ERROR_UNSAFE for a key that is a path, ERROR_UNSUPPORTED for an unknown class or location. */
bool torch_storages_collect(struct torch_storages *storages, const struct value *root,
	struct error *err);
/* The storage that a VALUE_PERSISTENT under that root denotes. */
bool torch_storages_resolve(const struct torch_storages *storages, const struct value *node,
	struct torch_storage_ref *ref, struct error *err);
/* By key; count when there is none. */
size_t torch_storages_find(const struct torch_storages *storages, const char *key,
	size_t length);
void torch_storages_fini(struct torch_storages *storages);

#endif
