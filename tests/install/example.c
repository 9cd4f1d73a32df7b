/*
 * The library from another program: say what a checkpoint is, convert it, verify the result.
 *
 *     cc example.c $(pkg-config --cflags --libs megatron2hf)
 *     ./a.out model.zip 16 DIR
 */
#include <megatron2hf.h>

#include <stdio.h>
#include <stdlib.h>

static int
say(const char *what, int status, const struct m2h_error *error)
{
	if (status == M2H_OK)
		printf("%s: ok\n", what);
	else
		printf("%s: %s: %s [%s]\n", what, m2h_status_name(status), error->message,
			error->slug);
	return status;
}

static int
inspect(const char *source, uint64_t heads)
{
	struct m2h_inspect_options options = { .path = source, .attention_heads = heads };
	struct m2h_inspection     *found = m2h_inspect(&options);
	int                        status = M2H_LIMIT;

	if (found != NULL) {
		status = say("inspect", found->status, &found->error);
		if (status == M2H_OK)
			printf("%s: %llu layers, %llu wide\n", found->kind,
				(unsigned long long)found->model.layers,
				(unsigned long long)found->model.hidden);
	}
	m2h_inspection_free(found);
	return status;
}

static int
convert(const char *source, uint64_t heads, const char *directory)
{
	struct m2h_convert_options options = {
		.source = source, .destination = directory, .attention_heads = heads };
	struct m2h_conversion     *made = m2h_convert(&options);
	int                        status = M2H_LIMIT;

	if (made != NULL) {
		status = say("convert", made->status, &made->error);
		for (size_t i = 0; i < made->output_count && status == M2H_OK; i++)
			printf("%s  %s\n", made->outputs[i].sha256, made->outputs[i].name);
	}
	m2h_conversion_free(made);
	return status;
}

static int
verify(const char *directory)
{
	struct m2h_verify_options options = { .directory = directory };
	struct m2h_verification  *checked = m2h_verify(&options);
	int                       status = M2H_LIMIT;

	if (checked != NULL)
		status = say("verify", checked->status, &checked->error);
	m2h_verification_free(checked);
	return status;
}

int
main(int argc, char **argv)
{
	uint64_t heads;
	int      status;

	if (argc != 4) {
		fprintf(stderr, "usage: %s CHECKPOINT HEADS DIR\n", argv[0]);
		return M2H_USAGE;
	}
	printf("megatron2hf %s\n", m2h_version());
	heads = strtoull(argv[2], NULL, 10);
	if ((status = inspect(argv[1], heads)) == M2H_OK
	    && (status = convert(argv[1], heads, argv[3])) == M2H_OK)
		status = verify(argv[3]);
	return status;
}
