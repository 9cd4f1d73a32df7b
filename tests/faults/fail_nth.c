/*
 * Stands between a program and libc (LD_PRELOAD) and asks, at the n-th call of some functions,
 * what shall become of it.  The one who started the program answers, and may do what he likes
 * before he does: look at the program's descriptors, change its files, send it a signal.
 *
 *     FAIL_NTH="CALLS:FIRST-LAST:TOLD,ANSWER"     CALLS: names with commas between, or "all"
 *
 * Hits are counted from 1 over all of CALLS and told as a line "NUMBER NAME DESCRIPTOR STACK
 * PATH" to the descriptor TOLD; DESCRIPTOR is -1 where the call has none, STACK is a number
 * that is the same for the same way to the call.  All that takes memory is called "malloc", and
 * its PATH is "CALLER<CALLER": the program or library that called, and the one that called it.  The answer is an int in native byte order:
 * 0 go on, -1 do a part of the work, else the errno to fail with.  Without ANSWER (-1) hits
 * are told only.  Nothing but read() and write() is called in between, and no memory is taken,
 * so that the object works where a sandbox forbids all else.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include <unwind.h>

#define EXPORT __attribute__((visibility("default")))
#define STACK_DEPTH 24

enum { GO_ON = 0, A_PART = -1 };

static char            calls[512];
static long            first, last, told = -1, answer = -1, count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static __thread bool   inside;

/* ---- asking ----------------------------------------------------------------------- */

__attribute__((constructor)) static void
read_order(void)
{
	const char *order = getenv("FAIL_NTH");

	if (order != NULL && sscanf(order, "%511[^:]:%ld-%ld:%ld,%ld", calls, &first, &last, &told,
		&answer) != 5)
		told = -1;
	count = 0;
}

static bool
is_meant(const char *name)
{
	size_t      length = strlen(name);
	const char *at = calls;

	if (strcmp(calls, "all") == 0)
		return strcmp(name, "malloc") != 0;
	while ((at = strstr(at, name)) != NULL) {
		if ((at == calls || at[-1] == ',') && (at[length] == ',' || at[length] == '\0'))
			return true;
		at += length;
	}
	return false;
}

/* The way to a call.  Not backtrace(), which loads a library when it is called first. */
struct way {
	void *frames[STACK_DEPTH];
	int   depth;
};

static _Unwind_Reason_Code
add_frame(struct _Unwind_Context *frame, void *context)
{
	struct way *way = context;

	way->frames[way->depth++] = (void *)_Unwind_GetIP(frame);
	return way->depth < STACK_DEPTH ? _URC_NO_REASON : _URC_END_OF_STACK;
}

static uint64_t
hash_of(const struct way *way)
{
	uint64_t hash = 14695981039346656037u;

	for (int i = 0; i < way->depth; i++)
		hash = (hash ^ (uintptr_t)way->frames[i]) * 1099511628211u;
	return hash;
}

/* The objects of the first two frames that are not ours. */
static void
name_callers(const struct way *way, char *to, size_t size)
{
	Dl_info own, found;
	size_t  used = 0;
	int     named = 0;

	to[0] = '\0';
	dladdr(calls, &own);
	for (int i = 0; i < way->depth && named < 2; i++) {
		const char *slash;

		if (dladdr(way->frames[i], &found) == 0 || found.dli_fbase == own.dli_fbase)
			continue;
		slash = strrchr(found.dli_fname, '/');
		used += (size_t)snprintf(to + used, size - used, "%s%.40s", named++ > 0 ? "<" : "",
			slash != NULL ? slash + 1 : found.dli_fname);
	}
}

static int
tell(const char *name, int fd, const char *path)
{
	char       line[4600], callers[100];
	struct way way = { .depth = 0 };
	int        length, reply = GO_ON;

	_Unwind_Backtrace(add_frame, &way);
	if (strcmp(name, "malloc") == 0) {
		name_callers(&way, callers, sizeof callers);
		path = callers;
	}
	length = snprintf(line, sizeof line, "%ld %s %d %llx %.4096s\n", count, name, fd,
		(unsigned long long)hash_of(&way), path != NULL ? path : "");

	if (syscall(SYS_write, (int)told, line, (size_t)length) != length)
		return GO_ON;
	/* A signal that comes while we wait must not answer for him. */
	while (answer >= 0 && syscall(SYS_read, (int)answer, &reply, sizeof reply) < 0
	    && errno == EINTR)
		;
	return reply;
}

