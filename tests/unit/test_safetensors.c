#include "gpt2/safetensors.h"

#include "base/digest.h"
#include "gpt2/gpt2_names.h"

#include "check.h"

#include <stdlib.h>

#define FIXTURES "fixtures/gpt2/"

static unsigned char *
read_file(const char *name, size_t *length)
{
	char           path[256];
	unsigned char *bytes = malloc(1 << 17);
	FILE          *file;

	snprintf(path, sizeof path, FIXTURES "%s", name);
	if ((file = fopen(path, "rb")) == NULL || bytes == NULL) {
		printf("%s: cannot be read (run from the project root)\n", path);
		exit(1);
	}
	*length = fread(bytes, 1, 1 << 17, file);
	fclose(file);
	return bytes;
}

static size_t
gpt2_tensors(const struct gpt2_sizes *sizes, enum dtype dtype, struct safetensors_tensor *tensors,
	char (*names)[GPT2_NAME_SIZE])
{
	size_t count = gpt2_names_count(sizes);

	for (size_t i = 0; i < count; i++) {
		struct gpt2_tensor tensor;

		gpt2_names_tensor(sizes, i, &tensor);
		memcpy(names[i], tensor.name, GPT2_NAME_SIZE);
		tensors[i] = (struct safetensors_tensor){ .name = names[i], .dtype = dtype,
			.rank = tensor.rank, .shape = { tensor.shape[0], tensor.shape[1] } };
	}
	return count;
}

/* Sizes and the digest of the header: the Python library, given this model. */
static void
test_ngc(void)
{
	static const struct {
		enum dtype dtype;
		uint64_t   file_bytes;
	} rows[] = {
		{ DTYPE_FLOAT16, 709676376 },
		{ DTYPE_BFLOAT16, 709676664 },
		{ DTYPE_FLOAT32, 1419322880 },
	};
	const struct gpt2_sizes   ngc = { 24, 1024, 4096, 1024, 50257, false, false };
	struct safetensors_tensor tensors[292];
	char                      names[292][GPT2_NAME_SIZE], hex[DIGEST_HEX_SIZE];

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		size_t       count = gpt2_tensors(&ngc, rows[i].dtype, tensors, names);
		struct text  header = { 0 };
		struct error err = { 0 };
		uint64_t     file_bytes = 0;

		CHECK(safetensors_lay_out(tensors, count, &header, &file_bytes, &err), "%s",
			err.text);
		CHECK(file_bytes == rows[i].file_bytes, "%s: %llu",
			dtype_name(rows[i].dtype), (unsigned long long)file_bytes);
		CHECK(tensors[0].offset == header.length
			&& tensors[291].offset + tensors[291].bytes == file_bytes, "offsets");
		if (rows[i].dtype == DTYPE_FLOAT16) {
			CHECK(header.length == 30032 + 8, "%zu", header.length);
			digest_sha256(header.bytes, header.length, hex);
			CHECK_TEXT(hex, "3494f16e508319f45fcedd155f977a21b66569cf9e06d2dd20f9f2025ef84f3d",
				"header");
		}
		text_free(&header);
	}
}

static void
check_header(const char *name, struct safetensors_tensor *tensors, size_t count)
{
	struct text    header = { 0 };
	struct error   err = { 0 };
	uint64_t       file_bytes, header_bytes;
	size_t         length;
	unsigned char *expected = read_file(name, &length);

	CHECK(safetensors_lay_out(tensors, count, &header, &file_bytes, &err), "%s", err.text);
	CHECK(header.length == length + 8 && memcmp(header.bytes + 8, expected, length) == 0,
		"%s: %s", name, header.bytes + 8);
	CHECK(safetensors_header_bytes((unsigned char *)header.bytes, file_bytes, &header_bytes,
		&err) && header_bytes == header.length, "%s", name);
	free(expected);
	text_free(&header);
}

