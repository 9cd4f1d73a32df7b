#include "gpt2/safetensors.h"
#include "base/checked.h"
#include "base/json.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/*
 * A safetensors file:
 *
 *   8 bytes   N, little-endian
 *   N bytes   JSON object, padded with blanks to a multiple of 8:
 *             {"__metadata__":{"format":"pt"},
 *              "NAME":{"dtype":"F16","shape":[1024,3072],"data_offsets":[BEGIN,END]},...}
 *   the rest  the tensors, row-major and little-endian, without gaps; BEGIN and END count
 *             from here
 *
 * The reference writer puts wide dtypes first and sorts by name inside one, so every tensor
 * is aligned; a reader may not rely on that order.
 */
#define LENGTH_BYTES 8
#define PADDING      8
#define METADATA_KEY "__metadata__"

/* cJSON takes about 64 bytes for a value; a header of 100 MB could hold 50 million. */

/* ---- writing ---------------------------------------------------------------------- */

/* Place of a dtype in the reference's list, from the narrowest alignment to the widest. */
static unsigned
dtype_rank(enum dtype dtype)
{
	static const enum dtype ascending[] = {
		DTYPE_BOOL, DTYPE_UINT8, DTYPE_INT8, DTYPE_INT16, DTYPE_FLOAT16, DTYPE_BFLOAT16,
		DTYPE_INT32, DTYPE_FLOAT32, DTYPE_FLOAT64, DTYPE_INT64,
	};
	unsigned rank = 0;

	while (rank < sizeof ascending / sizeof *ascending && ascending[rank] != dtype)
		rank++;
	return rank;
}

static int
compare_for_writing(const void *a, const void *b)
{
	const struct safetensors_tensor *x = a, *y = b;
	const unsigned                   x_rank = dtype_rank(x->dtype), y_rank = dtype_rank(y->dtype);

	if (x_rank != y_rank)
		return x_rank > y_rank ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* Bytes of a tensor by its shape; false: more than 64 bits can count. */
static bool
shape_bytes(const struct safetensors_tensor *tensor, uint64_t *bytes)
{
	*bytes = dtype_size(tensor->dtype);
	for (unsigned i = 0; i < tensor->rank; i++) {
		if (!checked_multiply(*bytes, tensor->shape[i], bytes))
			return false;
	}
	return true;
}

static void
write_entry(struct json_writer *w, const struct safetensors_tensor *tensor)
{
	json_open_member(w, tensor->name, '{');
	json_add_string(w, "dtype", dtype_safetensors_name(tensor->dtype));
	json_open_member(w, "shape", '[');
	for (unsigned i = 0; i < tensor->rank; i++)
		json_write_u64(w, tensor->shape[i]);
	json_close(w, ']');
	json_open_member(w, "data_offsets", '[');
	json_write_u64(w, tensor->offset);
	json_write_u64(w, tensor->offset + tensor->bytes);
	json_close(w, ']');
	json_close(w, '}');
}

static void
write_header(const struct safetensors_tensor *tensors, size_t count, struct text *header)
{
	struct json_writer w = { .to = header };
	uint64_t           length;

	text_add_bytes(header, "\0\0\0\0\0\0\0\0", LENGTH_BYTES);
	json_open(&w, '{');
	json_open_member(&w, METADATA_KEY, '{');
	json_add_string(&w, "format", "pt");
	json_close(&w, '}');
	for (size_t i = 0; i < count; i++)
		write_entry(&w, &tensors[i]);
	json_close(&w, '}');
	while (!header->failed && header->length % PADDING != 0)
		text_add_bytes(header, " ", 1);
	if (header->failed)
		return;
	length = header->length - LENGTH_BYTES;
	for (unsigned i = 0; i < LENGTH_BYTES; i++)
		header->bytes[i] = (char)(length >> 8 * i & 0xff);
}

/* Offsets from the start of the data, in the order of the table. */
static bool
place_tensors(struct safetensors_tensor *tensors, size_t count, uint64_t *data_bytes,
	struct error *err)
{
	*data_bytes = 0;
	for (size_t i = 0; i < count; i++) {
		struct safetensors_tensor *tensor = &tensors[i];

		if (i > 0 && strcmp(tensor->name, tensors[i - 1].name) == 0)
			return error_set(err, ERROR_INTERNAL, "stname",
				"tensor \"%.150s\" is to be written twice", tensor->name);
		tensor->offset = *data_bytes;
		if (!shape_bytes(tensor, &tensor->bytes)
		    || !checked_add(*data_bytes, tensor->bytes, data_bytes)) {
			error_set(err, ERROR_LIMIT, "stsize", "the tensors are too large for a file");
			return error_in_tensor(err, tensor->name);
		}
	}
	return true;
}

bool
safetensors_lay_out(struct safetensors_tensor *tensors, size_t count, struct text *header,
	uint64_t *file_bytes, struct error *err)
{
	uint64_t data_bytes;

	if (count > 0)
		qsort(tensors, count, sizeof *tensors, compare_for_writing);
	if (!place_tensors(tensors, count, &data_bytes, err))
		return false;
	write_header(tensors, count, header);
	if (header->failed)
		return error_no_memory(err, header->length);
	if (header->length - LENGTH_BYTES > SAFETENSORS_MAX_HEADER)
		return error_set(err, ERROR_LIMIT, "vstmany",
			"a header of %zu bytes is too large (at most %d)",
			header->length - LENGTH_BYTES, SAFETENSORS_MAX_HEADER);
	if (!checked_add(data_bytes, header->length, file_bytes))
		return error_set(err, ERROR_LIMIT, "stsize", "the tensors are too large for a file");
	for (size_t i = 0; i < count; i++)
		tensors[i].offset += header->length;
	return true;
}

/* ---- reading ---------------------------------------------------------------------- */

bool
safetensors_header_bytes(const unsigned char first[8], uint64_t file_bytes,
	uint64_t *header_bytes, struct error *err)
{
	uint64_t length;

	if (file_bytes < LENGTH_BYTES)
		return error_set(err, ERROR_CORRUPT, "vst8", "header too small: the file has %"
			PRIu64 " bytes (expected at least 8)", file_bytes);
	length = checked_u64(first);
	if (length == 0)
		return error_set(err, ERROR_CORRUPT, "vst8",
			"header too small: its length is 0");
	if (length > file_bytes - LENGTH_BYTES)
		return error_set(err, ERROR_CORRUPT, "vst8", "invalid header length: %" PRIu64
			" bytes, the file has %" PRIu64, length, file_bytes);
	if (length > SAFETENSORS_MAX_HEADER)
		return error_set(err, ERROR_LIMIT, "vstmany", "header too large: %" PRIu64
			" bytes (at most %d)", length, SAFETENSORS_MAX_HEADER);
	*header_bytes = LENGTH_BYTES + length;
	return true;
}

/* Formats of the reference's list that no tensor of ours has. */
static bool
is_foreign_dtype(const char *name)
{
	static const char *const foreign[] = {
		"F4", "F6_E2M3", "F6_E3M2", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ",
		"F8_E5M2FNUZ", "U16", "U32", "U64", "C64",
	};

	for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
		if (strcmp(name, foreign[i]) == 0)
			return true;
	}
	return false;
}

