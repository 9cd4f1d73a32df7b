#include "check/verify.h"

#include "check.h"
#include "sound_directory.h"

#include <errno.h>
#include <pthread.h>

/*
 * Each row builds a small sound directory, breaks one thing, and names every problem that
 * must then be found, as "STATUS FILE[ TENSOR] SLUG;".
 */

/* ---- what is broken --------------------------------------------------------------- */

static void nothing(void) { }
static void flip_weights(void) { flip_byte("model.safetensors", -1); }
static void remove_config(void) { unlink("config.json"); }
static void remove_weights(void) { unlink("model.safetensors"); }
static void add_file(void) { put("notes.txt", "x"); }
static void
add_folder(void)
{
	mkdir("onnx", 0777);
	put("onnx/model.onnx", "x");
}
static void
add_exempt(void)
{
	put("model.sig", "{}");
	put(".gitattributes", "x");
	mkdir(".git", 0777);
	put(".git/config", "x");
	mkdir(".cache", 0777);
	put(".cache/x", "x");
}
static void
list_exempt(void)
{
	put(".gitattributes", "x");
	put_sums();
	put(".gitattributes", "y");
}
static void sums_missing(void) { append_sums(ZEROS "  gone.bin\n"); }
static void sums_dotdot(void) { append_sums(ZEROS "  ../x\n"); }
static void sums_inner_dotdot(void) { append_sums(ZEROS "  a/../../x\n"); }
static void sums_absolute(void) { append_sums(ZEROS "  /etc/passwd\n"); }
static void sums_self(void) { append_sums(ZEROS "  SHA256SUMS\n"); }
static void sums_malformed(void) { append_sums("nonsense\n"); }
static void sums_empty(void) { put("SHA256SUMS", ""); }
static void sums_none(void) { unlink("SHA256SUMS"); }
static void
sums_dot_slash(void)
{
	unlink("SHA256SUMS");
	if (system("sha256sum ./* > S && mv S SHA256SUMS") != 0)
		die("sha256sum");
}
static void
unlisted_weights(void)
{
	replace("SHA256SUMS", "  model.safetensors", "  model.unsafetensors");
	unlink("conversion.json");
	replace("SHA256SUMS", "  conversion.json", "  conversion.jsox");
}
static void
flip_sums(void)
{
	flip_byte("SHA256SUMS", 0);
	replace("SHA256SUMS", "  config.json", "  config.json");
}

static void manifest_only(void) { unlink("SHA256SUMS"); }

static void
manifest_size(void)
{
	manifest_only();
	put("merges.txt", "#version: 0.2\na b\n\n");
}
static void
manifest_sha(void)
{
	manifest_only();
	put("merges.txt", "#version: 0.3\na b\n");
}
static void
manifest_gone(void)
{
	manifest_only();
	unlink("tokenizer_config.json");
}
static void
manifest_edit(const char *from, const char *to)
{
	manifest_only();
	replace("conversion.json", from, to);
}
static void manifest_dtype(void) { manifest_edit("\"F16\"", "\"F32\""); }
static void manifest_dtype_name(void) { manifest_edit("\"F16\"", "\"float16\""); }
static void manifest_shape(void) { manifest_edit("\"shape\":[16]", "\"shape\":[17]"); }
static void manifest_file(void) { manifest_edit("\"file\":\"model.safe", "\"file\":\"modem.safe"); }
static void manifest_offset(void) { manifest_edit("\"offset\":", "\"offset\":1"); }
static void manifest_name(void) { manifest_edit("h.0.ln_1.bias", "h.0.ln_7.bias"); }
static void manifest_key(void) { manifest_edit("\"tensors\"", "\"tensor\""); }
static void manifest_path(void) { manifest_edit("\"name\":\"config.json\"", "\"name\":\"../c\""); }
static void manifest_json(void) { manifest_edit("{\"outputs\"", "{{\"outputs\""); }
static void manifest_list(void) { manifest_only(); put("conversion.json", "[]"); }
static void manifest_entry(void) { manifest_edit("\"bytes\"", "\"byte\""); }

