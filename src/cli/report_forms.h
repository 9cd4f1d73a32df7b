#ifndef CLI_REPORT_FORMS_H
#define CLI_REPORT_FORMS_H

#include "base/error.h"
#include "base/text.h"
#include "cli/options.h"
#include "megatron2hf.h"

/*
 * What --report asks for, whatever the command: the problems of a directory and the files
 * that were looked at, in the forms that programs which run checks read.  The result need not
 * come from m2h_verify(); only what is said here of its members counts.
 */
struct report_subject {
	const char                    *command;         /* "verify" */
	const char                    *directory;       /* as it was given */
	const struct m2h_verification *result;
};

bool report_forms_has(const struct options *options, enum options_form form);
/* Could every report be written, and is none of them in `directory`?  Before the work. */
bool report_forms_check(const struct options *options, const char *directory,
	struct error *err);
/* The files of all reports, and the page of $GITHUB_STEP_SUMMARY.  All are tried; *err is
 * about the first that failed. */
bool report_forms_write(const struct options *options, const struct report_subject *subject,
	struct error *err);
/* Name of an exit status: "mismatch"; "signal" from 128 on. */
const char *report_forms_status(int status);

#endif
