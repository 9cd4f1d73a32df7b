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

bool
path_is_same_place(const char *a, const char *b)
{
	char        parent_a[PATH_MAX], parent_b[PATH_MAX], name_a[PATH_MAX], name_b[PATH_MAX];
	struct stat at_a, at_b;

	return strcmp(text_base_name(name_a, sizeof name_a, a),
			text_base_name(name_b, sizeof name_b, b)) == 0
		&& stat(path_parent(a, parent_a, sizeof parent_a), &at_a) == 0
		&& stat(path_parent(b, parent_b, sizeof parent_b), &at_b) == 0
		&& is_same(&at_a, &at_b);
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
