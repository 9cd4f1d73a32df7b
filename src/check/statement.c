#include "check/statement.h"

#include "base/json.h"

#include <stdlib.h>
#include <string.h>

/*
 * in-toto Statement v1 with the predicate of OpenSSF Model Signing v1.0
 * (ossf/model-signing-spec, spec/v1.0.md):
 *
 *   {"_type": "https://in-toto.io/Statement/v1",
 *    "subject": [{"name": DIRECTORY, "digest": {"sha256": ROOT}}],
 *    "predicateType": "https://model_signing/signature/v1.0",
 *    "predicate": {
 *      "resources": [{"algorithm": "sha256", "digest": HEX, "name": FILE}, ...],
 *      "serialization": {"method": "files", "hash_type": "sha256", "allow_symlinks": false,
 *                        "ignore_paths": [PATH, ...]}}}
 *
 * ROOT is the SHA-256 over the raw digests of the resources as they are listed.  Keys that are
 * not known are let pass: the predicate may grow, and the signature covers them.
 */
#define STATEMENT_TYPE "https://in-toto.io/Statement/v1"
#define PREDICATE_TYPE "https://model_signing/signature/v1.0"

#define HEX_DIGITS (DIGEST_HEX_SIZE - 1)

/* Lower-case digits only, since that is what a digest is compared as. */
static bool
raw_digest(const char *hex, unsigned char to[HEX_DIGITS / 2])
{
	static const char digits[] = "0123456789abcdef";

	if (strlen(hex) != HEX_DIGITS || strspn(hex, digits) != HEX_DIGITS)
		return false;
	for (size_t i = 0; i < HEX_DIGITS / 2; i++)
		to[i] = (unsigned char)((strchr(digits, hex[2 * i]) - digits) << 4
			| (strchr(digits, hex[2 * i + 1]) - digits));
	return true;
}

static bool
root_of(const struct statement *statement, char root[DIGEST_HEX_SIZE], struct error *err)
{
	struct digest *digest = digest_open(DIGEST_SHA256);
	unsigned char  raw[HEX_DIGITS / 2];

	if (digest == NULL)
		return error_no_memory(err, sizeof raw);
	for (size_t i = 0; i < statement->count; i++) {
		if (raw_digest(statement->files[i].sha256, raw))
			digest_add(digest, raw, sizeof raw);
	}
	digest_hex(digest, root);
	digest_close(digest);
	return true;
}

bool
statement_seal(struct statement *statement, struct error *err)
{
	return root_of(statement, statement->root, err);
}

/* ---- writing ---------------------------------------------------------------------- */

static void
add_predicate(struct json_writer *w, const struct statement *statement)
{
	json_open_member(w, "resources", '[');
	for (size_t i = 0; i < statement->count; i++) {
		json_open(w, '{');
		json_add_string(w, "algorithm", "sha256");
		json_add_string(w, "digest", statement->files[i].sha256);
		json_add_string(w, "name", statement->files[i].name);
		json_close(w, '}');
	}
	json_close(w, ']');
	json_open_member(w, "serialization", '{');
	json_add_string(w, "method", "files");
	json_add_string(w, "hash_type", "sha256");
	json_add_bool(w, "allow_symlinks", statement->allow_symlinks);
	json_open_member(w, "ignore_paths", '[');
	for (size_t i = 0; i < statement->ignored_count; i++)
		json_write_string(w, statement->ignored[i]);
	json_close(w, ']');
	json_close(w, '}');
}

void
statement_write(const struct statement *statement, struct text *to)
{
	struct json_writer w = { .to = to };

	json_open(&w, '{');
	json_add_string(&w, "_type", STATEMENT_TYPE);
	json_open_member(&w, "subject", '[');
	json_open(&w, '{');
	json_add_string(&w, "name", statement->subject);
	json_open_member(&w, "digest", '{');
	json_add_string(&w, "sha256", statement->root);
	json_close(&w, '}');
	json_close(&w, '}');
	json_close(&w, ']');
	json_add_string(&w, "predicateType", PREDICATE_TYPE);
	json_open_member(&w, "predicate", '{');
	add_predicate(&w, statement);
	json_close(&w, '}');
	json_close(&w, '}');
}

/* ---- reading ---------------------------------------------------------------------- */

static bool
fault(struct error *err, const char *pointer, const char *what)
{
	return error_set(err, ERROR_CORRUPT, "sigstatement", "%s: %s", pointer, what);
}

static const struct json *
member(const struct json *object, const char *key, enum json_kind kind, const char *pointer,
	struct error *err)
{
	return json_required(object, key, kind, pointer, "sigstatement", err);
}

