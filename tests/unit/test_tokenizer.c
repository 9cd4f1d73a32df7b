#include "gpt2/tokenizer_write.h"

#include "base/digest.h"
#include "gpt2/tokenizer_check.h"

#include "check.h"
#include "exact_copy.h"

#include <stdlib.h>

/* Sizes and digests of openai-community/gpt2 at revision 607a30d783df. */
static void
check_bytes(const char *name, struct text *text, size_t length, const char *sha256)
{
	char hex[DIGEST_HEX_SIZE];

	CHECK(!text->failed && text->length == length, "%s: %zu bytes", name, text->length);
	digest_sha256(text->bytes, text->length, hex);
	CHECK_TEXT(hex, sha256, "%s", name);
}

/* Problems as "FILE: SLUG; ", for comparison. */
static void
note_problem(void *context, const struct error *problem)
{
	text_add(context, "%s: %s; ", problem->file, problem->slug);
}

static void
test_known_bytes(const struct tokenizer *gpt2)
{
	struct text  merges = { 0 }, vocabulary = { 0 }, tokenizer = { 0 }, config = { 0 };
	struct text  problems = { 0 };
	struct error err = { 0 };

	CHECK(tokenizer_write_merges(gpt2, TOKENIZER_HUB, &merges, &err), "%s", err.text);
	check_bytes("merges.txt", &merges, 456318,
		"1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5");
	CHECK(tokenizer_write_vocabulary(gpt2, TOKENIZER_HUB, &vocabulary, &err), "%s", err.text);
	check_bytes("vocab.json", &vocabulary, 1042301,
		"196139668be63f3b5d6574427317ae82f612a97c5d1cdaf36ed2256dbf636783");
	CHECK(tokenizer_write_tokenizer(gpt2, TOKENIZER_HUB, &tokenizer, &err), "%s", err.text);
	check_bytes("tokenizer.json", &tokenizer, 1355256,
		"8414cab924d8b9b33013f0d221c5862f365ee9be39c5c2bfae8a5a9e970478a6");
	CHECK(tokenizer_write_config(gpt2, TOKENIZER_HUB, 1024, &config, &err), "%s", err.text);
	check_bytes("tokenizer_config.json", &config, 26,
		"5e04eb606e3a1583530a42e36c2a6b6615c86f34fe77e44d9ddeb43ff940931f");

	struct tokenizer_files files = {
		vocabulary.bytes, merges.bytes, tokenizer.bytes, config.bytes,
		vocabulary.length, merges.length, tokenizer.length, config.length,
	};
	CHECK(tokenizer_check(&files, 50257, note_problem, &problems) == 0, "%s", problems.bytes);
	CHECK(tokenizer_check(&files, 50304, note_problem, &problems) == 0, "%s", problems.bytes);
	CHECK(tokenizer_check(&files, 50256, note_problem, &problems) == 2, "two too small");
	CHECK_TEXT(problems.bytes, "vocab.json: vocabsize; tokenizer.json: vocabsize; ", "small");
	text_free(&problems);
	text_free(&merges);
	text_free(&vocabulary);
	text_free(&tokenizer);
	text_free(&config);
}

/* What transformers 4.18 saved of the same tokenizer.  The digest of tokenizer.json is that of
 * the file which tokenizers 0.13.2 saves after loading the hub's. */
static void
test_known_bytes_of_4_18(const struct tokenizer *gpt2)
{
	struct text  merges = { 0 }, vocabulary = { 0 }, special = { 0 }, config = { 0 };
	struct text  tokenizer = { 0 };
	struct error err = { 0 };

	CHECK(tokenizer_write_merges(gpt2, TOKENIZER_4_18, &merges, &err), "%s", err.text);
	check_bytes("merges.txt of 4.18", &merges, 456356,
		"fe36cab26d4f4421ed725e10a2e9ddb7f799449c603a96e7f29b5a3c82a95862");
	CHECK(tokenizer_write_vocabulary(gpt2, TOKENIZER_4_18, &vocabulary, &err), "%s", err.text);
	check_bytes("vocab.json of 4.18", &vocabulary, 798156,
		"3ba3c3109ff33976c4bd966589c11ee14fcaa1f4c9e5e154c2ed7f99d80709e7");
	CHECK(tokenizer_write_tokenizer(gpt2, TOKENIZER_4_18, &tokenizer, &err), "%s", err.text);
	check_bytes("tokenizer.json of 4.18", &tokenizer, 2107624,
		"05bd839353f8feb68d8ee3930b357f2b8d696b544bfb1c83fed7ed9bd27c6986");
	CHECK(tokenizer_write_special_tokens(&special, &err), "%s", err.text);
	check_bytes("special_tokens_map.json of 4.18", &special, 90,
		"c0b3c279b6ecdb71996a86ffb4d4ab94dfdb5df95f00bac9515688faef2ff5dd");
	CHECK(tokenizer_write_config(gpt2, TOKENIZER_4_18, 1024, &config, &err), "%s", err.text);
	CHECK_TEXT(config.bytes, "{\"unk_token\": \"<|endoftext|>\", \"bos_token\": "
		"\"<|endoftext|>\", \"eos_token\": \"<|endoftext|>\", \"add_prefix_space\": false, "
		"\"model_max_length\": 1024, \"special_tokens_map_file\": null, \"name_or_path\": "
		"\"gpt2\", \"tokenizer_class\": \"GPT2Tokenizer\"}", "tokenizer_config.json of 4.18");
	text_free(&merges);
	text_free(&vocabulary);
	text_free(&special);
	text_free(&tokenizer);
	text_free(&config);
}

