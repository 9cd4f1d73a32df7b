#include "base/text.h"
#include "base/workers.h"
#include "check/verify_run.h"
#include "check/verify_source.h"
#include "convert/answer.h"
#include "convert/destination.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define WAIT_MILLISECONDS 100

struct verification {
	struct m2h_verification result;         /* first: what the caller holds */
	struct answer           answer;
};

/* ---- the directory by itself, beside the comparison --------------------------------- */

/* One thread checks the directory, another compares it with the checkpoint; where only one is
 * wanted, it does both.  Each has its own result and log; they are put together at the end, so
 * that their order is always the same. */
struct task {
	const struct m2h_verify_options *options;
	const struct verify_trust       *trust; /* NULL: no signature is verified */
	struct decision_log             *log;
	struct verify_result             result;
	bool                             is_beside;     /* in a thread of its own */
	atomic_uint_fast64_t             done, total;   /* of the directory's bytes */
	uint64_t                         source_done, source_total;
};

static void
report_progress(struct task *task)
{
	if (task->options->progress != NULL)
		task->options->progress(task->options->progress_context, M2H_CHECKING,
			atomic_load(&task->done) + task->source_done,
			atomic_load(&task->total) + task->source_total);
}

static void
on_progress(void *context, uint64_t done, uint64_t total)
{
	struct task *task = context;

	atomic_store(&task->done, done);
	atomic_store(&task->total, total);
	if (!task->is_beside)
		report_progress(task);
}

static void
on_source_progress(void *context, uint64_t done, uint64_t total)
{
	struct task *task = context;

	task->source_done = done;
	task->source_total = total;
	report_progress(task);
}

/* A worker_task. */
static bool
check_directory(void *context, struct error *err)
{
	struct task *task = context;

	return verify_directory(task->options->directory, task->trust, task->options->threads,
		on_progress, task, &task->result, task->log, err);
}

static unsigned
thread_count(const struct m2h_verify_options *options)
{
	return options->threads != 0 ? options->threads : workers_allowed_cores();
}

/* ---- the comparison ----------------------------------------------------------------- */

/* *fault stays as it is when the checkpoint could be read, whatever the comparison found. */
static void
compare_source(struct task *task, struct verify_run *run, size_t *compared, struct error *fault)
{
	const struct m2h_verify_options *options = task->options;
	char                             parent[4096];
	struct verify_source_options     source = {
		.source = options->source, .iteration = options->iteration,
		.memory_limit = options->memory_limit,
		.spool_directory = destination_parent(options->directory, parent, sizeof parent),
		.model = { .attention_heads = options->attention_heads,
			.vocabulary = options->vocab_size, .activation = options->activation,
			.qkv_layout = options->qkv_layout },
		.mean_of_replicas = options->replicas != NULL
			&& strcmp(options->replicas, "mean") == 0,
		.tolerance = options->has_tolerance ? options->tolerance : -1,
		.threads = thread_count(options),
		.progress = on_source_progress, .context = task,
	};

	verify_source(run, &source, compared, fault);
}

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* Two words for one thing: a tensor that is missing or has a wrong shape; weights that cannot
 * be opened, which the directory's own check found in the same file. */
static bool
says_the_same(const struct error *known, const struct error *problem)
{
	if (problem->kind == ERROR_MISMATCH)
		return problem->tensor[0] != '\0' && strcmp(problem->slug, "vsource") == 0
			&& strcmp(known->slug, "vtensor") == 0
			&& strcmp(known->tensor, problem->tensor) == 0;
	return strcmp(base_name(known->file), base_name(problem->file)) == 0
		&& (known->kind != ERROR_MISMATCH || problem->kind == ERROR_NO_INPUT
		|| strcmp(known->slug, problem->slug) == 0);
}

/* What the directory's own check has said need not be said again. */
static bool
is_known(const struct verify_result *result, const struct error *problem)
{
	for (size_t i = 0; i < result->problem_count; i++)
		if (says_the_same(&result->problems[i], problem))
			return true;
	return false;
}

