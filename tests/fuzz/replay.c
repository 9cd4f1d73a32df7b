/* Runs a fuzz target on files, for where libFuzzer is not: `fuzz_NAME FILE ...`. */
#include "fuzz.h"

#include <sys/stat.h>

static uint8_t *
read_whole(const char *path, size_t *length)
{
	FILE       *file = fopen(path, "rb");
	struct stat status;
	uint8_t    *bytes;

	memory_file_must(file != NULL && fstat(fileno(file), &status) == 0, path);
	*length = (size_t)status.st_size;
	bytes = malloc(*length + 1);
	memory_file_must(bytes != NULL && fread(bytes, 1, *length, file) == *length, path);
	fclose(file);
	return bytes;
}

int
main(int argc, char **argv)
{
	fuzz_seconds = 10;      /* slow machines have to pass */
	for (int i = 1; i < argc; i++) {
		size_t   length;
		uint8_t *bytes = read_whole(argv[i], &length);
		/* No room behind the last byte: a step too far is seen. */
		uint8_t *exact = malloc(length > 0 ? length : 1);

		memory_file_must(exact != NULL, "malloc");
		memcpy(exact, bytes, length);
		free(bytes);
		LLVMFuzzerTestOneInput(exact, length);
		free(exact);
	}
	printf("%s: %d inputs\n", argv[0], argc - 1);
	return 0;
}
