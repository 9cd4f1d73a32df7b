#include "gpt2/furniture.h"

#include "base/digest.h"

#include "check.h"

/* Size and digests of the file that the Hub puts into new repositories. */
static void
test_known_bytes(void)
{
	struct text text = { 0 };
	char        hex[DIGEST_HEX_SIZE];

	furniture_write_gitattributes(&text);
	CHECK(text.length == 1519, "%zu bytes", text.length);
	digest_sha256(text.bytes, text.length, hex);
	CHECK_TEXT(hex, "11ad7efa24975ee4b0c3c3a38ed18737f0658a5f75a0a96787b576a78a023361",
		".gitattributes");
	digest_git_blob(text.bytes, text.length, hex);
	CHECK_TEXT(hex, "a6344aac8c09253b3b630fb776ae94478aa0275b", "git's name of it");
	text_free(&text);
}

/* As `git check-attr filter` says with that file. */
static void
test_lfs(void)
{
	static const struct { const char *name; bool is_lfs; } rows[] = {
		{ "model.safetensors", true }, { "model-00001-of-00002.safetensors", true },
		{ "model.safetensors.index.json", false }, { "pytorch_model.bin", true },
		{ "pytorch_model-00001-of-00002.bin", true },
		{ "pytorch_model.bin.index.json", false }, { "config.json", false },
		{ "tokenizer.json", false }, { "merges.txt", false }, { "vocab.json", false },
		{ "SHA256SUMS", false }, { "README.md", false }, { ".gitattributes", false },
		{ "conversion.json", false }, { "model.sig", false }, { "tokenizer.model", true },
		{ "a.lfs.json", true }, { "lfs.json", false }, { "x.tar.gz", true },
		{ "x.tar", true }, { "tar", false }, { "events.out.tfevents.1", true },
		{ "saved_model/a", true }, { "saved_model/a/b/c.json", true }, { "saved_model", false },
		{ "other/saved_model/a", false }, { "deep/model.bin", true }, { "bin", false },
		{ ".bin", true }, { "x.bin.bak", false }, { "X.BIN", false }, { "x.bin/y", false },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		CHECK(furniture_is_lfs(rows[i].name) == rows[i].is_lfs, "%s", rows[i].name);
}

static void
test_license(void)
{
	static const struct { const char *id; bool is_one; } rows[] = {
		{ "mit", true }, { "apache-2.0", true }, { "llama3.1", true }, { "no", true },
		{ "bigscience-bloom-rail-1.0", true }, { "", false }, { "a b", false },
		{ "a\"", false }, { "a\nb", false }, { "a: b", false }, { "\xc3\xa9", false },
		{ "0123456789012345678901234567890123456789012345678901234567890123", true },
		{ "01234567890123456789012345678901234567890123456789012345678901234", false },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		CHECK(furniture_is_license(rows[i].id) == rows[i].is_one, "%s", rows[i].id);
}

static void
test_metadata(void)
{
	struct text text = { 0 };

	furniture_write_metadata(&(struct furniture_metadata){ 0 }, &text);
	CHECK_TEXT(text.bytes, "---\nlibrary_name: transformers\npipeline_tag: text-generation\n"
		"tags:\n- gpt2\n- megatron-lm\n---\n", "nothing is invented");
	text.length = 0;
	furniture_write_metadata(&(struct furniture_metadata){ "no", true }, &text);
	CHECK_TEXT(text.bytes, "---\nlicense: \"no\"\nlibrary_name: transformers\n"
		"pipeline_tag: text-generation\ntags:\n- gpt2\n- megatron-lm\n- safetensors\n---\n",
		"a licence");
	text_free(&text);
}

static void
test_block(void)
{
	static const struct { const char *text; enum furniture_block block; } rows[] = {
		{ "", FURNITURE_NO_BLOCK }, { "--", FURNITURE_NO_BLOCK }, { "# Card\n", FURNITURE_NO_BLOCK },
		{ "\n---\na: b\n---\n", FURNITURE_NO_BLOCK }, { "----\n---\n", FURNITURE_NO_BLOCK },
		{ "--- a\n---\n", FURNITURE_NO_BLOCK }, { "---\na: b\n---\n", FURNITURE_BLOCK },
		{ "---\n---", FURNITURE_BLOCK }, { "---\r\na: b\r\n---\r\n", FURNITURE_BLOCK },
		{ "---  \na: b\n---", FURNITURE_BLOCK }, { "---", FURNITURE_OPEN_BLOCK },
		{ "---\na: b\n", FURNITURE_OPEN_BLOCK }, { "---\na\n --- \n", FURNITURE_OPEN_BLOCK },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		CHECK(furniture_find_block(rows[i].text, strlen(rows[i].text)) == rows[i].block,
			"\"%s\"", rows[i].text);
}

int
main(void)
{
	test_known_bytes();
	test_lfs();
	test_license();
	test_metadata();
	test_block();
	return check_end("furniture_parts");
}
