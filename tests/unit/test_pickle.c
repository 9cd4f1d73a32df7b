#include "test_pickle.h"

#include "check.h"
#include "pickle/opcodes.h"

#include <locale.h>

/*
 * The pickle machine.  What a pickle denotes was taken from CPython's documentation of the
 * opcodes and from pickle.loads(); each runs in windows of 1, 2, 3 and 7 bytes and at once.
 */
#define BYTES(literal) literal, sizeof literal - 1

struct failing_input {
	struct memory_input memory;             /* first, so that a pointer is to both */
	size_t              left;               /* windows that can be had */
};

static bool
failing_peek(void *context, const unsigned char **at, size_t *count, struct error *err)
{
	struct failing_input *failing = context;

	if (failing->left-- == 0)
		return error_set(err, ERROR_NO_INPUT, "noinput", "cannot read it");
	return memory_peek(context, at, count, err);
}

static const size_t steps[] = { 0, 1, 2, 3, 7 };

struct good_row {
	const char *bytes;
	size_t      length;
	const char *value;
};

static const struct good_row good[] = {
	/* constants and numbers */
	{ BYTES("N."), "None" },
	{ BYTES("\x80\x02\x88."), "True" },
	{ BYTES("\x80\x02\x89."), "False" },
	{ BYTES("I00\n."), "False" },
	{ BYTES("I01\n."), "True" },
	{ BYTES("I1\n."), "1" },
	{ BYTES("I-5\n."), "-5" },
	{ BYTES("I9223372036854775807\n."), "9223372036854775807" },
	{ BYTES("I-9223372036854775808\n."), "-9223372036854775808" },
	{ BYTES("I9223372036854775808\n."), "BIG" },
	{ BYTES("L12345678901234567890123L\n."), "BIG" },
	{ BYTES("L18446744073709551619L\n."), "BIG" },
	{ BYTES("L7L\n."), "7" },
	{ BYTES("I+7\n."), "7" },
	{ BYTES("L-7\n."), "-7" },
	{ BYTES("L0L\n."), "0" },
	{ BYTES("J\xff\xff\xff\xff."), "-1" },
	{ BYTES("J\x00\x00\x00\x80."), "-2147483648" },
	{ BYTES("K\xff."), "255" },
	{ BYTES("M\x00\x01."), "256" },
	{ BYTES("\x8a\x00."), "0" },
	{ BYTES("\x8a\x01\xff."), "-1" },
	{ BYTES("\x8a\x02\xff\x00."), "255" },
	{ BYTES("\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x80."), "-9223372036854775808" },
	{ BYTES("\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f."), "9223372036854775807" },
	{ BYTES("\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x80\x00."), "BIG" },
	{ BYTES("\x80\x02\x8a\x0a" "l\xfc\x9c" "F\xf9 j\xa8P\x19."), "BIG" },
	{ BYTES("\x8b\x02\x00\x00\x00\x00\x80."), "-32768" },
	{ BYTES("F1.5\n."), "1.5" },
	{ BYTES("F-1e-05\n."), "-1.0000000000000001e-05" },
	{ BYTES("F1e+3\n."), "1000" },
	{ BYTES("F1E3\n."), "1000" },
	{ BYTES("F.5\n."), "0.5" },
	{ BYTES("F2.\n."), "2" },
	{ BYTES("Finf\n."), "inf" },
	{ BYTES("F-inf\n."), "-inf" },
	{ BYTES("Fnan\n."), "nan" },
	{ BYTES("G\x3f\xf8\x00\x00\x00\x00\x00\x00."), "1.5" },
	/* text and bytes */
	{ BYTES("X\x03\x00\x00\x00" "abc."), "'abc'" },
	{ BYTES("X\x00\x00\x00\x00."), "''" },
	{ BYTES("X\x02\x00\x00\x00\xc3\xa9."), "'\\xc3\\xa9'" },
	{ BYTES("X\x01\x00\x00\x00\xff."), "r'\\xff'" },
	{ BYTES("X\x03\x00\x00\x00\xed\xa0\x80."), "r'\\xed\\xa0\\x80'" },
	{ BYTES("X\x03\x00\x00\x00" "a\x00" "b."), "r'a\\x00b'" },
	{ BYTES("\x8c\x01" "a."), "'a'" },
	{ BYTES("\x8d\x01\x00\x00\x00\x00\x00\x00\x00" "a."), "'a'" },
	{ BYTES("V\\u00e9\xe9\n."), "'\\xc3\\xa9\\xc3\\xa9'" },
	{ BYTES("V\\U0001f600\n."), "'\\xf0\\x9f\\x98\\x80'" },
	{ BYTES("V\\\\u0041\n."), "'\\x5c\\x5cu0041'" },
	{ BYTES("V\\ud800\n."), "r'\\xed\\xa0\\x80'" },
	{ BYTES("Va\\\n."), "'a\\x5c'" },
	{ BYTES("V\n."), "''" },
	{ BYTES("U\x02" "ab."), "r'ab'" },
	{ BYTES("T\x02\x00\x00\x00" "a\xff."), "r'a\\xff'" },
	{ BYTES("S'ab'\n."), "r'ab'" },
	{ BYTES("S\"it's\"\n."), "r'it\\x27s'" },
	{ BYTES("S'\\x41\\101\\7\\n\\q\\\\'\n."), "r'AA\\x07\\x0a\\x5cq\\x5c'" },
	{ BYTES("S'\\x4A\\x6f\\18\\1'\n."), "r'Jo\\x018\\x01'" },
	{ BYTES("S'\\\x00'\n."), "r'\\x5c\\x00'" },
	{ BYTES("S''\n."), "r''" },
	{ BYTES("C\x02\x00\xff."), "b'\\x00\\xff'" },
	{ BYTES("B\x01\x00\x00\x00" "a."), "b'a'" },
	{ BYTES("\x8e\x01\x00\x00\x00\x00\x00\x00\x00" "a."), "b'a'" },
	{ BYTES("\x96\x01\x00\x00\x00\x00\x00\x00\x00" "a."), "b'a'" },
	/* collections */
	{ BYTES(")."), "()" },
	{ BYTES("K\x01\x85."), "(1)" },
	{ BYTES("K\x01K\x02\x86."), "(1, 2)" },
	{ BYTES("K\x01K\x02K\x03\x87."), "(1, 2, 3)" },
	{ BYTES("(t."), "()" },
	{ BYTES("(K\x01K\x02K\x03K\x04t."), "(1, 2, 3, 4)" },
	{ BYTES("]."), "[]" },
	{ BYTES("]K\x01" "a."), "[1]" },
	{ BYTES("](K\x01K\x02" "e(K\x03" "e(e."), "[1, 2, 3]" },
	{ BYTES("(K\x01l."), "[1]" },
	{ BYTES("}."), "{}" },
	{ BYTES("}K\x01K\x02s."), "{1: 2}" },
	{ BYTES("}(K\x01K\x02K\x03K\x04u(u."), "{1: 2, 3: 4}" },
	{ BYTES("(K\x01K\x02" "d."), "{1: 2}" },
	{ BYTES("}(U\x01" "aK\x01U\x01" "aK\x02u."), "{r'a': 1, r'a': 2}" },
	{ BYTES("\x8f."), "set{}" },
	{ BYTES("\x8f(K\x01K\x02\x90."), "set{1, 2}" },
	{ BYTES("(K\x01\x91."), "frozenset{1}" },
	{ BYTES("\x8f((\x91\x90."), "set{frozenset{}}" },
	/* keys: text, numbers, None, tuples, frozensets, names, objects */
	{ BYTES("}(NK\x01\x88K\x02G\x3f\xf8\x00\x00\x00\x00\x00\x00K\x03K\x01K\x02\x86K\x04"
		"(\x91K\x05" "cm\nC\nK\x06" "cm\nC\n)\x81K\x07u."),
	  "{None: 1, True: 2, 1.5: 3, (1, 2): 4, frozenset{}: 5, m.C: 6, new m.C(): 7}" },
	/* stack */
	{ BYTES("K\x01K\x02" "0."), "1" },
	{ BYTES("K\x01(0."), "1" },
	{ BYTES("K\x01(K\x02K\x03" "1."), "1" },
	{ BYTES("K\x01" "2\x86."), "(1, 1)" },
	/* memo: sparse, overwritten, MEMOIZE by count, the largest index */
	{ BYTES("K\x01p0\n0g0\n."), "1" },
	{ BYTES("K\x01q\x05" "0h\x05."), "1" },
	{ BYTES("K\x01r\xff\xff\xff\xff" "0j\xff\xff\xff\xff."), "1" },
	{ BYTES("K\x01q\x00" "0K\x02q\x00" "0h\x00."), "2" },
	{ BYTES("K\x01\x94" "0K\x02\x94" "0h\x00h\x01\x86."), "(1, 2)" },
	{ BYTES("K\x01q\x01" "0K\x02\x94" "0h\x01."), "2" },
	{ BYTES("K\x01p4294967295\n0j\xff\xff\xff\xff."), "1" },
	/* cycles */
	{ BYTES("]q\x00h\x00" "a."), "[...]" },
	{ BYTES("}q\x00K\x01h\x00s."), "{1: ...}" },
	{ BYTES("]q\x00h\x00\x85q\x01" "a0h\x01."), "([...])" },
	/* protocol and frames */
	{ BYTES("\x80\x00N."), "None" },
	{ BYTES("\x80\x05N."), "None" },
	{ BYTES("\x80\x02\x80\x02N."), "None" },
	{ BYTES("\x80\x04\x95\x02\x00\x00\x00\x00\x00\x00\x00N."), "None" },
	{ BYTES("\x80\x04\x95\x01\x00\x00\x00\x00\x00\x00\x00NC\x01" "a\x86\x95\x01\x00\x00\x00"
		"\x00\x00\x00\x00."), "(None, b'a')" },
	/* names: Python 2's become Python 3's */
	{ BYTES("cm.n\nC.D\n."), "m.n.C.D" },
	{ BYTES("\x8c\x01m\x8c\x01" "C\x93."), "m.C" },
	{ BYTES("U\x01mU\x01" "C\x93."), "m.C" },
	{ BYTES("c__builtin__\nslice\n."), "builtins.slice" },
	{ BYTES("ccopy_reg\n_reconstructor\n."), "copyreg._reconstructor" },
	{ BYTES("ctorch.storage\n_load_from_bytes\nC\x01x\x85R."),
	  "torch.storage._load_from_bytes(b'x')" },
	{ BYTES("csignal\nSignals\nK\x0f\x85R."), "signal.Signals(15)" },
	{ BYTES("csignal\nSIGTERM\n."), "signal.SIGTERM" },
	{ BYTES("c_io\nBytesIO\n)\x81(C\x01xK\x00Ntb."), "new _io.BytesIO()|(b'x', 0, None)" },
	/* calls and objects */
	{ BYTES("cm\nf\nK\x01\x85R."), "m.f(1)" },
	{ BYTES("cm\nf\n)RK\x01\x85R."), "m.f()(1)" },
	{ BYTES("cm\nC\n)\x81."), "new m.C()" },
	{ BYTES("cm\nC\nK\x01\x85}\x92."), "new m.C(1)" },
	{ BYTES("(cm\nC\nK\x01K\x02o."), "new m.C(1, 2)" },
	{ BYTES("(K\x01im\nC\n."), "new m.C(1)" },
	{ BYTES("K\x09(K\x01im\nC\n\x86."), "(9, new m.C(1))" },
	{ BYTES("cm\nC\n)\x81}U\x01" "aK\x01sb."), "new m.C()|{r'a': 1}" },
	{ BYTES("cm\nC\n)\x81Nb}b."), "new m.C()|{}" },
	{ BYTES("}}b."), "{}|{}" },
	{ BYTES("cm\nC\n)R(K\x01K\x02u."), "m.C()+[1, 2]" },
	{ BYTES("cm\nC\n)\x81K\x01" "a(K\x02" "eNb."), "new m.C()+[1, 2]|None" },
	{ BYTES("(K\x01K\x02tQ."), "<(1, 2)>" },
	/* calls that spell plain values */
	{ BYTES("ccollections\nOrderedDict\n)R(K\x01K\x02u."), "{1: 2}" },
	{ BYTES("ccollections\nOrderedDict\n]\x85R."), "{}" },
	{ BYTES("ccollections\nOrderedDict\n](](U\x01" "aK\x01" "e](U\x01" "bK\x02" "ee\x85R."),
	  "{r'a': 1, r'b': 2}" },
	{ BYTES("ccollections\nOrderedDict\n)R}U\x09_metadataNsb."), "{}|{r'_metadata': None}" },
	{ BYTES("ccollections\nOrderedDict\nK\x01\x85R."), "collections.OrderedDict(1)" },
	{ BYTES("ccollections\nOrderedDict\n]]\x86R."), "collections.OrderedDict([], [])" },
	{ BYTES("c__builtin__\nset\n](K\x01K\x02" "e\x85R."), "set{1, 2}" },
	{ BYTES("c__builtin__\nset\nK\x01\x85\x85R."), "set{1}" },
	{ BYTES("c__builtin__\nset\nK\x01\x85R."), "builtins.set(1)" },
	{ BYTES("c__builtin__\nset\n))\x86R."), "builtins.set((), ())" },
	{ BYTES("c__builtin__\nlist\n)R."), "[]" },
	{ BYTES("c__builtin__\ndict\n)R."), "{}" },
	{ BYTES("cbuiltins\nfrozenset\n]\x85R."), "frozenset{}" },
	{ BYTES("c__builtin__\nbytes\n)R."), "b''" },
	{ BYTES("c_codecs\nencode\nX\x03\x00\x00\x00" "a\xc3\xbfX\x06\x00\x00\x00latin1\x86R."),
	  "b'a\\xff'" },
	{ BYTES("c_codecs\nencode\nX\x02\x00\x00\x00\xc4\x80X\x06\x00\x00\x00latin1\x86R."),
	  "_codecs.encode('\\xc4\\x80', 'latin1')" },
	{ BYTES("c_codecs\nencode\nU\x01" "aU\x04" "utf8\x86R."), "_codecs.encode(r'a', r'utf8')" },
	{ BYTES("c_codecs\nencode\nX\x02\x00\x00\x00\xc2\xa0X\x07\x00\x00\x00latin-1\x86R."),
	  "b'\\xa0'" },
	/* no UTF-8: a sequence that ends too early, or that goes on with a letter */
	{ BYTES("c_codecs\nencode\nU\x01\xc2U\x06latin1\x86R."), "_codecs.encode(r'\\xc2', r'latin1')" },
	{ BYTES("c_codecs\nencode\nU\x02\xc2" "aU\x06latin1\x86R."),
	  "_codecs.encode(r'\\xc2a', r'latin1')" },
	{ BYTES("c_codecs\nencode\nK\x01U\x06latin1\x86R."), "_codecs.encode(1, r'latin1')" },
	{ BYTES("c__builtin__\nbytes\nC\x01x\x85R."), "b'x'" },
	{ BYTES("c__builtin__\nbytes\nK\x05\x85R."), "builtins.bytes(5)" },
	{ BYTES("c__builtin__\nbytearray\nC\x01xN\x86R."), "builtins.bytearray(b'x', None)" },
	{ BYTES("ctorch\nSize\n)R."), "torch.Size()" },
	{ BYTES("ctorch\nSize\n]\x85R."), "torch.Size([])" },
	{ BYTES("csignal\nHandlers\nK\x01\x85R."), "signal.Handlers(1)" },
	{ BYTES("csignal\nSigmasks\nK\x01\x85R."), "signal.Sigmasks(1)" },
	{ BYTES("ctorch\nSize\n(K\x01K\x02t\x85R."), "(1, 2)" },
	{ BYTES("cfunctools\npartial\ncm\nf\n\x85R."), "functools.partial(m.f)" },
	/* members of an enum, as Python 3.11 writes them */
	{ BYTES("c__builtin__\ngetattr\nq\x00" "cm.enums\nKind\nq\x01U\x03" "one\x86Rh\x00h\x01U\x03"
		"two\x86R\x86."),
	  "(builtins.getattr(m.enums.Kind, r'one'), builtins.getattr(m.enums.Kind, r'two'))" },
	{ BYTES("cbuiltins\ngetattr\ncm\nC\nU\x03" "A_1\x86R."), "builtins.getattr(m.C, r'A_1')" },
	{ BYTES("cbuiltins\ngetattr\ncsignal\nSignals\nU\x07SIGTERM\x86R."),
	  "builtins.getattr(signal.Signals, r'SIGTERM')" },
};

