#include "check/verify_read.h"

#include "base/signals.h"
#include "check/verify_entries.h"
#include "check/verify_torch.h"
#include "container/input_file.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES ((size_t)1 << 20)
#define TEXT_LIMIT  (UINT64_C(64) << 20)

/* The part [from, end) of a file that is kept while it goes by. */
struct capture {
	char    *bytes;
	uint64_t from, end;
};

struct reading {
	struct verify_run    *run;
	struct verify_entry  *entry;
	struct input_file    *file;
	struct digest        *digest;
	struct capture        capture;
	struct verify_torch  *torch;    /* NULL: none, or its fault was reported */
	unsigned char        *block;
};

static void
report(struct reading *reading, struct error *problem)
{
	error_in_file(problem, reading->entry->name);
	verify_run_problem(reading->run, problem);
}

static bool
capture_range(struct reading *reading, uint64_t from, uint64_t end, struct error *err)
{
	reading->capture = (struct capture){ .from = from, .end = end,
		.bytes = malloc((size_t)(end - from) + 1) };
	return reading->capture.bytes != NULL || error_no_memory(err, end - from);
}

/* What of the file is to be kept, now that its first bytes are in the block. */
static bool
begin_capture(struct reading *reading, struct error *err)
{
	const uint64_t size = reading->file->size;
	unsigned char  first[8] = { 0 };
	struct error   problem = { 0 };
	uint64_t       header_bytes;

	switch (reading->entry->kind) {
	case VERIFY_TEXT:
		if (size <= TEXT_LIMIT)
			return capture_range(reading, 0, size, err);
		error_set(&problem, ERROR_LIMIT, "vlarge", "%" PRIu64 " bytes are too large for "
			"this file (at most %" PRIu64 ")", size, TEXT_LIMIT);
		break;
	case VERIFY_SAFETENSORS:
		memcpy(first, reading->block, size < 8 ? (size_t)size : 8);
		if (safetensors_header_bytes(first, size, &header_bytes, &problem))
			return capture_range(reading, 8, header_bytes, err);
		break;
	case VERIFY_PLAIN:
	case VERIFY_TORCH:
		return true;
	}
	report(reading, &problem);
	return true;
}

static void
feed_capture(const struct capture *capture, uint64_t offset, const unsigned char *bytes,
	size_t count)
{
	uint64_t from = offset > capture->from ? offset : capture->from;
	uint64_t end = offset + count < capture->end ? offset + count : capture->end;

	if (capture->bytes != NULL && from < end)
		memcpy(capture->bytes + (from - capture->from), bytes + (from - offset),
			(size_t)(end - from));
}

static void
feed_torch(struct reading *reading, size_t count)
{
	struct error problem = { 0 };

	if (reading->torch == NULL
	    || verify_torch_feed(reading->torch, reading->block, count, &problem))
		return;
	report(reading, &problem);
	verify_torch_close(reading->torch);
	reading->torch = NULL;
}

enum outcome { READ_DONE, READ_PROBLEM, READ_STOP };

/* Every byte of the file.  READ_PROBLEM: reading failed, and that was reported. */
static enum outcome
read_blocks(struct reading *reading, struct error *err)
{
	struct verify_run *run = reading->run;
	const uint64_t     size = reading->file->size;
	uint64_t           offset = 0;
	struct error       problem = { 0 };

	do {
		size_t count = size - offset < BLOCK_BYTES ? (size_t)(size - offset) : BLOCK_BYTES;

		if (!signals_go_on(err))
			return READ_STOP;
		if (!input_file_read(reading->file, offset, reading->block, count, &problem)) {
			report(reading, &problem);
			return READ_PROBLEM;
		}
		if (offset == 0 && !begin_capture(reading, err))
			return READ_STOP;
		digest_add(reading->digest, reading->block, count);
		feed_capture(&reading->capture, offset, reading->block, count);
		feed_torch(reading, count);
		offset += count;
		run->done += count;
		if (run->progress != NULL)
			run->progress(run->context, run->done, run->total);
	} while (offset < size);
	if (!input_file_unchanged(reading->file, &problem)) {
		report(reading, &problem);
		return READ_PROBLEM;
	}
	digest_hex(reading->digest, reading->entry->sha256);
	reading->entry->bytes = size;
	reading->entry->is_read = true;
	return READ_DONE;
}

