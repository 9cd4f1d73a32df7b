#include "plan/output_files.h"

#include "base/page_cache.h"
#include "base/signals.h"
#include "container/crc32.h"
#include "plan/small_writes.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK_BYTES      ((size_t)1 << 20)
#define WRITEBACK_BYTES  ((uint64_t)16 << 20)
#define SETTLED_BYTES    ((size_t)16 << 20)     /* what goes to the device at once */
#define MOST_COMPLETE    64                     /* tensors that readers are not told of yet */

/* A tensor while it is written. */
struct written {
	uint64_t bytes;         /* that were put */
	bool     is_there;      /* all of them, in the file */
	uint32_t crc;           /* of the tensor, once all its bytes are there */
	struct element_specials specials;
	char     sha256[DIGEST_HEX_SIZE];
};

/* A file. */
struct output_part {
	int      fd;
	size_t   left;          /* tensors that are not complete */
	char     sha256[DIGEST_HEX_SIZE];
};

/* One that reads files back. */
struct reader {
	struct output_files *files;
	unsigned char       *block;
	struct digest       *digest, *tensor_digest;    /* of the file, the tensor at hand */
	uint64_t             settled;                   /* of the file: on the device up to here */
};

struct output_files {
	const struct plan  *plan;
	struct output_files_options options;
	struct output_part *parts;      /* by file */
	struct written     *written;    /* by tensor */
	struct small_writes writes;
	size_t              complete[MOST_COMPLETE], complete_count;   /* a part may wait in writes */
	size_t              next;       /* file that no reader has taken */
	uint64_t            read_back, kept;
	bool                ended;
	pthread_mutex_t     lock;       /* of written[].is_there, next, read_back, kept, ended */
	pthread_cond_t      changed;    /* a tensor is there, or `ended` */
};

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

/* ---- what stands around the tensors ------------------------------------------------ */

static const struct stored_file *
file_of(const struct output_files *files, size_t tensor)
{
	return &files->plan->files->files[files->plan->tensors[tensor].file];
}

/* The bytes in front of a tensor that is complete. */
static bool
make_front(const struct output_files *files, size_t tensor, struct text *to, struct error *err)
{
	weight_files_add_front(file_of(files, tensor), files->plan->tensors[tensor].position,
		files->written[tensor].crc, to);
	return !to->failed || error_no_memory(err, to->length);
}

/* The bytes behind the last tensor, once all of the file's are complete. */
static bool
make_tail(const struct output_files *files, size_t file, struct text *to, struct error *err)
{
	const struct stored_file *facts = &files->plan->files->files[file];
	uint32_t                 *crcs = calloc(facts->count + 1, sizeof *crcs);

	if (crcs == NULL)
		return error_no_memory(err, facts->count * sizeof *crcs);
	for (size_t i = 0; i < facts->count; i++)
		crcs[i] = files->written[facts->first + i].crc;
	weight_files_add_tail(facts, crcs, to);
	free(crcs);
	return !to->failed || error_no_memory(err, to->length);
}

/* Bytes at an offset of the tensor's file. */
static bool
put_at(struct output_files *files, size_t tensor, uint64_t offset, const void *bytes,
	size_t count, struct error *err)
{
	return small_writes_put(&files->writes, files->parts[files->plan->tensors[tensor].file].fd,
		file_of(files, tensor)->name, offset, bytes, count, err);
}

/* A tensor is complete: what was waiting for its CRC-32 is written. */
static bool
write_around(struct output_files *files, size_t tensor, struct error *err)
{
	const struct plan_tensor *target = &files->plan->tensors[tensor];
	struct output_part       *part = &files->parts[target->file];
	struct text               front = { 0 }, tail = { 0 };
	bool                      done;

	done = make_front(files, tensor, &front, err)
		&& put_at(files, tensor, target->offset - front.length, front.bytes, front.length,
			err);
	if (done && --part->left == 0)
		done = make_tail(files, target->file, &tail, err)
			&& put_at(files, tensor, file_of(files, tensor)->bytes - tail.length,
				tail.bytes, tail.length, err);
	text_free(&front);
	text_free(&tail);
	return done;
}