static void
test_good(void)
{
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
			struct arena  arena;
			struct error  err;
			char          text[4096];
			size_t        consumed;
			struct value *made;

			arena_init(&arena, 1 << 20);
			made = run_pickle(good[i].bytes, good[i].length, steps[s],
				&pickle_default_limits, &arena, NULL, &consumed, &err);
			CHECK_TEXT(made != NULL ? render_value(made, text, sizeof text) : err.text,
				good[i].value, "row %zu, windows of %zu", i, steps[s]);
			CHECK(made == NULL || consumed == good[i].length, "row %zu: %zu bytes", i,
				consumed);
			arena_fini(&arena);
		}
}

struct bad_row {
	const char     *bytes;
	size_t          length;
	enum error_kind kind;
	const char     *slug;
	uint64_t        offset;
	const char     *word;           /* in the message */
};

static const struct bad_row bad[] = {
	/* the end */
	{ BYTES(""), ERROR_CORRUPT, "nostop", 0, "truncated" },
	{ BYTES("\x80\x02K\x01"), ERROR_CORRUPT, "nostop", 4, "no STOP" },
	{ BYTES("\x80\x02."), ERROR_CORRUPT, "underflow", 2, "stack underflow at byte 2 (STOP)" },
	{ BYTES("NN."), ERROR_CORRUPT, "nostop", 2, "2 values are left" },
	{ BYTES("N(."), ERROR_CORRUPT, "nostop", 2, "MARK" },
	{ BYTES("\x80\x02\xff."), ERROR_CORRUPT, "opcode", 2, "unknown opcode 0xff at byte 2" },
	{ BYTES("\x80\x02\x00."), ERROR_CORRUPT, "opcode", 2, "0x00" },
	/* stack and marks */
	{ BYTES("K\x01(K\x02R."), ERROR_CORRUPT, "underflow", 5, "stack underflow at byte 5 (REDUCE)" },
	{ BYTES("\x80\x02t."), ERROR_CORRUPT, "nomark", 2, "no MARK for TUPLE at byte 2" },
	{ BYTES("(o."), ERROR_CORRUPT, "underflow", 1, "OBJ" },
	/* lengths */
	{ BYTES("\x80\x02X\xf0\xff\xff\xff" "a."), ERROR_CORRUPT, "hugelen", 2,
	  "string of 4294967280 bytes, 2 left" },
	{ BYTES("\x80\x04\x8d\x00\x00\x00\x00\x00\x00\x00\x40" "a."), ERROR_CORRUPT, "hugelen", 2,
	  "beyond the end" },
	{ BYTES("\x8e\xff\xff\xff\xff\xff\xff\xff\xff" "a."), ERROR_CORRUPT, "hugelen", 0,
	  "18446744073709551615" },
	{ BYTES("T\xff\xff\xff\xff" "a."), ERROR_CORRUPT, "hugelen", 0, "negative length -1" },
	{ BYTES("\x80\x02\x8b\xff\xff\xff\xff."), ERROR_CORRUPT, "hugelen", 2, "negative" },
	{ BYTES("\x8b\xff\xff\xff\x7f."), ERROR_CORRUPT, "hugelen", 0, "LONG4" },
	/* text forms */
	{ BYTES("I12x\n."), ERROR_CORRUPT, "longint", 0, "integer \"12x\" at byte 0 (INT)" },
	{ BYTES("I\n."), ERROR_CORRUPT, "longint", 0, "integer" },
	{ BYTES("I010\n."), ERROR_CORRUPT, "longint", 0, "integer" },
	{ BYTES("I02\n."), ERROR_CORRUPT, "longint", 0, "integer" },
	{ BYTES("L01\n."), ERROR_CORRUPT, "longint", 0, "integer" },
	{ BYTES("I1_0\n."), ERROR_CORRUPT, "longint", 0, "integer" },
	{ BYTES("I 1\n."), ERROR_CORRUPT, "longint", 0, "integer" },
	{ BYTES("I1L\n."), ERROR_CORRUPT, "longint", 0, "integer" },
	{ BYTES("L-\n."), ERROR_CORRUPT, "longint", 0, "integer" },
	{ BYTES("LL\n."), ERROR_CORRUPT, "longint", 0, "integer" },
	{ BYTES("Fone\n."), ERROR_CORRUPT, "floats", 0, "float" },
	{ BYTES("F1,5\n."), ERROR_CORRUPT, "floats", 0, "float" },
	{ BYTES("F0x1p3\n."), ERROR_CORRUPT, "floats", 0, "float" },
	{ BYTES("F1e\n."), ERROR_CORRUPT, "floats", 0, "float" },
	{ BYTES("F.\n."), ERROR_CORRUPT, "floats", 0, "float" },
	{ BYTES("F\n."), ERROR_CORRUPT, "floats", 0, "float" },
	{ BYTES("Sab\n."), ERROR_CORRUPT, "strings", 0, "STRING" },
	{ BYTES("S'ab\n."), ERROR_CORRUPT, "strings", 0, "STRING" },
	{ BYTES("S'\n."), ERROR_CORRUPT, "strings", 0, "STRING" },
	{ BYTES("S'a\\'\n."), ERROR_CORRUPT, "strings", 0, "STRING" },
	{ BYTES("S'\\x4'\n."), ERROR_CORRUPT, "strings", 0, "STRING" },
	{ BYTES("S'\\x4g'\n."), ERROR_CORRUPT, "strings", 0, "STRING" },
	{ BYTES("S'\\x4G'\n."), ERROR_CORRUPT, "strings", 0, "STRING" },
	{ BYTES("S'\\x/0'\n."), ERROR_CORRUPT, "strings", 0, "STRING" },
	{ BYTES("V\\u00e\n."), ERROR_CORRUPT, "strings", 0, "UNICODE" },
	{ BYTES("V\\U00110000\n."), ERROR_CORRUPT, "strings", 0, "UNICODE" },
	/* memo */
	{ BYTES("\x80\x02h\x05."), ERROR_CORRUPT, "memo", 2, "memo 5 is not set" },
	{ BYTES("Np-1\n."), ERROR_CORRUPT, "memo", 1, "memo index" },
	{ BYTES("Np1_0\n."), ERROR_CORRUPT, "memo", 1, "memo index" },
	{ BYTES("Np99999999999999999999\n."), ERROR_CORRUPT, "memo", 1, "memo index" },
	{ BYTES("Np4294967296\n."), ERROR_CORRUPT, "memo", 1, "memo index" },
	{ BYTES("g\n."), ERROR_CORRUPT, "memo", 0, "memo index" },
	/* protocol and frames */
	{ BYTES("\x80\x06N."), ERROR_UNSUPPORTED, "proto", 0, "pickle protocol 6 is not supported" },
	{ BYTES("N\x80\x02."), ERROR_UNSUPPORTED, "proto", 1, "after the first" },
	{ BYTES("\x80\x02\x80\x03N."), ERROR_UNSUPPORTED, "proto", 2, "twice" },
	{ BYTES("\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x10N."), ERROR_CORRUPT, "frame", 2,
	  "frame of 1152921504606846976 bytes, 2 left" },
	{ BYTES("\x80\x04\x95\x01\x00\x00\x00\x00\x00\x00\x00K\x05."), ERROR_CORRUPT, "frame", 11,
	  "crosses the end of its FRAME at byte 12" },
	{ BYTES("\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x00N."), ERROR_CORRUPT, "frame", 2,
	  "frame of 0 bytes" },
	{ BYTES("\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x95\x02\x00\x00\x00\x00\x00\x00\x00"
		"N."), ERROR_CORRUPT, "frame", 11, "within a frame" },
	{ BYTES("\x80\x04\x95\x03\x00\x00\x00\x00\x00\x00\x00N.N"), ERROR_CORRUPT, "frame", 12,
	  "its frame ends at byte 14" },
	/* what may be added to what */
	{ BYTES("\x80\x02]K\x01K\x02s."), ERROR_CORRUPT, "setitem", 7,
	  "SETITEM on a list at byte 7: not a dict" },
	{ BYTES("N(K\x01K\x02u."), ERROR_CORRUPT, "setitem", 6, "SETITEMS on None" },
	{ BYTES("K\x01K\x01K\x02s."), ERROR_CORRUPT, "setitem", 6, "an integer" },
	{ BYTES("}(K\x01u."), ERROR_CORRUPT, "setitem", 4, "odd" },
	{ BYTES("(K\x01" "d."), ERROR_CORRUPT, "setitem", 3, "odd" },
	{ BYTES("}K\x01" "a."), ERROR_CORRUPT, "append", 3, "APPEND on a dict at byte 3: not a list" },
	{ BYTES(")(K\x01" "e."), ERROR_CORRUPT, "append", 4, "APPENDS on a tuple" },
	{ BYTES("](K\x01\x90."), ERROR_CORRUPT, "append", 4, "ADDITEMS on a list" },
	{ BYTES("(\x91(K\x01\x90."), ERROR_CORRUPT, "append", 5, "a frozenset" },
	{ BYTES("]Nb."), ERROR_CORRUPT, "build", 2, "BUILD on a list at byte 2" },
	{ BYTES("NNb."), ERROR_CORRUPT, "build", 2, "BUILD on None" },
	{ BYTES("K\x01Nb."), ERROR_CORRUPT, "build", 3, "BUILD on an integer" },
	{ BYTES(")Nb."), ERROR_CORRUPT, "build", 2, "BUILD on a tuple" },
	{ BYTES("cm\nC\nNb."), ERROR_CORRUPT, "build", 6, "BUILD on m.C" },
	/* keys */
	{ BYTES("}]Ns."), ERROR_CORRUPT, "hash", 3, "a list as a dict key" },
	{ BYTES("}(]Nu."), ERROR_CORRUPT, "hash", 4, "a list as a dict key" },
	{ BYTES("(}Nd."), ERROR_CORRUPT, "hash", 3, "a dict as a dict key" },
	{ BYTES("}\x8fNs."), ERROR_CORRUPT, "hash", 3, "a set as a dict key" },
	{ BYTES("}]\x85\x85Ns."), ERROR_CORRUPT, "hash", 5, "a tuple that holds" },
	{ BYTES("}G\x7f\xf8\x00\x00\x00\x00\x00\x00Ns."), ERROR_CORRUPT, "hash", 11, "not a number" },
	{ BYTES("})QNs."), ERROR_CORRUPT, "hash", 4, "a persistent id" },
	{ BYTES("ccollections\nOrderedDict\n](]](]Nee\x85R."), ERROR_CORRUPT, "setitem", 35, "pairs" },
	{ BYTES("ccollections\nOrderedDict\n](K\x01" "e\x85R."), ERROR_CORRUPT, "setitem", 31, "pairs" },
	{ BYTES("ccollections\nOrderedDict\n]()e\x85R."), ERROR_CORRUPT, "setitem", 30, "pairs" },
	{ BYTES("\x8f(]\x90."), ERROR_CORRUPT, "hash", 3, "a list in a set" },
	{ BYTES("(}\x91."), ERROR_CORRUPT, "hash", 2, "a dict in a set" },
	/* calls */
	{ BYTES("cm\nf\nNR."), ERROR_CORRUPT, "reduce", 6, "None" },
	{ BYTES("N)R."), ERROR_CORRUPT, "reduce", 2, "not a callable" },
	{ BYTES("])\x81."), ERROR_CORRUPT, "reduce", 2, "not a callable" },
	{ BYTES("cm\nC\n]\x81."), ERROR_CORRUPT, "reduce", 6, "not a tuple" },
	{ BYTES("cm\nC\n)]\x92."), ERROR_CORRUPT, "reduce", 7, "not a dict" },
	{ BYTES("(No."), ERROR_CORRUPT, "reduce", 2, "not a callable" },
	/* persistent ids, extensions, buffers */
	{ BYTES("P0\n."), ERROR_CORRUPT, "persidtext", 0, "persistent id is not a storage tuple" },
	{ BYTES("K\x01Q."), ERROR_CORRUPT, "persidtext", 2, "persistent id" },
	{ BYTES("NQ."), ERROR_CORRUPT, "persidtext", 1, "persistent id" },
	{ BYTES("U\x01xQ."), ERROR_CORRUPT, "persidtext", 3, "persistent id" },
	{ BYTES("\x82\x01."), ERROR_UNSUPPORTED, "ext", 0, "EXT1" },
	{ BYTES("\x83\x01\x01."), ERROR_UNSUPPORTED, "ext", 0, "EXT2" },
	{ BYTES("\x84\x01\x01\x01\x01."), ERROR_UNSUPPORTED, "ext", 0, "EXT4" },
	{ BYTES("\x80\x05\x97."), ERROR_UNSUPPORTED, "buffer", 2, "out-of-band" },
	{ BYTES("N\x98."), ERROR_UNSUPPORTED, "buffer", 1, "READONLY_BUFFER" },
	/* names */
	{ BYTES("c\n\n."), ERROR_CORRUPT, "dotted", 0, "global name" },
	{ BYTES("cm\na..b\n."), ERROR_CORRUPT, "dotted", 0, "global name" },
	{ BYTES("cm\n.b\n."), ERROR_CORRUPT, "dotted", 0, "global name" },
	{ BYTES("cm\nb.\n."), ERROR_CORRUPT, "dotted", 0, "global name" },
	{ BYTES("cm\na b\n."), ERROR_CORRUPT, "dotted", 0, "global name" },
	{ BYTES("cm\n\xc3\xa9\n."), ERROR_CORRUPT, "dotted", 0, "global name" },
	{ BYTES("cm\nC"), ERROR_CORRUPT, "truncop", 0, "ends inside the argument of GLOBAL at byte 0" },
	{ BYTES("\x8c\x01m\x8c\x02" "a\x00\x93."), ERROR_CORRUPT, "dotted", 7, "STACK_GLOBAL" },
	{ BYTES("\x80\x02K\x01K\x02\x93."), ERROR_CORRUPT, "stackglobal", 6, "not text" },
	{ BYTES("C\x01mC\x01" "C\x93."), ERROR_CORRUPT, "stackglobal", 6, "not text" },
	/* dangerous names, wherever they stand */
	{ BYTES("\x80\x02" "cos\nsystem\nX\x02\x00\x00\x00id\x85R."), ERROR_UNSAFE, "os", 2,
	  "pickle imports os.system; refusing" },
	{ BYTES("cos\nsystem\n0N."), ERROR_UNSAFE, "os", 0, "os.system" },
	{ BYTES("(ios\nsystem\n0N."), ERROR_UNSAFE, "os", 1, "os.system" },
	{ BYTES("(S'id'\nios\nsystem\n."), ERROR_UNSAFE, "os", 7, "os.system" },
	{ BYTES("\x8c\x02osq\x00\x8c\x06systemq\x01\x86" "0h\x00h\x01\x93."), ERROR_UNSAFE, "os", 22,
	  "os.system" },
	{ BYTES("c__builtin__\neval\n."), ERROR_UNSAFE, "os", 0, "builtins.eval" },
	{ BYTES("\x8c\x07os.path\x8c\x04join\x93."), ERROR_UNSAFE, "os", 15, "os.path.join" },
	{ BYTES("\x8c\x13torch.serialization\x8c\x09os.system\x93."), ERROR_UNSAFE, "os", 32,
	  "torch.serialization.os.system" },
	{ BYTES("cbuiltins\ngetattr\nVx\n\x93."), ERROR_UNSAFE, "os", 21, "getattr" },
	{ BYTES("Vx\ncbuiltins\ngetattr\n\x93."), ERROR_UNSAFE, "os", 21, "getattr" },
	{ BYTES("cm\nf\ncbuiltins\ngetattr\nR."), ERROR_UNSAFE, "os", 23, "getattr" },
	{ BYTES("cbuiltins\ngetattr\nNa."), ERROR_UNSAFE, "os", 19, "getattr" },
	/* builtins.getattr, other than for a member of an enum */
	{ BYTES("cbuiltins\ngetattr\n."), ERROR_UNSAFE, "os", 18, "getattr" },
	{ BYTES("Ncbuiltins\ngetattr\n0."), ERROR_UNSAFE, "os", 19, "getattr" },
	{ BYTES("N(cbuiltins\ngetattr\n1."), ERROR_UNSAFE, "os", 20, "getattr" },
	{ BYTES("]cbuiltins\ngetattr\na."), ERROR_UNSAFE, "os", 19, "getattr" },
	{ BYTES("}Ncbuiltins\ngetattr\ns."), ERROR_UNSAFE, "os", 20, "getattr" },
	{ BYTES("cbuiltins\ngetattr\n\x85."), ERROR_UNSAFE, "os", 18, "getattr" },
	{ BYTES("cbuiltins\ngetattr\nQ."), ERROR_UNSAFE, "os", 18, "getattr" },
	{ BYTES("cbuiltins\ngetattr\n}b."), ERROR_UNSAFE, "os", 19, "getattr" },
	{ BYTES("}cbuiltins\ngetattr\nb."), ERROR_UNSAFE, "os", 19, "getattr" },
	{ BYTES("cbuiltins\ngetattr\ncm\nC\nU\x01" "a\x86\x81."), ERROR_UNSAFE, "os", 27, "getattr" },
	{ BYTES("(cbuiltins\ngetattr\ncm\nC\nU\x01" "ao."), ERROR_UNSAFE, "os", 27, "getattr" },
	{ BYTES("(cm\nC\nU\x01" "aibuiltins\ngetattr\n."), ERROR_UNSAFE, "os", 9, "getattr" },
	{ BYTES("cbuiltins\ngetattr\nU\x01xU\x01" "a\x86R."), ERROR_UNSAFE, "os", 25, "getattr" },
	{ BYTES("cbuiltins\ngetattr\ncm\nC\nU\x02_a\x86R."), ERROR_UNSAFE, "os", 28, "getattr" },
	{ BYTES("cbuiltins\ngetattr\ncm\nC\nU\x02" "1a\x86R."), ERROR_UNSAFE, "os", 28, "getattr" },
	{ BYTES("cbuiltins\ngetattr\ncm\nC\nU\x00\x86R."), ERROR_UNSAFE, "os", 26, "getattr" },
	{ BYTES("csignal\nSignalsX\n."), ERROR_UNSAFE, "os", 0, "signal.SignalsX" },
	{ BYTES("csignal\nalarm\n."), ERROR_UNSAFE, "os", 0, "signal.alarm" },
	{ BYTES("cm\na.builtins.eval\n."), ERROR_UNSAFE, "os", 0, "m.a.builtins.eval" },
	{ BYTES("cbuiltins\ngetattr\ncm\nC\nU\x03" "a.b\x86R."), ERROR_UNSAFE, "os", 29, "getattr" },
	{ BYTES("cbuiltins\ngetattr\ncm\nC\nK\x01\x86R."), ERROR_UNSAFE, "os", 26, "getattr" },
	{ BYTES("cbuiltins\ngetattr\ncm\nC\n\x85R."), ERROR_UNSAFE, "os", 24, "getattr" },
	{ BYTES("cbuiltins\ngetattr\ncbuiltins\nset\nU\x03pop\x86R."), ERROR_UNSAFE, "os", 38,
	  "getattr" },
	{ BYTES("cbuiltins\ngetattr\nq\x00" "cm\nC\nU\x01" "a\x86Rh\x00\x86."), ERROR_UNSAFE, "os",
	  32, "getattr" },
	{ BYTES("cbuiltins\ngetattr\nctorch\nserialization\nU\x04load\x86R."), ERROR_UNSAFE, "os",
	  46, "getattr" },
};