static void
test_same_bytes_as_library(void)
{
	const struct gpt2_sizes   small = { 12, 2, 8, 4, 5, false, false };
	struct safetensors_tensor tensors[148];
	char                      names[148][GPT2_NAME_SIZE];
	struct safetensors_tensor odd[] = {
		{ .name = "half", .dtype = DTYPE_FLOAT16, .rank = 1, .shape = { 3 } },
		{ .name = "float", .dtype = DTYPE_FLOAT32, .rank = 1, .shape = { 3 } },
		{ .name = "double", .dtype = DTYPE_FLOAT64, .rank = 1, .shape = { 3 } },
		{ .name = "byte", .dtype = DTYPE_UINT8, .rank = 1, .shape = { 3 } },
		{ .name = "char", .dtype = DTYPE_INT8, .rank = 1, .shape = { 3 } },
		{ .name = "short", .dtype = DTYPE_INT16, .rank = 1, .shape = { 3 } },
		{ .name = "int", .dtype = DTYPE_INT32, .rank = 1, .shape = { 3 } },
		{ .name = "long", .dtype = DTYPE_INT64, .rank = 1, .shape = { 3 } },
		{ .name = "bool", .dtype = DTYPE_BOOL, .rank = 1, .shape = { 3 } },
		{ .name = "quote\"back\\slash", .dtype = DTYPE_FLOAT32, .rank = 2,
		  .shape = { 2, 0 } },
		{ .name = "tab\tnewline\n\x01 \xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80",
		  .dtype = DTYPE_FLOAT16, .rank = 0 },
		{ .name = "half2", .dtype = DTYPE_FLOAT16, .rank = 3, .shape = { 1, 2, 3 } },
	};

	check_header("header-12-layers.json", tensors,
		gpt2_tensors(&small, DTYPE_FLOAT16, tensors, names));
	check_header("header-dtypes.json", odd, sizeof odd / sizeof *odd);
}

static void
test_lay_out_refuses(void)
{
	struct safetensors_tensor large = { .name = "large", .dtype = DTYPE_FLOAT16, .rank = 3,
		.shape = { UINT64_C(1) << 40, UINT64_C(1) << 40, 1 } };
	struct safetensors_tensor twice[] = {
		{ .name = "a", .dtype = DTYPE_FLOAT16, .rank = 1, .shape = { 1 } },
		{ .name = "a", .dtype = DTYPE_FLOAT16, .rank = 1, .shape = { 1 } },
	};
	struct text               header = { 0 };
	struct error              err = { 0 };
	uint64_t                  file_bytes;

	CHECK(!safetensors_lay_out(&large, 1, &header, &file_bytes, &err)
		&& err.kind == ERROR_LIMIT, "%s", err.text);
	CHECK(!safetensors_lay_out(twice, 2, &header, &file_bytes, &err)
		&& err.kind == ERROR_INTERNAL, "%s", err.text);
	text_free(&header);
}

/* From the bytes of a file to its index, as a reader of the file would. */
static bool
open_bytes(const unsigned char *bytes, size_t length, struct arena *arena,
	struct safetensors_index *index, struct error *err)
{
	unsigned char first[8] = { 0 };
	uint64_t      header_bytes;
	char         *header;
	bool          done;

	memcpy(first, bytes, length < 8 ? length : 8);
	if (!safetensors_header_bytes(first, length, &header_bytes, err))
		return false;
	/* A copy of its own, so that a sanitizer sees a read past its end. */
	if ((header = malloc((size_t)header_bytes - 8)) == NULL)
		return error_no_memory(err, header_bytes);
	memcpy(header, bytes + 8, (size_t)header_bytes - 8);
	done = safetensors_parse(header, (size_t)header_bytes - 8, length, arena, index, err);
	free(header);
	return done;
}

