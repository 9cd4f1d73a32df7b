/*
 * Every sample of fixtures/torch: the good ones, written by torch itself, must give the
 * views and digests of expected.json whatever the form of the stream and the length of the
 * pieces; the bad ones must come out as bad/expected.json and the table below say.
 */
#include "base/digest.h"
#include "base/json.h"
#include "base/text.h"
#include "check.h"
#include "container/byte_stream.h"
#include "torch/torch_file.h"
#include "torch/torch_pass.h"

#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#define ARENA_LIMIT ((size_t)32 << 20)
#define MOST_VISITS 256

enum form { FORM_PLAIN, FORM_DEFLATED, FORM_DEFLATED_INDEXED, FORM_COUNT };
static const char *const form_names[] = { "plain", "deflated", "deflated, indexed" };

/* ---- files -------------------------------------------------------------------------- */

static unsigned char *
load(const char *path, size_t *size)
{
	FILE          *stream = fopen(path, "rb");
	unsigned char *bytes = malloc((size_t)1 << 20);

	*size = 0;
	if (stream != NULL && bytes != NULL) {
		*size = fread(bytes, 1, (size_t)1 << 20, stream);
		fclose(stream);
	}
	return bytes;
}

/* A stream over the bytes, as they are or deflated, with what it needs. */
struct sample {
	struct input_file  *file;
	struct byte_stream *stream;
	char                path[64];
};

static void
sample_close(struct sample *sample)
{
	byte_stream_close(sample->stream);
	input_file_close(sample->file);
	unlink(sample->path);
}

static bool
sample_open(struct sample *sample, const unsigned char *bytes, size_t size, enum form form,
	struct error *err)
{
	unsigned char *packed = malloc(size + size / 2 + 1024);
	z_stream       z = { .next_in = (unsigned char *)(uintptr_t)bytes, .avail_in = (uInt)size };
	size_t         packed_size = size;
	int            fd;