static void
test_bad(void)
{
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
			const struct bad_row *row = &bad[i];
			struct arena          arena;
			struct error          err;
			size_t                consumed;

			arena_init(&arena, 1 << 20);
			CHECK(run_pickle(row->bytes, row->length, steps[s],
				&pickle_default_limits, &arena, NULL, &consumed, &err) == NULL,
				"row %zu (%s, %s)", i, row->slug, row->word);
			CHECK(err.kind == row->kind, "row %zu (%s): kind %d: %s", i, row->word,
				err.kind, err.text);
			CHECK_TEXT(err.slug, row->slug, "row %zu: %s", i, err.text);
			CHECK(err.has_offset && err.offset == row->offset,
				"row %zu (%s): offset %llu, not %llu", i, row->word,
				(unsigned long long)err.offset, (unsigned long long)row->offset);
			CHECK(strstr(err.text, row->word) != NULL, "row %zu: \"%s\" in \"%s\"", i,
				row->word, err.text);
			arena_fini(&arena);
		}
}

/* ---- what runs out -------------------------------------------------------------------- */

/* With an arena of every size the pickle is refused for want of memory, up to a size from which
 * on it is made, and is the same. */
static void
check_arenas(const struct good_row *row, size_t number)
{
	bool done = false;

	for (size_t limit = 0; !done || limit % 1024 != 0; limit += 16) {
		struct arena  arena;
		struct error  err;
		char          text[4096];
		size_t        consumed;
		struct value *made;

		arena_init(&arena, limit);
		made = run_pickle(row->bytes, row->length, 0, &pickle_default_limits, &arena, NULL,
			&consumed, &err);
		CHECK(made != NULL || (!done && err.kind == ERROR_LIMIT
			&& strcmp(err.slug, "oom") == 0), "row %zu, %zu bytes: %s", number, limit,
			err.text);
		done = made != NULL;
		if (done)
			CHECK_TEXT(render_value(made, text, sizeof text), row->value,
				"row %zu, %zu bytes", number, limit);
		arena_fini(&arena);
		if (limit > 1 << 16)
			break;
	}
	CHECK(done, "row %zu is never made", number);
}