static void st_cut(void) { without_lists(); put("model.safetensors", "1234567"); }
static void
st_hole(void)
{
	without_lists();
	copy_fixture("st_hole.safetensors", "model.safetensors");
}
static void
st_long(void)
{
	without_lists();
	put_bytes("model.safetensors", "\xff\xff\xff\xff\xff\xff\xff\xff{}", 10);
}
static void st_json(void) { without_lists(); put_bytes("model.safetensors", "\x02\0\0\0\0\0\0\0[]", 10); }
static void st_empty(void) { without_lists(); put("model.safetensors", ""); }

static void
tensor_missing(void)
{
	without_lists();
	drop_tensor(H0 "ln_1.bias");
	drop_tensor("transformer.ln_f.bias");
	put_weights("model.safetensors");
}
static void
tensor_extra(void)
{
	without_lists();
	add_tensor("transformer.h.0.attn.rotary", DTYPE_FLOAT16, 1, 3, 0);
	put_weights("model.safetensors");
}
static void
tensor_shape(void)
{
	without_lists();
	find_tensor(H0 "mlp.c_fc.weight")->shape[0] = INNER;
	find_tensor(H0 "mlp.c_fc.weight")->shape[1] = WIDTH;
	put_weights("model.safetensors");
}
static void
tensor_dtype(void)
{
	without_lists();
	find_tensor(H0 "mlp.c_fc.weight")->dtype = DTYPE_INT8;
	put_weights("model.safetensors");
}
static void
tensors_tolerated(void)
{
	without_lists();
	add_tensor(H0 "attn.bias", DTYPE_BOOL, 2, POSITIONS, POSITIONS);
	add_tensor(H0 "attn.masked_bias", DTYPE_FLOAT16, 0, 0, 0);
	add_tensor("lm_head.weight", DTYPE_FLOAT16, 2, VOCABULARY, WIDTH);
	put_weights("model.safetensors");
}
static void
tensors_bare(void)
{
	without_lists();
	for (size_t i = 0; i < tensor_count; i++)
		tensors[i].name += strlen("transformer.");
	put_weights("model.safetensors");
}
static void
tensors_mixed(void)
{
	without_lists();
	find_tensor("transformer.wte.weight")->name += strlen("transformer.");
	put_weights("model.safetensors");
}
static void
tensor_twice(void)
{
	without_lists();
	add_tensor("wte.weight", DTYPE_FLOAT16, 2, VOCABULARY, WIDTH);
	put_weights("model.safetensors");
}
static void
head_shape(void)
{
	without_lists();
	add_tensor("lm_head.weight", DTYPE_FLOAT16, 2, VOCABULARY + 1, WIDTH);
	put_weights("model.safetensors");
}
static void
config_edit(const char *from, const char *to)
{
	without_lists();
	replace("config.json", from, to);
}
static void config_untied(void) { config_edit("embeddings\": true", "embeddings\": false"); }
static void config_layers(void) { config_edit("\"n_layer\": 1", "\"n_layer\": 9007199254740991"); }
static void config_vocabulary(void) { config_edit("\"vocab_size\": 4", "\"vocab_size\": 5"); }
static void config_small(void) { config_edit("\"vocab_size\": 4", "\"vocab_size\": 3"); }
static void config_heads(void) { config_edit("\"n_head\": 2", "\"n_head\": 3"); }
static void config_type(void) { config_edit("\"gpt2\"", "\"llama\""); }
static void config_json(void) { config_edit("{", "{\"n_head\": 1,"); }
static void
layers_extra(void)
{
	without_lists();
	add_tensor("transformer.h.1.ln_1.weight", DTYPE_FLOAT16, 1, WIDTH, 0);
	add_tensor("transformer.h.2147483647.ln_1.weight", DTYPE_FLOAT16, 1, WIDTH, 0);
	put_weights("model.safetensors");
}

static void vocabulary_gap(void) { without_lists(); replace("vocab.json", ":2,", ":7,"); }
static void merges_gone(void) { without_lists(); unlink("merges.txt"); }
static void merges_bad(void) { without_lists(); put("merges.txt", "b a\n"); }
static void length_text(void) { without_lists(); put("tokenizer_config.json", "{\"model_max_length\":\"8\"}"); }
static void generation_bad(void) { without_lists(); put("generation_config.json", "{"); }
static void generation_list(void) { without_lists(); put("generation_config.json", "[]"); }

