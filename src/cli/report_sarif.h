#ifndef CLI_REPORT_SARIF_H
#define CLI_REPORT_SARIF_H

#include "base/text.h"
#include "cli/report_subject.h"

/*
 * SARIF 2.1.0 (OASIS Standard of 2020).  One run; a rule for each slug that occurs, a result
 * for each problem and note, an artifact for each file that was looked at.  Places are
 * relative to the base "DIRECTORY", which is relative to "%SRCROOT%", the folder in which the
 * program ran, or is not told where it was given as an absolute path.  A check that could not
 * begin is a notification, not a result.  No time, no host, no absolute path.
 */
void report_sarif(struct text *to, const struct report_subject *subject);

#endif
