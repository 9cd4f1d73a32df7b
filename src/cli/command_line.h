#ifndef CLI_COMMAND_LINE_H
#define CLI_COMMAND_LINE_H

#include "cli/options.h"

/*
 * Fill *options from the arguments and the environment.  Options may stand anywhere, `--`
 * ends them, --name=value and -nVALUE work.
 *
 * false: *err is a usage error.  The parser goes on after the first fault, so that
 * options->json and ->command say how to report it.
 */
bool command_line_parse(struct options *options, int argc, char **argv, struct error *err);

#endif
