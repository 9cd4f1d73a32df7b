#include "base/error.h"

#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void
set_text(struct error *err, enum error_kind kind, const char *slug, const char *fmt,
	va_list args)
{
	char text[sizeof err->text];

	/* Made before anything is cleared: the arguments may be parts of the old error. */
	vsnprintf(text, sizeof text, fmt, args);
	memset(err, 0, sizeof *err);
	err->kind = kind;
	memcpy(err->text, text, sizeof text);
	snprintf(err->slug, sizeof err->slug, "%s", slug);
}

bool
error_set(struct error *err, enum error_kind kind, const char *slug, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	set_text(err, kind, slug, fmt, args);
	va_end(args);
	return false;
}

bool
error_os(struct error *err, enum error_kind kind, const char *slug, const char *fmt, ...)
{
	int     cause = errno;
	size_t  used;
	va_list args;

	if (cause == ENOMEM) {
		kind = ERROR_LIMIT;
		slug = "oom";
	}
	va_start(args, fmt);
	set_text(err, kind, slug, fmt, args);
	va_end(args);
	err->os_errno = cause;
	used = strlen(err->text);
	snprintf(err->text + used, sizeof err->text - used, ": %s", strerror(cause));
	return false;
}

bool
error_no_memory(struct error *err, uint64_t bytes)
{
	return bytes == 0 ? error_set(err, ERROR_LIMIT, "oom", "out of memory")
		: error_set(err, ERROR_LIMIT, "oom", "out of memory (%" PRIu64 " bytes wanted)",
			bytes);
}

bool
error_hint(struct error *err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(err->hint, sizeof err->hint, fmt, args);
	va_end(args);
	return false;
}

bool
error_at(struct error *err, uint64_t offset)
{
	if (!err->has_offset) {
		err->has_offset = true;
		err->offset = offset;
	}
	return false;
}

bool
error_in_file(struct error *err, const char *path)
{
	if (err->file[0] == '\0')
		snprintf(err->file, sizeof err->file, "%s", path);
	return false;
}

/* Members nest: the one that is known is inside the one that is added. */
bool
error_in_member(struct error *err, const char *member)
{
	char inner[sizeof err->member];

	/* A file that cannot be written is none of the input's, whose members these are. */
	if (err->kind == ERROR_NO_OUTPUT && err->file[0] != '\0')
		return false;
	memcpy(inner, err->member, sizeof inner);
	text_format(err->member, sizeof err->member, "%s%s%s", member,
		inner[0] != '\0' ? ":" : "", inner);
	return false;
}

bool
error_in_tensor(struct error *err, const char *tensor)
{
	/* What cannot be written may have waited longer, and be of another one. */
	if (err->kind == ERROR_NO_OUTPUT && err->file[0] != '\0')
		return false;
	if (err->tensor[0] == '\0')
		snprintf(err->tensor, sizeof err->tensor, "%s", tensor);
	return false;
}

char *
error_line(const struct error *err, char *to, unsigned long size)
{
	char place[1024], text[1024], offset[48] = "";

	text_escape(place, sizeof place, err->file, strlen(err->file));
	if (err->member[0] != '\0') {
		size_t used = strlen(place);
		text_format(place + used, sizeof place - used, "%s", used > 0 ? ":" : "");
		used = strlen(place);
		text_escape(place + used, sizeof place - used, err->member, strlen(err->member));
	}
	if (err->tensor[0] != '\0') {
		size_t used = strlen(place);
		text_format(place + used, sizeof place - used, "%s", used > 0 ? ": " : "");
		used = strlen(place);
		text_escape(place + used, sizeof place - used, err->tensor, strlen(err->tensor));
	}
	text_escape(text, sizeof text, err->text, strlen(err->text));
	if (err->has_offset)
		snprintf(offset, sizeof offset, " (offset %" PRIu64 ")", err->offset);
	return text_format(to, size, "%s%s%s%s", place, place[0] != '\0' ? ": " : "", text,
		offset);
}

const char *
error_kind_name(enum error_kind kind)
{
	switch (kind) {
	case ERROR_NONE: return "ok";
	case ERROR_MISMATCH: return "mismatch";
	case ERROR_USAGE: return "usage";
	case ERROR_CORRUPT: return "corrupt";
	case ERROR_UNSUPPORTED: return "unsupported";
	case ERROR_UNSAFE: return "unsafe";
	case ERROR_NO_INPUT: return "no input";
	case ERROR_NO_OUTPUT: return "no output";
	case ERROR_LIMIT: return "limit";
	case ERROR_INTERNAL: return "internal";
	case ERROR_SIGNAL: return "signal";
	}
	return "unknown";
}
