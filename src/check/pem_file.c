#include "check/pem_file.h"

#include "base/ecdsa.h"
#include "base/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_BYTES         ((size_t)1 << 20)
#define POLL_MILLISECONDS 200

/* What there is, *count 0 at the end.  poll() is not restarted after a signal as read() is, so
 * that a pipe that nobody fills can be left. */
static bool
read_some(int fd, char *to, size_t room, size_t *count, struct error *err)
{
	for (;;) {
		struct pollfd ready = { .fd = fd, .events = POLLIN };
		int           polled;
		ssize_t       got;

		if (!signals_go_on(err))
			return false;
		polled = poll(&ready, 1, POLL_MILLISECONDS);
		if (polled == 0 || (polled < 0 && errno == EINTR))
			continue;
		got = read(fd, to, room);
		if (got >= 0) {
			*count = (size_t)got;
			return true;
		}
		if (errno != EINTR && errno != EAGAIN)
			return error_os(err, ERROR_NO_INPUT, "noinput", "cannot read it");
	}
}

static bool
read_all(int fd, struct pem_file *file, struct error *err)
{
	struct stat status;
	size_t      count = 0;

	if (fstat(fd, &status) != 0)
		return error_os(err, ERROR_NO_INPUT, "noinput", "cannot look at it");
	if (S_ISDIR(status.st_mode))
		return error_set(err, ERROR_NO_INPUT, "notreg", "is a directory");
	file->is_world_readable = S_ISREG(status.st_mode) && (status.st_mode & S_IROTH) != 0;
	/* All at once: growing would leave copies of a secret behind. */
	if ((file->bytes = malloc(MAX_BYTES + 1)) == NULL)
		return error_no_memory(err, MAX_BYTES + 1);
	do {
		if (!read_some(fd, file->bytes + file->length, MAX_BYTES + 1 - file->length, &count,
			err))
			return false;
		file->length += count;
		if (file->length > MAX_BYTES)
			return error_set(err, ERROR_LIMIT, "pemlarge",
				"more than %zu bytes are no key or certificate", MAX_BYTES);
	} while (count > 0);
	return true;
}

bool
pem_file_read(const char *path, struct pem_file *file, struct error *err)
{
	bool is_input = strcmp(path, "-") == 0;
	int  fd = is_input ? STDIN_FILENO : open(path, O_RDONLY | O_NOCTTY | O_CLOEXEC);
	bool done;

	*file = (struct pem_file){ .bytes = NULL };
	done = fd >= 0 ? read_all(fd, file, err)
		: error_os(err, ERROR_NO_INPUT, "noinput", "cannot open it");
	if (!done)
		error_in_file(err, path);
	if (fd >= 0 && !is_input)
		close(fd);
	return done;
}

void
pem_file_close(struct pem_file *file)
{
	if (file->bytes != NULL)
		ecdsa_wipe(file->bytes, MAX_BYTES + 1);
	free(file->bytes);
	*file = (struct pem_file){ .bytes = NULL };
}
