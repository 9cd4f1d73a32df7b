/*
 * What a pickle may say of tensors and storages: one row for every rule on the calls that rebuild
 * a tensor, on persistent ids and on the path that leads to a tensor, in a zip or in a legacy
 * stream.  The pickles are written by hand, in protocol 0 where that has the opcode, since torch
 * writes no such thing; statuses and slugs are those of the catalogue of bad inputs.
 */
#include "check.h"
#include "memory_file.h"
#include "torch/torch_file.h"
#include "zip_builder.h"

#define ARENA_LIMIT ((size_t)32 << 20)
#define STORAGE_BYTES "0123456789abcdef"

/* ---- pieces of pickles -------------------------------------------------------------- */

#define ID(class, key, location, count, more) \
	"(Vstorage\n" class key location count more "tQ"
#define CLASS(module, name) "c" module "\n" name "\n"
#define TEXT(text)          "V" text "\n"
#define NUMBER(number)      "I" number "\n"
#define NONE                "N"
#define FLOATS   ID(CLASS("torch", "FloatStorage"), TEXT("0"), TEXT("cpu"), NUMBER("4"), "")
#define UNTYPED  ID(CLASS("torch.storage", "UntypedStorage"), TEXT("0"), TEXT("cpu"), \
	NUMBER("16"), "")
#define UTILS(name) CLASS("torch._utils", name)
#define SIZES       "I0\n(I4\nt(I1\nt"          /* offset, shape, stride */
#define FLAGS       "I00\n}"                    /* requires no gradient, has no hooks */
#define V2(arguments) UTILS("_rebuild_tensor_v2") "(" arguments "tR"
#define V3(arguments) UTILS("_rebuild_tensor_v3") "(" arguments "tR"
#define ON(storage)   V2(storage SIZES FLAGS)
#define TENSOR        ON(FLOATS)
#define PARAMETER(tensor) UTILS("_rebuild_parameter") "(" tensor FLAGS "tR"
#define FROM_TYPE(function, arguments) CLASS("torch._tensor", "_rebuild_from_type_v2") \
	"(" function CLASS("foo", "Sub") arguments "}tR"
#define FOUR_PARAMETERS(tensor) PARAMETER(PARAMETER(PARAMETER(PARAMETER(tensor))))
#define OBJECT CLASS("foo", "Bar") ")\x81"

struct row {
	const char     *what, *pickle;
	enum error_kind kind;
	const char     *slug;
	const char     *text;           /* found in the message; of a good row: the path, NULL for
	                                   no tensor */
};

#define GOOD(what, pickle, path)              { what, pickle, ERROR_NONE, "", path }
#define CORRUPT(what, pickle, slug, text)     { what, pickle, ERROR_CORRUPT, slug, text }
#define UNSUPPORTED(what, pickle, slug, text) { what, pickle, ERROR_UNSUPPORTED, slug, text }

/* ---- calls -------------------------------------------------------------------------- */

