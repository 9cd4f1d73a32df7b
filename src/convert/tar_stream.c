#include "convert/tar_stream.h"

#include "base/descriptor.h"
#include "base/signals.h"
#include "base/tar.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define SLAB_BYTES ((size_t)1 << 20)

static bool
put(int to, const unsigned char *bytes, size_t length, struct error *err)
{
	if (!signals_go_on(err))
		return false;
	switch (errno = descriptor_send(to, bytes, length)) {
	case 0:
		return true;
	case EINTR:
		return signals_go_on(err);
	case EPIPE:
		error_set(err, ERROR_SIGNAL, "sigpipe", "nobody reads standard output");
		err->os_errno = SIGPIPE;
		return false;
	default:
		return error_os(err, ERROR_NO_OUTPUT, "stdoutfull",
			"standard output: write error");
	}
}

static bool
put_contents(int to, int fd, const struct manifest_file *file, unsigned char *slab,
	struct error *err)
{
	for (uint64_t bytes = file->bytes; bytes > 0;) {
		ssize_t got = read(fd, slab, bytes < SLAB_BYTES ? (size_t)bytes : SLAB_BYTES);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			error_os(err, ERROR_NO_OUTPUT, "eio", "cannot read back");
		if (got == 0)
			error_set(err, ERROR_NO_OUTPUT, "readback", "%" PRIu64
				" bytes did not come back", bytes);
		if (got <= 0)
			return error_in_file(err, file->name);
		if (!put(to, slab, (size_t)got, err))
			return false;
		bytes -= (uint64_t)got;
	}
	return true;
}

static bool
put_file(int to, int directory, const struct manifest_file *file, uint64_t mtime,
	unsigned char *slab, struct error *err)
{
	static const unsigned char zeros[TAR_BLOCK];
	unsigned char              header[TAR_HEADER_MOST];
	size_t                     length = tar_header(header, file->name, file->bytes, mtime);
	int                        fd;
	bool                       done;

	if (length == 0)
		return error_set(err, ERROR_INTERNAL, "tar", "%s does not fit into a tar", file->name);
	if ((fd = descriptor_open(directory, file->name, O_RDONLY | O_NOFOLLOW, 0)) < 0) {
		error_os(err, ERROR_NO_OUTPUT, "eio", "cannot read back");
		return error_in_file(err, file->name);
	}
	done = put(to, header, length, err) && put_contents(to, fd, file, slab, err)
		&& put(to, zeros, tar_padding(file->bytes), err);
	close(fd);
	return done;
}

/* A file system behind a network tells only at the end that there was no room. */
static bool
close_copy(int to, struct error *err)
{
	int copy = dup(to);

	return copy < 0 || close(copy) == 0 || errno == EINTR
		|| error_os(err, ERROR_NO_OUTPUT, "stdoutfull", "standard output: write error");
}

bool
tar_stream_write(int to, int directory, const struct manifest_file *files, size_t count,
	uint64_t mtime, struct error *err)
{
	static const unsigned char end[2 * TAR_BLOCK];
	unsigned char             *slab = malloc(SLAB_BYTES);
	bool                       done = slab != NULL || error_no_memory(err, SLAB_BYTES);

	for (size_t i = 0; i < count && done; i++)
		done = put_file(to, directory, &files[i], mtime, slab, err);
	free(slab);
	return done && put(to, end, sizeof end, err) && close_copy(to, err);
}
