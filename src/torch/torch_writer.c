#include "torch/torch_writer.h"

#include "base/checked.h"
#include "container/crc32.h"
#include "torch/torch_record.h"
#include "torch/torch_writer_pickle.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/*
 * pytorch_model.bin, a zip of stored records (their bytes: torch_record.c):
 *
 *   ROOT/data.pkl     the pickle: names, dtypes, shapes (torch_writer_pickle.c)
 *   ROOT/byteorder    "little"; torch before 2.1 does not look
 *   ROOT/data/0       the bytes of the storages, each from a multiple of 64 on
 *   ROOT/data/1
 *   ...
 *   ROOT/version      "3\n"; torch refuses a file without it
 *   directory, end records
 *
 * There is no .format_version on purpose: with it readers compute where the storages lie, from
 * torch's own padding and descriptors, instead of looking in the directory.  Nor is there
 * .data/serialization_id, which nobody needs.
 */
#define BYTE_ORDER_TEXT "little"
#define VERSION_TEXT    "3\n"
#define ROOT_MOST       255
#define NAME_SIZE       (ROOT_MOST + sizeof "/data/18446744073709551615")

/* Index of a record. */
enum { RECORD_PICKLE, RECORD_BYTE_ORDER, RECORD_STORAGES };

struct torch_writer {
	char                *root;
	struct text          pickle;
	struct torch_record *records;           /* in the order of the file */
	size_t               storage_count;
	uint64_t             directory_bytes;
};

/* Of a record that is no storage. */
struct content {
	const char *bytes;
	size_t      length;
};

/* What all tensors of a storage must agree on. */
struct storage {
	enum dtype dtype;
	uint64_t   count;                       /* elements */
};

static size_t
version_index(const struct torch_writer *writer)
{
	return RECORD_STORAGES + writer->storage_count;
}

static uint64_t
directory_offset(const struct torch_writer *writer)
{
	return torch_record_end(&writer->records[version_index(writer)]);
}

static const char *
record_name(const struct torch_writer *writer, size_t index, char to[NAME_SIZE])
{
	if (index == RECORD_PICKLE)
		return text_format(to, NAME_SIZE, "%s/data.pkl", writer->root);
	if (index == RECORD_BYTE_ORDER)
		return text_format(to, NAME_SIZE, "%s/byteorder", writer->root);
	if (index == version_index(writer))
		return text_format(to, NAME_SIZE, "%s/version", writer->root);
	return text_format(to, NAME_SIZE, "%s/data/%zu", writer->root, index - RECORD_STORAGES);
}

/* false: it is a storage, whose bytes somebody else has. */
static bool
find_content(const struct torch_writer *writer, size_t index, struct content *content)
{
	if (index == RECORD_PICKLE)
		*content = (struct content){ writer->pickle.bytes, writer->pickle.length };
	else if (index == RECORD_BYTE_ORDER)
		*content = (struct content){ BYTE_ORDER_TEXT, strlen(BYTE_ORDER_TEXT) };
	else if (index == version_index(writer))
		*content = (struct content){ VERSION_TEXT, strlen(VERSION_TEXT) };
	else
		return false;
	return true;
}

/* ---- what is asked for -------------------------------------------------------------- */

