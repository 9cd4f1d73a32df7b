#include "base/whole_file.h"

#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ".NAME.m2h-PID": one process writes one such file at a time. */
#define TEMPORARY_FORMAT ".%s.m2h-%ld"
#define TEMPORARY_EXTRA  (sizeof "..m2h-" + 3 * sizeof(long))

struct place {
	int  parent;                    /* -1: not open */
	char name[NAME_MAX + 1];
	char temporary[NAME_MAX + 1];
};

/* The last component and the directory that holds it. */
static bool
open_place(struct place *place, const char *path, struct error *err)
{
	char   parent[PATH_MAX];
	size_t length = strlen(path);

	*place = (struct place){ .parent = -1 };
	text_base_name(place->name, sizeof place->name, path);
	if (length == 0 || length >= sizeof parent || path[length - 1] == '/'
	    || strcmp(place->name, ".") == 0 || strcmp(place->name, "..") == 0)
		return error_set(err, ERROR_USAGE, "usage", "'%s' does not name a file", path);
	if (strlen(place->name) > NAME_MAX - TEMPORARY_EXTRA)
		return error_set(err, ERROR_NO_OUTPUT, "toolong", "the name '%s' is too long",
			place->name);
	text_format(place->temporary, sizeof place->temporary, TEMPORARY_FORMAT, place->name,
		(long)getpid());
	length -= strlen(place->name);
	text_format(parent, sizeof parent, "%.*s", length > 0 ? (int)length : 1,
		length > 0 ? path : ".");
	place->parent = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (place->parent >= 0)
		return true;
	return error_os(err, ERROR_NO_OUTPUT, "noparent", "cannot open the directory of '%s'",
		path);
}

static void
close_place(struct place *place)
{
	if (place->parent >= 0)
		close(place->parent);
}

static bool
exists(const char *path, struct error *err)
{
	error_set(err, ERROR_NO_OUTPUT, "exists", "'%s' already exists", path);
	return error_hint(err, "use --force to replace it, or name another file");
}

static bool
check_place(const struct place *place, const char *path, bool replace, struct error *err)
{
	struct stat found;

	if (faccessat(place->parent, ".", W_OK | X_OK, AT_EACCESS) != 0)
		return error_os(err, ERROR_NO_OUTPUT, "readonly",
			"cannot write in the directory of '%s'", path);
	if (fstatat(place->parent, place->name, &found, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT || error_os(err, ERROR_NO_OUTPUT, "exists",
			"cannot look at '%s'", path);
	if (S_ISDIR(found.st_mode))
		return error_set(err, ERROR_NO_OUTPUT, "exists", "'%s' is a directory", path);
	return replace || exists(path, err);
}

bool
whole_file_check(const char *path, bool replace, struct error *err)
{
	struct place place;
	bool         can = open_place(&place, path, err) && check_place(&place, path, replace, err);

	close_place(&place);
	return can;
}

/* EINVAL, ENOTSUP: the file system has no such thing as syncing. */
static bool
sync_descriptor(int fd)
{
	int result;

	do
		result = fsync(fd);
	while (result != 0 && errno == EINTR);
	return result == 0 || errno == EINVAL || errno == ENOTSUP;
}

static bool
write_all(int fd, const unsigned char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t wrote = write(fd, bytes, length);

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote < 0)
			return false;
		bytes += wrote;
		length -= (size_t)wrote;
	}
	return true;
}

/* errno says why not; closed in either case. */
static bool
fill(int fd, const void *bytes, size_t length)
{
	bool done = write_all(fd, bytes, length) && sync_descriptor(fd);
	int  fault = errno;

	if (close(fd) != 0 && errno != EINTR && done)
		return false;
	errno = fault;
	return done;
}

static bool
move(const struct place *place, bool replace)
{
	struct stat found;

	if (replace)
		return renameat(place->parent, place->temporary, place->parent, place->name) == 0;
	if (renameat2(place->parent, place->temporary, place->parent, place->name,
		RENAME_NOREPLACE) == 0)
		return true;
	/* Some file systems know no flags. */
	return errno == EINVAL
		&& fstatat(place->parent, place->name, &found, AT_SYMLINK_NOFOLLOW) != 0
		&& renameat(place->parent, place->temporary, place->parent, place->name) == 0;
}

static bool
write_in_place(const struct place *place, const char *path, const void *bytes, size_t length,
	bool replace, struct error *err)
{
	int fd = openat(place->parent, place->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
		0666);

	/* One of a killed process that had our number. */
	if (fd < 0 && errno == EEXIST && unlinkat(place->parent, place->temporary, 0) == 0)
		fd = openat(place->parent, place->temporary,
			O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0)
		return error_os(err, ERROR_NO_OUTPUT, "create", "cannot create a file beside '%s'",
			path);
	if (!fill(fd, bytes, length))
		error_os(err, ERROR_NO_OUTPUT, "enospc", "cannot write '%s'", path);
	else if (move(place, replace))
		return sync_descriptor(place->parent) || error_os(err, ERROR_NO_OUTPUT, "eio",
			"'%s' is complete, but the directory that holds it cannot be synced", path);
	else if (errno == EEXIST)
		exists(path, err);
	else
		error_os(err, ERROR_NO_OUTPUT, "renamefail", "cannot move the result to '%s'", path);
	unlinkat(place->parent, place->temporary, 0);
	return false;
}

bool
whole_file_write(const char *path, const void *bytes, size_t length, bool replace,
	struct error *err)
{
	struct place place;
	bool         done = open_place(&place, path, err)
		&& check_place(&place, path, replace, err)
		&& write_in_place(&place, path, bytes, length, replace, err);

	close_place(&place);
	return done;
}
