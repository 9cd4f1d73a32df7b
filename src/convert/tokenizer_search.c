#include "convert/tokenizer_search.h"

#include "base/descriptor.h"
#include "base/text.h"
#include "convert/destination.h"
#include "megatron/rank_name.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct search {
	const struct shards        *shards;
	struct tokenizer_files_set *set;
	const char                 *where;
	struct decision_log        *log;
	struct tokenizer           *found;
};

/* Files that nobody named are no reason to fail; that memory ended is. */
static bool
excuse(struct search *search, struct error *err)
{
	char line[1024];

	if (strcmp(err->slug, "oom") == 0)
		return false;
	decision_log_note(search->log, NOTE_WARNING, "tokenizer-unused",
		"tokenizer files %s are not used: %s", search->where,
		error_line(err, line, sizeof line));
	*err = (struct error){ 0 };
	return true;
}

/* What a place held, once its files are read: `is_read` false: *err. */
static bool
consider(struct search *search, bool is_read, struct error *err)
{
	if (is_read && search->set->count == 0)
		return true;
	if (is_read)
		search->found = tokenizer_files_read(search->set, "", err);
	if (search->found != NULL)
		return true;
	tokenizer_files_fini(search->set);
	return excuse(search, err);
}

/* ---- in the zip ------------------------------------------------------------------- */

/* "a/b/" of "a/b/vocab.json", whose length is returned. */
static size_t
folder_length(const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash != NULL ? (size_t)(slash + 1 - name) : 0;
}

/* The folder to look into: one that the shard lies in, the inmost; else the only other one.
 * NULL: there is none; *several: more than one, and nothing tells which is meant. */
static const char *
choose_folder(const struct zip_archive *archive, const char *shard, size_t *length,
	bool *several)
{
	const char *chosen = NULL;
	bool        is_around = false;

	*several = false;
	for (size_t i = 0; i < zip_archive_count(archive); i++) {
		const char  *name = zip_archive_record(archive, i)->name;
		const size_t here = folder_length(name);
		const bool   around = strncmp(name, shard, here) == 0;

		if (!tokenizer_files_knows(name + here))
			continue;
		if (chosen == NULL || (around && (!is_around || here > *length))) {
			chosen = name;
			*length = here;
			is_around = around;
			*several = false;
		} else if (!around && !is_around
		    && (here != *length || memcmp(name, chosen, here) != 0)) {
			*several = true;
		}
	}
	return chosen;
}

static bool
look_into_archive(struct search *search, const struct zip_archive *archive, struct error *err)
{
	char        folder[1024];
	size_t      length = 0;
	bool        several;
	const char *chosen = choose_folder(archive, search->shards->items[0].member, &length,
		&several);

	if (chosen == NULL)
		return true;
	if (several) {
		error_set(err, ERROR_UNSUPPORTED, "vtok", "several folders hold some");
		return excuse(search, err);
	}
	text_format(folder, sizeof folder, "%.*s", (int)length, chosen);
	return consider(search, tokenizer_files_in_zip(search->set, archive, folder, err), err);
}

static bool
look_into_zip(struct search *search, struct error *err)
{
	const struct input_file *input = search->shards->inputs[0];
	struct byte_stream      *stream = byte_stream_open(input, 0, input->size, err);
	struct zip_archive      *archive = NULL;
	bool                     done = false;

	if (stream != NULL && (archive = zip_archive_open(stream, ZIP_DOWNLOAD, err)) != NULL)
		done = look_into_archive(search, archive, err);
	zip_archive_close(archive);
	byte_stream_close(stream);
	return done;
}

/* ---- in folders ------------------------------------------------------------------- */

static bool
look_into_folder(struct search *search, const char *path, struct error *err)
{
	int  directory = descriptor_open_directory(AT_FDCWD, path, 0);
	bool done;

	/* A folder that may be searched for known names, but not listed, is passed over too. */
	if (directory < 0 && (errno == ENOENT || errno == ENOTDIR || errno == EACCES))
		return true;
	if (directory < 0) {
		error_os(err, ERROR_NO_INPUT, "noinput", "cannot open the folder");
		error_in_file(err, path);
		return excuse(search, err);
	}
	done = consider(search, tokenizer_files_in_folder(search->set, directory, "", err), err);
	close(directory);
	return done;
}

/* "/a/b" to "/a"; false: there is nothing above. */
static bool
cut_component(char *path)
{
	char *slash = strrchr(path, '/');

	if (slash == NULL || slash == path)
		return false;
	*slash = '\0';
	return true;
}

static bool
is_rank_folder(const char *path)
{
	struct rank_name rank;
	const char      *slash = strrchr(path, '/');

	return slash != NULL && rank_name_parse(slash + 1, strlen(slash + 1), &rank);
}

static bool
is_iteration_folder(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL && rank_name_is_iteration(slash + 1);
}

/* A rank's folder, the iteration's, the root: from where the source is, never beyond. */
static bool
look_upwards(struct search *search, char *path, bool is_folder, struct error *err)
{
	bool climbs = is_rank_folder(path) || (is_folder && is_iteration_folder(path));

	for (;;) {
		const bool is_rank = is_rank_folder(path), is_iteration = is_iteration_folder(path);

		if (!look_into_folder(search, path, err))
			return false;
		if (search->found != NULL || !climbs || !cut_component(path))
			return true;
		/* Above a rank comes an iteration, above that the root. */
		climbs = is_rank && !is_iteration && is_iteration_folder(path);
	}
}

static bool
look_into_folders(struct search *search, const char *source, struct error *err)
{
	char  folder[PATH_MAX], path[PATH_MAX], below[PATH_MAX + 64];
	int   directory = descriptor_open_directory(AT_FDCWD, source, 0);
	bool  is_folder = directory >= 0;

	if (is_folder)
		close(directory);
	if (realpath(is_folder ? source : destination_parent(source, folder, sizeof folder), path)
	    == NULL)
		return true;
	if (is_folder && search->shards->iteration[0] != '\0' && !is_iteration_folder(path)
	    && !is_rank_folder(path)) {
		text_format(below, sizeof below, "%s/%s", path, search->shards->iteration);
		if (!look_into_folder(search, below, err))
			return false;
	}
	return search->found != NULL || look_upwards(search, path, is_folder, err);
}

struct tokenizer *
tokenizer_search(const struct shards *shards, const char *source,
	struct tokenizer_files_set *set, const char **where, struct decision_log *log,
	struct error *err)
{
	struct search search = { .shards = shards, .set = set, .log = log };
	bool          done = true;

	*set = (struct tokenizer_files_set){ .count = 0 };
	search.where = "in the zip";
	if (shards->in_zip)
		done = look_into_zip(&search, err);
	if (done && search.found == NULL && strcmp(source, "-") != 0) {
		search.where = "beside the source";
		look_into_folders(&search, source, err);
	}
	*where = search.where;
	return search.found;
}
