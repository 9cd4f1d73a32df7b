#ifndef CONVERT_MODEL_CARD_H
#define CONVERT_MODEL_CARD_H

#include "check/manifest.h"
#include "convert/output_directory.h"

/*
 * README.md, when it is asked for: the metadata block, and under it the text of a file of the
 * user's, or what is known of the conversion.  No clock, host, user or path in it; names and
 * values from the input are shown as code or escaped, so that they stay words.
 */
struct model_card {
	bool        is_wanted;
	const char *license;    /* or NULL */
	char       *given;      /* the user's text, UTF-8; NULL: it is written here */
	size_t      given_length;
};

/* `request` is --model-card: NULL or "none", "auto", or the path of a file.  ERROR_USAGE: a
 * licence without a card, or beside a block of the file's own; ERROR_CORRUPT "card": not
 * UTF-8, begins with a byte-order mark, or a block without end. */
bool model_card_open(struct model_card *card, const char *request, const char *license,
	struct error *err);
/* README.md and .gitattributes, when they are wanted.  Digests that the manifest does not know
 * yet are shown as zeros. */
bool model_card_add(const struct model_card *card, const struct manifest *manifest,
	struct output_directory *directory, struct error *err);
void model_card_fini(struct model_card *card);

#endif