static void shards(void) { put_shards(NULL, NULL); }
static void shards_size(void) { put_shards("\"total_size\":", "\"total_size\":1"); }
static void shards_no_size(void) { put_shards("\"total_size\"", "\"total\""); }
static void shards_gone(void) { shards(); unlink("model-00002-of-00002.safetensors"); }
static void shards_path(void) { put_shards(":\"model-", ":\"../model-"); }
static void shards_folder(void) { put_shards(":\"model-", ":\"x/model-"); }
static void shards_name(void) { put_shards(":\"model-00001-of-00002.safetensors\"", ":\"config.json\""); }
static void shards_wrong(void) { put_shards("transformer.h.0.ln_2.bias", "transformer.h.0.ln_2.bia"); }
static void shards_number(void) { put_shards("\"model-00001-of-00002.safetensors\"", "7"); }
static void shards_no_map(void) { put_shards("weight_map", "weight_mop"); }
static void shards_json(void) { put_shards("{", "{{"); }

static void
torch_file(const char *fixture)
{
	without_lists();
	unlink("model.safetensors");
	copy_fixture(fixture, "pytorch_model.bin");
}
static void torch_zip(void) { torch_file("tiny-zip.bin"); }
static void torch_legacy(void) { torch_file("tiny-legacy.bin"); }
static void torch_hostile(void) { torch_file("hostile.bin"); }
static void
torch_beside(void)
{
	without_lists();
	copy_fixture("tiny-zip.safetensors", "model.safetensors");
	copy_fixture("tiny-zip.bin", "pytorch_model.bin");
}
static void
torch_beside_other(void)
{
	torch_beside();
	flip_byte("model.safetensors", -1);
}
static void
torch_beside_all_other(void)
{
	without_lists();
	copy_fixture("tiny-zip.bin", "pytorch_model.bin");
}
static void
torch_beside_deflated(void)
{
	torch_beside();
	copy_fixture("tiny-deflated.bin", "pytorch_model.bin");
}
static void
whole_beside_shards(void)
{
	if (rename("model.safetensors", "whole") != 0)
		die("rename");
	put_shards(NULL, NULL);
	if (rename("whole", "model.safetensors") != 0)
		die("rename");
}
static void
whole_beside_other_shards(void)
{
	whole_beside_shards();
	flip_byte("model-00002-of-00002.safetensors", -1);
}
static void
whole_beside_lost_shard(void)
{
	whole_beside_shards();
	unlink("model-00002-of-00002.safetensors");
}
static void
torch_hostile_beside(void)
{
	without_lists();
	copy_fixture("hostile.bin", "pytorch_model.bin");
}
/* The first element of the first storage: aligned to 64 bytes after the local header. */
static void
torch_flip(void)
{
	size_t length;
	char  *bytes, *at;

	torch_zip();
	bytes = get("pytorch_model.bin", &length);
	at = memmem(bytes, length, "data/0FB", 8);
	if (at == NULL)
		die("data/0");
	flip_byte("pytorch_model.bin", (at - bytes + 64) / 64 * 64);
	free(bytes);
}
static void
torch_cut(void)
{
	size_t length;
	char  *bytes;

	torch_legacy();
	bytes = get("pytorch_model.bin", &length);
	put_bytes("pytorch_model.bin", bytes, length - 3);
	free(bytes);
}
static void torch_other(void) { without_lists(); rename("model.safetensors", "pytorch_model.bin"); }
static void
torch_shape(void)
{
	torch_zip();
	replace("config.json", "\"n_positions\": 8", "\"n_positions\": 9");
}

