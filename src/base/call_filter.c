#include "base/call_filter.h"

#include "base/instrumented.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Where clone() has its flags first, and arguments lie low byte first. */
#if defined __x86_64__ && !defined __ILP32__
#define OUR_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined __aarch64__ && defined __AARCH64EL__
#define OUR_ARCHITECTURE AUDIT_ARCH_AARCH64
#elif defined __riscv && __riscv_xlen == 64
#define OUR_ARCHITECTURE AUDIT_ARCH_RISCV64
#endif

#ifndef OUR_ARCHITECTURE

bool
call_filter_enter(void)
{
	return false;
}

#else

/* Younger than most headers; the same everywhere. */
enum { FCHMODAT2 = 452, SETXATTRAT = 463, REMOVEXATTRAT = 466 };

/* Not all architectures have the older ones. */
static const uint32_t refused[] = {
	/* the network */
	SYS_socket, SYS_socketpair, SYS_connect, SYS_bind, SYS_listen, SYS_accept, SYS_accept4,
	/* other programs and processes; fork() is clone() in the C library */
	SYS_execve, SYS_execveat, SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev,
	SYS_kill, SYS_rt_sigqueueinfo, SYS_pidfd_send_signal, SYS_pidfd_getfd, SYS_setns, SYS_unshare,
#ifdef SYS_fork
	SYS_fork, SYS_vfork,
#endif
	/* calls that are made by way of a ring, past this filter */
	SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register,
	/* what Landlock does not look at, or did not always */
	SYS_truncate, SYS_fchmod, SYS_fchmodat, SYS_fchown, SYS_fchownat, SYS_utimensat,
	SYS_setxattr, SYS_lsetxattr, SYS_fsetxattr,
	SYS_removexattr, SYS_lremovexattr, SYS_fremovexattr,
	FCHMODAT2, SETXATTRAT, REMOVEXATTRAT,
#ifdef SYS_chmod
	SYS_chmod, SYS_chown, SYS_lchown, SYS_utime, SYS_utimes, SYS_futimesat,
#endif
	/* the machine */
	SYS_mount, SYS_move_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_open_by_handle_at,
	SYS_reboot,
	SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_kexec_load, SYS_bpf,
	SYS_perf_event_open, SYS_userfaultfd, SYS_add_key, SYS_request_key, SYS_keyctl,
};

#define REFUSED (sizeof refused / sizeof *refused)

/* The filter: seccomp_data in, a verdict out.  Jumps are counted from the next instruction. */
#define LOAD(field) \
	{ BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, field) }
#define JUMP_IF_EQUAL(value, then, otherwise) \
	{ BPF_JMP | BPF_JEQ | BPF_K, (then), (otherwise), (value) }
#define JUMP_IF_SET(bits, then, otherwise) \
	{ BPF_JMP | BPF_JSET | BPF_K, (then), (otherwise), (bits) }
#define VERDICT(verdict) { BPF_RET | BPF_K, 0, 0, (verdict) }

enum { HEAD = 10, TAIL = 2 };
_Static_assert(REFUSED < 255, "a jump goes at most 255 instructions far");

/*
 * x86-64 has its calls a second time, for pointers of 32 bits, with bit 30 set: they are none of
 * ours.  clone3() has its flags in memory, where a filter cannot look; the C library takes
 * clone() where the kernel does not know it.
 */
static const struct sock_filter head[HEAD] = {
	LOAD(arch),
	JUMP_IF_EQUAL(OUR_ARCHITECTURE, 1, 0),
	VERDICT(SECCOMP_RET_KILL_PROCESS),
	LOAD(nr),
	JUMP_IF_SET(0x40000000, 1, 0),
	JUMP_IF_EQUAL(SYS_clone3, 0, 1),
	VERDICT(SECCOMP_RET_ERRNO | ENOSYS),
	JUMP_IF_EQUAL(SYS_clone, 0, 2),
	LOAD(args[0]),
	JUMP_IF_SET(CLONE_THREAD, REFUSED, REFUSED + 1),
};

bool
call_filter_enter(void)
{
	struct sock_filter filter[HEAD + REFUSED + TAIL];
	struct sock_fprog  program = { .len = HEAD + REFUSED + TAIL, .filter = filter };
	const unsigned     flags = SECCOMP_FILTER_FLAG_SPEC_ALLOW;

	if (INSTRUMENTED)
		return false;
	for (size_t i = 0; i < HEAD; i++)
		filter[i] = head[i];
	for (size_t i = 0; i < REFUSED; i++)
		filter[HEAD + i] = (struct sock_filter)
			JUMP_IF_EQUAL(refused[i], (uint8_t)(REFUSED - i), 0);
	filter[HEAD + REFUSED] = (struct sock_filter)VERDICT(SECCOMP_RET_ALLOW);
	filter[HEAD + REFUSED + 1] = (struct sock_filter)VERDICT(SECCOMP_RET_ERRNO | EPERM);
	/* SPEC_ALLOW: kernels before 5.16 would slow a bound process down, to keep programs that
	 * it runs from guessing at its memory; it runs none. */
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
		&& syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) == 0;
}

#endif
