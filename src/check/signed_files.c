#include "check/signed_files.h"

#include "base/descriptor.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Folders that are still to be entered: a chain in the arena, "" is the directory itself. */
struct folder {
	const char    *name;
	struct folder *next;
};

struct walk {
	int                     directory;
	const struct statement *statement;
	struct arena           *arena;
	struct folder          *folders;
	size_t                  folder_count;
	struct statement_file  *files;          /* malloc()ed */
	size_t                  count, room;
};

static bool
refuse(struct error *err, const char *name, const char *what)
{
	error_set(err, ERROR_CORRUPT, "signdir", "%s", what);
	return error_in_file(err, name);
}

static bool
add_folder(struct walk *walk, const char *name, struct error *err)
{
	struct folder *folder = arena_take(walk->arena, 1, sizeof *folder);

	if (folder == NULL)
		return error_no_memory(err, sizeof *folder);
	if (walk->folder_count++ == SIGNED_FILES_MAX)
		return error_set(err, ERROR_LIMIT, "vmany", "more than %zu folders",
			SIGNED_FILES_MAX);
	*folder = (struct folder){ name, walk->folders };
	walk->folders = folder;
	return true;
}

static bool
add_file(struct walk *walk, const char *name, struct error *err)
{
	if (walk->count == SIGNED_FILES_MAX)
		return error_set(err, ERROR_LIMIT, "vmany", "more than %zu files", SIGNED_FILES_MAX);
	if (walk->count == walk->room) {
		size_t                 room = walk->room == 0 ? 64 : 2 * walk->room;
		struct statement_file *files = realloc(walk->files, room * sizeof *files);

		if (files == NULL)
			return error_no_memory(err, room * sizeof *files);
		walk->files = files;
		walk->room = room;
	}
	walk->files[walk->count++] = (struct statement_file){ .name = name };
	return true;
}

static bool
visit(struct walk *walk, const char *name, struct error *err)
{
	struct stat status;

	if (fstatat(walk->directory, name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
		error_os(err, ERROR_NO_INPUT, "noinput", "cannot look at it");
		return error_in_file(err, name);
	}
	if (!text_is_utf8(name, strlen(name)))
		return refuse(err, name, "file name is not valid UTF-8 and cannot be signed");
	if (S_ISDIR(status.st_mode))
		return add_folder(walk, name, err);
	if (S_ISREG(status.st_mode))
		return add_file(walk, name, err);
	if (!S_ISLNK(status.st_mode))
		return refuse(err, name, "is neither a file nor a directory and cannot be signed");
	refuse(err, name, "is a symbolic link and cannot be signed");
	return error_hint(err, "sign a copy that holds the files themselves: cp -RL");
}

/* NULL: no memory. */
static const char *
join(struct arena *arena, const char *folder, const char *name)
{
	size_t before = strlen(folder), length = strlen(name);
	char  *path = arena_take(arena, before + length + 2, 1);

	if (path == NULL)
		return NULL;
	memcpy(path, folder, before);
	if (before > 0)
		path[before++] = '/';
	memcpy(path + before, name, length);
	return path;
}

static bool
list_folder(struct walk *walk, const struct folder *folder, struct error *err)
{
	const char    *shown = folder->name[0] != '\0' ? folder->name : ".";
	int            fd = descriptor_open_directory(walk->directory, shown, O_NOFOLLOW);
	DIR           *stream = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *item = NULL;
	bool           done = stream != NULL;

	while (done) {
		const char *path;

		errno = 0;
		if ((item = readdir(stream)) == NULL)
			break;
		if (strcmp(item->d_name, ".") == 0 || strcmp(item->d_name, "..") == 0)
			continue;
		if ((path = join(walk->arena, folder->name, item->d_name)) == NULL)
			done = error_no_memory(err, strlen(item->d_name));
		else if (!statement_ignores(walk->statement, path))
			done = visit(walk, path, err);
	}
	if (stream == NULL || (done && errno != 0)) {
		error_os(err, ERROR_NO_INPUT, "noinput", "cannot read the directory");
		done = error_in_file(err, shown);
	}
	if (stream != NULL)
		closedir(stream);
	else if (fd >= 0)
		close(fd);
	return done;
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(((const struct statement_file *)a)->name,
		((const struct statement_file *)b)->name);
}

static bool
walk_all(struct walk *walk, struct error *err)
{
	if (!add_folder(walk, "", err))
		return false;
	while (walk->folders != NULL) {
		const struct folder *folder = walk->folders;

		walk->folders = folder->next;
		if (!list_folder(walk, folder, err))
			return false;
	}
	return walk->count > 0 || error_set(err, ERROR_CORRUPT, "signdir",
		"there is no file in the directory that could be signed");
}

bool
signed_files_find(int directory, const struct statement *statement, struct arena *arena,
	struct statement_file **files, size_t *count, struct error *err)
{
	struct walk walk = { .directory = directory, .statement = statement, .arena = arena };
	bool        done = false;

	if (!walk_all(&walk, err))
		goto out;
	qsort(walk.files, walk.count, sizeof *walk.files, compare_names);
	if ((*files = arena_take(arena, walk.count, sizeof **files)) == NULL) {
		error_no_memory(err, walk.count * sizeof **files);
		goto out;
	}
	memcpy(*files, walk.files, walk.count * sizeof **files);
	*count = walk.count;
	done = true;
out:
	free(walk.files);
	return done;
}

bool
signed_files_name_inside(const char *directory, const char *path, char *to, size_t size,
	struct error *err)
{
	char        base[256], *folder = NULL, *parent = NULL;
	struct text above = { 0 };
	bool        done = true;

	to[0] = '\0';
	text_base_name(base, sizeof base, path);
	text_add(&above, "%.*s.", (int)(strlen(path) - strlen(base)), path);
	if (above.failed)
		done = error_no_memory(err, strlen(path));
	else if ((folder = realpath(directory, NULL)) == NULL
	    || (parent = realpath(above.bytes, NULL)) == NULL)
		done = errno != ENOMEM || error_no_memory(err, strlen(path));
	else if (strcmp(parent, folder) == 0)
		text_format(to, size, "%s", base);
	else if (text_has_prefix(parent, folder) && parent[strlen(folder)] == '/')
		text_format(to, size, "%s/%s", parent + strlen(folder) + 1, base);
	text_free(&above);
	free(parent);
	free(folder);
	return done;
}
