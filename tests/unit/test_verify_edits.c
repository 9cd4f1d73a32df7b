#include "check/verify.h"

#include "check.h"
#include "sound_directory.h"

/*
 * As test_verify: a sound directory in which one file is another, by an edit of a few words.
 * An edit of conversion.json goes without SHA256SUMS, of another file without both lists, since
 * they would only repeat it; of SHA256SUMS with all.
 */

#define MANIFEST "conversion.json"
#define CONFIG   "config.json"
#define INDEX    "model.safetensors.index.json"
#define C_ATTN   "transformer.h.0.attn.c_attn.bias"
#define SHARD_1  "model-00001-of-00002.safetensors"
#define SHARD_2  "model-00002-of-00002.safetensors"

/* A tensor that the manifest does not list any more is one too many in its file. */
#define ENTRY_BROKEN "3 conversion.json manifest;1 model.safetensors manifest;"

static const struct edit {
	const char *what, *file, *from, *to;    /* from NULL: `to` is all of the file */
	const char *problems, *note;            /* slug of a note that must be there, or "" */
} edits[] = {
	{ "outputs has a number", MANIFEST, "\"outputs\":[", "\"outputs\":[7,", "3 conversion.json manifest;", "" },
	{ "name of an output is a number", MANIFEST, "\"name\":\"config.json\"", "\"name\":7", "3 conversion.json manifest;", "" },
	{ "output without digest", MANIFEST, "\"sha256\"", "\"sha255\"", "3 conversion.json manifest;", "" },
	{ "digest is a number", MANIFEST, "\"sha256\":\"", "\"sha256\":7,\"x\":\"", "3 conversion.json manifest;", "" },
	{ "size of an output is a text", MANIFEST, "\"bytes\":", "\"bytes\":\"1\",\"x\":", "3 conversion.json manifest;", "" },
	{ "outputs is an object", MANIFEST, NULL, "{\"outputs\":{},\"tensors\":[]}", "3 conversion.json manifest;", "" },
	{ "no outputs", MANIFEST, NULL, "{\"tensors\":[]}", "3 conversion.json manifest;", "" },
	{ "tensors is an object", MANIFEST, NULL, "{\"outputs\":[],\"tensors\":{}}", "3 conversion.json manifest;", "" },
	{ "tensors is a number", MANIFEST, NULL, "{\"outputs\":[],\"tensors\":7}", "3 conversion.json manifest;", "" },
	{ "nothing is listed", MANIFEST, NULL, "{\"outputs\":[],\"tensors\":[]}", "", "" },
	{ "tensors has a number", MANIFEST, "\"tensors\":[", "\"tensors\":[7,", "3 conversion.json manifest;", "" },
	{ "tensor without file", MANIFEST, "\"file\"", "\"fyle\"", ENTRY_BROKEN, "" },
	{ "tensor without name", MANIFEST, "\"tensors\":[{\"name\"", "\"tensors\":[{\"nome\"", ENTRY_BROKEN, "" },
	{ "tensor without dtype", MANIFEST, "\"dtype\"", "\"dtipe\"", ENTRY_BROKEN, "" },
	{ "tensor without shape", MANIFEST, "\"shape\"", "\"shope\"", ENTRY_BROKEN, "" },
	{ "no tensors", MANIFEST, "\"tensors\":[", "\"tensors\":[],\"x\":[", "1 model.safetensors manifest;", "" },
	{ "tensor without offset", MANIFEST, "\"offset\"", "\"ofset\"", ENTRY_BROKEN, "" },
	{ "tensor without bytes", MANIFEST, "\"bytes\":24}", "\"byte\":24}", ENTRY_BROKEN, "" },
	{ "shape is a text", MANIFEST, "\"shape\":[12]", "\"shape\":\"12\"", ENTRY_BROKEN, "" },
	{ "shape of texts", MANIFEST, "\"shape\":[12]", "\"shape\":[\"12\"]", ENTRY_BROKEN, "" },
	{ "shape below 0", MANIFEST, "\"shape\":[12]", "\"shape\":[-12]", ENTRY_BROKEN, "" },
	{ "9 dimensions", MANIFEST, "\"shape\":[12]", "\"shape\":[1,1,1,1,1,1,1,1,12]", ENTRY_BROKEN, "" },
	{ "another number of dimensions", MANIFEST, "\"shape\":[12]", "\"shape\":[12,1]", "1 model.safetensors " C_ATTN " manifest;", "" },
	{ "another length", MANIFEST, "\"bytes\":24}", "\"bytes\":25}", "1 model.safetensors " C_ATTN " manifest;", "" },
	{ "an unknown dtype", MANIFEST, "\"F16\"", "\"F17\"", "1 model.safetensors " C_ATTN " manifest;", "" },

	{ "a folder listed", "SHA256SUMS", "  config.json", "  .", "1 . sumsmiss;1 config.json sumsextra;", "" },
	{ "a name of two dots and more", "SHA256SUMS", "  config.json", "  ..config.json", "1 ..config.json sumsmiss;1 config.json sumsextra;", "" },
	{ "a line that is none", "SHA256SUMS", "  config.json", "config.json", "1 config.json sumsextra;", "sums-malformed" },

	{ "no tensors and no format", "model.safetensors", NULL, "", "3 model.safetensors vst8;", "" },
	{ "a name like weights", "pytorch_model.md", NULL, "x", "", "" },
	{ "a list", CONFIG, NULL, "[]", "3 config.json *", "" },
	{ "empty", CONFIG, NULL, "", "3 config.json json;", "" },
	{ "no generation config", "generation_config.json", NULL, "{}", "", "" },
	{ "an index beside the file", INDEX, NULL, "{}", "3 " INDEX " vindex;", "weights-twice" },
}, index_edits[] = {
	{ "metadata is a list", INDEX, "{\"total_size\"", "[],\"x\":{\"total_size\"", "", "" },
	{ "no metadata", INDEX, "\"metadata\"", "\"meta\"", "", "" },
	{ "total_size is a text", INDEX, "\"total_size\":", "\"total_size\":\"1\",\"x\":", "3 " INDEX " vindex;", "" },
	{ "total_size is a fraction", INDEX, "\"total_size\":", "\"total_size\":0.5,\"x\":", "3 " INDEX " vindex;", "" },
	{ "weight_map is a list", INDEX, "\"weight_map\":", "\"weight_map\":[],\"x\":", "3 " INDEX " vindex;", "" },
	{ "index is a list", INDEX, NULL, "[]", "3 " INDEX " vindex;", "" },
	{ "index of nothing", INDEX, NULL, "{\"weight_map\":{}}", "1 " INDEX " *", "" },
	{ "index is empty", INDEX, NULL, "", "3 " INDEX " json;", "" },
	{ "shard with an empty name", INDEX, ":\"" SHARD_1 "\"", ":\"\"", "5 " INDEX " " C_ATTN " vindex;1 " SHARD_1 " " C_ATTN " vindex;", "" },
	{ "shard is the folder", INDEX, ":\"" SHARD_1 "\"", ":\".\"", "5 " INDEX " " C_ATTN " vindex;1 " SHARD_1 " " C_ATTN " vindex;", "" },
	{ "shard is the folder above", INDEX, ":\"" SHARD_1 "\"", ":\"..\"", "5 " INDEX " " C_ATTN " vindex;1 " SHARD_1 " " C_ATTN " vindex;", "" },
	{ "shard behind a backslash", INDEX, ":\"" SHARD_1 "\"", ":\"x\\\\y\"", "1 " SHARD_1 " " C_ATTN " vindex;5 " INDEX " " C_ATTN " vindex;", "" },
	{ "two files that are no texts", INDEX, "\"weight_map\":{", "\"weight_map\":{\"x\":1,\"y\":null,", "3 " INDEX " x vindex;3 " INDEX " y vindex;", "" },
	{ "tensor in the other shard", INDEX, ":\"" SHARD_1 "\"", ":\"" SHARD_2 "\"", "1 " SHARD_1 " " C_ATTN " vindex;1 " SHARD_2 " " C_ATTN " vindex;", "" },
	{ "shard is cut", SHARD_1, NULL, "1234567", "3 " SHARD_1 " vst8;", "" },
};

