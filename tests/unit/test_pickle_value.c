#include "test_pickle.h"

#include "check.h"
#include "pickle/globals.h"
#include "pickle/memo.h"
#include "pickle/name_hash.h"

#define BYTES(literal) literal, sizeof literal - 1

static struct value *
load(struct arena *arena, const char *bytes, size_t length)
{
	struct error  err;
	size_t        consumed;
	struct value *made = run_pickle(bytes, length, 0, &pickle_default_limits, arena, NULL,
		&consumed, &err);

	CHECK(made != NULL, "%s", err.text);
	if (made == NULL)
		exit(1);
	return made;
}

static void
test_find(void)
{
	struct arena  arena;
	struct value *dict;

	arena_init(&arena, 1 << 20);
	/* {1: 2, 'a': 3, r'b': 4, 'a': 5, 'a\0x': 6, b'c': 7} */
	dict = load(&arena, BYTES("}(K\x01K\x02X\x01\x00\x00\x00" "aK\x03U\x01" "bK\x04X\x01\x00"
		"\x00\x00" "aK\x05X\x03\x00\x00\x00" "a\x00xK\x06" "C\x01" "cK\x07u."));
	CHECK(value_find(dict, "a") != NULL && value_find(dict, "a")->integer == 3, "the first");
	CHECK(value_find(dict, "b") != NULL && value_find(dict, "b")->integer == 4, "Python 2's");
	CHECK(value_find(dict, "") == NULL, "no such key");
	CHECK(value_find(dict, "c") == NULL, "bytes are no text");
	CHECK(value_find(dict, "ax") == NULL, "a NUL is no end");
	CHECK(value_find(NULL, "a") == NULL, "NULL is no dict");
	CHECK(value_find(dict->items[0], "a") == NULL, "an integer is no dict");
	CHECK(value_is_text(dict->items[2], "a") && !value_is_text(dict->items[2], "aa")
		&& !value_is_text(dict->items[0], "a") && !value_is_text(NULL, "a"), "texts");
	CHECK(value_is_text(value_duplicate_key(dict), "a"), "twice 'a'");
	arena_fini(&arena);
}

static void
test_attribute(void)
{
	static const struct {
		const char *bytes;
		size_t      length;
		int         expected;           /* 0: not found */
	} rows[] = {
		{ BYTES("}U\x01nK\x05s."), 5 },
		{ BYTES("cargparse\nNamespace\n)\x81}U\x01nK\x05sb."), 5 },
		{ BYTES("ctypes\nSimpleNamespace\n)R}U\x01nK\x05sb."), 5 },
		{ BYTES("cm\nC\n)\x81N}U\x01nK\x05s\x86" "b."), 5 },
		{ BYTES("cm\nC\n)\x81}U\x01nK\x05s}U\x01nK\x06s\x86" "b."), 5 },
		{ BYTES("cm\nC\n)\x81(K\x01K\x02K\x03tb."), 0 },
		{ BYTES("cm\nC\n)\x81."), 0 },
		{ BYTES("cm\nC\n)\x81Nb."), 0 },
		{ BYTES("cm\nC\n)\x81}U\x01mK\x05sb."), 0 },
		{ BYTES("N."), 0 },
	};

	CHECK(value_attribute(NULL, "n") == NULL, "NULL");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct arena  arena;
		struct value *found;

		arena_init(&arena, 1 << 20);
		found = value_attribute(load(&arena, rows[i].bytes, rows[i].length), "n");
		CHECK(rows[i].expected == 0 ? found == NULL
			: found != NULL && found->integer == rows[i].expected, "row %zu", i);
		arena_fini(&arena);
	}
}

static void
test_describe(void)
{
	static const struct {
		const char *bytes;
		size_t      length;
		const char *expected;
	} rows[] = {
		{ BYTES("N."), "None" },                { BYTES("\x88."), "a bool" },
		{ BYTES("K\x01."), "an integer" },      { BYTES("F1\n."), "a float" },
		{ BYTES("U\x01" "a."), "a string" },    { BYTES("C\x01" "a."), "bytes" },
		{ BYTES(")."), "a tuple" },             { BYTES("]."), "a list" },
		{ BYTES("}."), "a dict" },              { BYTES("\x8f."), "a set" },
		{ BYTES("(\x91."), "a frozenset" },     { BYTES(")Q."), "a persistent id" },
		{ BYTES("cm.n\nC\n."), "m.n.C" },       { BYTES("cm\nC\n)R."), "m.C(...)" },
		{ BYTES("cm\nC\n)\x81."), "m.C(...)" }, { BYTES("cm\nC\n)R)R."), "a call" },
		{ BYTES("cm\nC\n)R)\x81."), "an object" },
		{ BYTES("cm\n0123456789012345678901234567890123456789\n."),
		  "m.0123456789012345678901234..." },
		/* the name fits, what says that it was called does not */
		{ BYTES("cm\n01234567890123456789012345\n)R."), "m.01234567890123456789012345" },
	};
	char nothing[31];

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct arena arena;
		char         text[31];

		arena_init(&arena, 1 << 20);
		CHECK_TEXT(value_describe(load(&arena, rows[i].bytes, rows[i].length), text,
			sizeof text), rows[i].expected, "row %zu", i);
		arena_fini(&arena);
	}
	CHECK_TEXT(value_describe(NULL, nothing, sizeof nothing), "nothing", "nothing");
}

