#include "fuzz.h"

#include "plan/execute.h"

static bool
take(void *context, size_t tensor, uint64_t offset, const unsigned char *bytes, size_t count,
	struct error *err)
{
	(void)context, (void)tensor, (void)offset, (void)bytes, (void)count, (void)err;
	return true;
}

static bool
give(void *context, size_t tensor, uint64_t offset, unsigned char *to, size_t count,
	struct error *err)
{
	(void)context, (void)tensor, (void)offset, (void)err;
	memset(to, 0, count);
	return true;
}

/* A whole conversion of a checkpoint in one file, written nowhere. */
static void
convert(const char *path)
{
	struct shards_options   shards_options = { .spool_directory = ".",
		.arena_limit = FUZZ_ARENA_BYTES };
	struct model_options    model_options = { .attention_heads = 2 };
	struct plan_options     plan_options = { .torch_too = true };
	struct execute_options  run = { .threads = 1 };
	struct execute_result   result = { 0 };
	struct scatter_target   target = { NULL, take, NULL, give };
	struct error            err = { 0 };
	struct decision_log     log;
	struct shards          *shards;
	struct model           *model = NULL;
	struct plan            *plan = NULL;

	decision_log_init(&log);
	shards = shards_open(path, &shards_options, &log, &err);
	if (shards != NULL)
		model = model_open(shards, &model_options, &log, &err);
	if (model != NULL)
		plan = plan_build(model, &plan_options, &err);
	if (plan != NULL)
		execute_comparison(shards, plan, &target, &run, &result, &err);
	execute_result_fini(&result);
	plan_close(plan);
	model_close(model);
	shards_close(shards);
	decision_log_fini(&log);
}

void
fuzz_one(const uint8_t *bytes, size_t length)
{
	int  fd = memfd_create("fuzz", MFD_CLOEXEC);
	char path[64];

	memory_file_must(fd >= 0, "memfd_create");
	memory_file_must(write(fd, bytes, length) == (ssize_t)length, "write");
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	convert(path);
	close(fd);
}
