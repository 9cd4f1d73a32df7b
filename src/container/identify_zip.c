#include "container/identify.h"

#include "base/text.h"

#include <string.h>

#define MEMBERS_SHOWN 10

bool
identify_is_shard_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *last = slash != NULL ? slash + 1 : path;

	return strcmp(last, "model_optim_rng.pt") == 0 || strcmp(last, "model_rng.pt") == 0;
}

/* What the names of a zip give away. */
struct signs {
	bool data_pickle;       /* ROOT/data.pkl: torch.save */
	bool loose_pickle;      /* data.pkl in no folder */
	bool torch_record;      /* ROOT/version, ROOT/data/... */
	bool script;            /* ROOT/constants.pkl, ROOT/code/... */
	bool old_script_model, old_script_tensors;
	bool server;            /* .mar of TorchServe */
	bool exported;          /* .pt2 of torch.export */
	bool numpy, shard, distributed, checkpoint;
};

/* macOS puts a shadow of every file beside it. */
static bool
is_shadow(const char *name)
{
	return text_has_prefix(name, "__MACOSX/");
}

static void
look_at(const char *name, struct signs *signs)
{
	const char *slash = strchr(name, '/');
	const char *inner = slash != NULL ? slash + 1 : "";     /* without the first folder */

	signs->data_pickle |= strcmp(inner, "data.pkl") == 0;
	signs->loose_pickle |= strcmp(name, "data.pkl") == 0;
	signs->torch_record |= strcmp(inner, "version") == 0 || text_has_prefix(inner, "data/");
	signs->script |= strcmp(inner, "constants.pkl") == 0 || text_has_prefix(inner, "code/");
	signs->old_script_model |= strcmp(inner, "model.json") == 0;
	signs->old_script_tensors |= text_has_prefix(inner, "tensors/");
	signs->server |= strcmp(name, "MAR-INF/MANIFEST.json") == 0;
	signs->exported |= strcmp(inner, "archive_format") == 0;
	signs->numpy |= text_has_suffix(name, ".npy");
	signs->shard |= identify_is_shard_name(name);
	signs->distributed |= text_has_suffix(name, ".distcp");
	signs->checkpoint |= text_has_suffix(name, ".pt") && !is_shadow(name);
}

/* What to do with a zip that holds this, or "". */
static const char *
hint_member(const char *name)
{
	if (is_shadow(name))
		return "";
	if (text_has_suffix(name, ".zip"))
		return "a zip in a zip: unpack this one, and give the one in it";
	if (text_has_suffix(name, ".safetensors") || text_has_suffix(name, "pytorch_model.bin"))
		return "a Hugging Face directory in a zip: unpack it; verify, inspect and diff take it";
	return "";
}

static bool
fail_without_shard(const struct zip_archive *archive, struct error *err)
{
	const struct input_file *file = zip_archive_file(archive);
	size_t      count = zip_archive_count(archive);
	struct text members = { 0 };
	char        name[160];
	const char *hint = "";

	for (size_t i = 0; i < count && i < MEMBERS_SHOWN; i++)
		text_add(&members, "%s%s", i > 0 ? ", " : "",
			zip_archive_record(archive, i)->name);
	for (size_t i = 0; i < count && hint[0] == '\0'; i++)
		hint = hint_member(zip_archive_record(archive, i)->name);
	if (count > MEMBERS_SHOWN)
		text_add(&members, ", ... (%zu in all)", count);
	error_set(err, ERROR_UNSUPPORTED, "outerzip",
		"no model_optim_rng.pt inside %s; members: %s",
		text_base_name(name, sizeof name, file->name),
		members.bytes != NULL ? members.bytes : "none");
	text_free(&members);
	return error_hint(err, "%s", hint);
}

static bool
refuse(const struct zip_archive *archive, const struct signs *signs, struct error *err)
{
	if (signs->script || (signs->old_script_model && signs->old_script_tensors))
		return error_set(err, ERROR_UNSUPPORTED, "torchscript",
			"TorchScript archive: it holds code, not only weights");
	if (signs->server)
		return error_set(err, ERROR_UNSUPPORTED, "torchscript",
			"TorchServe archive: it holds code, not only weights");
	if (signs->exported)
		return error_set(err, ERROR_UNSUPPORTED, "torchscript",
			"exported program (.pt2): it holds code, not only weights");
	if (signs->distributed) {
		error_set(err, ERROR_UNSUPPORTED, "distckpt",
			"a distributed checkpoint (*.distcp) in a zip; a folder is expected");
		return error_hint(err, "unpack it, and give the folder that holds .metadata");
	}
	if (signs->numpy)
		return error_set(err, ERROR_UNSUPPORTED, "otherformat",
			"NumPy archive (.npz), no data.pkl; a checkpoint that torch.save wrote "
			"is expected");
	if (signs->loose_pickle)
		return error_set(err, ERROR_UNSUPPORTED, "noroot",
			"data.pkl is in no folder: not written by torch.save");
	if (signs->torch_record)
		return error_set(err, ERROR_UNSUPPORTED, "noroot",
			"no data.pkl: not written by torch.save");
	return fail_without_shard(archive, err);
}

enum zip_identity
identify_zip(const struct zip_archive *archive, struct error *err)
{
	struct signs signs = { 0 };

	for (size_t i = 0; i < zip_archive_count(archive); i++)
		look_at(zip_archive_record(archive, i)->name, &signs);
	/* A TorchScript file has a data.pkl too; a download with a folder "code" has shards. */
	if (signs.data_pickle && !signs.script)
		return ZIP_IDENTITY_TORCH;
	if (!signs.data_pickle
	    && (signs.shard || (signs.checkpoint && !signs.distributed && !signs.server)))
		return ZIP_IDENTITY_DOWNLOAD;
	refuse(archive, &signs, err);
	error_in_file(err, zip_archive_file(archive)->name);
	return ZIP_IDENTITY_REFUSED;
}
