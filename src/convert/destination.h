#ifndef CONVERT_DESTINATION_H
#define CONVERT_DESTINATION_H

#include "base/error.h"

#include <stddef.h>

/* The directory in which `destination` lies, or will lie; returns `to`. */
const char *destination_parent(const char *destination, char *to, size_t size);
/* Can be made, and making it would not remove the source. */
bool destination_check(const char *destination, const char *source, bool replace,
	struct error *err);

#endif
