#ifndef CONTAINER_INPUT_FILE_H
#define CONTAINER_INPUT_FILE_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct resting_file;

/*
 * One regular file that is only ever read, by offset, so that nothing depends on a shared
 * cursor and nothing can raise SIGBUS.  Several threads may read at once.
 */
struct input_file {
	struct resting_file *handle;
	char               *name;       /* as the user gave it, for messages */
	uint64_t            size;
	struct stat         opened;     /* what fstat said at open */
};

/*
 * Opens `path` without blocking on a FIFO; only regular files are accepted (ERROR_NO_INPUT
 * names the kind found).  "-" is standard input: a seekable one is read in place (from its
 * start), a pipe is copied into an unlinked file in `spool_directory` first.
 */
struct input_file *input_file_open(const char *path, const char *spool_directory,
	struct error *err);
/* A pipe can be read but once: what it held stays open as *spooled (-1 before), for the next
 * opening and until the caller closes it. */
struct input_file *input_file_open_again(const char *path, const char *spool_directory,
	int *spooled, struct error *err);
/* input_file_open() for an entry of a directory that is already open; `shown` names it in messages. */
struct input_file *input_file_open_at(int directory, const char *entry, const char *shown,
	struct error *err);
/* Lets the process have so many files open, as far as it may: large runs wrote more than the
 * usual limit. */
void input_file_allow(size_t count);
/* Where that is less, this one may be closed between two readings, and is opened again by its
 * path; if another file is there by then, reading ends with ERROR_CORRUPT "changing". */
bool input_file_may_rest(struct input_file *file, const char *path, struct error *err);
/* Its descriptor, until it is released; -1: it was closed, and cannot be opened again. */
int  input_file_hold(const struct input_file *file, struct error *err);
void input_file_release(const struct input_file *file);
/* Exactly `count` bytes at `offset`; fewer is ERROR_CORRUPT "changed while being read". */
bool input_file_read(const struct input_file *file, uint64_t offset, void *to, size_t count,
	struct error *err);
/* All of a small file in malloc()ed memory, with a NUL after it; more than `limit` bytes:
 * ERROR_LIMIT; changed meanwhile: ERROR_CORRUPT. */
char *input_file_text(const struct input_file *file, uint64_t limit, struct error *err);
/* Size, mtime, ctime and inode are still those of open; else ERROR_CORRUPT "changing". */
bool input_file_unchanged(const struct input_file *file, struct error *err);
void input_file_close(struct input_file *file);         /* NULL is fine */

#endif
