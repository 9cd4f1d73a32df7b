#include "check/verify_manifest.h"

#include "base/json.h"

#include <inttypes.h>
#include <string.h>

#define NAME "conversion.json"

static void
report_broken(struct verify_run *run, const char *what)
{
	verify_run_report(run, ERROR_CORRUPT, "manifest", NAME, NULL, "%s", what);
}

/* ---- files ------------------------------------------------------------------------ */

/* git's name of a file that was kept in memory; the manifest has it for small files only. */
static void
compare_git_blob(struct verify_run *run, const struct json *output,
	const struct verify_entry *entry)
{
	const char *expected = json_string(json_member(output, "git_blob_sha1"));
	char        found[DIGEST_HEX_SIZE];

	if (expected == NULL || entry->text == NULL
	    || !digest_git_blob(entry->text, entry->text_length, found)
	    || strcmp(expected, found) == 0)
		return;
	verify_run_report(run, ERROR_MISMATCH, "manifest", entry->name, NULL,
		"git blob SHA-1 differs from " NAME ": expected %.40s, found %s", expected, found);
}

static void
compare_output(struct verify_run *run, const struct json *output)
{
	const bool                 is_object = json_kind(output) == JSON_OBJECT;
	const char                *name, *sha256;
	struct verify_entry       *entry;
	uint64_t                   bytes;

	if (!is_object || (name = json_string(json_member(output, "name"))) == NULL
	    || (sha256 = json_string(json_member(output, "sha256"))) == NULL
	    || !json_u64(json_member(output, "bytes"), &bytes)) {
		report_broken(run, "an entry of outputs has no name, bytes or sha256");
		return;
	}
	if (!verify_run_is_inside(name)) {
		verify_run_report(run, ERROR_UNSAFE, "sumspath", NAME, NULL,
			"refusing a path outside the directory: \"%.200s\"", name);
		return;
	}
	if ((entry = verify_run_find(run, name)) == NULL) {
		verify_run_report(run, ERROR_MISMATCH, "vmissing", name, NULL,
			"listed in " NAME ", but missing");
		return;
	}
	entry->is_output = true;
	if (!entry->is_read)
		return;
	if (entry->bytes != bytes)
		verify_run_report(run, ERROR_MISMATCH, "manifest", name, NULL,
			"size differs from " NAME ": expected %" PRIu64 " bytes, found %" PRIu64,
			bytes, entry->bytes);
	else if (strcmp(entry->sha256, sha256) != 0)
		verify_run_report(run, ERROR_MISMATCH, "manifest", name, NULL,
			"SHA-256 differs from " NAME ": expected %.64s, found %s", sha256,
			entry->sha256);
	compare_git_blob(run, output, entry);
}

/* ---- tensors ---------------------------------------------------------------------- */

/* A tensor as the manifest has it. */
struct listed {
	const char                *file;
	struct safetensors_tensor  tensor;
};

static bool
read_listed(const struct json *node, struct listed *listed)
{
	struct safetensors_tensor *tensor = &listed->tensor;
	const struct json         *shape;
	const char                *dtype;

	*listed = (struct listed){ 0 };
	if (json_kind(node) != JSON_OBJECT)
		return false;
	shape = json_member(node, "shape");
	listed->file = json_string(json_member(node, "file"));
	tensor->name = json_string(json_member(node, "name"));
	dtype = json_string(json_member(node, "dtype"));
	if (listed->file == NULL || tensor->name == NULL || dtype == NULL || shape == NULL
	    || json_kind(shape) != JSON_ARRAY || json_count(shape) > SAFETENSORS_MAX_RANK
	    || !json_u64(json_member(node, "offset"), &tensor->offset)
	    || !json_u64(json_member(node, "bytes"), &tensor->bytes))
		return false;
	tensor->dtype = dtype_of_safetensors_name(dtype);
	if (tensor->dtype == DTYPE_UNKNOWN)
		tensor->dtype = dtype_of_name(dtype);
	for (const struct json *at = json_first(shape); at != NULL; at = json_next(at)) {
		if (!json_u64(at, &tensor->shape[tensor->rank++]))
			return false;
	}
	return true;
}

