#include "check.h"
#include "object_pickle.h"
#include "model_verdict.h"
#include "scratch_folder.h"
#include "tiny_pickle.h"

#include "megatron/model.h"

/*
 * Distributed checkpoints whose pieces do not make a model.  Each row puts one tensor into a
 * model of one layer that is whole, in the place of its own or beside it: with a width of 4, an
 * inner width of 8, 8 words and 4 positions.  All pieces lie in one file, one behind the other.
 */

#define L         "decoder.layers.0."
#define WORDS     "embedding.word_embeddings.weight"
#define POSITIONS "embedding.position_embeddings.weight"
#define BIAS      "decoder.final_layernorm.bias"
#define FC2       L "mlp.linear_fc2.weight"
#define MANY      5000

/* Sizes as "<8,4>". */
struct chunk {
	const char *offsets, *sizes;
	const char *notation;           /* of the piece, tiny_pickle.h */
};

struct tensor {
	const char  *key;
	const char  *size;
	const char  *dtype;             /* NULL: float32 */
	struct chunk chunks[4];
	unsigned     repeats;           /* chunks that hold nothing */
};

static const struct tensor whole[] = {
	{ WORDS, "<8,4>", NULL, { { "<0,0>", "<8,4>", "T(8x4)" } }, 0 },
	{ POSITIONS, "<4,4>", NULL, { { "<0,0>", "<4,4>", "T(4x4)" } }, 0 },
	{ L "input_layernorm.weight", "<4>", NULL, { { "<0>", "<4>", "T(4)" } }, 0 },
	{ L "input_layernorm.bias", "<4>", NULL, { { "<0>", "<4>", "T(4)" } }, 0 },
	{ L "self_attention.linear_qkv.weight", "<12,4>", NULL, { { "<0,0>", "<12,4>", "T(12x4)" } }, 0 },
	{ L "self_attention.linear_qkv.bias", "<12>", NULL, { { "<0>", "<12>", "T(12)" } }, 0 },
	{ L "self_attention.linear_proj.weight", "<4,4>", NULL, { { "<0,0>", "<4,4>", "T(4x4)" } }, 0 },
	{ L "self_attention.linear_proj.bias", "<4>", NULL, { { "<0>", "<4>", "T(4)" } }, 0 },
	{ L "pre_mlp_layernorm.weight", "<4>", NULL, { { "<0>", "<4>", "T(4)" } }, 0 },
	{ L "pre_mlp_layernorm.bias", "<4>", NULL, { { "<0>", "<4>", "T(4)" } }, 0 },
	{ L "mlp.linear_fc1.weight", "<8,4>", NULL, { { "<0,0>", "<8,4>", "T(8x4)" } }, 0 },
	{ L "mlp.linear_fc1.bias", "<8>", NULL, { { "<0>", "<8>", "T(8)" } }, 0 },
	{ FC2, "<4,8>", NULL, { { "<0,0>", "<4,8>", "T(4x8)" } }, 0 },
	{ L "mlp.linear_fc2.bias", "<4>", NULL, { { "<0>", "<4>", "T(4)" } }, 0 },
	{ "decoder.final_layernorm.weight", "<4>", NULL, { { "<0>", "<4>", "T(4)" } }, 0 },
	{ BIAS, "<4>", NULL, { { "<0>", "<4>", "T(4)" } }, 0 },
};
#define WHOLE_COUNT (sizeof whole / sizeof *whole)

