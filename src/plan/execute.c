#include "plan/execute.h"

#include "base/workers.h"
#include "plan/buffers.h"
#include "plan/input_pass.h"
#include "plan/output_files.h"

#include <stdlib.h>
#include <string.h>

#define WAIT_MILLISECONDS 100
#define MOST_READERS      4             /* of the output; each has a file */

struct execution {
	const struct shards          *shards;
	const struct plan            *plan;
	const struct execute_options *options;
	struct execute_result        *result;
	struct output_files          *files;            /* NULL: a comparison */
	struct scatter               *scatter;
	struct input_pass            *pass;
	struct buffers                buffers;
	struct worker                *readers[MOST_READERS];
	size_t                        reader_count;
	uint64_t                      read_bytes, total_bytes;
};

static void
report_progress(struct execution *execution)
{
	if (execution->options->progress != NULL)
		execution->options->progress(execution->options->context,
			execution->read_bytes + (execution->files != NULL
				? output_files_progress(execution->files) : 0), execution->total_bytes);
}

static void
on_read(void *context, size_t bytes)
{
	struct execution *execution = context;

	execution->read_bytes += bytes;
	report_progress(execution);
}

static bool
run_inputs(struct execution *execution, struct error *err)
{
	return input_pass_run(execution->pass, execution->result->input_sha256, err)
		&& scatter_finish(execution->scatter, err)
		&& (execution->files == NULL || output_files_flush(execution->files, err));
}

/* As many as there are files for them. */
static bool
start_readers(struct execution *execution, struct error *err)
{
	size_t   files = execution->plan->files->file_count;
	unsigned threads = execution->options->threads;

	while (threads > 1 && execution->reader_count < threads
	       && execution->reader_count < files && execution->reader_count < MOST_READERS
	       && execution->reader_count < execution->buffers.readers) {
		struct worker *reader = worker_start(output_files_read_back, execution->files, err);

		if (reader == NULL)
			return false;
		execution->readers[execution->reader_count++] = reader;
	}
	return true;
}

/* After a fault the readers give up for want of bytes: their reason is of no interest. */
static bool
join_readers(struct execution *execution, bool done, struct error *err)
{
	for (size_t i = 0; i < execution->reader_count; i++) {
		struct error read_fault;

		while (done && !worker_wait(execution->readers[i], WAIT_MILLISECONDS))
			report_progress(execution);
		if (!worker_join(execution->readers[i], &read_fault) && done) {
			*err = read_fault;
			done = false;
		}
	}
	return done;
}

/* The copies run while others read back what is complete. */
static bool
run_with_read_back(struct execution *execution, struct error *err)
{
	bool done = start_readers(execution, err) && run_inputs(execution, err);

	output_files_end(execution->files);
	if (done && execution->options->meanwhile != NULL)
		done = execution->options->meanwhile(execution->options->context, err);
	if (done && execution->reader_count == 0)
		return output_files_read_back(execution->files, err);
	return join_readers(execution, done, err);
}

static bool
take_result(struct execution *execution, struct error *err)
{
	struct execute_result *result = execution->result;
	size_t                 count = execution->plan->tensor_count;

	result->drifts = calloc(count + 1, sizeof *result->drifts);
	result->overflows = calloc(count + 1, sizeof *result->overflows);
	if (result->drifts == NULL || result->overflows == NULL)
		return error_no_memory(err, count * sizeof *result->drifts);
	for (size_t i = 0; i < count; i++) {
		result->drifts[i] = *scatter_drift(execution->scatter, i);
		result->overflows[i] = *scatter_overflow(execution->scatter, i);
	}
	return true;
}