static const struct row calls[] = {
	GOOD("as torch writes it", TENSOR, ""),
	GOOD("the oldest call", UTILS("_rebuild_tensor") "(" FLOATS SIZES "tR", ""),
	GOOD("eight wrappers", FOUR_PARAMETERS(FOUR_PARAMETERS(TENSOR)), ""),
	{ "nine wrappers", PARAMETER(FOUR_PARAMETERS(FOUR_PARAMETERS(TENSOR))), ERROR_LIMIT,
		"rebuildargs", "more than 8 wrappers" },
	GOOD("a subclass", FROM_TYPE(UTILS("_rebuild_tensor_v2"), "(" FLOATS SIZES FLAGS "t"), ""),
	UNSUPPORTED("a parameter around None", PARAMETER(NONE), "foreignweight",
		"None where a tensor was expected"),
	UNSUPPORTED("a parameter around a foreign class",
		PARAMETER(CLASS("torch.distributed.tensor", "DTensor") "(tR"), "foreignweight",
		"torch.distributed.tensor.DTensor"),
	UNSUPPORTED("a subclass by a foreign function", FROM_TYPE(CLASS("foo", "bar"), "(t"),
		"rebuildother", "foo.bar where a plain tensor was expected"),
	UNSUPPORTED("a subclass by no function", FROM_TYPE(NONE, "(t"), "rebuildother",
		"None where a plain tensor was expected"),
	UNSUPPORTED("a subclass of a quantized tensor",
		FROM_TYPE(UTILS("_rebuild_qtensor"), "(t"), "rebuildother", "_rebuild_qtensor"),
	CORRUPT("arguments of a subclass in a list",
		FROM_TYPE(UTILS("_rebuild_tensor_v2"), "](" FLOATS "e"), "rebuildargs",
		"arguments of _rebuild_tensor_v2 are not a tuple"),
	UNSUPPORTED("a class of torch", CLASS("torch", "FloatTensor") "(tR", "rebuildother",
		"torch.FloatTensor"),
	UNSUPPORTED("a class of torch.cuda", CLASS("torch.cuda", "HalfTensor") "(tR",
		"rebuildother", "torch.cuda.HalfTensor"),
	UNSUPPORTED("a class of torch.sparse", CLASS("torch.sparse", "FloatTensor") "(tR",
		"rebuildother", "torch.sparse.FloatTensor"),
	GOOD("another function of torch._utils", UTILS("_flatten") "(tR", NULL),
	GOOD("another function of torch", CLASS("torch", "device") "(tR", NULL),
	CORRUPT("too few arguments", V2(FLOATS SIZES), "rebuildargs",
		"_rebuild_tensor_v2 with 4 arguments"),
	CORRUPT("too many arguments", V2(FLOATS SIZES FLAGS "}}"), "rebuildargs",
		"_rebuild_tensor_v2 with 8 arguments"),
	GOOD("shape as torch.Size", V2(FLOATS "I0\n" CLASS("torch", "Size") "((I4\nttR(I1\nt" FLAGS),
		""),
	CORRUPT("torch.Size of a list", V2(FLOATS "I0\n" CLASS("torch", "Size")
		"(](I4\netR(I1\nt" FLAGS), "rebuildargs", "a tuple was expected"),
	CORRUPT("shape in a list", V2(FLOATS "I0\n](I4\ne(I1\nt" FLAGS), "rebuildargs",
		"a tuple was expected"),
	CORRUPT("nine dimensions more than torch has",
		V2(FLOATS "I0\n(" "NNNNNNNNNN" "NNNNNNNNNN" "NNNNNNNNNN" "NNNNNNNNNN" "NNNNNNNNNN"
		"NNNNNNNNNN" "NNNNNNNNNN" "NNN" "t(t" FLAGS), "dims", "73 dimensions (limit 8)"),
	{ "nine dimensions", V2(FLOATS "I0\n(NNNNNNNNNt(t" FLAGS), ERROR_LIMIT, "dims",
		"9 dimensions (limit 8)" },
	CORRUPT("offset as text", V2(FLOATS TEXT("0") "(I4\nt(I1\nt" FLAGS), "rebuildargs",
		"storage offset is "),
	CORRUPT("offset of 80 bits", V2(FLOATS "L1208925819614629174706175L\n(I4\nt(I1\nt" FLAGS),
		"overflow", "storage offset overflows 64 bits"),
	GOOD("no metadata", V2(FLOATS SIZES FLAGS NONE), ""),
	GOOD("empty metadata", V2(FLOATS SIZES FLAGS "}"), ""),
	CORRUPT("metadata is a number", V2(FLOATS SIZES FLAGS NUMBER("5")), "rebuildargs",
		"a dict was expected"),
	UNSUPPORTED("conjugated", V2(FLOATS SIZES FLAGS "}(" TEXT("conj") "I01\nu"),
		"rebuildother", "the mark 'conj'"),
	UNSUPPORTED("a mark that is a number", V2(FLOATS SIZES FLAGS "}(" NUMBER("7") "I01\nu"),
		"rebuildother", "conjugated or negated"),
	GOOD("bytes of float32", V3(UNTYPED SIZES FLAGS CLASS("torch", "float32")), ""),
	GOOD("bytes of uint8", V3(UNTYPED SIZES FLAGS CLASS("torch", "uint8")), ""),
	CORRUPT("bytes of float64", V3(UNTYPED SIZES FLAGS CLASS("torch", "float64")), "extent",
		""),
	CORRUPT("dtype as text", V3(UNTYPED SIZES FLAGS TEXT("float32")), "rebuildargs",
		"torch.NAME was expected"),
	UNSUPPORTED("dtype of another module", V3(UNTYPED SIZES FLAGS CLASS("numpy", "float32")),
		"dtype", "dtype numpy.float32 is not supported"),
	UNSUPPORTED("unknown dtype", V3(UNTYPED SIZES FLAGS CLASS("torch", "float8_e4m3fn")),
		"dtype", "dtype torch.float8_e4m3fn is not supported"),
	CORRUPT("two dtypes", V3(FLOATS SIZES FLAGS CLASS("torch", "float16")), "rebuildargs",
		"dtype float16 on a storage of FloatStorage"),
};

