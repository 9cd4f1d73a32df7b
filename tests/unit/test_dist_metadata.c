#include "megatron/dist_metadata.h"

#include "check.h"
#include "memory_file.h"
#include "object_pickle.h"

/*
 * Indexes of distributed checkpoints (.metadata).  Each row changes one thing in an index that
 * is good.  The classes and their attributes are those of
 * torch/distributed/checkpoint/metadata.py and filesystem.py.
 */

/* ---- the index -------------------------------------------------------------------------- */

#define KEY     "decoder.final_layernorm.bias"
#define STORED  "_StorageInfo(relative_path:'__0_0.distcp',offset:64,length:1500)"
#define CHUNK   "ChunkStorageMetadata(offsets:<0>,sizes:<8>)"
#define TENSOR  "TensorStorageMetadata(properties:TensorProperties(dtype:@torch.float32)," \
	"size:<8>,chunks:[" CHUNK "])"
#define PLACE   "MetadataIndex(fqn:'" KEY "',offset:<0>)"

static const char good[] = "Metadata(state_dict_metadata:{'" KEY "':" TENSOR "},storage_data:{"
	PLACE ":" STORED "})";

#define A100  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A401  A100 A100 A100 A100 "a"
#define MAX   "9223372036854775807"
#define REST(number) "MetadataIndex(fqn:'optimizer.x',offset:<" number ">):" \
	"_StorageInfo(relative_path:'f',offset:0,length:" MAX "),"
#define ATTRIBUTES_11(x) x "0:1," x "1:1," x "2:1," x "3:1," x "4:1," x "5:1," x "6:1," x "7:1," \
	x "8:1," x "9:1," x "a:1,"