static const struct row {
	const char   *what;
	struct tensor tensor;           /* size NULL: it is not there; key NULL: all as it was */
	const char   *common;           /* common.pt, tiny_pickle.h; NULL: none */
	const char   *marker;           /* metadata.json; NULL: a good one */
	int           status;
	const char   *slug, *part;      /* of the text */
	const char   *note;
} rows[] = {
	{ "as it is", { .key = NULL }, "{args:{num_attention_heads:2}}", NULL, 0, "", "", "" },
	{ "no common.pt", { .key = NULL }, NULL, NULL, 0, "", "", "no-common" },
	{ "in four pieces", { FC2, "<4,8>", NULL, { { "<0,0>", "<2,4>", "T(2x4)" }, { "<0,4>", "<2,4>", "T(2x4)" }, { "<2,0>", "<2,4>", "T(2x4)" }, { "<2,4>", "<2,4>", "T(2x4)" } }, 0 }, "{}", NULL, 0, "", "", "" },
	{ "a piece without rows", { FC2, "<4,8>", NULL, { { "<0,0>", "<4,8>", "T(4x8)" }, { "<4,0>", "<0,8>", "T(0x8)" } }, 0 }, "{}", NULL, 0, "", "", "" },
	{ "a piece without rows first", { FC2, "<4,8>", NULL, { { "<2,0>", "<0,8>", "T(0x8)" }, { "<0,0>", "<4,8>", "T(4x8)" } }, 0 }, "{}", NULL, 0, "", "", "" },
	{ "a piece without columns", { FC2, "<4,8>", NULL, { { "<0,8>", "<4,0>", "T(4x0)" }, { "<0,0>", "<4,8>", "T(4x8)" } }, 0 }, "{}", NULL, 0, "", "", "" },
	{ "a norm without a part", { BIAS, "<4>", NULL, { { "<0>", "<4>", "T(4)" }, { "<4>", "<0>", "T(0)" } }, 0 }, "{}", NULL, 0, "", "", "" },
	{ "rows that are missing", { FC2, "<4,8>", NULL, { { "<0,0>", "<3,8>", "T(3x8)" } }, 0 }, "{}", NULL, ERROR_CORRUPT, "cover", "layer 0: its 1 pieces have 24 of 32 elements", "" },
	{ "a part that is missing", { BIAS, "<4>", NULL, { { "<0>", "<3>", "T(3)" } }, 0 }, "{}", NULL, ERROR_CORRUPT, "cover", "its 1 pieces have 3 of 4 elements", "" },
	{ "rows twice", { FC2, "<4,8>", NULL, { { "<0,0>", "<3,8>", "T(3x8)" }, { "<2,0>", "<2,8>", "T(2x8)" } }, 0 }, "{}", NULL, ERROR_CORRUPT, "cover", "two of its pieces overlap, at row 2", "" },
	{ "rows twice, the last ones first", { FC2, "<4,8>", NULL, { { "<2,0>", "<2,8>", "T(2x8)" }, { "<0,0>", "<3,8>", "T(3x8)" } }, 0 }, "{}", NULL, ERROR_CORRUPT, "cover", "overlap, at row 0", "" },
	{ "columns twice", { FC2, "<4,8>", NULL, { { "<0,4>", "<4,4>", "T(4x4)" }, { "<0,0>", "<4,5>", "T(4x5)" } }, 0 }, "{}", NULL, ERROR_CORRUPT, "cover", "overlap, at row 0, column 0", "" },
	{ "a corner that is missing", { FC2, "<4,8>", NULL, { { "<0,0>", "<2,8>", "T(2x8)" }, { "<2,0>", "<2,4>", "T(2x4)" } }, 0 }, "{}", NULL, ERROR_CORRUPT, "cover", "24 of 32", "" },
	{ "5000 pieces", { POSITIONS, "<5000,4>", NULL, { { "<0,0>", "<5000,4>", "T(5000x4)" } }, MANY }, "{}", NULL, ERROR_LIMIT, "pieces", "5001 pieces (limit 4096)", "" },

	{ "a piece of another shape", { FC2, "<4,8>", NULL, { { "<0,0>", "<4,8>", "T(8x4)" } }, 0 }, "{}", NULL, ERROR_CORRUPT, "partshape", "the piece has shape [8, 4], .metadata says [4, 8]", "" },
	{ "a piece of more dimensions", { FC2, "<4,8>", NULL, { { "<0,0>", "<4,8>", "T(1x4x8)" } }, 0 }, "{}", NULL, ERROR_CORRUPT, "partshape", "the piece has shape [1, 4, 8]", "" },
	{ "a piece of fewer dimensions", { FC2, "<4,8>", NULL, { { "<0,0>", "<4,8>", "T(32)" } }, 0 }, "{}", NULL, ERROR_CORRUPT, "partshape", "the piece has shape [32]", "" },
	{ "a piece of another type", { FC2, "<4,8>", "float16", { { "<0,0>", "<4,8>", "T(4x8)" } }, 0 }, "{}", NULL, ERROR_CORRUPT, "dtypeshard", "the piece has dtype float32, .metadata says float16", "" },
	{ "a type of no weight", { FC2, "<4,8>", "int64", { { "<0,0>", "<4,8>", "T(4x8)" } }, 0 }, "{}", NULL, ERROR_UNSUPPORTED, "dtype", "dtype int64 for a weight", "" },
	{ "a piece that is a text", { FC2, "<4,8>", NULL, { { "<0,0>", "<4,8>", "'x'" } }, 0 }, "{}", NULL, ERROR_UNSUPPORTED, "foreignweight", "not a plain tensor", "" },
	{ "a weight of one dimension", { FC2, "<32>", NULL, { { "<0>", "<32>", "T(32)" } }, 0 }, "{}", NULL, ERROR_CORRUPT, "partshape", "1 dimensions; 2 are expected", "" },
	{ "a weight of three", { FC2, "<4,8,1>", NULL, { { "<0,0,0>", "<4,8,1>", "T(4x8x1)" } }, 0 }, "{}", NULL, ERROR_CORRUPT, "partshape", "3 dimensions; 2 are expected", "" },

	{ "a layer far away", { "decoder.layers.90.mlp.linear_fc2.bias", "<4>", NULL, { { "<0>", "<4>", "T(4)" } }, 0 }, "{}", NULL, ERROR_CORRUPT, "missingkey", "13 tensors of layers cannot make the 91 layers", "" },
	{ "another layer", { "decoder.layers.1.mlp.linear_fc2.bias", "<4>", NULL, { { "<0>", "<4>", "T(4)" } }, 0 }, "{}", NULL, ERROR_CORRUPT, "missingkey", "layers.1 has no", "" },
	{ "a stack beside the layer", { "decoder.layers.mlp.linear_fc2.bias", "<1,4>", NULL, { { "<0,0>", "<1,4>", "T(1x4)" } }, 0 }, "{}", NULL, ERROR_CORRUPT, "collision", "is the same parameter", "" },
	{ "a stack of nothing", { "decoder.layers.mlp.linear_fc2.bias", "<0,4>", NULL, { { "<0,0>", "<0,4>", "T(0x4)" } }, 0 }, "{}", NULL, ERROR_CORRUPT, "partshape", "it has 0 layers", "" },
	{ "a stack that is a number", { "decoder.layers.mlp.linear_fc2.bias", "<>", NULL, { { "<>", "<>", "T(1)" } }, 0 }, "{}", NULL, ERROR_CORRUPT, "partshape", "it has 0 layers", "" },
	{ "a stack of 100001", { "decoder.layers.mlp.linear_fc2.bias", "<100001,4>", NULL, { { "<0,0>", "<1,4>", "T(1x4)" } }, 0 }, "{}", NULL, ERROR_CORRUPT, "partshape", "it has 100001 layers", "" },
	{ "no words", { .key = WORDS }, "{}", NULL, ERROR_CORRUPT, "missingkey", "no word_embeddings.weight", "" },
	{ "no layer", { "strange", "<4>", NULL, { { "<0>", "<4>", "T(4)" } }, 0 }, "{}", NULL, ERROR_UNSUPPORTED, "extrakey", "strange", "" },
	{ "an output layer", { "output_layer.weight", "<8,4>", NULL, { { "<0,0>", "<8,4>", "T(8x4)" } }, 0 }, "{args:{untie_embeddings_and_output_weights:0}}", NULL, 0, "", "", "" },
	{ "an output layer in other pieces", { "output_layer.weight", "<8,4>", NULL, { { "<0,0>", "<4,4>", "T(4x4)" }, { "<4,0>", "<4,4>", "T(4x4)" } }, 0 }, "{args:{untie_embeddings_and_output_weights:0}}", NULL, ERROR_UNSUPPORTED, "replicated", "cut into other pieces", "" },
	{ "an output layer with nothing beside", { "output_layer.weight", "<8,4>", NULL, { { "<8,0>", "<0,4>", "T(0x4)" }, { "<0,0>", "<8,4>", "T(8x4)" } }, 0 }, "{args:{untie_embeddings_and_output_weights:0}}", NULL, 0, "", "", "" },

	{ "common.pt is a list of one", { .key = NULL }, "[{args:{num_attention_heads:2}}]", NULL, 0, "", "", "" },
	{ "common.pt is a list of two", { .key = NULL }, "[{},{}]", NULL, ERROR_UNSUPPORTED, "toplevel", "it holds a list", "" },
	{ "common.pt is a list of a text", { .key = NULL }, "['x']", NULL, ERROR_UNSUPPORTED, "toplevel", "a dict is expected", "" },
	{ "common.pt is a number", { .key = NULL }, "5", NULL, ERROR_UNSUPPORTED, "toplevel", "a dict is expected", "" },
	{ "a key of common.pt twice", { .key = NULL }, "{a:1,a:2}", NULL, ERROR_UNSAFE, "hash", "two values for key 'a'", "" },
	{ "args that are a number", { .key = NULL }, "{args:5}", NULL, ERROR_UNSUPPORTED, "noneargs", "args is", "" },
	{ "sizes that are texts", { .key = NULL }, "{args:{tensor_model_parallel_size:'2',pipeline_model_parallel_size:'2'}}", NULL, 0, "", "", "" },
	{ "sizes 0", { .key = NULL }, "{args:{tensor_model_parallel_size:0,pipeline_model_parallel_size:0}}", NULL, 0, "", "", "" },
	{ "sizes of 70000", { .key = NULL }, "{args:{tensor_model_parallel_size:70000,pipeline_model_parallel_size:70000}}", NULL, 0, "", "", "" },
	{ "virtual stages in a text", { .key = NULL }, "{args:{virtual_pipeline_model_parallel_size:'2'}}", NULL, ERROR_CORRUPT, "args", "args.virtual_pipeline_model_parallel_size", "" },
	{ "1025 virtual stages", { .key = NULL }, "{args:{virtual_pipeline_model_parallel_size:1025}}", NULL, 0, "", "", "" },
	{ "an unknown label", { .key = NULL }, "{checkpoint_version:9}", NULL, ERROR_UNSUPPORTED, "cv", "9", "" },

	{ "a marker that is a list", { .key = NULL }, "{}", "[]", ERROR_UNSUPPORTED, "distckpt", "names no sharded_backend", "" },
	{ "a marker without a backend", { .key = NULL }, "{}", "{}", ERROR_UNSUPPORTED, "distckpt", "names no sharded_backend", "" },
	{ "a backend that is a number", { .key = NULL }, "{}", "{\"sharded_backend\": 1}", ERROR_UNSUPPORTED, "distckpt", "names no sharded_backend", "" },
	{ "another backend", { .key = NULL }, "{}", "{\"sharded_backend\": \"fsdp_dtensor\"}", ERROR_UNSUPPORTED, "distckpt", "'fsdp_dtensor'", "" },
	{ "a marker that is empty", { .key = NULL }, "{}", "", ERROR_CORRUPT, "json", "", "" },
};

