#include "container/identify.h"

#include "check.h"
#include "memory_file.h"
#include "zip_builder.h"

/* ---- by first bytes ------------------------------------------------------------------ */

#define NUMBER "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"
#define FILL   "........................................"

struct row {
	const char     *bytes;
	size_t          count;
	enum identity   identity;
	enum error_kind kind;
	const char     *slug, *text, *hint;     /* found in the message and the hint */
};

#define BYTES(bytes) bytes, sizeof(bytes) - 1
#define GOOD(bytes, identity) { BYTES(bytes), identity, ERROR_NONE, "", "", "" }
#define CORRUPT(bytes, slug, text, hint) \
	{ BYTES(bytes), IDENTITY_REFUSED, ERROR_CORRUPT, slug, text, hint }
#define UNSUPPORTED(bytes, slug, text) \
	{ BYTES(bytes), IDENTITY_REFUSED, ERROR_UNSUPPORTED, slug, text, "" }

/* The catalogue of bad input, rows 1 to 14, and the table of first bytes. */
static const struct row rows[] = {
	GOOD("PK\3\4" FILL, IDENTITY_ZIP),
	GOOD("\x80\2\x8a\n" NUMBER "." FILL, IDENTITY_TORCH_LEGACY),
	GOOD("\x80\3\x8a\n" NUMBER "." FILL, IDENTITY_TORCH_LEGACY),
	GOOD("\x80\4\x95\r\0\0\0\0\0\0\0\x8a\n" NUMBER "." FILL, IDENTITY_TORCH_LEGACY),
	GOOD("\x80\5\x95\r\0\0\0\0\0\0\0\x8a\n" NUMBER "." FILL, IDENTITY_TORCH_LEGACY),
	GOOD("L119547037146038801333356L\n." FILL, IDENTITY_TORCH_LEGACY),
	GOOD("\x0a\0\0\0\0\0\0\0{\"a\":{}}  " FILL, IDENTITY_SAFETENSORS),
	GOOD("\x10\0\0\0\0\0\0\0   {\"a\":{}}     " FILL, IDENTITY_SAFETENSORS),
	/* lengths that begin like gzip and like an HTML page */
	GOOD("\x1f\0\0\0\0\0\0\0{\"a\":{}}                       " FILL, IDENTITY_SAFETENSORS),
	GOOD("<\0\0\0\0\0\0\0{\"a\":{}}" FILL FILL FILL, IDENTITY_SAFETENSORS),
	CORRUPT("", "empty", "file is empty (0 bytes)", "did not start"),
	CORRUPT("abc", "tiny", "too short to be a checkpoint (3 bytes)", ""),
	CORRUPT("PK\3\4", "tiny", "too short to be a checkpoint (4 bytes)", ""),
	CORRUPT("\0\0\0", "tiny", "too short", ""),
	CORRUPT("\x80\2\x8a\n" NUMBER ".", "tiny", "too short to be a checkpoint (15 bytes)", ""),
	CORRUPT("<!DOCTYPE html><html><title>404</title>", "html",
		"looks like an HTML page, not a checkpoint: <!DOCTYPE html><html>", "log-in"),
	CORRUPT("\xef\xbb\xbf \r\n\t<HTML><body>Sign in</body>", "html", "<HTML><body>Sign in", ""),
	CORRUPT("<!doctype HTML>\n<title>Sign in</title>", "html", "<title>Sign in", ""),
	CORRUPT("<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>", "apierr",
		"looks like an error message from a server: <?xml", ""),
	CORRUPT("{\"error\":1}", "apierr", "{\"error\":1}", ""),
	CORRUPT("\n[{\"message\": \"not found\"}]\n", "apierr", "not found", ""),
	CORRUPT("version https://git-lfs.github.com/spec/v1\noid sha256:00112233\nsize 12345\n",
		"lfs", "git-lfs pointer, not the file itself (real size 12345 bytes, sha256 00112233)",
		"git lfs pull"),
	CORRUPT("version https://git-lfs.github.com/spec/v1\n", "lfs", "real size unknown", ""),
	CORRUPT("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", "zeros",
		"all 24 bytes examined are zero; the download never completed", ""),
	CORRUPT("\x89PNG\r\n\x1a\n" FILL, "image",
		"not a PyTorch checkpoint (starts with 89 50 4e 47 0d 0a 1a 0a 2e", ""),
	CORRUPT("\x7f" "ELF" FILL, "image", "(starts with 7f 45 4c 46", ""),
	CORRUPT("%PDF-1.4" FILL, "image", "(starts with 25 50 44 46", ""),
	CORRUPT("{\1\2\3" FILL, "image", "(starts with 7b 01 02 03", ""),
	CORRUPT("{\"a\": \x7f}" FILL, "image", "(starts with 7b 22 61", ""),
	CORRUPT("{\"a\": \0}" FILL, "image", "(starts with 7b 22 61", ""),
	CORRUPT("                                ", "image", "(starts with 20 20 20", ""),
	CORRUPT("\x80\6" FILL, "image", "(starts with 80 06", ""),
	CORRUPT("\x81\xa6" "0arams" FILL, "image", "(starts with 81 a6", ""),
	CORRUPT("\x81\xa6\x7f" "arams" FILL, "image", "(starts with 81 a6", ""),
	CORRUPT("\x81\xc0params" FILL, "image", "(starts with 81 c0", ""),
	CORRUPT("\x81\xd9\x40" "0" FILL, "image", "(starts with 81 d9", ""),
	CORRUPT("\x81\xd9\x40\x7f" FILL, "image", "(starts with 81 d9", ""),
	CORRUPT("\x90\xa6params" FILL, "image", "(starts with 90 a6", ""),
	CORRUPT("\x08\x01\x13" FILL, "image", "(starts with 08 01", ""),
	CORRUPT("\x08\x20\x12\x07pytorch" FILL, "image", "(starts with 08 20", ""),
	CORRUPT("\x08\x07\x13\x07pytorch" FILL, "image", "(starts with 08 07", ""),
	CORRUPT("\x08\x07\x12\x07\x01" FILL, "image", "(starts with 08 07", ""),
	CORRUPT("\x08\x07\x12\x07\x7f" FILL, "image", "(starts with 08 07", ""),
	UNSUPPORTED("\x1f\x8b\x08" FILL, "wrapped", "gzip-compressed file; unpack it first: gzip -d "),
	UNSUPPORTED("BZh9" FILL, "wrapped", "bzip2-compressed file"),
	UNSUPPORTED("\xfd" "7zXZ\0" FILL, "wrapped", "xz-compressed file"),
	UNSUPPORTED("\x28\xb5\x2f\xfd" FILL, "wrapped", "zstd-compressed file"),
	UNSUPPORTED("\x04\x22\x4d\x18" FILL, "wrapped", "lz4-compressed file"),
	UNSUPPORTED("7z\xbc\xaf\x27\x1c" FILL, "wrapped", "7z archive"),
	UNSUPPORTED("Rar!\x1a" FILL, "wrapped", "rar archive"),
	UNSUPPORTED("\x89HDF\r\n\x1a\n" FILL, "otherformat", "HDF5 file; a checkpoint that"),
	UNSUPPORTED("\x93NUMPY" FILL, "otherformat", "NumPy array file"),
	UNSUPPORTED("GGUF" FILL, "otherformat", "GGUF file"),
	UNSUPPORTED("\x08\x07\x12\x07pytorch" FILL, "otherformat", "ONNX"),
	UNSUPPORTED("\x08\x01\x12\x99" FILL, "otherformat", "TensorFlow"),
	UNSUPPORTED("\x81\xa6params" FILL, "otherformat", "MessagePack"),
	UNSUPPORTED("\x8f\xd9\x40params" FILL, "otherformat", "MessagePack"),
	UNSUPPORTED("\x80\2cfoo\nbar\n" FILL, "otherformat",
		"a Python pickle that torch.save did not write"),
	UNSUPPORTED("\x80\2}q\0X\1\0\0\0aK\1s...............", "otherformat",
		"a Python pickle that torch.save did not write"),
	UNSUPPORTED("PK\5\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", "noroot", "an empty zip archive"),
	UNSUPPORTED("PK\7\10PK\3\4" FILL, "multidisk", "multi-volume zip"),
	UNSUPPORTED("PYTORCH1xxxx", "pytorch1", "preview-release archive"),
	UNSUPPORTED("storages\0\0\0\0" FILL, "torchtar", "torch 0.1 tar archive is not supported"),
	UNSUPPORTED("sys_info\0\0\0\0" FILL, "torchtar", "torch 0.1 tar archive is not supported"),
	{ BYTES("\x80\2c__builtin__\neval\nX\3\0\0\0" FILL), IDENTITY_REFUSED, ERROR_UNSAFE,
		"legacymagic", "first object is not the torch magic number", "" },
	{ BYTES("\x80\4\x95\x40\0\0\0\0\0\0\0cos\nsystem\n" FILL), IDENTITY_REFUSED, ERROR_UNSAFE,
		"legacymagic", "it imports os", "" },
};