static bool
parse_dtype(const struct json *entry, enum dtype *dtype, struct error *err)
{
	const char *name = json_string(json_member(entry, "dtype"));

	if (name == NULL)
		return error_set(err, ERROR_CORRUPT, "vstshape", "dtype is missing or no string");
	*dtype = dtype_of_safetensors_name(name);
	if (*dtype != DTYPE_UNKNOWN)
		return true;
	if (is_foreign_dtype(name))
		return error_set(err, ERROR_UNSUPPORTED, "vstshape",
			"dtype %s is not supported", name);
	return error_set(err, ERROR_CORRUPT, "vstshape", "unknown dtype \"%.60s\"", name);
}

static bool
parse_shape(const struct json *entry, struct safetensors_tensor *tensor, struct error *err)
{
	const struct json *list = json_member(entry, "shape");
	size_t             rank;

	if (list == NULL || json_kind(list) != JSON_ARRAY)
		return error_set(err, ERROR_CORRUPT, "vstshape", "shape is missing or no list");
	rank = json_count(list);
	if (rank > SAFETENSORS_MAX_RANK)
		return error_set(err, ERROR_UNSUPPORTED, "vstshape",
			"shape has %zu dimensions (at most %d)", rank, SAFETENSORS_MAX_RANK);
	for (const struct json *at = json_first(list); at != NULL; at = json_next(at)) {
		if (!json_u64(at, &tensor->shape[tensor->rank++]))
			return error_set(err, ERROR_CORRUPT, "vstshape",
				"shape holds what is not an integer from 0 to 2^53");
	}
	if (!shape_bytes(tensor, &tensor->bytes))
		return error_set(err, ERROR_CORRUPT, "vstshape",
			"overflow: the shape has more than 2^64 bytes");
	return true;
}

/* Relative to the data as they stand in the file; *end is one past the last byte. */
static bool
parse_offsets(const struct json *entry, struct safetensors_tensor *tensor, struct error *err)
{
	const struct json *list = json_member(entry, "data_offsets");
	uint64_t           end;

	if (list == NULL || json_kind(list) != JSON_ARRAY || json_count(list) != 2)
		return error_set(err, ERROR_CORRUPT, "vstov",
			"data_offsets is missing or not a list of two");
	if (!json_u64(json_first(list), &tensor->offset)
	    || !json_u64(json_next(json_first(list)), &end))
		return error_set(err, ERROR_CORRUPT, "vstov",
			"a data_offset is not an integer from 0 to 2^53");
	if (end < tensor->offset)
		return error_set(err, ERROR_CORRUPT, "vstov", "data_offsets [%" PRIu64 ", %" PRIu64
			"] are reversed: the end offset comes first", tensor->offset, end);
	if (end - tensor->offset != tensor->bytes)
		return error_set(err, ERROR_CORRUPT, "vstshape", "shape and dtype make %" PRIu64
			" bytes, data_offsets [%" PRIu64 ", %" PRIu64 "] hold %" PRIu64,
			tensor->bytes, tensor->offset, end, end - tensor->offset);
	return true;
}