/* ---- storages ----------------------------------------------------------------------- */

#define WITH_CLASS(class)       ON(ID(class, TEXT("0"), TEXT("cpu"), NUMBER("4"), ""))
#define WITH_KEY(key)           ON(ID(CLASS("torch", "FloatStorage"), key, TEXT("cpu"), \
	NUMBER("4"), ""))
#define WITH_LOCATION(location) ON(ID(CLASS("torch", "FloatStorage"), TEXT("0"), location, \
	NUMBER("4"), ""))
#define WITH_COUNT(count)       ON(ID(CLASS("torch", "FloatStorage"), TEXT("0"), TEXT("cpu"), \
	count, ""))

static const struct row ids[] = {
	GOOD("a class of torch.cuda", WITH_CLASS(CLASS("torch.cuda", "FloatStorage")), ""),
	CORRUPT("class as text", WITH_CLASS(TEXT("FloatStorage")), "pid", "a class was expected"),
	UNSUPPORTED("class of another module", WITH_CLASS(CLASS("foo", "FloatStorage")), "pid",
		"foo.FloatStorage is not a storage class of PyTorch"),
	UNSUPPORTED("unknown class", WITH_CLASS(CLASS("torch", "FooStorage")), "pid",
		"unknown storage class torch.FooStorage"),
	CORRUPT("key as a number", WITH_KEY(NUMBER("0")), "pid", "text was expected"),
	CORRUPT("empty key", WITH_KEY(TEXT("")), "pid", "is not a number"),
	CORRUPT("key in letters", WITH_KEY(TEXT("a")), "pid", "'a' is not a number"),
	CORRUPT("key of 21 digits", WITH_KEY(TEXT("000000000000000000000")), "pid",
		"is not a number of 1 to 20 digits"),
	{ "key is a path", WITH_KEY(TEXT("../0")), ERROR_UNSAFE, "pid", "'../0' is a path" },
	{ "key is a path of Windows", WITH_KEY(TEXT("..\\0")), ERROR_UNSAFE, "pid", "is a path" },
	GOOD("on a GPU", WITH_LOCATION(TEXT("cuda:7")), ""),
	GOOD("on a Mac", WITH_LOCATION(TEXT("mps")), ""),
	UNSUPPORTED("nowhere", WITH_LOCATION(TEXT("meta")), "pid", "it has no data"),
	CORRUPT("location as a number", WITH_LOCATION(NUMBER("0")), "pid",
		"location of storage 0 is not text"),
	CORRUPT("count as text", WITH_COUNT(TEXT("4")), "pid", "an integer was expected"),
	CORRUPT("negative count", WITH_COUNT(NUMBER("-4")), "pid", "negative"),
	CORRUPT("count of 2^63", WITH_COUNT("L9223372036854775808L\n"), "pid",
		"overflows 64 bits"),
	CORRUPT("2^62 elements of 4 bytes", WITH_COUNT(NUMBER("4611686018427387904")), "overflow",
		"overflow 64 bits"),
	CORRUPT("four fields", ON("(Vstorage\n" CLASS("torch", "FloatStorage") TEXT("0")
		TEXT("cpu") "tQ"), "pid", "storage id has 4 fields, 5 expected"),
	CORRUPT("seven fields", ON(ID(CLASS("torch", "FloatStorage"), TEXT("0"), TEXT("cpu"),
		NUMBER("4"), "NN")), "pid", "storage id has 7 fields"),
	CORRUPT("empty id", ON("(tQ"), "persidtext", "not a storage tuple"),
	CORRUPT("another id", ON("(" TEXT("tensor") "tQ"), "persidtext", "begin with 'storage'"),
	CORRUPT("a module for a storage", ON("(" TEXT("module") "tQ"), "rebuildargs",
		"a module class where a storage was expected"),
	CORRUPT("None for a storage", ON(NONE), "rebuildargs",
		"None where a storage was expected"),
	CORRUPT("two counts", "(" TENSOR WITH_COUNT(NUMBER("3")) "t", "storagetwice",
		"4 x FloatStorage and as 3 x FloatStorage"),
	CORRUPT("two classes", "(" TENSOR WITH_CLASS(CLASS("torch", "IntStorage")) "t",
		"storagetwice", "4 x FloatStorage and as 4 x IntStorage"),
	CORRUPT("more than the record has", WITH_COUNT(NUMBER("5")), "recsize",
		"pickle says 5 x 4 bytes"),
	CORRUPT("no such record", WITH_KEY(TEXT("1")), "missingrec", "r/data/1"),
};

