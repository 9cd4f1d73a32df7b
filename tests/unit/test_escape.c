#include "cli/escape.h"

#include "check.h"

/* Expected values by hand, from XML 1.0, RFC 3986, CommonMark and GitHub's documents. */

typedef void escape(struct text *to, const char *name);

struct row { const char *name, *expected; };

static void
check_rows(escape *function, const char *what, const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct text found = { 0 };

		text_add(&found, "<");
		function(&found, rows[i].name);
		CHECK_TEXT(found.bytes + 1, rows[i].expected, "%s %zu", what, i);
		text_free(&found);
	}
}

#define CHECK_ROWS(function, rows) \
	check_rows(function, #function, rows, sizeof rows / sizeof rows[0])

static const struct row xml[] = {
	{ NULL, "" },
	{ "", "" },
	{ "model.safetensors", "model.safetensors" },
	{ "a<b>&\"'", "a&lt;b&gt;&amp;&quot;&apos;" },
	{ "]]>", "]]&gt;" },
	{ "&amp;", "&amp;amp;" },
	{ "a\nb\tc\rd", "a\\x0ab\\x09c\\x0dd" },
	{ "\x01\x1f\x7f", "\\x01\\x1f\\x7f" },
	{ "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80" },
	{ "\xff\xfe", "\\xff\\xfe" },
	{ "\xc3", "\\xc3" },                            /* cut short */
	{ "\xc3<", "\\xc3&lt;" },
	{ "\xe2\x82", "\\xe2\\x82" },
	{ "\x80\x80\x80\x80\x80", "\\x80\\x80\\x80\\x80\\x80" },
	{ "\xc3\xa9\xa9\xa9", "\xc3\xa9\\xa9\\xa9" },
	{ "\xf0\x9f\x98\x80\x80", "\xf0\x9f\x98\x80\\x80" },
	{ "\xed\xa0\x80", "\\xed\\xa0\\x80" },          /* a surrogate */
	{ "\xc0\xbc", "\\xc0\\xbc" },                   /* an overlong "<" */
	{ "\xef\xbf\xbe", "\\xef\\xbf\\xbe" },          /* U+FFFE is no character of XML */
	{ "\xef\xbf\xbf", "\\xef\\xbf\\xbf" },
	{ "\xef\xbf\xbd", "\xef\xbf\xbd" },
	{ "\xe2\x80\xae", "\\xe2\\x80\\xae" },          /* turns the text around */
	{ "\xc2\x85", "\\xc2\\x85" },
};

static const struct row annotation[] = {
	{ NULL, "" },
	{ "100%", "100%25" },
	{ "a\nb\rc", "a%0Ab%0Dc" },
	{ "%0A", "%250A" },
	{ "a: b, c", "a: b, c" },
	{ "::error::x", "::error::x" },
	{ "\x1b[0m", "\\x1b[0m" },
	{ "\xff", "\\xff" },
};

static const struct row property[] = {
	{ "a:b,c", "a%3Ab%2Cc" },
	{ "x\n::set-output name=a::b", "x%0A%3A%3Aset-output name=a%3A%3Ab" },
	{ "%3A", "%253A" },
	{ "\xe2\x82\xac", "\xe2\x82\xac" },
};

static const struct row uri[] = {
	{ "config.json", "config.json" },
	{ "a/b c.txt", "a/b%20c.txt" },
	{ "c:d", "c%3Ad" },                             /* else "c" would be the scheme */
	{ "?#[]@!$&'()*+;=,%", "%3F%23%5B%5D%40%21%24%26%27%28%29%2A%2B%3B%3D%2C%25" },
	{ "-._~", "-._~" },
	{ "\xc3\xa9\xff\n\\", "%C3%A9%FF%0A%5C" },
};

static const struct row code[] = {
	{ NULL, "" },
	{ "", "" },
	{ "a", "`a`" },
	{ "a`b", "`` a`b ``" },
	{ "`", "`` ` ``" },
	{ "``a`", "``` ``a` ```" },
	{ "a\n# b", "`a\\x0a# b`" },
	{ "<b>&|*_", "`<b>&|*_`" },
};

int
main(void)
{
	CHECK_ROWS(escape_xml, xml);
	CHECK_ROWS(escape_annotation, annotation);
	CHECK_ROWS(escape_property, property);
	CHECK_ROWS(escape_uri, uri);
	CHECK_ROWS(escape_code, code);
	return check_end("escape");
}