static void
add_problem(struct verify_result *to, const struct error *problem, struct decision_log *log)
{
	struct verify_run run = { .result = to, .problem_room = to->problem_count, .log = log };

	verify_run_problem(&run, problem);
}

/* Puts the second result and its log behind the first. */
static void
join_results(struct verify_result *to, const struct verify_result *from,
	struct decision_log *log, const struct decision_log *from_log)
{
	struct verify_run run = { .result = to, .problem_room = to->problem_count, .log = log };
	size_t            before = to->problem_count;

	for (size_t i = 0; i < from->problem_count; i++) {
		struct verify_result known = { .problems = to->problems, .problem_count = before };

		if (!is_known(&known, &from->problems[i]))
			verify_run_problem(&run, &from->problems[i]);
	}
	for (size_t i = 0; i < from_log->note_count; i++)
		decision_log_note(log, from_log->notes[i].level, from_log->notes[i].slug, "%s",
			from_log->notes[i].text);
}

/* One after the other, or at once. */
static bool
run_both(struct task *task, struct verify_run *run, size_t *compared, struct error *fault,
	struct error *err)
{
	struct worker *worker;

	if (!task->is_beside) {
		if (!check_directory(task, err))
			return false;
		compare_source(task, run, compared, fault);
		return true;
	}
	if ((worker = worker_start(check_directory, task, err)) == NULL)
		return false;
	compare_source(task, run, compared, fault);
	while (!worker_wait(worker, WAIT_MILLISECONDS))
		report_progress(task);
	return worker_join(worker, err);
}

/* A checkpoint that cannot be read is a problem beside those of the directory. */
static bool
check_both(struct verification *verification, struct task *task, struct error *err)
{
	struct decision_log  log;
	struct verify_result result = { 0 };
	struct verify_run    run = { .path = task->options->directory, .result = &result,
		.log = &log };
	struct error         fault = { 0 };
	bool                 done;

	decision_log_init(&log);
	task->is_beside = thread_count(task->options) > 1;
	done = run_both(task, &run, &verification->result.compared, &fault, err);
	if (done && fault.kind == ERROR_SIGNAL) {
		*err = fault;
		done = false;
	}
	if (done) {
		join_results(&task->result, &result, task->log, &log);
		if (fault.kind != ERROR_NONE)
			add_problem(&task->result, &fault, task->log);
		task->log->failed = task->log->failed || log.failed;
	}
	decision_log_fini(&log);
	verify_fini(&result);
	return done;
}

/* ---- the answer --------------------------------------------------------------------- */

static void
answer_files(struct verification *verification, const struct verify_result *found)
{
	struct m2h_file *files = answer_take(&verification->answer, found->file_count,
		sizeof *files);

	if (files == NULL)
		return;
	for (size_t i = 0; i < found->file_count; i++) {
		files[i].name = answer_text(&verification->answer, found->files[i].name);
		files[i].member = "";
		files[i].bytes = found->files[i].bytes;
		memcpy(files[i].sha256, found->files[i].sha256, sizeof files[i].sha256);
	}
	verification->result.files = files;
	verification->result.file_count = found->file_count;
}

/* An error keeps the beginning of a long name: the file that alone begins so is meant. */
static const char *
whole_name(const struct verify_result *found, const struct error *problem)
{
	const char *name = NULL;

	if (strlen(problem->file) < sizeof problem->file - 1)
		return problem->file;
	for (size_t i = 0; i < found->file_count; i++) {
		if (!text_has_prefix(found->files[i].name, problem->file))
			continue;
		if (name != NULL)
			return problem->file;
		name = found->files[i].name;
	}
	return name != NULL ? name : problem->file;
}

static bool
is_there(const char *directory, const char *name)
{
	struct text path = { 0 };
	struct stat status;
	bool        found;

	text_add(&path, "%s/%s", directory, name);
	found = !path.failed && lstat(path.bytes, &status) == 0;
	text_free(&path);
	return found;
}