static void
test_row(const struct row *row, const char *bytes, size_t count, size_t number)
{
	struct error        err = { 0 };
	struct input_file  *file = memory_file_open(bytes, count);
	struct byte_stream *stream = memory_file_stream(file);
	enum identity       found = identify_stream(stream, &err);

	CHECK(found == row->identity && err.kind == row->kind, "row %zu (%s): %d, kind %d: %s",
		number, row->slug, found, err.kind, err.text);
	CHECK_TEXT(err.slug, row->slug, "row %zu", number);
	CHECK(strstr(err.text, row->text) != NULL, "row %zu: \"%s\" does not say \"%s\"", number,
		err.text, row->text);
	CHECK(strstr(err.hint, row->hint) != NULL, "row %zu: hint \"%s\"", number, err.hint);
	CHECK(row->kind != ERROR_NONE || byte_stream_position(stream) == 0, "row %zu", number);
	CHECK((row->kind == ERROR_NONE) == (err.file[0] == '\0'), "row %zu: place", number);
	byte_stream_close(stream);
	input_file_close(file);
}

static void
test_streams(void)
{
	static const struct row tar = { "", 0, IDENTITY_REFUSED, ERROR_UNSUPPORTED, "wrapped",
		"tar archive; unpack it first: tar xf ", "" };
	static const struct row zeros = { "", 0, IDENTITY_REFUSED, ERROR_CORRUPT, "zeros",
		"all 512 bytes examined are zero", "fetch" };
	char                    block[4096] = "release/mp_rank_00/model_optim_rng.pt";

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		test_row(&rows[i], rows[i].bytes, rows[i].count, i);
	memcpy(block + 257, "ustar", 5);
	test_row(&tar, block, sizeof block, 1000);
	memset(block, 0, sizeof block);
	test_row(&zeros, block, sizeof block, 1001);
}