static const struct row {
	const char *what, *from, *to;
	int         status;
	const char *slug, *part;        /* of the text */
} rows[] = {
	{ "as it is", "", "", 0, "", "" },
	{ "root of another class", "Metadata(", "Metadatum(", ERROR_CORRUPT, "dcpmeta", "a Metadata is expected" },
	{ "root is a text", good, "'x'", ERROR_CORRUPT, "dcpmeta", "a Metadata is expected" },
	{ "no state_dict_metadata", "state_dict_", "stale_dict_", ERROR_CORRUPT, "dcpmeta", "state_dict_metadata is" },
	{ "state_dict_metadata is a list", "{'" KEY "':" TENSOR "}", "[]", ERROR_CORRUPT, "dcpmeta", "state_dict_metadata is a list" },
	{ "a key twice", "{'" KEY "'", "{'x':N,'x':N,'" KEY "'", ERROR_UNSAFE, "hash", "two values for key 'x'" },
	{ "no storage_data", "storage_data", "stowage_data", ERROR_CORRUPT, "dcpmeta", "storage_data is" },
	{ "storage_data is a list", "{" PLACE ":" STORED "}", "[]", ERROR_CORRUPT, "dcpmeta", "storage_data is a list" },
	{ "another root with attributes", ",storage_data", ",planner_data:N,version:'1.0.0',storage_data", 0, "", "" },

	{ "index of another class", "MetadataIndex(", "MetadatIndex(", ERROR_CORRUPT, "dcpmeta", "a MetadataIndex is expected" },
	{ "index is a text", PLACE ":", "'x':", ERROR_CORRUPT, "dcpmeta", "a MetadataIndex is expected" },
	{ "no fqn", "fqn:", "name:", ERROR_CORRUPT, "dcpmeta", "a key is" },
	{ "fqn is a number", "fqn:'" KEY "'", "fqn:7", ERROR_CORRUPT, "dcpmeta", "a key is" },
	{ "fqn of 401 bytes", "fqn:'" KEY "'", "fqn:'" A401 "'", ERROR_CORRUPT, "dcpmeta", "at most 400 bytes" },
	{ "fqn is not UTF-8", "fqn:'" KEY "'", "fqn:'~'", ERROR_CORRUPT, "dcpmeta", "a key is" },
	{ "place is a text", "offset:<0>", "offset:'0'", ERROR_CORRUPT, "dcpmeta", "an offset is" },
	{ "place below 0", "offset:<0>", "offset:<-1>", ERROR_CORRUPT, "dcpmeta", "negative" },
	{ "place of a text", "offset:<0>", "offset:<'0'>", ERROR_CORRUPT, "dcpmeta", "a number from 0 on" },
	{ "place is a list", "offset:<0>", "offset:[0]", 0, "", "" },
	{ "place of nothing", "offset:<0>", "offset:N", ERROR_CORRUPT, "missingrec", "no item" },
	{ "place of two dimensions", "offset:<0>", "offset:<0,0>", ERROR_CORRUPT, "missingrec", "no item" },
	{ "place elsewhere", "offset:<0>", "offset:<4>", ERROR_CORRUPT, "missingrec", "no item" },
	{ "33 dimensions", "offset:<0>", "offset:<0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0>", ERROR_LIMIT, "dims", "33 dimensions" },

	{ "item of another class", "_StorageInfo(", "_StorageInf(", ERROR_CORRUPT, "dcpmeta", "a _StorageInfo is expected" },
	{ "item is nothing", STORED, "N", ERROR_CORRUPT, "dcpmeta", "a _StorageInfo is expected" },
	{ "33 attributes more", "_StorageInfo(", "_StorageInfo(" ATTRIBUTES_11("x") ATTRIBUTES_11("y") ATTRIBUTES_11("z"), ERROR_CORRUPT, "dcpmeta", "with 36 attributes" },
	{ "no relative_path", "relative_path", "relative_paths", ERROR_CORRUPT, "dcpmeta", "relative_path is" },
	{ "path is a number", "'__0_0.distcp'", "7", ERROR_CORRUPT, "dcpmeta", "relative_path is" },
	{ "path is empty", "'__0_0.distcp'", "''", ERROR_CORRUPT, "dcpmeta", "relative_path is" },
	{ "path of 401 bytes", "'__0_0.distcp'", "'" A401 "'", ERROR_CORRUPT, "dcpmeta", "relative_path is" },
	{ "path is not UTF-8", "'__0_0.distcp'", "'~'", ERROR_CORRUPT, "dcpmeta", "relative_path is" },
	{ "path into a folder", "'__0_0.distcp'", "'a/b'", ERROR_UNSAFE, "traversal", "'a/b' leaves" },
	{ "path with a backslash", "'__0_0.distcp'", "'a\\b'", ERROR_UNSAFE, "traversal", "leaves" },
	{ "path is .", "'__0_0.distcp'", "'.'", ERROR_UNSAFE, "traversal", "'.' leaves" },
	{ "path is ..", "'__0_0.distcp'", "'..'", ERROR_UNSAFE, "traversal", "'..' leaves" },
	{ "path is ...", "'__0_0.distcp'", "'...'", 0, "", "" },
	{ "item begins nowhere", "offset:64", "begin:64", ERROR_CORRUPT, "dcpmeta", "offset is" },
	{ "item begins below 0", "offset:64", "offset:-64", ERROR_CORRUPT, "dcpmeta", "offset is negative" },
	{ "item of no length", "length:1500", "size:1500", ERROR_CORRUPT, "dcpmeta", "length is" },
	{ "item of length 0", "length:1500", "length:0", ERROR_CORRUPT, "outside", "0 bytes at offset 64" },
	{ "item of a text", "length:1500", "length:'1500'", ERROR_CORRUPT, "dcpmeta", "length is" },
	{ "no transform", "length:1500", "length:1500,transform_descriptors:N", 0, "", "" },
	{ "transforms of none", "length:1500", "length:1500,transform_descriptors:[]", 0, "", "" },
	{ "a tuple of none", "length:1500", "length:1500,transform_descriptors:<>", 0, "", "" },
	{ "compressed", "length:1500", "length:1500,transform_descriptors:['zstd']", ERROR_UNSUPPORTED, "distckpt", "transformed" },
	{ "compressed, as a text", "length:1500", "length:1500,transform_descriptors:'zstd'", ERROR_UNSUPPORTED, "distckpt", "transformed" },
	{ "one piece in two files", PLACE ":", PLACE ":_StorageInfo(relative_path:'f',offset:0,length:1)," PLACE ":", ERROR_CORRUPT, "collision", "one piece lies in" },
	{ "an item that is no piece", PLACE ":", "MetadataIndex(fqn:'" KEY "',offset:<1>):_StorageInfo(relative_path:'f',offset:0,length:1)," PLACE ":", ERROR_CORRUPT, "orphan", "f holds an item" },
	{ "one of more dimensions", PLACE ":", "MetadataIndex(fqn:'" KEY "',offset:<0,0>):_StorageInfo(relative_path:'f',offset:0,length:1)," PLACE ":", ERROR_CORRUPT, "orphan", "f holds an item" },
	{ "one without a place", PLACE ":", "MetadataIndex(fqn:'" KEY "',offset:N):_StorageInfo(relative_path:'f',offset:0,length:1)," PLACE ":", 0, "", "" },
	{ "an optimizer of 2^64 bytes", PLACE ":", REST("0") REST("1") REST("2") PLACE ":", ERROR_CORRUPT, "outside", "overflow" },

	{ "tensor of another class", "TensorStorageMetadata(", "TensorStorageMetadat(", ERROR_CORRUPT, "dcpmeta", "a TensorStorageMetadata is expected" },
	{ "tensor is nothing", TENSOR, "N", ERROR_CORRUPT, "dcpmeta", "a TensorStorageMetadata is expected" },
	{ "key is a number", "'" KEY "':Tensor", "7:Tensor", ERROR_CORRUPT, "dcpmeta", "a key is" },
	{ "key of 401 bytes", "'" KEY "':Tensor", "'" A401 "':Tensor", ERROR_CORRUPT, "dcpmeta", "a key is" },
	{ "an object for a tensor", TENSOR, "BytesStorageMetadata()", ERROR_CORRUPT, "missingrec", "no item" },
	{ "an object without item", "{'" KEY "'", "{'args':BytesStorageMetadata(),'" KEY "'", ERROR_CORRUPT, "missingrec", "no item" },
	{ "no properties", "properties:", "property:", ERROR_CORRUPT, "dcpmeta", "a TensorProperties is expected" },
	{ "properties of another class", "TensorProperties(", "TensorPropertys(", ERROR_CORRUPT, "dcpmeta", "a TensorProperties is expected" },
	{ "properties as a tuple", "TensorProperties(dtype:@torch.float32)", "TensorProperties<@torch.float32,N>", 0, "", "" },
	{ "properties of nothing", "TensorProperties(dtype:@torch.float32)", "TensorProperties<>", ERROR_UNSUPPORTED, "dtype", "is not known" },
	{ "no dtype", "dtype:", "type:", ERROR_UNSUPPORTED, "dtype", "is not known" },
	{ "dtype is a text", "@torch.float32", "'float32'", ERROR_UNSUPPORTED, "dtype", "is not known" },
	{ "dtype of numpy", "@torch.float32", "@numpy.float32", ERROR_UNSUPPORTED, "dtype", "numpy.float32" },
	{ "dtype that is none", "@torch.float32", "@torch.float31", ERROR_UNSUPPORTED, "dtype", "torch.float31" },
	{ "no size", "size:<8>", "sizes:<8>", ERROR_CORRUPT, "dcpmeta", "size is" },
	{ "size is a number", "size:<8>", "size:8", ERROR_CORRUPT, "dcpmeta", "size is" },
	{ "size of 2^66", "size:<8>", "size:<4294967296,4294967296,4>", ERROR_CORRUPT, "outside", "overflows" },
	{ "size of two dimensions", "size:<8>", "size:<8,1>", ERROR_CORRUPT, "outside", "a piece of 1 dimensions" },
	{ "no chunks", "chunks:", "junks:", ERROR_CORRUPT, "missingrec", "no pieces" },
	{ "chunks is a tuple", "[" CHUNK "]", "<" CHUNK ">", ERROR_CORRUPT, "missingrec", "no pieces" },
	{ "chunks of nothing", "[" CHUNK "]", "[]", ERROR_CORRUPT, "missingrec", "no pieces" },
	{ "chunk of another class", "ChunkStorage", "HunkStorage", ERROR_CORRUPT, "dcpmeta", "a ChunkStorageMetadata is expected" },
	{ "no offsets", "offsets:", "offset:", ERROR_CORRUPT, "dcpmeta", "offsets is" },
	{ "no sizes", "sizes:", "size:", ERROR_CORRUPT, "dcpmeta", "sizes is" },
	{ "more sizes than dimensions", "sizes:<8>", "sizes:<1,8>", ERROR_CORRUPT, "outside", "a piece of 2 dimensions" },
	{ "piece that begins behind the end", "offsets:<0>", "offsets:<9>", ERROR_CORRUPT, "outside", "reaches from 9" },
	{ "piece that ends behind the end", "sizes:<8>", "sizes:<9>", ERROR_CORRUPT, "outside", "over 9" },
	{ "piece of a size that wraps", "sizes:<8>", "sizes:<" MAX ">", ERROR_CORRUPT, "outside", "over " MAX },
	{ "a piece twice", "[" CHUNK "]", "[" CHUNK "," CHUNK "]", ERROR_CORRUPT, "collision", "listed twice" },
};