static bool
check_root(const char *root, struct error *err)
{
	size_t length = strlen(root);

	if (length > 0 && length <= ROOT_MOST && strchr(root, '/') == NULL
	    && text_is_utf8(root, length))
		return true;
	return error_set(err, ERROR_INTERNAL, "ptroot",
		"\"%.150s\" cannot be the folder of a torch file", root);
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A dict that is told a key twice keeps the last, in silence. */
static bool
check_names(const struct torch_writer_tensor *tensors, size_t count, struct error *err)
{
	const char **names = calloc(count + 1, sizeof *names);
	bool         done = true;

	if (names == NULL)
		return error_no_memory(err, (count + 1) * sizeof *names);
	for (size_t i = 0; i < count; i++)
		names[i] = tensors[i].name;
	qsort(names, count, sizeof *names, compare_names);
	for (size_t i = 0; i < count && done; i++) {
		size_t length = strlen(names[i]);

		if (length > UINT32_MAX || !text_is_utf8(names[i], length))
			done = error_set(err, ERROR_INTERNAL, "ptname",
				"\"%.150s\" cannot be the name of a tensor", names[i]);
		else if (i > 0 && strcmp(names[i], names[i - 1]) == 0)
			done = error_set(err, ERROR_INTERNAL, "ptname",
				"tensor \"%.150s\" is to be written twice", names[i]);
	}
	free(names);
	return done;
}

/* Elements of a tensor; torch keeps them, the bytes and the strides as signed numbers. */
static bool
count_elements(const struct torch_writer_tensor *tensor, uint64_t *count, struct error *err)
{
	uint64_t extent = dtype_size(tensor->dtype);    /* an empty tensor has strides too */

	if (tensor->rank > TENSOR_MAX_RANK || extent == 0)
		return error_set(err, ERROR_INTERNAL, "ptshape",
			"no tensor has dtype %s and %u dimensions", dtype_name(tensor->dtype),
			tensor->rank);
	*count = 1;
	for (unsigned i = 0; i < tensor->rank; i++) {
		uint64_t size = tensor->shape[i];

		if (!checked_multiply(extent, size > 0 ? size : 1, &extent) || extent > INT64_MAX)
			return error_set(err, ERROR_LIMIT, "ptsize",
				"the tensor is too large for a file");
		*count *= size;
	}
	return true;
}

/* The next storage, or one that was used before. */
static bool
take_storage(struct torch_writer *writer, struct storage *storages,
	const struct torch_writer_tensor *tensor, struct error *err)
{
	struct storage *storage;
	uint64_t        count = 0;

	if (!count_elements(tensor, &count, err))
		return false;
	if (tensor->storage > writer->storage_count)
		return error_set(err, ERROR_INTERNAL, "ptorder",
			"storage %zu comes before storage %zu", tensor->storage,
			writer->storage_count);
	storage = &storages[tensor->storage];
	if (tensor->storage == writer->storage_count) {
		*storage = (struct storage){ tensor->dtype, count };
		writer->storage_count++;
	} else if (storage->dtype != tensor->dtype || storage->count != count) {
		return error_set(err, ERROR_INTERNAL, "ptshared",
			"storage %zu has %" PRIu64 " elements of %s for one tensor and %" PRIu64
			" of %s for another", tensor->storage, storage->count,
			dtype_name(storage->dtype), count, dtype_name(tensor->dtype));
	}
	return true;
}

/* ---- layout ------------------------------------------------------------------------- */

static bool
make_pickle(struct torch_writer *writer, const struct torch_writer_tensor *tensors,
	size_t count, struct error *err)
{
	torch_writer_pickle_add(&writer->pickle, tensors, count);
	return !writer->pickle.failed || error_no_memory(err, writer->pickle.length);
}

static uint64_t
record_bytes(const struct torch_writer *writer, const struct storage *storages, size_t index)
{
	struct content content;

	if (find_content(writer, index, &content))
		return content.length;
	storages += index - RECORD_STORAGES;
	return storages->count * dtype_size(storages->dtype);
}

static bool
place_records(struct torch_writer *writer, const struct storage *storages, struct error *err)
{
	size_t   count = version_index(writer) + 1;
	uint64_t at = 0;

	if ((writer->records = calloc(count, sizeof *writer->records)) == NULL)
		return error_no_memory(err, count * sizeof *writer->records);
	for (size_t i = 0; i < count; i++) {
		struct torch_record *record = &writer->records[i];
		char                 space[NAME_SIZE];
		const char          *name = record_name(writer, i, space);

		if (!torch_record_place(record, name, at, record_bytes(writer, storages, i)))
			return error_set(err, ERROR_LIMIT, "ptsize",
				"the tensors are too large for a file");
		at = torch_record_end(record);
		writer->directory_bytes += torch_record_entry_bytes(record, name);
	}
	/* No overflow: the records end below 2^63, and a directory is made in memory. */
	if (torch_writer_file_bytes(writer) > INT64_MAX)
		return error_set(err, ERROR_LIMIT, "ptsize",
			"the tensors are too large for a file");
	return true;
}

struct torch_writer *
torch_writer_open(const char *root, const struct torch_writer_tensor *tensors, size_t count,
	struct error *err)
{
	struct torch_writer *writer = calloc(1, sizeof *writer);
	struct storage      *storages = calloc(count + 1, sizeof *storages);
	bool                 done = false;

	if (writer == NULL || storages == NULL || (writer->root = strdup(root)) == NULL) {
		error_no_memory(err, count * sizeof *storages);
		goto out;
	}
	if (!check_root(root, err) || !check_names(tensors, count, err))
		goto out;
	for (size_t i = 0; i < count; i++) {
		if (!take_storage(writer, storages, &tensors[i], err)) {
			error_in_tensor(err, tensors[i].name);
			goto out;
		}
	}
	done = make_pickle(writer, tensors, count, err) && place_records(writer, storages, err);
out:
	free(storages);
	if (!done) {
		torch_writer_close(writer);
		writer = NULL;
	}
	return writer;
}

size_t
torch_writer_storage_count(const struct torch_writer *writer)
{
	return writer->storage_count;
}

uint64_t
torch_writer_offset(const struct torch_writer *writer, size_t storage)
{
	return writer->records[RECORD_STORAGES + storage].data_offset;
}

uint64_t
torch_writer_bytes(const struct torch_writer *writer, size_t storage)
{
	return writer->records[RECORD_STORAGES + storage].bytes;
}

uint64_t
torch_writer_file_bytes(const struct torch_writer *writer)
{
	return directory_offset(writer) + writer->directory_bytes + TORCH_RECORD_END_BYTES;
}

/* ---- bytes -------------------------------------------------------------------------- */

static void
add_header(const struct torch_writer *writer, size_t index, uint32_t crc, struct text *to)
{
	char name[NAME_SIZE];

	torch_record_add_header(&writer->records[index], record_name(writer, index, name), crc, to);
}

/* A record that is no storage. */
static void
add_record(const struct torch_writer *writer, size_t index, struct text *to)
{
	struct content content = { 0 };

	find_content(writer, index, &content);
	add_header(writer, index, crc32_of(0, content.bytes, content.length), to);
	text_add_bytes(to, content.bytes, content.length);
}

static void
add_entry(const struct torch_writer *writer, size_t index, const uint32_t *crcs,
	struct text *to)
{
	struct content content;
	char           name[NAME_SIZE];
	uint32_t       crc = find_content(writer, index, &content)
		? crc32_of(0, content.bytes, content.length) : crcs[index - RECORD_STORAGES];

	torch_record_add_entry(&writer->records[index], record_name(writer, index, name), crc, to);
}

void
torch_writer_add_front(const struct torch_writer *writer, size_t storage, uint32_t crc,
	struct text *to)
{
	if (storage == 0) {
		add_record(writer, RECORD_PICKLE, to);
		add_record(writer, RECORD_BYTE_ORDER, to);
	}
	add_header(writer, RECORD_STORAGES + storage, crc, to);
}

void
torch_writer_add_tail(const struct torch_writer *writer, const uint32_t *crcs, struct text *to)
{
	size_t count = version_index(writer) + 1;

	if (writer->storage_count == 0) {
		add_record(writer, RECORD_PICKLE, to);
		add_record(writer, RECORD_BYTE_ORDER, to);
	}
	add_record(writer, version_index(writer), to);
	for (size_t i = 0; i < count; i++)
		add_entry(writer, i, crcs, to);
	torch_record_add_end(count, directory_offset(writer), writer->directory_bytes, to);
}

void
torch_writer_close(struct torch_writer *writer)
{
	if (writer == NULL)
		return;
	free(writer->root);
	free(writer->records);
	text_free(&writer->pickle);
	free(writer);
}
