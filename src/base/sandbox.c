#include "base/sandbox.h"

#include "base/descriptor.h"
#include "base/instrumented.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * The interface as linux/landlock.h of Linux 6.12 has it: what is installed is often older than
 * the kernel that runs.  System calls above 423 have the same number on every architecture.
 *
 *   version  Linux  brought
 *   1        5.13   the first thirteen kinds of access to files
 *   2        5.19   to move files between folders
 *   3        6.2    to truncate
 *   4        6.7    TCP
 *   5        6.10   to control devices
 *   6        6.12   abstract UNIX sockets, signals to others
 */
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule       445
#define SYS_landlock_restrict_self  446
#endif

#define ASK_VERSION 1u          /* flag of landlock_create_ruleset */
#define PATH_BENEATH 1          /* the kind of rule */

struct ruleset_attributes {
	uint64_t files, network, scopes;
};

/* Packed in the kernel's header too. */
struct beneath {
	uint64_t access;
	int32_t  at;
} __attribute__((packed));

enum {
	EXECUTE = 1 << 0, WRITE_FILE = 1 << 1, READ_FILE = 1 << 2, READ_DIRECTORY = 1 << 3,
	REMOVE_DIRECTORY = 1 << 4, REMOVE_FILE = 1 << 5,
	/* MAKE_CHARACTER_DEVICE = 1 << 6 */
	MAKE_DIRECTORY = 1 << 7, MAKE_REGULAR = 1 << 8,
	/* MAKE_SOCKET = 1 << 9, MAKE_FIFO = 1 << 10, MAKE_BLOCK_DEVICE = 1 << 11,
	 * MAKE_LINK = 1 << 12, MOVE_BETWEEN_FOLDERS = 1 << 13 */
	TRUNCATE = 1 << 14, CONTROL_DEVICE = 1 << 15,
	OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | CONTROL_DEVICE,
};

static const uint64_t rights[] = {
	[SANDBOX_LIST] = READ_DIRECTORY,
	[SANDBOX_READ] = READ_DIRECTORY | READ_FILE,
	[SANDBOX_APPEND] = WRITE_FILE,
	[SANDBOX_FILL] = READ_DIRECTORY | READ_FILE | WRITE_FILE | TRUNCATE | MAKE_DIRECTORY
		| MAKE_REGULAR | REMOVE_DIRECTORY | REMOVE_FILE,
	[SANDBOX_ASK] = READ_FILE | WRITE_FILE | CONTROL_DEVICE,
};

/* Of files, the first so many bits. */
static uint64_t
known_to(long version)
{
	static const unsigned bits[] = { 0, 13, 14, 15, 15, 16 };
	const long            last = sizeof bits / sizeof *bits - 1;

	return ((uint64_t)1 << bits[version < last ? version : last]) - 1;
}

void
sandbox_open(struct sandbox *sandbox)
{
	struct ruleset_attributes refused = { .files = 0 };
	long                      version = -1;

	*sandbox = (struct sandbox){ .ruleset = -1 };
	if (!INSTRUMENTED)
		version = syscall(SYS_landlock_create_ruleset, NULL, 0, ASK_VERSION);
	if (version < 1)
		return;
	refused.files = sandbox->known = known_to(version);
	if (version >= 4)
		refused.network = 1 << 0 | 1 << 1;      /* to bind and to connect */
	if (version >= 6)
		refused.scopes = 1 << 0 | 1 << 1;       /* abstract UNIX sockets, signals */
	/* An older kernel takes the longer structure as long as what it does not know is 0. */
	sandbox->ruleset = (int)syscall(SYS_landlock_create_ruleset, &refused, sizeof refused, 0);
}

int
sandbox_open_place(struct sandbox *sandbox, int directory, const char *path)
{
	int fd = descriptor_open(directory, path, O_PATH, 0);

	if (fd < 0 && sandbox->ruleset >= 0
	    && (errno == ENOMEM || errno == EMFILE || errno == ENFILE || errno == EIO)) {
		close(sandbox->ruleset);
		sandbox->ruleset = -1;
	}
	return fd;
}

void
sandbox_allow(struct sandbox *sandbox, int at, enum sandbox_access access)
{
	struct beneath rule = { .access = rights[access] & sandbox->known, .at = at };
	struct stat    found;

	if (sandbox->ruleset < 0 || fstat(at, &found) != 0)
		return;
	if (!S_ISDIR(found.st_mode))
		rule.access &= OF_FILES;
	if (rule.access != 0)
		syscall(SYS_landlock_add_rule, sandbox->ruleset, PATH_BENEATH, &rule, 0);
}

bool
sandbox_enter(struct sandbox *sandbox)
{
	bool bound;

	if (sandbox->ruleset < 0)
		return false;
	/* Without it only root may bind itself: a set-user-ID program would run bound. */
	bound = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
		&& syscall(SYS_landlock_restrict_self, sandbox->ruleset, 0) == 0;
	close(sandbox->ruleset);
	sandbox->ruleset = -1;
	return bound;
}