/* What runs behind main() is not the program's: gcov writes its counts there. */
static void
ask_no_more(void)
{
	told = -1;
}

/* What shall become of this call? */
static int
ask(const char *name, int fd, const char *path)
{
	int reply = GO_ON, before = errno;

	if (told < 0 || inside || !is_meant(name))
		return GO_ON;
	inside = true;
	pthread_mutex_lock(&lock);
	if (count++ == 0)
		atexit(ask_no_more);
	if (count >= first && count <= last)
		reply = tell(name, fd, path);
	pthread_mutex_unlock(&lock);
	inside = false;
	errno = before;
	return reply;
}

/* ---- the real ones ---------------------------------------------------------------- */

/* A pointer to a function and one to an object are of one size wherever dlsym() is. */
static void
find(void *to, const char *name)
{
	void *found = dlsym(RTLD_NEXT, name);

	if (found == NULL)
		abort();
	memcpy(to, &found, sizeof found);
}

#define REAL(type, name, arguments) \
	static type (*real) arguments; \
	if (real == NULL) \
		find(&real, name)

/* For functions that fail with -1. */
#define ASK(name, fd, path) \
	do { \
		int reply_ = ask(name, fd, path); \
		if (reply_ > 0) { \
			errno = reply_; \
			return -1; \
		} \
	} while (0)

