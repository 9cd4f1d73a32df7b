#include "container/zip_names.h"

#include "base/text.h"
#include "container/zip_directory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* ---- one name --------------------------------------------------------------------- */

static bool
has_control(const char *name, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)name[i];

		if (c < 0x20 || c == 0x7f)
			return true;
	}
	return false;
}

static bool
has_drive(const char *name, size_t length)
{
	return length >= 2 && name[1] == ':' && ((name[0] >= 'A' && name[0] <= 'Z')
		|| (name[0] >= 'a' && name[0] <= 'z'));
}

/* A component that is empty or ".."; NULL: there is none. */
static const char *
bad_component(const char *name, size_t length)
{
	const char *at = name, *end = name + length;

	for (;;) {
		const char *slash = memchr(at, '/', (size_t)(end - at));
		const char *stop = slash != NULL ? slash : end;

		if (stop == at)
			return "has an empty component";
		if (stop - at == 2 && memcmp(at, "..", 2) == 0)
			return "climbs out of the archive";
		/* The slash at the end of a directory's name. */
		if (slash == NULL || slash + 1 == end)
			return NULL;
		at = slash + 1;
	}
}

bool
zip_names_check(const char *name, size_t length, struct error *err)
{
	const char *fault = NULL;

	if (length == 0)
		return error_set(err, ERROR_UNSAFE, "badname", "a record has an empty name");
	if (length > ZIP_NAMES_LONGEST)
		return error_set(err, ERROR_UNSAFE, "badname",
			"record name \"%.60s...\" is %zu bytes long (limit %d)", name, length,
			ZIP_NAMES_LONGEST);
	if (has_control(name, length))
		fault = "has a control character";
	else if (!text_is_utf8(name, length))
		fault = "is not UTF-8";
	else if (name[0] == '/')
		fault = "is an absolute path";
	else if (has_drive(name, length))
		fault = "begins with a drive letter";
	else if (memchr(name, '\\', length) != NULL)
		fault = "has a backslash";
	else
		fault = bad_component(name, length);
	return fault == NULL || error_set(err, ERROR_UNSAFE, "badname",
		"record name \"%.*s\" %s", (int)length, name, fault);
}

/* ---- all names --------------------------------------------------------------------- */

/*
 * A hash table with linear probing, at most half full.  The hash is a polynomial modulo a
 * prime at a random point, so that no file can be made to collide.
 */
#define PRIME 4294967291u               /* the largest below 2^32 */

struct zip_names {
	const struct zip_entry *entries;
	uint32_t               *slots;          /* index + 1; 0: free */
	size_t                  mask;
	uint64_t                point;
};

static unsigned char
fold(char c)
{
	return (unsigned char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

static size_t
hash(const struct zip_names *names, const char *name)
{
	uint64_t value = 1;

	for (; *name != '\0'; name++)
		value = (value * names->point + fold(*name)) % PRIME;
	return (size_t)value;
}

static bool
folded_equal(const char *a, const char *b)
{
	while (*a != '\0' && fold(*a) == fold(*b)) {
		a++;
		b++;
	}
	return *a == *b;
}

/* The slot where the name is, its case ignored, or could be put. */
static uint32_t *
probe(const struct zip_names *names, const char *name)
{
	size_t at = hash(names, name) & names->mask;

	while (names->slots[at] != 0
	    && !folded_equal(names->entries[names->slots[at] - 1].record.name, name))
		at = (at + 1) & names->mask;
	return &names->slots[at];
}

static bool
insert_all(struct zip_names *names, size_t count, struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		const char *name = names->entries[i].record.name, *other;
		uint32_t   *slot = probe(names, name);

		if (*slot == 0) {
			*slot = (uint32_t)i + 1;
			continue;
		}
		other = names->entries[*slot - 1].record.name;
		if (strcmp(name, other) == 0)
			return error_set(err, ERROR_UNSAFE, "dup", "%s appears twice", name);
		return error_set(err, ERROR_UNSAFE, "casedup", "%s and %s differ only in case",
			other, name);
	}
	return true;
}

struct zip_names *
zip_names_open(const struct zip_entry *entries, size_t count, struct error *err)
{
	struct zip_names *names = calloc(1, sizeof *names);
	size_t            size = 16;
	uint32_t          random;

	while (size < 2 * count)
		size *= 2;
	if (names == NULL || (names->slots = calloc(size, sizeof *names->slots)) == NULL) {
		error_no_memory(err, size * sizeof *names->slots);
		zip_names_close(names);
		return NULL;
	}
	/* Without randomness a hostile directory could take long, no more. */
	if (getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random)
		random = 0x9e3779b9u;
	names->point = 256 + random % (PRIME - 256);
	names->entries = entries;
	names->mask = size - 1;
	if (insert_all(names, count, err))
		return names;
	zip_names_close(names);
	return NULL;
}

const struct zip_entry *
zip_names_find(const struct zip_names *names, const char *name)
{
	const uint32_t         *slot = probe(names, name);
	const struct zip_entry *entry = *slot != 0 ? &names->entries[*slot - 1] : NULL;

	return entry != NULL && strcmp(entry->record.name, name) == 0 ? entry : NULL;
}

void
zip_names_close(struct zip_names *names)
{
	if (names == NULL)
		return;
	free(names->slots);
	free(names);
}
