#include "base/page_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define TRIES     3
#define MOST_PAGES 4096                 /* that are asked about at once */

/* Waits until the device has them.  Where a range cannot be asked for, all of the file. */
static bool
write_out(int fd, uint64_t offset, size_t length, struct error *err)
{
	if (sync_file_range(fd, (off_t)offset, (off_t)length, SYNC_FILE_RANGE_WAIT_BEFORE
		| SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER) == 0)
		return true;
	if ((errno == ENOSYS || errno == EINVAL || errno == ESPIPE || errno == EPERM)
	    && fdatasync(fd) == 0)
		return true;
	return error_os(err, ERROR_NO_OUTPUT, "eio", "cannot write to the device");
}

/* Looking does not make a page resident; what cannot be looked at counts as kept. */
static uint64_t
count_kept(int fd, uint64_t offset, size_t length)
{
	const size_t   page = (size_t)sysconf(_SC_PAGESIZE);
	unsigned char  resident[MOST_PAGES];
	unsigned char *map = mmap(NULL, length, PROT_READ, MAP_SHARED, fd, (off_t)offset);
	uint64_t       kept = 0;

	if (map == MAP_FAILED)
		return length;
	for (size_t at = 0; at < length; at += MOST_PAGES * page) {
		size_t left = length - at < MOST_PAGES * page ? length - at : MOST_PAGES * page;
		bool   is_known = mincore(map + at, left, resident) == 0;

		for (size_t i = 0; i * page < left; i++)
			if (!is_known || (resident[i] & 1) != 0)
				kept += left - i * page < page ? left - i * page : page;
	}
	munmap(map, length);
	return kept;
}

bool
page_cache_drop(int fd, uint64_t offset, size_t length, uint64_t *kept, struct error *err)
{
	*kept = length;
	if (!write_out(fd, offset, length, err))
		return false;
	/* A page that is on its way through the kernel's lists is passed over. */
	for (unsigned i = 0; i < TRIES && *kept > 0; i++) {
		posix_fadvise(fd, (off_t)offset, (off_t)length, POSIX_FADV_DONTNEED);
		*kept = count_kept(fd, offset, length);
	}
	return true;
}
