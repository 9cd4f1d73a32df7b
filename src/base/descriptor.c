#include "base/descriptor.h"

#include "base/signals.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#define POLL_MILLISECONDS 200

bool
descriptor_write(int fd, const void *bytes, size_t length)
{
	const unsigned char *at = bytes;

	while (length > 0) {
		ssize_t wrote = write(fd, at, length);

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote <= 0)
			return false;
		at += wrote;
		length -= (size_t)wrote;
	}
	return true;
}

bool
descriptor_sync(int fd)
{
	int result;

	do
		result = fsync(fd);
	while (result != 0 && errno == EINTR);
	return result == 0 || errno == EINVAL || errno == ENOTSUP;
}

/* A handler that restarts system calls would leave us in read() for ever: poll() is never
 * restarted, and looks at the flag by itself. */
bool
descriptor_read(int fd, void *to, size_t room, size_t *count, struct error *err)
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
