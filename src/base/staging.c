#include "base/staging.h"

#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define MAX_FILES 1024
#define SUFFIX_LETTERS 6

struct staged_file {
	char name[NAME_MAX + 1];
	int  fd;                /* -1: synced and closed */
};

enum staging_kind { FOR_DIRECTORY, FOR_FILE, PRIVATE };

struct staging {
	enum staging_kind  kind;
	int                parent;              /* directory that holds both */
	int                directory;           /* the staging directory, locked */
	bool               replace, published;
	char               destination[PATH_MAX];       /* for messages */
	char               name[NAME_MAX + 1];          /* of the destination in its parent */
	char               staged_name[NAME_MAX + 1];   /* of the staging directory */
	struct staged_file files[MAX_FILES];
	size_t             count;
};

/* ---- where the destination lies --------------------------------------------------- */

/* Parent and last component of a path; slashes at its end do not count. */
static bool
split_destination(const char *destination, char parent[PATH_MAX], char name[NAME_MAX + 1],
	struct error *err)
{
	size_t length = strlen(destination), base;

	text_base_name(name, NAME_MAX + 1, destination);
	while (length > 1 && destination[length - 1] == '/')
		length--;
	if (length == 0 || length >= PATH_MAX || name[0] == '\0'
	    || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return error_set(err, ERROR_USAGE, "usage",
			"'%s' does not name a directory that can be made", destination);
	base = strlen(name);
	if (base > NAME_MAX - sizeof "..m2h-" - SUFFIX_LETTERS)
		return error_set(err, ERROR_NO_OUTPUT, "toolong", "the name '%s' is too long",
			name);
	length -= base;
	while (length > 1 && destination[length - 1] == '/')
		length--;
	text_format(parent, PATH_MAX, "%.*s", length > 0 ? (int)length : 1,
		length > 0 ? destination : ".");
	return true;
}

static int
open_parent(const char *parent, struct error *err)
{
	int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT) {
		error_set(err, ERROR_NO_OUTPUT, "noparent", "directory '%s' does not exist",
			parent);
		error_hint(err, "make it first: mkdir -p '%s'", parent);
	} else if (fd < 0) {
		error_os(err, ERROR_NO_OUTPUT, "noparent", "cannot open directory '%s'", parent);
	}
	return fd;
}

