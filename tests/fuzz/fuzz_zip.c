#include "fuzz.h"

#include "container/zip_archive.h"

/* The directory of a zip under both rule sets, and every small record of it. */
void
fuzz_one(const uint8_t *bytes, size_t length)
{
	struct input_file *file = memory_file_open(bytes, length);

	for (int rules = ZIP_TORCH; rules <= ZIP_DOWNLOAD; rules++) {
		struct byte_stream *stream = memory_file_stream(file);
		struct error        err = { 0 };
		struct zip_archive *archive = zip_archive_open(stream, (enum zip_rules)rules, &err);

		for (size_t i = 0; archive != NULL && i < zip_archive_count(archive) && i < 100; i++)
			free(zip_archive_read_record(archive, zip_archive_record(archive, i), 1 << 20,
				&err));
		zip_archive_close(archive);
		byte_stream_close(stream);
	}
	input_file_close(file);
}