	memset(sample, 0, sizeof *sample);
	snprintf(sample->path, sizeof sample->path, "/tmp/m2h-torch-XXXXXX");
	if (form == FORM_PLAIN) {
		memcpy(packed, bytes, size);
	} else {
		z.next_out = packed;
		z.avail_out = (uInt)(size + size / 2 + 1024);
		deflateInit2(&z, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
		deflate(&z, Z_FINISH);
		packed_size = z.total_out;
		deflateEnd(&z);
	}
	fd = mkstemp(sample->path);
	if (fd < 0 || write(fd, packed, packed_size) != (ssize_t)packed_size)
		abort();
	close(fd);
	free(packed);
	if ((sample->file = input_file_open(sample->path, "/tmp", err)) == NULL)
		return false;
	sample->stream = form == FORM_PLAIN
		? byte_stream_open(sample->file, 0, size, err)
		: byte_stream_open_deflated(sample->file, 0, packed_size, size, err);
	return sample->stream != NULL;
}

static struct torch_file *
sample_read(const struct sample *sample, enum form form, struct error *err)
{
	return form == FORM_DEFLATED_INDEXED
		? torch_file_open_indexed(sample->stream, ARENA_LIMIT, err)
		: torch_file_open(sample->stream, ARENA_LIMIT, err);
}

/* ---- storages ----------------------------------------------------------------------- */

struct storages {
	unsigned char **bytes;
	uint64_t       *seen;
	size_t          count;
	bool            in_order;       /* pieces came without a gap and in whole elements */
	const struct torch_file *file;
};

static bool
keep_bytes(void *context, size_t storage, uint64_t offset, const unsigned char *bytes,
	size_t count, struct error *err)
{
	struct storages *storages = context;
	uint64_t         total = torch_file_storage(storages->file, storage)->bytes;

	(void)err;
	if (offset != storages->seen[storage] || count > total - offset
		|| (offset + count != total && count % 8 != 0)) {
		storages->in_order = false;
		return true;
	}
	memcpy(storages->bytes[storage] + offset, bytes, count);
	storages->seen[storage] = offset + count;
	return true;
}

static void
storages_free(struct storages *storages)
{
	for (size_t i = 0; i < storages->count; i++)
		free(storages->bytes[i]);
	free(storages->bytes);
	free(storages->seen);
}

/* The whole pass over `bytes` in pieces of `piece`. */
static bool
storages_read(struct storages *storages, const struct torch_file *file,
	const unsigned char *bytes, size_t size, size_t piece, struct error *err)
{
	struct torch_pass *pass;
	bool               done = true;

	storages->file = file;
	storages->in_order = true;
	storages->count = torch_file_storage_count(file);
	storages->bytes = calloc(storages->count + 1, sizeof *storages->bytes);
	storages->seen = calloc(storages->count + 1, sizeof *storages->seen);
	for (size_t i = 0; i < storages->count; i++)
		storages->bytes[i] = calloc(1, torch_file_storage(file, i)->bytes + 1);
	if ((pass = torch_pass_open(file, keep_bytes, storages, err)) == NULL)
		return false;
	for (size_t at = 0; at < size && done; at += piece)
		done = torch_pass_feed(pass, bytes + at, size - at < piece ? size - at : piece, err);
	done = done && torch_pass_finish(pass, err);
	torch_pass_close(pass);
	for (size_t i = 0; done && i < storages->count; i++)
		storages->in_order = storages->in_order
			&& storages->seen[i] == torch_file_storage(file, i)->bytes;
	return done;
}

/* ---- good samples ------------------------------------------------------------------- */

/* Torch counts the offset of a tensor from the window that its persistent id names. */
static const struct window {      /* by hand, from the opcodes of the sample */
	const char *sample;
	uint64_t    offset;
} windows[] = {
	{ "py2_legacy_view.pt", 4 },
};

struct visits {
	const struct value *nodes[MOST_VISITS];
	char                paths[MOST_VISITS][256];
	size_t              count;
};

static bool
keep_visit(void *context, const char *path, const struct value *node, struct error *err)
{
	struct visits *visits = context;

	(void)err;
	if (visits->count < MOST_VISITS) {
		visits->nodes[visits->count] = node;
		snprintf(visits->paths[visits->count++], sizeof visits->paths[0], "%s", path);
	}
	return true;
}

static const struct value *
look_up(const struct value *node, const struct json *path)
{
	for (const struct json *step = json_first(path); step != NULL && node != NULL;
		step = json_next(step)) {
		uint64_t index;

		if (json_string(step) != NULL)
			node = value_find(node, json_string(step));
		else if (json_u64(step, &index) && index < node->count)
			node = node->items[index];
		else
			node = NULL;
	}
	return node;
}

static void
dotted(const struct json *path, char *to, size_t size)
{
	struct text text = { 0 };

	for (const struct json *step = json_first(path); step != NULL; step = json_next(step)) {
		uint64_t index = 0;

		text_add(&text, "%s", step == json_first(path) ? "" : ".");
		if (json_string(step) != NULL)
			text_add(&text, "%s", json_string(step));
		else if (json_u64(step, &index))
			text_add(&text, "%llu", (unsigned long long)index);
	}
	snprintf(to, size, "%s", text.bytes != NULL ? text.bytes : "");
	text_free(&text);
}

static bool
same_counts(const struct json *expected, const uint64_t *found, unsigned rank)
{
	unsigned i = 0;

	if (json_count(expected) != rank)
		return false;
	for (const struct json *one = json_first(expected); one != NULL; one = json_next(one)) {
		uint64_t number;

		if (!json_u64(one, &number) || number != found[i++])
			return false;
	}
	return true;
}

/* SHA-256 of the elements in row-major order. */
static void
digest_view(const struct tensor_view *view, const unsigned char *storage,
	char hex[DIGEST_HEX_SIZE])
{
	uint64_t       count = tensor_view_count(view), index[TENSOR_MAX_RANK] = { 0 };
	size_t         size = dtype_size(view->dtype);
	unsigned char *bytes = malloc(count * size + 1);

	for (uint64_t n = 0; n < count; n++) {
		uint64_t at = view->offset;

		for (unsigned i = 0; i < view->rank; i++)
			at += index[i] * view->stride[i];
		memcpy(bytes + n * size, storage + at * size, size);
		for (unsigned i = view->rank; i-- > 0; ) {
			if (++index[i] < view->shape[i])
				break;
			index[i] = 0;
		}
	}
	digest_sha256(bytes, count * size, hex);
	free(bytes);
}

static void
check_tensor(const char *row, const char *sample, const struct torch_file *file,
	const struct storages *storages, const struct json *expected,
	const struct visits *visits)
{
	const struct value *node = look_up(torch_file_root(file), json_member(expected, "path"));
	struct tensor_view  view;
	struct error        err = { 0 };
	char                path[256], line[1024], hex[DIGEST_HEX_SIZE];
	uint64_t            offset = 0, bytes = 0;
	bool                visited = false;

	dotted(json_member(expected, "path"), path, sizeof path);
	CHECK(node != NULL, "%s: %s is not there", row, path);
	if (node == NULL)
		return;
	CHECK(torch_file_is_tensor(file, node), "%s: %s", row, path);
	CHECK(torch_file_tensor(file, node, &view, &err), "%s: %s: %s", row, path,
		error_line(&err, line, sizeof line));
	if (err.kind != ERROR_NONE)
		return;
	for (size_t i = 0; i < sizeof windows / sizeof *windows; i++)
		if (strcmp(windows[i].sample, sample) == 0)
			offset = windows[i].offset;
	if (json_u64(json_member(expected, "storage_offset"), &bytes))
		offset += bytes;
	json_u64(json_member(expected, "nbytes"), &bytes);
	CHECK_TEXT(dtype_name(view.dtype), json_string(json_member(expected, "dtype")), "%s: %s",
		row, path);
	CHECK(same_counts(json_member(expected, "shape"), view.shape, view.rank), "%s: %s", row,
		path);
	CHECK(same_counts(json_member(expected, "stride"), view.stride, view.rank), "%s: %s",
		row, path);
	CHECK(view.offset == offset, "%s: %s", row, path);
	CHECK(tensor_view_count(&view) * dtype_size(view.dtype) == bytes, "%s: %s", row, path);
	digest_view(&view, storages->bytes[view.storage], hex);
	CHECK_TEXT(hex, json_string(json_member(expected, "sha256")), "%s: %s", row, path);
	for (size_t i = 0; i < visits->count; i++)
		visited = visited || visits->nodes[i] == node;
	CHECK(visited, "%s: %s was not visited", row, path);
}

/* Each visited tensor is listed under the path by which it was reached. */
static void
check_visits(const char *row, const struct torch_file *file, const struct json *tensors,
	const struct visits *visits)
{
	for (size_t i = 0; i < visits->count; i++) {
		bool listed = false;

		for (const struct json *one = json_first(tensors); one != NULL; one = json_next(one)) {
			char path[256];

			dotted(json_member(one, "path"), path, sizeof path);
			listed = listed || (strcmp(path, visits->paths[i]) == 0
				&& look_up(torch_file_root(file), json_member(one, "path"))
					== visits->nodes[i]);
		}
		CHECK(listed, "%s: visited '%s'", row, visits->paths[i]);
	}
}

static void
check_good(const char *name, const struct json *expected, enum form form, size_t piece)
{
	size_t             size;
	char               path[256], row[256], line[1024];
	unsigned char     *bytes = load(text_format(path, sizeof path, "fixtures/torch/%s", name),
		&size);
	struct error       err = { 0 };
	struct sample      sample;
	struct torch_file *file = NULL;
	struct storages    storages = { 0 };
	struct visits      visits = { .count = 0 };
	bool               done;

	text_format(row, sizeof row, "%s (%s, pieces of %zu)", name, form_names[form], piece);
	done = sample_open(&sample, bytes, size, form, &err)
		&& (file = sample_read(&sample, form, &err)) != NULL
		&& torch_file_each_tensor(file, keep_visit, &visits, &err)
		&& storages_read(&storages, file, bytes, size, piece, &err);
	CHECK(done, "%s: %s", row, error_line(&err, line, sizeof line));
	if (done) {
		const struct json *tensors = json_member(expected, "tensors");

		CHECK(storages.in_order, "%s", row);
		CHECK(torch_file_form(file) == (strcmp(json_string(json_member(expected, "format")),
			"zip") == 0 ? TORCH_ZIP : TORCH_LEGACY), "%s", row);
		CHECK(torch_file_inflates_twice(file) == (form == FORM_DEFLATED_INDEXED
			&& torch_file_form(file) == TORCH_ZIP), "%s", row);
		for (const struct json *one = json_first(tensors); one != NULL; one = json_next(one))
			check_tensor(row, name, file, &storages, one, &visits);
		check_visits(row, file, tensors, &visits);
	}
	storages_free(&storages);
	torch_file_close(file);
	sample_close(&sample);
	free(bytes);
}

/* ---- bad samples -------------------------------------------------------------------- */

struct reading {
	const struct torch_file *file;
	size_t                   tensors;
};

static bool
read_tensor(void *context, const char *path, const struct value *node, struct error *err)
{
	struct reading    *reading = context;
	struct tensor_view view;

	reading->tensors++;
	return torch_file_tensor(reading->file, node, &view, err) || error_in_tensor(err, path);
}

/* What a caller who wants all tensors does: list, view, pass; and once more by the directory
 * where a walk is not possible. */
static bool
read_all(const struct sample *sample, const unsigned char *bytes, size_t size,
	enum form form, struct error *err)
{
	struct torch_file  *file = sample_read(sample, form, err);
	struct reading      reading = { file, 0 };
	struct storages     storages = { 0 };
	bool                done = false;