/* ---- writing ---------------------------------------------------------------------- */

static bool
open_tables(struct output_files *files, const int *fds, struct error *err)
{
	const struct plan *plan = files->plan;

	files->parts = calloc(plan->files->file_count + 1, sizeof *files->parts);
	files->written = calloc(plan->tensor_count + 1, sizeof *files->written);
	if (files->parts == NULL || files->written == NULL)
		return error_no_memory(err, plan->tensor_count * sizeof *files->written);
	for (size_t i = 0; i < plan->files->file_count; i++)
		files->parts[i] = (struct output_part){ .fd = fds[i],
			.left = plan->files->files[i].count };
	for (size_t i = 0; i < plan->tensor_count; i++)
		files->written[i] = (struct written){ .crc = crc32_of_zeros(plan->tensors[i].bytes),
			.is_there = plan->tensors[i].bytes == 0 };
	return true;
}

struct output_files *
output_files_open(const int *fds, const struct plan *plan,
	const struct output_files_options *options, struct error *err)
{
	struct output_files *files = calloc(1, sizeof *files);

	if (files == NULL) {
		error_no_memory(err, sizeof *files);
		return NULL;
	}
	pthread_mutex_init(&files->lock, NULL);
	pthread_cond_init(&files->changed, NULL);
	files->plan = plan;
	if (options != NULL)
		files->options = *options;
	if (!open_tables(files, fds, err)) {
		output_files_close(files);
		return NULL;
	}
	return files;
}

/* What waited went out: readers may have what was complete before. */
static void
tell_readers(struct output_files *files)
{
	pthread_mutex_lock(&files->lock);
	for (size_t i = 0; i < files->complete_count; i++)
		files->written[files->complete[i]].is_there = true;
	if (files->complete_count > 0)
		pthread_cond_broadcast(&files->changed);
	pthread_mutex_unlock(&files->lock);
	files->complete_count = 0;
}

bool
output_files_flush(struct output_files *files, struct error *err)
{
	if (!small_writes_flush(&files->writes, err))
		return false;
	tell_readers(files);
	return true;
}

static bool
write_piece(void *context, size_t tensor, uint64_t offset, const unsigned char *bytes,
	size_t count, struct error *err)
{
	struct output_files      *files = context;
	const struct plan_tensor *target = &files->plan->tensors[tensor];
	struct written           *written = &files->written[tensor];
	bool                      complete = written->bytes + count == target->bytes;
	uint64_t                  flushes = files->writes.flushes;

	if (!put_at(files, tensor, target->offset + offset, bytes, count, err))
		return false;
	written->bytes += count;
	written->crc ^= crc32_piece(crc32_of(0, bytes, count), count,
		target->bytes - offset - count);
	if (!target->is_repeat)
		element_count_specials(&written->specials, target->dtype, bytes,
			count / dtype_size(target->dtype));
	if (complete && !write_around(files, tensor, err))
		return false;
	if (files->writes.flushes != flushes)
		tell_readers(files);
	if (complete)
		files->complete[files->complete_count++] = tensor;
	if (files->complete_count == MOST_COMPLETE)
		return output_files_flush(files, err);
	if (files->writes.length == 0)
		tell_readers(files);
	return true;
}

static bool
place_piece(void *context, size_t tensor, uint64_t offset, const unsigned char *bytes,
	size_t count, struct error *err)
{
	struct output_files *files = context;

	return put_at(files, tensor, files->plan->tensors[tensor].offset + offset, bytes, count,
		err);
}

static bool
read_piece(void *context, size_t tensor, uint64_t offset, unsigned char *to, size_t count,
	struct error *err)
{
	struct output_files      *files = context;
	const struct plan_tensor *target = &files->plan->tensors[tensor];
	int                       fd = files->parts[target->file].fd;
	uint64_t                  at = target->offset + offset;