static bool
parse_tensor(const struct json *entry, struct arena *arena, struct safetensors_tensor *tensor,
	struct error *err)
{
	const char *name = json_key(entry);

	if (json_kind(entry) != JSON_OBJECT) {
		error_set(err, ERROR_CORRUPT, "vstjson", "its entry is not a JSON object");
		return error_in_tensor(err, name);
	}
	if (!parse_dtype(entry, &tensor->dtype, err) || !parse_shape(entry, tensor, err)
	    || !parse_offsets(entry, tensor, err))
		return error_in_tensor(err, name);
	if ((tensor->name = arena_copy(arena, name, strlen(name))) == NULL)
		return error_no_memory(err, strlen(name));
	return true;
}

static bool
parse_metadata(const struct json *metadata, struct safetensors_index *index, struct error *err)
{
	if (json_kind(metadata) != JSON_OBJECT)
		return error_set(err, ERROR_CORRUPT, "vstjson", METADATA_KEY
			" is not a JSON object");
	for (const struct json *at = json_first(metadata); at != NULL; at = json_next(at)) {
		const char *value = json_string(at);

		if (value == NULL)
			return error_set(err, ERROR_CORRUPT, "vstjson", METADATA_KEY
				": the value of \"%.100s\" is not a string", json_key(at));
		if (strcmp(json_key(at), "format") == 0) {
			index->has_format = true;
			index->format_is_pt = strcmp(value, "pt") == 0;
		}
	}
	return true;
}

static int
compare_by_offset(const void *a, const void *b)
{
	const struct safetensors_tensor *x = a, *y = b;

	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* Sorted by offset, each tensor must begin where the one before ends, the last at the end of
 * the file.  Offsets become those from the start of the file. */
static bool
check_tiling(struct safetensors_index *index, uint64_t file_bytes, struct error *err)
{
	const uint64_t data_bytes = file_bytes - index->header_bytes;
	uint64_t       end = 0;

	for (size_t i = 0; i < index->count; i++) {
		struct safetensors_tensor *tensor = &index->tensors[i];

		if (tensor->offset != end) {
			error_set(err, ERROR_CORRUPT, "vstov", "data_offsets [%" PRIu64 ", %" PRIu64
				"] do not follow %" PRIu64 ": %s", tensor->offset,
				tensor->offset + tensor->bytes, end,
				i == 0 ? "the first offset is not 0"
				: tensor->offset < end ? "an overlap" : "a hole");
			return error_in_tensor(err, tensor->name);
		}
		end += tensor->bytes;           /* both are at most 2^53 */
		tensor->offset += index->header_bytes;
	}
	if (end > data_bytes)
		return error_set(err, ERROR_CORRUPT, "vstov", "truncated: the tensors need %" PRIu64
			" bytes of data, the file has %" PRIu64, end, data_bytes);
	if (end < data_bytes)
		return error_set(err, ERROR_CORRUPT, "vstov", "%" PRIu64
			" bytes at the end are not covered by a tensor", data_bytes - end);
	return true;
}

static bool
parse_entries(const struct json *root, struct arena *arena, struct safetensors_index *index,
	struct error *err)
{
	size_t count = json_count(root);

	index->tensors = arena_take(arena, count, sizeof *index->tensors);
	if (index->tensors == NULL)
		return error_no_memory(err, count * sizeof *index->tensors);
	for (const struct json *at = json_first(root); at != NULL; at = json_next(at)) {
		if (strcmp(json_key(at), METADATA_KEY) == 0) {
			if (!parse_metadata(at, index, err))
				return false;
		} else if (!parse_tensor(at, arena, &index->tensors[index->count++], err)) {
			return false;
		}
	}
	if (index->count > 0)
		qsort(index->tensors, index->count, sizeof *index->tensors, compare_by_offset);
	return true;
}

bool
safetensors_parse(const char *json, size_t length, uint64_t file_bytes, struct arena *arena,
	struct safetensors_index *index, struct error *err)
{
	struct json *root;
	bool         done = false;

	*index = (struct safetensors_index){ .header_bytes = LENGTH_BYTES + (uint64_t)length };
	if (index->header_bytes > file_bytes)
		return error_set(err, ERROR_CORRUPT, "vst8",
			"invalid header length: it ends after the file");
	if (length == 0 || json[0] == ' ' || json[0] == '\t' || json[0] == '\n' || json[0] == '\r')
		return error_set(err, ERROR_CORRUPT, "vstjson",
			"the header is not a JSON object that begins with \"{\"");
	if ((root = json_parse(json, length, err)) == NULL) {
		if (err->has_offset)            /* make it count from the start of the file */
			err->offset += LENGTH_BYTES;
		return false;
	}
	if (json_kind(root) != JSON_OBJECT)
		error_set(err, ERROR_CORRUPT, "vstjson", "the header is not a JSON object");
	else
		done = parse_entries(root, arena, index, err)
			&& check_tiling(index, file_bytes, err);
	json_free(root);
	return done;
}
