#include "container/zip_opinion.h"

#include "container/zip_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zip.h>

/* Takes *libzip over.  Where memory ends within libzip it may say that there is no archive;
 * errno still tells. */
static bool
fail_libzip(zip_error_t *libzip, bool was_no_memory, struct error *err)
{
	int code = zip_error_code_zip(libzip);

	if (code == ZIP_ER_MEMORY || was_no_memory)
		error_no_memory(err, 0);
	else if (code == ZIP_ER_READ || code == ZIP_ER_SEEK || code == ZIP_ER_TELL)
		error_set(err, ERROR_NO_INPUT, "eio", "cannot read it: %s",
			zip_error_strerror(libzip));
	else
		error_set(err, ERROR_CORRUPT, "libzip", "libzip refuses the archive: %s",
			zip_error_strerror(libzip));
	zip_error_fini(libzip);
	return false;
}

/* libzip reads through a descriptor of its own, so that no path is opened twice.  The copy
 * shares its cursor with ours, which nobody uses: we read by offset. */
static zip_t *
open_range(const struct byte_stream *stream, int flags, struct error *err)
{
	zip_source_t *source = NULL;
	zip_t        *archive = NULL;
	zip_error_t   libzip;
	FILE         *handle = NULL;
	bool          was_no_memory;
	int           copy, held = input_file_hold(byte_stream_file(stream), err);

	if (held < 0)
		return NULL;
	copy = fcntl(held, F_DUPFD_CLOEXEC, 3);
	input_file_release(byte_stream_file(stream));
	if (copy < 0 || (handle = fdopen(copy, "rb")) == NULL) {
		error_os(err, ERROR_NO_INPUT, "noinput", "cannot open it once more");
		if (copy >= 0)
			close(copy);
		return NULL;
	}
	zip_error_init(&libzip);
	errno = 0;
	source = zip_source_filep_create(handle, byte_stream_file_offset(stream),
		(zip_int64_t)byte_stream_length(stream), &libzip);
	if (source != NULL)
		archive = zip_open_from_source(source, flags, &libzip);
	was_no_memory = errno == ENOMEM;
	if (source == NULL)
		fclose(handle);
	else if (archive == NULL)
		zip_source_free(source);
	if (archive == NULL)
		fail_libzip(&libzip, was_no_memory, err);
	else
		zip_error_fini(&libzip);
	return archive;
}

static bool
same_record(zip_t *archive, zip_uint64_t index, const struct zip_names *names,
	struct error *err)
{
	const zip_uint64_t      wanted = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_CRC
		| ZIP_STAT_COMP_METHOD;
	const char             *name = zip_get_name(archive, index, ZIP_FL_ENC_RAW);
	const struct zip_entry *entry = name != NULL ? zip_names_find(names, name) : NULL;
	zip_stat_t              status;

	if (entry == NULL)
		return error_set(err, ERROR_UNSAFE, "libzip",
			"libzip finds a record %s that the directory does not list",
			name != NULL ? name : "without a name");
	if (zip_stat_index(archive, index, 0, &status) == 0
	    && (status.valid & wanted) == wanted && status.size == entry->record.length
	    && status.comp_size == entry->record.stored_length
	    && status.crc == entry->record.crc && status.comp_method == entry->record.method)
		return true;
	error_set(err, ERROR_UNSAFE, "libzip",
		"libzip reads other sizes or another checksum from the directory");
	return error_in_member(err, name);
}

bool
zip_opinion_agrees(const struct byte_stream *stream, const struct zip_names *names,
	size_t count, bool is_strict, struct error *err)
{
	zip_t       *archive = open_range(stream,
		is_strict ? ZIP_RDONLY | ZIP_CHECKCONS : ZIP_RDONLY, err);
	zip_int64_t  listed;
	bool         agrees;

	if (archive == NULL)
		return false;
	listed = zip_get_num_entries(archive, 0);
	agrees = listed >= 0 && (zip_uint64_t)listed == count;
	if (!agrees)
		error_set(err, ERROR_UNSAFE, "libzip",
			"libzip lists %" PRId64 " records, the directory %zu", (int64_t)listed, count);
	for (size_t i = 0; agrees && i < count; i++)
		agrees = same_record(archive, i, names, err);
	zip_discard(archive);
	return agrees;
}
