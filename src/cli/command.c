#include "cli/command.h"

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

/* A reader that went away had enough; any other failure to write is one of ours.  What went
 * wrong before keeps its status. */
static int
write_output(const struct options *options, const struct text *out, int status)
{
	char  line[256];
	int   fault;

	if (out->failed) {
		report_error(options, "out of memory", NULL);
		return status != M2H_OK ? status : M2H_LIMIT;
	}
	fault = report_write(STDOUT_FILENO, out);
	if (fault == 0 || fault == EPIPE)
		return status;
	report_error(options, text_format(line, sizeof line, "standard output: write error: %s",
		strerror(fault)), NULL);
	return status != M2H_OK ? status : M2H_NO_OUTPUT;
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
		const bool is_help = options.help || options.version;

		if (!is_help)
			confinement_enter(&options);
		status = is_help ? command_help(&options, NULL, &out)
			: functions[options.command](&options, NULL, &out);
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