/* ---- paths -------------------------------------------------------------------------- */

#define MODULE_STATE "}(" TEXT("_parameters") "}" TEXT("_modules") "}ub"

static const struct row paths[] = {
	GOOD("dicts and lists", "}" TEXT("a") "}" TEXT("b") "](N" TENSOR "ess", "a.b.1"),
	GOOD("a number for a key", "}" NUMBER("-5") TENSOR "s", "-5"),
	GOOD("None for a key", "}(" TEXT("a") NONE NONE TENSOR "u", "#1"),
	GOOD("an attribute", OBJECT "}" TEXT("w") TENSOR "sb", "w"),
	GOOD("an attribute of a dict", "}}" TEXT("w") TENSOR "sb", "w"),
	GOOD("appended to an object", OBJECT "(" TENSOR "e", "0"),
	GOOD("pairs appended to an object", OBJECT "(" NUMBER("3") TENSOR "u", "1"),
	GOOD("an item of an object", OBJECT "(" TEXT("k") TENSOR "u", "k"),
	GOOD("an argument of a call", CLASS("foo", "bar") "(N" TENSOR "tR", "1"),
	GOOD("in an id, which is no part of the object", "(" TEXT("module") TENSOR "tQ", NULL),
	{ "a key twice", "}(" TEXT("a") TENSOR TEXT("a") NONE "u", ERROR_UNSAFE, "hash",
		"two values for key 'a'" },
	CORRUPT("a key that is not UTF-8", "}U\1\xff" TENSOR "s", "strings", "not UTF-8"),
	UNSUPPORTED("a whole module", OBJECT MODULE_STATE, "foreignweight",
		"a whole module (foo.Bar), not a state dict"),
	UNSUPPORTED("a whole module and its source", "(" TEXT("module") CLASS("foo", "Net")
		TEXT("net.py") TEXT("class Net: pass") "tQ)\x81" MODULE_STATE, "foreignweight",
		"a whole module (foo.Net)"),
	UNSUPPORTED("a whole module of no class", "(" TEXT("module") "tQ)\x81" MODULE_STATE,
		"foreignweight", "a whole module ("),
	GOOD("a tensor beside a module", "(" OBJECT MODULE_STATE TENSOR "t", "1"),
	GOOD("parameters without modules", OBJECT "}" TEXT("_parameters") "}" TEXT("w") TENSOR
		"ssb", "_parameters.w"),
	GOOD("modules without parameters", OBJECT "}" TEXT("_modules") "}sb", NULL),
};

/* ---- files -------------------------------------------------------------------------- */

static void
put_zip(struct zip_builder *to, const char *pickle, size_t length)
{
	const struct zip_part parts[] = {
		{ "r/data.pkl", pickle, length, 0, 0, 0 },
		{ "r/data/0", STORAGE_BYTES, 16, 0, 0, 0 },
		{ "r/version", "3\n", 2, 0, 0, 0 },
	};

	*to = builder_make(parts, 3, STYLE_TORCH);
}

#define MAGIC    "\x80\2\x8a\n\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
#define PROTOCOL "\x80\2M\xe9\3."

