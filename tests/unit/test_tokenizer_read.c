#include "gpt2/tokenizer_read.h"

#include "base/digest.h"
#include "gpt2/tokenizer_write.h"

#include "check.h"
#include "exact_copy.h"

#include <stdlib.h>

#define EOT    "\"<|endoftext|>\""
#define VOCAB  "{" EOT ":0,\"a\":1,\"b\":2,\"ab\":3}"
#define MERGES "#version: 0.2\na b\n"
#define STEPS  "\"pre_tokenizer\":{\"type\":\"ByteLevel\"},"
#define MODEL(steps, model) "{" steps "\"model\":{\"vocab\":" VOCAB ",\"merges\":[[\"a\",\"b\"]]" model "}}"
#define ADDED(id, content, flags) "{\"id\":" id ",\"content\":" content flags "}"

/* The result: "STATUS SLUG FILE", or the tokens in their order. */
static const struct row {
	const char *what;
	const char *vocabulary, *merges, *tokenizer;
	const char *result;
} rows[] = {
	{ "pair", VOCAB, MERGES, NULL, "<|endoftext|> a b ab /a b/ added 0" },
	{ "tokenizer.json", NULL, NULL, MODEL(STEPS, ""), "<|endoftext|> a b ab /a b/ added 0" },
	{ "all three", VOCAB, MERGES, MODEL(STEPS, ""), "<|endoftext|> a b ab /a b/ added 0" },
	{ "155 vocabdup: an id twice", "{" EOT ":0,\"a\":1,\"b\":1,\"ab\":3}", MERGES, NULL,
	  "3 vocabdup vocab.json" },
	{ "155 vocabdup: a token twice", "{" EOT ":0,\"a\":1,\"a\":2}", MERGES, NULL,
	  "3 json vocab.json" },
	{ "156 vocabgap", "{" EOT ":0,\"a\":1,\"b\":2,\"ab\":4}", MERGES, NULL,
	  "3 vocabgap vocab.json" },
	{ "156 vocabgap: does not begin with 0", "{" EOT ":1,\"a\":2,\"b\":3,\"ab\":4}", MERGES, NULL,
	  "3 vocabgap vocab.json" },
	{ "156 vocabgap: an added token fills it", NULL, NULL, "{" STEPS "\"added_tokens\":["
	  ADDED("1", "\"x y\"", ",\"special\":true") "],\"model\":{\"vocab\":{" EOT ":0,\"a\":2,\"b\":3,"
	  "\"ab\":4},\"merges\":[\"a b\"]}}", "<|endoftext|> x y a b ab /a b/ added 0 1" },
	{ "158 mergesver: no version line", VOCAB, "a b\n", NULL,
	  "<|endoftext|> a b ab /a b/ added 0" },
	{ "158 mergesver: CRLF, mark, blank lines, blanks, no line end", VOCAB,
	  "\xef\xbb\xbf" "#version: 0.2\r\n\r\n\na b  \r", NULL, "<|endoftext|> a b ab /a b/ added 0" },
	{ "159 mergesbad: one part", VOCAB, "ab\n", NULL, "3 mergesbad merges.txt" },
	{ "159 mergesbad: three parts", VOCAB, "a b a\n", NULL, "3 mergesbad merges.txt" },
	{ "159 mergesbad: part unknown", VOCAB, "a c\n", NULL, "3 mergesbad merges.txt" },
	{ "159 mergesbad: result unknown", VOCAB, "b a\n", NULL, "3 mergesbad merges.txt" },
	{ "159 mergesbad: twice", VOCAB, "a b\na b\n", NULL, "3 mergesbad merges.txt" },
	{ "159 mergesbad: a blank in a part", NULL, NULL, "{" STEPS "\"model\":{\"vocab\":{" EOT
	  ":0,\"a b\":1,\"a\":2,\"a ba\":3},\"merges\":[[\"a b\",\"a\"]]}}", "4 vtok tokenizer.json" },
	{ "159 mergesbad: an empty part", NULL, NULL, "{" STEPS "\"model\":{\"vocab\":{" EOT
	  ":0,\"\":1,\"a\":2},\"merges\":[[\"\",\"a\"]]}}", "3 mergesbad tokenizer.json" },
	{ "160 tokutf8: merges", VOCAB, "a \xff\n", NULL, "3 tokutf8 merges.txt" },
	{ "160 tokutf8: an overlong form", VOCAB, "a \xc1\xa2\n", NULL, "3 tokutf8 merges.txt" },
	{ "160 tokutf8: vocabulary", "{" EOT ":0,\"\xff\":1}", MERGES, NULL, "3 json vocab.json" },
	{ "160 tokutf8: a surrogate alone", "{" EOT ":0,\"\\ud800\":1}", MERGES, NULL,
	  "3 json vocab.json" },
	{ "160 tokutf8: \xc4\xa0 (U+0120) is no blank, nothing is normalised",
	  "{" EOT ":0,\"\xc4\xa0\":1,\"\xc3\x84\":2,\"\xc4\xa0\xc3\x84\":3,\"A\":4}",
	  "\xc4\xa0 \xc3\x84\n", NULL,
	  "<|endoftext|> \xc4\xa0 \xc3\x84 \xc4\xa0\xc3\x84 A /\xc4\xa0 \xc3\x84/ added 0" },
	{ "160 tokutf8: a letter and its accent", "{" EOT ":0,\"A\":1,\"\xcc\x88\":2,\"A\xcc\x88\":3}",
	  "A \xcc\x88\n", NULL, "4 vtok merges.txt" },
	{ "161 eot: absent", "{\"a\":0,\"b\":1,\"ab\":2}", MERGES, NULL, "3 eot vocab.json" },
	{ "161 eot: another id", "{\"a\":0,\"b\":1," EOT ":2,\"ab\":3}", MERGES, NULL,
	  "a b <|endoftext|> ab /a b/ added 2" },
	{ "161 eot: only added", NULL, NULL, "{" STEPS "\"added_tokens\":[" ADDED("1", EOT, "")
	  "],\"model\":{\"vocab\":{\"a\":0},\"merges\":[]}}", "a <|endoftext|> // added 1" },
	{ "162 special: quotes, </script>, a line end", NULL, NULL, "{" STEPS "\"added_tokens\":["
	  ADDED("4", "\"</script>\\n\\\"\"", "") "],\"model\":{\"vocab\":" VOCAB ",\"merges\":[]}}",
	  "<|endoftext|> a b ab </script>\n\" // added 0 4" },
	{ "sentencepiece", "{" EOT ":0,\"\xe2\x96\x81\":1,\"a\":2,\"\xe2\x96\x81" "a\":3}",
	  "\xe2\x96\x81 a\n", NULL, "4 vtok merges.txt" },
	{ "U+0144 stands for no byte", "{" EOT ":0,\"\xc5\x84\":1,\"a\":2,\"\xc5\x84" "a\":3}",
	  "\xc5\x84 a\n", NULL, "4 vtok merges.txt" },
	{ "files differ: an id", VOCAB, MERGES, "{" STEPS "\"model\":{\"vocab\":{" EOT
	  ":0,\"a\":2,\"b\":1,\"ab\":3},\"merges\":[\"a b\"]}}", "3 vtok vocab.json" },
	{ "files differ: a token", VOCAB, MERGES, "{" STEPS "\"model\":{\"vocab\":{" EOT
	  ":0,\"a\":1,\"b\":2,\"ab\":3,\"c\":4},\"merges\":[\"a b\"]}}", "3 vtok vocab.json" },
	{ "files differ: merges", VOCAB, "", MODEL(STEPS, ""), "3 vtok merges.txt" },
	{ "vocab.json without an added token", VOCAB, MERGES, "{" STEPS "\"added_tokens\":["
	  ADDED("4", "\"x\"", "") "],\"model\":{\"vocab\":{" EOT ":0,\"a\":1,\"b\":2,\"ab\":3,"
	  "\"x\":4},\"merges\":[\"a b\"]}}", "<|endoftext|> a b ab x /a b/ added 0 4" },
	{ "no pre_tokenizer", NULL, NULL, MODEL("", ""), "4 vtok tokenizer.json" },
	{ "another pre_tokenizer", NULL, NULL, MODEL("\"pre_tokenizer\":{\"type\":\"Metaspace\"},", ""),
	  "4 vtok tokenizer.json" },
	{ "words cut otherwise", NULL, NULL,
	  MODEL("\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"use_regex\":false},", ""),
	  "4 vtok tokenizer.json" },
	{ "normalizer", NULL, NULL, MODEL(STEPS "\"normalizer\":{\"type\":\"NFC\"},", ""),
	  "4 vtok tokenizer.json" },
	{ "post_processor that adds tokens", NULL, NULL,
	  MODEL(STEPS "\"post_processor\":{\"type\":\"TemplateProcessing\"},", ""),
	  "4 vtok tokenizer.json" },
	{ "decoder", NULL, NULL, MODEL(STEPS "\"decoder\":{\"type\":\"WordPiece\"},", ""),
	  "4 vtok tokenizer.json" },
	{ "a step that is no object", NULL, NULL, MODEL(STEPS "\"decoder\":7,", ""),
	  "4 vtok tokenizer.json" },
	{ "word ends", NULL, NULL, MODEL(STEPS, ",\"end_of_word_suffix\":\"</w>\""),
	  "4 vtok tokenizer.json" },
	{ "byte_fallback", NULL, NULL, MODEL(STEPS, ",\"byte_fallback\":true"),
	  "4 vtok tokenizer.json" },
	{ "ignore_merges", NULL, NULL, MODEL(STEPS, ",\"ignore_merges\":true"),
	  "4 vtok tokenizer.json" },
	{ "dropout", NULL, NULL, MODEL(STEPS, ",\"dropout\":0.1"), "4 vtok tokenizer.json" },
	{ "unk_token without all bytes", NULL, NULL, MODEL(STEPS, ",\"unk_token\":\"a\""),
	  "4 vtok tokenizer.json" },
	{ "what GPT-2's has, spelt out", NULL, NULL, MODEL(STEPS "\"normalizer\":null,\"decoder\":{"
	  "\"type\":\"ByteLevel\"},\"post_processor\":null,\"padding\":{\"x\":1},", ",\"type\":\"BPE\","
	  "\"dropout\":null,\"unk_token\":null,\"end_of_word_suffix\":\"\",\"byte_fallback\":false"),
	  "<|endoftext|> a b ab /a b/ added 0" },
	{ "another model", NULL, NULL, "{\"model\":{\"type\":\"Unigram\"}}", "4 vtok tokenizer.json" },
	{ "a flag that is a number", NULL, NULL, "{" STEPS "\"added_tokens\":["
	  ADDED("0", EOT, ",\"special\":1") "],\"model\":{\"vocab\":" VOCAB ",\"merges\":[]}}",
	  "3 vtok tokenizer.json" },
	{ "added with another id", NULL, NULL, "{" STEPS "\"added_tokens\":[" ADDED("1", EOT, "")
	  "],\"model\":{\"vocab\":" VOCAB ",\"merges\":[]}}", "3 vtok tokenizer.json" },
	{ "nothing at all", "{}", "", NULL, "3 eot vocab.json" },
	{ "not JSON", NULL, NULL, "", "3 json tokenizer.json" },
	{ "a list", NULL, NULL, "[]", "3 vtok tokenizer.json" },
};