static void
apply(const struct edit *edit)
{
	if (strcmp(edit->file, "SHA256SUMS") != 0)
		unlink("SHA256SUMS");
	if (strcmp(edit->file, "SHA256SUMS") != 0 && strcmp(edit->file, MANIFEST) != 0)
		unlink(MANIFEST);
	if (edit->from != NULL)
		replace(edit->file, edit->from, edit->to);
	else
		put(edit->file, edit->to);
}

static void
check_directory(const char *what, const char *problems, const char *note)
{
	struct verify_result result;
	struct decision_log  log;
	struct text          found = { 0 };
	struct error         err = { 0 };

	decision_log_init(&log);
	CHECK(verify_directory(".", NULL, 1, NULL, NULL, &result, &log, &err), "%s: %s", what, err.text);
	describe(&result, &found);
	CHECK(is_as_expected(found.length > 0 ? found.bytes : "", problems),
		"%s: expected \"%s\", found \"%s\" (%s)", what, problems,
		found.length > 0 ? found.bytes : "",
		result.problem_count > 0 ? result.problems[0].text : "");
	CHECK(has_note(&log, note), "%s: no note %s", what, note);
	text_free(&found);
	verify_fini(&result);
	decision_log_fini(&log);
}

static void
test_edits(void)
{
	for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
		build_sound();
		apply(&edits[i]);
		check_directory(edits[i].what, edits[i].problems, edits[i].note);
	}
	for (size_t i = 0; i < sizeof index_edits / sizeof *index_edits; i++) {
		build_sound();
		put_shards(NULL, NULL);
		apply(&index_edits[i]);
		check_directory(index_edits[i].what, index_edits[i].problems, index_edits[i].note);
	}
}

