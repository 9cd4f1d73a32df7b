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

/* A download of which only the size arrived; how many zeros there are is not counted to the end. */
static void
test_zeros(void)
{
	static const struct { off_t length; const char *text; } files[] = {
		{ 100, "zip end record missing; the last 100 bytes are zero" },
		{ 70 << 20, "zip end record missing; at least the last 67108864 bytes are zero" },
	};

	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		int                 fd = memfd_create("zeros", MFD_CLOEXEC);
		struct error        err = { 0 };
		struct input_file  *file;
		struct byte_stream *stream;

		memory_file_must(fd >= 0 && ftruncate(fd, files[i].length) == 0, "ftruncate");
		file = memory_file_adopt(fd);
		stream = memory_file_stream(file);
		CHECK(!try_stream(stream, ZIP_TORCH, &err) && err.kind == ERROR_CORRUPT
			&& strstr(err.text, files[i].text) != NULL, "%s", err.text);
		CHECK_TEXT(err.slug, "zerotail", "%s", err.text);
		byte_stream_close(stream);
		input_file_close(file);
	}
}

/* A download that was cut right behind an archive that lies stored in it. */
static void
test_cut_behind_inner(void)
{
	struct zip_builder inner = make_base(BASE_TORCH), outer;
	struct zip_part    part = { "release/mp_rank_00/model_optim_rng.pt", NULL, 0, 0, 0, 0 };
	struct error       err = { 0 };
	char               text[80];

	part.data = (const char *)inner.bytes;
	part.data_length = inner.length;
	outer = builder_make(&part, 1, STYLE_PLAIN);
	snprintf(text, sizeof text, "truncated: zip end record missing; file is %zu bytes",
		outer.data[0] + inner.length);
	CHECK(!try_bytes(outer.bytes, outer.data[0] + inner.length, ZIP_DOWNLOAD, &err)
		&& err.kind == ERROR_CORRUPT, "cut");
	CHECK_TEXT(err.slug, "truncated", "%s", err.text);
	CHECK_TEXT(err.text, text, "cut");
	builder_free(&inner);
	builder_free(&outer);
}

/* End records with nothing, or with no record, before them. */
static void
test_ends_alone(void)
{
#define END_OF_NONE(offset) "PK\5\6\0\0\0\0\0\0\0\0\0\0\0\0" offset "\0\0\0\0\0"
	static const struct {
		const char *bytes;
		size_t      length;
		const char *slug, *text;
	} files[] = {
		{ "PK\6\7\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0" END_OF_NONE("\0"), 42, "cdbad",
			"no zip64 end record" },
		{ "abcd" END_OF_NONE("\0"), 26, "gapcd", "4 bytes at offset 0 belong to no record" },
		{ "abcd" END_OF_NONE("\4"), 26, "gapcd", "4 bytes at offset 0 belong to no record" },
		{ END_OF_NONE("\0"), 22, "", "" },
	};

	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		struct error err = { 0 };

		try_bytes((const unsigned char *)files[i].bytes, files[i].length, ZIP_DOWNLOAD,
			&err);
		CHECK_TEXT(err.slug, files[i].slug, "end %zu", i);
		CHECK_TEXT(err.text, files[i].text, "end %zu", i);
	}
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
	test_zeros();
	test_cut_behind_inner();
	test_ends_alone();
	test_joined();
	test_text_transfer();
	test_mutations();
	return check_end("zip_damage");
}
