/*
 * make_zip store|deflate FOLDER ZIP: packs what make_ngc wrote as NGC packs it, and prints
 * how well it deflated.  A zip that is complete and younger than the checkpoint is kept.
 */
#include <err.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <zip.h>

static const char *const members[] = {
	"latest_checkpointed_iteration.txt",
	"release/mp_rank_00/model_optim_rng.pt",
};
enum { MEMBERS = 2, CHECKPOINT = 1, DEFLATE_LEVEL = 6 };

static char *
member_path(const char *folder, int member)
{
	char *path;

	if (asprintf(&path, "%s/%s", folder, members[member]) < 0)
		err(1, "path");
	return path;
}

static bool
is_current(const char *zip_path, const struct stat *checkpoint)
{
	struct stat there;
	zip_t      *zip;
	zip_stat_t  found;
	bool        current;

	if (stat(zip_path, &there) != 0 || there.st_mtime < checkpoint->st_mtime)
		return false;
	if ((zip = zip_open(zip_path, ZIP_RDONLY, NULL)) == NULL)
		return false;
	current = zip_stat(zip, members[CHECKPOINT], 0, &found) == 0 &&
		found.size == (zip_uint64_t)checkpoint->st_size;
	zip_discard(zip);
	return current;
}

static void
add_member(zip_t *zip, const char *folder, int member, int method)
{
	char         *path = member_path(folder, member);
	zip_source_t *source = zip_source_file(zip, path, 0, -1);
	zip_int64_t   index;

	if (source == NULL || (index = zip_file_add(zip, members[member], source, 0)) < 0 ||
	    zip_set_file_compression(zip, (zip_uint64_t)index, method, DEFLATE_LEVEL) != 0)
		errx(1, "%s: %s", path, zip_strerror(zip));
	free(path);
}

/* libzip writes beside ZIP and renames, so a zip of that name is complete. */
static void
zip_write(const char *zip_path, const char *folder, int method)
{
	int    code;
	zip_t *zip = zip_open(zip_path, ZIP_CREATE | ZIP_TRUNCATE, &code);

	if (zip == NULL)
		errx(1, "%s: libzip error %d", zip_path, code);
	for (int member = 0; member < MEMBERS; member++)
		add_member(zip, folder, member, method);
	if (zip_close(zip) != 0)
		errx(1, "%s: %s", zip_path, zip_strerror(zip));
}

static void
print_ratio(const char *zip_path, bool kept)
{
	zip_t     *zip = zip_open(zip_path, ZIP_RDONLY, NULL);
	zip_stat_t found;

	if (zip == NULL || zip_stat(zip, members[CHECKPOINT], 0, &found) != 0)
		errx(1, "%s: cannot be read back", zip_path);
	printf("%s: %s%llu of %llu bytes (%.1f %%)\n", zip_path, kept ? "kept, " : "",
		(unsigned long long)found.comp_size, (unsigned long long)found.size,
		100.0 * (double)found.comp_size / (double)found.size);
	zip_discard(zip);
}

int
main(int argc, char **argv)
{
	struct stat checkpoint;
	char       *path;
	bool        deflate, kept;

	if (argc != 4 || ((deflate = strcmp(argv[1], "deflate") == 0) == false &&
	    strcmp(argv[1], "store") != 0))
		errx(2, "usage: make_zip store|deflate FOLDER ZIP");
	path = member_path(argv[2], CHECKPOINT);
	if (stat(path, &checkpoint) != 0)
		err(1, "%s", path);
	kept = is_current(argv[3], &checkpoint);
	if (!kept)
		zip_write(argv[3], argv[2], deflate ? ZIP_CM_DEFLATE : ZIP_CM_STORE);
	print_ratio(argv[3], kept);
	free(path);
	return 0;
}
