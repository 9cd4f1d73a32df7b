#include "megatron/folder_listing.h"

#include "base/descriptor.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HF_HINT "verify, inspect and diff take it; a Megatron checkpoint is expected here"

/* A file that gives a format away; the surest sign first. */
static const struct {
	const char *pattern;    /* of fnmatch(3) */
	const char *what, *hint;
} formats[] = {
	{ "zero_pp_rank_*_model_states.pt", "a DeepSpeed checkpoint of ZeRO stage 3", NULL },
	{ "*_model_states.pt",   "a DeepSpeed checkpoint without files of layers", NULL },
	{ "__*.metadata",        "a distributed checkpoint with an index for each rank (__0.metadata)", NULL },
	{ "*.distcp",            "a distributed checkpoint without its index (.metadata)", NULL },
	{ ".zarray",             "an array of a zarr checkpoint (.zarray)", NULL },
	{ "*.nemo",              "a NeMo archive (.nemo)", NULL },
	{ "model_config.yaml",   "an unpacked NeMo archive (model_config.yaml)", NULL },
	{ "*.safetensors",       "a folder of safetensors files", HF_HINT },
	{ "pytorch_model*.bin",  "a Hugging Face model directory", HF_HINT },
};

static int
by_bytes(const void *left, const void *right)
{
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static bool
add_name(struct folder_listing *listing, struct arena *arena, const char *name,
	struct error *err)
{
	/* The room is the power of two that is not below the count. */
	if ((listing->count & (listing->count - 1)) == 0) {
		size_t       room = listing->count == 0 ? 1 : 2 * listing->count;
		const char **names = arena_take(arena, room, sizeof *names);

		if (names == NULL)
			return error_no_memory(err, room * sizeof *names);
		if (listing->count > 0)
			memcpy(names, listing->names, listing->count * sizeof *names);
		listing->names = names;
	}
	if ((listing->names[listing->count] = arena_copy(arena, name, strlen(name))) == NULL)
		return error_no_memory(err, strlen(name) + 1);
	listing->count++;
	return true;
}

bool
folder_listing_read(int directory, const char *shown, struct arena *arena,
	struct folder_listing *listing, struct error *err)
{
	bool           done = false;
	DIR           *stream = NULL;
	struct dirent *entry;
	int            own = descriptor_open_directory(directory, ".", 0);

	*listing = (struct folder_listing){ NULL, 0 };
	if (own < 0 || (stream = fdopendir(own)) == NULL) {
		error_os(err, ERROR_NO_INPUT, "notreg", "cannot list the folder");
		if (own >= 0)
			close(own);
		return error_in_file(err, shown);
	}
	for (errno = 0; (entry = readdir(stream)) != NULL; errno = 0) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (!add_name(listing, arena, entry->d_name, err))
			goto out;
	}
	if (errno != 0) {
		error_os(err, ERROR_NO_INPUT, "notreg", "cannot list the folder");
		goto out;
	}
	if (listing->count > 0)
		qsort(listing->names, listing->count, sizeof *listing->names, by_bytes);
	done = true;
out:
	if (!done)
		error_in_file(err, shown);
	closedir(stream);
	return done;
}

char *
folder_listing_join(struct arena *arena, const char *folder, const char *name,
	struct error *err)
{
	size_t length = strlen(folder), size;
	char  *path;

	while (length > 1 && folder[length - 1] == '/')
		length--;
	size = length + strlen(name) + 2;
	if ((path = arena_take(arena, size, 1)) == NULL) {
		error_no_memory(err, size);
		return NULL;
	}
	return text_format(path, size, "%.*s%s%s", (int)length, folder,
		length == 1 && folder[0] == '/' ? "" : "/", name);
}

bool
folder_listing_has(const struct folder_listing *listing, const char *name)
{
	return listing->count > 0 && bsearch(&name, listing->names, listing->count,
		sizeof *listing->names, by_bytes) != NULL;
}

int
folder_listing_enter(int directory, const char *name, const char *shown, struct error *err)
{
	int entered = descriptor_open_directory(directory, name, 0);

	if (entered < 0) {
		error_os(err, ERROR_NO_INPUT, "notreg", "cannot open the folder");
		error_in_file(err, shown);
	}
	return entered;
}

bool
folder_listing_refuse(const struct folder_listing *listing, struct error *err)
{
	size_t row, index;

	for (row = 0; row < sizeof formats / sizeof *formats; row++) {
		for (index = 0; index < listing->count; index++) {
			if (fnmatch(formats[row].pattern, listing->names[index], 0) != 0)
				continue;
			error_set(err, ERROR_UNSUPPORTED, "distckpt", "%s, which is not supported",
				formats[row].what);
			return formats[row].hint == NULL ? false : error_hint(err, "%s",
				formats[row].hint);
		}
	}
	return true;
}
