#ifndef CLI_REPORT_JUNIT_H
#define CLI_REPORT_JUNIT_H

#include "base/text.h"
#include "cli/report_subject.h"

/*
 * JUnit's XML, of which there is no standard; this is the part that Jenkins, GitLab and GitHub
 * actions agree on.
 *
 *     testsuites > testsuite > testcase > failure | error
 *
 * One testsuite.  One testcase for each file that was looked at; one for each file that was
 * not (it is missing) and for each tensor with problems; one named "." where the directory as
 * a whole has some.  All problems of a testcase are in one element, since readers take only
 * the first: <failure> when all are a mismatch, else <error>; its type is the slug.  No time,
 * no host: the same directory gives the same bytes.
 */
void report_junit(struct text *to, const struct report_subject *subject);

#endif