static void
put_legacy(struct zip_builder *to, const char *information, const char *pickle)
{
	builder_bytes(to, MAGIC PROTOCOL, sizeof MAGIC PROTOCOL - 1);
	builder_bytes(to, information, strlen(information));
	builder_bytes(to, pickle, strlen(pickle));
	builder_bytes(to, ".", 1);
	builder_bytes(to, "](V0\ne.", 7);
	builder_number(to, 8, 4);
	builder_bytes(to, STORAGE_BYTES, 16);
}

/* ---- reading ------------------------------------------------------------------------ */

struct reading {
	const struct torch_file *file;
	size_t                   count;
	char                     path[1200];
	struct tensor_view       view;
};

static bool
read_tensor(void *context, const char *path, const struct value *node, struct error *err)
{
	struct reading *reading = context;

	reading->count++;
	snprintf(reading->path, sizeof reading->path, "%s", path);
	return torch_file_tensor(reading->file, node, &reading->view, err);
}

static void
check_file(const struct row *row, const struct zip_builder *bytes, struct reading *reading)
{
	struct error        err = { 0 };
	struct input_file  *file = memory_file_open(bytes->bytes, bytes->length);
	struct byte_stream *stream = memory_file_stream(file);
	struct torch_file  *torch = torch_file_open(stream, ARENA_LIMIT, &err);
	bool                done;

	*reading = (struct reading){ .file = torch };
	done = torch != NULL && torch_file_each_tensor(torch, read_tensor, reading, &err);
	CHECK(done == (row->kind == ERROR_NONE) && err.kind == row->kind, "%s: %d: %s", row->what,
		err.kind, err.text);
	CHECK_TEXT(err.slug, row->slug, "%s: %s", row->what, err.text);
	if (done) {
		CHECK(reading->count == (row->text != NULL), "%s: %zu tensors", row->what,
			reading->count);
		CHECK_TEXT(reading->path, row->text != NULL ? row->text : "", "%s", row->what);
	} else {
		CHECK(strstr(err.text, row->text) != NULL, "%s: '%s'", row->what, err.text);
	}
	torch_file_close(torch);
	byte_stream_close(stream);
	input_file_close(file);
}

static void
check_pickle(const struct row *row, const char *pickle, size_t length)
{
	struct zip_builder zip;
	struct reading     reading;

	put_zip(&zip, pickle, length);
	check_file(row, &zip, &reading);
	builder_free(&zip);
}

static void
check_rows(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char pickle[4000];

		snprintf(pickle, sizeof pickle, "\x80\2%s.", rows[i].pickle);
		check_pickle(&rows[i], pickle, strlen(pickle));
	}
}

/* ---- long and deep paths ------------------------------------------------------------ */

/* Each list is put into the one before it when that is empty yet, so that nothing but the path
 * shows how deep it gets. */
static void
check_deep(size_t depth, const struct row *row)
{
	struct zip_builder pickle = { 0 };
	char               piece[40];

	builder_bytes(&pickle, "\x80\2]q\0", 5);
	for (size_t i = 1; i < depth; i++)
		builder_bytes(&pickle, piece, (size_t)snprintf(piece, sizeof piece,
			"g%zu\n]p%zu\na0", i - 1, i));
	builder_bytes(&pickle, piece, (size_t)snprintf(piece, sizeof piece, "g%zu\n", depth - 1));
	builder_bytes(&pickle, TENSOR "a0.", sizeof TENSOR "a0." - 1);
	check_pickle(row, (const char *)pickle.bytes, pickle.length);
	builder_free(&pickle);
}

static void
check_long(size_t length, const struct row *row)
{
	char *pickle = malloc(length + 1000);
	int   written = sprintf(pickle, "}V");

	memset(pickle + written, 'k', length);
	sprintf(pickle + written + length, "\n%ss.", TENSOR);
	check_pickle(row, pickle, strlen(pickle));
	free(pickle);
}

static void
check_limits(void)
{
	static const struct row too_long = { "a long path", "", ERROR_LIMIT, "pathlength",
		"longer than" };
	static const struct row too_deep = { "a deep path", "", ERROR_LIMIT, "pathlength",
		"more than 4096 levels deep" };

	check_deep(600, &too_long);
	check_deep(5000, &too_deep);
	check_long(1030, &too_long);
	check_long(100000, &too_long);
}