/* The string there must be `expected`: another one is of a version or method of others. */
static bool
expect(const struct json *object, const char *key, const char *pointer, const char *slug,
	const char *expected, struct error *err)
{
	const struct json *found = member(object, key, JSON_STRING, pointer, err);

	if (found == NULL)
		return false;
	if (strcmp(json_string(found), expected) == 0)
		return true;
	return error_set(err, ERROR_UNSUPPORTED, slug, "%s: expected \"%s\", found \"%.100s\"",
		pointer, expected, json_string(found));
}

static const char *
keep(struct arena *arena, const struct json *string, struct error *err)
{
	const char *bytes = json_string(string), *copy = arena_copy(arena, bytes, strlen(bytes));

	if (copy == NULL)
		error_no_memory(err, strlen(bytes));
	return copy;
}

static bool
parse_subject(const struct json *root, struct arena *arena, struct statement *statement,
	struct error *err)
{
	const struct json *list = member(root, "subject", JSON_ARRAY, "/subject", err);
	const struct json *name, *digest, *sha256;

	if (list == NULL)
		return false;
	if (json_count(list) != 1)
		return error_set(err, ERROR_CORRUPT, "sigpred",
			"/subject: expected one subject, found %zu", json_count(list));
	if (json_kind(json_first(list)) != JSON_OBJECT)
		return fault(err, "/subject/0", "is of the wrong kind");
	if ((name = member(json_first(list), "name", JSON_STRING, "/subject/0/name", err)) == NULL
	    || (digest = member(json_first(list), "digest", JSON_OBJECT, "/subject/0/digest",
		err)) == NULL
	    || (sha256 = member(digest, "sha256", JSON_STRING, "/subject/0/digest/sha256",
		err)) == NULL
	    || (statement->subject = keep(arena, name, err)) == NULL)
		return false;
	if (strlen(json_string(sha256)) != HEX_DIGITS)
		return fault(err, "/subject/0/digest/sha256", "is no SHA-256");
	memcpy(statement->root, json_string(sha256), DIGEST_HEX_SIZE);
	return true;
}

/* Relative, '/' between parts that are none of "", "." and "..". */
static bool
check_name(const char *name, const char *pointer, struct error *err)
{
	bool is_plain = name[0] != '/';

	for (const char *at = name; at != NULL && is_plain; at = strchr(at, '/')) {
		size_t length;

		at += *at == '/';
		length = strcspn(at, "/");
		if (length == 2 && memcmp(at, "..", 2) == 0)
			return error_set(err, ERROR_UNSAFE, "sumspath",
				"%s: refusing a path outside the directory: \"%.200s\"", pointer, name);
		is_plain = length > 0 && !(length == 1 && *at == '.');
	}
	if (name[0] == '/')
		return error_set(err, ERROR_UNSAFE, "sumspath",
			"%s: refusing a path outside the directory: \"%.200s\"", pointer, name);
	return is_plain || fault(err, pointer, "is not a plain relative path");
}

static bool
parse_file(const struct json *resource, size_t index, struct arena *arena,
	struct statement_file *file, struct error *err)
{
	char               place[64], pointer[96];
	unsigned char      raw[HEX_DIGITS / 2];
	const struct json *name, *digest;

	text_format(place, sizeof place, "/predicate/resources/%zu", index);
	if (json_kind(resource) != JSON_OBJECT)
		return fault(err, place, "is of the wrong kind");
	text_format(pointer, sizeof pointer, "%s/algorithm", place);
	if (!expect(resource, "algorithm", pointer, "sighash", "sha256", err))
		return false;
	text_format(pointer, sizeof pointer, "%s/digest", place);
	if ((digest = member(resource, "digest", JSON_STRING, pointer, err)) == NULL)
		return false;
	if (!raw_digest(json_string(digest), raw))
		return fault(err, pointer, "is no SHA-256 in lower-case digits");
	memcpy(file->sha256, json_string(digest), DIGEST_HEX_SIZE);
	text_format(pointer, sizeof pointer, "%s/name", place);
	return (name = member(resource, "name", JSON_STRING, pointer, err)) != NULL
		&& check_name(json_string(name), pointer, err)
		&& (file->name = keep(arena, name, err)) != NULL;
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(((const struct statement_file *)a)->name,
		((const struct statement_file *)b)->name);
}

/* Checks the root digest in the order of the list, then sorts. */
static bool
parse_files(const struct json *predicate, struct arena *arena, struct statement *statement,
	struct error *err)
{
	const struct json     *list = member(predicate, "resources", JSON_ARRAY,
		"/predicate/resources", err);
	size_t                 count = list != NULL ? json_count(list) : 0;
	struct statement_file *files;
	char                   root[DIGEST_HEX_SIZE];