static void
link_inside(void)
{
	rename("model.safetensors", "weights.bin");
	if (symlink("weights.bin", "model.safetensors") != 0)
		die("symlink");
	put_sums();
	unlink("conversion.json");
	put_sums();
}
static void
link_outside(void)
{
	without_lists();
	unlink("tokenizer_config.json");
	if (symlink("/etc/passwd", "tokenizer_config.json") != 0)
		die("symlink");
}
static void
link_dangling(void)
{
	without_lists();
	if (symlink("gone", "extra") != 0)
		die("symlink");
}
static void
link_cache(void)
{
	without_lists();
	if (system("rm -rf ../models--a--b && mkdir -p ../models--a--b/blobs && "
		"mv model.safetensors ../models--a--b/blobs/1234 && "
		"ln -s ../models--a--b/blobs/1234 model.safetensors") != 0)
		die("cache");
}
static void fifo(void) { without_lists(); mkfifo("extra", 0666); }
static void
unreadable(void)
{
	flip_weights();
	unlink("SHA256SUMS");
	chmod("vocab.json", 0);
}
static void
many_problems(void)
{
	struct text sums = { 0 };

	for (int i = 0; i < 1500; i++)
		text_add(&sums, ZEROS "  gone%d\n", i);
	text_add(&sums, ZEROS "  /etc/passwd\n");
	put_bytes("SHA256SUMS", sums.bytes, sums.length);
	text_free(&sums);
}

/* ---- rows ------------------------------------------------------------------------- */

