#ifndef CLI_REPORT_RULES_H
#define CLI_REPORT_RULES_H

/*
 * One sentence for each slug, for reports that list the rules of a tool.  The same slug says
 * the same of a file whatever the status.  A slug that is not in the table is described by its
 * status; the sentence is constant and ends with a period.
 */
const char *report_rules_text(const char *slug, int status);

#endif
