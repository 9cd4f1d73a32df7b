#include "check/sign.h"

#include "base/atomic_file.h"
#include "base/certificate.h"
#include "base/descriptor.h"
#include "base/path.h"
#include "base/signals.h"
#include "check/pem_file.h"
#include "check/signature.h"
#include "check/signed_files.h"
#include "container/input_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARENA_LIMIT ((size_t)256 << 20)
#define BLOCK_BYTES ((size_t)1 << 20)
#define SIGNATURE   "model.sig"
#define SIGNATURE_BYTES (UINT64_C(64) << 20)

/* OMS v1.0 leaves these out, at the top of the directory only. */
static const char *const always_ignored[] = {
	".git", ".gitattributes", ".github", ".gitignore", SIGNATURE,
};
#define IGNORED_COUNT (sizeof always_ignored / sizeof *always_ignored)

struct signing {
	const struct sign_order *order;
	struct sign_result      *result;
	struct decision_log     *log;
	struct ecdsa_key        *key;
	struct certificate_list *chain;         /* NULL: none was asked for */
	int                      directory;
	struct statement_file   *files;
	size_t                   count;
	uint64_t                *sizes;
	uint64_t                 done, total;   /* bytes */
	unsigned char           *block;
};

/* ---- who signs -------------------------------------------------------------------- */

static void
blame_key(const char *path, struct error *err)
{
	error_in_file(err, path);
	if (strcmp(err->slug, "signpath") == 0)
		error_hint(err, "set MEGATRON2HF_PASSPHRASE to the passphrase of the key");
}

static bool
is_public(const struct pem_file *file)
{
	static const char start[] = "-----BEGIN PUBLIC KEY-----";

	return memmem(file->bytes, file->length, start, sizeof start - 1) != NULL;
}

static bool
read_key(struct signing *signing, struct error *err)
{
	const struct sign_order *order = signing->order;
	struct pem_file          file;

	if (pem_file_read(order->key, &file, err)) {
		signing->key = ecdsa_read_private(file.bytes, file.length, order->ask,
			order->ask_context, err);
		if (signing->key == NULL && is_public(&file))
			error_set(err, ERROR_CORRUPT, "sigkey",
				"a public key; sign needs the private one");
		if (signing->key == NULL)
			blame_key(order->key, err);
		else if (file.is_world_readable)
			decision_log_note(signing->log, NOTE_WARNING, "signpath",
				"every user of this machine can read the private key: chmod 600 it");
	}
	pem_file_close(&file);
	if (signing->key == NULL)
		return false;
	memcpy(signing->result->fingerprint, ecdsa_fingerprint(signing->key), DIGEST_HEX_SIZE);
	return true;
}

static bool
check_leaf(struct signing *signing, struct error *err)
{
	struct ecdsa_key *leaf_key = certificate_key(signing->chain, err);
	int               validity = certificate_at(signing->chain, time(NULL));
	bool              is_same;

	if (leaf_key == NULL)
		return false;
	is_same = strcmp(ecdsa_fingerprint(leaf_key), ecdsa_fingerprint(signing->key)) == 0
		|| error_set(err, ERROR_MISMATCH, "sigkey", "the first certificate is that of key %s, "
			"the private key is %s", ecdsa_fingerprint(leaf_key),
			ecdsa_fingerprint(signing->key));
	ecdsa_close(leaf_key);
	if (!is_same || !certificate_may_sign(signing->chain, err))
		return false;
	if (validity != 0)
		decision_log_note(signing->log, NOTE_WARNING, "sigcert-expired", validity > 0
			? "the certificate has expired" : "the certificate is not valid yet");
	return true;
}

static bool
read_chain(struct signing *signing, struct error *err)
{
	const char     *path = signing->order->certificate;
	struct pem_file file;
	bool            done = false;

	if (path == NULL)
		return true;
	if (pem_file_read(path, &file, err)) {
		signing->chain = certificate_read(file.bytes, file.length, CERTIFICATE_MAX, err);
		done = signing->chain != NULL && check_leaf(signing, err);
	}
	pem_file_close(&file);
	return done || error_in_file(err, path);
}

/* ---- what is signed --------------------------------------------------------------- */

static bool
hash_blocks(struct signing *signing, const struct input_file *file, struct digest *digest,
	struct error *err)
{
	const struct sign_order *order = signing->order;
	uint64_t                 offset = 0;

