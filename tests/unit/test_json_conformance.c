#include "base/json.h"

#include "check.h"

#include <stdlib.h>

/*
 * What is JSON and what is not, by the grammar of RFC 8259, one row for every way to be wrong
 * that its productions allow.  With a folder as argument every row is also written there as
 * NUMBER.VERDICT, so that tests/furniture/run.sh can ask Python's json module the same.
 */
enum verdict {
	YES = 'y',              /* JSON: accepted */
	NO = 'n',               /* not JSON: refused */
	OPEN = 'a',             /* the RFC leaves it open (size and precision of numbers): accepted */
	OURS = 'r',             /* JSON for Python's strict reader, refused here; base/json.h says why */
};

static const struct row {
	enum verdict verdict;
	const char  *bytes;
	size_t       length;
} rows[] = {
#define J(text) text, sizeof text - 1
	/* ---- values by themselves, and blanks ---- */
	{ YES, J("null") }, { YES, J("true") }, { YES, J("false") }, { YES, J("0") },
	{ YES, J("42") }, { YES, J("\"\"") }, { YES, J("\"a\"") }, { YES, J("[]") },
	{ YES, J("{}") }, { YES, J(" null ") }, { YES, J("\tnull\n") }, { YES, J("\r\nnull\r\n") },
	{ YES, J(" \t\r\n[ \t\r\n] \t\r\n") }, { YES, J("{ \t\r\n}") },
	{ YES, J("{ \"a\" \t: \n1 \r, \"b\" :2 }") }, { YES, J("[1\n,\n2]") },
	{ YES, J("[null, true, false]") }, { YES, J("-1") }, { YES, J("1\n\n\n\n") },
	{ NO, J("") }, { NO, J(" ") }, { NO, J("\n") }, { NO, J("\t\r\n ") }, { NO, J("nul") },
	{ NO, J("nulll") }, { NO, J("Null") }, { NO, J("NULL") }, { NO, J("tru") },
	{ NO, J("True") }, { NO, J("TRUE") }, { NO, J("truee") }, { NO, J("fals") },
	{ NO, J("False") }, { NO, J("n") }, { NO, J("t") }, { NO, J("f") }, { NO, J("nan") },
	{ NO, J("None") }, { NO, J("undefined") }, { NO, J("yes") }, { NO, J("a") },
	{ NO, J("null null") }, { NO, J("1 2") }, { NO, J("[] []") }, { NO, J("{}{}") },
	{ NO, J("[]x") }, { NO, J("[1]]") }, { NO, J("{}}") }, { NO, J("\"a\" \"b\"") },
	{ NO, J("1,") }, { NO, J(",1") }, { NO, J(",") }, { NO, J(":") }, { NO, J("null,") },
	{ NO, J("\fnull") }, { NO, J("null\f") }, { NO, J("\vnull") }, { NO, J("null\v") },
	{ NO, J("[\f]") }, { NO, J("[1,\v2]") }, { NO, J("\bnull") }, { NO, J("[\x1f]") },
	{ NO, J("\x01null") }, { NO, J("null\x00") }, { NO, J("\x00null") }, { NO, J("[\x00]") },
	{ NO, J("\xc2\xa0null") }, { NO, J("null\xc2\xa0") }, { NO, J("[\xe2\x80\xa8]") },
	{ NO, J("[\xe2\x81\xa0]") }, { NO, J("[\xe3\x80\x80" "1]") }, { NO, J("\xc2\x85null") },
	{ NO, J("null\x7f") }, { NO, J("[truefalse]") }, { NO, J("[true false]") },
	{ NO, J("[nullnull]") }, { NO, J("[\\u006eull]") },
	/* ---- byte-order marks and other encodings ---- */
	{ NO, J("\xef\xbb\xbf" "null") }, { NO, J("\xef\xbb\xbf") }, { NO, J("\xef\xbb" "{}") },
	{ NO, J("[\xef\xbb\xbf]") }, { NO, J("{}\xef\xbb\xbf") }, { NO, J("\xff\xfe[\0]\0") },
	{ NO, J("\xfe\xff\0[\0]") }, { NO, J("[\0]\0") }, { NO, J("\0[\0]") },
	{ YES, J("\"\xef\xbb\xbf\"") },
	/* ---- arrays ---- */
	{ YES, J("[1]") }, { YES, J("[1,2]") }, { YES, J("[[]]") }, { YES, J("[[],[]]") },
	{ YES, J("[\"\"]") }, { YES, J("[[],{},\"\",0,null,true]") }, { YES, J("[[[[1]]]]") },
	{ YES, J("[ 1 , 2 ]") }, { YES, J("[1,null,null,2]") },
	{ NO, J("[") }, { NO, J("]") }, { NO, J("[1") }, { NO, J("[1,") }, { NO, J("[,") },
	{ NO, J("[,]") }, { NO, J("[1,]") }, { NO, J("[,1]") }, { NO, J("[1,,2]") },
	{ NO, J("[1,,]") }, { NO, J("[1 2]") }, { NO, J("[1;2]") }, { NO, J("[1:2]") },
	{ NO, J("[\"a\":1]") }, { NO, J("[\"\":]") }, { NO, J("[1}") }, { NO, J("[}") },
	{ NO, J("[[]") }, { NO, J("[[],") }, { NO, J("[\"a\"") }, { NO, J("[\"a") },
	{ NO, J("[\"a\",\n4,\n,1") }, { NO, J("[*]") }, { NO, J("[x]") }, { NO, J("[1,\n1\n,1") },
	{ NO, J("[{}") }, { NO, J("[{") }, { NO, J("[<null>]") }, { NO, J("(1)") }, { NO, J("[1 true]") },
	{ NO, J("[\"a\" \"b\"]") }, { NO, J("[3[4]]") }, { NO, J("[][") }, { NO, J("1]") },
	{ NO, J("[...]") }, { NO, J("[1,...]") }, { NO, J("[#1]") },
	/* ---- objects ---- */
	{ YES, J("{\"\":0}") }, { YES, J("{\"a\":1}") }, { YES, J("{\"a\":1,\"b\":2}") },
	{ YES, J("{\"a\":{}}") }, { YES, J("{\"a\":{\"a\":{\"a\":1}}}") },
	{ YES, J("{\"a\":[{\"a\":1},{\"a\":2}]}") }, { YES, J("{\"a\":1,\"A\":2}") },
	{ YES, J("{\"\\u0061b\":1,\"a\":2}") }, { YES, J("{\"a\\\\b\":1}") },
	{ YES, J("{\"a b\":\"c d\"}") }, { YES, J("{\"\xc3\xa9\":1,\"e\xcc\x81\":2}") },
	{ YES, J("{\"__proto__\":{}}") }, { YES, J("{\"null\":null,\"1\":1}") },
	{ NO, J("{") }, { NO, J("}") }, { NO, J("{\"a\"") }, { NO, J("{\"a\":") },
	{ NO, J("{\"a\":1") }, { NO, J("{\"a\":1,") }, { NO, J("{\"a\":1,}") },
	{ NO, J("{\"a\":1,,\"b\":2}") }, { NO, J("{,}") }, { NO, J("{,\"a\":1}") },
	{ NO, J("{\"a\"}") }, { NO, J("{\"a\":}") }, { NO, J("{:1}") }, { NO, J("{a:1}") },
	{ NO, J("{'a':1}") }, { NO, J("{1:1}") }, { NO, J("{null:1}") }, { NO, J("{[]:1}") },
	{ NO, J("{\"a\" 1}") }, { NO, J("{\"a\",1}") }, { NO, J("{\"a\"::1}") },
	{ NO, J("{\"a\":1 \"b\":2}") }, { NO, J("{\"a\":1;\"b\":2}") }, { NO, J("{\"a\"=1}") },
	{ NO, J("{\"a\":1]") }, { NO, J("{]") }, { NO, J("{\"a\":[}") }, { NO, J("{\"a\":1}}") },
	{ NO, J("{\"a\":'b'}") }, { NO, J("{\"a\":b}") }, { NO, J("{\"a") },
	{ NO, J("{\"a\":\"b") }, { NO, J("{\"a\":\"b\"") }, { NO, J("{{}:1}") },
	{ NO, J("{\"a\":1,\"a\":1}") }, { NO, J("{\"a\":1,\"b\":2,\"a\":3}") },
	{ NO, J("{\"a\":1,\"\\u0061\":2}") }, { NO, J("{\"\":1,\"\":1}") },
	{ NO, J("[{\"x\":{\"y\":1,\"y\":2}}]") }, { NO, J("{\"a\":/**/1}") },
	{ NO, J("{\"a\":1}#") }, { NO, J("{\"a\":1}/**/") }, { NO, J("{\"a\":1}//") },
	{ NO, J("/* c */{}") }, { NO, J("// c\n{}") }, { NO, J("{}/") }, { NO, J("[1,/* c */2]") },
	{ NO, J("{\"a\":1 \"a\"}") }, { NO, J("{\"\\x\":1}") }, { NO, J("{\"\xff\":1}") },
	{ NO, J("{\"a\":true,\"b\"}") }, { NO, J("{\"a\":undefined}") },
	/* ---- numbers ---- */
	{ YES, J("-0") }, { YES, J("0.0") }, { YES, J("-0.0") }, { YES, J("0.5") },
	{ YES, J("10") }, { YES, J("1.25") }, { YES, J("1e5") }, { YES, J("1E5") },
	{ YES, J("1e+5") }, { YES, J("1e-5") }, { YES, J("1E+05") }, { YES, J("0e0") },
	{ YES, J("0e+1") }, { YES, J("0E-1") }, { YES, J("1.5e10") }, { YES, J("-1.5E-10") },
	{ YES, J("123456789") }, { YES, J("9007199254740991") }, { YES, J("9007199254740993") },
	{ YES, J("18446744073709551616") }, { YES, J("-9223372036854775808") },
	{ YES, J("2.2250738585072014e-308") }, { YES, J("5e-324") }, { YES, J("1e00001") },
	{ YES, J("0.1000000000000000055511151231257827021181583404541015625") },
	{ YES, J("-0.000000000000000000000000000000000000000000000000000000000000000000000000000001") },
	{ YES, J("[1,-0,0.1,1e1]") }, { YES, J("[1 ,2\t]") },
	{ OPEN, J("1e400") }, { OPEN, J("-1e400") }, { OPEN, J("1e-400") }, { OPEN, J("1e9999999") },
	{ OPEN, J("[123e-10000000]") }, { OPEN, J("[0.4e00669999999999999999999]") },
	{ OPEN, J("100000000000000000000000000000000000000000000000000000000000000000000000000000") },
	{ OPEN, J("[1234567890123456789012345678901234567890123456789012345678901234567890, 2]") },
	{ OPEN, J("3.14159265358979323846264338327950288419716939937510582097494459230781640628") },
	{ OPEN, J("[1e0000000000000000000000000000000000000000000000000000000000000000000000005]") },
	{ NO, J("-") }, { NO, J("+") }, { NO, J("+1") }, { NO, J("--1") }, { NO, J("++1") },
	{ NO, J("-+1") }, { NO, J("+-1") }, { NO, J("00") }, { NO, J("01") }, { NO, J("-01") },
	{ NO, J("-00") }, { NO, J("012") }, { NO, J("00.5") }, { NO, J("1.") }, { NO, J("-1.") },
	{ NO, J("0.") }, { NO, J(".5") }, { NO, J("-.5") }, { NO, J(".") }, { NO, J("1.e1") },
	{ NO, J("0.e1") }, { NO, J(".e1") }, { NO, J("1e") }, { NO, J("1E") }, { NO, J("1e+") },
	{ NO, J("1e-") }, { NO, J("1E+") }, { NO, J("0e") }, { NO, J("0e+") }, { NO, J("1.0e") },
	{ NO, J("1.0e+") }, { NO, J("1e1.5") }, { NO, J("1e1e1") }, { NO, J("1ee1") },
	{ NO, J("1eE1") }, { NO, J("1e+-1") }, { NO, J("e1") }, { NO, J("1.2.3") }, { NO, J("1..2") },
	{ NO, J("1 .5") }, { NO, J("- 1") }, { NO, J("1-2") }, { NO, J("1+2") }, { NO, J("1_000") },
	{ NO, J("1,000") }, { NO, J("1 000") }, { NO, J("0x10") }, { NO, J("0X1F") },
	{ NO, J("0b1") }, { NO, J("0o7") }, { NO, J("1a") }, { NO, J("1f") }, { NO, J("1L") },
	{ NO, J("NaN") }, { NO, J("-NaN") }, { NO, J("[NaN]") }, { NO, J("Infinity") },
	{ NO, J("-Infinity") }, { NO, J("[Infinity]") }, { NO, J("[-Infinity]") }, { NO, J("inf") },
	{ NO, J("-inf") }, { NO, J("Inf") }, { NO, J("INFINITY") }, { NO, J("+Infinity") },
	{ NO, J("-foo") }, { NO, J("-x") }, { NO, J("[-]") }, { NO, J("[1.]") }, { NO, J("[01]") },
	{ NO, J("[-2.]") }, { NO, J("[2.e+3]") }, { NO, J("[1e]") }, { NO, J("\xef\xbc\x91") },
	{ NO, J("\xd9\xa1") }, { NO, J("0.1.") }, { NO, J("1/2") }, { NO, J("$1") }, { NO, J("1%") },
	/* ---- strings ---- */
	{ YES, J("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"") }, { YES, J("\"/\"") }, { YES, J("\"\x7f\"") },
	{ YES, J("\"\\u0020\"") }, { YES, J("\"\\u0001\"") }, { YES, J("\"\\u001F\"") },
	{ YES, J("\"\\u00e9\\u00E9\"") }, { YES, J("\"\\uABCD\\uabcd\"") },
	{ YES, J("\"\\ud834\\udd1e\"") }, { YES, J("\"\\uD83D\\uDE00\"") },
	{ YES, J("\"\\uDBFF\\uDFFF\"") }, { YES, J("\"\\uD800\\uDC00\"") }, { YES, J("\"\\\\u0000\"") },
	{ YES, J("\"\\uFFFE\\uFFFF\"") }, { YES, J("\"\\ufdd0\"") }, { YES, J("\"\xc3\xa9\"") },
	{ YES, J("\"\xe2\x82\xac\"") }, { YES, J("\"\xf0\x9f\x98\x80\"") },
	{ YES, J("\"\xf4\x8f\xbf\xbf\"") }, { YES, J("\"\xef\xbf\xbf\"") },
	{ YES, J("\"\xe2\x80\xa8\xe2\x80\xa9\"") }, { YES, J("\"\xc2\x80\"") },
	{ YES, J("\"\\u2028\"") }, { YES, J("\"[{}],:\"") }, { YES, J("\"// no /* comment */\"") },
	{ YES, J("\"'\"") }, { YES, J("\"\\\\\"") }, { YES, J("\"\\\\\\\"\"") }, { YES, J("\" \"") },
	{ YES, J("\"a\\u0041\"") }, { YES, J("\"\\u00410\"") }, { YES, J("\"1e400 NaN\"") },
	{ NO, J("\"") }, { NO, J("\"a") }, { NO, J("a\"") }, { NO, J("\"a\"\"") }, { NO, J("'a'") },
	{ NO, J("'a\"") }, { NO, J("\"a'") }, { NO, J("`a`") }, { NO, J("\"\\\"") }, { NO, J("\"\\") },
	{ NO, J("[\"\\\"]") }, { NO, J("\"\\\\\\\"") }, { NO, J("\"\\x41\"") }, { NO, J("\"\\a\"") },
	{ NO, J("\"\\v\"") }, { NO, J("\"\\0\"") }, { NO, J("\"\\'\"") }, { NO, J("\"\\e\"") },
	{ NO, J("\"\\ \"") }, { NO, J("\"\\\n\"") }, { NO, J("\"\\U00000041\"") },
	{ NO, J("\"\\N\"") }, { NO, J("\"\\T\"") }, { NO, J("\"\\\xc3\xa9\"") }, { NO, J("\"\\\x01\"") },
	{ NO, J("\"\\u\"") }, { NO, J("\"\\u0\"") }, { NO, J("\"\\u00\"") }, { NO, J("\"\\u004\"") },
	{ NO, J("\"\\u004") }, { NO, J("\"\\u0041") }, { NO, J("\"\\u004g\"") },
	{ NO, J("\"\\u00g1\"") }, { NO, J("\"\\ug041\"") }, { NO, J("\"\\u 041\"") },
	{ NO, J("\"\\u+041\"") }, { NO, J("\"\\u-041\"") }, { NO, J("\"\\u0x41\"") },
	{ NO, J("\"\\u{41}\"") }, { NO, J("\"\\uD800\\u\"") }, { NO, J("\"\\uD800\\u1\"") },
	{ NO, J("\"\\uD800\\u1x\"") }, { NO, J("\"\\uD83D\\x\"") }, { NO, J("\\u0022a\\u0022") },
	{ NO, J("\"\x01\"") }, { NO, J("\"\x1f\"") }, { NO, J("\"\t\"") }, { NO, J("\"\n\"") },
	{ NO, J("\"\r\"") }, { NO, J("\"\b\"") }, { NO, J("\"\f\"") }, { NO, J("\"a\nb\"") },
	{ NO, J("\"\x00\"") }, { NO, J("\"a\x00" "b\"") }, { NO, J("[\"\x1b[31m\"]") },
	{ NO, J("{\"a\tb\":1}") }, { NO, J("{\"\n\":1}") }, { NO, J("[\"a\"b\"c\"]") },
	/* ---- UTF-8 ---- */
	{ NO, J("\"\x80\"") }, { NO, J("\"\xbf\"") }, { NO, J("\"\xc3\"") }, { NO, J("\"\xe9\"") },
	{ NO, J("\"\xe2\x82\"") }, { NO, J("\"\xf0\x9f\x98\"") }, { NO, J("\"\xc0\x80\"") },
	{ NO, J("\"\xc0\xaf\"") }, { NO, J("\"\xc1\xbf\"") }, { NO, J("\"\xe0\x80\xaf\"") },
	{ NO, J("\"\xe0\x9f\xbf\"") }, { NO, J("\"\xf0\x80\x80\xaf\"") },
	{ NO, J("\"\xf0\x8f\xbf\xbf\"") }, { NO, J("\"\xed\xa0\x80\"") },
	{ NO, J("\"\xed\xbf\xbf\"") }, { NO, J("\"\xed\xa0\xbd\xed\xb8\x80\"") },
	{ NO, J("\"\xf4\x90\x80\x80\"") }, { NO, J("\"\xf5\x80\x80\x80\"") },
	{ NO, J("\"\xf8\x88\x80\x80\x80\"") }, { NO, J("\"\xfc\x84\x80\x80\x80\x80\"") },
	{ NO, J("\"\xfe\"") }, { NO, J("\"\xff\"") }, { NO, J("\xff") }, { NO, J("[\xff]") },
	{ NO, J("\"\xc3\x28\"") }, { NO, J("\"\xe2\x28\xa1\"") }, { NO, J("[\xc3\xa9]") },
	{ NO, J("{\"\xc3\":1}") }, { NO, J("123\xe5") }, { NO, J("1e1\xe5") },
	/* ---- what Python takes and we do not ---- */
	{ OURS, J("\"\\u0000\"") }, { OURS, J("{\"a\\u0000b\":1}") }, { OURS, J("\"\\ud800\"") },
	{ OURS, J("\"\\udc00\"") }, { OURS, J("\"\\uDFFF\\uD800\"") }, { OURS, J("\"\\uD800a\"") },
	{ OURS, J("\"\\uD800\\n\"") }, { OURS, J("\"\\uD800\\u0041\"") },
	{ OURS, J("\"\\uD800\\uD800\\uDC00\"") }, { OURS, J("\"\\uDD1E\\uD834\"") },
	{ OURS, J("{\"\\uD800\":1}") },
#undef J
};

