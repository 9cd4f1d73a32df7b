#include "check/verify_signature.h"

#include "base/certificate.h"
#include "base/ecdsa.h"
#include "check/pem_file.h"
#include "check/signature.h"
#include "check/signed_files.h"
#include "check/verify_entries.h"
#include "container/input_file.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_BYTES ((uint64_t)64 << 20)

/* ---- whom to trust ---------------------------------------------------------------- */

/* Exactly one of the two is given; what it names is the caller's. */
struct trusted {
	struct ecdsa_key        *key;
	struct certificate_list *roots;
};

static bool
read_trusted(const struct verify_trust *trust, struct trusted *to, struct error *err)
{
	const char     *path = trust->key != NULL ? trust->key : trust->ca;
	struct pem_file file;

	if (pem_file_read(path, &file, err)) {
		if (trust->key != NULL)
			to->key = ecdsa_read_public(file.bytes, file.length, err);
		else
			to->roots = certificate_read(file.bytes, file.length, CERTIFICATE_ROOTS_MAX, err);
	}
	pem_file_close(&file);
	return to->key != NULL || to->roots != NULL || error_in_file(err, path);
}

/* The whole signature, malloc()ed; NULL: *err. */
static char *
read_bundle(const char *path, size_t *length, struct error *err)
{
	struct input_file *file = input_file_open(path, NULL, err);
	char              *bytes = NULL;

	if (file == NULL)
		return NULL;
	*length = (size_t)file->size;
	if (file->size > MAX_BYTES)
		error_set(err, ERROR_LIMIT, "siglarge", "%" PRIu64 " bytes are too large for a "
			"signature (at most %" PRIu64 ")", file->size, MAX_BYTES);
	else
		bytes = input_file_text(file, MAX_BYTES, err);
	input_file_close(file);
	if (bytes == NULL)
		error_in_file(err, path);
	return bytes;
}

/* ---- the signature ---------------------------------------------------------------- */

static void
tell(struct verify_run *run, const struct signature *signature)
{
	if (!signature->has_hint)
		decision_log_note(run->log, NOTE_WARNING, "sigold", "signature uses an older format: "
			"it does not say which key it is of");
	if (signature->certificate_at != 0)
		decision_log_note(run->log, NOTE_WARNING, "sigcert-expired", "the signer's certificate "
			"%s; it was judged at the begin of its validity",
			signature->certificate_at > 0 ? "has expired since" : "is not valid yet");
	decision_log_note(run->log, NOTE_NOTE, "signed", "signed by %s%skey %s: %zu files, root "
		"digest %s", signature->subject, signature->has_certificate ? ", " : "",
		signature->fingerprint, run->statement.count, run->statement.root);
}

static bool
verify(struct verify_run *run, struct error *err)
{
	const struct verify_trust *trust = run->trust;
	struct trusted             trusted = { .key = NULL };
	struct signature           signature = { .payload = NULL };
	size_t                     length = 0;
	char                      *bytes = NULL;
	bool                       done = false;

	if (read_trusted(trust, &trusted, err)
	    && (bytes = read_bundle(trust->signature, &length, err)) != NULL) {
		done = signature_verify(bytes, length,
			&(struct signature_trust){ trusted.key, trusted.roots }, &signature, err)
			&& statement_parse((const char *)signature.payload, signature.length,
				&run->result->arena, &run->statement, err);
		if (done)
			tell(run, &signature);
		else
			error_in_file(err, trust->signature);
	}
	signature_fini(&signature);
	free(bytes);
	ecdsa_close(trusted.key);
	certificate_close(trusted.roots);
	return done;
}

/* A signature in the directory is no file of the model, whatever it is called. */
static bool
exempt_itself(struct verify_run *run, struct error *err)
{
	char                 name[4096];
	struct verify_entry *entry;

	if (!signed_files_name_inside(run->path, run->trust->signature, name, sizeof name, err))
		return false;
	if (name[0] != '\0' && (entry = verify_run_find(run, name)) != NULL)
		entry->is_exempt = true;
	return true;
}

bool
verify_signature_open(struct verify_run *run, struct error *err)
{
	struct error problem = { 0 };

	if (run->trust == NULL)
		return true;
	if (!exempt_itself(run, err))
		return false;
	if (verify(run, &problem)) {
		run->has_statement = true;
		return verify_entries_add_signed(run, err);
	}
	if (problem.kind == ERROR_SIGNAL) {
		*err = problem;
		return false;
	}
	verify_run_problem(run, &problem);
	return true;
}

