#include "megatron/shard_folder.h"

#include "base/descriptor.h"
#include "base/text.h"
#include "container/identify.h"
#include "megatron/deepspeed.h"
#include "megatron/distributed.h"
#include "megatron/folder_listing.h"
#include "megatron/shard_grid.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GIVE_PARENT "give the folder that holds all mp_rank_* folders"

/* What a rank's folder holds: the model first, where both names are there. */
static const char *const shard_files[] = { "model_optim_rng.pt", "model_rng.pt" };

static const char *
shard_file_of(const struct folder_listing *listing)
{
	size_t index;

	for (index = 0; index < sizeof shard_files / sizeof *shard_files; index++)
		if (folder_listing_has(listing, shard_files[index]))
			return shard_files[index];
	return NULL;
}

/* mp_rank_TT_DDD/optim.pt of 2022, and whatever else holds an optimizer only. */
static bool
holds_optimizer(const struct folder_listing *listing)
{
	size_t index;

	for (index = 0; index < listing->count; index++)
		if (text_has_prefix(listing->names[index], "optim")
		    || text_has_prefix(listing->names[index], "distrib_optim"))
			return true;
	return false;
}

/* *name is NULL where the folder is no shard's and may be passed over. */
static bool
look_into_rank(struct shards *shards, int directory, const char *folder, const char *shown,
	const char **name, struct error *err)
{
	struct folder_listing listing;
	const char           *file, *path = folder_listing_join(&shards->arena, shown, folder, err);
	bool                  done;
	int                   rank_directory;

	*name = NULL;
	if (path == NULL)
		return false;
	rank_directory = descriptor_open_directory(directory, folder, 0);
	if (rank_directory < 0 && errno == ENOTDIR)
		return true;
	if (rank_directory < 0) {
		error_os(err, ERROR_NO_INPUT, "mixedperm", "cannot open the folder");
		return error_in_file(err, path);
	}
	done = folder_listing_read(rank_directory, path, &shards->arena, &listing, err);
	close(rank_directory);
	if (!done)
		return false;
	if ((file = shard_file_of(&listing)) != NULL)
		return (*name = folder_listing_join(&shards->arena, folder, file, err)) != NULL;
	if (holds_optimizer(&listing))
		return true;
	error_set(err, ERROR_NO_INPUT, "missingrank", "the shard is missing: the folder holds no %s",
		shard_files[0]);
	return error_in_file(err, path);
}

/* Adds a shard for each mp_rank_* folder that holds one. */
static bool
add_ranks(struct shards *shards, int directory, const char *shown,
	const struct folder_listing *listing, struct error *err)
{
	struct rank_name rank;
	const char      *name;
	size_t           index;

	for (index = 0; index < listing->count; index++) {
		const char *folder = listing->names[index];

		if (!rank_name_parse(folder, strlen(folder), &rank))
			continue;
		if (!look_into_rank(shards, directory, folder, shown, &name, err))
			return false;
		if (name != NULL && !shard_grid_add(shards, &rank, name, NULL, err))
			return error_in_file(err, shown);
	}
	return true;
}

/* Opens a file for each shard; `shown` is the folder that the names start from. */
static bool
open_inputs(struct shards *shards, int directory, const char *shown, struct error *err)
{
	size_t index;

	shards->inputs = arena_take(&shards->arena, shards->count, sizeof *shards->inputs);
	if (shards->inputs == NULL)
		return error_no_memory(err, shards->count * sizeof *shards->inputs);
	input_file_allow(shards->count);
	for (index = 0; index < shards->count; index++) {
		const char *name = shards->items[index].name, *slash = strrchr(name, '/'), *path;

		/* A lone rank's folder is the open one itself. */
		if (shards->is_lone && slash != NULL)
			name = slash + 1;
		if ((path = folder_listing_join(&shards->arena, shown, name, err)) == NULL)
			return false;
		shards->inputs[index] = input_file_open_at(directory, name, path, err);
		if (shards->inputs[index] == NULL)
			return error_in_file(err, path);
		shards->items[index].input = index;
		shards->input_count++;
		if (!input_file_may_rest(shards->inputs[index], path, err))
			return false;
	}
	return true;
}

