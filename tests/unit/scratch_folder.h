#ifndef TESTS_UNIT_SCRATCH_FOLDER_H
#define TESTS_UNIT_SCRATCH_FOLDER_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Folders that are broken on purpose: a temporary one that is emptied again, in which files
 * are written and files of fixtures/ appear by symbolic links.
 */
static char scratch[64], scratch_start[2048];

static inline void
scratch_open(void)
{
	snprintf(scratch, sizeof scratch, "/tmp/m2h-test-XXXXXX");
	if (getcwd(scratch_start, sizeof scratch_start) == NULL || mkdtemp(scratch) == NULL)
		abort();
}

/* SCRATCH/name, in one of a few buffers. */
static inline char *
scratch_path(const char *name)
{
	static char     paths[4][4200];
	static unsigned next;
	char           *path = paths[next++ % 4];

	snprintf(path, sizeof *paths, "%s/%s", scratch, name);
	return path;
}

/* Makes the folders above SCRATCH/name, and it too where it ends in a slash. */
static inline void
scratch_folders(const char *name)
{
	char *path = scratch_path(name), *slash = path + strlen(scratch);

	while ((slash = strchr(slash + 1, '/')) != NULL) {
		*slash = '\0';
		mkdir(path, 0777);
		*slash = '/';
	}
}

static inline void
scratch_write(const char *name, const void *bytes, size_t length)
{
	FILE *file;

	scratch_folders(name);
	if ((file = fopen(scratch_path(name), "wb")) == NULL)
		abort();
	if (fwrite(bytes, 1, length, file) != length || fclose(file) != 0)
		abort();
}

/* A file of the source tree under another name. */
static inline void
scratch_link(const char *name, const char *target)
{
	char absolute[4200];

	scratch_folders(name);
	snprintf(absolute, sizeof absolute, "%s/%s", scratch_start, target);
	if (access(absolute, R_OK) != 0 || symlink(absolute, scratch_path(name)) != 0)
		abort();
}

static inline int
scratch_remove(const char *path, const struct stat *status, int kind, struct FTW *place)
{
	(void)status;
	(void)kind;
	return place->level == 0 ? 0 : remove(path);
}

/* All of it, without following links. */
static inline void
scratch_empty(void)
{
	if (nftw(scratch, scratch_remove, 16, FTW_DEPTH | FTW_PHYS) != 0)
		abort();
}

static inline void
scratch_close(void)
{
	scratch_empty();
	rmdir(scratch);
}

#endif