static const struct row {
	const char     *name;
	enum error_kind kind;
	const char     *slug, *says;
} rows[] = {
	{ "st_good",            ERROR_NONE,    "",         "" },
	{ "st_zero_dim",        ERROR_NONE,    "",         "" },
	{ "st_empty_tensor",    ERROR_NONE,    "",         "" },
	{ "st_no_tensors",      ERROR_NONE,    "",         "" },
	{ "st_leading_space",   ERROR_CORRUPT, "vstjson",  "{" },
	{ "st_7_bytes",         ERROR_CORRUPT, "vst8",     "too small" },
	{ "st_len_past_end",    ERROR_CORRUPT, "vst8",     "invalid header length" },
	{ "st_len_2_63",        ERROR_CORRUPT, "vst8",     "invalid header length" },
	{ "st_len_101mb",       ERROR_CORRUPT, "vst8",     "header" },
	{ "st_not_utf8",        ERROR_CORRUPT, "json",     "UTF-8" },
	{ "st_not_json",        ERROR_CORRUPT, "json",     "JSON" },
	{ "st_array",           ERROR_CORRUPT, "vstjson",  "object" },
	{ "st_overlap",         ERROR_CORRUPT, "vstov",    "overlap" },
	{ "st_hole",            ERROR_CORRUPT, "vstov",    "hole" },
	{ "st_trailing",        ERROR_CORRUPT, "vstov",    "not covered" },
	{ "st_short",           ERROR_CORRUPT, "vstov",    "truncated" },
	{ "st_first_not_0",     ERROR_CORRUPT, "vstov",    "first offset" },
	{ "st_end_before_begin", ERROR_CORRUPT, "vstov",   "end offset" },
	{ "st_negative",        ERROR_CORRUPT, "vstov",    "data_offset" },
	{ "st_float_offset",    ERROR_CORRUPT, "vstov",    "integer" },
	{ "st_exp_offset",      ERROR_CORRUPT, "vstov",    "integer" },
	{ "st_size_mismatch",   ERROR_CORRUPT, "vstshape", "shape" },
	{ "st_shape_overflow",  ERROR_CORRUPT, "vstshape", "overflow" },
	{ "st_shape_wraps_to_6", ERROR_CORRUPT, "vstshape", "2^53" },
	{ "st_above_2_53",      ERROR_CORRUPT, "vstov",    "offset" },
	{ "st_dtype_unknown",   ERROR_CORRUPT, "vstshape", "F12" },
	{ "st_dtype_lower",     ERROR_CORRUPT, "vstshape", "f32" },
	{ "st_missing_shape",   ERROR_CORRUPT, "vstshape", "shape" },
	{ "st_case_keys",       ERROR_CORRUPT, "vstshape", "dtype" },
	{ "st_dup_name",        ERROR_CORRUPT, "json",     "duplicate key" },
	{ "st_name_nul",        ERROR_CORRUPT, "json",     "\\u0000" },
	{ "st_meta_not_text",   ERROR_CORRUPT, "vstjson",  "__metadata__" },
	{ "st_meta_tensor",     ERROR_CORRUPT, "vstjson",  "__metadata__" },
	{ "st_deep_json",       ERROR_CORRUPT, "json",     "JSON" },
	{ "st_trailing_json",   ERROR_CORRUPT, "json",     "JSON" },
};

static void
test_samples(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct row        *row = &rows[i];
		char                     name[64];
		size_t                   length;
		unsigned char           *bytes;
		struct arena             arena;
		struct safetensors_index index;
		struct error             err = { 0 };
		bool                     opened;

		snprintf(name, sizeof name, "%s.safetensors", row->name);
		bytes = read_file(name, &length);
		arena_init(&arena, 1 << 20);
		opened = open_bytes(bytes, length, &arena, &index, &err);
		CHECK(opened == (row->kind == ERROR_NONE) && err.kind == row->kind, "%s: %d %s",
			row->name, (int)err.kind, err.text);
		CHECK(strstr(err.text, row->says) != NULL, "%s: \"%s\"", row->name, err.text);
		CHECK_TEXT(err.slug, row->slug, "%s", row->name);
		arena_fini(&arena);
		free(bytes);
	}
}