static const struct row {
	const char *what;
	void      (*change)(void);
	const char *problems;
	const char *note;               /* slug of a note that must be there, or "" */
	bool        needs_plain_user;   /* root may read everything */
} rows[] = {
	{ "sound", nothing, "", "", false },
	{ "a bit of the weights flipped", flip_weights,
	  "1 model.safetensors vsums;1 model.safetensors manifest;", "", false },
	{ "config.json missing", remove_config,
	  "1 config.json vmissing;1 config.json sumsmiss;1 config.json vmissing;", "", false },
	{ "weights missing", remove_weights,
	  "1 model.safetensors sumsmiss;1 model.safetensors vmissing;"
	  "1 conversion.json manifest;1 model.safetensors vmissing;", "", false },
	{ "file not listed", add_file, "1 notes.txt sumsextra;", "", false },
	{ "file in a folder not listed", add_folder, "1 onnx/model.onnx sumsextra;", "", false },
	{ "files that do not count", add_exempt, "", "", false },
	{ "files that do not count, but are listed", list_exempt, "1 .gitattributes vsums;", "",
	  false },
	{ "listed file missing", sums_missing, "1 gone.bin sumsmiss;", "", false },
	{ "list names ..", sums_dotdot, "5 SHA256SUMS sumspath;", "", false },
	{ "list names .. inside", sums_inner_dotdot, "5 SHA256SUMS sumspath;", "", false },
	{ "list names an absolute path", sums_absolute, "5 SHA256SUMS sumspath;", "", false },
	{ "list names itself", sums_self, "1 SHA256SUMS sumsself;", "", false },
	{ "malformed line", sums_malformed, "", "sums-malformed", false },
	{ "empty list", sums_empty, "1 SHA256SUMS sumsbad;", "", false },
	{ "no list", sums_none, "", "no-sums", false },
	{ "names with ./", sums_dot_slash, "", "", false },
	{ "weights not listed", unlisted_weights,
	  "1 conversion.jsox sumsmiss;1 model.unsafetensors sumsmiss;"
	  "1 model.safetensors sumsextra;", "", false },
	{ "digest in the list flipped", flip_sums, "1 config.json vsums;", "", false },

	{ "conversion.json without sums", manifest_only, "", "no-sums", false },
	{ "size", manifest_size, "1 merges.txt manifest;", "", false },
	{ "digest", manifest_sha, "1 merges.txt manifest;", "", false },
	{ "output missing", manifest_gone, "1 tokenizer_config.json vmissing;", "", false },
	{ "dtype", manifest_dtype, "1 model.safetensors transformer.h.0.attn.c_attn.bias manifest;",
	  "", false },
	{ "dtype by torch's name", manifest_dtype_name, "", "", false },
	{ "shape", manifest_shape, "1 model.safetensors transformer.h.0.mlp.c_fc.bias manifest;",
	  "", false },
	{ "file of a tensor", manifest_file,
	  "1 conversion.json manifest;1 model.safetensors manifest;", "", false },
	{ "offset", manifest_offset,
	  "1 model.safetensors transformer.h.0.attn.c_attn.bias manifest;", "", false },
	{ "tensor renamed", manifest_name,
	  "1 model.safetensors transformer.h.0.ln_7.bias manifest;", "", false },
	{ "no tensors", manifest_key, "3 conversion.json manifest;", "", false },
	{ "output outside", manifest_path, "5 conversion.json sumspath;", "", false },
	{ "no JSON", manifest_json, "3 conversion.json json;", "", false },
	{ "a list", manifest_list, "3 conversion.json manifest;", "", false },
	{ "output without size", manifest_entry, "3 conversion.json manifest;", "", false },

	{ "safetensors of 7 bytes", st_cut, "3 model.safetensors vst8;", "", false },
	{ "safetensors of nothing", st_empty, "3 model.safetensors vst8;", "", false },
	{ "safetensors with a hole", st_hole, "3 model.safetensors b vstov;", "", false },
	{ "safetensors, header of 2^64-1", st_long, "3 model.safetensors vst8;", "", false },
	{ "safetensors, header a list", st_json, "3 model.safetensors vstjson;", "", false },

	{ "tensors missing", tensor_missing,
	  "1 model.safetensors transformer.h.0.ln_1.bias vtensor;"
	  "1 model.safetensors transformer.ln_f.bias vtensor;", "", false },
	{ "tensor extra", tensor_extra,
	  "1 model.safetensors transformer.h.0.attn.rotary vtensor;", "", false },
	{ "shape not transposed", tensor_shape,
	  "1 model.safetensors transformer.h.0.mlp.c_fc.weight vtensor;", "", false },
	{ "dtype of no weight", tensor_dtype,
	  "1 model.safetensors transformer.h.0.mlp.c_fc.weight vtensor;", "", false },
	{ "masks and head", tensors_tolerated, "", "", false },
	{ "no prefix", tensors_bare, "", "", false },
	{ "prefix mixed", tensors_mixed, "1 model.safetensors vtensor;", "", false },
	{ "with and without prefix", tensor_twice, "1 model.safetensors vtensor;"
	  "1 model.safetensors wte.weight vtensor;", "", false },
	{ "head of another shape", head_shape, "1 model.safetensors lm_head.weight vtensor;", "",
	  false },
	{ "untied without head", config_untied, "1 model.safetensors lm_head.weight vtensor;", "",
	  false },
	{ "n_layer 2^53 - 1", config_layers, "1 model.safetensors vconfig;", "", false },
	{ "vocab_size one more", config_vocabulary,
	  "1 model.safetensors transformer.wte.weight vtensor;", "", false },
	{ "vocab_size one less", config_small,
	  "1 model.safetensors transformer.wte.weight vtensor;1 vocab.json vocabsize;", "", false },
	{ "n_head does not divide", config_heads, "3 config.json headsdiv;", "", false },
	{ "another model", config_type, "4 config.json vconfig;", "", false },
	{ "duplicate key", config_json, "3 config.json json;", "", false },
	{ "tensors of more layers", layers_extra, "1 model.safetensors vconfig;", "", false },

	{ "vocabulary with a gap", vocabulary_gap, "3 vocab.json vocabgap;", "", false },
	{ "merges missing", merges_gone, "1 vocab.json tokhalf;", "", false },
	{ "merge of no token", merges_bad, "3 merges.txt mergesbad;", "", false },
	{ "model_max_length a text", length_text, "1 tokenizer_config.json vtok;", "", false },
	{ "generation config broken", generation_bad, "3 generation_config.json json;", "", false },
	{ "generation config a list", generation_list, "3 generation_config.json json;", "",
	  false },

	{ "shards", shards, "", "", false },
	{ "shards, no total_size", shards_no_size, "", "", false },
	{ "shards, total_size wrong", shards_size, "1 model.safetensors.index.json vindex;", "",
	  false },
	{ "shard missing", shards_gone, "1 model-00002-of-00002.safetensors vindex;", "", false },
	{ "shard by a path", shards_path,
	  "5 model.safetensors.index.json transformer.h.0.attn.c_attn.bias vindex;"
	  "1 model-00001-of-00002.safetensors transformer.h.0.attn.c_attn.bias vindex;", "",
	  false },
	{ "shard in a folder", shards_folder,
	  "1 model-00001-of-00002.safetensors transformer.h.0.attn.c_attn.bias vindex;"
	  "5 model.safetensors.index.json transformer.h.0.attn.c_attn.bias vindex;", "", false },
	{ "no weights by its name", shards_name, "1 *", "", false },
	{ "tensor not in that shard", shards_wrong,
	  "1 model-00001-of-00002.safetensors transformer.h.0.ln_2.bia vindex;"
	  "1 model-00001-of-00002.safetensors transformer.h.0.ln_2.bias vindex;", "", false },
	{ "file no text", shards_number, "3 *", "", false },
	{ "no weight_map", shards_no_map, "3 model.safetensors.index.json vindex;", "", false },
	{ "index no JSON", shards_json, "3 model.safetensors.index.json json;", "", false },

	{ "torch zip with masks, head, views", torch_zip, "", "", false },
	{ "torch legacy", torch_legacy, "", "", false },
	{ "hostile pickle", torch_hostile, "5 pytorch_model.bin *", "", false },
	{ "both forms", torch_beside, "", "", false },
	{ "both forms, one bit apart", torch_beside_other, "1 pytorch_model.bin vdouble;", "", false },
	{ "both forms, of other models", torch_beside_all_other, "1 pytorch_model.bin vdouble;", "",
	  false },
	{ "both forms, one deflated", torch_beside_deflated, "", "weights-in-two-forms", false },
	{ "whole and in shards", whole_beside_shards, "", "weights-twice", false },
	{ "whole and in shards, one bit apart", whole_beside_other_shards,
	  "1 model.safetensors.index.json vdouble;", "weights-twice", false },
	{ "whole, and a shard is missing", whole_beside_lost_shard,
	  "1 model-00002-of-00002.safetensors vindex;", "weights-twice", false },
	{ "hostile pickle beside good weights", torch_hostile_beside, "5 pytorch_model.bin *", "",
	  false },
	{ "CRC of a record", torch_flip, "3 pytorch_model.bin *", "", false },
	{ "legacy stream cut", torch_cut, "3 pytorch_model.bin *", "", false },
	{ "safetensors under another name", torch_other, "3 pytorch_model.bin vtorch;", "", false },
	{ "torch tensor of another shape", torch_shape,
	  "1 pytorch_model.bin transformer.wpe.weight vtensor;", "", false },

	{ "link inside", link_inside, "", "", false },
	{ "link outside", link_outside, "5 tokenizer_config.json sumspath;", "", false },
	{ "link to nothing", link_dangling, "6 extra *", "", false },
	{ "link into the Hub's cache", link_cache, "", "", false },
	{ "a pipe", fifo, "6 extra *", "", false },
	{ "unreadable file", unreadable, "6 vocab.json *", "", true },
};