/* An iteration folder that was named, or that the tracker names. */
static bool
open_iteration(struct shards *shards, int directory, const char *shown, struct error *err)
{
	struct folder_listing listing;

	if (!folder_listing_read(directory, shown, &shards->arena, &listing, err))
		return false;
	if (distributed_is(&listing))
		return distributed_open(shards, directory, shown, &listing, err);
	if (deepspeed_is(&listing)) {
		if (!deepspeed_open(shards, &listing, err))
			return error_in_file(err, shown);
		return open_inputs(shards, directory, shown, err);
	}
	if (!add_ranks(shards, directory, shown, &listing, err))
		return false;
	if (shards->count == 0) {
		if (folder_listing_refuse(&listing, err))
			error_set(err, ERROR_NO_INPUT, "missingrank",
				"the folder holds no mp_rank_*/%s", shard_files[0]);
		return error_in_file(err, shown);
	}
	if (!shard_grid_check(shards, err))
		return error_in_file(err, shown);
	return open_inputs(shards, directory, shown, err);
}

static bool
enter_iteration(struct shards *shards, int root, const char *path, const char *folder,
	struct error *err)
{
	const char *shown = folder_listing_join(&shards->arena, path, folder, err);
	bool        done;
	int         directory;

	if (shown == NULL || (directory = folder_listing_enter(root, folder, shown, err)) < 0)
		return false;
	shards->iteration = arena_copy(&shards->arena, folder, strlen(folder));
	done = shards->iteration != NULL ? open_iteration(shards, directory, shown, err)
	    : error_no_memory(err, strlen(folder) + 1);
	close(directory);
	return done;
}

/* "iter_0000900, release": the iteration folders of a root; returns their number. */
static size_t
list_iterations(const struct folder_listing *listing, char *to, size_t size, const char **last)
{
	size_t index, count = 0, used;

	to[0] = '\0';
	for (index = 0; index < listing->count; index++) {
		if (!rank_name_is_iteration(listing->names[index]))
			continue;
		*last = listing->names[index];
		used = strlen(to);
		text_format(to + used, size - used, "%s%s", count++ > 0 ? ", " : "", *last);
	}
	return count;
}

/* DeepSpeed's tracker holds the folder's name. */
static bool
read_latest(const char *content, size_t length, char folder[RANK_NAME_ITERATION_SIZE],
	struct error *err)
{
	char shown[64];

	while (length > 0 && strchr(" \t\r\n", content[length - 1]) != NULL)
		length--;
	if (length < RANK_NAME_ITERATION_SIZE) {
		text_format(folder, RANK_NAME_ITERATION_SIZE, "%.*s", (int)length, content);
		if (rank_name_is_iteration(folder))
			return true;
	}
	return error_set(err, ERROR_UNSUPPORTED, "tracker",
		"\"%s\" is no iteration; " RANK_NAME_STEP " and a number is expected",
		text_escape(shown, sizeof shown, content, length));
}

static bool
read_tracker(struct shards *shards, int root, const char *path, const char *tracker,
	char folder[RANK_NAME_ITERATION_SIZE], struct error *err)
{
	char               content[256];
	const char        *shown = folder_listing_join(&shards->arena, path, tracker, err);
	struct input_file *file;
	size_t             length;
	bool               done;

	if (shown == NULL || (file = input_file_open_at(root, tracker, shown, err)) == NULL)
		return false;
	length = file->size < sizeof content ? (size_t)file->size : sizeof content;
	done = input_file_read(file, 0, content, length, err) && input_file_unchanged(file, err)
	    && (strcmp(tracker, DEEPSPEED_LATEST) == 0 ? read_latest : rank_name_tracker)(content,
			length, folder, err);
	input_file_close(file);
	return done ? true : error_in_file(err, shown);
}

/* iter_0005000 is global_step5000 where DeepSpeed saved it. */
static void
name_step(const struct folder_listing *listing, char folder[RANK_NAME_ITERATION_SIZE])
{
	char     step[RANK_NAME_ITERATION_SIZE];
	uint64_t number;

	if (folder_listing_has(listing, folder) || !text_has_prefix(folder, "iter_")
	    || !text_parse_u64(folder + 5, strlen(folder + 5), &number))
		return;
	text_format(step, sizeof step, RANK_NAME_STEP "%llu", (unsigned long long)number);
	if (folder_listing_has(listing, step))
		text_format(folder, RANK_NAME_ITERATION_SIZE, "%s", step);
}