/* ---- rows that are made: nesting -------------------------------------------------- */

static size_t made;

static void
put_row(const char *folder, size_t number, enum verdict verdict, const char *bytes,
	size_t length)
{
	char  path[512];
	FILE *file;

	if (folder == NULL)
		return;
	text_format(path, sizeof path, "%s/%03zu.%c", folder, number, (char)verdict);
	file = fopen(path, "wb");
	CHECK(file != NULL && fwrite(bytes, 1, length, file) == length && fclose(file) == 0,
		"%s", path);
}

/* In memory of its own size, so that a sanitizer sees any step beyond it. */
static void
try_row(const char *folder, size_t number, enum verdict verdict, const char *bytes,
	size_t length)
{
	struct error err = { 0 };
	char        *exact = malloc(length > 0 ? length : 1), shown[128];
	struct json *root;
	bool         wanted = verdict == YES || verdict == OPEN;

	if (exact == NULL)
		return;
	memcpy(exact, bytes, length);
	root = json_parse(exact, length, &err);
	text_escape(shown, sizeof shown, bytes, length);
	CHECK((root != NULL) == wanted, "row %zu, %c: %s (%s)", number, (char)verdict, shown,
		err.text);
	CHECK(root != NULL || err.kind == ERROR_CORRUPT, "row %zu: %s: kind %d", number, shown,
		(int)err.kind);
	CHECK(root != NULL || strcmp(err.slug, "json") == 0, "row %zu: %s", number, err.slug);
	put_row(folder, number, verdict, bytes, length);
	json_free(root);
	free(exact);
}

