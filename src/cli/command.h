#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "base/text.h"
#include "cli/options.h"
#include "megatron2hf.h"

/*
 * Read the command line and do what it says; the exit status.  Standard output is written
 * once, at the end, whatever happens.
 */
int command_run(int argc, char **argv);

/*
 * One function for each command, in a file of its name: the exit status, with what belongs on
 * standard output added to *out.  What is said to the person goes to standard error at once.
 * A usage error, or that memory ended, comes as *usage, NULL for none: the command then only
 * says so, in its form.
 */
typedef int command_function(const struct options *options, const struct m2h_error *usage,
	struct text *out);
/* The status of what came as *usage. */
int command_usage_status(const struct m2h_error *usage);
command_function command_convert, command_inspect, command_verify, command_diff, command_sign,
	command_help;

#endif
