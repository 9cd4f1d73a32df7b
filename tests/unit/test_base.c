#include "check.h"

#include "base/arena.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "base/workers.h"

#include <stdlib.h>

/* Expected forms are what Python's repr() gives for these numbers. */
static void
test_doubles(void)
{
	static const struct { double number; const char *text; } rows[] = {
		{ 1e-05, "1e-05" }, { 0.1, "0.1" }, { 0.02, "0.02" }, { 1.0, "1.0" },
		{ 100000.0, "100000.0" }, { 123456789.125, "123456789.125" },
		{ 0.0001, "0.0001" }, { 1.5e-12, "1.5e-12" }, { -2.5, "-2.5" }, { 0.0, "0.0" },
		{ 0.30000000000000004, "0.30000000000000004" }, { 1e22, "1e+22" },
		{ 0x1p-24, "5.960464477539063e-08" }, { 9007199254740993.0, "9007199254740992.0" },
		{ 1e16, "1e+16" }, { 123456.789, "123456.789" }, { -0.0, "-0.0" }, { 1e15, "1000000000000000.0" },
		{ 1.7976931348623157e308, "1.7976931348623157e+308" }, { 5e-324, "5e-324" },
		{ 65504.0, "65504.0" }, { 0x1.fffffep127, "3.4028234663852886e+38" }, { 0.1f, "0.10000000149011612" },
	};
	char found[TEXT_NUMBER_SIZE];

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		CHECK_TEXT(text_double(found, rows[i].number), rows[i].text, "double %zu", i);
}

static void
test_numbers(void)
{
	char     found[TEXT_NUMBER_SIZE];
	uint64_t number;

	CHECK_TEXT(text_byte_count(found, 999), "999 bytes", "byte count");
	CHECK_TEXT(text_byte_count(found, 709676376), "709.7 MB", "byte count");
	CHECK_TEXT(text_byte_count(found, 999960), "1.0 MB", "byte count");
	CHECK_TEXT(text_grouped(found, 354823168), "354,823,168", "grouped");
	CHECK_TEXT(text_grouped(found, 12), "12", "grouped");
	CHECK(text_parse_u64("18446744073709551615", 20, &number) && number == UINT64_MAX,
		"largest");
	CHECK(!text_parse_u64("18446744073709551616", 20, &number), "one more");
	CHECK(!text_parse_u64("", 0, &number) && !text_parse_u64("-1", 2, &number)
		&& !text_parse_u64(" 1", 2, &number), "no numbers");
}

static void
test_escape(void)
{
	static const struct { const char *from, *to; size_t size; } rows[] = {
		{ "plain", "plain", 64 }, { "\x1b[31m", "\\x1b[31m", 64 },
		{ "\xc4\xa0" "foo", "\xc4\xa0" "foo", 64 }, { "\xff\xfe", "\\xff\\xfe", 64 },
		{ "a\nb", "a\\x0ab", 64 }, { "\xe2\x80\xae" "evil", "\\xe2\\x80\\xae" "evil", 64 },
		{ "abcdefghij", "abcdefghij", 11 }, { "abcdefghij", "abcdef...", 10 },
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80", 64 },
	};
	char found[64];

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		CHECK_TEXT(text_escape(found, rows[i].size, rows[i].from, strlen(rows[i].from)),
			rows[i].to, "escape %zu", i);
}

static void
test_nearest(void)
{
	static const char *const words[] = { "convert", "inspect", "verify", "help" };

	CHECK_TEXT(text_nearest("covnert", words, 4), "convert", "typo");
	CHECK(text_nearest("frobnicate", words, 4) == NULL, "no likeness");
}

static void
test_strict_json(void)
{
	static const struct { const char *text; int good; } rows[] = {
		{ "{\"a\": 1, \"b\": [true, null, \"x\"]}", 1 }, { " [] ", 1 }, { "0", 1 },
		{ "{\"a\": 1, \"a\": 2}", 0 }, { "{\"x\": {\"a\": 1, \"a\": 2}}", 0 },
		{ "[{\"k\": 1}, {\"k\": 2}]", 1 }, { "\"\\u0000\"", 0 }, { "{} x", 0 }, { "{}{}", 0 },
		{ "[1,]", 0 }, { "{\"a\":1,}", 0 }, { "NaN", 0 }, { "Infinity", 0 }, { "[01]", 0 },
		{ "[1.]", 0 }, { "[.5]", 0 }, { "[+1]", 0 }, { "[1e]", 0 }, { "[-]", 0 }, { "", 0 },
		{ "\xef\xbb\xbf{}", 0 }, { "\"\xff\"", 0 }, { "\"a\nb\"", 0 }, { "[0x10]", 0 },
		{ "'a'", 0 }, { "[1 2]", 0 }, { "\"\\ud800\"", 0 }, { "\"\\u00e9\"", 1 }, { "tru", 0 },
	};
	char deep[200];

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct error err = { 0 };
		struct json *root = json_parse(rows[i].text, strlen(rows[i].text), &err);
		CHECK((root != NULL) == rows[i].good, "%s", rows[i].text);
		CHECK((root == NULL) == (err.kind == ERROR_CORRUPT), "%s", rows[i].text);
		json_free(root);
	}
	for (unsigned depth = 64; depth <= 65; depth++) {
		struct error err = { 0 };
		struct json *root;
		memset(deep, '[', depth);
		memset(deep + depth, ']', depth);
		root = json_parse(deep, 2 * depth, &err);
		CHECK((root != NULL) == (depth == 64), "depth %u", depth);
		json_free(root);
	}
}

