#ifndef CONVERT_PROVENANCE_H
#define CONVERT_PROVENANCE_H

#include "check/manifest.h"
#include "megatron2hf.h"

/* A file beside the checkpoint that had a say: --config, a text for --model-card. */
struct provenance_file {
	const char *path;               /* NULL: not given */
	char        sha256[DIGEST_HEX_SIZE];
};

struct provenance {
	const struct manifest            *manifest;
	const struct manifest_file       *outputs;      /* all of the directory */
	size_t                            output_count;
	const struct m2h_convert_options *options;
	struct provenance_file            others[2];
};

/*
 * What was made, from what, and how: an in-toto Statement v1 with the SLSA Provenance v1
 * predicate (in-toto.io/Statement/v1, slsa.dev/provenance/v1), unsigned.  Paths are told by
 * their last component; the time is that of options->source_date, or none.
 */
void provenance_write(const struct provenance *provenance, struct text *to);

#endif