/* `good` with the first `from` in it replaced, as a pickle; "" is at the end. */
static void
make_pickle(struct text *pickle, const struct row *row)
{
	struct text notation = { 0 };
	const char *at = row->from[0] != '\0' ? strstr(good, row->from) : good + strlen(good);

	memory_file_must(at != NULL, row->what);
	text_add(&notation, "%.*s%s%s", (int)(at - good), good, row->to, at + strlen(row->from));
	object_pickle_add(pickle, notation.bytes);
	memory_file_must(!pickle->failed && !notation.failed, "memory");
	text_free(&notation);
}

static bool
read_index(const struct text *pickle, struct arena *arena, struct dist_metadata *metadata,
	struct error *err)
{
	struct input_file *file = memory_file_open(pickle->bytes, pickle->length);
	bool               done;

	*err = (struct error){ 0 };
	arena_init(arena, (size_t)1 << 24);
	done = dist_metadata_read(file, arena, metadata, err);
	input_file_close(file);
	return done;
}

static void
test_rows(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct row    *row = &rows[i];
		struct dist_metadata metadata;
		struct arena         arena;
		struct error         err;
		struct text          pickle = { 0 };

		make_pickle(&pickle, row);
		CHECK(read_index(&pickle, &arena, &metadata, &err) == (row->status == 0)
			&& (int)err.kind == row->status, "%s: status %d: %s", row->what,
			(int)err.kind, err.text);
		CHECK_TEXT(err.slug, row->slug, "%s", row->what);
		CHECK(strstr(err.text, row->part) != NULL, "%s: %s", row->what, err.text);
		CHECK(row->status == 0 || err.file[0] != '\0', "%s: names the file", row->what);
		arena_fini(&arena);
		text_free(&pickle);
	}
}

