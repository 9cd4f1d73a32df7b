#include "base/sibling.h"

#include "base/descriptor.h"
#include "base/path.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUFFIX_LETTERS 6
#define MAX_TREE_DEPTH 32
#define MAX_ATTEMPTS   1000

/* ---- where it is to be ------------------------------------------------------------ */

/* Slashes at the end of a directory's path do not count. */
static bool
take_name(struct sibling *sibling, const char *path, struct error *err)
{
	const bool is_file = sibling->kind == SIBLING_FILE;
	size_t     length = strlen(path);

	text_base_name(sibling->name, sizeof sibling->name, path);
	if (length == 0 || length >= PATH_MAX || sibling->name[0] == '\0'
	    || strcmp(sibling->name, ".") == 0 || strcmp(sibling->name, "..") == 0
	    || (is_file && path[length - 1] == '/'))
		return error_set(err, ERROR_USAGE, "usage", "'%s' does not name a %s", path,
			is_file ? "file" : "directory that can be made");
	if (strlen(sibling->name) > NAME_MAX - sizeof "..m2h-" - SUFFIX_LETTERS)
		return error_set(err, ERROR_NO_OUTPUT, "toolong", "the name '%s' is too long",
			sibling->name);
	return true;
}

static bool
open_parent(struct sibling *sibling, const char *parent, struct error *err)
{
	sibling->parent = descriptor_open_directory(AT_FDCWD, parent, 0);
	if (sibling->parent >= 0)
		return true;
	if (errno != ENOENT)
		return error_os(err, ERROR_NO_OUTPUT, "noparent", "cannot open directory '%s'",
			parent);
	error_set(err, ERROR_NO_OUTPUT, "noparent", "directory '%s' does not exist", parent);
	return error_hint(err, "make it first: mkdir -p '%s'", parent);
}

bool
sibling_find(struct sibling *sibling, const char *path, enum sibling_kind kind,
	struct error *err)
{
	char parent[PATH_MAX];

	*sibling = (struct sibling){ .kind = kind, .parent = -1, .fd = -1 };
	text_format(sibling->path, sizeof sibling->path, "%s", path);
	if (kind == SIBLING_PRIVATE) {
		text_format(sibling->name, sizeof sibling->name, "megatron2hf");
		return open_parent(sibling, path, err);
	}
	return take_name(sibling, path, err)
		&& open_parent(sibling, path_parent(path, parent, sizeof parent), err);
}

static bool
is_of_kind(const struct sibling *sibling, mode_t mode)
{
	return sibling->kind == SIBLING_FILE ? S_ISREG(mode) : S_ISDIR(mode);
}

