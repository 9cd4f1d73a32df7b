#ifndef CLI_REPORT_GITHUB_H
#define CLI_REPORT_GITHUB_H

#include "base/text.h"
#include "cli/report_subject.h"

/*
 * For GitHub Actions, by its documents on workflow commands:
 *
 *     ::error file=FILE,title=TITLE::MESSAGE
 *
 * one line each, "%", "\r" and "\n" as %25, %0D and %0A, in FILE and TITLE ":" and "," as %3A
 * and %2C too.  The runner looks for such lines on standard output and standard error, and
 * knows an older form, ##[command]text, anywhere in a line that is none of these; so no name
 * may stand in another line.
 */
void report_github_annotations(struct text *to, const struct report_subject *subject);
/* Markdown for the page of the job. */
void report_github_summary(struct text *to, const struct report_subject *subject);

#endif
