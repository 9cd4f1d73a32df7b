#include "check/sums.h"

#include "check.h"

#define H "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
#define UPPER "2D711642B726B04401627CA9FBAC32F5C8530FB1903CC4DB02258717921A4881"

/* What coreutils 9.1 makes of these lists (but an empty name is malformed here).  Names as
 * "NAME|NAME|". */
static const struct row {
	const char *list, *names;
	size_t      malformed;
} rows[] = {
	{ H "  a\n", "a|", 0 },
	{ H " *a\n", "a|", 0 },
	{ H "  a", "a|", 0 },
	{ H " a\n", "a|", 0 },
	{ H " model.bin\n", "model.bin|", 0 },
	{ H "\ta\n", "a|", 0 },
	{ UPPER "  a\n", "a|", 0 },
	{ "  \t" H "  a\n", "a|", 0 },
	{ H "  a\r\n" H "  b\r\n", "a|b|", 0 },
	{ H "  dir/a b  c\n", "dir/a b  c|", 0 },
	{ H "   a\n", " a|", 0 },
	{ "\\" H "  a\\nb\n", "a\nb|", 0 },
	{ "\\" H "  a\\\\b\n", "a\\b|", 0 },
	{ "\\" H "  a\\rb\n", "a\rb|", 0 },
	{ "\\" H "  a\\tb\n" H "  b\n", "b|", 1 },
	{ "\\" H "  a\\\n" H "  b\n", "b|", 1 },
	{ H "  a\\nb\n", "a\\nb|", 0 },
	{ "SHA256 (a) = " H "\n", "a|", 0 },
	{ "SHA256 (c (d)) = " H "\n", "c (d)|", 0 },
	{ "\\SHA256 (a\\nb) = " H "\n", "a\nb|", 0 },
	{ "SHA256(a)= " H "\n", "a|", 0 },
	{ "SHA256 (a) = " UPPER "\n", "a|", 0 },
	{ "SHA256 (a = " H "\n" H "  b\n", "b|", 1 },
	{ "SHA256 () = " H "\n" H "  b\n", "b|", 1 },
	{ "SHA256 (a) = " H "0\n" H "  b\n", "b|", 1 },
	{ "SHA512 (a) = " H H "\n" H "  b\n", "b|", 1 },
	{ "MD5 (a) = d41d8cd98f00b204e9800998ecf8427e\n" H "  b\n", "b|", 1 },
	{ "  \t \n" H "  b\n", "b|", 1 },
	{ "SHA256 a) = " H "\n" H "  b\n", "b|", 1 },
	{ "SHA256 (a) " H "\n" H "  b\n", "b|", 1 },
	{ "SHA256 (a) = xyz\n" H "  b\n", "b|", 1 },
	{ "SHA256 (a)=\n" H "  b\n", "b|", 1 },
	{ "SHA256 (a)\n" H "  b\n", "b|", 1 },
	{ "SHA256  (a) = " H "\n" H "  b\n", "b|", 1 },
	{ "SHA256 (a)  = " H "\n" H "  b\n", "a|b|", 0 },
	{ "SHA256 (a) =  " H "\n", "a|", 0 },
	{ "SHA256 (a) = " H " \n" H "  b\n", "b|", 1 },
	{ "SHA256(a)=" H "\n", "a|", 0 },
	{ "# a comment\n\n" H "  a\n\n", "a|", 0 },
	{ "#" H "  a\n" H "  b\n", "b|", 0 },
	{ "nonsense\n" H "  a\n", "a|", 1 },
	{ "0" H "  a\n" H "  b\n", "b|", 1 },
	{ H "\n" H "  b\n", "b|", 1 },
	{ H "  \n" H "  b\n", " | b|", 0 },
	{ H "  a\n" H " bc\n", "a|", 1 },
	{ H " ab\n" H "  cd\n", "ab| cd|", 0 },
	{ H "  ../x\n" H "  /etc/passwd\n", "../x|/etc/passwd|", 0 },
	{ H "  caf\xe9\n", "caf\xe9|", 0 },
};

static const char *const useless[] = { "", "\n\n", "# only this\n", "nonsense\n", "SHA256\n",
	"SHA256 (", H, H " ", "\\" };

static void
test_parse(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct row *row = &rows[i];
		struct arena      arena;
		struct sums       sums;
		struct error      err = { 0 };
		struct text       names = { 0 };

		arena_init(&arena, 1 << 20);
		CHECK(sums_parse(row->list, strlen(row->list), &arena, &sums, &err), "%s: %s",
			row->list, err.text);
		for (size_t j = 0; j < sums.count; j++) {
			text_add(&names, "%s|", sums.lines[j].name);
			CHECK_TEXT(sums.lines[j].sha256, H, "%s", row->list);
		}
		CHECK_TEXT(names.bytes, row->names, "%s", row->list);
		CHECK(sums.malformed == row->malformed, "%s: %zu malformed", row->list,
			sums.malformed);
		text_free(&names);
		arena_fini(&arena);
	}
	for (size_t i = 0; i < sizeof useless / sizeof *useless; i++) {
		struct arena arena;
		struct sums  sums;
		struct error err = { 0 };

		arena_init(&arena, 1 << 20);
		CHECK(!sums_parse(useless[i], strlen(useless[i]), &arena, &sums, &err)
			&& err.kind == ERROR_CORRUPT, "\"%s\"", useless[i]);
		CHECK_TEXT(err.slug, "sumsbad", "\"%s\"", useless[i]);
		arena_fini(&arena);
	}
}

static void
test_nul_in_name(void)
{
	static const char list[] = H "  a\0b\n" H "  c\n";
	struct arena      arena;
	struct sums       sums;
	struct error      err = { 0 };

	arena_init(&arena, 1 << 20);
	CHECK(sums_parse(list, sizeof list - 1, &arena, &sums, &err) && sums.count == 1
		&& sums.malformed == 1, "%zu lines", sums.count);
	arena_fini(&arena);
}

/* Lines as sha256sum of coreutils 9.1 printed them for these names. */
static void
test_write(void)
{
	static const char *const lines[][2] = {
		{ "model.safetensors", H "  model.safetensors\n" },
		{ "c (d)", H "  c (d)\n" },
		{ "a\nb", "\\" H "  a\\nb\n" },
		{ "a\rb", "\\" H "  a\\rb\n" },
		{ "a\\b", "\\" H "  a\\\\b\n" },
	};

	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		struct text text = { 0 };

		sums_write_line(&text, H, lines[i][0]);
		CHECK_TEXT(text.bytes, lines[i][1], "row %zu", i);
		text_free(&text);
	}
}

static void
test_digest(void)
{
	char hex[DIGEST_HEX_SIZE];

	CHECK(sums_parse_digest(H, hex) && strcmp(hex, H) == 0, "plain");
	CHECK(sums_parse_digest(UPPER, hex) && strcmp(hex, H) == 0, "upper case");
	CHECK(sums_parse_digest("sha256:" H, hex) && strcmp(hex, H) == 0, "with prefix");
	CHECK(!sums_parse_digest("", hex), "empty");
	CHECK(!sums_parse_digest(H "0", hex), "65 digits");
	CHECK(!sums_parse_digest(H " ", hex), "a blank");
	CHECK(!sums_parse_digest(&H[1], hex), "63 digits");
	CHECK(!sums_parse_digest("g" H, hex), "no digit");
	CHECK(!sums_parse_digest("sha512:" H, hex), "another prefix");
}

int
main(void)
{
	test_parse();
	test_nul_in_name();
	test_write();
	test_digest();
	return check_end("sums");
}