	while (offset < file->size) {
		size_t count = file->size - offset < BLOCK_BYTES ? (size_t)(file->size - offset)
			: BLOCK_BYTES;

		if (!signals_go_on(err) || !input_file_read(file, offset, signing->block, count, err))
			return false;
		digest_add(digest, signing->block, count);
		offset += count;
		signing->done += count;
		if (order->progress != NULL)
			order->progress(order->progress_context, signing->done, signing->total);
	}
	return input_file_unchanged(file, err);
}

static bool
hash_file(struct signing *signing, size_t index, struct error *err)
{
	struct statement_file *entry = &signing->files[index];
	struct input_file     *file = input_file_open_at(signing->directory, entry->name,
		entry->name, err);
	struct digest         *digest = NULL;
	bool                   done = false;

	if (file == NULL)
		return false;
	if ((digest = digest_open(DIGEST_SHA256)) == NULL)
		error_no_memory(err, sizeof digest);
	else
		done = hash_blocks(signing, file, digest, err);
	if (done)
		digest_hex(digest, entry->sha256);
	digest_close(digest);
	input_file_close(file);
	return done;
}

/* Sizes as they are now, so that the total of the work is known before it begins. */
static void
add_up_total(struct signing *signing)
{
	for (size_t i = 0; i < signing->count; i++) {
		struct stat status;

		if (fstatat(signing->directory, signing->files[i].name, &status, 0) == 0)
			signing->sizes[i] = (uint64_t)status.st_size;
		signing->total += signing->sizes[i];
	}
}

static bool
hash_all(struct signing *signing, struct error *err)
{
	signing->block = malloc(BLOCK_BYTES);
	signing->sizes = arena_take(&signing->result->arena, signing->count,
		sizeof *signing->sizes);
	if (signing->block == NULL || signing->sizes == NULL)
		return error_no_memory(err, BLOCK_BYTES);
	signing->result->sizes = signing->sizes;
	add_up_total(signing);
	for (size_t i = 0; i < signing->count; i++) {
		if (!hash_file(signing, i, err))
			return false;
	}
	return true;
}

/* Neither the key nor the certificate is replaced, --force or not. */
static bool
check_spares(const struct sign_result *result, const char *input, struct error *err)
{
	if (input == NULL || !path_is_inside(result->output, input))
		return true;
	error_set(err, ERROR_USAGE, "sameio", "the signature would take the place of '%s', which "
		"it is made with", input);
	return error_hint(err, "name another output file");
}

static bool
check_inputs(const struct sign_order *order, const struct sign_result *result, struct error *err)
{
	return check_spares(result, order->key, err)
		&& check_spares(result, order->certificate, err);
}

/* --force takes the place of an earlier signature, not of a file of the directory, be it one
 * that is signed or git's. */
static bool
check_replaced(const struct signing *signing, const char *name, struct error *err)
{
	struct error       ignored = { 0 };
	struct input_file *file = input_file_open_at(signing->directory, name, name, &ignored);
	char              *bytes = NULL;
	bool               is_signature = file == NULL && ignored.os_errno == ENOENT;

	if (file != NULL && (bytes = input_file_text(file, SIGNATURE_BYTES, &ignored)) != NULL)
		is_signature = signature_is_bundle(bytes, (size_t)file->size);
	free(bytes);
	input_file_close(file);
	if (is_signature)
		return true;
	error_set(err, ERROR_USAGE, "sameio", "'%s' is a file of the directory, and no signature",
		signing->result->output);
	return error_hint(err, "name another file, or none for " SIGNATURE);
}

/* A signature that is written into the directory is not part of what it signs. */
static bool
choose_ignored(struct signing *signing, struct error *err)
{
	struct sign_result *result = signing->result;
	const char        **ignored = arena_take(&result->arena, IGNORED_COUNT + 1, sizeof *ignored);
	char                name[4096];

	if (ignored == NULL)
		return error_no_memory(err, sizeof *ignored);
	memcpy(ignored, always_ignored, sizeof always_ignored);
	result->statement.ignored = ignored;
	result->statement.ignored_count = IGNORED_COUNT;
	if (!signed_files_name_inside(signing->order->directory, result->output, name, sizeof name,
		err))
		return false;
	if (name[0] == '\0' || strcmp(name, SIGNATURE) == 0)
		return true;
	if (!check_replaced(signing, name, err))
		return false;
	if (statement_ignores(&result->statement, name))
		return true;
	if (!text_is_utf8(name, strlen(name)))
		return error_set(err, ERROR_USAGE, "usage",
			"--output: the name of a signature in the directory must be UTF-8");
	ignored[IGNORED_COUNT] = arena_copy(&result->arena, name, strlen(name));
	result->statement.ignored_count++;
	return ignored[IGNORED_COUNT] != NULL || error_no_memory(err, strlen(name));
}

