#ifndef CLI_ESCAPE_H
#define CLI_ESCAPE_H

#include "base/text.h"

/*
 * Names for reports.  They are anybody's bytes: quotes, newlines, no UTF-8 at all.  What a
 * form cannot hold is shown as messages show it, \xNN for each byte; the rest is written in
 * the form's own way.  NULL is an empty name.
 */

/* Text or attribute of XML 1.0. */
void escape_xml(struct text *to, const char *name);
/* What follows the second "::" of a GitHub workflow command. */
void escape_annotation(struct text *to, const char *name);
/* A value between "::" and "::": these keep newlines, and ":" and "," mean something. */
void escape_property(struct text *to, const char *name);
/* Path of a URI reference (RFC 3986): all bytes are kept, "/" stays. */
void escape_uri(struct text *to, const char *name);
/* A code span of Markdown, with its backticks: nothing in it means anything. */
void escape_code(struct text *to, const char *name);

#endif