/* ---- the files ---------------------------------------------------------------------------- */

struct making {
	struct text tensors, storage;   /* of the index */
	struct text pieces;             /* __0_0.distcp */
};

static void
add_chunk(struct making *making, const char *key, const struct chunk *chunk)
{
	struct text piece = { 0 };

	tiny_pickle_file(&piece, chunk->notation);
	text_add(&making->storage, "MetadataIndex(fqn:'%s',offset:%s):_StorageInfo(relative_path:"
		"'__0_0.distcp',offset:%zu,length:%zu),", key, chunk->offsets,
		making->pieces.length, piece.length);
	text_add_bytes(&making->pieces, piece.bytes, piece.length);
	text_free(&piece);
}

static void
list_chunk(struct making *making, const struct chunk *chunk)
{
	text_add(&making->tensors, "ChunkStorageMetadata(offsets:%s,sizes:%s),", chunk->offsets,
		chunk->sizes);
}

/* Pieces without rows, each at a row of its own. */
static void
add_repeats(struct making *making, const struct tensor *tensor)
{
	for (unsigned i = 0; i < tensor->repeats; i++) {
		char         offsets[32];
		struct chunk chunk = { offsets, "<0,4>", "T(0x4)" };

		snprintf(offsets, sizeof offsets, "<%u,0>", i + 1);
		list_chunk(making, &chunk);
		add_chunk(making, tensor->key, &chunk);
	}
}

