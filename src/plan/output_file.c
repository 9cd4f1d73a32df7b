#include "plan/output_file.h"

#include "base/signals.h"
#include "container/crc32.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK_BYTES      ((size_t)1 << 20)
/* Larger writes make Linux take larger pages for its cache, which take longer to come by. */
#define WRITE_BYTES      ((size_t)1 << 20)
#define WRITEBACK_BYTES  ((uint64_t)16 << 20)

struct written {
	uint64_t bytes;
	uint32_t crc;           /* of the tensor, once all its bytes are there */
	struct element_specials specials;
};

struct output_file {
	int                fd;
	const struct plan *plan;
	struct written    *written;     /* by tensor */
	unsigned char     *block;       /* of the reader */
	struct digest     *digest;
	char               sha256[DIGEST_HEX_SIZE];
	uint64_t           read_back;
	bool               ended;
	pthread_mutex_t    lock;        /* of written[].bytes, read_back and ended */
	pthread_cond_t     changed;     /* a tensor is complete, or `ended` */
};

static bool
write_at(int fd, uint64_t offset, const void *bytes, size_t count, struct error *err)
{
	const unsigned char *at = bytes;

	while (count > 0) {
		size_t  step = count < WRITE_BYTES ? count : WRITE_BYTES;
		ssize_t wrote = pwrite(fd, at, step, (off_t)offset);

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote <= 0)
			return error_os(err, ERROR_NO_OUTPUT, "enospc", "cannot write");
		at += wrote;
		offset += (uint64_t)wrote;
		count -= (size_t)wrote;
	}
	return true;
}

