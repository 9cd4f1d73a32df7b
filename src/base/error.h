#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdbool.h>
#include <stdint.h>

/* The numbers are the exit statuses of the program. */
enum error_kind {
	ERROR_NONE = 0,
	ERROR_MISMATCH = 1,     /* a check said "no" */
	ERROR_USAGE = 2,        /* bad options or arguments */
	ERROR_CORRUPT = 3,      /* the input is damaged, truncated or inconsistent */
	ERROR_UNSUPPORTED = 4,  /* well-formed, but not something we can express */
	ERROR_UNSAFE = 5,       /* the input tries something hostile */
	ERROR_NO_INPUT = 6,     /* missing or unreadable */
	ERROR_NO_OUTPUT = 7,    /* cannot be written */
	ERROR_LIMIT = 8,        /* memory or a configured limit exhausted */
	ERROR_INTERNAL = 9,     /* our own self-check failed */
	ERROR_SIGNAL = 128,     /* ended by signal `os_errno` after cleaning up */
};

/*
 * What went wrong, and where.  No pointers: nothing to free, works without memory.
 * The code that finds the fault says *what* (error_set); each caller on the way up
 * adds the *where* it knows (error_in_*).  A place that is already known stays.
 */
struct error {
	enum error_kind kind;
	int             os_errno;
	bool            has_offset;
	uint64_t        offset;         /* byte in the member, else in the file */
	char            slug[32];       /* stable name for machines: "bitflip" */
	char            file[256];
	char            member[160];    /* of a zip; ":" before one inside it */
	char            tensor[192];
	char            text[512];
	char            hint[320];      /* what to do about it, may be "" */
};

#define ERROR_PRINTF(f, a) __attribute__((format(printf, f, a)))

/* All of these return false, so that `return error_set(...)` reads well. */
bool error_set(struct error *err, enum error_kind kind, const char *slug,
	const char *fmt, ...) ERROR_PRINTF(4, 5);
/* As error_set, with ": " and the text of errno at the end.  ENOMEM becomes ERROR_LIMIT "oom". */
bool error_os(struct error *err, enum error_kind kind, const char *slug,
	const char *fmt, ...) ERROR_PRINTF(4, 5);
bool error_no_memory(struct error *err, uint64_t bytes);        /* 0: not known */
bool error_hint(struct error *err, const char *fmt, ...) ERROR_PRINTF(2, 3);
bool error_at(struct error *err, uint64_t offset);
bool error_in_file(struct error *err, const char *path);
bool error_in_member(struct error *err, const char *member);
bool error_in_tensor(struct error *err, const char *tensor);

/* "FILE:MEMBER: tensor T: WHAT (offset N)" without prefix or newline, untrusted text
 * escaped.  Returns `to`. */
char *error_line(const struct error *err, char *to, unsigned long size);

/* "corrupt", "unsafe", ...: the name of an exit status. */
const char *error_kind_name(enum error_kind kind);

#endif