static void
try_repeated(const char *folder, enum verdict verdict, const char *open, const char *inner,
	const char *close, size_t depth)
{
	struct text text = { 0 };

	for (size_t i = 0; i < depth; i++)
		text_add(&text, "%s", open);
	text_add(&text, "%s", inner);
	for (size_t i = 0; i < depth; i++)
		text_add(&text, "%s", close);
	try_row(folder, sizeof rows / sizeof *rows + made++, verdict, text.bytes, text.length);
	text_free(&text);
}

static void
test_nesting(const char *folder)
{
	try_repeated(folder, YES, "[", "1", "]", 64);
	try_repeated(folder, YES, "{\"a\":", "1", "}", 64);
	try_repeated(folder, YES, "[{\"a\":", "1", "}]", 32);
	try_repeated(folder, OURS, "[", "", "]", 65);
	try_repeated(folder, OURS, "{\"a\":", "{}", "}", 64);
	try_repeated(folder, NO, "[", "", "", 64);
	try_repeated(folder, NO, "[", "", "", 100000);
	try_repeated(folder, NO, "{\"a\":", "", "", 100000);
	try_repeated(folder, NO, "[{\"\":", "", "", 50000);
	try_repeated(folder, NO, "", "", "]", 100000);
}

/* ---- values ----------------------------------------------------------------------- */

