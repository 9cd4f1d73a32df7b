#ifndef TESTS_UNIT_EXACT_COPY_H
#define TESTS_UNIT_EXACT_COPY_H

#include <stdlib.h>
#include <string.h>

/* Without the NUL, so that a sanitizer sees a read past the end.  NULL stays NULL. */
static inline char *
exact_copy(const char *text, size_t *length)
{
	char *copy;

	*length = text != NULL ? strlen(text) : 0;
	if (text == NULL || (copy = malloc(*length + (*length == 0))) == NULL)
		return NULL;
	memcpy(copy, text, *length);
	return copy;
}

#endif