/* Faults that no sample has, in a header of our own; the file has `data` bytes after it. */
static const struct text_row {
	const char     *header;
	uint64_t        data;
	enum error_kind kind;
	const char     *says;
} text_rows[] = {
	{ "{\"a\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[0,4]}}  \n", 4, ERROR_NONE, "" },
	{ "{\"b\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[2,4]},"
	  "\"a\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[0,2]}}", 4, ERROR_NONE, "" },
	{ "{\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[2],\"data_offsets\":[0,2]}}", 2,
	  ERROR_UNSUPPORTED, "F8_E4M3" },
	{ "{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,1]}}", 1,
	  ERROR_UNSUPPORTED, "9 dimensions" },
	{ "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1,1]}}", 1, ERROR_CORRUPT,
	  "list of two" },
	{ "{\"a\":{\"dtype\":\"U8\",\"shape\":3,\"data_offsets\":[0,1]}}", 1, ERROR_CORRUPT,
	  "no list" },
	{ "{\"a\":[]}", 0, ERROR_CORRUPT, "object" },
	{ "{\"__metadata__\":[]}", 0, ERROR_CORRUPT, "__metadata__" },
	{ "", 0, ERROR_CORRUPT, "{" },
};

static void
test_headers(void)
{
	for (size_t i = 0; i < sizeof text_rows / sizeof *text_rows; i++) {
		const struct text_row   *row = &text_rows[i];
		const size_t             length = strlen(row->header);
		struct arena             arena;
		struct safetensors_index index;
		struct error             err = { 0 };

		arena_init(&arena, 1 << 20);
		safetensors_parse(row->header, length, 8 + length + row->data, &arena, &index, &err);
		CHECK(err.kind == row->kind, "%s: %d %s", row->header, (int)err.kind, err.text);
		CHECK(strstr(err.text, row->says) != NULL, "%s: \"%s\"", row->header, err.text);
		arena_fini(&arena);
	}
}

static void
test_header_limits(void)
{
	/* 100,000,001 as a length, in a file that is long enough for it. */
	const unsigned char over[8] = { 0x01, 0xe1, 0xf5, 0x05, 0, 0, 0, 0 }, zero[8] = { 0 };
	const size_t        many_length = 9000001;
	char               *many = malloc(many_length);
	struct arena             arena;
	struct safetensors_index index;
	struct error             err = { 0 };
	uint64_t                 header_bytes;

	CHECK(!safetensors_header_bytes(over, UINT64_C(1) << 40, &header_bytes, &err)
		&& err.kind == ERROR_LIMIT, "%s", err.text);
	CHECK(!safetensors_header_bytes(zero, 100, &header_bytes, &err)
		&& err.kind == ERROR_CORRUPT, "%s", err.text);
	if (many == NULL)
		return;
	memcpy(many, "{\"a\":[", 6);
	for (size_t i = 6; i < many_length; i += 2)
		memcpy(many + i, "0,", many_length - i < 2 ? 1 : 2);
	arena_init(&arena, 1 << 20);
	CHECK(!safetensors_parse(many, many_length, UINT64_C(1) << 30, &arena, &index, &err)
		&& err.kind == ERROR_LIMIT, "%s", err.text);
	arena_fini(&arena);
	free(many);
}

/* What the library wrote: dtypes, shapes and offsets seen in the file itself. */
static void
test_reference(void)
{
	size_t                   length;
	unsigned char           *bytes = read_file("reference.safetensors", &length);
	struct arena             arena;
	struct safetensors_index index;
	struct error             err = { 0 };

	arena_init(&arena, 1 << 20);
	CHECK(open_bytes(bytes, length, &arena, &index, &err), "%s", err.text);
	CHECK(index.count == 12 && index.has_format && index.format_is_pt
		&& index.header_bytes == 0x308, "%zu", index.count);
	if (index.count == 12) {
		CHECK_TEXT(index.tensors[0].name, "int64", "first");
		CHECK_TEXT(index.tensors[2].name, "empty", "third: begins and ends at 96");
		CHECK_TEXT(index.tensors[3].name, "float32", "fourth");
		CHECK(index.tensors[3].dtype == DTYPE_FLOAT32 && index.tensors[3].rank == 1
			&& index.tensors[3].shape[0] == 6 && index.tensors[3].bytes == 24
			&& index.tensors[3].offset == 0x308 + 96, "float32");
		CHECK_TEXT(index.tensors[11].name, "bool", "last");
	}
	arena_fini(&arena);
	free(bytes);
}

int
main(void)
{
	test_ngc();
	test_same_bytes_as_library();
	test_lay_out_refuses();
	test_samples();
	test_headers();
	test_header_limits();
	test_reference();
	return check_end("safetensors");
}