	if (file == NULL)
		return false;
	if (!torch_file_each_tensor(file, read_tensor, &reading, err))
		goto out;
	if (reading.tensors == 0) {
		error_set(err, ERROR_UNSUPPORTED, "toplevel", "no state dict with tensors");
		goto out;
	}
	done = storages_read(&storages, file, bytes, size, 4096, err);
out:
	storages_free(&storages);
	torch_file_close(file);
	if (!done && form == FORM_DEFLATED && strcmp(err->slug, "walk") == 0)
		return read_all(sample, bytes, size, FORM_DEFLATED_INDEXED, err);
	return done;
}

/* Where expected.json allows both, and where the catalogue of bad inputs names a status. */
static const struct outcome {
	const char *name;
	int         status;
	const char *slug;       /* NULL: any */
} outcomes[] = {
	/* decided */
	{ "kind_outer_zip.pt",            4, "nesting" },
	{ "zip_storage_long.pt",          3, "recsize" },
	{ "zip_no_version.pt",            3, "version" },
	{ "zip_dotdot_name.pt",           5, "badname" },
	{ "zip_deflated.pt",              0, "" },
	{ "synthetic_big_endian.pt",      4, "byteorder" },
	{ "synthetic_v3_untyped.pt",      4, "dtype" },
	{ "leg_sysinfo_none.pt",          4, "legacyproto" },
	{ "leg_big_endian.pt",            4, "legacyproto" },
	{ "leg_count_big_endian.pt",      4, "legacyhdr" },
	{ "leg_trailing.pt",              3, "legacyhdr" },
	{ "leg_module.pt",                0, "" },
	{ "pkl_trailing.pt",              3, "nostop" },
	{ "pkl_stack_left.pt",            3, "nostop" },
	{ "pkl_memo_index_4g.pt",         0, "" },
	{ "pkl_int_text_huge.pt",         8, NULL },
	{ "pkl_utf8_bad.pt",              4, "toplevel" },
	{ "pkl_key_twice.pt",             5, "hash" },
	{ "pkl_key_unhashable.pt",        3, "hash" },
	{ "pkl_laughs_tensors.pt",        3, "nostop" },
	{ "pkl_root_list.pt",             0, "" },
	{ "pkl_many_nodes.pt",            4, "toplevel" },
	{ "ten_dim_bool.pt",              3, "rebuildargs" },
	{ "ten_size_list.pt",             3, "rebuildargs" },
	/* from the catalogue */
	{ "kind_empty.pt",                3, "empty" },
	{ "kind_git_lfs.pt",              3, "lfs" },
	{ "kind_gzip.pt",                 4, "wrapped" },
	{ "kind_safetensors.pt",          4, "otherformat" },
	{ "kind_npz.pt",                  4, NULL },
	{ "zip_truncated_half.pt",        3, NULL },
	{ "zip_no_data_pkl.pt",           4, "noroot" },
	{ "zip_missing_storage.pt",       3, "missingrec" },
	{ "zip_storage_short.pt",         3, "recsize" },
	{ "zip_version_99.pt",            4, "version" },
	{ "zip_version_text.pt",          3, "version" },
	{ "zip_byteorder_middle.pt",      3, "byteorder" },
	{ "zip_two_top_folders.pt",       4, "noroot" },
	{ "zip_no_folder.pt",             4, "noroot" },
	{ "zip_duplicate_record.pt",      5, "dup" },
	{ "zip_crc_wrong.pt",             3, "bitflip" },
	{ "zip_encrypted_flag.pt",        4, "encflag" },
	{ "zip_bomb_pkl.pt",              8, NULL },
	{ "zip_key_slash.pt",             5, "pid" },
	{ "zip_key_not_text.pt",          3, "pid" },
	{ "leg_protocol_1002.pt",         4, "legacyproto" },
	{ "leg_count_mismatch.pt",        3, "legacyhdr" },
	{ "leg_count_negative.pt",        3, "legacyhdr" },
	{ "leg_cut_in_storage.pt",        3, "legacyhdr" },
	{ "leg_numel_1tb.pt",             3, NULL },
	{ "leg_key_unknown.pt",           3, "legacylist" },
	{ "leg_key_missing.pt",           3, "legacylist" },
	{ "leg_key_twice.pt",             3, "legacylist" },
	{ "leg_same_key_two_types.pt",    3, "storagetwice" },
	{ "leg_view_out.pt",              3, "legacyviews" },
	{ "refuse_torchscript.pt",        4, "torchscript" },
	{ "refuse_sparse.pt",             4, "rebuildother" },
	{ "refuse_quantized.pt",          4, "rebuildother" },
	{ "refuse_meta.pt",               4, "rebuildother" },
	{ "refuse_neg_bit.pt",            4, "rebuildother" },
	{ "refuse_complex.pt",            4, "dtype" },
	{ "refuse_whole_module_legacy.pt", 4, "foreignweight" },
	{ "refuse_pre_0_1_10_tar.pt",     4, "torchtar" },
	{ "pkl_nested_torch_file.pt",     4, "rebuildother" },
	{ "ten_negative_dim.pt",          3, "dims" },
	{ "ten_65_dims.pt",               3, "dims" },
	{ "ten_numel_overflow.pt",        3, "overflow" },
	{ "ten_out_of_range.pt",          3, "extent" },
	{ "ten_offset_out.pt",            3, "extent" },
	{ "ten_stride_count.pt",          3, "stride" },
	{ "ten_expand_bomb.pt",           8, "stride" },
	{ "ten_args_short.pt",            3, "rebuildargs" },
	{ "ten_args_long.pt",             3, "rebuildargs" },
	{ "ten_metadata_neg.pt",          4, "rebuildother" },
	{ "ten_size_none.pt",             3, "rebuildargs" },
};

static const struct outcome *
find_outcome(const char *name)
{
	for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++)
		if (strcmp(outcomes[i].name, name) == 0)
			return &outcomes[i];
	return NULL;
}