/* Stands before libc's: every directory here is checked by one thread. */
static unsigned threads_started;

int
pthread_create(pthread_t *thread, const pthread_attr_t *how, void *(*run)(void *), void *argument)
{
	(void)thread, (void)how, (void)run, (void)argument;
	threads_started++;
	return EAGAIN;
}

static void
test_rows(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct row    *row = &rows[i];
		struct verify_result result;
		struct decision_log  log;
		struct text          problems = { 0 };
		struct error         err = { 0 };

		if (row->needs_plain_user && geteuid() == 0)
			continue;
		build_sound();
		row->change();
		decision_log_init(&log);
		CHECK(verify_directory(".", NULL, 1, NULL, NULL, &result, &log, &err), "%s: %s", row->what,
			err.text);
		describe(&result, &problems);
		CHECK(is_as_expected(problems.length > 0 ? problems.bytes : "", row->problems),
			"%s: expected \"%s\", found \"%s\" (%s)", row->what, row->problems,
			problems.length > 0 ? problems.bytes : "",
			result.problem_count > 0 ? result.problems[0].text : "");
		CHECK(has_note(&log, row->note), "%s: no note %s", row->what, row->note);
		text_free(&problems);
		verify_fini(&result);
		decision_log_fini(&log);
	}
}

/* ---- the rest --------------------------------------------------------------------- */

