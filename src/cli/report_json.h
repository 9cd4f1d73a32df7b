#ifndef CLI_REPORT_JSON_H
#define CLI_REPORT_JSON_H

#include "base/text.h"
#include "cli/options.h"
#include "megatron2hf.h"

/*
 * What is said to a program: one JSON document, plain ASCII.  "schema" names its form, which
 * only ever grows; "status" is "ok" or "error", "exit" the exit status, "code" the stable name
 * of what happened.  A number that is not known is null, and so is a list that was not asked
 * for.
 */
void report_json_conversion(struct text *to, const struct options *options,
	const struct m2h_conversion *conversion);
void report_json_inspection(struct text *to, const struct options *options,
	const struct m2h_inspection *inspection);
void report_json_verification(struct text *to, const struct options *options,
	const struct m2h_verification *verification);
void report_json_comparison(struct text *to, const struct options *options,
	const struct m2h_comparison *comparison);
void report_json_signing(struct text *to, const struct options *options,
	const struct m2h_signing *signing);
/* `usage` is NULL for none.  text: what help prints, or NULL. */
void report_json_help(struct text *to, int status, const struct m2h_error *usage,
	const char *text);

#endif
