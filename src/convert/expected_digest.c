#include "convert/expected_digest.h"

#include "base/signals.h"
#include "convert/destination.h"

#include <stdlib.h>
#include <string.h>

#define LIST_BYTES  ((uint64_t)64 << 20)
#define BLOCK_BYTES ((size_t)1 << 20)

static bool
read_list(struct expected_digest *expected, const char *path, struct error *err)
{
	struct input_file *file = input_file_open(path, ".", err);
	char              *bytes = NULL;
	bool               done = false;

	if (file == NULL) {
		error_hint(err, "--sha256 takes 64 hex digits or the path of a SHA256SUMS file");
		return false;
	}
	if (file->size > LIST_BYTES)
		error_set(err, ERROR_LIMIT, "shalist", "a checksum list of more than 64 MiB");
	else if ((bytes = input_file_text(file, LIST_BYTES, err)) != NULL)
		done = sums_parse(bytes, (size_t)file->size, &expected->arena, &expected->sums, err);
	if (!done && err->kind == ERROR_CORRUPT)
		error_hint(err, "a line is 64 hex digits, two spaces and the name, as sha256sum writes");
	if (!done)
		error_in_file(err, path);
	free(bytes);
	input_file_close(file);
	return done;
}

bool
expected_digest_open(struct expected_digest *expected, const char *text, struct error *err)
{
	const char *digits = text;

	*expected = (struct expected_digest){ .is_given = text != NULL };
	arena_init(&expected->arena, (size_t)LIST_BYTES * 2);
	if (text == NULL || sums_parse_digest(text, expected->hex))
		return true;
	if (text_has_prefix(digits, "sha256:"))
		digits += strlen("sha256:");
	/* Hex digits only, but not 64 of them: a digest with a slip, not the name of a file. */
	if (strlen(digits) >= 40 && strspn(digits, "0123456789abcdefABCDEF") == strlen(digits)) {
		error_set(err, ERROR_USAGE, "shaform",
			"not a SHA-256 value: %zu hex digits, expected 64", strlen(digits));
		return false;
	}
	expected->hex[0] = '\0';
	expected->list = text;
	return read_list(expected, text, err);
}

static const char *
skip_here(const char *path)
{
	while (text_has_prefix(path, "./"))
		path += 2;
	return path;
}

/* Is `end` all of the path, or its last components? */
static bool
is_end(const char *end, const char *path)
{
	size_t skip = strlen(path) - strlen(end);

	return text_has_suffix(path, end) && (skip == 0 || path[skip - 1] == '/');
}

/* How much of the path the name tells, 0: it is another file's.  A name with more folders than
 * the path is the least: any of them may be meant. */
static size_t
closeness(const char *name, const char *path)
{
	if (is_end(name, path))
		return strlen(name) + 1;
	return is_end(path, name) ? 1 : 0;
}

/* NULL: none, or two that are as close and differ. */
static const struct sums_line *
find_line(const struct expected_digest *expected, const char *path, struct error *err)
{
	const struct sums_line *best = NULL, *rival = NULL;
	size_t                  closest = 0;

	for (size_t i = 0; i < expected->sums.count; i++) {
		const struct sums_line *line = &expected->sums.lines[i];
		const size_t            here = closeness(skip_here(line->name), skip_here(path));

		if (here > closest) {
			closest = here;
			best = line;
			rival = NULL;
		} else if (here > 0 && here == closest && strcmp(line->sha256, best->sha256) != 0) {
			rival = line;
		}
	}
	if (best != NULL && rival == NULL)
		return best;
	if (best == NULL) {
		error_set(err, ERROR_MISMATCH, "shalist",
			"the checksum list does not name this file");
	} else {
		error_set(err, ERROR_MISMATCH, "shalist", "the checksum list is ambiguous: '%.80s' "
			"and '%.80s' have different sums", best->name, rival->name);
		error_hint(err, "name the checkpoint as the list does, or give its sum alone");
	}
	error_in_file(err, path);
	return NULL;
}

