#ifndef CLI_REPORT_SUBJECT_H
#define CLI_REPORT_SUBJECT_H

#include "megatron2hf.h"

/*
 * What a report is about, whatever the command: the problems of a directory and the files that
 * were looked at.  The result need not come from m2h_verify(); only what is said here of its
 * members counts.
 */
struct report_subject {
	const char                    *command;         /* "verify" */
	const char                    *directory;       /* as it was given */
	const struct m2h_verification *result;
};

/* Name of an exit status: "mismatch"; "signal" from 128 on. */
const char *report_subject_status(int status);

#endif
