#include "container/input_file.h"

#include "base/descriptor.h"
#include "base/text.h"
#include "container/resting_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define SPARE_FILES 64          /* beside those that are asked for */
#define SPOOL_BLOCK ((size_t)256 << 10)

static const char *
kind_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR: return "a directory";
	case S_IFIFO: return "a FIFO";
	case S_IFCHR: return "a character device";
	case S_IFBLK: return "a block device";
	default: return "not a file";
	}
}

/* Takes `fd` over: closes it on failure. */
static struct input_file *
adopt(int fd, const char *shown, struct error *err)
{
	struct input_file *file = calloc(1, sizeof *file);

	if (file == NULL || (file->name = strdup(shown)) == NULL) {
		error_no_memory(err, sizeof *file);
	} else if (fstat(fd, &file->opened) != 0) {
		error_os(err, ERROR_NO_INPUT, "noinput", "cannot look at it");
	} else if (!S_ISREG(file->opened.st_mode)) {
		error_set(err, ERROR_NO_INPUT, "notreg", "is %s; a regular file is expected",
			kind_of(file->opened.st_mode));
	} else if ((file->handle = resting_file_new(fd, &file->opened)) == NULL) {
		error_no_memory(err, sizeof *file);
		fd = -1;        /* closed */
	} else {
		file->size = (uint64_t)file->opened.st_size;
		return file;
	}
	if (fd >= 0)
		close(fd);
	input_file_close(file);
	return NULL;
}

struct input_file *
input_file_open_at(int directory, const char *entry, const char *shown, struct error *err)
{
	struct input_file *file = NULL;
	int                fd;

	/* O_NONBLOCK: a FIFO without a writer would hold us here.  It means nothing to a
	 * regular file, and nothing else is accepted. */
	fd = descriptor_open(directory, entry, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	if (fd >= 0)
		file = adopt(fd, shown, err);
	else if (errno == ENXIO)
		error_os(err, ERROR_NO_INPUT, "notreg", "is a socket or a device without a driver");
	else
		error_os(err, ERROR_NO_INPUT, errno == ELOOP ? "notreg" : "noinput",
			"cannot open it");
	if (file == NULL)
		error_in_file(err, shown);
	return file;
}

/* ---- standard input --------------------------------------------------------------- */

/* A file that no name leads to. */
static int
open_unlinked(const char *directory, struct error *err)
{
	char name[4096];
	int  fd = descriptor_open(AT_FDCWD, directory, O_TMPFILE | O_RDWR, 0600);

	if (fd >= 0)
		return fd;
	/* Not every file system knows O_TMPFILE; the errors it gives instead differ, so the
	 * reason that counts is that of the second way. */
	if (strlen(directory) > sizeof name - 32) {
		errno = ENAMETOOLONG;
	} else {
		text_format(name, sizeof name, "%s/.m2h-spool-XXXXXX", directory);
		if ((fd = mkostemp(name, O_CLOEXEC)) >= 0) {
			unlink(name);
			return fd;
		}
	}
	error_os(err, ERROR_NO_OUTPUT, "spool",
		"cannot make a file in %s to spool standard input", directory);
	return -1;
}

static bool
spool(int from, int to, struct error *err)
{
	unsigned char *block = malloc(SPOOL_BLOCK);
	size_t         count = 0;
	bool           done = false;

	if (block == NULL)
		return error_no_memory(err, SPOOL_BLOCK);
	do {
		if (!descriptor_read(from, block, SPOOL_BLOCK, &count, err))
			goto out;
		if (!descriptor_write(to, block, count)) {
			error_os(err, ERROR_NO_OUTPUT, "spool", "cannot spool standard input");
			goto out;
		}
	} while (count > 0);
	done = true;
out:
	free(block);
	return done;
}

static int
share(int fd, struct error *err)
{
	int shared = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (shared < 0)
		error_os(err, ERROR_NO_INPUT, "noinput", "cannot read standard input");
	return shared;
}

/* *spooled: what a pipe held, or -1. */
static struct input_file *
open_standard_input(const char *spool_directory, int *spooled, struct error *err)
{
	struct stat status;
	int         fd = -1;

	if (*spooled >= 0) {
		fd = share(*spooled, err);
	} else if (fstat(STDIN_FILENO, &status) != 0) {
		error_os(err, ERROR_NO_INPUT, "noinput", "cannot read standard input");
	} else if (S_ISDIR(status.st_mode) || S_ISBLK(status.st_mode)) {
		error_set(err, ERROR_NO_INPUT, "notreg", "standard input is %s",
			kind_of(status.st_mode));
	} else if (S_ISREG(status.st_mode)) {
		fd = share(STDIN_FILENO, err);
	} else if ((*spooled = open_unlinked(spool_directory, err)) >= 0) {
		if (spool(STDIN_FILENO, *spooled, err)) {
			fd = share(*spooled, err);
		} else {
			close(*spooled);
			*spooled = -1;
		}
	}
	return fd < 0 ? NULL : adopt(fd, "-", err);
}

struct input_file *
input_file_open_again(const char *path, const char *spool_directory, int *spooled,
	struct error *err)
{
	struct input_file *file;

	if (strcmp(path, "-") != 0)
		return input_file_open_at(AT_FDCWD, path, path, err);
	file = open_standard_input(spool_directory != NULL ? spool_directory : "/tmp", spooled,
		err);
	if (file == NULL)
		error_in_file(err, "-");
	return file;
}

struct input_file *
input_file_open(const char *path, const char *spool_directory, struct error *err)
{
	int                spooled = -1;
	struct input_file *file = input_file_open_again(path, spool_directory, &spooled, err);

	if (spooled >= 0)
		close(spooled);
	return file;
}

void
input_file_allow(size_t count)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= count + SPARE_FILES)
		return;
	limit.rlim_cur = count + SPARE_FILES < limit.rlim_max ? count + SPARE_FILES
	    : limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

