#ifndef CONVERT_GIVEN_CONFIG_H
#define CONVERT_GIVEN_CONFIG_H

#include "base/digest.h"
#include "megatron/arguments.h"

/*
 * --config: hyper-parameters from a GPT-2 config.json.  Keys that are absent or null say
 * nothing.  ERROR_CORRUPT "confjson": no JSON, or a value of the wrong type; ERROR_UNSUPPORTED
 * "vconfig": another model_type than gpt2.
 */
struct given_config {
	struct arguments_given values;
	char                   activation[64];
	char                   sha256[DIGEST_HEX_SIZE];         /* of the file */
};

bool given_config_read(const char *path, struct given_config *config, struct error *err);

#endif
