#include "check/verify_entries.h"

#include "base/descriptor.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_ENTRIES ((size_t)100000)
#define MAX_DEPTH   16

static const char *const text_names[] = {
	"SHA256SUMS", "config.json", "conversion.json", "generation_config.json", "merges.txt",
	"model.safetensors.index.json", "pytorch_model.bin.index.json", "tokenizer.json",
	"tokenizer_config.json", "vocab.json",
};

static enum verify_kind
kind_of(const char *name)
{
	for (size_t i = 0; i < sizeof text_names / sizeof *text_names; i++) {
		if (strcmp(name, text_names[i]) == 0)
			return VERIFY_TEXT;
	}
	if (text_has_suffix(name, ".safetensors"))
		return VERIFY_SAFETENSORS;
	if (text_has_prefix(name, "pytorch_model") && text_has_suffix(name, ".bin"))
		return VERIFY_TORCH;
	return VERIFY_PLAIN;
}

static bool
is_exempt(const char *name)
{
	return text_has_prefix(name, ".git") || strcmp(name, ".cache") == 0
		|| text_has_prefix(name, ".cache/") || strcmp(name, "model.sig") == 0
		|| strcmp(name, "SHA256SUMS") == 0;
}

static struct verify_entry *
add_entry(struct verify_run *run, const char *name, struct error *err)
{
	struct verify_entry *entry;

	if (run->count == run->room) {
		size_t               room = run->room == 0 ? 64 : 2 * run->room;
		struct verify_entry *grown = realloc(run->entries, room * sizeof *grown);

		if (grown == NULL) {
			error_no_memory(err, room * sizeof *grown);
			return NULL;
		}
		run->entries = grown;
		run->room = room;
	}
	entry = &run->entries[run->count++];
	*entry = (struct verify_entry){ .kind = kind_of(name), .is_exempt = is_exempt(name) };
	entry->name = arena_copy(&run->result->arena, name, strlen(name));
	if (entry->name == NULL)
		error_no_memory(err, strlen(name));
	return entry->name != NULL ? entry : NULL;
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(((const struct verify_entry *)a)->name, ((const struct verify_entry *)b)->name);
}

static void
sort_entries(struct verify_run *run)
{
	if (run->count > 0)
		qsort(run->entries, run->count, sizeof *run->entries, compare_names);
}

/* ---- the walk --------------------------------------------------------------------- */

/* Folders that are still to be entered: a chain in the arena, "" is the directory itself. */
struct folder {
	const char    *name;
	unsigned       depth;
	struct folder *next;
};

struct walk {
	struct verify_run *run;
	struct folder     *folders;
	bool               is_cut;      /* MAX_ENTRIES was met */
};

static bool
add_folder(struct walk *walk, const char *name, unsigned depth, struct error *err)
{
	struct arena  *arena = &walk->run->result->arena;
	struct folder *folder = arena_take(arena, 1, sizeof *folder);

	if (folder == NULL || (folder->name = arena_copy(arena, name, strlen(name))) == NULL)
		return error_no_memory(err, sizeof *folder);
	folder->depth = depth;
	folder->next = walk->folders;
	walk->folders = folder;
	return true;
}

static bool
visit(struct walk *walk, const struct folder *folder, int directory, const char *name,
	struct error *err)
{
	struct verify_run *run = walk->run;
	struct text        path = { 0 };
	struct stat        status;
	bool               done = false, is_folder;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return true;
	text_add(&path, "%s%s%s", folder->name, folder->name[0] != '\0' ? "/" : "", name);
	if (path.failed) {
		error_no_memory(err, strlen(name));
		goto out;
	}
	is_folder = fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0
		&& S_ISDIR(status.st_mode);
	if (is_folder && is_exempt(path.bytes)) {
		done = true;
	} else if (run->count >= MAX_ENTRIES || (is_folder && folder->depth == MAX_DEPTH)) {
		walk->is_cut = true;
		done = true;
	} else if (is_folder) {
		done = add_folder(walk, path.bytes, folder->depth + 1, err);
	} else {
		done = add_entry(run, path.bytes, err) != NULL;
	}
out:
	text_free(&path);
	return done;
}

/* A folder that cannot be read is a problem, not the end. */
static void
report_folder(struct verify_run *run, const struct folder *folder)
{
	struct error problem = { 0 };

	error_os(&problem, ERROR_NO_INPUT, "vperm", "cannot read the directory");
	error_in_file(&problem, folder->name[0] != '\0' ? folder->name : ".");
	verify_run_problem(run, &problem);
}