/* The window that cannot be had: what reads the file says why, and the place is told. */
static void
check_windows(const struct good_row *row, size_t number)
{
	struct failing_input failing = { .left = 0 };
	struct value        *made = NULL;

	for (size_t windows = 0; made == NULL && windows < 1000; windows++) {
		struct arena        arena;
		struct error        err = { 0 };
		struct pickle_input input = { failing_peek, memory_consume, &failing.memory,
			row->length };
		uint64_t            consumed;

		failing = (struct failing_input){ .memory = {
			.bytes = (const unsigned char *)row->bytes,
			.length = row->length, .step = 1 }, .left = windows };
		arena_init(&arena, 1 << 20);
		made = machine_run(&input, &pickle_default_limits, &arena, NULL, &consumed, &err);
		CHECK(made != NULL || (err.kind == ERROR_NO_INPUT && err.has_offset
			&& err.offset <= windows), "row %zu, %zu windows: %s", number, windows,
			err.text);
		arena_fini(&arena);
		free(failing.memory.window);
	}
	CHECK(made != NULL, "row %zu is never made", number);
}

static void
test_running_out(void)
{
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		check_arenas(&good[i], i);
		check_windows(&good[i], i);
	}
}

/* Values that take no memory of their own still take room on the stack. */
static void
test_full_stack(void)
{
	char         bytes[1200];
	struct arena arena;
	struct error err;
	size_t       consumed;

	memset(bytes, 'N', sizeof bytes);
	arena_init(&arena, 1024 * sizeof(void *));
	CHECK(run_pickle(bytes, sizeof bytes, 0, &pickle_default_limits, &arena, NULL, &consumed,
		&err) == NULL && err.kind == ERROR_LIMIT, "%s", err.text);
	CHECK_TEXT(err.slug, "oom", "%s", err.text);
	CHECK_TEXT(err.text, "more than 1024 values on the stack at byte 1024", "stack");
	arena_fini(&arena);
}

