#include "base/atomic_file.h"

#include "base/descriptor.h"
#include "base/sibling.h"

#include <errno.h>
#include <stdlib.h>

struct atomic_file {
	struct sibling sibling;
	bool           replace;
};

bool
atomic_file_check(const char *path, bool replace, struct error *err)
{
	struct sibling sibling;
	bool           can = sibling_find(&sibling, path, SIBLING_FILE, err)
		&& sibling_check(&sibling, replace, err);

	sibling_close(&sibling);
	return can;
}

static bool
fill(const struct sibling *sibling, const void *bytes, size_t length, struct error *err)
{
	if (!descriptor_write(sibling->fd, bytes, length))
		return error_os(err, ERROR_NO_OUTPUT, "enospc", "cannot write '%s'", sibling->path);
	return descriptor_sync(sibling->fd) || error_os(err, ERROR_NO_OUTPUT, "eio",
		"cannot sync '%s' to disk", sibling->path);
}

struct atomic_file *
atomic_file_stage(const char *path, const void *bytes, size_t length, bool replace,
	struct error *err)
{
	struct atomic_file *file = malloc(sizeof *file);

	if (file == NULL) {
		error_no_memory(err, sizeof *file);
		return NULL;
	}
	file->replace = replace;
	if (sibling_find(&file->sibling, path, SIBLING_FILE, err)
	    && sibling_check(&file->sibling, replace, err)
	    && sibling_make(&file->sibling, replace, err)
	    && fill(&file->sibling, bytes, length, err))
		return file;
	atomic_file_close(file);
	return NULL;
}

bool
atomic_file_publish(struct atomic_file *file, struct error *err)
{
	struct sibling *sibling = &file->sibling;

	if (!sibling_move(sibling, file->replace)) {
		error_os(err, ERROR_NO_OUTPUT, "renamefail", "cannot move the result to '%s'",
			sibling->path);
		/* What appeared meanwhile is told as if it had been there before. */
		if (err->os_errno == EEXIST)
			sibling_check(sibling, file->replace, err);
		return false;
	}
	sibling->made[0] = '\0';
	return descriptor_sync(sibling->parent) || error_os(err, ERROR_NO_OUTPUT, "eio",
		"'%s' is in its place, but the directory that holds it cannot be synced",
		sibling->path);
}

bool
atomic_file_write(const char *path, const void *bytes, size_t length, bool replace,
	struct error *err)
{
	struct atomic_file *file = atomic_file_stage(path, bytes, length, replace, err);
	bool                done = file != NULL && atomic_file_publish(file, err);

	atomic_file_close(file);
	return done;
}

void
atomic_file_close(struct atomic_file *file)
{
	if (file == NULL)
		return;
	sibling_close(&file->sibling);
	free(file);
}