static void
check_status(const char *row, const char *name, const char *expected, bool is_plain,
	const struct error *err)
{
	const struct outcome *outcome = find_outcome(name);
	char                  line[1200];
	int                   status = (int)err->kind;
	bool                  is_refusal = status == ERROR_CORRUPT || status == ERROR_UNSUPPORTED
		|| status == ERROR_UNSAFE || status == ERROR_LIMIT;

	error_line(err, line, sizeof line);
	if (getenv("M2H_TEST_VERBOSE") != NULL)
		printf("%-32s %-8s %d %-14s %s\n", name, form_names[!is_plain], status, err->slug,
			line);
	if (strcmp(expected, "ok") == 0)
		CHECK(status == ERROR_NONE, "%s: %s", row, line);
	else if (strncmp(expected, "refuse", 6) == 0 && strlen(expected) == 6)
		CHECK(is_refusal, "%s: status %d", row, status);
	else
		CHECK(outcome != NULL, "%s: not decided (status %d)", row, status);
	if (outcome == NULL || !is_plain)
		return;
	CHECK(status == outcome->status, "%s: status %d, expected %d: %s", row, status,
		outcome->status, line);
	if (outcome->slug != NULL)
		CHECK_TEXT(err->slug, outcome->slug, "%s", row);
}