/* ---- what it says ------------------------------------------------------------------------- */

static const char full[] = "Metadata(state_dict_metadata:{"
	"'decoder.layers.mlp.linear_fc2.bias':TensorStorageMetadata(properties:TensorProperties("
	"dtype:@torch.bfloat16),size:<2,8>,chunks:[ChunkStorageMetadata(offsets:<1,0>,sizes:<8>),"
	"ChunkStorageMetadata(offsets:<0,0>,sizes:<1,8>)]),"
	"'optimizer.state.x':" TENSOR ",'mtp.layers.0.eh_proj.weight':" TENSOR ","
	"'mtp.x':BytesStorageMetadata(),"
	"'common_state/shard_0_1':BytesStorageMetadata(),'rng_state':BytesStorageMetadata()},"
	"storage_data:{"
	"MetadataIndex(fqn:'decoder.layers.mlp.linear_fc2.bias',offset:<0,0>):"
	"_StorageInfo(relative_path:'__0_0.distcp',offset:0,length:10),"
	"MetadataIndex(fqn:'decoder.layers.mlp.linear_fc2.bias',offset:<1,0>):"
	"_StorageInfo(relative_path:'__1_0.distcp',offset:10,length:20),"
	"MetadataIndex(fqn:'optimizer.state.x',offset:<0>):"
	"_StorageInfo(relative_path:'__0_0.distcp',offset:30,length:100),"
	"MetadataIndex(fqn:'optimizer.state.x',offset:<8>):"
	"_StorageInfo(relative_path:'__0_0.distcp',offset:130,length:100),"
	"MetadataIndex(fqn:'rng_state',offset:N):"
	"_StorageInfo(relative_path:'__0_0.distcp',offset:230,length:7),"
	"MetadataIndex(fqn:'common_state/shard_0_1'):"
	"_StorageInfo(relative_path:'__0_0.distcp',offset:237,length:5)})";