static void
describe(const struct tokenizer *tokenizer, const struct error *err, struct text *to)
{
	if (tokenizer == NULL) {
		text_add(to, "%d %s %s", (int)err->kind, err->slug, err->file);
		return;
	}
	for (uint32_t id = 0; id < tokenizer->size; id++)
		text_add(to, "%.*s ", (int)tokenizer_text_length(tokenizer, id),
			tokenizer_text(tokenizer, id));
	for (uint32_t i = 0; i < tokenizer->merge_count; i++)
		text_add(to, "/%.*s %.*s",
			(int)tokenizer_text_length(tokenizer, tokenizer->merges[i][0]),
			tokenizer_text(tokenizer, tokenizer->merges[i][0]),
			(int)tokenizer_text_length(tokenizer, tokenizer->merges[i][1]),
			tokenizer_text(tokenizer, tokenizer->merges[i][1]));
	text_add(to, "%s added", tokenizer->merge_count > 0 ? "/" : "//");
	for (uint32_t i = 0; i < tokenizer->added_count; i++)
		text_add(to, " %u", (unsigned)tokenizer->added[i].id);
}

static void
test_rows(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct row      *row = &rows[i];
		struct tokenizer_files files = { 0 };
		struct text            found = { 0 };
		struct error           err = { 0 };
		struct tokenizer      *tokenizer;
		char *vocabulary = exact_copy(row->vocabulary, &files.vocabulary_length);
		char *merges = exact_copy(row->merges, &files.merges_length);
		char *model = exact_copy(row->tokenizer, &files.tokenizer_length);

		files.vocabulary = vocabulary;
		files.merges = merges;
		files.tokenizer = model;
		tokenizer = tokenizer_read(&files, &err);
		CHECK((tokenizer == NULL) == (err.kind != ERROR_NONE), "%s", row->what);
		describe(tokenizer, &err, &found);
		CHECK_TEXT(found.bytes, row->result, "%s: %s", row->what, err.text);
		tokenizer_close(tokenizer);
		text_free(&found);
		free(vocabulary);
		free(merges);
		free(model);
	}
}

