#include "check/verify.h"

#include "base/descriptor.h"
#include "base/json.h"
#include "base/signals.h"
#include "check/verify_entries.h"
#include "check/verify_manifest.h"
#include "check/verify_read.h"
#include "check/verify_run.h"
#include "check/verify_signature.h"
#include "check/verify_sums.h"
#include "check/verify_weights.h"
#include "gpt2/tokenizer_check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Names and tables; the largest header a file may have makes some 50 MB of them. */
#define ARENA_LIMIT ((size_t)512 << 20)

/* ---- reading ---------------------------------------------------------------------- */

static bool
is_wanted(const struct verify_entry *entry)
{
	return entry->is_listed || entry->is_signed || !entry->is_exempt;
}

/* Sizes as they are now, so that the total of the work is known before it begins. */
static void
add_up_total(struct verify_run *run)
{
	struct stat status;

	for (size_t i = 0; i < run->count; i++) {
		const struct verify_entry *entry = &run->entries[i];

		if (is_wanted(entry)
		    && fstatat(run->directory, entry->name, &status, 0) == 0
		    && S_ISREG(status.st_mode))
			run->total += (uint64_t)status.st_size;
	}
}

/* SHA256SUMS and the signature come first: they may name files that are else passed over. */
static bool
read_all(struct verify_run *run, struct error *err)
{
	struct verify_entry *list;

	if (!verify_entries_find(run, err))
		return false;
	list = verify_run_find(run, "SHA256SUMS");
	if (list != NULL && !verify_read(run, list, err))
		return false;
	if (!verify_sums_parse(run, err) || !verify_entries_add_listed(run, err)
	    || !verify_signature_open(run, err))
		return false;
	add_up_total(run);
	run->total += run->done;
	for (size_t i = 0; i < run->count; i++) {
		struct verify_entry *entry = &run->entries[i];

		if (is_wanted(entry) && !entry->is_read
		    && !verify_read(run, entry, err))
			return false;
	}
	return true;
}

/* ---- checks ----------------------------------------------------------------------- */

static bool
is_checkpoint(const struct verify_run *run)
{
	static const char *const signs[] = { "latest_checkpointed_iteration.txt", "mp_rank_00",
		"mp_rank_00_000", "model_optim_rng.pt", ".metadata" };

	for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
		if (faccessat(run->directory, signs[i], F_OK, 0) == 0)
			return true;
	return false;
}

static void
read_config(struct verify_run *run)
{
	const struct verify_entry *entry = verify_run_find(run, "config.json");
	struct error               problem = { 0 };

	if (entry == NULL) {
		error_set(&problem, ERROR_MISMATCH, "vmissing", "is missing");
		if (is_checkpoint(run))
			error_hint(&problem, "this is a Megatron checkpoint: inspect describes it, "
				"convert converts it");
		else if (verify_run_find(run, "SHA256SUMS") == NULL)
			error_hint(&problem, "a directory that convert wrote is expected");
		error_in_file(&problem, "config.json");
		verify_run_problem(run, &problem);
		return;
	}
	if (entry->text == NULL)
		return;
	run->has_config = config_read(entry->text, entry->text_length, &run->config,
		run->activation, &problem);
	if (!run->has_config) {
		error_in_file(&problem, entry->name);
		verify_run_problem(run, &problem);
	}
}

static void
check_generation_config(struct verify_run *run)
{
	const struct verify_entry *entry = verify_run_find(run, "generation_config.json");
	struct error               problem = { 0 };
	struct json               *root;

	if (entry == NULL || entry->text == NULL)
		return;
	root = json_parse(entry->text, entry->text_length, &problem);
	if (root == NULL || json_kind(root) != JSON_OBJECT) {
		if (root != NULL)
			error_set(&problem, ERROR_CORRUPT, "json", "not a JSON object");
		error_in_file(&problem, entry->name);
		verify_run_problem(run, &problem);
	}
	json_free(root);
}

static void
keep_problem(void *context, const struct error *problem)
{
	verify_run_problem(context, problem);
}

/* What a file of the tokenizer says, NULL when it is not there or could not be read. */
static const char *
text_of(const struct verify_run *run, const char *name, size_t *length)
{
	const struct verify_entry *entry = verify_run_find(run, name);

	if (entry == NULL || entry->text == NULL)
		return NULL;
	*length = entry->text_length;
	return entry->text;
}

/* The files of openai-community/gpt2, which every GPT-2 directory has: what is known by its
 * digest need not be taken apart again. */
