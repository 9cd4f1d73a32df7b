#ifndef MEGATRON_FOLDER_LISTING_H
#define MEGATRON_FOLDER_LISTING_H

#include "base/arena.h"
#include "base/error.h"

#include <stddef.h>

/* The names in a folder, sorted by bytes, without "." and "..".  Lives in an arena. */
struct folder_listing {
	const char **names;
	size_t       count;
};

/* `directory` stays open and is not moved; `shown` names it in messages. */
bool folder_listing_read(int directory, const char *shown, struct arena *arena,
	struct folder_listing *listing, struct error *err);
/* "FOLDER/NAME" in the arena, or NULL. */
char *folder_listing_join(struct arena *arena, const char *folder, const char *name,
	struct error *err);
bool folder_listing_has(const struct folder_listing *listing, const char *name);
/* A folder below another one, or -1 with ERROR_NO_INPUT. */
int  folder_listing_enter(int directory, const char *name, const char *shown,
	struct error *err);

/*
 * Checkpoint formats that are made of other files than mp_rank_* folders, told by the names
 * beside each other.  ERROR_UNSUPPORTED "distckpt" with the format's name; true: none of them.
 */
bool folder_listing_refuse(const struct folder_listing *listing, struct error *err);

#endif
