#include "cli/passphrase.h"

#include "base/descriptor.h"
#include "base/signals.h"
#include "base/text.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define REASON_SIZE 256
#define VARIABLE    "MEGATRON2HF_PASSPHRASE"

static void
say(int terminal, const char *words)
{
	/* A terminal that takes no prompt may still give an answer. */
	if (write(terminal, words, strlen(words)) < 0)
		return;
}

/* poll() is not restarted after a signal, as read() would be: the echo must come back on. */
static bool
wait_for_input(int terminal)
{
	struct pollfd ready = { .fd = terminal, .events = POLLIN };
	struct error  unused;

	while (poll(&ready, 1, 200) <= 0) {
		if (!signals_go_on(&unused))
			return false;
	}
	return true;
}

/* One line without its end; false: too long, a signal, or the terminal is gone. */
static bool
read_line(int terminal, char *to, size_t size)
{
	size_t length = 0;
	char   c = '\0';

	while (wait_for_input(terminal) && read(terminal, &c, 1) == 1) {
		if (c == '\n') {
			to[length] = '\0';
			return true;
		}
		if (length + 1 >= size)
			return false;
		to[length++] = c;
	}
	return false;
}

static bool
ask_at(int terminal, char *to, size_t size)
{
	struct termios before, silent;
	bool           done;

	if (tcgetattr(terminal, &before) != 0)
		return false;
	silent = before;
	silent.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK);
	silent.c_lflag |= ECHONL | ICANON;
	if (tcsetattr(terminal, TCSAFLUSH, &silent) != 0)
		return false;
	say(terminal, "passphrase of the private key: ");
	done = read_line(terminal, to, size);
	tcsetattr(terminal, TCSAFLUSH, &before);
	return done;
}

bool
passphrase_ask(void *context, char *to, size_t size, char *reason)
{
	const char *given = getenv(VARIABLE);
	int         terminal;
	bool        done = false;

	(void)context;
	if (given != NULL) {
		if (strlen(given) < size) {
			memcpy(to, given, strlen(given) + 1);
			return true;
		}
		text_format(reason, REASON_SIZE, VARIABLE " is too long");
		return false;
	}
	if ((terminal = descriptor_open(AT_FDCWD, "/dev/tty", O_RDWR, 0)) < 0) {
		text_format(reason, REASON_SIZE, VARIABLE
			" is not set, and there is no terminal to ask at");
		return false;
	}
	if (!(done = ask_at(terminal, to, size)))
		text_format(reason, REASON_SIZE, "no passphrase was given");
	close(terminal);
	return done;
}
