#include "container/zip_archive.h"

#include "check.h"
#include "memory_file.h"
#include "zip_bases.h"

static struct input_file *
sparse_file(uint64_t length, int *fd)
{
	*fd = memfd_create("sparse", MFD_CLOEXEC);
	memory_file_must(*fd >= 0 && ftruncate(*fd, (off_t)length) == 0, "memfd");
	return memory_file_adopt(dup(*fd));
}

static void
put_at(int fd, uint64_t offset, const struct zip_builder *bytes)
{
	memory_file_must(pwrite(fd, bytes->bytes, bytes->length, (off_t)offset)
		== (ssize_t)bytes->length, "pwrite");
}

/* A directory that has room for the entries, all zeros: the count alone is refused. */
static void
test_many_names(void)
{
	static const struct { uint64_t count; const char *slug, *text; } counts[] = {
		{ 10000000, "manynames", "archive has 10000000 entries (limit 1000000)" },
		{ 1000001, "manynames", "archive has 1000001 entries (limit 1000000)" },
		{ 1000000, "cdbad", "no entry of the directory where one must be" },
	};

	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
		uint64_t            directory = 46 * counts[i].count;
		struct zip_builder  end = { 0 };
		struct error        err = { 0 };
		struct input_file  *file;
		struct byte_stream *stream;
		int                 fd;

		builder_finish(&end, NULL, STYLE_TORCH);
		builder_put(&end, 24, 8, counts[i].count);
		builder_put(&end, 32, 8, counts[i].count);
		builder_put(&end, 40, 8, directory);
		builder_put(&end, end.locator + 8, 8, directory);
		builder_put(&end, end.end + 8, 8, UINT64_MAX);
		builder_put(&end, end.end + 16, 4, UINT32_MAX);
		file = sparse_file(directory + end.length, &fd);
		put_at(fd, directory, &end);
		stream = memory_file_stream(file);
		CHECK(zip_archive_open(stream, ZIP_DOWNLOAD, &err) == NULL, "%s", counts[i].text);
		CHECK_TEXT(err.slug, counts[i].slug, "%s", counts[i].text);
		CHECK_TEXT(err.text, counts[i].text, "%s", counts[i].slug);
		byte_stream_close(stream);
		input_file_close(file);
		close(fd);
		builder_free(&end);
	}
}

static void
large_central(struct zip_builder *to, const char *name, uint64_t size, uint64_t offset)
{
	bool     large = size >= 0xffffffff, far = offset >= 0xffffffff;
	unsigned extra = (large ? 16u : 0u) + (far ? 8u : 0u);

	builder_bytes(to, "PK\1\2\0\0\0\0\x08\x08\0\0\0\0\0\0", 16);
	builder_number(to, 4, crc32_of_zeros(size));
	builder_number(to, 4, large ? 0xffffffff : size);
	builder_number(to, 4, large ? 0xffffffff : size);
	builder_number(to, 2, strlen(name));
	builder_number(to, 2, extra > 0 ? extra + 4 : 0);
	builder_number(to, 8, 0);
	builder_number(to, 2, 0);
	builder_number(to, 4, far ? 0xffffffff : offset);
	builder_bytes(to, name, strlen(name));
	if (extra > 0) {
		builder_number(to, 2, 1);
		builder_number(to, 2, extra);
	}
	for (unsigned i = 0; large && i < 2; i++)
		builder_number(to, 8, size);
	if (far)
		builder_number(to, 8, offset);
}

static void
large_end(struct zip_builder *to, uint64_t count, uint64_t size, uint64_t offset)
{
	struct zip_builder end = { 0 };

	builder_finish(&end, NULL, STYLE_TORCH);
	builder_put(&end, 24, 8, count);
	builder_put(&end, 32, 8, count);
	builder_put(&end, 40, 8, size);
	builder_put(&end, 48, 8, offset);
	builder_put(&end, end.locator + 8, 8, offset + size);
	builder_put(&end, end.end + 8, 4, count | count << 16);
	builder_put(&end, end.end + 12, 4, size);
	builder_put(&end, end.end + 16, 4, offset < UINT32_MAX ? offset : UINT32_MAX);
	builder_bytes(to, end.bytes, end.length);
	builder_free(&end);
}

/* Row 53: one record of `size` zeros and a small one behind it. */
static void
test_large(uint64_t size)
{
	static const char *const names[] = { "archive/data.pkl", "archive/data/0" };
	uint64_t            sizes[] = { size, 5 }, at = 0, data[2], headers[2], directory;
	struct zip_builder  central = { 0 };
	struct error        err = { 0 };
	struct input_file  *file;
	struct byte_stream *stream;
	struct zip_archive *archive;
	int                 fd = memfd_create("large", MFD_CLOEXEC);

	for (size_t i = 0; i < 2; i++) {
		struct zip_builder piece = { 0 };
		bool               wide = sizes[i] >= 0xffffffff || at >= 0xffffffff;

		headers[i] = at;
		large_central(&central, names[i], sizes[i], at);
		large_local(&piece, names[i], sizes[i], at);
		put_at(fd, at, &piece);
		data[i] = at + piece.length;
		at = data[i] + sizes[i];
		piece.length = 0;
		builder_bytes(&piece, "PK\7\10", 4);
		builder_number(&piece, 4, crc32_of_zeros(sizes[i]));
		builder_number(&piece, wide ? 8 : 4, sizes[i]);
		builder_number(&piece, wide ? 8 : 4, sizes[i]);
		put_at(fd, at, &piece);
		at += piece.length;
		builder_free(&piece);
	}
	directory = central.length;
	large_end(&central, 2, directory, at);
	put_at(fd, at, &central);
	builder_free(&central);
	file = memory_file_adopt(fd);
	stream = memory_file_stream(file);
	archive = zip_archive_open(stream, ZIP_TORCH, &err);
	CHECK(archive != NULL, "%llu: %s: %s", (unsigned long long)size, err.slug, err.text);
	for (size_t i = 0; archive != NULL && i < 2; i++) {
		const struct zip_record *record = zip_archive_record(archive, i);

		CHECK(record->header_offset == headers[i] && record->data_offset == data[i]
			&& record->length == sizes[i] && record->stored_length == sizes[i],
			"%llu: record %zu", (unsigned long long)size, i);
	}
	zip_archive_close(archive);
	byte_stream_close(stream);
	input_file_close(file);
}

int
main(void)
{
	test_many_names();
	for (unsigned i = 0; i < 4; i++)
		test_large(((uint64_t)1 << 32) - 2 + i);
	test_large((uint64_t)5 << 30);
	test_large(((uint64_t)1 << 32) - 100);
	return check_end("zip_large");
}
