#include "base/atomic_file.h"

#include "base/path.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ATTEMPTS 1000

/* A place for a file: its directory, open, and its name there. */
struct place {
	int  parent;
	char name[NAME_MAX + 1];
};

static bool
find_place(struct place *place, const char *path, struct error *err)
{
	char        parent[PATH_MAX];
	struct stat found;

	place->parent = -1;
	text_base_name(place->name, sizeof place->name, path);
	if (strlen(path) >= PATH_MAX || path[0] == '\0' || path[strlen(path) - 1] == '/')
		return error_set(err, ERROR_NO_OUTPUT, "create", "'%s' does not name a file", path);
	place->parent = open(path_parent(path, parent, sizeof parent),
		O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (place->parent < 0)
		return error_os(err, ERROR_NO_OUTPUT, "noparent", "cannot open directory '%s'",
			parent);
	if (faccessat(place->parent, ".", W_OK | X_OK, AT_EACCESS) != 0)
		return error_os(err, ERROR_NO_OUTPUT, "readonly",
			"cannot write in the directory of '%s'", path);
	/* Renaming over /dev/stdout, as root, would put a file in the place of the device. */
	if (fstatat(place->parent, place->name, &found, AT_SYMLINK_NOFOLLOW) == 0)
		return S_ISREG(found.st_mode) || error_set(err, ERROR_NO_OUTPUT, "exists",
			"'%s' exists and is not a regular file", path);
	return errno == ENOENT || error_os(err, ERROR_NO_OUTPUT, "exists", "cannot look at '%s'",
		path);
}

static void
leave_place(struct place *place)
{
	if (place->parent >= 0)
		close(place->parent);
}

bool
atomic_file_check(const char *path, struct error *err)
{
	struct place place;
	bool         can = find_place(&place, path, err);

	leave_place(&place);
	return can;
}

/* A new file of a name that nobody has; its descriptor, or -1. */
static int
make_beside(const struct place *place, char name[32])
{
	int fd = -1;

	for (unsigned attempt = 0; attempt < ATTEMPTS && fd < 0; attempt++) {
		text_format(name, 32, ".m2h-%ld-%u.tmp", (long)getpid(), attempt);
		fd = openat(place->parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			0666);
		if (fd < 0 && errno != EEXIST)
			break;
	}
	return fd;
}

static bool
write_all(int fd, const unsigned char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t wrote = write(fd, bytes, length);

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote <= 0)
			return false;
		bytes += wrote;
		length -= (size_t)wrote;
	}
	return true;
}

/* EINVAL: the file system has no such thing as syncing. */
static bool
sync_descriptor(int fd)
{
	int result;

	do
		result = fsync(fd);
	while (result != 0 && errno == EINTR);
	return result == 0 || errno == EINVAL || errno == ENOTSUP;
}

bool
atomic_file_write(const char *path, const void *bytes, size_t length, struct error *err)
{
	struct place place;
	char         made[32] = "";
	bool         done = false;
	int          fd = -1;

	if (!find_place(&place, path, err))
		goto out;
	if ((fd = make_beside(&place, made)) < 0) {
		made[0] = '\0';
		error_os(err, ERROR_NO_OUTPUT, "create", "cannot create a file beside '%s'", path);
		goto out;
	}
	if (!write_all(fd, bytes, length)) {
		error_os(err, ERROR_NO_OUTPUT, "enospc", "cannot write '%s'", path);
		goto out;
	}
	if (!sync_descriptor(fd)) {
		error_os(err, ERROR_NO_OUTPUT, "eio", "cannot sync '%s' to disk", path);
		goto out;
	}
	if (renameat(place.parent, made, place.parent, place.name) != 0) {
		error_os(err, ERROR_NO_OUTPUT, "renamefail", "cannot move the result to '%s'", path);
		goto out;
	}
	made[0] = '\0';
	if (!sync_descriptor(place.parent)) {
		error_os(err, ERROR_NO_OUTPUT, "eio",
			"'%s' is in its place, but its directory cannot be synced", path);
		goto out;
	}
	done = true;
out:
	if (fd >= 0)
		close(fd);
	if (made[0] != '\0')
		unlinkat(place.parent, made, 0);
	leave_place(&place);
	return done;
}
