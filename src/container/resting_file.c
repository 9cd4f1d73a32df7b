#include "container/resting_file.h"

#include "base/descriptor.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Left for output, directories, the C library: or, where there are few, three quarters. */
#define SPARE_DESCRIPTORS ((rlim_t)64)

struct resting_file {
	int                 fd;         /* -1 while it rests */
	unsigned            users;
	char               *path;       /* NULL: it never rests */
	struct stat         opened;
	struct resting_file *older, *newer;      /* of the open ones with a path, by last use */
};

/* Descriptors belong to the process, so this does; `lock` is of everything but `path`. */
static pthread_mutex_t     lock = PTHREAD_MUTEX_INITIALIZER;
static struct resting_file *oldest, *newest;
static size_t              open_count;

bool
resting_file_is_same(const struct stat *then, const struct stat *now)
{
	return now->st_size == then->st_size && now->st_ino == then->st_ino
		&& now->st_dev == then->st_dev
		&& now->st_mtim.tv_sec == then->st_mtim.tv_sec
		&& now->st_mtim.tv_nsec == then->st_mtim.tv_nsec
		&& now->st_ctim.tv_sec == then->st_ctim.tv_sec
		&& now->st_ctim.tv_nsec == then->st_ctim.tv_nsec;
}

/* ---- who is open ------------------------------------------------------------------ */

static void
leave_list(struct resting_file *handle)
{
	*(handle->older != NULL ? &handle->older->newer : &oldest) = handle->newer;
	*(handle->newer != NULL ? &handle->newer->older : &newest) = handle->older;
	handle->older = handle->newer = NULL;
	open_count--;
}

static void
join_list(struct resting_file *handle)
{
	handle->older = newest;
	*(newest != NULL ? &newest->newer : &oldest) = handle;
	newest = handle;
	open_count++;
}

/* How many may be open. */
static size_t
most_open(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > (rlim_t)1 << 20)
		return (size_t)1 << 20;
	return limit.rlim_cur > 2 * SPARE_DESCRIPTORS
		? (size_t)(limit.rlim_cur - SPARE_DESCRIPTORS) : (size_t)limit.rlim_cur / 4;
}

/* For one more; what is read from stays open in any case. */
static void
make_room(void)
{
	struct resting_file *handle = oldest;
	size_t              most = most_open();

	while (handle != NULL && open_count >= most) {
		struct resting_file *next = handle->newer;

		if (handle->users == 0) {
			leave_list(handle);
			close(handle->fd);
			handle->fd = -1;
		}
		handle = next;
	}
}

static bool
wake(struct resting_file *handle, struct error *err)
{
	struct stat now;

	make_room();
	handle->fd = descriptor_open(AT_FDCWD, handle->path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	if (handle->fd < 0 || fstat(handle->fd, &now) != 0) {
		error_os(err, ERROR_NO_INPUT, "noinput", "cannot open it again");
	} else if (!resting_file_is_same(&handle->opened, &now)) {
		error_set(err, ERROR_CORRUPT, "changing",
			"changed while being read (another file is in its place)");
	} else {
		join_list(handle);
		return true;
	}
	if (handle->fd >= 0)
		close(handle->fd);
	handle->fd = -1;
	return false;
}

/* ---- handles ---------------------------------------------------------------------- */

struct resting_file *
resting_file_new(int fd, const struct stat *opened)
{
	struct resting_file *handle = calloc(1, sizeof *handle);

	if (handle == NULL) {
		close(fd);
		return NULL;
	}
	handle->fd = fd;
	handle->opened = *opened;
	return handle;
}

bool
resting_file_may_rest(struct resting_file *handle, const char *path, struct error *err)
{
	if ((handle->path = strdup(path)) == NULL)
		return error_no_memory(err, strlen(path) + 1);
	pthread_mutex_lock(&lock);
	make_room();
	join_list(handle);
	pthread_mutex_unlock(&lock);
	return true;
}

int
resting_file_hold(struct resting_file *handle, struct error *err)
{
	int fd = -1;

	pthread_mutex_lock(&lock);
	if (handle->fd >= 0 || wake(handle, err)) {
		if (handle->path != NULL && handle != newest) {
			leave_list(handle);
			join_list(handle);
		}
		handle->users++;
		fd = handle->fd;
	}
	pthread_mutex_unlock(&lock);
	return fd;
}

void
resting_file_release(struct resting_file *handle)
{
	pthread_mutex_lock(&lock);
	handle->users--;
	pthread_mutex_unlock(&lock);
}

void
resting_file_free(struct resting_file *handle)
{
	if (handle == NULL)
		return;
	pthread_mutex_lock(&lock);
	if (handle->fd >= 0) {
		if (handle->path != NULL)
			leave_list(handle);
		close(handle->fd);
	}
	pthread_mutex_unlock(&lock);
	free(handle->path);
	free(handle);
}