/* More names than the first tables have room for, each twice. */
static void
test_many_globals(void)
{
	char                  bytes[10000];
	size_t                length = (size_t)sprintf(bytes, "("), consumed;
	struct arena          arena;
	struct error          err;
	struct pickle_globals globals = { 0 };
	struct value         *made;

	for (int i = 0; i < 400; i++)
		length += (size_t)sprintf(bytes + length, "cm\nC%d\n", i % 200);
	length += (size_t)sprintf(bytes + length, "t.");
	arena_init(&arena, 1 << 20);
	made = run_pickle(bytes, length, 0, &pickle_default_limits, &arena, &globals, &consumed,
		&err);
	CHECK(made != NULL && globals.count == 200, "%u names: %s", (unsigned)globals.count,
		err.text);
	for (uint32_t i = 0; made != NULL && i < 400; i++)
		CHECK(made->items[i] == globals.items[i % 200], "name %u", (unsigned)i);
	arena_fini(&arena);
}

/* Names and members of an enum that are too long. */
static void
test_long_names(void)
{
	static const struct { const char *form; int length; enum error_kind kind; const char *slug; }
	rows[] = {
		{ "V%0*d\nVC\n\x93.", 1024, ERROR_NONE, "" },
		{ "V%0*d\nVC\n\x93.", 1025, ERROR_CORRUPT, "dotted" },
		{ "Vm\nV%0*d\n\x93.", 1025, ERROR_CORRUPT, "dotted" },
		{ "cbuiltins\ngetattr\ncm\nC\nVa%0*d\n\x86R.", 255, ERROR_NONE, "" },
		{ "cbuiltins\ngetattr\ncm\nC\nVa%0*d\n\x86R.", 256, ERROR_UNSAFE, "os" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char         bytes[2000];
		size_t       length = (size_t)sprintf(bytes, rows[i].form, rows[i].length, 0);
		size_t       consumed;
		struct arena arena;
		struct error err;

		arena_init(&arena, 1 << 20);
		run_pickle(bytes, length, 0, &pickle_default_limits, &arena, NULL, &consumed, &err);
		CHECK(err.kind == rows[i].kind, "row %zu: %s", i, err.text);
		CHECK_TEXT(err.slug, rows[i].slug, "row %zu", i);
		arena_fini(&arena);
	}
}

/* 68 opcodes, counted by the protocol that introduced them (pickletools.opcodes). */
static void
test_opcode_table(void)
{
	static const unsigned expected[] = { 22, 19, 12, 2, 10, 3 };
	unsigned              counts[6] = { 0 };

	for (unsigned code = 0; code < 256; code++)
		if (opcodes_table[code].name != NULL)
			counts[opcodes_table[code].protocol]++;
	for (unsigned protocol = 0; protocol < 6; protocol++)
		CHECK(counts[protocol] == expected[protocol], "protocol %u: %u opcodes", protocol,
			counts[protocol]);
}

/* A whole argument for an opcode; returns its length. */
static size_t
make_argument(unsigned kind, char *to)
{
	static const struct {
		const char *bytes;
		size_t      length;
	} arguments[] = {
		[ARGUMENT_NONE] = { BYTES("") },
		[ARGUMENT_U8] = { BYTES("\x05") },
		[ARGUMENT_U16] = { BYTES("\x05\x00") },
		[ARGUMENT_U32] = { BYTES("\x05\x00\x00\x00") },
		[ARGUMENT_I32] = { BYTES("\x05\x00\x00\x00") },
		[ARGUMENT_U64] = { BYTES("\x01\x00\x00\x00\x00\x00\x00\x00") },
		[ARGUMENT_DOUBLE] = { BYTES("\x3f\xf8\x00\x00\x00\x00\x00\x00") },
		[ARGUMENT_BYTES_U8] = { BYTES("\x02" "ab") },
		[ARGUMENT_BYTES_U32] = { BYTES("\x02\x00\x00\x00" "ab") },
		[ARGUMENT_BYTES_I32] = { BYTES("\x02\x00\x00\x00" "ab") },
		[ARGUMENT_BYTES_U64] = { BYTES("\x02\x00\x00\x00\x00\x00\x00\x00" "ab") },
		[ARGUMENT_LONG_U8] = { BYTES("\x02" "ab") },
		[ARGUMENT_LONG_I32] = { BYTES("\x02\x00\x00\x00" "ab") },
		[ARGUMENT_INTEGER_LINE] = { BYTES("12\n") },
		[ARGUMENT_FLOAT_LINE] = { BYTES("1.5\n") },
		[ARGUMENT_INDEX_LINE] = { BYTES("12\n") },
		[ARGUMENT_TEXT_LINE] = { BYTES("'ab'\n") },
		[ARGUMENT_NAME_LINE] = { BYTES("ab\n") },
		[ARGUMENT_NAME_LINES] = { BYTES("mod\nName\n") },
	};

	memcpy(to, arguments[kind].bytes, arguments[kind].length);
	return arguments[kind].length;
}

static void
check_fails(const char *bytes, size_t length, const char *slugs, const char *what,
	const char *name)
{
	struct arena arena;
	struct error err;
	size_t       consumed;

	arena_init(&arena, 1 << 20);
	CHECK(run_pickle(bytes, length, 0, &pickle_default_limits, &arena, NULL, &consumed,
		&err) == NULL, "%s %s", name, what);
	CHECK(err.kind == ERROR_CORRUPT && strstr(slugs, err.slug) != NULL, "%s %s: %s: %s", name,
		what, err.slug, err.text);
	CHECK(strstr(err.text, name) != NULL, "%s %s: %s", name, what, err.text);
	arena_fini(&arena);
}

/* Every opcode with its argument cut at every place. */
static void
test_cut_arguments(void)
{
	for (unsigned code = 0; code < 256; code++) {
		char   bytes[64] = { (char)code };
		size_t length;

		if (opcodes_table[code].name == NULL)
			continue;
		length = make_argument(opcodes_table[code].argument, bytes + 1);
		for (size_t cut = 0; cut < length; cut++)
			check_fails(bytes, 1 + cut, "truncop hugelen", "cut",
				opcodes_table[code].name);
	}
}

/* The values an opcode needs above the newest mark, and whether it needs a mark below them.
 * From the stack effects in pickletools. */
static const struct {
	uint8_t code, values;
	bool    mark;
} needs[] = {
	{ OPCODE_STOP, 1, false },      { OPCODE_POP, 1, false },
	{ OPCODE_DUP, 1, false },       { OPCODE_BINPERSID, 1, false },
	{ OPCODE_REDUCE, 2, false },    { OPCODE_APPEND, 2, false },
	{ OPCODE_BUILD, 2, false },     { OPCODE_PUT, 1, false },
	{ OPCODE_BINPUT, 1, false },    { OPCODE_LONG_BINPUT, 1, false },
	{ OPCODE_SETITEM, 3, false },   { OPCODE_NEWOBJ, 2, false },
	{ OPCODE_TUPLE1, 1, false },    { OPCODE_TUPLE2, 2, false },
	{ OPCODE_TUPLE3, 3, false },    { OPCODE_NEWOBJ_EX, 3, false },
	{ OPCODE_STACK_GLOBAL, 2, false }, { OPCODE_MEMOIZE, 1, false },
	{ OPCODE_POP_MARK, 0, true },   { OPCODE_DICT, 0, true },
	{ OPCODE_APPENDS, 0, true },    { OPCODE_INST, 0, true },
	{ OPCODE_LIST, 0, true },       { OPCODE_OBJ, 0, true },
	{ OPCODE_TUPLE, 0, true },      { OPCODE_SETITEMS, 0, true },
	{ OPCODE_ADDITEMS, 0, true },   { OPCODE_FROZENSET, 0, true },
};

/* Every opcode with too little on the stack: nothing at all, one value less than it needs,
 * and all it needs but with a mark in the way. */
static void
test_short_stacks(void)
{
	for (size_t i = 0; i < sizeof needs / sizeof *needs; i++) {
		const struct opcode *opcode = &opcodes_table[needs[i].code];
		char                 bytes[64];

		for (size_t values = 0; values < needs[i].values; values++) {
			size_t length = values;
			memset(bytes, 'N', values);
			bytes[length++] = (char)needs[i].code;
			length += make_argument(opcode->argument, bytes + length);
			bytes[length++] = '.';
			check_fails(bytes, length, "underflow", "short", opcode->name);
		}
		for (size_t above = 0; above < needs[i].values; above++) {
			size_t length = 4;
			memcpy(bytes, "NNN(", 4);
			if (needs[i].code == OPCODE_STOP
			    || (needs[i].code == OPCODE_POP && above == 0))
				break;          /* POP takes a mark; STOP has a word of its own */
			for (size_t j = 0; j < above; j++)
				bytes[length++] = 'N';
			bytes[length++] = (char)needs[i].code;
			length += make_argument(opcode->argument, bytes + length);
			bytes[length++] = '.';
			check_fails(bytes, length, "underflow", "marked", opcode->name);
		}
		if (needs[i].mark) {
			size_t length = 3;
			memcpy(bytes, "NNN", 3);
			bytes[length++] = (char)needs[i].code;
			length += make_argument(opcode->argument, bytes + length);
			bytes[length++] = '.';
			check_fails(bytes, length, "nomark", "without mark", opcode->name);
		}
	}
	/* What adds to the value below the mark needs one there. */
	check_fails(BYTES("(e."), "underflow", "alone", "APPENDS");
	check_fails(BYTES("(u."), "underflow", "alone", "SETITEMS");
	check_fails(BYTES("(\x90."), "underflow", "alone", "ADDITEMS");
	check_fails(BYTES("N((e."), "underflow", "marked", "APPENDS");
}

static void
check_limit(const char *bytes, size_t length, const struct pickle_limits *limits,
	size_t arena_limit, const char *slug, uint64_t offset)
{
	struct arena arena;
	struct error err;
	size_t       consumed;

	arena_init(&arena, arena_limit);
	CHECK(run_pickle(bytes, length, 0, limits, &arena, NULL, &consumed, &err) == NULL, "%s",
		slug);
	CHECK(err.kind == ERROR_LIMIT, "%s: kind %d: %s", slug, err.kind, err.text);
	CHECK_TEXT(err.slug, slug, "%s", err.text);
	CHECK(err.offset == offset, "%s: offset %llu", slug, (unsigned long long)err.offset);
	arena_fini(&arena);
}

/* What "prefix, then `count` times `unit`, `count` times `close`, then STOP" does. */
static void
check_deep(const char *unit, const char *close, size_t count, const char *slug,
	uint64_t offset)
{
	size_t width = strlen(unit), tail = strlen(close), length = 3;
	char  *bytes = malloc(length + count * (width + tail) + 1);

	if (bytes == NULL)
		abort();
	memcpy(bytes, "\x80\x02N", length);
	for (size_t i = 0; i < count; i++, length += width)
		memcpy(bytes + length, unit, width);
	for (size_t i = 0; i < count; i++, length += tail)
		memcpy(bytes + length, close, tail);
	bytes[length++] = '.';
	check_limit(bytes, length, &pickle_default_limits, (size_t)64 << 20, slug, offset);
	free(bytes);
}

static void
test_limits(void)
{
	struct pickle_limits limits = pickle_default_limits;
	static char          line[5003];

	check_deep("(", "", 1000000, "deepmark", 1003);
	/* A thousand tuples fit; the next one does not. */
	check_deep("\x85", "", 1000000, "deeplist", 1003);
	check_deep("]", "a", 500000, "deeplist", 3 + 500000 + 1000 - 1);
	check_deep("N}", "s", 500000, "deeplist", 3 + 1000000 + 1000 - 1);
	check_deep("cm\nC\n)\x81", "b", 100000, "deeplist", 3 + 700000 + 999 - 1);

	limits.opcodes = 3;
	check_limit(BYTES("NNN."), &limits, 1 << 20, "opcount", 3);
	limits = pickle_default_limits;
	limits.bytes = 4;
	check_limit(BYTES("NNNNN."), &limits, 1 << 20, "hugepkl", 4);
	check_limit(BYTES("NX\x01\x00\x00\x00" "a."), &limits, 1 << 20, "hugepkl", 1);
	limits = pickle_default_limits;
	limits.string_bytes = 3;
	check_limit(BYTES("X\x04\x00\x00\x00" "abcd."), &limits, 1 << 20, "strings", 0);
	check_limit(BYTES("NVabcd\n."), &limits, 1 << 20, "strings", 1);
	limits = pickle_default_limits;
	limits.memo_entries = 2;
	check_limit(BYTES("Nq\x01q\x02q\x01q\x03."), &limits, 1 << 20, "memo", 7);
	limits = pickle_default_limits;
	check_limit(BYTES("\x80\x02X\x00\x08\x00\x00" "a"), &limits, 100, "oom", 0);

	memset(line, '1', sizeof line);
	line[0] = 'I';
	memcpy(line + sizeof line - 2, "\n.", 2);
	check_limit(line, sizeof line, &pickle_default_limits, 1 << 20, "longint", 0);
	line[0] = 'F';
	check_limit(line, sizeof line, &pickle_default_limits, 1 << 20, "floats", 0);
	line[0] = 'g';
	check_limit(line, sizeof line, &pickle_default_limits, 1 << 20, "memo", 0);
	line[0] = 'c';
	check_fails(line, sizeof line, "dotted", "of 5,000 bytes", "GLOBAL");
}

/* The globals a pickle mentions: each once, in order, also over several pickles. */
static void
test_globals_list(void)
{
	static const char *const expected[] = { "a.A", "b.B", "builtins.set", "c.C" };
	struct pickle_globals    globals = { 0 };
	struct arena             arena;
	struct error             err;
	size_t                   consumed;
	char                     text[64];

	arena_init(&arena, 1 << 20);
	CHECK(run_pickle(BYTES("(ca\nA\n(ib\nB\nca\nA\nt."), 0, &pickle_default_limits, &arena,
		&globals, &consumed, &err) != NULL, "%s", err.text);
	CHECK(run_pickle(BYTES("(c__builtin__\nset\ncb\nB\ncc\nC\nt.junk"), 3,
		&pickle_default_limits, &arena, &globals, &consumed, &err) != NULL, "%s",
		err.text);
	CHECK(consumed == 30, "nothing past STOP is consumed: %zu", consumed);
	CHECK(globals.count == 4, "%zu globals", globals.count);
	for (size_t i = 0; i < globals.count && i < 4; i++)
		CHECK_TEXT(render_value(globals.items[i], text, sizeof text), expected[i],
			"global %zu", i);
	/* A dangerous name is found again where it was listed before. */
	for (int again = 0; again < 2; again++)
		CHECK(run_pickle(BYTES("cos\nsystem\n."), 0, &pickle_default_limits, &arena,
			&globals, &consumed, &err) == NULL && err.kind == ERROR_UNSAFE, "os");
	for (int again = 0; again < 2; again++)
		CHECK(run_pickle(BYTES("cbuiltins\ngetattr\n."), 0, &pickle_default_limits, &arena,
			&globals, &consumed, &err) == NULL && err.kind == ERROR_UNSAFE, "getattr");
	arena_fini(&arena);
}

/* 2^60 leaves in a graph of 61 nodes; and many entries in memo and list. */
static void
test_shared_and_many(void)
{
	static char   bytes[400000];
	struct arena  arena;
	struct error  err;
	size_t        length = 1, consumed;
	struct value *made;

	bytes[0] = 'N';
	for (int i = 0; i < 60; i++, length += 2)
		memcpy(bytes + length, "2\x86", 2);
	bytes[length++] = '.';
	arena_init(&arena, 1 << 20);
	CHECK(run_pickle(bytes, length, 0, &pickle_default_limits, &arena, NULL, &consumed, &err)
		!= NULL, "%s", err.text);
	CHECK(arena.taken < 16384, "%zu bytes for 61 nodes", arena.taken);
	arena_fini(&arena);

	length = 2;
	memcpy(bytes, "](", length);
	for (unsigned i = 0; i < 30000; i++, length += 7) {
		memcpy(bytes + length, "M__\x94N02", 7);
		bytes[length + 1] = (char)i;
		bytes[length + 2] = (char)(i >> 8);
	}
	memcpy(bytes + length, "e.", 2);
	arena_init(&arena, (size_t)8 << 20);
	made = run_pickle(bytes, length + 2, 0, &pickle_default_limits, &arena, NULL, &consumed,
		&err);
	CHECK(made != NULL && made->count == 60000, "%s", err.text);
	CHECK(made == NULL || (made->items[59999]->integer == 29999
		&& made->items[59999] == made->items[59998]), "the last and its copy");
	arena_fini(&arena);
}

int
main(void)
{
	setlocale(LC_ALL, "");
	test_good();
	test_running_out();
	test_full_stack();
	test_many_globals();
	test_long_names();
	test_bad();
	test_opcode_table();
	test_cut_arguments();
	test_short_stacks();
	test_limits();
	test_globals_list();
	test_shared_and_many();
	return check_end("pickle");
}