static void
check_bad(const char *folder, const char *name, const char *expected, enum form form)
{
	size_t         size;
	char           path[256], row[256];
	unsigned char *bytes = load(text_format(path, sizeof path, "fixtures/torch/%s%s", folder,
		name), &size);
	struct error   err = { 0 };
	struct sample  sample;
	bool           done;

	/* A safetensors file is never read here, well-formed or not. */
	if (text_has_suffix(name, ".safetensors"))
		expected = "refuse";
	text_format(row, sizeof row, "%s (%s)", name, form_names[form]);
	done = sample_open(&sample, bytes, size, form, &err)
		&& read_all(&sample, bytes, size, form, &err);
	if (done)
		err = (struct error){ 0 };
	CHECK(done || err.kind != ERROR_NONE, "%s: no reason", row);
	CHECK(done || err.text[0] != '\0', "%s: no text", row);
	check_status(row, name, expected, form == FORM_PLAIN, &err);
	sample_close(&sample);
	free(bytes);
}

/* ---- both lists --------------------------------------------------------------------- */

static struct json *
load_list(const char *path)
{
	size_t         size;
	unsigned char *bytes = load(path, &size);
	struct error   err = { 0 };
	struct json   *list = json_parse((const char *)bytes, size, &err);

	CHECK(list != NULL, "%s: %s", path, err.text);
	free(bytes);
	return list;
}