/* The folder that --iteration or else the tracker names, which must be there. */
static bool
open_named_iteration(struct shards *shards, int root, const char *path,
	const struct folder_listing *listing, const char *wanted, struct error *err)
{
	char        folder[RANK_NAME_ITERATION_SIZE], have[160];
	const char *last = NULL, *tracker = folder_listing_has(listing, RANK_NAME_TRACKER)
	    ? RANK_NAME_TRACKER : DEEPSPEED_LATEST;

	if (wanted == NULL) {
		if (!read_tracker(shards, root, path, tracker, folder, err))
			return false;
	} else if (!rank_name_tracker(wanted, strlen(wanted), folder, err)) {
		return error_set(err, ERROR_USAGE, "usage",
			"--iteration %s: a number or \"release\" is expected", wanted);
	}
	name_step(listing, folder);
	if (folder_listing_has(listing, folder))
		return enter_iteration(shards, root, path, folder, err);
	if (list_iterations(listing, have, sizeof have, &last) == 0)
		text_format(have, sizeof have, "no iteration folder");
	error_set(err, ERROR_NO_INPUT, "tracker", "%s names %s, which is missing; have %s",
		wanted == NULL ? tracker : "--iteration", folder, have);
	if (last != NULL && wanted == NULL)
		error_hint(err, "--iteration %s takes the one that is there",
			strcmp(last, "release") == 0 ? last : last + strcspn(last, "123456789"));
	return error_in_file(err, path);
}

/* A root whose tracker file did not come along. */
static bool
open_only_iteration(struct shards *shards, int root, const char *path,
	const struct folder_listing *listing, struct decision_log *log, struct error *err)
{
	char        have[160];
	const char *only = NULL;
	size_t      count = list_iterations(listing, have, sizeof have, &only);

	if (count == 1) {
		decision_log_note(log, NOTE_NOTE, "tracker-missing",
			RANK_NAME_TRACKER " is missing; %s is the only iteration and was taken", only);
		return enter_iteration(shards, root, path, only, err);
	}
	if (count > 1) {
		error_set(err, ERROR_NO_INPUT, "tracker",
			RANK_NAME_TRACKER " is missing, and there are several iterations: %s", have);
		error_hint(err, "give the folder of one of them");
		return error_in_file(err, path);
	}
	if (folder_listing_refuse(listing, err)) {
		error_set(err, ERROR_NO_INPUT, "nocheckpoint",
			"the folder holds no checkpoint: neither " RANK_NAME_TRACKER
			" nor iter_*, release or mp_rank_* folders");
		error_hint(err, "folders below it are not searched: give the one that holds these");
	}
	return error_in_file(err, path);
}

/* The last component of a path, without symbolic links: malloc()ed, NULL when unknown. */
static bool
last_component(const char *path, char **name, struct error *err)
{
	char *real = realpath(path, NULL);

	*name = real != NULL ? strdup(strrchr(real, '/') + 1) : NULL;
	free(real);
	return *name != NULL || errno != ENOMEM || error_no_memory(err, strlen(path));
}

/* The rank that the last component of a path says, rank 0 where it is no rank's name.
 * *folder is that component, malloc()ed, or NULL. */
static bool
rank_of_path(const char *path, struct rank_name *rank, char **folder, struct error *err)
{
	*rank = (struct rank_name){ 0 };
	if (!last_component(path, folder, err))
		return false;
	if (*folder == NULL || !rank_name_parse(*folder, strlen(*folder), rank)) {
		*rank = (struct rank_name){ 0 };
		free(*folder);
		*folder = NULL;
	}
	return true;
}

static bool
is_no_memory(const struct error *fault)
{
	return strcmp(fault->slug, "oom") == 0;
}

/* Other shards of the same iteration beside a rank's folder.  What cannot be read of them
 * is no reason to stop, but where memory ends nobody knows whether there are any. */