bool
sibling_check(const struct sibling *sibling, bool replace, struct error *err)
{
	const bool  is_file = sibling->kind == SIBLING_FILE;
	const bool  is_private = sibling->kind == SIBLING_PRIVATE;
	struct stat found;

	if (faccessat(sibling->parent, ".", W_OK | X_OK, AT_EACCESS) != 0)
		return error_os(err, ERROR_NO_OUTPUT, "readonly",
			"cannot write in %s'%s'", is_private ? "" : "the directory of ",
			sibling->path);
	if (is_private)
		return true;
	if (fstatat(sibling->parent, sibling->name, &found, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT || error_os(err, ERROR_NO_OUTPUT, "exists",
			"cannot look at '%s'", sibling->path);
	/* Renaming over /dev/stdout, as root, would put a file in the place of the device. */
	if (!is_of_kind(sibling, found.st_mode))
		return error_set(err, ERROR_NO_OUTPUT, "exists", "'%s' already exists and is not a "
			"%s", sibling->path, is_file ? "regular file" : "directory");
	if (replace)
		return true;
	error_set(err, ERROR_NO_OUTPUT, "exists", "'%s' already exists", sibling->path);
	return error_hint(err, "use --force to replace it, or name another %s",
		is_file ? "file" : "directory");
}

/* ---- removing --------------------------------------------------------------------- */

/* Without following a link, and never out of the directory; MAX_TREE_DEPTH calls at most. */
static bool     /* NOLINTNEXTLINE(misc-no-recursion) */
remove_tree(int parent, const char *name, unsigned depth)
{
	int            fd = descriptor_open_directory(parent, name, O_NOFOLLOW);
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

bool
sibling_remove_tree(const struct sibling *sibling, const char *name)
{
	return remove_tree(sibling->parent, name, 0);
}

/* ".NAME.m2h-XXXXXX"? */
static bool
is_sibling_name(const char *entry, const char *name)
{
	size_t length = strlen(name);

	return entry[0] == '.' && strncmp(entry + 1, name, length) == 0
		&& strncmp(entry + 1 + length, ".m2h-", 5) == 0
		&& strlen(entry + 6 + length) == SUFFIX_LETTERS;
}

/* Private ones may lie in a folder of everybody's, where only our own are ours to remove. */
static bool
is_ours(const struct sibling *sibling, int fd)
{
	struct stat found;

	return fstat(fd, &found) == 0 && is_of_kind(sibling, found.st_mode)
		&& (sibling->kind != SIBLING_PRIVATE || found.st_uid == geteuid());
}

/* One that may be stale: its lock is free then.  false: it is not, and that is a fault. */
static bool
remove_if_stale(const struct sibling *sibling, const char *entry, bool replace,
	struct error *err)
{
	int  fd = descriptor_open(sibling->parent, entry,
		O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0);
	bool minds = sibling->kind == SIBLING_DIRECTORY
		|| (sibling->kind == SIBLING_FILE && !replace);
	bool free_to_go = true;

	if (fd < 0)
		return true;
	if (is_ours(sibling, fd)) {
		if (flock(fd, LOCK_EX | LOCK_NB) != 0)
			free_to_go = !minds || errno != EWOULDBLOCK;
		else if (sibling->kind == SIBLING_FILE)
			unlinkat(sibling->parent, entry, 0);
		else
			remove_tree(sibling->parent, entry, 0);
	}
	close(fd);
	return free_to_go || error_set(err, ERROR_NO_OUTPUT, "stale",
		"another megatron2hf is writing '%s' (it holds %s)", sibling->path, entry);
}

static bool
remove_stale(const struct sibling *sibling, bool replace, struct error *err)
{
	int            fd = descriptor_open_directory(sibling->parent, ".", 0);
	DIR           *entries = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;
	bool           free_to_go = true;

	if (entries == NULL) {
		if (fd >= 0)
			close(fd);
		return error_os(err, ERROR_NO_OUTPUT, "noparent", "cannot list the directory of '%s'",
			sibling->path);
	}
	while (free_to_go && (entry = readdir(entries)) != NULL)
		if (is_sibling_name(entry->d_name, sibling->name))
			free_to_go = remove_if_stale(sibling, entry->d_name, replace, err);
	closedir(entries);
	return free_to_go;
}

/* ---- making ----------------------------------------------------------------------- */

/* A new entry of the name `made`, its mode as the umask has it.  false: errno. */
static bool
make_entry(struct sibling *sibling)
{
	if (sibling->kind == SIBLING_FILE) {
		sibling->fd = descriptor_open(sibling->parent, sibling->made,
			O_WRONLY | O_CREAT | O_EXCL, 0666);
		return sibling->fd >= 0;
	}
	if (mkdirat(sibling->parent, sibling->made,
		sibling->kind == SIBLING_PRIVATE ? 0700 : 0777) != 0)
		return false;
	sibling->fd = descriptor_open_directory(sibling->parent, sibling->made, O_NOFOLLOW);
	return true;
}

/* A file system that knows no locks (Lustre, some NFS) will do: where nobody can lock, nobody
 * takes what is there for stale. */
static bool
lock(int fd)
{
	return flock(fd, LOCK_EX | LOCK_NB) == 0
		|| errno == ENOSYS || errno == EOPNOTSUPP || errno == ENOLCK;
}

/* Does the name still lead to what is open?  errno is EWOULDBLOCK where another run took it. */
static bool
is_still_there(const struct sibling *sibling)
{
	struct stat opened, named;

	if (fstat(sibling->fd, &opened) != 0)
		return false;
	if (fstatat(sibling->parent, sibling->made, &named, AT_SYMLINK_NOFOLLOW) == 0) {
		if (opened.st_ino == named.st_ino && opened.st_dev == named.st_dev)
			return true;
		errno = EWOULDBLOCK;
	} else if (errno == ENOENT) {
		errno = EWOULDBLOCK;
	}
	return false;
}

/* Locks what was just made.  false: it is gone again, because another run took it for a stale
 * one or because it cannot be used. */
static bool
lock_entry(struct sibling *sibling)
{
	int fault;

	if (sibling->fd >= 0 && lock(sibling->fd) && is_still_there(sibling))
		return true;
	fault = errno;
	if (sibling->fd >= 0)
		close(sibling->fd);
	sibling->fd = -1;
	if (fault != EWOULDBLOCK)
		unlinkat(sibling->parent, sibling->made,
			sibling->kind == SIBLING_FILE ? 0 : AT_REMOVEDIR);
	errno = fault;
	return false;
}

bool
sibling_make(struct sibling *sibling, bool replace, struct error *err)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	unsigned          seed = (unsigned)getpid();

	if (!remove_stale(sibling, replace, err))
		return false;
	for (unsigned attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
		unsigned number = seed * 2654435761u + attempt * 40503u;
		char     suffix[SUFFIX_LETTERS + 1];

		for (unsigned i = 0; i < SUFFIX_LETTERS; i++, number /= 36)
			suffix[i] = letters[number % 36];
		suffix[SUFFIX_LETTERS] = '\0';
		text_format(sibling->made, sizeof sibling->made, ".%s.m2h-%s", sibling->name, suffix);
		if (make_entry(sibling)) {
			if (lock_entry(sibling))
				return true;
		} else if (errno != EEXIST) {
			break;
		}
	}
	sibling->made[0] = '\0';
	if (sibling->kind == SIBLING_FILE)
		return error_os(err, ERROR_NO_OUTPUT, "create", "cannot create a file beside '%s'",
			sibling->path);
	return error_os(err, ERROR_NO_OUTPUT, "mkdir", "cannot make a directory %s '%s'",
		sibling->kind == SIBLING_PRIVATE ? "in" : "beside", sibling->path);
}

bool
sibling_can_replace(const struct sibling *sibling, struct error *err)
{
	const int   fd = sibling->fd;
	struct stat found;
	bool        can;
	int         fault;

	if (fstatat(sibling->parent, sibling->name, &found, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT || error_os(err, ERROR_NO_OUTPUT, "exists",
			"cannot look at '%s'", sibling->path);
	errno = 0;
	can = mkdirat(fd, "a", 0700) == 0 && mkdirat(fd, "b", 0700) == 0
		&& renameat2(fd, "a", fd, "b", RENAME_EXCHANGE) == 0;
	fault = errno;
	can = unlinkat(fd, "a", AT_REMOVEDIR) == 0 && can;
	can = unlinkat(fd, "b", AT_REMOVEDIR) == 0 && can;
	if (can)
		return true;
	errno = fault != 0 ? fault : errno;
	error_os(err, ERROR_NO_OUTPUT, "renamefail", "cannot replace '%s'", sibling->path);
	if (fault != EINVAL && fault != ENOSYS)
		return false;
	return error_hint(err, "this file system cannot exchange two directories: remove "
		"'%s' first", sibling->path);
}

/* Over what is there; errno is EEXIST where that is of another kind. */
static bool
move_over(const struct sibling *sibling)
{
	const int   at = sibling->parent;
	struct stat found;

	if (fstatat(at, sibling->name, &found, AT_SYMLINK_NOFOLLOW) != 0)
		return false;
	if (!is_of_kind(sibling, found.st_mode)) {
		errno = EEXIST;
		return false;
	}
	return sibling->kind == SIBLING_FILE
		? renameat(at, sibling->made, at, sibling->name) == 0
		: renameat2(at, sibling->made, at, sibling->name, RENAME_EXCHANGE) == 0;
}

bool
sibling_move(const struct sibling *sibling, bool replace)
{
	const int   at = sibling->parent;
	struct stat found;

	if (renameat2(at, sibling->made, at, sibling->name, RENAME_NOREPLACE) == 0)
		return true;
	/* Some file systems know no flags. */
	if (errno == EINVAL) {
		if (fstatat(at, sibling->name, &found, AT_SYMLINK_NOFOLLOW) != 0)
			return renameat(at, sibling->made, at, sibling->name) == 0;
		errno = EEXIST;
	}
	return errno == EEXIST && replace && move_over(sibling);
}

void
sibling_close(struct sibling *sibling)
{
	if (sibling->made[0] != '\0')
		unlinkat(sibling->parent, sibling->made,
			sibling->kind == SIBLING_FILE ? 0 : AT_REMOVEDIR);
	if (sibling->fd >= 0)
		close(sibling->fd);
	if (sibling->parent >= 0)
		close(sibling->parent);
	sibling->made[0] = '\0';
	sibling->fd = sibling->parent = -1;
}