	if (small_writes_read(&files->writes, fd, at, to, count))
		return true;
	return output_files_flush(files, err) && (read_at(fd, at, to, count, err)
		|| error_in_file(err, file_of(files, tensor)->name));
}

struct scatter_target
output_files_target(struct output_files *files)
{
	return (struct scatter_target){ files, write_piece, place_piece, read_piece };
}

void
output_files_end(struct output_files *files)
{
	pthread_mutex_lock(&files->lock);
	files->ended = true;
	pthread_cond_broadcast(&files->changed);
	pthread_mutex_unlock(&files->lock);
}

/* ---- reading back ----------------------------------------------------------------- */

static bool
wait_for_tensor(struct output_files *files, size_t tensor, struct error *err)
{
	bool is_there;

	pthread_mutex_lock(&files->lock);
	while (!files->written[tensor].is_there && !files->ended)
		pthread_cond_wait(&files->changed, &files->lock);
	is_there = files->written[tensor].is_there;
	pthread_mutex_unlock(&files->lock);
	return is_there || error_set(err, ERROR_INTERNAL, "incomplete", "not all of it was written");
}

/* The kernel begins to write out what lies between, so that the last fsync finds little to do.
 * Only advice: faults show up in fsync. */
static void
start_writeback(int fd, uint64_t before, uint64_t now)
{
	uint64_t from = before / WRITEBACK_BYTES * WRITEBACK_BYTES;
	uint64_t to = now / WRITEBACK_BYTES * WRITEBACK_BYTES;

	if (to > from)
		sync_file_range(fd, (off_t)from, (off_t)(to - from), SYNC_FILE_RANGE_WRITE);
}

/*
 * All up to `end` of the file gets to the device and leaves the memory, in large steps; the
 * first step after which no byte of it changes any more is waited for.
 */
static bool
settle(struct reader *reader, size_t file, uint64_t end, struct error *err)
{
	struct output_files      *files = reader->files;
	const struct stored_file *facts = &files->plan->files->files[file];
	int                       fd = files->parts[file].fd;

	while (reader->settled < end) {
		uint64_t left = facts->bytes - reader->settled, kept;
		size_t   step = left < SETTLED_BYTES ? (size_t)left : SETTLED_BYTES;

		/* What stands before a tensor begins where the one before it ends. */
		for (size_t i = facts->first; i < facts->first + facts->count; i++) {
			const struct plan_tensor *before = &files->plan->tensors[i > 0 ? i - 1 : 0];

			if (i > facts->first && before->offset + before->bytes
				>= reader->settled + step)
				break;
			if (!wait_for_tensor(files, i, err))
				return false;
		}
		if (!page_cache_drop(fd, reader->settled, step, &kept, err))
			return false;
		/* This step is fetched in one go; while it is hashed, the next is written. */
		posix_fadvise(fd, (off_t)reader->settled, (off_t)step, POSIX_FADV_WILLNEED);
		reader->settled += step;
		start_writeback(fd, reader->settled, reader->settled + SETTLED_BYTES);
		pthread_mutex_lock(&files->lock);
		files->kept += kept;
		pthread_mutex_unlock(&files->lock);
	}
	return true;
}

/* Adds [offset, offset + bytes) of a file to its digest, and to the tensor's where there is
 * one; compares its CRC-32. */
static bool
digest_range(struct reader *reader, size_t file, uint64_t offset, uint64_t bytes,
	uint32_t expected, struct error *err)
{
	struct output_files *files = reader->files;
	int                  fd = files->parts[file].fd;
	uint32_t             crc = 0;

	while (bytes > 0) {
		size_t step = bytes < BLOCK_BYTES ? (size_t)bytes : BLOCK_BYTES;

		if (!signals_go_on(err) || (files->options.from_disk
			&& !settle(reader, file, offset + step, err)))
			return false;
		if (!read_at(fd, offset, reader->block, step, err))
			return false;
		digest_add(reader->digest, reader->block, step);
		if (reader->tensor_digest != NULL)
			digest_add(reader->tensor_digest, reader->block, step);
		crc = crc32_of(crc, reader->block, step);
		start_writeback(fd, offset, offset + step);
		offset += step;
		bytes -= step;
		pthread_mutex_lock(&files->lock);
		files->read_back += step;
		pthread_mutex_unlock(&files->lock);
	}
	return crc == expected || error_set(err, ERROR_NO_OUTPUT, "readback",
		"what was read back is not what was written (CRC-32 expected %08x, found %08x)",
		expected, crc);
}

