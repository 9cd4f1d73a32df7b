#include "base/call_filter.h"
#include "base/digest.h"
#include "base/path.h"
#include "base/sandbox.h"
#include "convert/destination.h"
#include "convert/link_targets.h"
#include "convert/tokenizer_files.h"
#include "megatron/rank_name.h"
#include "megatron2hf.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* What is not there cannot be reached either. */
static void
allow(struct sandbox *sandbox, const char *path, enum sandbox_access access)
{
	int fd = sandbox_open_place(sandbox, AT_FDCWD, path);

	if (fd < 0)
		return;
	sandbox_allow(sandbox, fd, access);
	close(fd);
}

static void
allow_parent(struct sandbox *sandbox, const char *path, enum sandbox_access access)
{
	char parent[PATH_MAX];

	allow(sandbox, path_parent(path, parent, sizeof parent), access);
}

static void
allow_reading(struct sandbox *sandbox, const char *path)
{
	int fd = sandbox_open_place(sandbox, AT_FDCWD, path);

	if (fd < 0)
		return;
	sandbox_allow(sandbox, fd, SANDBOX_READ);
	link_targets_allow(sandbox, fd);
	close(fd);
}

/* ---- around a checkpoint ---------------------------------------------------------- */

/* Its names, and its tokenizer files. */
static void
allow_beside(struct sandbox *sandbox, const char *folder)
{
	DIR           *stream = opendir(folder);
	struct dirent *entry;
	int            fd;

	if (stream == NULL)
		return;
	sandbox_allow(sandbox, dirfd(stream), SANDBOX_LIST);
	while ((entry = readdir(stream)) != NULL) {
		if (!tokenizer_files_knows(entry->d_name)
		    || (fd = sandbox_open_place(sandbox, dirfd(stream), entry->d_name)) < 0)
			continue;
		sandbox_allow(sandbox, fd, SANDBOX_READ);
		close(fd);
	}
	closedir(stream);
}

static bool
is_part_of_checkpoint(const char *folder)
{
	struct rank_name rank;

	return rank_name_parse(folder, strlen(folder), &rank) || rank_name_is_iteration(folder);
}

/* The folder of a file; above a rank's folder the iteration's, above that the root. */
static void
allow_around(struct sandbox *sandbox, const char *path)
{
	char        real[PATH_MAX];
	char       *slash;
	struct stat found;

	if (realpath(path, real) == NULL || stat(real, &found) != 0)
		return;
	if (!S_ISDIR(found.st_mode) && (slash = strrchr(real, '/')) != NULL)
		*(slash == real ? slash + 1 : slash) = '\0';
	for (int level = 0; level < 3; level++) {
		allow_beside(sandbox, real);
		slash = strrchr(real, '/');
		if (slash == NULL || slash == real || !is_part_of_checkpoint(slash + 1))
			return;
		*slash = '\0';
	}
}

/* ---- all places ------------------------------------------------------------------- */

static void
allow_place(struct sandbox *sandbox, const struct m2h_place *place)
{
	switch (place->kind) {
	case M2H_PLACE_SOURCE:
		allow_around(sandbox, place->path);
		allow_reading(sandbox, place->path);
		break;
	case M2H_PLACE_READ:
		allow_reading(sandbox, place->path);
		break;
	case M2H_PLACE_LOOK:
		allow_parent(sandbox, place->path, SANDBOX_LIST);
		break;
	case M2H_PLACE_MAKE:
		allow_parent(sandbox, place->path, SANDBOX_FILL);
		break;
	case M2H_PLACE_FILL:
		allow(sandbox, destination_staging_folder(place->path), SANDBOX_FILL);
		break;
	case M2H_PLACE_APPEND:
		if (access(place->path, F_OK) != 0)
			allow_parent(sandbox, place->path, SANDBOX_FILL);
		allow(sandbox, place->path, SANDBOX_APPEND);
		break;
	case M2H_PLACE_ASK:
		allow(sandbox, place->path, SANDBOX_ASK);
		break;
	}
}

static bool
is_nothing(const struct m2h_place *place)
{
	return place->path == NULL ? place->kind != M2H_PLACE_FILL : strcmp(place->path, "-") == 0;
}

unsigned
m2h_confine(const struct m2h_place *places, size_t count)
{
	struct sandbox sandbox;
	unsigned       confined = 0;

	/* Files of libraries, while they can be read: OpenSSL's configuration, and the time zone,
	 * which libzip asks for. */
	digest_prepare();
	tzset();
	sandbox_open(&sandbox);
	for (size_t i = 0; i < count; i++)
		if (!is_nothing(&places[i]))
			allow_place(&sandbox, &places[i]);
	if (sandbox_enter(&sandbox))
		confined |= M2H_CONFINED_FILES;
	if (call_filter_enter())
		confined |= M2H_CONFINED_CALLS;
	return confined;
}