/* Numbers longer than 63 characters come through with their value, and so does what follows. */
static void
test_long_numbers(void)
{
	static const struct { const char *text; double value; } numbers[] = {
		{ "[0.1000000000000000055511151231257827021181583404541015625000000000000, 7]", 0.1 },
		{ "[-3.14159265358979323846264338327950288419716939937510582097494459230, 7]",
			-3.14159265358979323846 },
		{ "[1000000000000000000000000000000000000000000000000000000000000000000000, 7]", 1e69 },
		{ "[1e0000000000000000000000000000000000000000000000000000000000000000005, 7]", 1e5 },
		{ "[0.00000000000000000000000000000000000000000000000000000000000000000000, 7]", 0 },
	};

	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		struct error err = { 0 };
		struct json *root = json_parse(numbers[i].text, strlen(numbers[i].text), &err);
		double       value = -1;
		uint64_t     next = 0;

		CHECK(root != NULL, "%s: %s", numbers[i].text, err.text);
		if (root == NULL)
			continue;
		CHECK(json_number(json_first(root), &value) && value == numbers[i].value,
			"%s: %.17g", numbers[i].text, value);
		CHECK(!json_u64(json_first(root), &next), "%s is no count", numbers[i].text);
		CHECK(json_u64(json_next(json_first(root)), &next) && next == 7, "what follows");
		json_free(root);
	}
}

/* Huge numbers are JSON, but nobody's value. */
static void
test_numbers(void)
{
	static const struct { const char *text; bool is_number, is_count; } numbers[] = {
		{ "1e400", false, false }, { "-1e400", false, false }, { "1e-400", true, false },
		{ "-0", true, true }, { "9007199254740991", true, true },
		{ "9007199254740993", true, false }, { "24.0", true, false }, { "1e1", true, false },
	};

	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		struct error err = { 0 };
		struct json *root = json_parse(numbers[i].text, strlen(numbers[i].text), &err);
		double       value;
		uint64_t     count;

		CHECK(root != NULL, "%s: %s", numbers[i].text, err.text);
		CHECK(root != NULL && json_number(root, &value) == numbers[i].is_number, "%s",
			numbers[i].text);
		CHECK(root != NULL && json_u64(root, &count) == numbers[i].is_count, "%s",
			numbers[i].text);
		json_free(root);
	}
}

int
main(int argc, char **argv)
{
	const char *folder = argc > 1 ? argv[1] : NULL;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		try_row(folder, i, rows[i].verdict, rows[i].bytes, rows[i].length);
	test_nesting(folder);
	test_long_numbers();
	test_numbers();
	return check_end("json_conformance");
}