static void
add_tensor(struct making *making, const struct tensor *tensor)
{
	text_add(&making->tensors, "'%s':TensorStorageMetadata(properties:TensorProperties("
		"dtype:@torch.%s),size:%s,chunks:[", tensor->key,
		tensor->dtype != NULL ? tensor->dtype : "float32", tensor->size);
	for (size_t i = 0; i < 4 && tensor->chunks[i].offsets != NULL; i++) {
		list_chunk(making, &tensor->chunks[i]);
		add_chunk(making, tensor->key, &tensor->chunks[i]);
	}
	add_repeats(making, tensor);
	text_add(&making->tensors, "]),");
}

static void
write_torch(const char *name, const char *notation)
{
	struct text file = { 0 };

	tiny_pickle_file(&file, notation);
	scratch_write(name, file.bytes, file.length);
	text_free(&file);
}

static void
make_files(const struct row *row)
{
	const char   *marker = row->marker != NULL ? row->marker
		: "{\"sharded_backend\": \"torch_dist\", \"sharded_backend_version\": 1}";
	struct making making = { .pieces = { 0 } };
	struct text   notation = { 0 }, index = { 0 };
	bool          is_new = row->tensor.key != NULL;

	for (size_t i = 0; i < WHOLE_COUNT; i++) {
		bool is_other = row->tensor.key != NULL && strcmp(whole[i].key, row->tensor.key) == 0;

		if (!is_other)
			add_tensor(&making, &whole[i]);
		else if (row->tensor.size != NULL)
			add_tensor(&making, &row->tensor);
		is_new = is_new && !is_other;
	}
	if (is_new)
		add_tensor(&making, &row->tensor);
	text_add(&notation, "Metadata(state_dict_metadata:{%s},storage_data:{%s})",
		making.tensors.bytes, making.storage.bytes);
	object_pickle_add(&index, notation.bytes);
	scratch_write(".metadata", index.bytes, index.length);
	scratch_write("__0_0.distcp", making.pieces.bytes, making.pieces.length);
	scratch_write("metadata.json", marker, strlen(marker));
	if (row->common != NULL)
		write_torch("common.pt", row->common);
	text_free(&making.tensors);
	text_free(&making.storage);
	text_free(&making.pieces);
	text_free(&notation);
	text_free(&index);
}

