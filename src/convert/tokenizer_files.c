#include "convert/tokenizer_files.h"

#include "base/text.h"
#include "container/input_file.h"
#include "gpt2/tokenizer_read.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Where files are looked for: a folder on disk, or one of an archive. */
struct place {
	int                       directory;
	const struct zip_archive *archive;      /* NULL: on disk */
	const char               *folder;       /* of the archive, or as it is shown */
};

static const struct {
	const char *vocabulary, *merges;
} pairs[] = {
	{ "vocab.json", "merges.txt" },
	{ "gpt2-vocab.json", "gpt2-merges.txt" },
};

#define PAIRS (sizeof pairs / sizeof *pairs)

bool
tokenizer_files_knows(const char *name)
{
	for (size_t i = 0; i < PAIRS; i++)
		if (strcmp(name, pairs[i].vocabulary) == 0 || strcmp(name, pairs[i].merges) == 0)
			return true;
	return strcmp(name, TOKENIZER_READ_TOKENIZER) == 0;
}

/* "FOLDER/NAME" */
static char *
join(const char *folder, const char *name, char *to, size_t size)
{
	size_t length = strlen(folder);

	return text_format(to, size, "%s%s%s", folder,
		length == 0 || folder[length - 1] == '/' ? "" : "/", name);
}

/* ---- one file --------------------------------------------------------------------- */

static bool
check_size(uint64_t bytes, struct error *err)
{
	return bytes <= TOKENIZER_FILES_MAX_BYTES || error_set(err, ERROR_LIMIT, "toksize",
		"larger than 64 MiB, the most a tokenizer file may have");
}

/* *bytes NULL: there is no such file. */
static bool
read_from_folder(const struct place *place, const char *name, char **bytes, size_t *length,
	struct error *err)
{
	char               shown[512];
	struct error       why = { 0 };
	struct input_file *file = input_file_open_at(place->directory, name,
		join(place->folder, name, shown, sizeof shown), &why);

	if (file == NULL && why.os_errno == ENOENT)
		return true;
	if (file == NULL) {
		*err = why;
		return false;
	}
	if (check_size(file->size, err)) {
		*length = (size_t)file->size;
		*bytes = input_file_text(file, TOKENIZER_FILES_MAX_BYTES, err);
	}
	input_file_close(file);
	return *bytes != NULL || error_in_file(err, shown);
}

static bool
read_from_zip(const struct place *place, const char *name, char **bytes, size_t *length,
	struct error *err)
{
	char                     member[1024];
	const struct zip_record *record = zip_archive_find(place->archive,
		join(place->folder, name, member, sizeof member));

	if (record == NULL)
		return true;
	if (check_size(record->length, err)) {
		*length = (size_t)record->length;
		*bytes = zip_archive_read_record(place->archive, record, TOKENIZER_FILES_MAX_BYTES,
			err);
	}
	return *bytes != NULL || error_in_member(err, member);
}

/* Adds the file where it is there. */
static bool
take(struct tokenizer_files_set *set, const struct place *place, const char *name, bool *found,
	struct error *err)
{
	struct tokenizer_files_one *to = &set->items[set->count];

	*to = (struct tokenizer_files_one){ .name = name };
	if (!(place->archive != NULL ? read_from_zip : read_from_folder)(place, name, &to->bytes,
		&to->length, err)) {
		free(to->bytes);
		return false;
	}
	*found = to->bytes != NULL;
	if (!*found)
		return true;
	set->count++;
	return digest_sha256(to->bytes, to->length, to->sha256)
		|| error_no_memory(err, to->length);
}

/* ---- a folder --------------------------------------------------------------------- */

static void
drop_last(struct tokenizer_files_set *set)
{
	free(set->items[--set->count].bytes);
}

/* The first pair that is whole; *half: a name that has no partner, and that partner. */
static bool
take_pair(struct tokenizer_files_set *set, const struct place *place, const char *half[2],
	struct error *err)
{
	for (size_t i = 0; i < PAIRS; i++) {
		bool has_vocabulary, has_merges;

		if (!take(set, place, pairs[i].vocabulary, &has_vocabulary, err)
		    || !take(set, place, pairs[i].merges, &has_merges, err))
			return false;
		if (has_vocabulary && has_merges)
			return true;
		if (!has_vocabulary && !has_merges)
			continue;
		drop_last(set);
		if (half[0] == NULL) {
			half[0] = has_vocabulary ? pairs[i].vocabulary : pairs[i].merges;
			half[1] = has_vocabulary ? pairs[i].merges : pairs[i].vocabulary;
		}
	}
	return true;
}

static bool
take_all(struct tokenizer_files_set *set, const struct place *place, struct error *err)
{
	const char *half[2] = { NULL, NULL };
	char        shown[512];
	bool        found;

	*set = (struct tokenizer_files_set){ .count = 0 };
	if (!take(set, place, TOKENIZER_READ_TOKENIZER, &found, err)
	    || !take_pair(set, place, half, err)) {
		tokenizer_files_fini(set);
		return false;
	}
	if (set->count > 0 || half[0] == NULL)
		return true;
	error_set(err, ERROR_NO_INPUT, "tokhalf", "%s is missing beside it", half[1]);
	return error_in_file(err, join(place->folder, half[0], shown, sizeof shown));
}

bool
tokenizer_files_in_folder(struct tokenizer_files_set *set, int directory, const char *shown,
	struct error *err)
{
	return take_all(set, &(struct place){ .directory = directory, .folder = shown }, err);
}

bool
tokenizer_files_in_zip(struct tokenizer_files_set *set, const struct zip_archive *archive,
	const char *folder, struct error *err)
{
	return take_all(set, &(struct place){ .archive = archive, .folder = folder }, err);
}

/* ---- what they say ---------------------------------------------------------------- */

char *
tokenizer_files_names(const struct tokenizer_files_set *set, char *to, size_t size)
{
	to[0] = '\0';
	for (size_t i = 0; i < set->count; i++) {
		size_t used = strlen(to);

		text_format(to + used, size - used, "%s%s", i == 0 ? ""
			: i + 1 == set->count ? " and " : ", ", set->items[i].name);
	}
	return to;
}

struct tokenizer *
tokenizer_files_read(const struct tokenizer_files_set *set, const char *shown,
	struct error *err)
{
	struct tokenizer_files files = { 0 };
	struct tokenizer      *tokenizer;
	struct error           why = { 0 };
	char                   path[512];

	for (size_t i = 0; i < set->count; i++) {
		const struct tokenizer_files_one *item = &set->items[i];

		if (strcmp(item->name, TOKENIZER_READ_TOKENIZER) == 0) {
			files.tokenizer = item->bytes;
			files.tokenizer_length = item->length;
		} else if (text_has_suffix(item->name, TOKENIZER_READ_VOCABULARY)) {
			files.vocabulary = item->bytes;
			files.vocabulary_length = item->length;
		} else {
			files.merges = item->bytes;
			files.merges_length = item->length;
		}
	}
	if ((tokenizer = tokenizer_read(&files, &why)) != NULL)
		return tokenizer;
	for (size_t i = 0; i < set->count; i++)
		if (why.file[0] != '\0' && text_has_suffix(set->items[i].name, why.file)) {
			join(shown, set->items[i].name, path, sizeof path);
			text_format(why.file, sizeof why.file, "%s", path);
			break;
		}
	*err = why;
	return NULL;
}

void
tokenizer_files_fini(struct tokenizer_files_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		free(set->items[i].bytes);
	*set = (struct tokenizer_files_set){ .count = 0 };
}