/* A dict of `count` keys "k0", "k1", ... where key `again` is another "k0". */
static void
check_duplicate(uint32_t count, uint32_t again)
{
	struct value   dict = { .kind = VALUE_DICT, .count = count * 2 };
	struct value  *keys = calloc(count, sizeof *keys);
	struct value **items = calloc((size_t)count * 2, sizeof *items);
	char         (*names)[16] = calloc(count, sizeof *names);

	if (keys == NULL || items == NULL || names == NULL)
		abort();
	for (uint32_t i = 0; i < count; i++) {
		snprintf(names[i], sizeof names[i], "k%u", i == again ? 0 : i);
		keys[i].kind = VALUE_TEXT;
		keys[i].text.bytes = names[i];
		keys[i].text.length = strlen(names[i]);
		items[2 * i] = items[2 * i + 1] = &keys[i];
	}
	dict.items = items;
	CHECK(value_duplicate_key(&dict) == (again < count && again > 0 ? &keys[again] : NULL),
		"%u keys, %u again", count, again);
	free(keys);
	free(items);
	free(names);
}

static void
test_duplicates(void)
{
	static const uint32_t counts[] = { 1, 2, 15, 16, 17, 31, 32, 33, 100, 1000, 200000 };

	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
		check_duplicate(counts[i], UINT32_MAX);
		check_duplicate(counts[i], 1);
		check_duplicate(counts[i], counts[i] / 2);
		check_duplicate(counts[i], counts[i] - 1);
	}
	CHECK(value_duplicate_key(NULL) == NULL, "NULL");
}