static void
check_same_bytes(const char *what, const struct text *found, const struct text *expected)
{
	CHECK(!found->failed && found->length == expected->length
		&& memcmp(found->bytes, expected->bytes, found->length) == 0, "%s", what);
}

/* GPT-2's pair, whose bytes are known from elsewhere, read and written again. */
static void
test_gpt2(void)
{
	struct text            vocabulary = { 0 }, merges = { 0 }, model = { 0 }, again = { 0 };
	struct error           err = { 0 };
	struct tokenizer      *gpt2 = tokenizer_open_gpt2(&err), *read = NULL;
	struct tokenizer_files files = { 0 };

	if (gpt2 == NULL || !tokenizer_write_vocabulary(gpt2, TOKENIZER_4_18, &vocabulary, &err)
	    || !tokenizer_write_merges(gpt2, TOKENIZER_4_18, &merges, &err)
	    || !tokenizer_write_tokenizer(gpt2, TOKENIZER_HUB, &model, &err))
		abort();
	files.vocabulary = vocabulary.bytes;
	files.vocabulary_length = vocabulary.length;
	files.merges = merges.bytes;
	files.merges_length = merges.length;
	read = tokenizer_read(&files, &err);
	CHECK(read != NULL && read->is_gpt2 && tokenizer_same(read, gpt2), "%s", err.text);
	if (read != NULL) {
		tokenizer_write_tokenizer(read, TOKENIZER_HUB, &again, &err);
		check_same_bytes("tokenizer.json of GPT-2's pair", &again, &model);
		CHECK(tokenizer_bytes_bound(read) > vocabulary.length + merges.length
			+ model.length, "bound");
	}
	tokenizer_close(read);
	/* One merge less is no longer GPT-2's; the vocabulary keeps its size. */
	files.merges_length -= strlen("\xc4\xa0g azed\n");
	read = tokenizer_read(&files, &err);
	CHECK(read != NULL && !read->is_gpt2, "%s", err.text);
	tokenizer_close(read);
	tokenizer_close(gpt2);
	text_free(&vocabulary);
	text_free(&merges);
	text_free(&model);
	text_free(&again);
}

