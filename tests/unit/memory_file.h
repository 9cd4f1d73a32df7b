#ifndef TESTS_UNIT_MEMORY_FILE_H
#define TESTS_UNIT_MEMORY_FILE_H

#include "container/byte_stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Input files that exist in memory only.  Each function exits when the system fails it. */

static inline void
memory_file_must(int holds, const char *what)
{
	if (!holds) {
		perror(what);
		exit(1);
	}
}

static inline struct input_file *
memory_file_adopt(int fd)
{
	char               path[64];
	struct error       err = { 0 };
	struct input_file *file;

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	file = input_file_open(path, NULL, &err);
	memory_file_must(file != NULL, err.text);
	close(fd);
	return file;
}

static inline struct input_file *
memory_file_open(const void *bytes, size_t length)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	memory_file_must(fd >= 0, "memfd_create");
	memory_file_must(write(fd, bytes, length) == (ssize_t)length, "write");
	return memory_file_adopt(fd);
}

static inline struct byte_stream *
memory_file_stream(const struct input_file *file)
{
	struct error        err = { 0 };
	struct byte_stream *stream = byte_stream_open(file, 0, file->size, &err);

	memory_file_must(stream != NULL, err.text);
	return stream;
}

#endif
