#ifndef CHECK_VERIFY_CONFIG_H
#define CHECK_VERIFY_CONFIG_H

#include "check/verify_run.h"
#include "megatron/arguments.h"

/* config.json of the directory, for comparing; false: it is not there or cannot be read, which
 * verify_directory tells.  Keys that make another model of any weights become problems. */
bool verify_config_read(struct verify_run *run, struct gpt2_config *config, char activation[64]);
/* How many tokens the directory's tokenizer has; 0: there is none, or it cannot be read. */
uint64_t verify_config_tokens(const struct verify_run *run);
/* Every value that the weights depend on against what the checkpoint makes of it.  What the
 * checkpoint does not tell, and a default was taken for, differs by a warning only. */
void verify_config_compare(struct verify_run *run, const struct arguments *arguments,
	const struct gpt2_config *config);

#endif
