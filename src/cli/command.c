#include "cli/command.h"

#include "base/signals.h"
#include "cli/command_line.h"
#include "cli/confinement.h"
#include "cli/help.h"
#include "cli/report.h"
#include "cli/report_json.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static command_function *const functions[COMMAND_COUNT] = {
	[COMMAND_NONE] = command_help,          /* --help and --version need no command */
	[COMMAND_CONVERT] = command_convert,
	[COMMAND_INSPECT] = command_inspect,
	[COMMAND_VERIFY] = command_verify,
	[COMMAND_DIFF] = command_diff,
	[COMMAND_SIGN] = command_sign,
	[COMMAND_HELP] = command_help,
};

int
command_usage_status(const struct m2h_error *usage)
{
	return strcmp(usage->slug, "oom") == 0 ? M2H_LIMIT : M2H_USAGE;
}

static command_function *
function_of(const struct options *options)
{
	return options->help || options->version ? command_help : functions[options->command];
}

/* What was to be said is lost.  The little that a document takes may be there again, now that
 * the result is gone. */
static int
say_no_memory(const struct options *options, struct text *out, int status)
{
	const struct m2h_error no_memory = { "oom", "out of memory", "" };

	report_error(options, no_memory.message, NULL);
	text_free(out);
	if (!options->json)
		return status > M2H_MISMATCH ? status : M2H_LIMIT;
	return function_of(options)(options, &no_memory, out);
}

/* A reader that went away had enough, and who closed standard output wants no words; any other
 * failure to write is one of ours.  What went wrong before keeps its status, but for an answer
 * that did not arrive. */
static int
write_output(const struct options *options, struct text *out, int status)
{
	struct error interrupted = { 0 };
	char         line[256];
	int          fault;

	if (out->failed)
		status = say_no_memory(options, out, status);
	if (out->failed)
		return status;
	fault = report_write(STDOUT_FILENO, out);
	if (fault == 0 || fault == EPIPE || fault == EBADF)
		return status;
	if (fault == EINTR && !signals_go_on(&interrupted)) {
		report_error(options, interrupted.text, NULL);
		return M2H_SIGNAL + interrupted.os_errno;
	}
	report_error(options, text_format(line, sizeof line, "standard output: write error: %s",
		strerror(fault)), NULL);
	return status > M2H_MISMATCH ? status : M2H_NO_OUTPUT;
}

static int
say_short_help(const struct options *options)
{
	struct report report = report_start(options, STDERR_FILENO, 0);

	help_short(&report.text);
	report_say(&report);
	return M2H_USAGE;
}

int
command_run(int argc, char **argv)
{
	struct options   options;
	struct error     err = { 0 };
	struct m2h_error usage = { 0 };
	struct text      out = { 0 };
	char             line[1024];
	int              status;

	if (command_line_parse(&options, argc, argv, &err)) {
		if (!options.help && !options.version)
			confinement_enter(&options);
		status = function_of(&options)(&options, NULL, &out);
	} else if (argc <= 1) {
		return say_short_help(&options);
	} else {
		usage.slug = err.slug;
		usage.message = error_line(&err, line, sizeof line);
		usage.hint = err.hint;
		report_error(&options, usage.message, usage.hint);
		status = options.json ? functions[options.command](&options, &usage, &out) : M2H_USAGE;
	}
	status = write_output(&options, &out, status);
	text_free(&out);
	return status;
}