static uint64_t
rest_of(const struct dist_metadata *metadata, const char *what)
{
	for (size_t i = 0; i < metadata->rest_count; i++)
		if (strcmp(metadata->rest[i].what, what) == 0)
			return metadata->rest[i].bytes;
	return 0;
}

static void
test_contents(void)
{
	const struct dist_tensor *tensor;
	const struct dist_object *object;
	struct dist_metadata      metadata;
	struct arena              arena;
	struct error              err;
	struct text               pickle = { 0 };

	object_pickle_add(&pickle, full);
	CHECK(read_index(&pickle, &arena, &metadata, &err), "%s", err.text);
	CHECK(metadata.tensor_count == 1 && metadata.prediction_heads == 1, "%zu tensors, %zu heads",
		metadata.tensor_count, metadata.prediction_heads);
	tensor = &metadata.tensors[0];
	CHECK_TEXT(tensor->key, "decoder.layers.mlp.linear_fc2.bias", "key");
	CHECK(tensor->dtype == DTYPE_BFLOAT16 && tensor->rank == 2 && tensor->shape[0] == 2
		&& tensor->shape[1] == 8 && tensor->chunk_count == 2, "%zu chunks",
		tensor->chunk_count);
	CHECK(tensor->chunks[0].offset[0] == 1 && tensor->chunks[0].size[0] == 1
		&& tensor->chunks[0].size[1] == 8 && tensor->chunks[0].item.offset == 10
		&& tensor->chunks[0].item.length == 20, "the first chunk");
	CHECK_TEXT(tensor->chunks[0].item.file, "__1_0.distcp", "file");
	CHECK(tensor->chunks[1].offset[0] == 0 && tensor->chunks[1].item.length == 10,
		"the second chunk");
	object = dist_metadata_object(&metadata, "rng_state");
	CHECK(object != NULL && object->item.offset == 230 && object->item.length == 7, "rng_state");
	CHECK(dist_metadata_object(&metadata, "optimizer") == NULL, "no object");
	CHECK(rest_of(&metadata, "optimizer") == 200 && rest_of(&metadata, "rng_state") == 7
		&& rest_of(&metadata, "common_state") == 5, "rests");
	arena_fini(&arena);
	text_free(&pickle);
}

/* What is behind the pickle, and one that is too large to be looked at. */
static void
test_file(void)
{
	struct dist_metadata metadata;
	struct arena         arena;
	struct error         err;
	struct text          pickle = { 0 };
	struct input_file   *file;
	int                  fd = memfd_create("test", MFD_CLOEXEC);

	make_pickle(&pickle, &rows[0]);
	text_add(&pickle, "x");
	CHECK(!read_index(&pickle, &arena, &metadata, &err) && err.kind == ERROR_CORRUPT, "a byte more");
	CHECK_TEXT(err.slug, "nostop", "a byte more");
	arena_fini(&arena);
	memory_file_must(fd >= 0 && ftruncate(fd, (off_t)pickle_default_limits.bytes + 1) == 0, "file");
	file = memory_file_adopt(fd);
	arena_init(&arena, (size_t)1 << 24);
	CHECK(!dist_metadata_read(file, &arena, &metadata, &err) && err.kind == ERROR_LIMIT, "large");
	CHECK_TEXT(err.slug, "hugepkl", "large");
	arena_fini(&arena);
	input_file_close(file);
	text_free(&pickle);
}

int
main(void)
{
	test_rows();
	test_contents();
	test_file();
	return check_end("dist_metadata");
}