static void
test_dangerous(void)
{
	static const struct {
		const char *module, *name;
		bool        expected;
	} rows[] = {
		{ "os", "system", true },               { "os.path", "join", true },
		{ "posix", "system", true },            { "nt", "system", true },
		{ "subprocess", "Popen", true },        { "sys", "modules", true },
		{ "commands", "getoutput", true },      { "runpy", "_run_code", true },
		{ "builtins", "eval", true },           { "__builtin__", "exec", true },
		{ "__builtin__", "execfile", true },    { "builtins", "__import__", true },
		{ "builtins", "open", true },           { "builtins", "getattr", true },
		{ "builtins", "eval.__call__", true },  { "importlib", "import_module", true },
		{ "pickle", "loads", true },            { "_pickle", "Unpickler", true },
		{ "cPickle", "loads", true },           { "marshal", "loads", true },
		{ "signal", "raise_signal", true },     { "signal", "alarm", true },
		{ "types", "FunctionType", true },      { "types", "CodeType", true },
		{ "operator", "attrgetter", true },     { "operator", "methodcaller", true },
		{ "platform", "popen", true },          { "torch.hub", "load", true },
		{ "torch", "hub.load", true },          { "torch", "load", true },
		{ "torch.serialization", "load", true },
		{ "torch.jit._script", "f", true },     { "torch.utils.cpp_extension", "load", true },
		{ "torch.serialization", "os.system", true },
		{ "torch.serialization", "os", true },  { "m", "builtins.eval", true },
		{ "m", "f.__globals__", true },         { "m", "C.__subclasses__", true },
		{ "numpy.testing._private.utils", "runstring", true },
		{ "numpy.f2py.crackfortran", "getlincoef", true },
		{ "http.client", "HTTPSConnection", true },
		{ "urllib.request", "urlopen", true },  { "requests", "get", true },
		{ "io", "open", true },                 { "_io", "FileIO", true },
		{ "code", "InteractiveInterpreter.runcode", true },

		{ "collections", "OrderedDict", false },
		{ "torch._utils", "_rebuild_tensor_v2", false },
		{ "torch", "FloatStorage", false },     { "torch", "float16", false },
		{ "torch.storage", "_load_from_bytes", false },
		{ "torch.serialization", "_get_layout", false },
		{ "torch", "device", false },           { "torch.nn.parameter", "Parameter", false },
		{ "argparse", "Namespace", false },     { "types", "SimpleNamespace", false },
		{ "builtins", "set", false },           { "__builtin__", "complex", false },
		{ "builtins", "memoryview", false },    { "copyreg", "_reconstructor", false },
		{ "numpy.core.multiarray", "_reconstruct", false },
		{ "numpy", "dtype", false },            { "_codecs", "encode", false },
		{ "_io", "BytesIO", false },            { "functools", "partial", false },
		{ "signal", "Signals", false },         { "signal", "SIGTERM", false },
		{ "signal", "Signals.SIGTERM", false }, { "operator", "itemgetter", false },
		{ "pathlib", "PosixPath", false },      { "datetime", "datetime", false },
		{ "megatron.model.enums", "ModelType", false },
		{ "fp16.loss_scaler", "DynamicLossScaler", false },
		{ "megatron.core.transformer.enums", "AttnBackend", false },
		{ "transformer_engine.common.recipe", "DelayedScaling", false },
		{ "torch._C", "Generator", false },     { "omegaconf.dictconfig", "DictConfig", false },
		{ "m", "builtins.set", false },         { "m", "builtins", false },
		{ "osx", "f", false },                  { "my.os", "f", false },
		{ "torchload", "f", false },            { "mymodel.code", "Config", false },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		CHECK(globals_is_dangerous(rows[i].module, rows[i].name) == rows[i].expected,
			"%s %s", rows[i].module, rows[i].name);
}

static void
test_names(void)
{
	char name[256] = "a";

	CHECK(globals_is_name("a", 1) && globals_is_name("a.<locals>.b", 12), "names");
	CHECK(!globals_is_name("", 0) && !globals_is_name(".a", 2) && !globals_is_name("a.", 2)
		&& !globals_is_name("a..b", 4) && !globals_is_name("a b", 3)
		&& !globals_is_name("a\x00", 2) && !globals_is_name("\xc3\xa9", 2)
		&& !globals_is_name("a\x7f", 2), "no names");
	for (int i = 1; i < 64; i++)
		strcat(name, ".a");
	CHECK(globals_is_name(name, strlen(name)), "64 components");
	strcat(name, ".a");
	CHECK(!globals_is_name(name, strlen(name)), "65 components");
}

static void
test_memo(void)
{
	static struct value values[3];
	struct memo         memo;
	unsigned            wrong = 0;

	memo_init(&memo);
	CHECK(memo_get(&memo, 0) == NULL, "empty");
	for (uint32_t i = 0; i < 100000; i++)
		wrong += !memo_put(&memo, i * 42949u, &values[i % 3]);
	for (uint32_t i = 0; i < 100000; i++)
		wrong += memo_get(&memo, i * 42949u) != &values[i % 3];
	CHECK(wrong == 0 && memo.count == 100000, "%u wrong, %u entries", wrong, memo.count);
	CHECK(memo_put(&memo, 0, &values[1]) && memo_get(&memo, 0) == &values[1]
		&& memo.count == 100000, "again");
	CHECK(memo_get(&memo, 1) == NULL, "not set");
	memo_fini(&memo);
}

/* Equal bytes, equal hashes; and with any secret few of many short strings share one. */
static void
test_hash(void)
{
	static unsigned buckets[4096];
	uint64_t        secret = name_hash_secret();
	unsigned        fullest = 0;

	CHECK(name_hash(secret, "abcdefgh", 8) == name_hash(secret, "abcdefgh", 8), "equal");
	CHECK(name_hash(secret, "a", 1) != name_hash(secret, "\0a", 2), "length counts");
	CHECK(name_hash(secret, "abcdefgh", 8) != name_hash(secret, "abcdefgi", 8), "the tail");
	for (unsigned i = 0; i < 4096; i++) {
		char   text[16];
		size_t length = (size_t)snprintf(text, sizeof text, "layer.%u", i);
		buckets[name_hash(secret, text, length) % 4096]++;
	}
	for (unsigned i = 0; i < 4096; i++)
		if (buckets[i] > fullest)
			fullest = buckets[i];
	CHECK(fullest < 32, "%u of 4096 in one bucket", fullest);
}

int
main(void)
{
	test_find();
	test_attribute();
	test_describe();
	test_duplicates();
	test_dangerous();
	test_names();
	test_memo();
	test_hash();
	return check_end("pickle_value");
}