/* ---- the files -------------------------------------------------------------------- */

/* Is the file, or a folder on the way to it, a symbolic link? */
static bool
is_link(const struct verify_run *run, const char *name)
{
	char        path[4096];
	struct stat status;

	if (strlen(name) >= sizeof path)
		return false;
	for (const char *end = name; end != NULL;) {
		end = strchr(end + 1, '/');
		text_format(path, sizeof path, "%.*s",
			(int)(end != NULL ? (size_t)(end - name) : strlen(name)), name);
		if (fstatat(run->directory, path, &status, AT_SYMLINK_NOFOLLOW) == 0
		    && S_ISLNK(status.st_mode))
			return true;
	}
	return false;
}

static int
compare_digests(const void *a, const void *b)
{
	return strcmp((*(const struct statement_file *const *)a)->sha256,
		(*(const struct statement_file *const *)b)->sha256);
}

/* The signed files that are missing, sorted by digest, to find those that were renamed. */
struct missing {
	const struct statement_file **files;
	size_t                        count;
};

static void
compare_file(struct verify_run *run, const struct statement_file *file, struct missing *missing)
{
	const struct verify_entry *entry = verify_run_find(run, file->name);

	if (entry == NULL)
		missing->files[missing->count++] = file;
	else if (!run->statement.allow_symlinks && is_link(run, file->name))
		verify_run_report(run, ERROR_MISMATCH, "sigfiles", file->name, NULL,
			"is or lies behind a symbolic link, and a file was signed");
	else if (entry->is_read && strcmp(entry->sha256, file->sha256) != 0)
		verify_run_report(run, ERROR_MISMATCH, "sigfiles", file->name, NULL,
			"was changed after signing: expected SHA-256 %s, found %s", file->sha256,
			entry->sha256);
}

/* `entry` was not signed under its name. */
static void
report_extra(struct verify_run *run, const struct verify_entry *entry,
	const struct missing *missing)
{
	struct statement_file                wanted = { .name = "" };
	const struct statement_file *const   key = &wanted;
	const struct statement_file *const  *found = NULL;

	memcpy(wanted.sha256, entry->sha256, sizeof wanted.sha256);
	if (entry->is_read && missing->count > 0)
		found = bsearch(&key, missing->files, missing->count, sizeof *missing->files,
			compare_digests);
	if (is_link(run, entry->name))
		verify_run_report(run, ERROR_MISMATCH, "sigfiles", entry->name, NULL,
			"is a symbolic link that was not signed");
	else if (found != NULL)
		verify_run_report(run, ERROR_MISMATCH, "sigfiles", entry->name, NULL,
			"was renamed after signing: it was signed as \"%.200s\"", (*found)->name);
	else
		verify_run_report(run, ERROR_MISMATCH, "sigfiles", entry->name, NULL,
			"was not signed");
}

/* What plain verification does not count either; but the list of checksums does count. */
static bool
is_outside(const struct verify_run *run, const struct verify_entry *entry)
{
	return entry->is_signed || statement_ignores(&run->statement, entry->name)
		|| (entry->is_exempt && strcmp(entry->name, "SHA256SUMS") != 0);
}

bool
verify_signature_compare(struct verify_run *run, struct error *err)
{
	const struct statement *statement = &run->statement;
	struct missing          missing = { .count = 0 };

	if (!run->has_statement)
		return true;
	missing.files = arena_take(&run->result->arena, statement->count, sizeof *missing.files);
	if (missing.files == NULL)
		return error_no_memory(err, statement->count * sizeof *missing.files);
	for (size_t i = 0; i < statement->count; i++)
		compare_file(run, &statement->files[i], &missing);
	for (size_t i = 0; i < missing.count; i++)
		verify_run_report(run, ERROR_MISMATCH, "sigfiles", missing.files[i]->name, NULL,
			"was signed, but is missing");
	if (missing.count > 0)
		qsort(missing.files, missing.count, sizeof *missing.files, compare_digests);
	for (size_t i = 0; i < run->count; i++) {
		if (!is_outside(run, &run->entries[i]))
			report_extra(run, &run->entries[i], &missing);
	}
	return true;
}
