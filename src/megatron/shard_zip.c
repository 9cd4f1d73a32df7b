#include "megatron/shard_zip.h"

#include "base/text.h"
#include "container/identify.h"
#include "megatron/shard_grid.h"

#include <stdlib.h>
#include <string.h>

#define TRACKER_LIMIT 4096

/* A member that is a shard, and the iteration folder that it lies in. */
struct candidate {
	const struct zip_record *record;
	const char              *name;
	size_t                   folder_length; /* "a/release" of "a/release/mp_rank_00/..." */
	struct rank_name         rank;
};

struct candidates {
	struct candidate        *items;         /* by folder */
	size_t                   count;
	const struct zip_record *lone;          /* *.pt that is in no rank's folder; the last */
	size_t                   lone_count;
	const struct zip_record *tracker;
	size_t                   tracker_count;
	size_t                   files;         /* members that are no folders */
};

/* Start of the component that ends at `end`. */
static size_t
component_start(const char *name, size_t end)
{
	while (end > 0 && name[end - 1] != '/')
		end--;
	return end;
}

/* .../mp_rank_NN/model_optim_rng.pt */
static bool
is_shard(const struct zip_record *record, struct candidate *candidate)
{
	size_t file = component_start(record->name, strlen(record->name)), folder;

	if (file == 0 || !identify_is_shard_name(record->name))
		return false;
	folder = component_start(record->name, file - 1);
	if (!rank_name_parse(record->name + folder, file - 1 - folder, &candidate->rank))
		return false;
	candidate->record = record;
	candidate->name = record->name;
	candidate->folder_length = folder > 0 ? folder - 1 : 0;
	return true;
}

static int
by_folder(const void *left, const void *right)
{
	const struct candidate *a = left, *b = right;
	size_t shorter = a->folder_length < b->folder_length ? a->folder_length : b->folder_length;
	int    order = memcmp(a->name, b->name, shorter);

	if (order != 0)
		return order;
	if (a->folder_length != b->folder_length)
		return a->folder_length < b->folder_length ? -1 : 1;
	return strcmp(a->name, b->name);
}

static bool
same_folder(const struct candidate *a, const struct candidate *b)
{
	return a->folder_length == b->folder_length
	    && memcmp(a->name, b->name, a->folder_length) == 0;
}

static bool
gather(struct candidates *found, const struct zip_archive *archive, struct arena *arena,
	struct error *err)
{
	size_t index, count = zip_archive_count(archive);

	memset(found, 0, sizeof *found);
	if ((found->items = arena_take(arena, count, sizeof *found->items)) == NULL)
		return error_no_memory(err, count * sizeof *found->items);
	for (index = 0; index < count; index++) {
		const struct zip_record *record = zip_archive_record(archive, index);
		size_t                   file;

		if (record->is_directory)
			continue;
		found->files++;
		file = component_start(record->name, strlen(record->name));
		if (is_shard(record, &found->items[found->count])) {
			found->count++;
		} else if (strcmp(record->name + file, RANK_NAME_TRACKER) == 0) {
			found->tracker = record;
			found->tracker_count++;
		} else if (text_has_suffix(record->name, ".pt")) {
			found->lone = record;
			found->lone_count++;
		}
	}
	if (found->count > 0)
		qsort(found->items, found->count, sizeof *found->items, by_folder);
	return true;
}

/* "release, iter_0005000": the iteration folders; returns their number. */
static size_t
list_folders(const struct candidates *found, char *to, size_t size)
{
	size_t index, count = 0, used;

	to[0] = '\0';
	for (index = 0; index < found->count; index++) {
		const struct candidate *item = &found->items[index];

		if (index > 0 && same_folder(item, item - 1))
			continue;
		used = strlen(to);
		text_format(to + used, size - used, "%s%.*s", count++ > 0 ? ", " : "",
			(int)item->folder_length, item->name);
	}
	return count;
}

/* The folder beside the tracker that it names; to "" when the zip's top is the root. */
static bool
read_tracker(const struct candidates *found, const struct zip_archive *archive, char *to,
	size_t size, struct error *err)
{
	const struct zip_record *record = found->tracker;
	char                     folder[RANK_NAME_ITERATION_SIZE];
	size_t                   root = component_start(record->name, strlen(record->name));
	char                    *content;
	bool                     done = false;

	content = zip_archive_read_record(archive, record, TRACKER_LIMIT, err);
	if (content != NULL)
		done = rank_name_tracker(content, (size_t)record->length, folder, err);
	free(content);
	if (!done)
		return error_in_member(err, record->name);
	text_format(to, size, "%.*s%s", (int)root, record->name, folder);
	return true;
}

/* First candidate of the folder, or NULL. */
static const struct candidate *
find_folder(const struct candidates *found, const char *folder)
{
	size_t index, length = strlen(folder);

	for (index = 0; index < found->count; index++)
		if (found->items[index].folder_length == length
		    && memcmp(found->items[index].name, folder, length) == 0)
			return &found->items[index];
	return NULL;
}

/* The one tracker stands beside iteration folders, where it can name one.  (One that was
 * packed inside such a folder says nothing.) */
static bool
has_tracker(const struct candidates *found)
{
	char   folder[544];
	size_t root;

	if (found->tracker_count != 1)
		return false;
	root = component_start(found->tracker->name, strlen(found->tracker->name));
	text_format(folder, sizeof folder, "%.*s", (int)(root > 0 ? root - 1 : 0),
		found->tracker->name);
	return root == 0 || find_folder(found, folder) == NULL;
}

