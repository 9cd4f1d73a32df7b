#ifndef CLI_CONFINEMENT_H
#define CLI_CONFINEMENT_H

#include "cli/options.h"

/* Takes from this process whatever its command does not need, before any input is read; says so
 * with -v. */
void confinement_enter(const struct options *options);

#endif