	if (list == NULL)
		return false;
	if (count == 0)
		return fault(err, "/predicate/resources", "is empty");
	if ((files = arena_take(arena, count, sizeof *files)) == NULL)
		return error_no_memory(err, count * sizeof *files);
	statement->files = files;
	for (const struct json *at = json_first(list); at != NULL; at = json_next(at)) {
		if (!parse_file(at, statement->count, arena, &files[statement->count], err))
			return false;
		statement->count++;
	}
	if (!root_of(statement, root, err))
		return false;
	if (strcmp(root, statement->root) != 0)
		return error_set(err, ERROR_CORRUPT, "sigpred", "root digest does not match the "
			"resource list: expected %s, found %s", statement->root, root);
	qsort(files, count, sizeof *files, compare_names);
	for (size_t i = 1; i < count; i++) {
		if (strcmp(files[i - 1].name, files[i].name) == 0)
			return error_set(err, ERROR_CORRUPT, "sigstatement",
				"/predicate/resources: lists \"%.200s\" twice", files[i].name);
	}
	return true;
}

static bool
parse_ignored(const struct json *list, struct arena *arena, struct statement *statement,
	struct error *err)
{
	size_t       count = json_count(list);
	const char **ignored = arena_take(arena, count > 0 ? count : 1, sizeof *ignored);

	if (ignored == NULL)
		return error_no_memory(err, count * sizeof *ignored);
	for (const struct json *at = json_first(list); at != NULL; at = json_next(at)) {
		if (json_kind(at) != JSON_STRING)
			return fault(err, "/predicate/serialization/ignore_paths",
				"has something in it that is no path");
		if ((ignored[statement->ignored_count++] = keep(arena, at, err)) == NULL)
			return false;
	}
	statement->ignored = ignored;
	return true;
}

static bool
parse_serialization(const struct json *predicate, struct arena *arena,
	struct statement *statement, struct error *err)
{
	const struct json *how = member(predicate, "serialization", JSON_OBJECT,
		"/predicate/serialization", err);
	const struct json *method = how != NULL ? json_member(how, "method") : NULL;
	const struct json *links, *ignored;

	if (how == NULL)
		return false;
	if (method != NULL && json_kind(method) == JSON_STRING
	    && strcmp(json_string(method), "shards") == 0)
		return error_set(err, ERROR_UNSUPPORTED, "sigshards",
			"shard serialization is not supported");
	if (!expect(how, "method", "/predicate/serialization/method", "sigmethod", "files", err)
	    || !expect(how, "hash_type", "/predicate/serialization/hash_type", "sighash", "sha256",
		err))
		return false;
	links = json_member(how, "allow_symlinks");
	if (links != NULL && !json_bool(links, &statement->allow_symlinks))
		return fault(err, "/predicate/serialization/allow_symlinks", "is of the wrong kind");
	if (json_member(how, "ignore_paths") == NULL)
		return true;
	ignored = member(how, "ignore_paths", JSON_ARRAY, "/predicate/serialization/ignore_paths",
		err);
	return ignored != NULL && parse_ignored(ignored, arena, statement, err);
}

bool
statement_parse(const char *bytes, size_t length, struct arena *arena,
	struct statement *statement, struct error *err)
{
	struct json       *root = json_parse(bytes, length, err);
	const struct json *predicate;
	bool               done = false;

	*statement = (struct statement){ .count = 0 };
	if (root == NULL)
		return false;
	if (json_kind(root) != JSON_OBJECT)
		fault(err, "the statement", "is no JSON object");
	else
		done = expect(root, "_type", "/_type", "sigpred", STATEMENT_TYPE, err)
			&& expect(root, "predicateType", "/predicateType", "sigpred", PREDICATE_TYPE, err)
			&& parse_subject(root, arena, statement, err)
			&& (predicate = member(root, "predicate", JSON_OBJECT, "/predicate", err)) != NULL
			&& parse_serialization(predicate, arena, statement, err)
			&& parse_files(predicate, arena, statement, err);
	json_free(root);
	return done;
}

bool
statement_ignores(const struct statement *statement, const char *name)
{
	for (size_t i = 0; i < statement->ignored_count; i++) {
		size_t length = strlen(statement->ignored[i]);

		if (length > 0 && strncmp(name, statement->ignored[i], length) == 0
		    && (name[length] == '\0' || name[length] == '/'))
			return true;
	}
	return false;
}
