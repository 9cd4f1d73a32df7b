#include "base/staging.h"

#include "base/descriptor.h"
#include "base/sibling.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define MAX_FILES 2048  /* two forms of weights of 1000 each, and what is beside them */

struct staged_file {
	char name[NAME_MAX + 1];
	int  fd;                /* -1: synced and closed */
};

struct staging {
	struct sibling     sibling;             /* the staging directory */
	bool               replace, published;
	struct staged_file files[MAX_FILES];
	size_t             count;
};

static bool
check_at(const char *path, enum sibling_kind kind, bool replace, struct error *err)
{
	struct sibling sibling;
	bool           can = sibling_find(&sibling, path, kind, err)
		&& sibling_check(&sibling, replace, err);

	sibling_close(&sibling);
	return can;
}

bool
staging_check(const char *destination, bool replace, struct error *err)
{
	return check_at(destination, SIBLING_DIRECTORY, replace, err);
}

bool
staging_check_private(const char *folder, struct error *err)
{
	return check_at(folder, SIBLING_PRIVATE, false, err);
}

uint64_t
staging_free_bytes(const char *destination)
{
	struct sibling sibling;
	struct statvfs space;
	struct error   unused;
	uint64_t       bytes = UINT64_MAX;

	if (sibling_find(&sibling, destination, SIBLING_DIRECTORY, &unused)
	    && fstatvfs(sibling.parent, &space) == 0)
		bytes = (uint64_t)space.f_bavail * space.f_frsize;
	sibling_close(&sibling);
	return bytes;
}

/* ---- making ----------------------------------------------------------------------- */

static struct staging *
open_at(const char *path, enum sibling_kind kind, bool replace, struct error *err)
{
	struct staging *staging = calloc(1, sizeof *staging);

	if (staging == NULL) {
		error_no_memory(err, sizeof *staging);
		return NULL;
	}
	staging->replace = replace;
	if (sibling_find(&staging->sibling, path, kind, err)
	    && sibling_check(&staging->sibling, replace, err)
	    && sibling_make(&staging->sibling, replace, err)
	    && (!replace || sibling_can_replace(&staging->sibling, err)))
		return staging;
	staging_close(staging);
	return NULL;
}

struct staging *
staging_open(const char *destination, bool replace, struct error *err)
{
	return open_at(destination, SIBLING_DIRECTORY, replace, err);
}

struct staging *
staging_open_private(const char *folder, struct error *err)
{
	return open_at(folder, SIBLING_PRIVATE, false, err);
}

int
staging_create(struct staging *staging, const char *name, uint64_t size, struct error *err)
{
	struct staged_file *file = &staging->files[staging->count];
	int                 fault;

	if (staging->count == MAX_FILES) {
		error_set(err, ERROR_LIMIT, "files", "more than %d output files", MAX_FILES);
		return -1;
	}
	file->fd = descriptor_open(staging->sibling.fd, name, O_RDWR | O_CREAT | O_EXCL, 0666);
	if (file->fd < 0) {
		error_os(err, ERROR_NO_OUTPUT, "create", "cannot create the file");
		error_in_file(err, name);
		return -1;
	}
	text_format(file->name, sizeof file->name, "%s", name);
	staging->count++;
	/* Room is reserved now: a full disk is found before the work, not after it. */
	do
		fault = size > 0 ? posix_fallocate(file->fd, 0, (off_t)size) : 0;
	while (fault == EINTR);
	if (fault != 0 && fault != EOPNOTSUPP && fault != EINVAL) {
		errno = fault;
		error_os(err, ERROR_NO_OUTPUT, "enospc", "cannot reserve %" PRIu64 " bytes", size);
		error_in_file(err, name);
		return -1;
	}
	return file->fd;
}

bool
staging_write(struct staging *staging, const char *name, const void *bytes, uint64_t length,
	struct error *err)
{
	int fd = staging_create(staging, name, length, err);

	if (fd < 0)
		return false;
	if (descriptor_write(fd, bytes, (size_t)length))
		return true;
	error_os(err, ERROR_NO_OUTPUT, "enospc", "cannot write");
	return error_in_file(err, name);
}

int
staging_directory(const struct staging *staging)
{
	return staging->sibling.fd;
}

bool
staging_sync(struct staging *staging, struct error *err)
{
	for (size_t i = 0; i < staging->count; i++) {
		struct staged_file *file = &staging->files[i];
		int                 fd = file->fd;

		if (fd < 0)
			continue;
		if (!descriptor_sync(fd)) {
			error_os(err, ERROR_NO_OUTPUT, "eio", "cannot sync to disk");
			return error_in_file(err, file->name);
		}
		file->fd = -1;
		if (close(fd) != 0 && errno != EINTR) {
			error_os(err, ERROR_NO_OUTPUT, "eio", "cannot close");
			return error_in_file(err, file->name);
		}
	}
	if (!descriptor_sync(staging->sibling.fd))
		return error_os(err, ERROR_NO_OUTPUT, "eio", "cannot sync the directory '%s'",
			staging->sibling.made);
	return true;
}

/* What bears the staging name after an exchange, if that is what was replaced. */
static bool
remove_old(const struct sibling *sibling, const struct stat *old)
{
	struct stat made;

	if (fstatat(sibling->parent, sibling->made, &made, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT;
	return made.st_ino != old->st_ino || made.st_dev != old->st_dev
		|| sibling_remove_tree(sibling, sibling->made);
}

bool
staging_publish(struct staging *staging, struct error *err)
{
	struct sibling *sibling = &staging->sibling;
	struct stat     old;
	bool            replaced;

	replaced = fstatat(sibling->parent, sibling->name, &old, AT_SYMLINK_NOFOLLOW) == 0;
	if (!replaced && errno != ENOENT)
		return error_os(err, ERROR_NO_OUTPUT, "exists", "cannot look at '%s'", sibling->path);
	if (!sibling_move(sibling, staging->replace))
		return error_os(err, ERROR_NO_OUTPUT, "renamefail",
			"cannot move the result to '%s'", sibling->path);
	staging->published = true;
	/* After an exchange the old tree bears the staging name; it goes once ours is safe. */
	if (!descriptor_sync(sibling->parent))
		return error_os(err, ERROR_NO_OUTPUT, "eio", "'%s' is complete and in its place%s%s, "
			"but the directory that holds it cannot be synced", sibling->path,
			replaced ? ", what it replaced is in " : "", replaced ? sibling->made : "");
	if (replaced && !remove_old(sibling, &old))
		return error_os(err, ERROR_NO_OUTPUT, "oldtree", "'%s' is complete, but what it "
			"replaced could not be removed and is in '%s'", sibling->path, sibling->made);
	return true;
}

bool
staging_is_published(const struct staging *staging)
{
	return staging->published;
}

void
staging_close(struct staging *staging)
{
	if (staging == NULL)
		return;
	for (size_t i = 0; i < staging->count; i++) {
		if (staging->files[i].fd >= 0)
			close(staging->files[i].fd);
		if (!staging->published)
			unlinkat(staging->sibling.fd, staging->files[i].name, 0);
	}
	/* Its name is no longer ours. */
	if (staging->published)
		staging->sibling.made[0] = '\0';
	sibling_close(&staging->sibling);
	free(staging);
}
