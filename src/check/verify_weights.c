#include "check/verify_weights.h"

#include "check/verify_forms.h"
#include "check/verify_model.h"
#include "check/weight_index.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The forms weights come in; transformers looks for them in this order. */
static const struct form {
	const char      *file, *index, *suffix;
	bool             has_sizes;     /* total_size can be told from the tensors */
	enum weight_form any, shards;   /* what weight_set_open calls them */
} forms[] = {
	{ "model.safetensors", "model.safetensors.index.json", ".safetensors", true,
	  WEIGHTS_SAFETENSORS, WEIGHTS_SAFETENSORS_SHARDS },
	{ "pytorch_model.bin", "pytorch_model.bin.index.json", ".bin", false,
	  WEIGHTS_TORCH, WEIGHTS_TORCH_SHARDS },
};

/* A set of weights while it is put together. */
struct weights {
	struct verify_run        *run;
	const struct form *form;
	struct verify_tensor     *tensors;
	size_t                    count, room;
	bool                      is_whole;     /* every file could be read */
	uint64_t                  bytes;
};

static bool
add_tensor(struct weights *weights, const struct safetensors_tensor *tensor, const char *file,
	struct error *err)
{
	if (weights->count == weights->room) {
		size_t                room = weights->room == 0 ? 256 : 2 * weights->room;
		struct verify_tensor *grown = realloc(weights->tensors, room * sizeof *grown);

		if (grown == NULL)
			return error_no_memory(err, room * sizeof *grown);
		weights->tensors = grown;
		weights->room = room;
	}
	weights->tensors[weights->count++] = (struct verify_tensor){ tensor, file };
	weights->bytes += tensor->bytes;        /* each lies in a file, so the sum does fit */
	return true;
}

static bool
add_file(struct weights *weights, const struct verify_entry *entry, struct error *err)
{
	if (!entry->has_tensors)
		weights->is_whole = false;
	for (size_t i = 0; i < entry->tensor_count; i++) {
		if (!add_tensor(weights, &entry->tensors[i], entry->name, err))
			return false;
	}
	return true;
}

/* ---- the index -------------------------------------------------------------------- */

/* The tensors of one shard, and what the index places there, both sorted by name. */
static void
compare_shard(struct weights *weights, const struct verify_entry *shard,
	const struct weight_mapping *mappings, size_t count)
{
	struct verify_run *run = weights->run;
	size_t             t = 0, m = 0;

	while (t < shard->tensor_count || m < count) {
		int order = t == shard->tensor_count ? 1 : m == count ? -1
			: strcmp(shard->tensors[t].name, mappings[m].tensor);

		if (order < 0)
			verify_run_report(run, ERROR_MISMATCH, "vindex", shard->name,
				shard->tensors[t].name, "is not placed here by %s",
				weights->form->index);
		else if (order > 0)
			verify_run_report(run, ERROR_MISMATCH, "vindex", shard->name,
				mappings[m].tensor, "is missing here, where %s places it",
				weights->form->index);
		t += order <= 0;
		m += order >= 0;
	}
}

/* The mappings of one file.  Names are bare: a reader joins them to its directory. */
static bool
take_shard(struct weights *weights, const struct weight_mapping *mappings, size_t count,
	struct error *err)
{
	const char                *file = mappings[0].file, *index = weights->form->index;
	const struct verify_entry *shard;

	if (!weight_index_is_bare(file)) {
		verify_run_report(weights->run, ERROR_UNSAFE, "vindex", index, mappings[0].tensor,
			"refusing \"%.200s\": the name of a shard is no path", file);
		weights->is_whole = false;
		return true;
	}
	shard = verify_run_find(weights->run, file);
	if (shard == NULL || !text_has_suffix(file, weights->form->suffix)) {
		verify_run_report(weights->run, ERROR_MISMATCH, "vindex", file, NULL,
			shard == NULL ? "named in %s, but missing"
			: "named in %s, but no weight file by its name", index);
		weights->is_whole = false;
		return true;
	}
	if (shard->has_tensors)
		compare_shard(weights, shard, mappings, count);
	return add_file(weights, shard, err);
}