static bool
make_statement(struct signing *signing, struct error *err)
{
	struct sign_result *result = signing->result;
	struct statement   *statement = &result->statement;
	char               *path = realpath(signing->order->directory, NULL), name[256];

	if (path == NULL)
		return error_os(err, ERROR_NO_INPUT, "nodir", "cannot resolve the directory's name");
	text_base_name(name, sizeof name, path);
	free(path);
	if (!text_is_utf8(name, strlen(name)))
		return error_set(err, ERROR_CORRUPT, "signdir",
			"the directory's name is not valid UTF-8 and cannot be signed");
	if ((statement->subject = arena_copy(&result->arena, name, strlen(name))) == NULL)
		return error_no_memory(err, strlen(name));
	if (!choose_ignored(signing, err) || !signed_files_find(signing->directory, statement,
		&result->arena, &signing->files, &signing->count, err) || !hash_all(signing, err))
		return false;
	statement->files = signing->files;
	statement->count = signing->count;
	return statement_seal(statement, err);
}

/* ---- the signature ---------------------------------------------------------------- */

/* As a stranger who has the key; whether a chain leads to a root only he can tell who has that. */
static bool
check_bundle(const struct signing *signing, const struct text *bundle,
	const struct text *payload, struct error *err)
{
	struct signature_trust trust = { .key = signing->key };
	struct signature       signature;
	bool                   done = signature_verify(bundle->bytes, bundle->length, &trust,
		&signature, err);

	done = done && signature.length == payload->length
		&& memcmp(signature.payload, payload->bytes, payload->length) == 0;
	signature_fini(&signature);
	if (done || err->kind == ERROR_LIMIT)
		return done;
	return error_set(err, ERROR_INTERNAL, "sign",
		"the signature that was made does not verify");
}

static bool
sign_all(struct signing *signing, struct error *err)
{
	const struct sign_order *order = signing->order;
	struct text              payload = { 0 }, bundle = { 0 };
	bool                     done = false;

	if (!make_statement(signing, err))
		goto out;
	statement_write(&signing->result->statement, &payload);
	if (payload.failed)
		error_no_memory(err, payload.length);
	else
		done = signature_write(payload.bytes, payload.length, signing->key, signing->chain,
			&bundle, err) && check_bundle(signing, &bundle, &payload, err)
			&& signals_go_on(err)
			&& atomic_file_write(signing->result->output, bundle.bytes, bundle.length,
				order->replace, err);
out:
	text_free(&payload);
	text_free(&bundle);
	return done;
}

/* Where the signature goes; "DIR/model.sig" without a name. */
static const char *
choose_output(struct sign_result *result, const struct sign_order *order)
{
	size_t length = strlen(order->directory);
	char  *path;

	if (order->output != NULL)
		return arena_copy(&result->arena, order->output, strlen(order->output));
	while (length > 1 && order->directory[length - 1] == '/')
		length--;
	path = arena_take(&result->arena, length + sizeof "/" SIGNATURE, 1);
	return path == NULL ? NULL : text_format(path, length + sizeof "/" SIGNATURE,
		order->directory[length - 1] == '/' ? "%.*s" SIGNATURE : "%.*s/" SIGNATURE,
		(int)length, order->directory);
}

/* What can fail at once comes before the long work. */
bool
sign_directory(const struct sign_order *order, struct sign_result *result,
	struct decision_log *log, struct error *err)
{
	struct signing signing = { .order = order, .result = result, .log = log };
	bool           done = false;

	*result = (struct sign_result){ .output = NULL };
	arena_init(&result->arena, ARENA_LIMIT);
	signing.directory = descriptor_open_directory(AT_FDCWD, order->directory, 0);
	if (signing.directory < 0) {
		error_os(err, ERROR_NO_INPUT, "nodir", "cannot open the directory");
		if (err->os_errno == ENOTDIR)
			error_hint(err, "a directory is expected; all files in it are signed together");
		return error_in_file(err, order->directory);
	}
	if ((result->output = choose_output(result, order)) == NULL)
		error_no_memory(err, strlen(order->directory));
	else
		done = atomic_file_check(result->output, order->replace, err)
			&& read_key(&signing, err) && read_chain(&signing, err)
			&& check_inputs(order, result, err) && sign_all(&signing, err);
	free(signing.block);
	certificate_close(signing.chain);
	ecdsa_close(signing.key);
	close(signing.directory);
	return done;
}

void
sign_fini(struct sign_result *result)
{
	arena_fini(&result->arena);
	*result = (struct sign_result){ .output = NULL };
}
