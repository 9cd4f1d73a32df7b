#include "plan/small_writes.h"

#include "check.h"
#include "memory_file.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define FILE_BYTES ((size_t)3 << 20)

static struct small_writes  writes;
static struct error         err;
static unsigned char        expected[FILE_BYTES], found[FILE_BYTES];

static int
new_file(void)
{
	int fd = memfd_create("small_writes", 0);

	memory_file_must(fd >= 0, "memfd_create");
	memset(&writes, 0, sizeof writes);
	return fd;
}

static bool
put(int fd, uint64_t offset, size_t count)
{
	return small_writes_put(&writes, fd, "model.safetensors", offset, expected + offset, count, &err);
}

/* How much of the file is there. */
static long long
size_of(int fd)
{
	struct stat facts;

	return fstat(fd, &facts) == 0 ? (long long)facts.st_size : -1;
}

static bool
is_written(int fd, size_t offset, size_t count)
{
	return pread(fd, found, count, (off_t)offset) == (ssize_t)count
		&& memcmp(found, expected + offset, count) == 0;
}

static void
small_ones_wait(void)
{
	int fd = new_file();

	CHECK(put(fd, 100, 20) && put(fd, 120, 30) && put(fd, 90, 10), "%s", err.text);
	CHECK(size_of(fd) == 0, "they touch, and nothing was written: %lld", size_of(fd));
	CHECK(writes.flushes == 0, "flushes");
	CHECK(put(fd, 1000, 5) && size_of(fd) == 150 && is_written(fd, 90, 60),
		"one that does not touch sends them out: %lld", size_of(fd));
	CHECK(writes.flushes == 1, "flushes");
	CHECK(small_writes_flush(&writes, &err) && is_written(fd, 1000, 5), "flush");
	CHECK(writes.length == 0 && small_writes_flush(&writes, &err) && size_of(fd) == 1005,
		"nothing waits");
	close(fd);
}

static void
large_ones_go(void)
{
	int fd = new_file();

	CHECK(put(fd, 0, 1000) && put(fd, 1000, SMALL_WRITES_BYTES), "%s", err.text);
	CHECK(writes.length == 0 && is_written(fd, 0, 1000 + SMALL_WRITES_BYTES),
		"what waits in front goes with it");
	CHECK(put(fd, FILE_BYTES - 8, 8) && put(fd, FILE_BYTES - 8 - (2 << 20), 2 << 20)
		&& writes.length == 0 && is_written(fd, FILE_BYTES - 8 - (2 << 20), (2 << 20) + 8),
		"what waits behind goes with it, more than one step");
	close(fd);
	fd = new_file();
	CHECK(put(fd, 0, 1000) && put(fd, 5000, SMALL_WRITES_BYTES + 1)
		&& writes.length == 1000 && writes.flushes == 0
		&& is_written(fd, 5000, SMALL_WRITES_BYTES + 1), "a large one elsewhere goes alone");
	CHECK(put(fd, 1000, 7) && writes.length == 1007, "and what waited, waits");
	close(fd);
}

/* A piece that waits is older than what is written over it. */
static void
same_place(void)
{
	static const unsigned char zeros[20];
	int fd = new_file();

	CHECK(small_writes_put(&writes, fd, "model.safetensors", 1000, zeros, 20, &err)
		&& put(fd, 1000, SMALL_WRITES_BYTES + 1) && small_writes_flush(&writes, &err)
		&& is_written(fd, 1000, SMALL_WRITES_BYTES + 1), "from its start");
	CHECK(small_writes_put(&writes, fd, "model.safetensors", 2000, zeros, 20, &err)
		&& put(fd, 1000, SMALL_WRITES_BYTES + 1) && small_writes_flush(&writes, &err)
		&& is_written(fd, 1000, SMALL_WRITES_BYTES + 1), "amid a large one");
	CHECK(small_writes_put(&writes, fd, "model.safetensors", 2000, zeros, 20, &err)
		&& put(fd, 2010, 10) && put(fd, 2000, 10) && small_writes_flush(&writes, &err)
		&& is_written(fd, 1000, SMALL_WRITES_BYTES + 1), "of small ones");
	CHECK(put(fd, 90000, 5) && small_writes_put(&writes, fd, "model.safetensors", 0, NULL, 0, &err)
		&& writes.length == 5, "nothing is put nowhere");
	close(fd);
}