static bool
has_gpt2_tokenizer(const struct verify_run *run)
{
	static const struct {
		const char *name, *sha256;
	} known[] = {
		{ TOKENIZER_READ_VOCABULARY,
			"196139668be63f3b5d6574427317ae82f612a97c5d1cdaf36ed2256dbf636783" },
		{ TOKENIZER_READ_MERGES,
			"1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5" },
		{ TOKENIZER_READ_TOKENIZER,
			"8414cab924d8b9b33013f0d221c5862f365ee9be39c5c2bfae8a5a9e970478a6" },
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		const struct verify_entry *entry = verify_run_find(run, known[i].name);

		if (entry == NULL || !entry->is_read || strcmp(entry->sha256, known[i].sha256) != 0)
			return false;
	}
	return !run->has_config || run->config.sizes.vocab_size >= TOKENIZER_GPT2_SIZE;
}

/* It is there, but could not be read, which was reported. */
static bool
is_unread(const struct verify_run *run, const char *name)
{
	const struct verify_entry *entry = verify_run_find(run, name);

	return entry != NULL && entry->text == NULL;
}

static void
check_tokenizer(struct verify_run *run)
{
	struct tokenizer_files files = { 0 };

	files.config = text_of(run, "tokenizer_config.json", &files.config_length);
	if (has_gpt2_tokenizer(run)) {
		tokenizer_check(&files, 0, keep_problem, run);
		return;
	}
	files.vocabulary = text_of(run, "vocab.json", &files.vocabulary_length);
	files.merges = text_of(run, "merges.txt", &files.merges_length);
	files.tokenizer = text_of(run, "tokenizer.json", &files.tokenizer_length);
	/* A pair of which one cannot be read is not one that lacks a half. */
	if (is_unread(run, "vocab.json") || is_unread(run, "merges.txt"))
		files.vocabulary = files.merges = NULL;
	tokenizer_check(&files, run->has_config ? run->config.sizes.vocab_size : 0, keep_problem,
		run);
}

/* ---- the result ------------------------------------------------------------------- */

static bool
give_files(struct verify_run *run, struct error *err)
{
	struct verify_result *result = run->result;

	result->files = arena_take(&result->arena, run->count, sizeof *result->files);
	if (result->files == NULL)
		return error_no_memory(err, run->count * sizeof *result->files);
	for (size_t i = 0; i < run->count; i++) {
		const struct verify_entry *entry = &run->entries[i];
		struct verify_file        *file = &result->files[result->file_count];

		if (!entry->is_read)
			continue;
		file->name = entry->name;
		file->bytes = entry->bytes;
		memcpy(file->sha256, entry->sha256, sizeof file->sha256);
		result->file_count++;
	}
	return true;
}

static bool
check_all(struct verify_run *run, struct error *err)
{
	if (!read_all(run, err))
		return false;
	read_config(run);
	verify_sums_compare(run);
	if (!verify_signature_compare(run, err))
		return false;
	verify_manifest(run);
	if (!verify_weights(run, err))
		return false;
	check_generation_config(run);
	check_tokenizer(run);
	return give_files(run, err);
}

bool
verify_directory(const char *directory, const struct verify_trust *trust,
	unsigned threads, verify_progress *progress, void *context, struct verify_result *result,
	struct decision_log *log, struct error *err)
{
	struct verify_run run = { .path = directory, .result = result, .log = log,
		.trust = trust, .threads = threads, .progress = progress, .context = context };
	bool              done;

	*result = (struct verify_result){ 0 };
	arena_init(&result->arena, ARENA_LIMIT);
	run.directory = descriptor_open_directory(AT_FDCWD, directory, 0);
	if (run.directory == -1) {
		error_os(err, ERROR_NO_INPUT, "nodir", "cannot open the directory");
		if (err->os_errno == ENOTDIR)
			error_hint(err, "a directory that convert wrote is expected; "
				"inspect says what a file is");
		return error_in_file(err, directory);
	}
	done = check_all(&run, err);
	for (size_t i = 0; i < run.count; i++)
		free(run.entries[i].text);
	free(run.entries);
	close(run.directory);
	return done;
}

const struct error *
verify_severest(const struct verify_result *result)
{
	const struct error *severest = NULL;

	for (size_t i = 0; i < result->problem_count; i++) {
		const struct error *problem = &result->problems[i];

		if (severest == NULL
		    || verify_run_severity(problem->kind) > verify_run_severity(severest->kind))
			severest = problem;
	}
	return severest;
}

void
verify_fini(struct verify_result *result)
{
	free(result->problems);
	arena_fini(&result->arena);
	*result = (struct verify_result){ 0 };
}