static bool
check_in_parent(int parent, const char *name, const char *destination, enum staging_kind kind,
	bool replace, struct error *err)
{
	bool        is_file = kind == FOR_FILE;
	struct stat found;

	if (faccessat(parent, ".", W_OK | X_OK, AT_EACCESS) != 0)
		return error_os(err, ERROR_NO_OUTPUT, "readonly",
			"cannot write in the directory of '%s'", destination);
	if (fstatat(parent, name, &found, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT || error_os(err, ERROR_NO_OUTPUT, "exists",
			"cannot look at '%s'", destination);
	if (is_file ? !S_ISREG(found.st_mode) : !S_ISDIR(found.st_mode))
		return error_set(err, ERROR_NO_OUTPUT, "exists", "'%s' already exists and is not a "
			"%s", destination, is_file ? "regular file" : "directory");
	if (replace)
		return true;
	error_set(err, ERROR_NO_OUTPUT, "exists", "'%s' already exists", destination);
	return error_hint(err, "use --force to replace it, or name another %s",
		is_file ? "file" : "directory");
}

static bool
check_place(const char *destination, enum staging_kind kind, bool replace, struct error *err)
{
	char parent[PATH_MAX], name[NAME_MAX + 1];
	int  fd;
	bool can;

	if (!split_destination(destination, parent, name, err))
		return false;
	if ((fd = open_parent(parent, err)) < 0)
		return false;
	can = check_in_parent(fd, name, destination, kind, replace, err);
	close(fd);
	return can;
}

bool
staging_check(const char *destination, bool replace, struct error *err)
{
	return check_place(destination, FOR_DIRECTORY, replace, err);
}

bool
staging_check_file(const char *destination, bool replace, struct error *err)
{
	return check_place(destination, FOR_FILE, replace, err);
}

uint64_t
staging_free_bytes(const char *destination)
{
	char           parent[PATH_MAX], name[NAME_MAX + 1];
	struct statvfs space;
	struct error   unused;

	if (!split_destination(destination, parent, name, &unused)
	    || statvfs(parent, &space) != 0)
		return UINT64_MAX;
	return (uint64_t)space.f_bavail * space.f_frsize;
}

/* ---- removing a tree -------------------------------------------------------------- */

#define MAX_TREE_DEPTH 32

/* Without following a link, and never out of the directory. */
static bool
remove_tree(int parent, const char *name, unsigned depth)
{
	int            fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR           *entries = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;

	if (entries == NULL) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	while ((entry = readdir(entries)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (unlinkat(fd, entry->d_name, 0) != 0 && errno == EISDIR
		    && depth < MAX_TREE_DEPTH)
			remove_tree(fd, entry->d_name, depth + 1);
	}
	closedir(entries);
	return unlinkat(parent, name, AT_REMOVEDIR) == 0;
}

/* ".NAME.m2h-XXXXXX"? */
static bool
is_staging_name(const char *entry, const char *name)
{
	size_t length = strlen(name);

	return entry[0] == '.' && strncmp(entry + 1, name, length) == 0
		&& strncmp(entry + 1 + length, ".m2h-", 5) == 0
		&& strlen(entry + 6 + length) == SUFFIX_LETTERS;
}

/* Private ones may lie in a folder of everybody's, where only our own are ours to remove. */
static bool
is_ours(const struct staging *staging, int directory)
{
	struct stat found;

	return staging->kind != PRIVATE
		|| (fstat(directory, &found) == 0 && found.st_uid == geteuid());
}

/* Staging directories that a killed run left behind: their lock is free. */
static bool
remove_stale(struct staging *staging, struct error *err)
{
	int            fd = openat(staging->parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR           *entries = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;
	bool           free_to_go = true;

	if (entries == NULL) {
		if (fd >= 0)
			close(fd);
		return error_os(err, ERROR_NO_OUTPUT, "noparent", "cannot list the directory of '%s'",
			staging->destination);
	}
	while (free_to_go && (entry = readdir(entries)) != NULL) {
		int stale;

		if (!is_staging_name(entry->d_name, staging->name))
			continue;
		stale = openat(staging->parent, entry->d_name,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (stale < 0)
			continue;
		if (is_ours(staging, stale) && flock(stale, LOCK_EX | LOCK_NB) == 0)
			remove_tree(staging->parent, entry->d_name, 0);
		else if (staging->kind != PRIVATE && errno == EWOULDBLOCK)
			free_to_go = error_set(err, ERROR_NO_OUTPUT, "stale",
				"another megatron2hf is writing '%s' (it holds %s)",
				staging->destination, entry->d_name);
		close(stale);
	}
	closedir(entries);
	return free_to_go;
}

/* ---- making ----------------------------------------------------------------------- */

/* Opens and locks the directory just made.  false: another run took it for a stale one. */
static bool
take_directory(struct staging *staging)
{
	struct stat opened, named;

	staging->directory = openat(staging->parent, staging->staged_name,
		O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (staging->directory >= 0 && flock(staging->directory, LOCK_EX | LOCK_NB) == 0
	    && fstat(staging->directory, &opened) == 0
	    && fstatat(staging->parent, staging->staged_name, &named, AT_SYMLINK_NOFOLLOW) == 0
	    && opened.st_ino == named.st_ino && opened.st_dev == named.st_dev)
		return true;
	if (staging->directory >= 0)
		close(staging->directory);
	staging->directory = -1;
	return false;
}

/* A name that no other process has; the mode follows the umask, as mkdir's does. */
static bool
make_directory(struct staging *staging, struct error *err)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	unsigned          seed = (unsigned)getpid();

	for (unsigned attempt = 0; attempt < 1000; attempt++) {
		unsigned number = seed * 2654435761u + attempt * 40503u;
		char     suffix[SUFFIX_LETTERS + 1];

		for (unsigned i = 0; i < SUFFIX_LETTERS; i++, number /= 36)
			suffix[i] = letters[number % 36];
		suffix[SUFFIX_LETTERS] = '\0';
		text_format(staging->staged_name, sizeof staging->staged_name, ".%s.m2h-%s",
			staging->name, suffix);
		if (mkdirat(staging->parent, staging->staged_name,
			staging->kind == PRIVATE ? 0700 : 0777) == 0) {
			if (take_directory(staging))
				return true;
		} else if (errno != EEXIST) {
			break;
		}
	}
	error_os(err, ERROR_NO_OUTPUT, "mkdir", "cannot make a directory %s '%s'",
		staging->kind == PRIVATE ? "in" : "beside", staging->destination);
	staging->staged_name[0] = '\0';
	return false;
}

static struct staging *
new_staging(const char *destination, struct error *err)
{
	struct staging *staging = calloc(1, sizeof *staging);

	if (staging == NULL) {
		error_no_memory(err, sizeof *staging);
		return NULL;
	}
	staging->parent = staging->directory = -1;
	text_format(staging->destination, sizeof staging->destination, "%s", destination);
	return staging;
}

static struct staging *
open_for(const char *destination, enum staging_kind kind, bool replace, struct error *err)
{
	struct staging *staging = new_staging(destination, err);
	char            parent[PATH_MAX];

	if (staging == NULL)
		return NULL;
	staging->kind = kind;
	staging->replace = replace;
	if (!split_destination(destination, parent, staging->name, err)
	    || (staging->parent = open_parent(parent, err)) < 0
	    || !check_in_parent(staging->parent, staging->name, destination, kind, replace, err)
	    || !remove_stale(staging, err) || !make_directory(staging, err)) {
		staging_close(staging);
		return NULL;
	}
	return staging;
}

struct staging *
staging_open(const char *destination, bool replace, struct error *err)
{
	return open_for(destination, FOR_DIRECTORY, replace, err);
}

struct staging *
staging_open_file(const char *destination, bool replace, struct error *err)
{
	return open_for(destination, FOR_FILE, replace, err);
}

struct staging *
staging_open_private(const char *folder, struct error *err)
{
	struct staging *staging = new_staging(folder, err);

	if (staging == NULL)
		return NULL;
	staging->kind = PRIVATE;
	text_format(staging->name, sizeof staging->name, "megatron2hf");
	if ((staging->parent = open_parent(folder, err)) < 0 || !remove_stale(staging, err)
	    || !make_directory(staging, err)) {
		staging_close(staging);
		return NULL;
	}
	return staging;
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
	file->fd = openat(staging->directory, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
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
	const unsigned char *at = bytes;
	int                  fd = staging_create(staging, name, length, err);

	if (fd < 0)
		return false;
	while (length > 0) {
		ssize_t wrote = write(fd, at, length);
		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote <= 0) {
			error_os(err, ERROR_NO_OUTPUT, "enospc", "cannot write");
			return error_in_file(err, name);
		}
		at += wrote;
		length -= (uint64_t)wrote;
	}
	return true;
}

int
staging_directory(const struct staging *staging)
{
	return staging->directory;
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
staging_sync(struct staging *staging, struct error *err)
{
	for (size_t i = 0; i < staging->count; i++) {
		struct staged_file *file = &staging->files[i];
		int                 fd = file->fd;

		if (fd < 0)
			continue;
		if (!sync_descriptor(fd)) {
			error_os(err, ERROR_NO_OUTPUT, "eio", "cannot sync to disk");
			return error_in_file(err, file->name);
		}
		file->fd = -1;
		if (close(fd) != 0 && errno != EINTR) {
			error_os(err, ERROR_NO_OUTPUT, "eio", "cannot close");
			return error_in_file(err, file->name);
		}
	}
	if (!sync_descriptor(staging->directory))
		return error_os(err, ERROR_NO_OUTPUT, "eio", "cannot sync the directory '%s'",
			staging->staged_name);
	return true;
}

/* Without flags, for file systems that know none, where nothing can be replaced by it. */
static bool
rename_new(int from_directory, const char *from, const struct staging *staging, bool exists)
{
	return renameat2(from_directory, from, staging->parent, staging->name,
			RENAME_NOREPLACE) == 0
		|| (errno == EINVAL && !exists
		    && renameat(from_directory, from, staging->parent, staging->name) == 0);
}

static bool
rename_into_place(struct staging *staging)
{
	const char *from = staging->staged_name, *to = staging->name;
	struct stat found;
	bool        exists = fstatat(staging->parent, to, &found, AT_SYMLINK_NOFOLLOW) == 0;

	if (exists && staging->replace)
		return renameat2(staging->parent, from, staging->parent, to, RENAME_EXCHANGE) == 0;
	return rename_new(staging->parent, from, staging, exists);
}

bool
staging_publish(struct staging *staging, struct error *err)
{
	struct stat old, made;
	bool        replaced;

	replaced = fstatat(staging->parent, staging->name, &old, AT_SYMLINK_NOFOLLOW) == 0;
	if (!rename_into_place(staging)) {
		error_os(err, ERROR_NO_OUTPUT, "renamefail", "cannot move the result to '%s'",
			staging->destination);
		return err->os_errno != EINVAL || !replaced ? false : error_hint(err,
			"this file system cannot exchange two directories: remove '%s' first",
			staging->destination);
	}
	staging->published = true;
	/* After an exchange the old tree bears the staging name; it goes once ours is safe. */
	if (!sync_descriptor(staging->parent))
		return error_os(err, ERROR_NO_OUTPUT, "eio", "'%s' is complete and in its place%s%s, "
			"but the directory that holds it cannot be synced", staging->destination,
			replaced ? ", what it replaced is in " : "",
			replaced ? staging->staged_name : "");
	if (replaced && fstatat(staging->parent, staging->staged_name, &made,
		AT_SYMLINK_NOFOLLOW) == 0 && made.st_ino == old.st_ino && made.st_dev == old.st_dev
	    && !remove_tree(staging->parent, staging->staged_name, 0))
		return error_os(err, ERROR_NO_OUTPUT, "oldtree", "'%s' is complete, but what it "
			"replaced could not be removed and is in '%s'", staging->destination,
			staging->staged_name);
	return true;
}

bool
staging_publish_file(struct staging *staging, struct error *err)
{
	const char *from = staging->files[0].name;
	struct stat found;
	bool        exists = fstatat(staging->parent, staging->name, &found,
		AT_SYMLINK_NOFOLLOW) == 0;

	if (staging->replace
		? renameat(staging->directory, from, staging->parent, staging->name) != 0
		: !rename_new(staging->directory, from, staging, exists))
		return error_os(err, ERROR_NO_OUTPUT, "renamefail", "cannot move the result to '%s'",
			staging->destination);
	return sync_descriptor(staging->parent) || error_os(err, ERROR_NO_OUTPUT, "eio",
		"'%s' is in its place, but the directory that holds it cannot be synced",
		staging->destination);
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
			unlinkat(staging->directory, staging->files[i].name, 0);
	}
	if (!staging->published && staging->staged_name[0] != '\0')
		unlinkat(staging->parent, staging->staged_name, AT_REMOVEDIR);
	if (staging->directory >= 0)
		close(staging->directory);
	if (staging->parent >= 0)
		close(staging->parent);
	free(staging);
}