/* What of a path is left in the directory; "": nothing. */
static const char *
below(const char *directory, const char *path)
{
	size_t length = strlen(directory);

	if (strcmp(path, directory) == 0)
		return ".";
	while (length > 1 && directory[length - 1] == '/')
		length--;
	return strncmp(path, directory, length) == 0 && path[length] == '/'
		? path + length + strspn(path + length, "/") : "";
}

/* What was opened by its path is named so; the checkpoint, or a signature and who made it, have
 * no name in the directory.  A file that is missing there is a mismatch. */
static const char *
name_inside(const struct m2h_verify_options *options, const struct error *problem,
	const char *name)
{
	const char *const given[] = { options->signature, options->key, options->ca };

	for (size_t i = 0; i < sizeof given / sizeof *given; i++)
		if (given[i] != NULL && strcmp(given[i], name) == 0)
			return below(options->directory, name);
	if (name[0] == '\0' || problem->kind == ERROR_MISMATCH
	    || (name[0] != '/' && is_there(options->directory, name)))
		return name;
	return below(options->directory, name);
}

static void
answer_problems(struct verification *verification, const struct m2h_verify_options *options,
	const struct verify_result *found)
{
	struct m2h_problem *problems = answer_take(&verification->answer, found->problem_count,
		sizeof *problems);

	if (problems == NULL)
		return;
	for (size_t i = 0; i < found->problem_count; i++) {
		problems[i].status = answer_status(&found->problems[i]);
		answer_error(&verification->answer, &found->problems[i], &problems[i].error);
		problems[i].file = answer_text(&verification->answer,
			name_inside(options, &found->problems[i],
			whole_name(found, &found->problems[i])));
		problems[i].tensor = answer_text(&verification->answer, found->problems[i].tensor);
	}
	verification->result.problems = problems;
	verification->result.problem_count = found->problem_count;
}

/* A signature by whomever would prove nothing. */
static bool
check_trust(const struct m2h_verify_options *options, struct error *err)
{
	if ((options->key != NULL || options->ca != NULL) == (options->signature != NULL)
	    && (options->key == NULL || options->ca == NULL))
		return true;
	return error_set(err, ERROR_USAGE, "usage",
		"a signature goes with either a key or root certificates");
}

struct m2h_verification *
m2h_verify(const struct m2h_verify_options *options)
{
	struct verification *verification = calloc(1, sizeof *verification);
	struct task          task = { .options = options };
	struct error         err = { 0 };
	const struct error  *worst = NULL;
	struct verify_trust  trust = { options->signature, options->key, options->ca };
	bool                 done;

	if (verification == NULL)
		return NULL;
	answer_init(&verification->answer);
	task.log = &verification->answer.log;
	task.trust = options->signature != NULL ? &trust : NULL;
	if (options->directory == NULL || options->directory[0] == '\0')
		done = error_set(&err, ERROR_USAGE, "usage", "no directory was named");
	else if (!check_trust(options, &err))
		done = false;
	else if (options->source == NULL)
		done = check_directory(&task, &err);
	else
		done = check_both(verification, &task, &err);
	worst = done ? verify_severest(&task.result) : &err;
	verification->result.status = worst != NULL ? answer_status(worst) : M2H_OK;
	answer_error(&verification->answer, worst != NULL ? worst : &err,
		&verification->result.error);
	answer_problems(verification, options, &task.result);
	answer_files(verification, &task.result);
	answer_notes(&verification->answer, &verification->result.notes,
		&verification->result.note_count);
	verification->result.tensors = task.result.tensors;
	answer_settle(&verification->answer, &verification->result.status,
		&verification->result.error);
	/* What could not be finished lists no problems: they would look like all there are. */
	if (!done || verification->answer.failed || verification->answer.log.failed)
		verification->result.problem_count = 0;
	verify_fini(&task.result);
	return &verification->result;
}

void
m2h_verification_free(struct m2h_verification *result)
{
	struct verification *verification = (struct verification *)result;

	if (verification == NULL)
		return;
	answer_fini(&verification->answer);
	free(verification);
}