static bool
has_note(const struct decision_log *log, const char *slug)
{
	for (size_t i = 0; i < log->note_count; i++)
		if (strcmp(log->notes[i].slug, slug) == 0)
			return true;
	return slug[0] == '\0';
}

static void
check_row(const struct row *row)
{
	struct decision_log log;

	make_files(row);
	decision_log_init(&log);
	model_verdict_check(row->what, row->status, row->slug, row->part, &log);
	CHECK(has_note(&log, row->note), "%s: note", row->what);
	decision_log_fini(&log);
	scratch_empty();
}

/* ---- indexes of other things ----------------------------------------------------------------- */

#define ONE(key) "'" key "':TensorStorageMetadata(properties:TensorProperties(dtype:@torch.float32)," \
	"size:<4>,chunks:[ChunkStorageMetadata(offsets:<0>,sizes:<4>)]),"
#define STORED(key) "MetadataIndex(fqn:'" key "',offset:<0>):_StorageInfo(relative_path:'f',offset:0,length:9),"

static const struct {
	const char *what, *index;
	int         status;
	const char *slug, *part;
} strange[] = {
	{ "no tensors", "Metadata(state_dict_metadata:{},storage_data:{})", ERROR_UNSUPPORTED, "distckpt", "it has: no tensors" },
	{ "one tensor", "Metadata(state_dict_metadata:{" ONE("a") "},storage_data:{" STORED("a") "})", ERROR_UNSUPPORTED, "distckpt", "it has: a" },
	{ "five tensors", "Metadata(state_dict_metadata:{" ONE("a") ONE("b") ONE("c") ONE("d") ONE("e") "},storage_data:{" STORED("a") STORED("b") STORED("c") STORED("d") STORED("e") "})", ERROR_UNSUPPORTED, "distckpt", "it has: a, b, c, d, e" },
	{ "six tensors", "Metadata(state_dict_metadata:{" ONE("a") ONE("b") ONE("c") ONE("d") ONE("e") ONE("f") "},storage_data:{" STORED("a") STORED("b") STORED("c") STORED("d") STORED("e") STORED("f") "})", ERROR_UNSUPPORTED, "distckpt", "it has: a, b, c, d, e, ..." },
	{ "a file that is not there", "Metadata(state_dict_metadata:{" ONE(BIAS) "},storage_data:{" STORED(BIAS) "})", ERROR_NO_INPUT, "noinput", "" },
	{ "words in a file that is not there", "Metadata(state_dict_metadata:{'args':BytesStorageMetadata()," ONE(BIAS) "},storage_data:{" STORED(BIAS) "MetadataIndex(fqn:'args'):_StorageInfo(relative_path:'g',offset:0,length:9)})", ERROR_NO_INPUT, "noinput", "" },
};

