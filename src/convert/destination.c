#include "convert/destination.h"

#include "base/staging.h"
#include "base/text.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const char *
destination_parent(const char *destination, char *to, size_t size)
{
	size_t length = destination != NULL ? strlen(destination) : 0;

	while (length > 1 && destination[length - 1] == '/')
		length--;
	while (length > 0 && destination[length - 1] != '/')
		length--;
	return length == 0 ? text_format(to, size, ".")
		: text_format(to, size, "%.*s", (int)length, destination);
}

static bool
is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Replacing a directory removes what is in it: the source must not be in it, nor be it. */
static bool
source_is_inside(const char *destination, const char *source)
{
	char        path[PATH_MAX], *slash;
	struct stat wanted, at;

	if (stat(destination, &wanted) != 0 || realpath(source, path) == NULL)
		return false;
	for (;;) {
		if (stat(path, &at) == 0 && is_same(&at, &wanted))
			return true;
		if ((slash = strrchr(path, '/')) == NULL || slash == path)
			return false;
		*slash = '\0';
	}
}

static bool
would_remove(const char *destination, const char *shown, struct error *err)
{
	error_set(err, ERROR_USAGE, "sameio", "replacing '%s' would remove '%s', which is to be "
		"read", destination, shown);
	return error_hint(err, "name another output directory");
}

bool
destination_check(const char *destination, const char *source, bool replace,
	struct error *err)
{
	if (replace && source_is_inside(destination, source))
		return would_remove(destination, source, err);
	return staging_check(destination, replace, err);
}

bool
destination_spares(const char *destination, int fd, const char *shown, bool replace,
	struct error *err)
{
	char path[64];

	text_format(path, sizeof path, "/proc/self/fd/%d", fd);
	return !replace || !source_is_inside(destination, path)
		|| would_remove(destination, shown, err);
}
