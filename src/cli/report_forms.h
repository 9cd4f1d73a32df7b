#ifndef CLI_REPORT_FORMS_H
#define CLI_REPORT_FORMS_H

#include "base/error.h"
#include "cli/options.h"
#include "cli/report_subject.h"

/* What --report asks for: a subject in the forms that programs which run checks read. */
bool report_forms_has(const struct options *options, enum options_form form);
/* Could every report be written, and is none of them in `directory` or in the place of what is
 * read besides?  Before the work. */
bool report_forms_check(const struct options *options, const char *directory,
	struct error *err);
/* The files of all reports, and the page of $GITHUB_STEP_SUMMARY.  All are tried; *err is
 * about the first that failed. */
bool report_forms_write(const struct options *options, const struct report_subject *subject,
	struct error *err);

#endif