static void
test_json_integers(void)
{
	static const struct { const char *text; int good; uint64_t number; } rows[] = {
		{ "7", 1, 7 }, { "0", 1, 0 }, { "9007199254740991", 1, 9007199254740991 },
		{ "9007199254740993", 0, 0 }, { "7.0", 0, 0 }, { "7e0", 0, 0 }, { "-1", 0, 0 },
		{ "\"7\"", 0, 0 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct error err = { 0 };
		struct json *root = json_parse(rows[i].text, strlen(rows[i].text), &err);
		uint64_t     number = 0;
		CHECK(json_u64(root, &number) == rows[i].good && number == rows[i].number, "%s",
			rows[i].text);
		json_free(root);
	}
}

/* Expected text is what json.dumps(..., indent=2) prints. */
static void
test_json_writer(void)
{
	struct text        to = { 0 };
	struct json_writer w = { .to = &to, .indent = 2, .ascii = true };

	json_open(&w, '{');
	json_write_key(&w, "a");
	json_open(&w, '[');
	json_write_u64(&w, 1);
	json_write_string(&w, "\xc4\xa0\"\\\n\x01\xf0\x9f\x98\x80");
	json_close(&w, ']');
	json_write_key(&w, "b");
	json_open(&w, '{');
	json_close(&w, '}');
	json_write_key(&w, "c");
	json_write_double(&w, 1e-5);
	json_close(&w, '}');
	CHECK_TEXT(to.bytes, "{\n  \"a\": [\n    1,\n    \"\\u0120\\\"\\\\\\n\\u0001\\ud83d\\ude00\"\n"
		"  ],\n  \"b\": {},\n  \"c\": 1e-05\n}", "indented");
	text_free(&to);
	w = (struct json_writer){ .to = &to };
	json_open(&w, '{');
	json_write_key(&w, "\xc4\xa0");
	json_write_bool(&w, true);
	json_write_key(&w, "n");
	json_write_null(&w);
	json_close(&w, '}');
	CHECK_TEXT(to.bytes, "{\"\xc4\xa0\":true,\"n\":null}", "compact");
	text_free(&to);
}

/* Published: FIPS 180 "abc", and git's name for "hello\n". */
static void
test_digests(void)
{
	char hex[DIGEST_HEX_SIZE];

	digest_sha256("abc", 3, hex);
	CHECK_TEXT(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "abc");
	digest_git_blob("hello\n", 6, hex);
	CHECK_TEXT(hex, "ce013625030ba8dba906f756967f9e9ca394464a", "git blob");
}

static void
test_arena(void)
{
	struct arena arena;

	arena_init(&arena, 1000);
	CHECK(arena_take(&arena, 10, 50) != NULL, "half");
	CHECK(arena_take(&arena, 10, 50) == NULL, "rounding up goes over the limit");
	CHECK(arena_take(&arena, SIZE_MAX / 2, 4) == NULL, "overflow");
	arena_fini(&arena);
}

/* ---- conveyors -------------------------------------------------------------------- */

struct adder {
	uint64_t sum, count, fail_at;
};

static bool
add_slab(void *context, struct slab *slab, struct error *err)
{
	struct adder *adder = context;

	if (++adder->count == adder->fail_at)
		return error_set(err, ERROR_CORRUPT, "test", "stop at %d", (int)adder->count);
	adder->sum = adder->sum * 31 + slab->offset;
	return true;
}

static void
test_conveyor(bool own_thread, uint64_t fail_at)
{
	struct error      err = { 0 };
	struct adder      adder = { .fail_at = fail_at };
	struct slab_pool *pool = slab_pool_open(3, &err);
	struct conveyor  *conveyor = conveyor_open(own_thread, add_slab, &adder, &err);
	uint64_t          sum = 0;
	bool              going = true;

	for (uint64_t i = 0; i < 100 && going; i++) {
		struct slab *slab = slab_take(pool);
		slab->offset = i * i;
		sum = sum * 31 + i * i;
		going = conveyor_push(conveyor, slab, &err);
	}
	CHECK(conveyor_finish(conveyor, &err) == (fail_at == 0), "finish");
	if (fail_at == 0)
		CHECK(adder.sum == sum, "order");
	else
		CHECK_TEXT(err.slug, "test", "the consumer's reason");
	conveyor_close(conveyor);
	slab_pool_close(pool);
}

int
main(void)
{
	test_doubles();
	test_numbers();
	test_escape();
	test_nearest();
	test_strict_json();
	test_json_integers();
	test_json_writer();
	test_digests();
	test_arena();
	test_conveyor(false, 0);
	test_conveyor(true, 0);
	test_conveyor(false, 7);
	test_conveyor(true, 7);
	return check_end("base");
}
