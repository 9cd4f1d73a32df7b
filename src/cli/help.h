#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "base/text.h"
#include "cli/options.h"

/* Made from the tables in options.c; lines of at most 80 columns, at most 40 of them. */
void help_of_command(struct text *to, enum command command);    /* COMMAND_NONE: of all */
/* What to say when nothing was said. */
void help_short(struct text *to);

#endif