#define EOT       "\"<|endoftext|>\""
#define VOCAB     "{\"a\":0,\"b\":1,\"ab\":2," EOT ":3}"
#define MERGES    "#version: 0.2\na b\n"
#define MODEL(vocab, merges) "{\"added_tokens\":[{\"id\":3,\"content\":" EOT "}]," \
	"\"model\":{\"vocab\":" vocab ",\"merges\":" merges "}}"

static const struct row {
	const char *what;
	uint64_t    vocab_size;
	const char *vocabulary, *merges, *tokenizer, *config;
	const char *problems;
} rows[] = {
	{ "nothing", 4, NULL, NULL, NULL, NULL, "" },
	{ "pair", 4, VOCAB, MERGES, NULL, NULL, "" },
	{ "all, merges as strings", 4, VOCAB, MERGES, MODEL(VOCAB, "[\"a b\"]"),
	  "{\"model_max_length\": 1000000000000000019884624838656}", "" },
	{ "merges as pairs", 4, VOCAB, MERGES, MODEL(VOCAB, "[[\"a\",\"b\"]]"), "{}", "" },
	{ "end of text only added", 4, NULL, NULL,
	  MODEL("{\"a\":0,\"b\":1,\"ab\":2}", "[\"a b\"]"), NULL, "" },
	{ "gap that an added token fills", 9, NULL, NULL,
	  MODEL("{\"a\":0,\"b\":1,\"ab\":2,\"c\":4}", "[\"a b\"]"), NULL, "" },
	{ "no version line, CRLF, blank lines, mark, blanks", 4, VOCAB,
	  "\xef\xbb\xbf" "a b \r\n\r\n\n", NULL, NULL, "" },
	{ "a merge that begins like a comment", 9,
	  "{\"#\":0,\"##\":1," EOT ":2}", "#version: 0.2\n# #\n", NULL, NULL, "" },
	{ "padded", 64, VOCAB, MERGES, NULL, NULL, "" },
	{ "size not known", 0, VOCAB, MERGES, NULL, NULL, "" },
	{ "vocabulary too large", 3, VOCAB, MERGES, NULL, NULL, "vocab.json: vocabsize; " },
	{ "vocabulary alone", 4, VOCAB, NULL, NULL, NULL, "vocab.json: tokhalf; " },
	{ "merges alone", 4, NULL, MERGES, NULL, NULL, "merges.txt: tokhalf; " },
	{ "id twice", 4, "{\"a\":0,\"b\":1,\"ab\":1," EOT ":3}", MERGES, NULL, NULL,
	  "vocab.json: vocabdup; " },
	{ "id missing", 9, "{\"a\":0,\"b\":1,\"ab\":2," EOT ":4}", MERGES, NULL, NULL,
	  "vocab.json: vocabgap; " },
	{ "id 2^53 - 1", 9, "{\"a\":0,\"b\":1,\"ab\":2," EOT ":9007199254740991}", MERGES, NULL, NULL,
	  "vocab.json: vocabgap; " },
	{ "id negative", 9, "{\"a\":-1," EOT ":0}", MERGES, NULL, NULL, "vocab.json: vtok; " },
	{ "id a text", 9, "{\"a\":\"0\"," EOT ":0}", MERGES, NULL, NULL, "vocab.json: vtok; " },
	{ "vocabulary a list", 9, "[]", MERGES, NULL, NULL, "vocab.json: vtok; " },
	{ "vocabulary no JSON", 9, "{", MERGES, NULL, NULL, "vocab.json: json; " },
	{ "token twice", 9, "{\"a\":0,\"a\":1}", MERGES, NULL, NULL, "vocab.json: json; " },
	{ "no end of text", 4, "{\"a\":0,\"b\":1,\"ab\":2}", MERGES, NULL, NULL,
	  "vocab.json: eot; " },
	{ "merge of one part", 4, VOCAB, "#version: 0.2\nab\n", NULL, NULL,
	  "merges.txt: mergesbad; " },
	{ "merge of three parts", 4, VOCAB, "a b a\n", NULL, NULL, "merges.txt: mergesbad; " },
	{ "two blanks", 4, VOCAB, "a  b\n", NULL, NULL, "merges.txt: mergesbad; " },
	{ "part unknown", 4, VOCAB, "a c\n", NULL, NULL, "merges.txt: mergesbad; " },
	{ "result unknown", 4, VOCAB, "b a\n", NULL, NULL, "merges.txt: mergesbad; " },
	{ "merge twice", 4, VOCAB, "a b\na b\n", NULL, NULL, "merges.txt: mergesbad; " },
	{ "merges not UTF-8", 4, VOCAB, "a \xff\n", NULL, NULL, "merges.txt: tokutf8; " },
	{ "only the version", 4, VOCAB, "#version", NULL, NULL, "" },
	{ "last line cut", 4, VOCAB, "#ver", NULL, NULL, "merges.txt: mergesbad; " },
	{ "other vocabularies", 4, VOCAB, MERGES,
	  MODEL("{\"a\":0,\"c\":1,\"ac\":2," EOT ":3}", "[\"a c\"]"), NULL,
	  "vocab.json: vtok; merges.txt: vtok; " },
	{ "other ids", 4, VOCAB, MERGES,
	  MODEL("{\"a\":1,\"b\":0,\"ab\":2," EOT ":3}", "[\"a b\"]"), NULL, "vocab.json: vtok; " },
	{ "fewer merges", 4, VOCAB, MERGES, MODEL(VOCAB, "[]"), NULL, "merges.txt: vtok; " },
	{ "merge unknown in all files", 4, VOCAB, "a d\n", MODEL(VOCAB, "[\"a d\"]"), NULL,
	  "merges.txt: mergesbad; tokenizer.json: mergesbad; " },
	{ "merge unknown in one file", 4, VOCAB, MERGES, MODEL(VOCAB, "[\"a d\"]"), NULL,
	  "tokenizer.json: mergesbad; merges.txt: vtok; " },
	{ "merge in tokenizer.json unknown", 4, NULL, NULL, MODEL(VOCAB, "[\"a d\"]"), NULL,
	  "tokenizer.json: mergesbad; " },
	{ "merge a number", 4, NULL, NULL, MODEL(VOCAB, "[1]"), NULL,
	  "tokenizer.json: mergesbad; " },
	{ "merge of three texts", 4, NULL, NULL, MODEL(VOCAB, "[[\"a\",\"b\",\"c\"]]"), NULL,
	  "tokenizer.json: mergesbad; " },
	{ "added with another id", 4, NULL, NULL,
	  MODEL("{\"a\":0,\"b\":1,\"ab\":3," EOT ":2}", "[\"a b\"]"), NULL,
	  "tokenizer.json: vtok; " },
	{ "no model", 4, NULL, NULL, "{}", NULL, "tokenizer.json: vtok; " },
	{ "a list", 4, NULL, NULL, "[]", NULL, "tokenizer.json: vtok; " },
	{ "another model", 4, NULL, NULL, "{\"model\":{\"type\":\"WordPiece\"}}", NULL,
	  "tokenizer.json: vtok; " },
	{ "max length a fraction", 4, NULL, NULL, NULL, "{\"model_max_length\": 1024.5}",
	  "tokenizer_config.json: vtok; " },
	{ "max length a text", 4, NULL, NULL, NULL, "{\"model_max_length\": \"1024\"}",
	  "tokenizer_config.json: vtok; " },
	{ "config a list", 4, NULL, NULL, NULL, "[]", "tokenizer_config.json: vtok; " },
};

static void
test_rows(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct row      *row = &rows[i];
		struct tokenizer_files files = { 0 };
		struct text            problems = { 0 };
		char *vocabulary = exact_copy(row->vocabulary, &files.vocabulary_length);
		char *merges = exact_copy(row->merges, &files.merges_length);
		char *tokenizer = exact_copy(row->tokenizer, &files.tokenizer_length);
		char *config = exact_copy(row->config, &files.config_length);

		files.vocabulary = vocabulary;
		files.merges = merges;
		files.tokenizer = tokenizer;
		files.config = config;
		tokenizer_check(&files, row->vocab_size, note_problem, &problems);
		CHECK_TEXT(problems.length > 0 ? problems.bytes : "", row->problems, "%s",
			row->what);
		text_free(&problems);
		free(vocabulary);
		free(merges);
		free(tokenizer);
		free(config);
	}
}

int
main(void)
{
	struct error      err = { 0 };
	struct tokenizer *gpt2 = tokenizer_open_gpt2(&err);

	if (gpt2 == NULL)
		return 1;
	test_known_bytes(gpt2);
	test_known_bytes_of_4_18(gpt2);
	tokenizer_close(gpt2);
	test_rows();
	return check_end("tokenizer");
}