bool
input_file_may_rest(struct input_file *file, const char *path, struct error *err)
{
	return resting_file_may_rest(file->handle, path, err) || error_in_file(err, file->name);
}

int
input_file_hold(const struct input_file *file, struct error *err)
{
	int fd = resting_file_hold(file->handle, err);

	if (fd < 0)
		error_in_file(err, file->name);
	return fd;
}

void
input_file_release(const struct input_file *file)
{
	resting_file_release(file->handle);
}

/* ---- reading ---------------------------------------------------------------------- */

static bool
fail_changing(const struct input_file *file, uint64_t size, struct error *err)
{
	if (size != file->size)
		error_set(err, ERROR_CORRUPT, "changing",
			"changed while being read (size %" PRIu64 " -> %" PRIu64 ")",
			file->size, size);
	else
		error_set(err, ERROR_CORRUPT, "changing",
			"changed while being read (%" PRIu64 " bytes)", size);
	return error_in_file(err, file->name);
}

static bool
read_from(const struct input_file *file, int fd, uint64_t offset, unsigned char *at, size_t count,
	struct error *err)
{
	struct stat now;

	while (count > 0) {
		ssize_t got = pread(fd, at, count, (off_t)offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			error_os(err, ERROR_NO_INPUT, "noinput", "cannot read it");
			error_at(err, offset);
			return error_in_file(err, file->name);
		}
		if (got == 0)
			return fail_changing(file,
				fstat(fd, &now) == 0 ? (uint64_t)now.st_size : offset, err);
		at += got;
		offset += (uint64_t)got;
		count -= (size_t)got;
	}
	return true;
}

bool
input_file_read(const struct input_file *file, uint64_t offset, void *to, size_t count,
	struct error *err)
{
	bool done;
	int  fd;

	if (offset > file->size || count > file->size - offset) {
		error_set(err, ERROR_CORRUPT, "truncated",
			"bytes %" PRIu64 " to %" PRIu64 " are needed, the file has %" PRIu64,
			offset, offset + count, file->size);
		return error_in_file(err, file->name);
	}
	if ((fd = input_file_hold(file, err)) < 0)
		return false;
	done = read_from(file, fd, offset, to, count, err);
	input_file_release(file);
	return done;
}

char *
input_file_text(const struct input_file *file, uint64_t limit, struct error *err)
{
	char *bytes;

	if (file->size > limit) {
		error_set(err, ERROR_LIMIT, "size", "%" PRIu64 " bytes, at most %" PRIu64
			" are read", file->size, limit);
		return NULL;
	}
	if ((bytes = malloc((size_t)file->size + 1)) == NULL) {
		error_no_memory(err, file->size);
		return NULL;
	}
	bytes[file->size] = '\0';
	if (!input_file_read(file, 0, bytes, (size_t)file->size, err)
	    || !input_file_unchanged(file, err)) {
		free(bytes);
		return NULL;
	}
	return bytes;
}

bool
input_file_unchanged(const struct input_file *file, struct error *err)
{
	struct stat now;
	int         fd = input_file_hold(file, err);
	bool        is_seen;

	if (fd < 0)
		return false;
	is_seen = fstat(fd, &now) == 0;
	if (!is_seen)
		error_os(err, ERROR_NO_INPUT, "noinput", "cannot look at it");
	input_file_release(file);
	if (!is_seen)
		return error_in_file(err, file->name);
	return resting_file_is_same(&file->opened, &now)
		|| fail_changing(file, (uint64_t)now.st_size, err);
}

void
input_file_close(struct input_file *file)
{
	if (file == NULL)
		return;
	resting_file_free(file->handle);
	free(file->name);
	free(file);
}