/* What only files can tell. */
static bool
take_files(struct execution *execution, struct error *err)
{
	struct execute_result *result = execution->result;
	size_t                 tensors = execution->plan->tensor_count;
	size_t                 files = execution->plan->files->file_count;

	result->specials = calloc(tensors + 1, sizeof *result->specials);
	result->tensor_sha256 = calloc(tensors + 1, sizeof *result->tensor_sha256);
	result->output_sha256 = calloc(files + 1, sizeof *result->output_sha256);
	if (result->specials == NULL || result->tensor_sha256 == NULL
	    || result->output_sha256 == NULL)
		return error_no_memory(err, tensors * sizeof *result->specials);
	result->output_kept = output_files_kept(execution->files);
	for (size_t i = 0; i < tensors; i++) {
		result->specials[i] = *output_files_specials(execution->files, i);
		memcpy(result->tensor_sha256[i], output_files_tensor_sha256(execution->files, i),
			DIGEST_HEX_SIZE);
	}
	for (size_t i = 0; i < files; i++)
		memcpy(result->output_sha256[i], output_files_sha256(execution->files, i),
			DIGEST_HEX_SIZE);
	return true;
}

static bool
open_execution(struct execution *execution, const struct scatter_target *target,
	struct error *err)
{
	const struct shards            *shards = execution->shards;
	const struct execute_options   *wanted = execution->options;
	struct input_pass_options       options = {
		.threads = wanted->threads,
		/* A comparison vouches for no input: only a conversion names its digest. */
		.digests = execution->files != NULL,
		.progress = on_read,
		.context = execution,
	};

	if (!buffers_fit(&execution->buffers, shards, execution->plan,
		wanted->memory_limit, err))
		return false;
	options.read_slabs = execution->buffers.read_slabs;
	options.inflate_slabs = execution->buffers.inflate_slabs;
	if (!used_ranges_open(&execution->result->used, shards, execution->plan,
		!wanted->only_used, err))
		return false;
	for (size_t i = 0; i < shards->input_count; i++)
		execution->total_bytes += execution->result->used.bytes[i];
	execution->result->input_sha256 = calloc(shards->input_count + 1,
		sizeof *execution->result->input_sha256);
	if (execution->result->input_sha256 == NULL)
		return error_no_memory(err, shards->input_count * DIGEST_HEX_SIZE);
	execution->scatter = scatter_open(execution->plan, target, execution->buffers.panel_bytes,
		err);
	if (execution->scatter == NULL)
		return false;
	execution->pass = input_pass_open(shards, execution->plan, &execution->result->used,
		execution->scatter, &options, err);
	return execution->pass != NULL;
}

static void
close_execution(struct execution *execution, bool done)
{
	input_pass_close(execution->pass);
	scatter_close(execution->scatter);
	output_files_close(execution->files);
	if (!done)
		execute_result_fini(execution->result);
}

bool
execute_plan(const struct shards *shards, const struct plan *plan, const int *fds,
	const struct execute_options *options, struct execute_result *result, struct error *err)
{
	struct execution            execution = { .shards = shards, .plan = plan,
		.options = options, .result = result, .total_bytes = plan->file_bytes };
	struct output_files_options files = { .digests_tensors = options->digests_tensors,
		.from_disk = options->from_disk };
	struct scatter_target       target;
	bool                        done;

	*result = (struct execute_result){ 0 };
	execution.files = output_files_open(fds, plan, &files, err);
	target = output_files_target(execution.files);
	done = execution.files != NULL && open_execution(&execution, &target, err)
		&& run_with_read_back(&execution, err) && take_result(&execution, err)
		&& take_files(&execution, err);
	close_execution(&execution, done);
	return done;
}

bool
execute_comparison(const struct shards *shards, const struct plan *plan,
	const struct scatter_target *target, const struct execute_options *options,
	struct execute_result *result, struct error *err)
{
	struct execution execution = { .shards = shards, .plan = plan, .options = options,
		.result = result };
	bool             done;

	*result = (struct execute_result){ 0 };
	done = open_execution(&execution, target, err) && run_inputs(&execution, err)
		&& take_result(&execution, err);
	close_execution(&execution, done);
	return done;
}

void
execute_result_fini(struct execute_result *result)
{
	used_ranges_fini(&result->used);
	free(result->input_sha256);
	free(result->output_sha256);
	free(result->tensor_sha256);
	free(result->drifts);
	free(result->overflows);
	free(result->specials);
	*result = (struct execute_result){ 0 };
}
