#include "base/descriptor.h"

#include "base/signals.h"

#include <errno.h>
#include <fcntl.h>
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

/* A write() that begins where nothing is taken would be restarted for ever; one that a signal
 * interrupts later says how much it wrote. */
int
descriptor_send(int fd, const void *bytes, size_t length)
{
	const unsigned char *at = bytes;
	struct error         interrupted = { 0 };

	while (length > 0) {
		ssize_t wrote;

		if (poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, POLL_MILLISECONDS) <= 0) {
			if (!signals_go_on(&interrupted))
				return EINTR;
			continue;
		}
		wrote = write(fd, at, length);
		if (wrote < 0 && errno != EINTR && errno != EAGAIN)
			return errno;
		at += wrote > 0 ? wrote : 0;
		length -= wrote > 0 ? (size_t)wrote : 0;
	}
	return 0;
}

bool
descriptor_read_at(int fd, uint64_t offset, void *to, size_t room, size_t *count)
{
	unsigned char *at = to;
	ssize_t        got = 1;

	for (*count = 0; *count < room && got != 0;) {
		got = pread(fd, at + *count, room - *count, (off_t)(offset + *count));
		if (got < 0 && errno != EINTR)
			return false;
		*count += got > 0 ? (size_t)got : 0;
	}
	return true;
}

int
descriptor_open(int directory, const char *entry, int flags, unsigned mode)
{
	int fd;

	do
		fd = openat(directory, entry, flags | O_CLOEXEC, mode);
	while (fd < 0 && errno == EINTR);
	return fd;
}

int
descriptor_open_directory(int directory, const char *entry, int flags)
{
	return descriptor_open(directory, entry, O_RDONLY | O_DIRECTORY | flags, 0);
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
