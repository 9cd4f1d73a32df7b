/*
 * What code would try that had taken over the process: a library for LD_PRELOAD that waits for
 * the first byte read of the input (INTRUDER_INPUT, a part of its path), and then makes the
 * attempts of the table, once.  Each is a line on the descriptor INTRUDER_LOG: its name and 0 or
 * the name of the errno.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Folders: what is to be kept from it, and where the result is made. */
static const char *victim, *parent;

static char *
in(const char *folder, const char *name)
{
	static char paths[4][4096];
	static int  next;
	char       *path = paths[next++ % 4];

	snprintf(path, sizeof paths[0], "%s/%s", folder, name);
	return path;
}

static int
closed(int fd)
{
	return fd >= 0 ? close(fd) : -1;
}

static int read_passwd(void) { return closed(open("/etc/passwd", O_RDONLY)); }
static int list_etc(void)    { return closed(open("/etc", O_RDONLY | O_DIRECTORY)); }
static int read_other(void)  { return closed(open(in(victim, "secret"), O_RDONLY)); }
static int write_other(void) { return closed(open(in(victim, "secret"), O_WRONLY)); }
static int cut_other(void)   { return truncate(in(victim, "secret"), 0); }
static int make_other(void)  { return closed(open(in(victim, "new"), O_WRONLY | O_CREAT, 0666)); }
static int make_folder(void) { return mkdir(in(victim, "folder"), 0777); }
static int make_link(void)   { return symlink("secret", in(victim, "link")); }
static int remove_other(void) { return unlink(in(victim, "old")); }
static int rename_other(void) { return rename(in(victim, "older"), in(victim, "moved")); }
static int change_mode(void) { return chmod(in(victim, "secret"), 0777); }
static int give_away(void)   { return chown(in(victim, "secret"), 1, 1); }
static int make_here(void)   { return closed(open(in(parent, "made"), O_WRONLY | O_CREAT, 0666)); }
static int take_away(void)   { return rename(in(parent, "mine"), in(victim, "mine")); }
static int remove_here(void) { return unlink(in(parent, "made")); }

static int
write_input(void)
{
	return closed(open(getenv("INTRUDER_PATH"), O_WRONLY));
}

static int inet(void)        { return closed(socket(AF_INET, SOCK_STREAM, 0)); }
static int local(void)       { return closed(socket(AF_UNIX, SOCK_STREAM, 0)); }
static int pair(void)        { return socketpair(AF_UNIX, SOCK_STREAM, 0, (int[2]){ 0 }); }
static int ring(void)        { return closed((int)syscall(SYS_io_uring_setup, 1, NULL)); }
static int signal_parent(void) { return kill(getppid(), 0); }

static int
run_program(void)
{
	static char *none[] = { "true", NULL };

	return execve("/bin/true", none, none + 1);
}

static int
start_process(void)
{
	pid_t child = fork();

	if (child == 0)
		_exit(0);
	return child > 0 ? 0 : -1;
}

static int
start_clone3(void)
{
	unsigned long long arguments[8] = { [4] = SIGCHLD };
	long               child = syscall(SYS_clone3, arguments, sizeof arguments);

	if (child == 0)
		_exit(0);
	return child > 0 ? 0 : -1;
}

static const struct {
	const char *name;
	int       (*attempt)(void);
} attempts[] = {
	{ "read /etc/passwd", read_passwd }, { "list /etc", list_etc },
	{ "read another file", read_other }, { "write another file", write_other },
	{ "truncate another file", cut_other }, { "make a file elsewhere", make_other },
	{ "make a folder elsewhere", make_folder }, { "make a link elsewhere", make_link },
	{ "remove a file elsewhere", remove_other }, { "rename a file elsewhere", rename_other },
	{ "change a mode", change_mode }, { "change an owner", give_away },
	{ "write the input", write_input },
	{ "make a file beside the output", make_here },
	{ "remove it", remove_here }, { "move a file from there", take_away },
	{ "internet socket", inet }, { "UNIX socket", local }, { "socket pair", pair },
	{ "ring of calls", ring }, { "signal to the parent", signal_parent },
	{ "run a program", run_program }, { "fork", start_process }, { "clone3", start_clone3 },
};

static void
intrude(void)
{
	const char *log = getenv("INTRUDER_LOG");

	victim = getenv("INTRUDER_VICTIM");
	parent = getenv("INTRUDER_PARENT");
	for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++) {
		errno = 0;
		dprintf(atoi(log), "%s: %s\n", attempts[i].name,
			attempts[i].attempt() == 0 ? "done" : strerrorname_np(errno));
	}
}

/* Once, when a file of that name is read for the first time. */
static void
look_at(int fd)
{
	static int  done;
	char        link[64], path[4096] = "";
	const char *input = getenv("INTRUDER_INPUT");

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	if (input == NULL || readlink(link, path, sizeof path - 1) < 0 || strstr(path, input) == NULL
	    || __atomic_exchange_n(&done, 1, __ATOMIC_SEQ_CST))
		return;
	intrude();
}

ssize_t
pread(int fd, void *to, size_t size, off_t offset)
{
	look_at(fd);
	return syscall(SYS_pread64, fd, to, size, offset);
}

ssize_t
pread64(int fd, void *to, size_t size, off_t offset)
{
	look_at(fd);
	return syscall(SYS_pread64, fd, to, size, offset);
}

ssize_t
read(int fd, void *to, size_t size)
{
	look_at(fd);
	return syscall(SYS_read, fd, to, size);
}
