#include "plan/small_writes.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/uio.h>

/* Larger writes make Linux take larger pages for its cache, which take longer to come by. */
#define WRITE_BYTES ((size_t)1 << 20)

struct stretch {
	const unsigned char *bytes;
	size_t               count;
};

static struct iovec
step_of(const struct stretch *stretch)
{
	return (struct iovec){ (void *)stretch->bytes,
		stretch->count < WRITE_BYTES ? stretch->count : WRITE_BYTES };
}

static void
advance(struct stretch *stretch, size_t count)
{
	stretch->bytes += count;
	stretch->count -= count;
}

/* One behind the other. */
static bool
write_both(int fd, uint64_t offset, struct stretch first, struct stretch second,
	struct error *err)
{
	while (first.count + second.count > 0) {
		struct iovec step[] = { step_of(&first), step_of(&second) };
		int          steps = step[0].iov_len == first.count ? 2 : 1;
		ssize_t      wrote = pwritev(fd, step, steps, (off_t)offset);
		size_t       of_first;

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote <= 0)
			return error_os(err, ERROR_NO_OUTPUT, "enospc", "cannot write");
		of_first = (size_t)wrote < first.count ? (size_t)wrote : first.count;
		advance(&first, of_first);
		advance(&second, (size_t)wrote - of_first);
		offset += (uint64_t)wrote;
	}
	return true;
}

bool
small_writes_flush(struct small_writes *writes, struct error *err)
{
	struct stretch waiting = { writes->bytes, writes->length };

	writes->flushes += waiting.count > 0;
	writes->length = 0;
	return write_both(writes->fd, writes->offset, waiting, (struct stretch){ NULL, 0 }, err)
		|| error_in_file(err, writes->name);
}

/* `piece` lies beside what waits: in front of it or behind. */
static bool
put_beside(struct small_writes *writes, uint64_t offset, struct stretch piece, struct error *err)
{
	struct stretch waiting = { writes->bytes, writes->length };
	bool           is_front = offset < writes->offset;
	uint64_t       start = is_front ? offset : writes->offset;

	if (waiting.count + piece.count > SMALL_WRITES_BYTES) {
		writes->length = 0;
		writes->flushes++;
		return write_both(writes->fd, start, is_front ? piece : waiting,
			is_front ? waiting : piece, err) || error_in_file(err, writes->name);
	}
	if (is_front)
		memmove(writes->bytes + piece.count, writes->bytes, waiting.count);
	memcpy(writes->bytes + (is_front ? 0 : waiting.count), piece.bytes, piece.count);
	writes->offset = start;
	writes->length += piece.count;
	return true;
}

bool
small_writes_put(struct small_writes *writes, int fd, const char *name, uint64_t offset,
	const void *bytes, size_t count, struct error *err)
{
	struct stretch piece = { bytes, count };
	bool           is_same = writes->length > 0 && fd == writes->fd;
	uint64_t       end = writes->offset + writes->length;

	if (count == 0)                 /* then `bytes` may be NULL */
		return true;
	if (is_same && (offset + count == writes->offset || offset == end))
		return put_beside(writes, offset, piece, err);
	/* What waits for the same place is older, and goes first. */
	if ((count <= SMALL_WRITES_BYTES
	    || (is_same && offset < end && writes->offset < offset + count))
	    && !small_writes_flush(writes, err))
		return false;
	if (count > SMALL_WRITES_BYTES)
		return write_both(fd, offset, piece, (struct stretch){ NULL, 0 }, err)
			|| error_in_file(err, name);
	writes->fd = fd;
	writes->name = name;
	writes->offset = offset;
	writes->length = count;
	memcpy(writes->bytes, bytes, count);
	return true;
}

bool
small_writes_read(const struct small_writes *writes, int fd, uint64_t offset, void *to,
	size_t count)
{
	if (fd != writes->fd || offset < writes->offset
	    || offset - writes->offset + count > writes->length)
		return false;
	memcpy(to, writes->bytes + (offset - writes->offset), count);
	return true;
}
