#ifndef CONVERT_PROVENANCE_H
#define CONVERT_PROVENANCE_H

#include "base/atomic_file.h"
#include "convert/given_config.h"
#include "convert/model_card.h"
#include "megatron2hf.h"

/*
 * What was made, from what, and how: an in-toto Statement v1 with the SLSA Provenance v1
 * predicate (in-toto.io/Statement/v1, slsa.dev/provenance/v1), unsigned.  Subjects are the
 * manifest's outputs, here all files of the directory.  Paths are told by their last component;
 * the time is that of options->source_date, or none.
 */
struct provenance {
	const struct manifest            *manifest;
	const struct m2h_convert_options *options;
	const struct given_config        *given;        /* read when there is options->config */
	const struct model_card          *card;
};

/* Writes and syncs it beside options->provenance, its place.  NULL: *err. */
struct atomic_file *provenance_stage(const struct provenance *provenance, struct error *err);

#endif