static bool
list_folder(struct walk *walk, const struct folder *folder, struct error *err)
{
	int            fd = descriptor_open_directory(walk->run->directory,
		folder->name[0] != '\0' ? folder->name : ".", O_NOFOLLOW);
	DIR           *stream = fd != -1 ? fdopendir(fd) : NULL;
	struct dirent *item;
	bool           done = true;

	if (stream == NULL) {
		report_folder(walk->run, folder);
		if (fd != -1)
			close(fd);
		return true;
	}
	while (done) {
		errno = 0;
		if ((item = readdir(stream)) == NULL)
			break;
		done = visit(walk, folder, fd, item->d_name, err);
	}
	if (done && errno != 0)
		report_folder(walk->run, folder);
	closedir(stream);
	return done;
}

bool
verify_entries_find(struct verify_run *run, struct error *err)
{
	struct walk walk = { .run = run };

	if (!add_folder(&walk, "", 0, err))
		return false;
	while (walk.folders != NULL) {
		struct folder *folder = walk.folders;

		walk.folders = folder->next;
		if (!list_folder(&walk, folder, err))
			return false;
	}
	if (walk.is_cut)
		verify_run_report(run, ERROR_LIMIT, "vmany", ".", NULL, "more than %zu files, or "
			"folders nested deeper than %d: not all were looked at", MAX_ENTRIES, MAX_DEPTH);
	sort_entries(run);
	return true;
}

/* The entry of a file that somebody names; one that the walk passed over is added at the end of
 * the first `found`, which are sorted.  *entry is NULL when there is no such file. */
static bool
find_or_add(struct verify_run *run, size_t found, const char *name,
	struct verify_entry **entry, struct error *err)
{
	struct stat status;

	*entry = NULL;
	if (!verify_run_is_inside(name) || run->count >= MAX_ENTRIES)
		return true;
	if (found > 0)
		*entry = bsearch(&(struct verify_entry){ .name = name }, run->entries, found,
			sizeof *run->entries, compare_names);
	if (*entry == NULL && fstatat(run->directory, name, &status, 0) == 0
	    && !S_ISDIR(status.st_mode))
		return (*entry = add_entry(run, name, err)) != NULL;
	return true;
}

bool
verify_entries_add_listed(struct verify_run *run, struct error *err)
{
	const size_t found = run->count;

	for (size_t i = 0; i < run->sums.count; i++) {
		struct verify_entry *entry;

		if (!find_or_add(run, found, run->sums.lines[i].name, &entry, err))
			return false;
		if (entry != NULL)
			entry->is_listed = true;
	}
	sort_entries(run);
	return true;
}

bool
verify_entries_add_signed(struct verify_run *run, struct error *err)
{
	const size_t found = run->count;

	for (size_t i = 0; i < run->statement.count; i++) {
		struct verify_entry *entry;

		if (!find_or_add(run, found, run->statement.files[i].name, &entry, err))
			return false;
		if (entry != NULL)
			entry->is_signed = true;
	}
	sort_entries(run);
	return true;
}

/* ---- links ------------------------------------------------------------------------ */

/* Is `path` below `folder`?  Both are absolute and resolved. */
static bool
is_below(const char *path, const char *folder)
{
	size_t length = strlen(folder);

	return strncmp(path, folder, length) == 0 && (path[length] == '/' || strcmp(folder, "/") == 0);
}

/*
 * The Hub's cache keeps models--ORGANISATION--NAME/snapshots/REVISION/FILE as links to
 * models--ORGANISATION--NAME/blobs/DIGEST.
 */
static bool
is_cache_blob(const char *target)
{
	const char *name = strrchr(target, '/');
	const char *blobs, *model;

	if (name == NULL || name - target < 6 || strncmp(name - 6, "/blobs", 6) != 0)
		return false;
	blobs = name - 6;
	for (model = blobs; model > target && model[-1] != '/'; model--)
		;
	return strncmp(model, "models--", strlen("models--")) == 0;
}

/* Like realpath(), malloc()ed.  NULL with *done: there is none, and opening it will say so;
 * without *done there is no memory, and nobody knows where it leads. */
static char *
resolve(const char *path, bool *done, struct error *err)
{
	char *target = realpath(path, NULL);

	*done = target != NULL || errno != ENOMEM || error_no_memory(err, strlen(path));
	return target;
}

/* An entry stands in a folder that may itself be a link, so the whole path is resolved. */
bool
verify_entries_check_link(const struct verify_run *run, const struct verify_entry *entry,
	struct error *err)
{
	char       *folder = NULL, *target = NULL;
	struct text path = { 0 };
	bool        done = true;

	text_add(&path, "%s/%s", run->path, entry->name);
	if (path.failed)
		done = error_no_memory(err, strlen(entry->name));
	else if ((folder = resolve(run->path, &done, err)) != NULL)
		target = resolve(path.bytes, &done, err);
	if (target != NULL && !is_below(target, folder) && !is_cache_blob(target)) {
		error_set(err, ERROR_UNSAFE, "sumspath",
			"refusing a link that leads out of the directory, to \"%.200s\"", target);
		done = error_hint(err, "copy the files: cp -rL DIR COPY");
	}
	text_free(&path);
	free(target);
	free(folder);
	return done;
}
