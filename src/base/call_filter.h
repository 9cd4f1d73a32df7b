#ifndef BASE_CALL_FILTER_H
#define BASE_CALL_FILTER_H

#include <stdbool.h>

/*
 * Seccomp: system calls that this process cannot make from now on.  No socket, no other program,
 * no other process, none of the calls that would make up for these, no modes, owners, times and
 * attributes of files, no control over the machine.  They fail with EPERM; calls in the manner
 * of another architecture end the process.  Threads can be started.
 *
 * One thread: it and those that it starts later are bound, for good.  false: nothing is bound;
 * the kernel has no filters, or the architecture is not one of x86-64, aarch64 and riscv64.
 */
bool call_filter_enter(void);

#endif