static void
check_strange(void)
{
	static char large[(64 << 10) + 2];

	memset(large, ' ', sizeof large - 1);
	for (size_t i = 0; i <= sizeof strange / sizeof *strange; i++) {
		const bool                  is_large = i == sizeof strange / sizeof *strange;
		const char                 *what = is_large ? "a marker of 64 KiB" : strange[i].what;
		const struct shards_options options = { .spool_directory = "/tmp",
			.arena_limit = (size_t)64 << 20 };
		struct decision_log         log;
		struct shards              *shards;
		struct text                 index = { 0 };
		struct error                err = { 0 };

		object_pickle_add(&index, strange[is_large ? 0 : i].index);
		scratch_write(".metadata", index.bytes, index.length);
		if (is_large)
			scratch_write("metadata.json", large, sizeof large - 1);
		decision_log_init(&log);
		shards = shards_open(scratch_path(""), &options, &log, &err);
		CHECK(shards == NULL && (int)err.kind == (is_large ? ERROR_LIMIT : strange[i].status),
			"%s: status %d: %s", what, (int)err.kind, err.text);
		CHECK_TEXT(err.slug, is_large ? "json" : strange[i].slug, "%s", what);
		CHECK(is_large || text_has_suffix(err.text, strange[i].part)
			|| strange[i].part[0] == '\0', "%s: %s", what, err.text);
		shards_close(shards);
		decision_log_fini(&log);
		text_free(&index);
		scratch_empty();
	}
}

int
main(void)
{
	scratch_open();
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		check_row(&rows[i]);
	check_strange();
	scratch_close();
	return check_end("distributed");
}
