#include "container/zip_archive.h"

#include "check.h"
#include "memory_file.h"
#include "zip_bases.h"

/* Every possible end of a download that did not complete. */
static void
test_cuts(void)
{
	for (int base = BASE_TORCH; base <= BASE_DEFLATED; base++) {
		struct zip_builder zip = make_base((enum base)base);

		for (size_t length = 0; length < zip.length; length++) {
			struct error err = { 0 };

			CHECK(!try_bytes(zip.bytes, length, ZIP_TORCH, &err)
				&& err.kind == ERROR_CORRUPT, "base %d cut to %zu: %s", base, length,
				err.text);
			CHECK(strncmp(err.text, "truncated: zip end record missing; ", 35) == 0,
				"base %d cut to %zu: %s", base, length, err.text);
		}
		builder_free(&zip);
	}
}

static void
test_zero_tail(void)
{
	struct zip_builder zip = make_base(BASE_TORCH);
	struct error       err = { 0 };

	memset(zip.bytes + 300, 0, zip.length - 300);
	zip.bytes[299] = 1;
	CHECK(!try_bytes(zip.bytes, zip.length, ZIP_TORCH, &err), "zero tail");
	CHECK_TEXT(err.slug, "zerotail", "zero tail");
	CHECK(err.kind == ERROR_CORRUPT && strstr(err.text, "the last ") != NULL, "%s", err.text);
	builder_free(&zip);
}

/* Two archives one behind the other. */
static void
test_joined(void)
{
	for (int base = BASE_TORCH; base <= BASE_DEFLATED; base++) {
		struct zip_builder zip = make_base((enum base)base);
		struct zip_builder first = make_base((enum base)base);
		struct error       err = { 0 };
		char               text[60];

		snprintf(text, sizeof text, "second archive starts at offset %zu", zip.length);
		builder_insert(&zip, 0, first.bytes, first.length);
		builder_free(&first);
		CHECK(!try_bytes(zip.bytes, zip.length, ZIP_DOWNLOAD, &err)
			&& err.kind == ERROR_UNSAFE, "base %d", base);
		CHECK_TEXT(err.text, text, "base %d", base);
		CHECK_TEXT(err.slug, "concat", "base %d", base);
		builder_free(&zip);
	}
}

static void
test_text_transfer(void)
{
	static const char lines[] = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n16\n17\n";
	struct zip_part    part = { "r/x", lines, sizeof lines - 1, 0, 0, 0 };
	struct zip_builder zip = builder_make(&part, 1, STYLE_TORCH);
	struct error       err = { 0 };

	for (size_t i = zip.length; i-- > 0;) {
		if (zip.bytes[i] == '\n')
			builder_insert(&zip, i, "\r", 1);
	}
	CHECK(!try_bytes(zip.bytes, zip.length, ZIP_TORCH, &err) && err.kind == ERROR_CORRUPT,
		"text transfer");
	CHECK_TEXT(err.slug, "crlf", "%s", err.text);
	builder_free(&zip);
}

/* A few bytes changed anywhere, thousands of times: a value or a reason, never a crash. */
static void
test_mutations(void)
{
	uint64_t random = 12345;
	unsigned opened = 0;

	for (unsigned i = 0; i < 6000; i++) {
		struct zip_builder zip = make_base((enum base)(i % 3));
		struct error       err = { 0 };

		for (unsigned edits = i % 4 + 1; edits > 0; edits--) {
			random = random * 6364136223846793005u + 1442695040888963407u;
			zip.bytes[(random >> 33) % zip.length] ^= (unsigned char)(1 << (random >> 28) % 8);
		}
		opened += try_bytes(zip.bytes, zip.length, i % 2 ? ZIP_TORCH : ZIP_DOWNLOAD, &err);
		builder_free(&zip);
	}
	CHECK(opened > 10 && opened < 3000, "%u of 6000 opened", opened);
}

int
main(void)
{
	test_cuts();
	test_zero_tail();
	test_joined();
	test_text_transfer();
	test_mutations();
	return check_end("zip_damage");
}