struct seen_progress {
	uint64_t done, total;
	unsigned calls;
	bool     went_back;
};

static void
note_progress(void *context, uint64_t done, uint64_t total)
{
	struct seen_progress *seen = context;

	seen->went_back |= done < seen->done || (seen->calls > 1 && total < done);
	seen->done = done;
	seen->total = total;
	seen->calls++;
}

static void
test_result(void)
{
	struct seen_progress seen = { 0 };
	struct verify_result result;
	struct decision_log  log;
	struct error         err = { 0 };
	char                 hex[DIGEST_HEX_SIZE] = "";

	build_sound();
	decision_log_init(&log);
	CHECK(verify_directory(".", NULL, 1, note_progress, &seen, &result, &log, &err), "%s", err.text);
	CHECK(result.tensors == 16, "%zu tensors", result.tensors);
	CHECK(result.file_count == 8, "%zu files", result.file_count);
	CHECK(verify_severest(&result) == NULL, "a problem");
	CHECK(seen.calls == 8 && seen.done == seen.total && !seen.went_back, "%u calls, %llu of %llu",
		seen.calls, (unsigned long long)seen.done, (unsigned long long)seen.total);
	for (size_t i = 0; i < result.file_count; i++) {
		if (strcmp(result.files[i].name, "vocab.json") == 0) {
			memcpy(hex, result.files[i].sha256, sizeof hex);
			CHECK(result.files[i].bytes == strlen(VOCAB_TEXT), "bytes");
		}
	}
	/* sha256sum of VOCAB_TEXT */
	CHECK_TEXT(hex, "cd9fcbfce4dac91877307bc00cbb08f88e45dbf9e04eb486d1cff36eaaa3a74d",
		"vocab.json");
	verify_fini(&result);
	decision_log_fini(&log);
}

static void
test_severity(void)
{
	static const enum error_kind order[] = { ERROR_INTERNAL, ERROR_UNSAFE, ERROR_CORRUPT,
		ERROR_LIMIT, ERROR_UNSUPPORTED, ERROR_NO_INPUT, ERROR_NO_OUTPUT, ERROR_MISMATCH };

	for (size_t i = 0; i + 1 < sizeof order / sizeof *order; i++) {
		struct error         problems[2] = { { .kind = order[i + 1] }, { .kind = order[i] } };
		struct verify_result result = { .problems = problems, .problem_count = 2 };

		CHECK(verify_severest(&result) == &problems[1], "%d before %d", (int)order[i],
			(int)order[i + 1]);
	}
}

static void
test_many_problems(void)
{
	struct verify_result result;
	struct decision_log  log;
	struct error         err = { 0 };

	build_sound();
	many_problems();
	decision_log_init(&log);
	CHECK(verify_directory(".", NULL, 1, NULL, NULL, &result, &log, &err), "%s", err.text);
	CHECK(result.problem_count == 1000, "%zu", result.problem_count);
	CHECK(verify_severest(&result) != NULL && verify_severest(&result)->kind == ERROR_UNSAFE,
		"the severe one was kept");
	CHECK(has_note(&log, "too-many-problems"), "no note");
	verify_fini(&result);
	decision_log_fini(&log);
}

static void
test_no_directory(void)
{
	static const char *const names_of_none[] = { "gone", "config.json", "" };

	build_sound();
	for (size_t i = 0; i < sizeof names_of_none / sizeof *names_of_none; i++) {
		struct verify_result result;
		struct decision_log  log;
		struct error         err = { 0 };

		decision_log_init(&log);
		CHECK(!verify_directory(names_of_none[i], NULL, 1, NULL, NULL, &result, &log, &err)
			&& err.kind == ERROR_NO_INPUT, "\"%s\": %s", names_of_none[i], err.text);
		verify_fini(&result);
		decision_log_fini(&log);
	}
}

int
main(void)
{
	enter_workplace("test_verify");
	test_rows();
	test_result();
	test_severity();
	test_many_problems();
	test_no_directory();
	CHECK(threads_started == 0, "%u threads beside the only one", threads_started);
	leave_workplace();
	return check_end("verify");
}