static bool
digest_tensor(struct reader *reader, size_t tensor, struct error *err)
{
	struct output_files      *files = reader->files;
	const struct plan_tensor *target = &files->plan->tensors[tensor];
	struct text               front = { 0 };
	bool                      done;

	done = wait_for_tensor(files, tensor, err) && make_front(files, tensor, &front, err)
		&& digest_range(reader, target->file, target->offset - front.length, front.length,
			crc32_of(0, front.bytes, front.length), err);
	if (done && files->options.digests_tensors) {
		reader->tensor_digest = digest_open(DIGEST_SHA256);
		done = reader->tensor_digest != NULL || error_no_memory(err, 0);
	}
	done = done && digest_range(reader, target->file, target->offset, target->bytes,
		files->written[tensor].crc, err);
	if (done && reader->tensor_digest != NULL)
		digest_hex(reader->tensor_digest, files->written[tensor].sha256);
	digest_close(reader->tensor_digest);
	reader->tensor_digest = NULL;
	text_free(&front);
	return done || error_in_tensor(err, target->name);
}

static bool
digest_file(struct reader *reader, size_t file, struct error *err)
{
	struct output_files      *files = reader->files;
	const struct stored_file *facts = &files->plan->files->files[file];
	struct text               tail = { 0 };
	bool                      done = true;

	reader->settled = 0;
	if ((reader->digest = digest_open(DIGEST_SHA256)) == NULL)
		return error_no_memory(err, 0);
	for (size_t i = 0; i < facts->count && done; i++)
		done = digest_tensor(reader, facts->first + i, err);
	done = done && make_tail(files, file, &tail, err)
		&& digest_range(reader, file, facts->bytes - tail.length, tail.length,
			crc32_of(0, tail.bytes, tail.length), err);
	if (done)
		digest_hex(reader->digest, files->parts[file].sha256);
	digest_close(reader->digest);
	reader->digest = NULL;
	text_free(&tail);
	return done || error_in_file(err, facts->name);
}

/* The next file for a reader; false: others have all of them. */
static bool
take_file(struct output_files *files, size_t *file)
{
	pthread_mutex_lock(&files->lock);
	*file = files->next;
	files->next += files->next < files->plan->files->file_count;
	pthread_mutex_unlock(&files->lock);
	return *file < files->plan->files->file_count;
}

bool
output_files_read_back(void *context, struct error *err)
{
	struct reader reader = { .files = context, .block = malloc(BLOCK_BYTES) };
	bool          done = reader.block != NULL || error_no_memory(err, BLOCK_BYTES);
	size_t        file;

	while (done && take_file(reader.files, &file))
		done = digest_file(&reader, file, err);
	free(reader.block);
	return done;
}

uint64_t
output_files_progress(struct output_files *files)
{
	uint64_t bytes;

	pthread_mutex_lock(&files->lock);
	bytes = files->read_back;
	pthread_mutex_unlock(&files->lock);
	return bytes;
}

uint64_t
output_files_kept(const struct output_files *files)
{
	return files->kept;
}

const char *
output_files_sha256(const struct output_files *files, size_t file)
{
	return files->parts[file].sha256;
}

const char *
output_files_tensor_sha256(const struct output_files *files, size_t tensor)
{
	return files->written[tensor].sha256;
}

const struct element_specials *
output_files_specials(const struct output_files *files, size_t tensor)
{
	return &files->written[tensor].specials;
}

void
output_files_close(struct output_files *files)
{
	if (files == NULL)
		return;
	pthread_mutex_destroy(&files->lock);
	pthread_cond_destroy(&files->changed);
	free(files->written);
	free(files->parts);
	free(files);
}