static void
room_ends(void)
{
	int fd = new_file();

	CHECK(put(fd, 0, SMALL_WRITES_BYTES) && size_of(fd) == 0, "as many as there is room for");
	CHECK(put(fd, SMALL_WRITES_BYTES, 1) && writes.length == 0
		&& is_written(fd, 0, SMALL_WRITES_BYTES + 1), "and one more");
	close(fd);
}

static void
files_are_apart(void)
{
	int one = new_file(), other = memfd_create("other", 0);

	CHECK(put(one, 0, 10) && put(other, 10, 10), "%s", err.text);
	CHECK(size_of(one) == 10 && size_of(other) == 0 && small_writes_flush(&writes, &err)
		&& is_written(one, 0, 10) && is_written(other, 10, 10), "neighbours of two files");
	close(one);
	close(other);
}

static void
reading_what_waits(void)
{
	int fd = new_file();

	CHECK(!small_writes_read(&writes, fd, 0, found, 1), "nothing");
	put(fd, 100, 20);
	memset(found, 0, 20);
	CHECK(small_writes_read(&writes, fd, 105, found, 15)
		&& memcmp(found, expected + 105, 15) == 0, "a part");
	CHECK(!small_writes_read(&writes, fd, 99, found, 5), "from before");
	CHECK(!small_writes_read(&writes, fd, 105, found, 16), "over the end");
	CHECK(!small_writes_read(&writes, fd, UINT64_MAX, found, 2), "far away");
	CHECK(!small_writes_read(&writes, fd + 1, 105, found, 15), "of another file");
	close(fd);
}

/* Pieces of all sizes in any order make the file. */
static void
any_order(unsigned seed)
{
	size_t cuts[400], order[400], count = 0;
	bool   done = true;
	int    fd = new_file();

	srandom(seed);
	for (size_t at = 0; at < FILE_BYTES && count < 399; count++) {
		cuts[count] = at;
		order[count] = count;
		at += random() % 8 == 0 ? (size_t)random() % 200000 + 1 : (size_t)random() % 5000 + 1;
		at = at < FILE_BYTES ? at : FILE_BYTES;
	}
	cuts[count] = FILE_BYTES;
	for (size_t i = seed % 2 == 0 ? count : 0; i-- > 1;) {
		size_t other = (size_t)random() % (i + 1), kept = order[i];

		order[i] = order[other];
		order[other] = kept;
	}
	for (size_t i = 0; i < count; i++)
		done = done && put(fd, cuts[order[i]], cuts[order[i] + 1] - cuts[order[i]]);
	CHECK(done && small_writes_flush(&writes, &err) && is_written(fd, 0, FILE_BYTES),
		"seed %u: %zu pieces", seed, count);
	close(fd);
}

static void
faults(void)
{
	int fd = new_file();

	close(fd);
	CHECK(put(fd, 0, 10), "it waits");
	CHECK(!put(fd, 100, 10) && err.kind == ERROR_NO_OUTPUT && err.os_errno == EBADF,
		"the fault of what waited");
	CHECK_TEXT(err.slug, "enospc", "slug");
	CHECK_TEXT(err.file, "model.safetensors", "the file");
	CHECK(!put(fd, 0, FILE_BYTES) && err.os_errno == EBADF, "of a large one");
}

int
main(void)
{
	for (size_t i = 0; i < FILE_BYTES; i++)
		expected[i] = (unsigned char)(i * 2654435761u >> 13);
	small_ones_wait();
	large_ones_go();
	same_place();
	room_ends();
	files_are_apart();
	reading_what_waits();
	for (unsigned seed = 0; seed < 20; seed++)
		any_order(seed);
	faults();
	return check_end("small_writes");
}
