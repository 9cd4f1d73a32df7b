#ifndef CONVERT_LINK_TARGETS_H
#define CONVERT_LINK_TARGETS_H

#include "base/sandbox.h"

/*
 * Lets a folder's symbolic links lead where they lead: checkpoints are put together from several
 * disks, and the Hub's cache holds nothing else.  Looked at are the folder and those below it or
 * behind its links, three levels down, as deep as a checkpoint goes (root, iteration, rank), and
 * so many entries at most.
 */
#define LINK_TARGETS_DEPTH   4
#define LINK_TARGETS_ENTRIES 20000

void link_targets_allow(struct sandbox *sandbox, int folder);

#endif