static void
check_good_list(void)
{
	static const size_t pieces[] = { 1, 7, 4096, (size_t)1 << 20 };
	struct json        *list = load_list("fixtures/torch/expected.json");
	size_t              good = 0;

	for (const struct json *one = json_first(json_member(list, "files")); one != NULL;
		one = json_next(one)) {
		const char *name = json_key(one);
		const char *outcome = json_string(json_member(one, "outcome"));

		if (!text_has_suffix(name, ".pt"))
			continue;
		for (int form = 0; form < FORM_COUNT; form++) {
			if (strcmp(outcome, "ok") != 0) {
				check_bad("", name, outcome, (enum form)form);
				continue;
			}
			for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++)
				check_good(name, one, (enum form)form, pieces[i]);
		}
		good += strcmp(outcome, "ok") == 0;
	}
	CHECK(good == 29, "%zu good samples", good);
	json_free(list);
}

static void
check_bad_list(void)
{
	struct json *list = load_list("fixtures/torch/bad/expected.json");
	size_t       bad = 0;

	for (const struct json *one = json_first(list); one != NULL; one = json_next(one)) {
		for (int form = 0; form < FORM_COUNT; form++)
			check_bad("bad/", json_key(one), json_string(json_member(one, "outcome")),
				(enum form)form);
		bad++;
	}
	CHECK(bad == 219, "%zu bad samples", bad);
	json_free(list);
}

int
main(void)
{
	check_good_list();
	check_bad_list();
	return check_end("torch_samples");
}
