#include "test_pickle.h"

#include "check.h"

#include <dirent.h>
#include <sys/stat.h>

#define FOLDER "fixtures/pickle"

static char *
read_file(const char *path, size_t *length)
{
	struct stat status;
	FILE       *file = fopen(path, "rb");
	char       *bytes;

	*length = 0;
	if (file == NULL || fstat(fileno(file), &status) != 0
	    || (bytes = calloc((size_t)status.st_size + 1, 1)) == NULL) {
		printf("cannot read %s\n", path);
		exit(1);
	}
	*length = fread(bytes, 1, (size_t)status.st_size, file);
	fclose(file);
	return bytes;
}

/* good-*.pkl is what good-*.txt says, however it arrives. */
static void
check_good(const char *name)
{
	static const size_t steps[] = { 0, 1, 5, 1000 };
	static char         shown[1 << 18];
	char                path[512], *bytes, *expected;
	size_t              length, expected_length;

	snprintf(path, sizeof path, FOLDER "/%s", name);
	bytes = read_file(path, &length);
	snprintf(path, sizeof path, FOLDER "/%.*s.txt", (int)(strlen(name) - 4), name);
	expected = read_file(path, &expected_length);
	expected[strcspn(expected, "\n")] = '\0';
	for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
		struct arena  arena;
		struct error  err;
		size_t        consumed;
		struct value *made;

		arena_init(&arena, (size_t)4 << 20);
		made = run_pickle(bytes, length, steps[s], &pickle_default_limits, &arena, NULL,
			&consumed, &err);
		CHECK_TEXT(made != NULL ? render_value(made, shown, sizeof shown) : err.text,
			expected, "%s, windows of %zu", name, steps[s]);
		CHECK(made == NULL || consumed == length, "%s: %zu of %zu bytes", name, consumed,
			length);
		arena_fini(&arena);
	}
	free(bytes);
	free(expected);
}

/* Every good pickle cut at every byte is refused, and none of its pieces harms. */
static void
check_cuts(const char *name)
{
	char   path[512], *bytes;
	size_t length, step;

	snprintf(path, sizeof path, FOLDER "/%s", name);
	bytes = read_file(path, &length);
	step = length / 500 + 1;
	for (size_t cut = 0; cut < length; cut += step) {
		struct arena arena;
		struct error err;
		size_t       consumed;

		arena_init(&arena, (size_t)4 << 20);
		CHECK(run_pickle(bytes, cut, 0, &pickle_default_limits, &arena, NULL, &consumed,
			&err) == NULL && err.kind == ERROR_CORRUPT, "%s cut at %zu", name, cut);
		arena_fini(&arena);
	}
	free(bytes);
}

int
main(void)
{
	DIR           *folder = opendir(FOLDER);
	struct dirent *entry;
	unsigned       count = 0;

	CHECK(folder != NULL, "no folder " FOLDER);
	while (folder != NULL && (entry = readdir(folder)) != NULL) {
		size_t length = strlen(entry->d_name);
		if (strncmp(entry->d_name, "good-", 5) != 0 || length < 9
		    || strcmp(entry->d_name + length - 4, ".pkl") != 0)
			continue;
		check_good(entry->d_name);
		check_cuts(entry->d_name);
		count++;
	}
	if (folder != NULL)
		closedir(folder);
	CHECK(count == 38, "%u pickles", count);
	return check_end("pickle_files");
}