static bool
check_neighbours(struct shards *shards, int directory, const char *folder, struct error *err)
{
	struct error          fault = { 0 };
	struct folder_listing listing;
	struct rank_name      rank;
	const char           *name;
	size_t                index;
	bool                  alone = true, ended;
	int parent = descriptor_open_directory(directory, "..", 0);

	if (parent < 0)
		return true;
	if (!folder_listing_read(parent, "..", &shards->arena, &listing, &fault))
		listing.count = 0;
	ended = is_no_memory(&fault);
	for (index = 0; index < listing.count && alone && !ended; index++) {
		const char *other = listing.names[index];

		if (strcmp(other, folder) == 0 || !rank_name_parse(other, strlen(other), &rank)
		    || !look_into_rank(shards, parent, other, "..", &name, &fault)
		    || name == NULL) {
			ended = is_no_memory(&fault);
			continue;
		}
		error_set(err, ERROR_NO_INPUT, "missingrank",
			"shard %s is missing: it lies beside %s, but only that was given", other,
			folder);
		alone = error_hint(err, GIVE_PARENT);
	}
	close(parent);
	if (!ended)
		return alone;
	*err = fault;
	return false;
}

/* A folder that holds the shard itself. */
static bool
open_rank(struct shards *shards, int directory, const char *path, const char *file,
	struct error *err)
{
	bool             done = false;
	char            *folder;
	const char      *name;
	struct rank_name rank;

	shards->is_lone = true;
	if (!rank_of_path(path, &rank, &folder, err))
		return error_in_file(err, path);
	name = folder != NULL ? folder_listing_join(&shards->arena, folder, file, err) : file;
	if (name == NULL || !shard_grid_add(shards, &rank, name, NULL, err))
		goto out;
	if (folder != NULL && !check_neighbours(shards, directory, folder, err))
		goto out;
	done = shard_grid_check(shards, err);
out:
	free(folder);
	return done ? open_inputs(shards, directory, path, err) : error_in_file(err, path);
}

bool
shard_folder_neighbours(struct shards *shards, const char *file_path, struct rank_name *rank,
	struct error *err)
{
	bool        done;
	char       *folder, *parent = strdup(file_path);
	char       *slash = parent != NULL ? strrchr(parent, '/') : NULL;
	const char *shown = ".";
	int         directory;

	if (parent == NULL)
		return error_no_memory(err, strlen(file_path) + 1);
	if (slash != NULL) {
		*slash = '\0';
		shown = slash == parent ? "/" : parent;
	}
	done = rank_of_path(shown, rank, &folder, err);
	if (folder != NULL) {
		directory = descriptor_open_directory(AT_FDCWD, shown, 0);
		if (directory >= 0) {
			done = check_neighbours(shards, directory, folder, err);
			close(directory);
		}
	}
	free(folder);
	free(parent);
	return done;
}

/* An iteration folder that the user named. */
static bool
open_given_iteration(struct shards *shards, int directory, const char *path,
	struct error *err)
{
	char *name;

	if (!last_component(path, &name, err))
		return error_in_file(err, path);
	if (name != NULL && rank_name_is_iteration(name))
		shards->iteration = arena_copy(&shards->arena, name, strlen(name));
	free(name);
	if (shards->iteration == NULL)
		return error_no_memory(err, strlen(path));
	return open_iteration(shards, directory, path, err);
}

bool
shard_folder_open(struct shards *shards, int directory, const char *path,
	const struct shards_options *options, struct decision_log *log, struct error *err)
{
	struct folder_listing listing;
	const char           *file;
	size_t                index;
	struct rank_name      rank;

	if (!folder_listing_read(directory, path, &shards->arena, &listing, err))
		return false;
	if (options->iteration != NULL)
		return open_named_iteration(shards, directory, path, &listing, options->iteration,
			err);
	if ((file = shard_file_of(&listing)) != NULL)
		return open_rank(shards, directory, path, file, err);
	if (distributed_is(&listing) || deepspeed_is(&listing))
		return open_given_iteration(shards, directory, path, err);
	for (index = 0; index < listing.count; index++)
		if (rank_name_parse(listing.names[index], strlen(listing.names[index]), &rank))
			return open_given_iteration(shards, directory, path, err);
	if (folder_listing_has(&listing, RANK_NAME_TRACKER)
	    || folder_listing_has(&listing, DEEPSPEED_LATEST))
		return open_named_iteration(shards, directory, path, &listing, NULL, err);
	return open_only_iteration(shards, directory, path, &listing, log, err);
}