#define SAME(type, name, arguments, values, fd, path) \
	EXPORT type name arguments; \
	type name arguments \
	{ \
		REAL(type, #name, arguments); \
		ASK(#name, fd, path); \
		return real values; \
	}

SAME(int, close, (int fd), (fd), fd, NULL)
SAME(int, fsync, (int fd), (fd), fd, NULL)
SAME(int, fdatasync, (int fd), (fd), fd, NULL)
SAME(int, ftruncate, (int fd, off_t size), (fd, size), fd, NULL)
SAME(int, flock, (int fd, int how), (fd, how), fd, NULL)
SAME(int, fstatvfs, (int fd, struct statvfs *to), (fd, to), fd, NULL)
SAME(int, fstat, (int fd, struct stat *to), (fd, to), fd, NULL)
SAME(int, stat, (const char *path, struct stat *to), (path, to), -1, path)
SAME(int, lstat, (const char *path, struct stat *to), (path, to), -1, path)
SAME(int, fstatat, (int fd, const char *path, struct stat *to, int flags), (fd, path, to, flags),
	fd, path)
SAME(int, access, (const char *path, int how), (path, how), -1, path)
SAME(int, faccessat, (int fd, const char *path, int how, int flags), (fd, path, how, flags),
	fd, path)
SAME(int, unlink, (const char *path), (path), -1, path)
SAME(int, unlinkat, (int fd, const char *path, int flags), (fd, path, flags), fd, path)
SAME(int, mkdirat, (int fd, const char *path, mode_t mode), (fd, path, mode), fd, path)
SAME(int, mkostemp, (char *path, int flags), (path, flags), -1, path)
SAME(int, dup, (int fd), (fd), fd, NULL)
SAME(int, renameat, (int from, const char *old, int to, const char *new),
	(from, old, to, new), to, new)
SAME(int, renameat2, (int from, const char *old, int to, const char *new, unsigned flags),
	(from, old, to, new, flags), to, new)

/* ---- a part of the work ----------------------------------------------------------- */

#define PARTLY(name, arguments, values, fd, size) \
	EXPORT ssize_t name arguments; \
	ssize_t name arguments \
	{ \
		int reply; \
		REAL(ssize_t, #name, arguments); \
		reply = ask(#name, fd, NULL); \
		if (reply > 0) { \
			errno = reply; \
			return -1; \
		} \
		if (reply == A_PART && size > 1) \
			size /= 2; \
		return real values; \
	}

PARTLY(read, (int fd, void *to, size_t size), (fd, to, size), fd, size)
PARTLY(pread, (int fd, void *to, size_t size, off_t at), (fd, to, size, at), fd, size)
PARTLY(write, (int fd, const void *from, size_t size), (fd, from, size), fd, size)

/* A part: half of the first stretch that is not empty. */
EXPORT ssize_t pwritev(int fd, const struct iovec *from, int stretches, off_t at);
ssize_t
pwritev(int fd, const struct iovec *from, int stretches, off_t at)
{
	struct iovec half;
	int          reply;

	REAL(ssize_t, "pwritev", (int, const struct iovec *, int, off_t));
	reply = ask("pwritev", fd, NULL);
	if (reply > 0) {
		errno = reply;
		return -1;
	}
	if (reply != A_PART)
		return real(fd, from, stretches, at);
	while (stretches > 1 && from->iov_len == 0) {
		from++;
		stretches--;
	}
	half = *from;
	half.iov_len -= half.iov_len / 2;
	return real(fd, &half, 1, at);
}

/* ---- others ----------------------------------------------------------------------- */

EXPORT int posix_fallocate(int fd, off_t at, off_t size);
int
posix_fallocate(int fd, off_t at, off_t size)
{
	int reply = ask("posix_fallocate", fd, NULL);

	REAL(int, "posix_fallocate", (int, off_t, off_t));
	return reply > 0 ? reply : real(fd, at, size);
}

static mode_t
mode_of(int flags, va_list rest)
{
	return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE
		? (mode_t)va_arg(rest, unsigned) : 0;
}

EXPORT int open(const char *path, int flags, ...);
int
open(const char *path, int flags, ...)
{
	va_list rest;
	mode_t  mode;

	REAL(int, "open", (const char *, int, ...));
	va_start(rest, flags);
	mode = mode_of(flags, rest);
	va_end(rest);
	ASK("open", -1, path);
	return real(path, flags, mode);
}

EXPORT int openat(int fd, const char *path, int flags, ...);
int
openat(int fd, const char *path, int flags, ...)
{
	va_list rest;
	mode_t  mode;

	REAL(int, "openat", (int, const char *, int, ...));
	va_start(rest, flags);
	mode = mode_of(flags, rest);
	va_end(rest);
	ASK("openat", fd, path);
	return real(fd, path, flags, mode);
}

EXPORT DIR *fdopendir(int fd);
DIR *
fdopendir(int fd)
{
	int reply = ask("fdopendir", fd, NULL);

	REAL(DIR *, "fdopendir", (int));
	if (reply <= 0)
		return real(fd);
	errno = reply;
	return NULL;
}

EXPORT struct dirent *readdir(DIR *entries);
struct dirent *
readdir(DIR *entries)
{
	int reply = ask("readdir", dirfd(entries), NULL);

	REAL(struct dirent *, "readdir", (DIR *));
	if (reply <= 0)
		return real(entries);
	errno = reply;
	return NULL;
}

EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *how, void *(*run)(void *),
	void *argument);
int
pthread_create(pthread_t *thread, const pthread_attr_t *how, void *(*run)(void *),
	void *argument)
{
	int reply = ask("pthread_create", -1, NULL);

	REAL(int, "pthread_create",
		(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *));
	return reply > 0 ? reply : real(thread, how, run, argument);
}

/* ---- memory ----------------------------------------------------------------------- */

#define MEMORY(name, arguments, values) \
	EXPORT void *name arguments; \
	void * \
	name arguments \
	{ \
		int reply = ask("malloc", -1, NULL); \
		REAL(void *, #name, arguments); \
		if (reply <= 0) \
			return real values; \
		errno = reply; \
		return NULL; \
	}

MEMORY(malloc, (size_t size), (size))
MEMORY(calloc, (size_t many, size_t size), (many, size))
MEMORY(realloc, (void *old, size_t size), (old, size))
MEMORY(aligned_alloc, (size_t by, size_t size), (by, size))