/* ---- what the kind makes of the bytes --------------------------------------------- */

static void
finish_text(struct reading *reading)
{
	struct verify_entry *entry = reading->entry;
	const size_t         length = (size_t)entry->bytes;

	if (reading->capture.bytes == NULL)
		return;
	entry->text = reading->capture.bytes;
	entry->text_length = length;
	entry->text[length] = '\0';
	reading->capture.bytes = NULL;
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(((const struct safetensors_tensor *)a)->name,
		((const struct safetensors_tensor *)b)->name);
}

static void
keep_tensors(struct verify_entry *entry, struct safetensors_tensor *tensors, size_t count)
{
	if (count > 0)
		qsort(tensors, count, sizeof *tensors, compare_names);
	entry->tensors = tensors;
	entry->tensor_count = count;
	entry->has_tensors = true;
}

static void
finish_safetensors(struct reading *reading)
{
	const struct capture    *capture = &reading->capture;
	struct safetensors_index index;
	struct error             problem = { 0 };

	if (capture->bytes == NULL)
		return;
	if (!safetensors_parse(capture->bytes, (size_t)(capture->end - capture->from),
		reading->entry->bytes, &reading->run->result->arena, &index, &problem)) {
		report(reading, &problem);
		return;
	}
	keep_tensors(reading->entry, index.tensors, index.count);
	if (!index.has_format || !index.format_is_pt)
		decision_log_note(reading->run->log, NOTE_WARNING, "safetensors-format",
			"%s: __metadata__ does not say format \"pt\": transformers before 4.48 "
			"refuses it", reading->entry->name);
}

static void
finish_torch(struct reading *reading)
{
	struct safetensors_tensor *tensors;
	struct error               problem = { 0 };
	size_t                     count;

	if (reading->torch == NULL)
		return;
	if (verify_torch_finish(reading->torch, &tensors, &count, &problem))
		keep_tensors(reading->entry, tensors, count);
	else
		report(reading, &problem);
}

/* ---- one file --------------------------------------------------------------------- */

static void
open_torch(struct reading *reading)
{
	struct error problem = { 0 };

	if (reading->entry->kind != VERIFY_TORCH)
		return;
	reading->torch = verify_torch_open(reading->file, &reading->run->result->arena, &problem);
	if (reading->torch == NULL)
		report(reading, &problem);
}

static bool
read_open_file(struct reading *reading, struct error *err)
{
	enum outcome outcome;

	if ((reading->digest = digest_open(DIGEST_SHA256)) == NULL
	    || (reading->block = malloc(BLOCK_BYTES)) == NULL)
		return error_no_memory(err, BLOCK_BYTES);
	open_torch(reading);
	outcome = read_blocks(reading, err);
	if (outcome == READ_STOP)
		return false;
	if (outcome == READ_PROBLEM)
		return true;
	switch (reading->entry->kind) {
	case VERIFY_TEXT:
		finish_text(reading);
		break;
	case VERIFY_SAFETENSORS:
		finish_safetensors(reading);
		break;
	case VERIFY_TORCH:
		finish_torch(reading);
		break;
	case VERIFY_PLAIN:
		break;
	}
	return true;
}

bool
verify_read(struct verify_run *run, struct verify_entry *entry, struct error *err)
{
	struct reading reading = { .run = run, .entry = entry };
	struct error   problem = { 0 };
	bool           done = true;

	if (verify_entries_check_link(run, entry, &problem))
		reading.file = input_file_open_at(run->directory, entry->name, entry->name, &problem);
	if (reading.file == NULL)
		report(&reading, &problem);
	else
		done = read_open_file(&reading, err);
	verify_torch_close(reading.torch);
	free(reading.capture.bytes);
	free(reading.block);
	digest_close(reading.digest);
	input_file_close(reading.file);
	return done;
}
