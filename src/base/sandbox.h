#ifndef BASE_SANDBOX_H
#define BASE_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Landlock: the files that this process can reach from now on, where the kernel has it (Linux
 * 5.13 on; each later version of it that knows more kinds of access is used).  What is not
 * allowed fails with EACCES: to read, list, write, make, remove, rename, truncate and execute
 * files, to control devices, and TCP.  What is open stays open.  Names, kinds, sizes and owners
 * of files can still be asked for.
 *
 * One thread: it and those that it starts later are bound, for good.
 */
struct sandbox {
	int      ruleset;       /* -1: there is no Landlock, and the other functions do nothing */
	uint64_t known;         /* kinds of access to files that this kernel can refuse */
};

enum sandbox_access {
	SANDBOX_LIST,           /* names in a folder */
	SANDBOX_READ,           /* and to read files */
	SANDBOX_APPEND,         /* to write files that are there */
	SANDBOX_FILL,           /* to read, make, write, rename and remove */
	SANDBOX_ASK,            /* a terminal, to read and write and to control it */
};

void sandbox_open(struct sandbox *sandbox);
/* Opens a place, with O_PATH.  -1: it is not there, or out of reach; where it only cannot be
 * opened now (no memory), nothing will be bound, so that the command can say why. */
int sandbox_open_place(struct sandbox *sandbox, int directory, const char *path);
/* The file that `at` is open on, O_PATH will do, or the folder and all below it.  What the
 * kernel does not take is not allowed. */
void sandbox_allow(struct sandbox *sandbox, int at, enum sandbox_access access);
/* false: nothing is bound. */
bool sandbox_enter(struct sandbox *sandbox);

#endif
