/*
 * measure [-f] RESULTS LABEL COMMAND ...: runs COMMAND with its standard output dropped and
 * adds one line to RESULTS, fields parted by tabs:
 *
 *     LABEL   wall seconds   user + system seconds   peak memory in KiB   first byte
 *
 * With -f the standard error of COMMAND is read, not shown, and the last field holds the
 * seconds until its first byte; otherwise a dash.  The exit status is that of COMMAND.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"

struct outcome {
	double        wall, first_byte; /* seconds; first_byte < 0: there was none */
	int           status;
	struct rusage usage;
};

static double
seconds(struct timeval time)
{
	return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

/* In the child.  `talk` takes the place of standard error unless it is -1. */
static void
become(char **command, int talk)
{
	int null = open("/dev/null", O_WRONLY);

	if (null < 0 || dup2(null, STDOUT_FILENO) < 0)
		err(127, "/dev/null");
	if (talk >= 0 && dup2(talk, STDERR_FILENO) < 0)
		err(127, "standard error");
	execvp(command[0], command);
	err(127, "%s", command[0]);
}

/* Reads `from` to its end; returns the time of its first byte, or a negative number. */
static double
time_of_first_byte(int from)
{
	char    bytes[4096];
	double  first = -1;
	ssize_t got;

	while ((got = read(from, bytes, sizeof bytes)) > 0 || (got < 0 && errno == EINTR))
		if (got > 0 && first < 0)
			first = seconds_now();
	return first;
}

static struct outcome
run(char **command, bool watch_talk)
{
	struct outcome outcome = { .first_byte = -1 };
	int            talk[2] = { -1, -1 };
	double         start, first;
	pid_t          child;

	if (watch_talk && pipe2(talk, O_CLOEXEC) != 0)
		err(1, "pipe");
	start = seconds_now();
	if ((child = fork()) < 0)
		err(1, "fork");
	if (child == 0)
		become(command, talk[1]);
	if (watch_talk) {
		close(talk[1]);
		if ((first = time_of_first_byte(talk[0])) >= 0)
			outcome.first_byte = first - start;
		close(talk[0]);
	}
	if (wait4(child, &outcome.status, 0, &outcome.usage) != child)
		err(1, "wait");
	outcome.wall = seconds_now() - start;
	return outcome;
}

static void
write_line(const char *path, const char *label, const struct outcome *outcome)
{
	FILE *out = fopen(path, "a");

	if (out == NULL)
		err(1, "%s", path);
	fprintf(out, "%s\t%.3f\t%.3f\t%ld\t", label, outcome->wall,
		seconds(outcome->usage.ru_utime) + seconds(outcome->usage.ru_stime),
		outcome->usage.ru_maxrss);
	if (outcome->first_byte < 0)
		fprintf(out, "-\n");
	else
		fprintf(out, "%.4f\n", outcome->first_byte);
	if (fclose(out) != 0)
		err(1, "%s", path);
}

int
main(int argc, char **argv)
{
	struct outcome outcome;
	bool           watch_talk = argc > 1 && strcmp(argv[1], "-f") == 0;
	char         **arguments = argv + 1 + watch_talk;

	if (argc - watch_talk < 4)
		errx(2, "usage: measure [-f] RESULTS LABEL COMMAND ...");
	outcome = run(arguments + 2, watch_talk);
	if (WIFSIGNALED(outcome.status))
		errx(1, "%s ended by signal %d", arguments[2], WTERMSIG(outcome.status));
	if (WEXITSTATUS(outcome.status) == 0)
		write_line(arguments[0], arguments[1], &outcome);
	return WEXITSTATUS(outcome.status);
}
