#ifndef MEGATRON_KNOWN_CLASSES_H
#define MEGATRON_KNOWN_CLASSES_H

#include "megatron/shards.h"

/*
 * The pickles of a checkpoint name classes beside those of tensors: enums and schedulers in
 * `args`, random number states, optimizers.  All of them stay inert.  Those that Megatron-LM
 * and what it runs on are known to store pass in silence; any other is told in one note.
 */
void known_classes_note(const struct shards *shards, struct decision_log *log);
bool known_classes_has(const char *module, const char *name);

#endif
