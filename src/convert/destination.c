#include "convert/destination.h"

#include "base/path.h"
#include "base/staging.h"
#include "base/text.h"

#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define FEW_NAMES 3             /* of what would be removed */

const char *
destination_parent(const char *destination, char *to, size_t size)
{
	return path_parent(destination != NULL ? destination : "", to, size);
}

static bool
would_remove(const char *destination, const char *shown, struct error *err)
{
	error_set(err, ERROR_USAGE, "sameio", "replacing '%s' would remove '%s', which is to be "
		"read", destination, shown);
	return error_hint(err, "name another output directory");
}

bool
destination_keeps(const char *destination, const char *source, bool replace, struct error *err)
{
	return !replace || !path_is_inside(source, destination)
		|| would_remove(destination, source, err);
}

bool
destination_leaves(const char *file, const char *read, bool replace, struct error *err)
{
	if (!replace || !path_is_inside(file, read))
		return true;
	error_set(err, ERROR_USAGE, "sameio", "replacing '%s' would remove a file of '%s', which is "
		"to be read", file, read);
	return error_hint(err, "name a file elsewhere");
}

bool
destination_check(const char *destination, const char *source, bool replace,
	struct error *err)
{
	return destination_keeps(destination, source, replace, err)
		&& staging_check(destination, replace, err);
}

static int
is_entry(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static bool
is_of_model(const char *name)
{
	return strcmp(name, "config.json") == 0 || strcmp(name, "conversion.json") == 0;
}

void
destination_look(const char *destination, struct destination_contents *contents)
{
	struct dirent **entries = NULL;
	int             count = scandir(destination, &entries, is_entry, alphasort);
	char            names[3 * 64] = "";

	*contents = (struct destination_contents){ .count = count > 0 ? (size_t)count : 0 };
	for (int i = 0; i < count; i++) {
		size_t used = strlen(names);

		contents->is_model = contents->is_model || is_of_model(entries[i]->d_name);
		if (i < FEW_NAMES)
			text_format(names + used, sizeof names - used, "%s%.48s", i > 0 ? ", " : "",
				entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	text_format(contents->shown, sizeof contents->shown, "%zu %s (%s%s)", contents->count,
		contents->count == 1 ? "entry" : "entries", names, count > FEW_NAMES ? ", ..." : "");
}

bool
destination_check_beside(const char *destination, const char *path, struct error *err)
{
	char   parent[PATH_MAX];
	size_t length = strlen(destination);

	/* A destination that is not there yet can only be told by its name. */
	while (length > 1 && destination[length - 1] == '/')
		length--;
	if (!path_is_same_place(destination, path)
	    && !(strncmp(path, destination, length) == 0 && path[length] == '/')
	    && !path_is_inside(destination_parent(path, parent, sizeof parent), destination))
		return true;
	error_set(err, ERROR_USAGE, "sameio", "'%s' is the output directory '%s', or in it", path,
		destination);
	return error_hint(err, "name a file beside it");
}

bool
destination_spares(const char *destination, int fd, const char *shown, bool replace,
	struct error *err)
{
	char path[64];

	text_format(path, sizeof path, "/proc/self/fd/%d", fd);
	return !replace || !path_is_inside(path, destination)
		|| would_remove(destination, shown, err);
}

const char *
destination_staging_folder(const char *given)
{
	const char *environment = getenv("TMPDIR");

	if (given != NULL)
		return given;
	return environment != NULL && environment[0] != '\0' ? environment : "/tmp";
}

bool
destination_in_folder(const char *folder, char *to, size_t size, struct error *err)
{
	static const char name[] = "/megatron2hf";

	if (strlen(folder) + sizeof name > size)
		return error_set(err, ERROR_NO_OUTPUT, "toolong", "the name '%.80s...' is too long",
			folder);
	text_format(to, size, "%s%s", folder, name);
	return true;
}