/* Bytes before an archive: the reader of archives is to say so. */
static void
test_prefix(void)
{
	struct zip_part    part = { "r/data.pkl", "x", 1, 0, 0, 0 };
	struct zip_builder zip = builder_make(&part, 1, STYLE_TORCH);
	struct row         row = { "", 0, IDENTITY_ZIP, ERROR_NONE, "", "", "" };

	builder_insert(&zip, 0, FILL, sizeof FILL - 1);
	test_row(&row, (const char *)zip.bytes, zip.length, 1002);
	builder_free(&zip);
}

/* ---- by record names ------------------------------------------------------------------ */

#define MOST_NAMES 4
struct zip_row {
	const char       *names[MOST_NAMES];
	enum zip_identity identity;
	const char       *slug, *text;
};

static const struct zip_row zip_rows[] = {
	{ { "a/data.pkl", "a/version" }, ZIP_IDENTITY_TORCH, "", "" },
	{ { "a/data.pkl", "b/data/0" }, ZIP_IDENTITY_TORCH, "", "" },   /* the torch rules mind */
	{ { "release/mp_rank_00/model_optim_rng.pt" }, ZIP_IDENTITY_DOWNLOAD, "", "" },
	{ { "x/y/mp_rank_00_000/model_rng.pt", "x/code/a.py" }, ZIP_IDENTITY_DOWNLOAD, "", "" },
	{ { "model_optim_rng.pt" }, ZIP_IDENTITY_DOWNLOAD, "", "" },
	{ { "a/weights.pt", "README" }, ZIP_IDENTITY_DOWNLOAD, "", "" },
	{ { "a/data.pkl", "a/constants.pkl" }, ZIP_IDENTITY_REFUSED, "torchscript",
		"TorchScript archive: it holds code, not only weights" },
	{ { "a/data.pkl", "a/code/x.py" }, ZIP_IDENTITY_REFUSED, "torchscript", "TorchScript" },
	{ { "a/model.json", "a/x" }, ZIP_IDENTITY_REFUSED, "outerzip", "no model_optim_rng.pt" },
	{ { "a/model.json", "a/tensors/0" }, ZIP_IDENTITY_REFUSED, "torchscript", "TorchScript" },
	{ { "MAR-INF/MANIFEST.json", "x.py" }, ZIP_IDENTITY_REFUSED, "torchscript", "TorchServe" },
	{ { "MAR-INF/MANIFEST.json", "x.pt" }, ZIP_IDENTITY_REFUSED, "torchscript", "TorchServe" },
	{ { "a/archive_format", "a/models/x.json" }, ZIP_IDENTITY_REFUSED, "torchscript", ".pt2" },
	{ { "arr_0.npy" }, ZIP_IDENTITY_REFUSED, "otherformat", "NumPy archive (.npz)" },
	{ { "a/__0_0.distcp", "a/common.pt" }, ZIP_IDENTITY_REFUSED, "distckpt", "distributed" },
	{ { "a/version", "a/data/0" }, ZIP_IDENTITY_REFUSED, "noroot", "no data.pkl" },
	{ { "data.pkl", "version" }, ZIP_IDENTITY_REFUSED, "noroot", "data.pkl is in no folder" },
	{ { "a/b.txt", "ngc.zip" }, ZIP_IDENTITY_REFUSED, "outerzip", "members: a/b.txt, ngc.zip" },
	{ { "__MACOSX/a/._w.pt", "w.txt" }, ZIP_IDENTITY_REFUSED, "outerzip",
		"no model_optim_rng.pt inside " },
};