static const char *
first_difference(const struct verify_entry *entry, const struct safetensors_tensor *listed,
	const struct safetensors_tensor *found)
{
	if (found->dtype != listed->dtype)
		return "dtype";
	if (found->rank != listed->rank
	    || memcmp(found->shape, listed->shape, found->rank * sizeof *found->shape) != 0)
		return "shape";
	/* In a torch file a tensor has no place of its own. */
	if (entry->kind != VERIFY_SAFETENSORS)
		return NULL;
	return found->offset != listed->offset ? "offset" : found->bytes != listed->bytes ? "length"
		: NULL;
}

/* *homeless counts tensors whose file is missing, which are reported together. */
static void
compare_tensor(struct verify_run *run, const struct json *node, size_t *homeless)
{
	const struct safetensors_tensor *found;
	struct verify_entry             *entry;
	struct listed                    listed;
	const char                      *difference;

	if (!read_listed(node, &listed)) {
		report_broken(run, "an entry of tensors has no name, dtype, shape, file, offset or "
			"bytes");
		return;
	}
	if ((entry = verify_run_find(run, listed.file)) == NULL) {
		++*homeless;
		return;
	}
	if (!entry->has_tensors)
		return;
	entry->manifest_count++;
	if ((found = verify_run_find_tensor(entry, listed.tensor.name)) == NULL)
		verify_run_report(run, ERROR_MISMATCH, "manifest", entry->name, listed.tensor.name,
			"listed in " NAME ", but missing");
	else if ((difference = first_difference(entry, &listed.tensor, found)) != NULL)
		verify_run_report(run, ERROR_MISMATCH, "manifest", entry->name, listed.tensor.name,
			"its %s is not that of " NAME, difference);
}

/* Files the manifest knows hold the tensors that it lists, and no more. */
static void
compare_counts(struct verify_run *run)
{
	for (size_t i = 0; i < run->count; i++) {
		const struct verify_entry *entry = &run->entries[i];

		if (entry->has_tensors && (entry->is_output || entry->manifest_count > 0)
		    && entry->manifest_count != entry->tensor_count)
			verify_run_report(run, ERROR_MISMATCH, "manifest", entry->name, NULL,
				"holds %zu tensors, " NAME " lists %zu", entry->tensor_count,
				entry->manifest_count);
	}
}

static void
compare_all(struct verify_run *run, const struct json *root)
{
	const struct json *outputs, *tensors;
	size_t             homeless = 0;

	if (json_kind(root) != JSON_OBJECT) {
		report_broken(run, "not a JSON object");
		return;
	}
	outputs = json_member(root, "outputs");
	tensors = json_member(root, "tensors");
	if (outputs == NULL || json_kind(outputs) != JSON_ARRAY
	    || tensors == NULL || json_kind(tensors) != JSON_ARRAY) {
		report_broken(run, "outputs or tensors is missing or no list");
		return;
	}
	for (const struct json *at = json_first(outputs); at != NULL; at = json_next(at))
		compare_output(run, at);
	for (const struct json *at = json_first(tensors); at != NULL; at = json_next(at))
		compare_tensor(run, at, &homeless);
	if (homeless > 0)
		verify_run_report(run, ERROR_MISMATCH, "manifest", NAME, NULL,
			"places %zu tensors in files that are missing", homeless);
	compare_counts(run);
}

void
verify_manifest(struct verify_run *run)
{
	const struct verify_entry *entry = verify_run_find(run, NAME);
	struct error               problem = { 0 };
	struct json               *root;

	if (entry == NULL || entry->text == NULL)
		return;
	if ((root = json_parse(entry->text, entry->text_length, &problem)) == NULL) {
		error_in_file(&problem, NAME);
		verify_run_problem(run, &problem);
		return;
	}
	compare_all(run, root);
	json_free(root);
}