/* ---- legacy streams ----------------------------------------------------------------- */

#define LITTLE "}" TEXT("little_endian") "I01\ns."
#define WINDOW(view) ON(ID(CLASS("torch", "FloatStorage"), TEXT("0"), TEXT("cpu"), \
	NUMBER("4"), view))
/* One element, so that a window of one is enough. */
#define ONE(view) V2(ID(CLASS("torch", "FloatStorage"), TEXT("0"), TEXT("cpu"), NUMBER("4"), \
	view) "I0\n(I1\nt(I1\nt" FLAGS)

static const struct legacy_row {
	struct row  row;
	const char *information;
	uint64_t    offset;             /* of a good one */
} legacy_rows[] = {
	{ GOOD("no view", WINDOW(NONE), ""), LITTLE, 0 },
	{ GOOD("a view", ONE("(" TEXT("9") NUMBER("3") NUMBER("1") "t"), ""), LITTLE, 3 },
	{ CORRUPT("a tensor outside its view", ONE("(" TEXT("9") NUMBER("3") NUMBER("0") "t"),
		"extent", ""), LITTLE, 0 },
	{ CORRUPT("view is a number", WINDOW(NUMBER("1")), "legacyviews", "not a tuple of 3"),
		LITTLE, 0 },
	{ CORRUPT("view of two", WINDOW("(" TEXT("9") NUMBER("3") "t"), "legacyviews",
		"not a tuple of 3"), LITTLE, 0 },
	{ CORRUPT("offset as text", WINDOW("(" TEXT("9") TEXT("3") NUMBER("1") "t"), "pid",
		"offset of a storage view"), LITTLE, 0 },
	{ CORRUPT("negative size", WINDOW("(" TEXT("9") NUMBER("3") NUMBER("-1") "t"), "pid",
		"size of a storage view is negative"), LITTLE, 0 },
	{ CORRUPT("view behind the end", WINDOW("(" TEXT("9") NUMBER("5") NUMBER("0") "t"),
		"legacyviews", "elements 5 + 0 of 4"), LITTLE, 0 },
	{ CORRUPT("view over the end", WINDOW("(" TEXT("9") NUMBER("3") NUMBER("2") "t"),
		"legacyviews", "elements 3 + 2 of 4"), LITTLE, 0 },
	{ CORRUPT("dtype on a view of bytes", V3(ID(CLASS("torch", "ByteStorage"), TEXT("0"),
		TEXT("cpu"), NUMBER("4"), "(" TEXT("9") NUMBER("1") NUMBER("3") "t") SIZES FLAGS
		CLASS("torch", "float16")), "legacyhdr", ""), LITTLE, 0 },
	{ UNSUPPORTED("byte order as a number", TENSOR, "legacyproto",
		"does not tell its byte order"), "}" TEXT("little_endian") NUMBER("1") "s.", 0 },
	{ UNSUPPORTED("no byte order", TENSOR, "legacyproto", "does not tell its byte order"),
		"}.", 0 },
	{ UNSUPPORTED("big-endian", TENSOR, "legacyproto", "big-endian machine"),
		"}" TEXT("little_endian") "I00\ns.", 0 },
};

static void
check_legacy(void)
{
	for (size_t i = 0; i < sizeof legacy_rows / sizeof *legacy_rows; i++) {
		const struct legacy_row *row = &legacy_rows[i];
		struct zip_builder       stream = { 0 };
		struct reading           reading;

		put_legacy(&stream, row->information, row->row.pickle);
		check_file(&row->row, &stream, &reading);
		CHECK(row->row.kind != ERROR_NONE || reading.view.offset == row->offset, "%s: %llu",
			row->row.what, (unsigned long long)reading.view.offset);
		builder_free(&stream);
	}
}

int
main(void)
{
	check_rows(calls, sizeof calls / sizeof *calls);
	check_rows(ids, sizeof ids / sizeof *ids);
	check_rows(paths, sizeof paths / sizeof *paths);
	check_limits();
	check_legacy();
	return check_end("torch_tensors");
}