static void
check_total_size(struct weights *weights, const struct weight_index *index)
{
	const char *name = weights->form->index;

	if (!index->has_total || !weights->form->has_sizes || !weights->is_whole)
		return;
	if (!index->total_is_whole)
		verify_run_report(weights->run, ERROR_CORRUPT, "vindex", name, NULL,
			"metadata.total_size is not a whole number");
	else if (index->total != weights->bytes)
		verify_run_report(weights->run, ERROR_MISMATCH, "vindex", name, NULL,
			"metadata.total_size is %" PRIu64 ", the tensors have %" PRIu64 " bytes",
			index->total, weights->bytes);
}

static bool
take_mappings(struct weights *weights, const struct weight_mapping *mappings, size_t count,
	struct error *err)
{
	size_t i = 0, end;

	for (; i < count && mappings[i].file == NULL; i++) {
		verify_run_report(weights->run, ERROR_CORRUPT, "vindex", weights->form->index,
			mappings[i].tensor, "its file is not a string");
		weights->is_whole = false;
	}
	for (; i < count; i = end) {
		for (end = i + 1; end < count && strcmp(mappings[end].file, mappings[i].file) == 0;
		     end++)
			;
		if (!take_shard(weights, &mappings[i], end - i, err))
			return false;
	}
	return true;
}

static bool
add_index(struct weights *weights, const struct verify_entry *entry, struct error *err)
{
	struct weight_index index;
	struct error        problem = { 0 };
	bool                done;

	if (entry->text == NULL) {
		weights->is_whole = false;
		return true;
	}
	if (!weight_index_parse(entry->text, entry->text_length, &index, &problem)) {
		error_in_file(&problem, entry->name);
		verify_run_problem(weights->run, &problem);
		weights->is_whole = false;
		return true;
	}
	done = take_mappings(weights, index.mappings, index.count, err);
	if (done)
		check_total_size(weights, &index);
	weight_index_fini(&index);
	return done;
}

/* ---- all of them ------------------------------------------------------------------ */

/* One file, or an index and its shards.  Tensors are held against config.json only when all
 * files could be read: a shard that is missing would make every tensor of it a problem. */
static bool
check_set(struct verify_run *run, const struct form *form, const struct verify_entry *file,
	const struct verify_entry *index, bool *is_whole, struct error *err)
{
	struct weights weights = { .run = run, .form = form, .is_whole = true };
	bool           done = file != NULL ? add_file(&weights, file, err)
		: add_index(&weights, index, err);

	if (run->result->tensors == 0)
		run->result->tensors = weights.count;
	if (done && weights.is_whole)
		done = verify_model(run, file != NULL ? form->file : form->index, weights.tensors,
			weights.count, err);
	*is_whole = weights.is_whole;
	free(weights.tensors);
	return done;
}

/* One form, where it is there.  Readers take a whole file before an index, so that of both the
 * shards are held to the numbers of the file. */
static bool
check_form(struct verify_run *run, const struct form *form, bool *is_there, bool *is_whole,
	struct error *err)
{
	const struct verify_entry *file = verify_run_find(run, form->file);
	const struct verify_entry *index = verify_run_find(run, form->index);
	bool                       shards_whole = false;

	*is_there = file != NULL || index != NULL;
	*is_whole = false;
	if (file != NULL && !check_set(run, form, file, NULL, is_whole, err))
		return false;
	if (index != NULL && !check_set(run, form, NULL, index, &shards_whole, err))
		return false;
	if (file == NULL)
		*is_whole = shards_whole;
	if (file == NULL || index == NULL)
		return true;
	decision_log_note(run->log, NOTE_WARNING, "weights-twice",
		"%s and %s are both there: readers take the first", form->file, form->index);
	return !*is_whole || !shards_whole
		|| verify_forms(run, form->any, form->shards, form->index, err);
}

bool
verify_weights(struct verify_run *run, struct error *err)
{
	bool has_safetensors, has_torch, safetensors_whole, torch_whole;

	if (!check_form(run, &forms[0], &has_safetensors, &safetensors_whole, err)
	    || !check_form(run, &forms[1], &has_torch, &torch_whole, err))
		return false;
	if (!has_safetensors && !has_torch)
		verify_run_report(run, ERROR_MISMATCH, "vmissing", forms[0].file, NULL,
			"is missing, and there are no other weights");
	if (!safetensors_whole || !torch_whole)
		return true;
	return verify_forms(run, WEIGHTS_SAFETENSORS, WEIGHTS_TORCH,
		verify_run_find(run, forms[1].file) != NULL ? forms[1].file : forms[1].index, err);
}
