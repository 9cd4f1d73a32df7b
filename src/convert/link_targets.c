#include "convert/link_targets.h"

#include "base/descriptor.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The folders on the way down, each as far as it has been read. */
struct walk {
	struct sandbox *sandbox;
	DIR            *streams[LINK_TARGETS_DEPTH];
	unsigned        depth;
	unsigned        entries;
};

/* What is not a folder, or cannot be listed, has no links in it. */
static void
enter(struct walk *walk, int directory, const char *name)
{
	int  fd;
	DIR *stream;

	if (walk->depth == LINK_TARGETS_DEPTH)
		return;
	fd = descriptor_open_directory(directory, name, 0);
	if (fd < 0)
		return;
	if ((stream = fdopendir(fd)) == NULL)
		close(fd);
	else
		walk->streams[walk->depth++] = stream;
}

static bool
is_link(int directory, const struct dirent *entry)
{
	struct stat found;

	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type == DT_LNK;
	return fstatat(directory, entry->d_name, &found, AT_SYMLINK_NOFOLLOW) == 0
		&& S_ISLNK(found.st_mode);
}

static void
allow_target(struct walk *walk, int directory, const char *name)
{
	int fd = sandbox_open_place(walk->sandbox, directory, name);

	if (fd < 0)
		return;
	sandbox_allow(walk->sandbox, fd, SANDBOX_READ);
	close(fd);
}

static void
look_at(struct walk *walk, int directory, const struct dirent *entry)
{
	if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
		return;
	walk->entries++;
	if (is_link(directory, entry))
		allow_target(walk, directory, entry->d_name);
	else if (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN)
		return;
	enter(walk, directory, entry->d_name);
}

void
link_targets_allow(struct sandbox *sandbox, int folder)
{
	struct walk    walk = { .sandbox = sandbox };
	struct dirent *entry;

	if (sandbox->ruleset < 0)
		return;
	enter(&walk, folder, ".");
	while (walk.depth > 0) {
		DIR *stream = walk.streams[walk.depth - 1];

		if (walk.entries < LINK_TARGETS_ENTRIES && (entry = readdir(stream)) != NULL) {
			look_at(&walk, dirfd(stream), entry);
		} else {
			closedir(stream);
			walk.depth--;
		}
	}
}