static bool
read_at(int fd, uint64_t offset, void *to, size_t count, struct error *err)
{
	unsigned char *at = to;

	while (count > 0) {
		ssize_t got = pread(fd, at, count, (off_t)offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_os(err, ERROR_NO_OUTPUT, "eio", "cannot read back");
		if (got == 0)
			return error_set(err, ERROR_NO_OUTPUT, "readback",
				"the file became shorter than what was written");
		at += got;
		offset += (uint64_t)got;
		count -= (size_t)got;
	}
	return true;
}

struct output_file *
output_file_open(int fd, const struct plan *plan, struct error *err)
{
	struct output_file *file = calloc(1, sizeof *file);

	if (file == NULL) {
		error_no_memory(err, sizeof *file);
		return NULL;
	}
	pthread_mutex_init(&file->lock, NULL);
	pthread_cond_init(&file->changed, NULL);
	file->fd = fd;
	file->plan = plan;
	file->written = calloc(plan->tensor_count, sizeof *file->written);
	file->block = malloc(BLOCK_BYTES);
	file->digest = digest_open(DIGEST_SHA256);
	if (file->written == NULL || file->block == NULL || file->digest == NULL) {
		error_no_memory(err, BLOCK_BYTES);
		goto fail;
	}
	for (size_t i = 0; i < plan->tensor_count; i++)
		file->written[i].crc = crc32_of_zeros(plan->tensors[i].bytes);
	if (!write_at(fd, 0, plan->header.bytes, plan->header.length, err))
		goto fail;
	return file;
fail:
	output_file_close(file);
	return NULL;
}

bool
output_file_write(struct output_file *file, size_t tensor, uint64_t offset, const void *bytes,
	size_t count, struct error *err)
{
	const struct plan_tensor *target = &file->plan->tensors[tensor];
	struct written           *written = &file->written[tensor];

	if (!write_at(file->fd, target->offset + offset, bytes, count, err))
		return false;
	written->crc ^= crc32_piece(crc32_of(0, bytes, count), count,
		target->bytes - offset - count);
	element_count_specials(&written->specials, target->dtype, bytes,
		count / dtype_size(target->dtype));
	pthread_mutex_lock(&file->lock);
	written->bytes += count;
	if (written->bytes == target->bytes)
		pthread_cond_signal(&file->changed);
	pthread_mutex_unlock(&file->lock);
	return true;
}

bool
output_file_place(const struct output_file *file, size_t tensor, uint64_t offset,
	const void *bytes, size_t count, struct error *err)
{
	return write_at(file->fd, file->plan->tensors[tensor].offset + offset, bytes, count, err);
}

bool
output_file_read(const struct output_file *file, size_t tensor, uint64_t offset, void *to,
	size_t count, struct error *err)
{
	return read_at(file->fd, file->plan->tensors[tensor].offset + offset, to, count, err);
}

void
output_file_end(struct output_file *file)
{
	pthread_mutex_lock(&file->lock);
	file->ended = true;
	pthread_cond_signal(&file->changed);
	pthread_mutex_unlock(&file->lock);
}

/* ---- reading back ----------------------------------------------------------------- */

static bool
wait_for_tensor(struct output_file *file, size_t tensor, struct error *err)
{
	const struct plan_tensor *target = &file->plan->tensors[tensor];
	bool                      complete;

	pthread_mutex_lock(&file->lock);
	while (file->written[tensor].bytes != target->bytes && !file->ended)
		pthread_cond_wait(&file->changed, &file->lock);
	complete = file->written[tensor].bytes == target->bytes;
	pthread_mutex_unlock(&file->lock);
	if (complete)
		return true;
	error_set(err, ERROR_INTERNAL, "incomplete", "not all of it was written");
	return error_in_tensor(err, target->name);
}

/* The kernel begins to write out what is behind the reader, so that the last fsync finds
 * little to do.  Only advice: faults show up in fsync. */
static void
start_writeback(int fd, uint64_t before, uint64_t now)
{
	uint64_t from = before / WRITEBACK_BYTES * WRITEBACK_BYTES;
	uint64_t to = now / WRITEBACK_BYTES * WRITEBACK_BYTES;

	if (to > from)
		sync_file_range(fd, (off_t)from, (off_t)(to - from), SYNC_FILE_RANGE_WRITE);
}

/* Adds [offset, offset + bytes) of the file to the digest; its CRC-32 to *crc. */
static bool
digest_range(struct output_file *file, uint64_t offset, uint64_t bytes, uint32_t *crc,
	struct error *err)
{
	*crc = 0;
	while (bytes > 0) {
		size_t step = bytes < BLOCK_BYTES ? (size_t)bytes : BLOCK_BYTES;

		if (!signals_go_on(err) || !read_at(file->fd, offset, file->block, step, err))
			return false;
		digest_add(file->digest, file->block, step);
		*crc = crc32_of(*crc, file->block, step);
		start_writeback(file->fd, offset, offset + step);
		offset += step;
		bytes -= step;
		pthread_mutex_lock(&file->lock);
		file->read_back = offset;
		pthread_mutex_unlock(&file->lock);
	}
	return true;
}

static bool
check_crc(uint32_t expected, uint32_t found, struct error *err)
{
	return expected == found || error_set(err, ERROR_NO_OUTPUT, "readback",
		"what was read back is not what was written (CRC-32 expected %08x, found %08x)",
		expected, found);
}

bool
output_file_read_back(void *context, struct error *err)
{
	struct output_file *file = context;
	const struct plan  *plan = file->plan;
	uint32_t            crc;

	if (!digest_range(file, 0, plan->header.length, &crc, err)
	    || !check_crc(crc32_of(0, plan->header.bytes, plan->header.length), crc, err))
		return false;
	for (size_t i = 0; i < plan->tensor_count; i++) {
		const struct plan_tensor *tensor = &plan->tensors[i];

		if (!wait_for_tensor(file, i, err)
		    || !digest_range(file, tensor->offset, tensor->bytes, &crc, err)
		    || !check_crc(file->written[i].crc, crc, err))
			return error_in_tensor(err, tensor->name);
	}
	digest_hex(file->digest, file->sha256);
	return true;
}

uint64_t
output_file_progress(struct output_file *file)
{
	uint64_t bytes;

	pthread_mutex_lock(&file->lock);
	bytes = file->read_back;
	pthread_mutex_unlock(&file->lock);
	return bytes;
}

const char *
output_file_sha256(const struct output_file *file)
{
	return file->sha256;
}

const struct element_specials *
output_file_specials(const struct output_file *file, size_t tensor)
{
	return &file->written[tensor].specials;
}

void
output_file_close(struct output_file *file)
{
	if (file == NULL)
		return;
	pthread_mutex_destroy(&file->lock);
	pthread_cond_destroy(&file->changed);
	digest_close(file->digest);
	free(file->block);
	free(file->written);
	free(file);
}
