#include "base/path.h"

#include "base/text.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool
is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* By device and inode: names can differ where a file system is mounted twice. */
bool
path_is_inside(const char *path, const char *other)
{
	char        real[PATH_MAX], *slash;
	struct stat wanted, at;

	if (stat(other, &wanted) != 0 || realpath(path, real) == NULL)
		return false;
	for (;;) {
		if (stat(real, &at) == 0 && is_same(&at, &wanted))
			return true;
		if ((slash = strrchr(real, '/')) == NULL || slash == real)
			return false;
		*slash = '\0';
	}
}

char *
path_parent(const char *path, char *to, size_t size)
{
	size_t length = strlen(path);

	while (length > 1 && path[length - 1] == '/')
		length--;
	while (length > 0 && path[length - 1] != '/')
		length--;
	while (length > 1 && path[length - 1] == '/')
		length--;
	return length == 0 ? text_format(to, size, ".")
		: text_format(to, size, "%.*s", length < PATH_MAX ? (int)length : PATH_MAX, path);
}
