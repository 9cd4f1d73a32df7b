#include "convert/destination.h"

#include "base/path.h"
#include "base/staging.h"
#include "base/text.h"

const char *
destination_parent(const char *destination, char *to, size_t size)
{
	return path_parent(destination != NULL ? destination : "", to, size);
}

static bool
would_remove(const char *destination, const char *shown, struct error *err)
{
	error_set(err, ERROR_USAGE, "sameio", "replacing '%s' would remove '%s', which is to be "
		"read", destination, shown);
	return error_hint(err, "name another output directory");
}

bool
destination_check(const char *destination, const char *source, bool replace,
	struct error *err)
{
	/* Replacing a directory removes what is in it: the source must not be in it, nor be it. */
	if (replace && path_is_inside(source, destination))
		return would_remove(destination, source, err);
	return staging_check(destination, replace, err);
}

bool
destination_spares(const char *destination, int fd, const char *shown, bool replace,
	struct error *err)
{
	char path[64];

	text_format(path, sizeof path, "/proc/self/fd/%d", fd);
	return !replace || !path_is_inside(path, destination)
		|| would_remove(destination, shown, err);
}
