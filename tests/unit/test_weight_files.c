#include "gpt2/weight_files.h"

#include "check.h"

#include <stdlib.h>

/* One file for each tensor of a model of so many layers: a limit of one byte. */
static struct weight_files *
open_singly(uint64_t layers, struct error *err)
{
	const struct gpt2_sizes           sizes = { layers, 16, 64, 8, 100, false, false };
	const struct weight_files_options options = {
		.safetensors = true, .torch = true, .shard_bytes = 1 };
	const size_t                      count = gpt2_names_count(&sizes);
	struct stored_tensor             *tensors = calloc(count, sizeof *tensors);
	struct weight_files              *files = NULL;

	if (tensors == NULL)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		gpt2_names_tensor(&sizes, i, &tensors[i].tensor);
		tensors[i].dtype = DTYPE_FLOAT16;
	}
	files = weight_files_open(tensors, count, &options, err);
	free(tensors);
	return files;
}

/* No more are written than can be read. */
static void
test_most_files(void)
{
	struct error         err = { 0 };
	struct weight_files *files = open_singly(83, &err);

	CHECK(files != NULL && files->file_count == 2 * (size_t)GPT2_MAX_WEIGHT_FILES, "%s",
		err.text);
	weight_files_close(files);
	CHECK(open_singly(84, &err) == NULL && err.kind == ERROR_LIMIT, "%s", err.text);
	CHECK_TEXT(err.slug, "shards", "%s", err.text);
	CHECK_TEXT(err.text, "1012 weight files (at most 1000)", "as many as tensors");
}

int
main(void)
{
	test_most_files();
	return check_end("weight_files");
}