/* ---- files that no edit makes ------------------------------------------------------- */

/* Of more than the 64 MiB that are kept of a text; a hole takes no room. */
static void
grow(const char *name)
{
	without_lists();
	if (truncate(name, (64 << 20) + 1) != 0)
		die(name);
}

static void large_config(void) { grow("config.json"); }
static void large_generation(void) { grow("generation_config.json"); }
static void large_vocabulary(void) { grow("vocab.json"); }
static void
large_list(void)
{
	if (truncate("SHA256SUMS", (64 << 20) + 1) != 0)
		die("SHA256SUMS");
}
static void
large_manifest(void)
{
	unlink("SHA256SUMS");
	if (truncate(MANIFEST, (64 << 20) + 1) != 0)
		die(MANIFEST);
}
static void
large_index(void)
{
	put_shards(NULL, NULL);
	grow(INDEX);
}
static void
many_malformed(void)
{
	append_sums("nonsense\nand more of it\n");
}
static void
deep_folders(void)
{
	without_lists();
	if (system("mkdir -p 1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17 && echo x >1/2/file") != 0)
		die("mkdir");
}
static void
list_of_folder(void)
{
	without_lists();
	mkdir("onnx", 0777);
	put("SHA256SUMS", ZEROS "  onnx\n");
}
/* The manifest places tensors where there are none now. */
static void
no_tensors(void)
{
	unlink("SHA256SUMS");
	put_bytes("model.safetensors", "\x02\0\0\0\0\0\0\0{}", 10);
}
static void
no_format(void)
{
	without_lists();
	put_bytes("model.safetensors", "\x02\0\0\0\0\0\0\0{}", 10);
}
/* It could not be read: nothing more is said of it. */
static void
listed_link(void)
{
	unlink("SHA256SUMS");
	unlink("tokenizer_config.json");
	if (symlink("/etc/passwd", "tokenizer_config.json") != 0)
		die("symlink");
}
static void
link_to_root(void)
{
	without_lists();
	if (symlink("/etc", "extra") != 0)
		die("symlink");
}
static void
link_to_blobs(void)
{
	without_lists();
	if (system("mkdir -p ../other/blobs && echo x >../other/blobs/1234 && "
		"ln -s ../other/blobs/1234 extra") != 0)
		die("ln");
}
static void
link_to_neighbour(void)
{
	without_lists();
	if (system("mkdir -p ../models--a--b/snobs && echo x >../models--a--b/snobs/1234 && "
		"ln -s ../models--a--b/snobs/1234 extra") != 0)
		die("ln");
}
/* A name that begins like the directory's is not below it. */
static void
link_to_twin(void)
{
	without_lists();
	if (system("mkdir -p ../model2 && echo x >../model2/x && ln -s ../model2/x extra") != 0)
		die("ln");
}

static const struct made {
	const char *what;
	void      (*make)(void);
	const char *problems, *note;
} made[] = {
	{ "config of 64 MiB", large_config, "8 config.json vlarge;", "" },
	{ "generation config of 64 MiB", large_generation, "8 generation_config.json vlarge;", "" },
	{ "vocabulary of 64 MiB", large_vocabulary, "8 vocab.json vlarge;", "" },
	{ "list of 64 MiB", large_list, "8 SHA256SUMS vlarge;", "" },
	{ "manifest of 64 MiB", large_manifest, "8 conversion.json vlarge;", "" },
	{ "index of 64 MiB", large_index, "8 " INDEX " vlarge;", "" },
	{ "two lines that are none", many_malformed, "", "sums-malformed" },
	{ "17 folders in each other", deep_folders, "8 . vmany;", "" },
	{ "a folder in the list", list_of_folder, "1 onnx sumsmiss;1 config.json sumsextra;*", "" },
	{ "manifest of tensors that are gone", no_tensors, "1 model.safetensors manifest;*", "safetensors-format" },
	{ "weights without a format", no_format, "1 *", "safetensors-format" },
	{ "listed file is a link outside", listed_link, "5 tokenizer_config.json sumspath;", "" },
	{ "link to a folder of the root", link_to_root, "5 extra sumspath;", "" },
	{ "link to blobs of no cache", link_to_blobs, "5 extra sumspath;", "" },
	{ "link into a cache, not to a blob", link_to_neighbour, "5 extra sumspath;", "" },
	{ "link to a directory of a longer name", link_to_twin, "5 extra sumspath;", "" },
};

static void
test_made(void)
{
	for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
		build_sound();
		made[i].make();
		check_directory(made[i].what, made[i].problems, made[i].note);
	}
}

int
main(void)
{
	enter_workplace("test_verify_edits");
	test_edits();
	test_made();
	leave_workplace();
	return check_end("verify_edits");
}
