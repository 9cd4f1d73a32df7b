#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include "base/text.h"
#include "cli/options.h"
#include "megatron2hf.h"

/*
 * What is said to a person: lines of a label and words, gathered in a text and sent in one
 * piece.  All strings of results are escaped on their way in, since names in checkpoints are
 * anybody's; format strings are ours.
 */
struct report {
	struct text text;
	bool        colour;
	unsigned    label_width;
	bool        verbose;
};

struct report report_start(const struct options *options, int descriptor, unsigned label_width);

void report_begin(struct report *report, const char *label);
void report_words(struct report *report, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void report_count(struct report *report, size_t count, const char *one, const char *many);
void report_escaped(struct report *report, const char *untrusted);      /* whole, never cut */
void report_end(struct report *report);

/* ", " before every piece of a list but the first. */
void report_piece(struct report *report, bool *first);

void report_inputs(struct report *report, const char *label, const struct m2h_file *files,
	size_t count);
/* "GPT-2, 354,823,168 parameters: 24 layers, ..."; false: nothing is known, nothing said */
bool report_model(struct report *report, const char *label, const struct m2h_model *model);
void report_ranks(struct report *report, const struct m2h_model *model);
/* The digest in full with -v, else shortened. */
void report_sha256(struct report *report, const char *sha256);
void report_notes(struct report *report, const struct m2h_note *notes, size_t count);
void report_decisions(struct report *report, const char *label,
	const struct m2h_decision *decisions, size_t count);
void report_dropped(struct report *report, const char *label,
	const struct m2h_dropped *dropped, size_t count);

/* To a descriptor, all of it; 0, or what descriptor_send() says. */
int  report_write(int descriptor, const struct text *text);
/* To standard error, and free it.  A standard error that is gone is no reason to fail. */
void report_say(struct report *report);
/* To what standard output will get, and free it. */
void report_give(struct report *report, struct text *out);
/* "megatron2hf: error: ..." and the hint, to standard error. */
void report_error(const struct options *options, const char *message, const char *hint);

#endif
