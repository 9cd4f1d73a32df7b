#ifndef CONVERT_CONVERSION_H
#define CONVERT_CONVERSION_H

#include "base/atomic_file.h"
#include "base/staging.h"
#include "check/manifest.h"
#include "convert/answer.h"
#include "convert/destination.h"
#include "convert/expected_digest.h"
#include "convert/given_config.h"
#include "convert/model_card.h"
#include "convert/output_directory.h"
#include "convert/output_form.h"
#include "convert/tokenizer_source.h"
#include "plan/execute.h"

#include <limits.h>

/* One conversion while it runs, for the files that carry it out: convert.c finds out what is
 * to be done and answers, conversion_output.c does it. */
struct conversion {
	struct m2h_conversion             result;       /* first: what the caller holds */
	struct answer                     answer;
	const struct m2h_convert_options *options;      /* the caller's, or `streaming` */
	struct m2h_convert_options        streaming;    /* those with a place for the files */
	char                              stream_place[PATH_MAX];
	struct output_form                form;
	struct expected_digest            expected;
	struct given_config               given;
	struct model_card                 card;
	struct tokenizer_source           tokenizer;
	struct destination_contents       replaced;     /* before it was */
	bool                              assume_untied;
	bool                              only_used;    /* --input-sha256 used */
	int                               spooled;      /* of a pipe, for all attempts; -1: none */
	struct shards                    *shards;
	struct model                     *model;
	struct plan                      *plan;
	struct staging                   *staging;
	struct atomic_file               *statement;    /* of --provenance; NULL: none */
	struct output_directory           directory;
	int                              *fds;          /* of the weight files; staging's */
	struct execute_result             executed;
	struct manifest_file             *inputs;
};

/*
 * Writes everything: weights and what is beside them into a staging directory, checks what the
 * input must be, then publishes it, or streams it.  Shards, model and plan are open.
 */
bool conversion_output_write(struct conversion *conversion, struct error *err);
/* What would be written, with its sizes. */
bool conversion_output_plan(struct conversion *conversion, struct error *err);

#endif
