#include "base/crypt_memory.h"
#include "base/signals.h"
#include "cli/command.h"
#include "megatron2hf.h"

#include <fcntl.h>
#include <unistd.h>

/*
 * Started with standard input, output or error closed, the next file opened would take its
 * number, and messages would end up in a model.  What takes it is open the wrong way round, so
 * that whoever uses it is told, as if it were still closed.  open() gives the lowest free
 * number, so that this loop ends as soon as all three are taken.
 */
static void
open_standard_descriptors(void)
{
	int descriptor;

	do
		descriptor = open("/dev/null", fcntl(STDIN_FILENO, F_GETFD) < 0 ? O_WRONLY : O_RDONLY);
	while (descriptor >= 0 && descriptor <= STDERR_FILENO);
	if (descriptor >= 0)
		close(descriptor);
}

int
main(int argc, char **argv)
{
	int status;

	open_standard_descriptors();
	crypt_memory_watch();
	m2h_install_signals();
	status = command_run(argc, argv);
	/* All is cleaned up: let the shell see which signal it was. */
	if (status >= M2H_SIGNAL)
		signals_raise_default(status - M2H_SIGNAL);
	return status;
}
