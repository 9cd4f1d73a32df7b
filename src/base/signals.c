#include "base/signals.h"

#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

/* Other threads than the one that is interrupted ask for it: sig_atomic_t would be too little. */
static atomic_int caught;
_Static_assert(ATOMIC_INT_LOCK_FREE == 2, "else a signal handler may not set it");

static void
on_signal(int number)
{
	if (caught != 0) {
		signal(number, SIG_DFL);
		raise(number);
	}
	caught = number;
}

void
signals_install(void)
{
	static const int ending[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action, before;

	memset(&action, 0, sizeof action);
	sigemptyset(&action.sa_mask);
	action.sa_flags = SA_RESTART | SA_NODEFER;
	action.sa_handler = on_signal;
	for (size_t i = 0; i < sizeof ending / sizeof *ending; i++) {
		/* What the parent ignores (nohup) stays ignored. */
		if (sigaction(ending[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
			sigaction(ending[i], &action, NULL);
	}
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
}

bool
signals_go_on(struct error *err)
{
	int number = caught;

	if (number == 0)
		return true;
	error_set(err, ERROR_SIGNAL, "interrupted", "interrupted by signal %d (%s)", number,
		strsignal(number));
	err->os_errno = number;
	return false;
}

void
signals_raise_default(int signal_number)
{
	signal(signal_number, SIG_DFL);
	raise(signal_number);
}