/* The same by its last component, for --iteration; several: *count. */
static const struct candidate *
find_iteration(const struct candidates *found, const char *iteration, size_t *count)
{
	const struct candidate *chosen = NULL;
	size_t                  index;

	*count = 0;
	for (index = 0; index < found->count; index++) {
		const struct candidate *item = &found->items[index];
		size_t                  start = component_start(item->name, item->folder_length);

		if (index > 0 && same_folder(item, item - 1))
			continue;
		if (item->folder_length - start == strlen(iteration)
		    && memcmp(item->name + start, iteration, strlen(iteration)) == 0) {
			chosen = item;
			++*count;
		}
	}
	return chosen;
}

/* Which of the iteration folders is meant; NULL: *err. */
static const struct candidate *
choose_folder(const struct candidates *found, const struct zip_archive *archive,
	const char *wanted, struct error *err)
{
	char                    have[240], folder[544], iteration[RANK_NAME_ITERATION_SIZE];
	size_t                  folders = list_folders(found, have, sizeof have), count;
	const struct candidate *chosen;

	if (wanted != NULL) {
		if (!rank_name_tracker(wanted, strlen(wanted), iteration, err)) {
			error_set(err, ERROR_USAGE, "usage",
				"--iteration %s: a number or \"release\" is expected", wanted);
			return NULL;
		}
		chosen = find_iteration(found, iteration, &count);
		if (count == 1)
			return chosen;
		error_set(err, ERROR_NO_INPUT, "tracker", "--iteration names %s, which is %s; have %s",
			iteration, count == 0 ? "missing" : "there more than once", have);
		return NULL;
	}
	if (has_tracker(found)) {
		if (!read_tracker(found, archive, folder, sizeof folder, err))
			return NULL;
		if ((chosen = find_folder(found, folder)) == NULL)
			error_set(err, ERROR_NO_INPUT, "tracker", "%s names %s, which is missing; "
				"have %s", RANK_NAME_TRACKER, folder, have);
		return chosen;
	}
	if (folders == 1)
		return &found->items[0];
	error_set(err, ERROR_NO_INPUT, "tracker", "several checkpoints are inside and %s: %s",
		found->tracker_count == 0 ? "no " RANK_NAME_TRACKER " says which is meant"
		: "several tracker files", have);
	error_hint(err, "unpack the zip and give the folder of one of them");
	return NULL;
}

static bool
add_folder(struct shards *shards, const struct candidates *found,
	const struct candidate *first, struct error *err)
{
	const struct candidate *item, *end = found->items + found->count;
	size_t                  start = component_start(first->name, first->folder_length);
	const char             *name;

	shards->iteration = arena_copy(&shards->arena, first->name + start,
		first->folder_length - start);
	if (shards->iteration == NULL)
		return error_no_memory(err, first->folder_length);
	for (item = first; item < end && same_folder(item, first); item++) {
		if ((name = arena_copy(&shards->arena, item->name, strlen(item->name))) == NULL)
			return error_no_memory(err, strlen(item->name) + 1);
		if (!shard_grid_add(shards, &item->rank, name, name, err))
			return false;
	}
	return shard_grid_check(shards, err);
}

/* A zip around a single .pt file, whose name says nothing of ranks. */
static bool
add_lone(struct shards *shards, const struct candidates *found, struct error *err)
{
	static const struct rank_name first_rank;
	const char                   *name;

	if (found->lone_count != 1)
		return error_set(err, ERROR_UNSUPPORTED, "outerzip", "%zu members end in .pt, and "
			"none is an mp_rank_*/model_optim_rng.pt", found->lone_count);
	shards->is_lone = true;
	name = arena_copy(&shards->arena, found->lone->name, strlen(found->lone->name));
	if (name == NULL)
		return error_no_memory(err, strlen(found->lone->name) + 1);
	return shard_grid_add(shards, &first_rank, name, name, err)
	    && shard_grid_check(shards, err);
}

static bool
open_members(struct shards *shards, const struct zip_archive *archive, struct error *err)
{
	size_t index;

	for (index = 0; index < shards->count; index++) {
		struct shard            *shard = &shards->items[index];
		const struct zip_record *record = zip_archive_find(archive, shard->member);

		if (record == NULL)
			return error_set(err, ERROR_INTERNAL, "internal",
				"member %s is lost", shard->member);
		shard->stream = zip_archive_open_record(archive, record, err);
		if (shard->stream == NULL)
			return error_in_member(err, shard->member);
		shard->input = 0;
		shard->member_crc = record->crc;
		if (record->method == ZIP_DEFLATED)
			shards->zip_deflated = true;
	}
	return true;
}

static void
note_rest(const struct shards *shards, const struct zip_archive *archive,
	const struct candidates *found, struct decision_log *log)
{
	size_t used = shards->count + (found->tracker_count == 1 ? 1 : 0);
	size_t comment = zip_archive_comment_length(archive);

	if (comment > 0)
		decision_log_note(log, NOTE_NOTE, "zip-comment",
			"the zip has a comment of %zu bytes, which is not read", comment);
	if (found->files > used)
		decision_log_note(log, NOTE_NOTE, "unused-members",
			"%zu other member%s of the zip %s no part of the model", found->files - used,
			found->files - used == 1 ? "" : "s", found->files - used == 1 ? "is" : "are");
}

bool
shard_zip_open(struct shards *shards, const struct zip_archive *archive,
	const struct shards_options *options, struct decision_log *log, struct error *err)
{
	struct candidates       found;
	const struct candidate *chosen;

	shards->in_zip = true;
	if (!gather(&found, archive, &shards->arena, err))
		return false;
	if (found.count == 0) {
		if (!add_lone(shards, &found, err))
			return false;
	} else {
		chosen = choose_folder(&found, archive, options->iteration, err);
		if (chosen == NULL || !add_folder(shards, &found, chosen, err))
			return false;
	}
	if (!open_members(shards, archive, err))
		return false;
	note_rest(shards, archive, &found, log);
	return true;
}
