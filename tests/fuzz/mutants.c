/* Mutants of files, made as the fuzzers make them, for other programs to read:
 *
 *     mutants SEED COUNT FOLDER FILE ...
 *
 * writes COUNT files FOLDER/NNNNNN, each from one of the FILEs, the same for the same SEED,
 * and prints the number and the file that each was made from. */
#include "fuzz/mutate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
must(bool holds, const char *what)
{
	if (!holds) {
		fprintf(stderr, "mutants: %s: %s\n", what, strerror(errno));
		exit(1);
	}
}

static void
read_whole(const char *path, struct text *to)
{
	FILE  *file = fopen(path, "rb");
	char   bytes[65536];
	size_t count;

	must(file != NULL, path);
	while ((count = fread(bytes, 1, sizeof bytes, file)) > 0)
		text_add_bytes(to, bytes, count);
	must(!ferror(file) && fclose(file) == 0 && !to->failed, path);
}

static void
make(struct mutation *mutation, char **files, size_t count, const char *path)
{
	const char *source = files[mutation_below(mutation, count)];
	struct text read = { 0 }, other = { 0 }, donor = { 0 }, made = { 0 };
	FILE       *file = fopen(path, "wb");

	must(file != NULL, path);
	read_whole(source, &read);
	if (mutation_one_in(mutation, 4)) {
		read_whole(files[mutation_below(mutation, count)], &other);
		if (mutate_find_pickle(mutation, (const uint8_t *)other.bytes, other.length, &donor)) {
			mutation->donor = (const uint8_t *)donor.bytes;
			mutation->donor_length = donor.length;
		}
	}
	mutate_any(mutation, (const uint8_t *)read.bytes, read.length, &made);
	must(!made.failed && fwrite(made.bytes, 1, made.length, file) == made.length
		&& fclose(file) == 0, path);
	printf("%s %s\n", path, source);
	text_free(&read);
	text_free(&other);
	text_free(&donor);
	text_free(&made);
}

int
main(int argc, char **argv)
{
	char path[4096];

	if (argc < 5) {
		fprintf(stderr, "usage: mutants SEED COUNT FOLDER FILE ...\n");
		return 2;
	}
	for (long i = 0; i < strtol(argv[2], NULL, 10); i++) {
		/* Far apart, or the first throws of neighbours resemble each other. */
		struct mutation mutation = { .dice = (strtoull(argv[1], NULL, 10) * 1000003
			+ (uint64_t)i + 1) * 0x9e3779b97f4a7c15 | 1 };

		snprintf(path, sizeof path, "%s/%06ld", argv[3], i);
		make(&mutation, argv + 4, (size_t)argc - 4, path);
	}
	return 0;
}