/* A blank before the first word stays asked for in both files that can say so. */
static void
test_prefix_space(void)
{
	static const char model[] = MODEL(
		"\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true},", "");
	struct tokenizer_files files = { .tokenizer = model, .tokenizer_length = strlen(model) };
	struct text            config = { 0 }, again = { 0 };
	struct error           err = { 0 };
	struct tokenizer      *tokenizer = tokenizer_read(&files, &err);

	CHECK(tokenizer != NULL, "%s", err.text);
	if (tokenizer == NULL)
		return;
	tokenizer_write_config(tokenizer, TOKENIZER_HUB, 7, &config, &err);
	CHECK_TEXT(config.bytes, "{\"add_prefix_space\": true, \"model_max_length\": 7}", "config");
	tokenizer_write_tokenizer(tokenizer, TOKENIZER_HUB, &again, &err);
	CHECK(strstr(again.bytes, "\"pre_tokenizer\":{\"type\":\"ByteLevel\","
		"\"add_prefix_space\":true,") != NULL, "%s", again.bytes);
	text_free(&config);
	text_free(&again);
	tokenizer_close(tokenizer);
}

/* U+0100 to U+0143 stand for the bytes that cannot be shown, in their order. */
static void
test_byte_points(void)
{
	static const struct { unsigned char byte; uint16_t point; } known[] = {
		{ 0x00, 0x100 }, { 0x09, 0x109 }, { 0x0a, 0x10a }, { 0x20, 0x120 }, { 0x21, 0x21 },
		{ 0x7e, 0x7e }, { 0x7f, 0x121 }, { 0xa0, 0x142 }, { 0xa1, 0xa1 }, { 0xad, 0x143 },
		{ 0xae, 0xae }, { 0xff, 0xff },
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		CHECK(tokenizer_byte_point(known[i].byte) == known[i].point, "byte %02x",
			known[i].byte);
}

int
main(void)
{
	test_byte_points();
	test_rows();
	test_gpt2();
	test_prefix_space();
	return check_end("tokenizer_read");
}