bool
expected_digest_covers(const struct expected_digest *expected, const struct shards *shards,
	struct error *err)
{
	if (!expected->is_given)
		return true;
	if (expected->hex[0] != '\0') {
		if (shards->input_count == 1)
			return true;
		error_set(err, ERROR_USAGE, "shaone",
			"one SHA-256 value was given, but the checkpoint is %zu files",
			shards->input_count);
		return error_hint(err, "give --sha256 a SHA256SUMS file that lists all of them");
	}
	for (size_t i = 0; i < shards->input_count; i++)
		if (find_line(expected, shards->inputs[i]->name, err) == NULL)
			return false;
	return true;
}

static bool
check_file(const struct expected_digest *expected, const char *name, const char *sha256,
	struct error *err)
{
	struct error            unused = { 0 };
	const struct sums_line *line = expected->hex[0] == '\0'
		? find_line(expected, name, &unused) : NULL;
	const char             *wanted = line != NULL ? line->sha256 : expected->hex;

	if (wanted[0] == '\0' || strcmp(wanted, sha256) == 0)
		return true;
	error_set(err, ERROR_MISMATCH, "shaexp", "SHA-256 mismatch: expected %s, found %s", wanted,
		sha256);
	error_in_file(err, name);
	return error_hint(err, "this is not the file that the checksum was made of: download it "
		"again");
}

bool
expected_digest_check(const struct expected_digest *expected, const struct shards *shards,
	size_t input, const char *sha256, struct error *err)
{
	return !expected->is_given
		|| check_file(expected, shards->inputs[input]->name, sha256, err);
}

static bool
hash_file(const struct input_file *file, char to[DIGEST_HEX_SIZE])
{
	struct digest *digest = digest_open(DIGEST_SHA256);
	unsigned char *block = malloc(BLOCK_BYTES);
	struct error   unused;
	bool           done = digest != NULL && block != NULL;

	for (uint64_t at = 0; at < file->size && done; at += BLOCK_BYTES) {
		size_t step = file->size - at < BLOCK_BYTES ? (size_t)(file->size - at) : BLOCK_BYTES;

		done = signals_go_on(&unused) && input_file_read(file, at, block, step, &unused);
		if (done)
			digest_add(digest, block, step);
	}
	if (done)
		digest_hex(digest, to);
	free(block);
	digest_close(digest);
	return done;
}

/* false: it is no file that can be read. */
static bool
explain_file(const struct expected_digest *expected, const char *path, struct error *err)
{
	struct error       mismatch = { 0 }, unused;
	struct input_file *file = input_file_open(path, ".", &unused);
	char               sha256[DIGEST_HEX_SIZE];

	if (file == NULL)
		return false;
	if (hash_file(file, sha256) && !check_file(expected, file->name, sha256, &mismatch))
		*err = mismatch;
	input_file_close(file);
	return true;
}

static void
explain_listed(const struct expected_digest *expected, const char *folder, const char *name,
	struct error *err)
{
	char        beside[4096];
	struct text path = { 0 };

	text_add(&path, "%s/%s", folder, name);
	if (!path.failed && !explain_file(expected, path.bytes, err)) {
		path.length = 0;
		text_add(&path, "%s/%s", destination_parent(expected->list, beside, sizeof beside),
			name);
		if (!path.failed)
			explain_file(expected, path.bytes, err);
	}
	text_free(&path);
}

void
expected_digest_explain(const struct expected_digest *expected, const char *path,
	struct error *err)
{
	if (!expected->is_given || strcmp(path, "-") == 0 || err->kind == ERROR_SIGNAL
	    || err->kind == ERROR_MISMATCH || err->kind == ERROR_NO_INPUT
	    || err->kind == ERROR_USAGE || explain_file(expected, path, err))
		return;
	for (size_t i = 0; i < expected->sums.count && err->kind != ERROR_MISMATCH; i++)
		explain_listed(expected, path, expected->sums.lines[i].name, err);
}

void
expected_digest_fini(struct expected_digest *expected)
{
	arena_fini(&expected->arena);
}