static void
test_zip(const char *const *names, size_t count, enum zip_identity identity,
	const char *slug, const char *text)
{
	struct zip_part     parts[BUILDER_RECORDS];
	struct zip_builder  zip = { 0 };
	struct error        err = { 0 };
	struct input_file  *file;
	struct byte_stream *stream;
	struct zip_archive *archive;

	for (size_t i = 0; i < count; i++) {
		parts[i] = (struct zip_part){ names[i], "x", 1, 0, 0, 0 };
		builder_record(&zip, &parts[i], STYLE_PLAIN);
	}
	builder_finish(&zip, parts, STYLE_PLAIN);
	file = memory_file_open(zip.bytes, zip.length);
	stream = memory_file_stream(file);
	archive = zip_archive_open(stream, ZIP_DOWNLOAD, &err);
	memory_file_must(archive != NULL, err.text);
	CHECK(identify_zip(archive, &err) == identity, "%s: %s", names[0], err.text);
	CHECK_TEXT(err.slug, slug, "%s", names[0]);
	CHECK(strstr(err.text, text) != NULL, "%s: \"%s\" does not say \"%s\"", names[0],
		err.text, text);
	CHECK(err.kind == (identity == ZIP_IDENTITY_REFUSED ? ERROR_UNSUPPORTED : ERROR_NONE),
		"%s: kind %d", names[0], err.kind);
	zip_archive_close(archive);
	byte_stream_close(stream);
	input_file_close(file);
	builder_free(&zip);
}

static void
test_zips(void)
{
	static const char *const many[] = { "n00", "n01", "n02", "n03", "n04", "n05", "n06", "n07",
		"n08", "n09", "n10", "n11" };

	for (size_t i = 0; i < sizeof zip_rows / sizeof *zip_rows; i++) {
		size_t count = 0;

		while (count < MOST_NAMES && zip_rows[i].names[count] != NULL)
			count++;
		test_zip(zip_rows[i].names, count, zip_rows[i].identity, zip_rows[i].slug,
			zip_rows[i].text);
	}
	test_zip(many, sizeof many / sizeof *many, ZIP_IDENTITY_REFUSED, "outerzip",
		"n07, n08, n09, ... (12 in all)");
}

static void
test_shard_names(void)
{
	static const struct { const char *path; bool is_shard; } paths[] = {
		{ "model_optim_rng.pt", true }, { "a/mp_rank_00/model_optim_rng.pt", true },
		{ "/x/model_rng.pt", true }, { "model_rng.pt", true },
		{ "xmodel_rng.pt", false }, { "model_rng.pt/", false }, { "a/model_rng.pt.zip", false },
		{ "a/._model_optim_rng.pt", false }, { "", false }, { "/", false },
		{ "MODEL_RNG.PT", false },
	};

	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
		CHECK(identify_is_shard_name(paths[i].path) == paths[i].is_shard, "%s",
			paths[i].path);
}

int
main(void)
{
	test_streams();
	test_prefix();
	test_zips();
	test_shard_names();
	return check_end("identify");
}
