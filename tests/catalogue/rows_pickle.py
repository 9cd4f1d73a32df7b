"""Rows 63 to 105: pickles."""
import hashlib
import math
import re
import resource
import struct
import zlib

import pickles
from checkpoint import ARGS, Checkpoint, FIRST, MAGIC, SHAPES, WORDS, namespace
from pickles import (FALSE, NONE, call, dict_of, integer, list_of, named, persistent, plain, real,
                     rebuilt, storage, stream, text, tuple_of)
from zips import DEFLATED, Entry, archive

PICKLE = r"in\.pt:model/data\.pkl: "
SMALL_STACK = [(resource.RLIMIT_STACK, 256 << 10)]


def raw(data):
    """A torch zip with these bytes for data.pkl."""
    return Checkpoint().torch_zip(pickle=data)


def beside(value, key="extra"):
    """A good checkpoint that holds one value more, off the path to any weight."""
    made = Checkpoint()
    made.outside.append((key, value))
    return made.torch_zip()


def instead(value, name=FIRST):
    """A checkpoint in which a weight is something else."""
    made = Checkpoint()
    made.held[name] = value
    return made.torch_zip()


CANARY = text("touch canary")
DANGEROUS = ["os system", "posix system", "nt system", "subprocess Popen",
             "subprocess check_output",
             "builtins eval", "builtins exec", "__builtin__ eval", "__builtin__ execfile",
             "builtins compile",
             "builtins __import__", "builtins getattr", "builtins open", "sys modules",
             "importlib import_module",
             "runpy _run_code", "pty spawn", "socket socket", "ctypes CDLL", "pickle loads",
             "_pickle loads",
             "code interact", "shutil rmtree", "webbrowser open", "torch.hub load",
             "numpy.testing run",
             "operator attrgetter", "pip main", "bdb Bdb", "asyncio run",
             "http.client HTTPSConnection",
             "requests get", "marshal loads", "types CodeType", "timeit timeit", "pydoc pipepager",
             "torch.serialization load", "torch.utils.bottleneck x", "cProfile run",
             "idlelib.autocomplete x"]


def globals_(t):
    for pair in DANGEROUS:
        module, name = pair.split()
        shown = rf"pickle imports {module.replace('__builtin__', '(__builtin__|builtins)')}\.{name}; refusing"
        if pair == "builtins getattr":
            shown = "pickle uses builtins.getattr for other than a member of an enum class; refusing"
        what = f"{module}.{name}"
        t.refused(63, "os", what, 5, PICKLE + shown, beside(call(named(module, name), CANARY)))
    shown = PICKLE + r"pickle imports os\.system; refusing"
    t.refused(63, "os", "at-byte", 5, shown + r" \(offset 2\)|at byte 2",
              raw(stream(call(named("os", "system"), CANARY))))
    t.refused(63, "os", "legacy", 5, "pickle imports os.system",
              legacy_with(call(named("os", "system"), CANARY)))

    hostile = beside(call(named("os", "system"), CANARY))

    def every_option(box):
        """All that --help knows, but for where to write, how to talk, and what is for folders."""
        path = box.write("in.pt", hostile)
        config = box.write("config.json", "{}")
        tried = [["--strict"], ["--dry-run"], ["--force"], ["--verbose"], ["--quiet"],
                 ["--weights", "both"], ["--dtype", "float32"], ["--profile", "hf4.18"],
                 ["--dtype", "float16", "--allow-overflow"], ["--tokenizer", "none"],
                 ["--replicas", "mean"], ["--tensor-sha256"], ["--num-attention-heads", "2"],
                 ["--vocab-size", "16"], ["--qkv-layout", "2"], ["--activation", "gelu"],
                 ["--config", config], ["--threads", "1"], ["--max-shard-size", "1GB"],
                 ["--model-card", "auto", "--license", "mit"],
                 ["--provenance", box.inside / "slsa.json"], ["--memory-limit", "1GB"],
                 ["--input-sha256", "used"], ["--read-back", "disk"],
                 ["--sha256", hashlib.sha256(hostile).hexdigest()]]
        for options in tried:
            box.refused(5, "os", "pickle imports os.system", "convert", path, "-o", box.out,
                        *options)
        box.expect(0, "convert", "--help")
        known = set(re.findall(r"--[a-z0-9-]+", box.stdout))
        known -= {"--output", "--stream", "--staging", "--json", "--progress", "--color", "--help",
                  "--version", "--iteration"}
        tried = {word for words in tried for word in map(str, words) if word.startswith("--")}
        if known != tried:
            box.fault(f"not every option was tried: {known ^ tried}")
    t.add(64, "nofallback", "convert", 5, every_option)

    def other_commands(box):
        path = box.write("in.pt", hostile)
        made = box.write("made/model.safetensors", b"")
        box.refused(5, "os", "pickle imports os.system", "inspect", path)
        box.refused(5, "os", "pickle imports os.system", "inspect", path, "--tensors", "--args")
        box.refused(5, "os", "pickle imports os.system", "diff", path, path)
        box.expect(5, "verify", made.parent, "--source", path, says=["pickle imports os.system"])
    t.add(64, "nofallback", "commands", 5, other_commands)

    for what, code in (
            ("inst", b"(" + CANARY + b"ios\nsystem\n"), ("obj", b"(" + named("os", "system") +
                    CANARY + b"o"),
            ("newobj", named("os", "system") + tuple_of(CANARY) + b"\x81"),
            ("newobj-ex", named("os", "system") + tuple_of(CANARY) + dict_of([]) + b"\x92"),
            ("global-alone", named("os", "system"))):
        t.refused(65, "instobj", what, 5, shown, beside(code), code="os")
    for what, code in (("obj", b"(" + named("os", "system") + CANARY + b"o0N"),
                       ("reduce", call(named("os", "system"), CANARY) + b"0N"),
                       ("pop-mark", b"(" + call(named("os", "system"), CANARY) + b"1N"),
                       ("memo-only", named("os", "system") + b"q\x990N")):
        t.refused(66, "objpop", what, 5, shown, beside(code), code="os")
    for what, code in (("plain", text("os") + text("system") + b"\x93"),
                       ("memo", text("system") + b"q\x960" + text("os") + b"q\x970h\x97h\x96\x93"),
                       ("swapped", text("system") + b"r\1\1\0\x000" + text("os") +
                        b"j\1\1\0\0\x93"),
                       ("memoize", text("os") + b"\x94" + text("system") + b"\x94\x93"),
                       ("dup", text("os") + text("system") + b"20" + text("system") + b"0\x93"),
                       ("put-get", text("os") + b"p7\n0" + text("system") + b"p8\n0g7\ng8\n\x93"),
                       ("short", b"\x8c\2os\x8c\6system\x93")):
        t.refused(67, "stackglobal", what, 5, shown, beside(code), code="os")
    t.refused(67, "stackglobal", "not-text", 3, "a global name that is not text",
              beside(integer(1) + integer(2) + b"\x93"))

    for what, module, name, status in (
            ("below", "os.path", "os.system", 5), ("chain", "torch", "serialization.os.system", 5),
            ("builtins", "torch", "serialization.builtins.eval", 5), ("space", "my module",
                    "a name", 3), ("empty", "", "", 3),
            ("no-name", "torch", "", 3), ("no-module", "", "name", 3), ("escape", "\x1b[31mred",
                    "name", 3), ("utf8", "mödule", "name", 3),
            ("dots", "torch..nn", "a", 3), ("long", "m" * (1 << 20), "n", 3)):
        t.refused(68, "dotted", what, status,
                  "pickle imports" if status == 5 else "malformed global name|global module of GLOBAL at byte [0-9]+ is longer than 1024 bytes",
                  beside(named(module, name)), code="os" if status == 5 else "dotted")
    t.refused(68, "dotted", "no-newline", 3, "truncated|malformed", raw(b"\x80\2ctorch"),
              code="truncop")
    for what, code in (("one", b"\x82\1"), ("two", b"\x83\1\1"), ("four", b"\x84\1\1\1\1")):
        t.refused(69, "ext", what, 4, "extension codes? .*not supported|EXT", beside(code))
    t.refused(70, "persidtext", "text", 3, "persistent id is not a storage tuple",
              beside(b"P17\n"))
    for what, value in (("int", integer(1)), ("string", text("storage")), ("none", NONE),
                        ("list", list_of(text("storage")))):
        t.refused(70, "persidtext", what, 3, "persistent id is not a storage tuple",
                  beside(value + b"Q"))


def legacy_with(value):
    made = Checkpoint()
    made.outside.append(("extra", value))
    return made.legacy()


def foreign(t):
    numpy = call(named("numpy.core.multiarray", "scalar"),
                 call(named("numpy", "dtype"), text("f8"), FALSE, b"\x88") , b"U\x08" + b"\0" * 8)
    enum = call(named("megatron.model.enums", "ModelType"), integer(1))
    harmless = Checkpoint()
    harmless.args = namespace(dict(ARGS, model_type=enum, started=numpy))
    harmless.outside.append(("optimizer",
                             dict_of([("state", call(named("apex.optimizers.fused_adam",
                                     "FusedAdam"), integer(3)))])))
    harmless.outside.append(("rng_state", list_of(call(named("mycompany.tools", "RandomState"),
                                                       integer(3)))))
    t.converts(71, "foreign", "", harmless.torch_zip(),
               says=["note .*mycompany.tools.RandomState"])
    held = storage("0", "HalfStorage", 128)
    for what, value, says in (
            ("dtensor", call(named("torch.distributed.tensor", "DTensor"), integer(1)),
             "torch.distributed.tensor.DTensor"),
            ("sharded", named("torch.distributed._shard.sharded_tensor.api", "ShardedTensor") +
             b")\x81" + dict_of([]) + b"b", "ShardedTensor"),
            ("own", call(named("mycompany", "Tensor"), held), "mycompany.Tensor")):
        t.refused(72, "foreignweight", what, 4, f"{FIRST}.*{says}|{says}.*tensor", instead(value))
    state = dict_of([("a", integer(1))])
    for what, value, found in (("int", integer(1), "int"), ("list", list_of(), "list"),
                               ("tuple", tuple_of(), "tuple"),
                               ("none", NONE, "None"), ("text", text("x"), "")):
        t.refused(73, "build", what, 3, rf"BUILD on .*{found}.* at byte",
                  beside(value + state + b"b"))
    for what, told in (("none", NONE), ("slots", tuple_of(NONE, state)), ("int", integer(4))):
        t.converts(73, "build", "state-" + what, beside(call(named("megatron.config", "Thing")) +
                                                        told + b"b"))


def containers(t):
    one, two = integer(1), integer(2)
    for what, target in (("list", list_of()), ("tuple", tuple_of()), ("text", text("x")),
                         ("none", NONE), ("int", one)):
        t.refused(74, "setitem", what, 3, "SETITEM on .* at byte",
                  beside(target + one + two + b"s"))
        t.refused(74, "setitem", what + "-items", 3, "SETITEMS on .* at byte",
                  beside(target + b"(" + one + two + b"u"))
    t.refused(74, "setitem", "odd", 3, "odd number of keys and values",
              beside(b"}(" + one + two + one + b"u"))
    t.refused(74, "setitem", "odd-dict", 3, "odd number of keys and values",
              beside(b"(" + one + b"d"))
    for what, target in (("dict", dict_of([])), ("tuple", tuple_of()), ("text", text("x"))):
        t.refused(75, "append", what, 3, "APPEND on .* at byte", beside(target + one + b"a"))
        t.refused(75, "append", what + "-items", 3, "APPENDS on .* at byte",
                  beside(target + b"(" + one + b"e"))
        t.refused(75, "append", what + "-set", 3, "ADDITEMS on .* at byte",
                  beside(target + b"(" + one + b"\x90"))


# Opcodes by what they take: Python's pickletools says so, and a test of Python's own has the
# same idea.  name -> (code, values it needs, does it need a MARK, argument)
STACKED = {
    "POP": (b"0", 1), "DUP": (b"2", 1), "BINPERSID": (b"Q", 1), "REDUCE": (b"R", 2),
    "APPEND": (b"a", 2),
    "BUILD": (b"b", 2), "SETITEM": (b"s", 3), "NEWOBJ": (b"\x81", 2), "TUPLE1": (b"\x85", 1),
    "TUPLE2": (b"\x86", 2),
    "TUPLE3": (b"\x87", 3), "NEWOBJ_EX": (b"\x92", 3), "STACK_GLOBAL": (b"\x93", 2),
    "MEMOIZE": (b"\x94", 1),
    "PUT": (b"p0\n", 1), "BINPUT": (b"q\0", 1), "LONG_BINPUT": (b"r\0\0\0\0", 1),
}
MARKED = {"POP_MARK": b"1", "TUPLE": b"t", "LIST": b"l", "DICT": b"d", "SETITEMS": b"u",
          "APPENDS": b"e",
          "ADDITEMS": b"\x90", "FROZENSET": b"\x91", "OBJ": b"o",
          "INST": b"iargparse\nNamespace\n"}
# Each with its whole argument; every shorter one is cut.
ARGUMENTS = {
    "FLOAT": b"F1.5\n", "INT": b"I12\n", "BININT": b"J\1\2\3\4", "BININT1": b"K\1",
    "LONG": b"L12L\n", "BININT2": b"M\1\2",
    "PERSID": b"Pid\n", "STRING": b"S'ab'\n", "BINSTRING": b"T\2\0\0\0ab",
    "SHORT_BINSTRING": b"U\2ab", "UNICODE": b"Vab\n",
    "BINUNICODE": b"X\2\0\0\0ab", "GLOBAL": b"cabc\nde\n", "GET": b"g0\n", "BINGET": b"h\0",
    "LONG_BINGET": b"j\0\0\0\0",
    "PUT": b"Np0\n", "BINPUT": b"Nq\0", "LONG_BINPUT": b"Nr\0\0\0\0",
    "BINFLOAT": b"G\0\0\0\0\0\0\0\0", "BINBYTES": b"B\2\0\0\0ab",
    "SHORT_BINBYTES": b"C\2ab", "LONG1": b"\x8a\2ab", "LONG4": b"\x8b\2\0\0\0ab",
    "SHORT_BINUNICODE": b"\x8c\2ab",
    "BINUNICODE8": b"\x8d\2\0\0\0\0\0\0\0ab", "BINBYTES8": b"\x8e\2\0\0\0\0\0\0\0ab",
    "FRAME": b"\x95\2\0\0\0\0\0\0\0N.",
    "BYTEARRAY8": b"\x96\2\0\0\0\0\0\0\0ab", "EXT1": b"\x82\1", "EXT2": b"\x83\1\1",
    "EXT4": b"\x84\1\1\1\1", "PROTO": b"\x80\2",
    "INST": b"(iabc\nde\n",
}


def streams(t):
    for name, (code, needs) in STACKED.items():
        for height in range(needs):
            for what, below in ((f"{height}", b""), (f"{height}-marked", NONE * 3 + b"(")):
                if name == "POP" and below:
                    continue                    # takes the mark then
                t.refused(76, "underflow", f"{name}-{what}", 3,
                          rf"stack underflow at byte \d+ \({name}\)",
                          raw(b"\x80\4" + below + NONE * height + code + b"."))
    t.refused(76, "underflow", "STOP", 3, "STOP|underflow", raw(b"\x80\2."), code="underflow")
    for name, code in MARKED.items():
        for height in range(4):
            t.refused(77, "nomark", f"{name}-{height}", 3, rf"no MARK for {name} at byte \d+",
                      raw(b"\x80\4" + NONE * height + code + b"."))
    for name, code in ARGUMENTS.items():
        lead = 1 if code[:1] in (b"N", b"(") and len(code) > 1 else 0
        for cut in range(lead + 1, len(code) - (2 if name == "FRAME" else 0)):
            t.refused(78, "truncop", f"{name}-{cut}", 3,
                      f"ends inside the argument of {name} at byte|string of",
                      raw((b"" if name == "PROTO" else b"\x80\4") + code[:cut]),
                      code=("truncop", "hugelen"))
    t.refused(79, "nostop", "missing", 3, "no STOP", raw(b"\x80\2K\1"))
    t.refused(79, "nostop", "empty", 3, "no STOP|empty", raw(b""))
    t.refused(79, "nostop", "mark-left", 3, "a MARK is left on the stack", raw(b"\x80\2N(."))
    t.refused(79, "nostop", "two-values", 3, "2 values are left on the stack", raw(b"\x80\2NN."))
    t.refused(79, "nostop", "behind", 3, r"\d+ bytes after STOP",
              raw(Checkpoint().pickle() + b"\x80\2cos\nsystem\n."))
    t.refused(80, "frame", "huge", 3, "frame of 1152921504606846976 bytes, 2 left",
              raw(b"\x80\4\x95" + struct.pack("<Q", 1 << 60) + b"N."))
    t.refused(80, "frame", "zero", 3, "frame of 0 bytes", raw(b"\x80\4\x95" + struct.pack("<Q",
            0) + b"N."))
    t.refused(80, "frame", "nested", 3, "a frame within a frame",
              raw(b"\x80\4\x95" + struct.pack("<Q", 11) + b"\x95" + struct.pack("<Q", 2) + b"N."))
    t.refused(80, "frame", "straddle", 3, r"BININT1 at byte \d+ crosses the end of its FRAME",
              raw(b"\x80\4\x95" + struct.pack("<Q", 1) + b"K\5."))
    t.refused(80, "frame", "past-stop", 3, "frame", raw(b"\x80\4\x95" + struct.pack("<Q",
            3) + b"N.N"))
    t.converts(80, "frame", "right", raw(b"\x80\4\x95" + struct.pack("<Q",
            len(Checkpoint().pickle()) - 2) + Checkpoint().pickle()[2:]))
    for protocol in range(6):
        t.converts(81, "proto", str(protocol), raw(stream(dict_of(Checkpoint().top()), protocol)))
    t.converts(81, "proto", "none", raw(Checkpoint().pickle()[2:]))
    for protocol in (6, 9, 255):
        t.refused(81, "proto", str(protocol), 4, f"pickle protocol {protocol} is not supported",
                  raw(stream(NONE, protocol)))
    t.converts(81, "proto", "twice", raw(b"\x80\2N0" + Checkpoint().pickle()))
    t.refused(81, "proto", "twice-other", 4, "protocol told twice and not alike",
              raw(b"\x80\2N0\x80\4" + Checkpoint().pickle()[2:]))
    for what, code, says in (
            ("binunicode-4g", b"X\xf0\xff\xff\xffa", "string of 4294967280 bytes, 2 left"),
            ("binunicode8", b"\x8d" + struct.pack("<Q", 1 << 62) + b"a",
             "string of 4611686018427387904 bytes, 2 left"),
            ("binbytes8", b"\x8e" + struct.pack("<Q", 1 << 62) + b"a",
             "string of 4611686018427387904 bytes"), ("bytearray8", b"\x96" + struct.pack("<Q",
                     1 << 63) + b"a", "string of 9223372036854775808 bytes"),
            ("long4", b"\x8b" + struct.pack("<i", -1), "negative length -1"),
            ("binstring", b"T" + struct.pack("<i", -1), "negative length -1"),
            ("binbytes", b"B" + struct.pack("<i", -1), "string of 4294967295 bytes")):
        t.refused(82, "hugelen", what, 3, says, raw(b"\x80\4" + code + b"."))


def memory(t):
    t.refused(83, "memo", "missing", 3, "memo 5 is not set at byte 2", raw(b"\x80\2h\5."))
    t.refused(83, "memo", "empty-stack", 3, "stack underflow", raw(b"\x80\2r\xff\xff\xff\xff."),
              code="underflow")
    t.converts(83, "memo", "index-4g", beside(NONE + b"r\xff\xff\xff\xff0j\xff\xff\xff\xff"))
    for what, number in (("negative", "-1"), ("underscore", "1_000"),
                         ("long", "99999999999999999999"), ("empty", ""), ("blank", " 1"),
                         ("letters", "abc")):
        t.refused(83, "memo", "put-" + what, 3, "malformed memo index",
                  beside(NONE + b"p" + number.encode() + b"\n"))
    for what, code, status, row, slug in (
            ("marks", b"(" * 1000000, 8, 84, "deepmark"), ("lists", b"]" * 500000 + b"a" * 499999,
                    8, 85, "deeplist"),
            ("tuples", NONE + b"\x85" * 1000000, 8, 85, "deeplist"),
            ("dicts", b"}" + b"K\1}" * 300000 + b"s" * 300000, 8, 85, "deeplist"),
            ("sets", b"(" + NONE + b"\x91" + b"0" + NONE + b"(" * 0 + b"\x85\x85" * 5000, 8, 85,
             "deeplist")):
        data = raw(b"\x80\4" + code + b".")
        t.refused(row, slug, what, status, r"nesting deeper than 1000 at byte \d+", data,
                  limits=SMALL_STACK)

    def shallow(box, depth):
        path = box.write("in.pt", beside(b"]" * depth + b"a" * (depth - 1)))
        box.converted(path, limits=SMALL_STACK)
    t.add(85, "deeplist", "900-are-fine", 0, lambda box: shallow(box, 900))

    laughs = b"]q\0(" + b"K\1" * 10 + b"e"
    for level in range(1, 12):
        laughs += b"]q" + bytes([level]) + b"(" + (b"h" + bytes([level - 1])) * 10 + b"e"
    # The memo of the checkpoint is empty, so the numbers are free; the rest is popped.
    kept = b"(" + laughs + b"t0h\x0b"
    doubled = b"]q\0K\1a" + b"".join(b"q" + bytes([n]) + b"0](h" + bytes([n]) + b"2" +
                                     b"e" for n in range(1, 60))
    for what, value in (("memo", kept), ("dup", doubled)):
        t.converts(86, "laughs", what, beside(value))

        def inspected(box, value=value):
            path = box.write("in.pt", beside(value))
            for more in ([], ["--tensors"], ["--args"], ["--json"]):
                box.expect(0, "inspect", path, *more)
                if len(box.stdout) > 20000:
                    box.fault(f"{len(box.stdout)} bytes of output")
        t.add(86, "laughs", what + "-inspect", 0, inspected)
    tree = b"}q\0" + b"".join(b"}q" + bytes([n]) + b"(K\1h" + bytes([n - 1]) + b"K\2h" +
                              bytes([n - 1]) + b"u" for n in range(1, 40))
    t.converts(86, "laughs", "dicts", beside(b"(" + tree + b"t0h\x27"))
    for what, value in (("list", b"]q\0h\0a"), ("dict", b"}q\0" + text("me") + b"h\0s"),
                        ("tuple", b"]q\0(h\0tq\1a0h\1")):
        t.converts(87, "cycle", what, beside(value))
    t.refused(87, "cycle", "key", 3, "dict as a dict key|as a dict key", beside(b"}q\0h\0h\0s"),
              code="hash")
    t.refused(87, "cycle", "root", 4, "'model'", raw(b"\x80\2}q\0" + text("x") + b"h\0s."),
              code="toplevel")
    t.refused(87, "cycle", "weight", 4, "tensor", instead(b"]q\0h\0a"), code="foreignweight")


def values(t):
    tensor = Checkpoint().held[FIRST]
    for what, key in (("list", list_of()), ("dict", dict_of([])), ("nan", real(math.nan)),
                      ("tuple-of-list", tuple_of(list_of()))):
        t.refused(88, "hash", what, 3, "as a dict key at byte", beside(dict_of([(key, NONE)])))
    # Python hashes a tensor by its identity: torch loads this, and it is nothing to us.
    t.converts(88, "hash", "tensor", beside(dict_of([(tensor, NONE)])))
    made = Checkpoint()
    made.held[FIRST + ".more"] = tensor
    t.refused(88, "hash", "tensor-among-weights", 4,
              "a key under 'model' is .*; a name is expected",
              made.torch_zip(pickle=made.pickle().replace(text(FIRST + ".more"), tensor)),
              code="extrakey")
    made = Checkpoint()
    made.outside.append(("model", dict_of([])))
    t.refused(88, "hash", "model-twice", 5, "two values for key 'model'", made.torch_zip())
    twice = Checkpoint()
    t.refused(88, "hash", "weight-twice", 5, "two values for key '" + FIRST,
              twice.torch_zip(pickle=twice.pickle().replace(text(FIRST[:-6] + "bias"),
                      text(FIRST))))
    for what, number in (("2-63", 2**63), ("less", -2**63), ("2040-bits", 2**2000),
                         ("0-long", None)):
        code = b"\x8a\0" if number is None else integer(number)
        t.converts(89, "longint", what, beside(code))
    for what, code in (("text", b"L123L\n"), ("true", b"I01\n"), ("false", b"I00\n"),
                       ("minus-zero", b"I-0\n"), ("long4", b"\x8b\2\0\0\0\1\1")):
        t.converts(89, "longint", what, beside(code))
    for what, code in (("int-junk", b"I12x\n"), ("long-junk", b"L12x\n"), ("float-junk",
            b"Fone\n")):
        t.refused(89, "longint", what, 3, "malformed (integer|float)", beside(code),
                  code=("longint", "floats"))
    for what, number in (("heads", 2**80), ("negative", -2)):
        t.refused(89, "longint", "args-" + what, 3, r"args\.num_attention_heads",
                  Checkpoint(args=dict(num_attention_heads=integer(number))).torch_zip(),
                  code=("longint", "args"))
    for what, value in (("utf8", text(b"\xff\xfe\x80")), ("surrogate", text(b"\xed\xa0\x80")),
                        ("nul", text("a\0b")),
                        ("escape", text("\x1b[31m\x1b]8;;http://x\x07\u202e")),
                        ("long", text("k" * (1 << 20)))):
        t.converts(90, "strings", "value-" + what, beside(value))
        t.converts(90, "strings", "key-" + what, beside(dict_of([(value, NONE)])))
    for what, key in (("utf8", b"\xff\xfe"), ("nul", b"a\0b"), ("surrogate", b"\xed\xa0\x80")):
        made = Checkpoint()
        made.put("x", [1.0], (1,), "99")
        data = made.pickle().replace(text("x"), text(key))
        t.refused(90, "strings", "name-" + what, 3,
                  "a key under 'model' is not UTF-8 text without NUL", made.torch_zip(pickle=data))
    made = Checkpoint()
    made.put("\x1b[31mred", [1.0], (1,), "99")
    t.refused(90, "strings", "name-escape", 4, r"\\x1b\[31mred", made.torch_zip(), code="extrakey")
    for value in (math.nan, math.inf, -math.inf):
        t.refused(91, "floats", f"epsilon-{value}", 3,
                  r"args\.layernorm_epsilon is not finite|layernorm_epsilon",
                  Checkpoint(args=dict(layernorm_epsilon=value)).torch_zip())
    t.converts(91, "floats", "elsewhere", Checkpoint(args=dict(weight_decay=math.nan,
            lr=math.inf)).torch_zip())


def storages(t):
    half = named("torch", "HalfStorage")

    def held(*fields):
        return instead(rebuilt(persistent(*fields), 0, (8,), (1,)))
    right = [text("storage"), half, text("2"), text("cpu"), integer(8)]

    def but(index, value):
        return held(*[value if i == index else field for i, field in enumerate(right)])
    t.refused(92, "pid", "four", 3, "storage id has 4 fields, 5 expected", held(*right[:4]))
    t.refused(92, "pid", "seven", 3, "storage id has 7 fields", held(*right, NONE, NONE))
    t.refused(92, "pid", "module", 3, "a module class where a storage was expected",
              but(0, text("module")), code="rebuildargs")
    t.refused(92, "pid", "tag", 3, "persistent id does not begin with 'storage'",
              but(0, text("stored")), code="persidtext")
    t.refused(92, "pid", "key-int", 3, "storage key is .*, text was expected", but(2, integer(2)))
    for what, key in (("up", "../2"), ("slash", "a/2"), ("absolute", "/etc/passwd")):
        t.refused(92, "pid", "key-" + what, 5, "storage key '.*' is a path", but(2, text(key)))
    for what, key in (("letters", "two"), ("empty", ""), ("nul", "2\0"), ("long", "1" * 400)):
        t.refused(92, "pid", "key-" + what, 3, "is not a number", but(2, text(key)))
    t.refused(92, "pid", "class", 4, "unknown storage class torch.Float4Storage",
              but(1, named("torch", "Float4Storage")))
    t.refused(92, "pid", "class-foreign", 4, "evil.HalfStorage is not a storage class",
              but(1, named("evil", "HalfStorage")))
    t.refused(92, "pid", "class-text", 3, "storage class of a persistent id is",
              but(1, text("HalfStorage")))
    for what, count, says in (("text", text("8"), "an integer was expected"),
                              ("negative", integer(-8), "is negative"), ("2-63", integer(2**63),
                                      "overflow"),
                              ("bool", b"\x88", "an integer was expected")):
        t.refused(92, "pid", "count-" + what, 3, says, but(4, count))
    t.refused(92, "pid", "meta", 4, "on the meta device: it has no data", but(3, text("meta")))
    for device in ("cuda:7", "mps", "xla:0", "cpu"):
        t.converts(92, "pid", "device-" + device, but(3, text(device)))
    t.refused(93, "storagetwice", "dtype", 3,
              "storage 2 is declared as 8 x half and as 8 x float|storage 2 is declared as",
              beside(rebuilt(storage("2", "FloatStorage", 8), 0, (8,), (1,))))
    t.refused(93, "storagetwice", "count", 3,
              "storage 2 is declared as 8 x .* and as 4 x|storage 2 is declared as",
              beside(rebuilt(storage("2", "HalfStorage", 4), 0, (4,), (1,))))

    place = storage("2", "HalfStorage", 8)
    hooks = call(named("collections", "OrderedDict"))
    full = [place, integer(0), tuple_of(integer(8)), tuple_of(integer(1)), FALSE, hooks]
    function = named("torch._utils", "_rebuild_tensor_v2")
    for what, arguments, status, says in (
            ("three", full[:3], 3, "_rebuild_tensor_v2 with 3 arguments"),
            ("nine", full + [NONE] * 3, 3, "_rebuild_tensor_v2 with 9 arguments"),
            ("size-list", full[:2] + [list_of(integer(8))] + full[3:], 3, "a tuple was expected"),
            ("size-none", full[:2] + [NONE] + full[3:], 3, "a tuple was expected"),
            ("size-bool", full[:2] + [tuple_of(b"\x88")] + full[3:], 3, "an integer was expected"),
            ("offset-text", [place, text("0")] + full[2:], 3, "an integer was expected"),
            ("storage-none", [NONE] + full[1:], 3, "where a storage was expected"),
            ("storage-tuple", [tuple_of(text("storage"))] + full[1:], 3,
             "where a storage was expected")):
        t.refused(94, "rebuildargs", what, status, says, instead(call(function, *arguments)))
    t.refused(94, "rebuildargs", "not-a-tuple", 3, "list for arguments|not a tuple",
              instead(function + list_of(*full) + b"R"), code="reduce")
    t.converts(94, "rebuildargs", "hooks-none", instead(call(function, *full[:5], NONE)))
    for name in ("_rebuild_qtensor", "_rebuild_sparse_tensor", "_rebuild_wrapper_subclass",
                 "_rebuild_meta_tensor_no_storage",
                 "_rebuild_device_tensor_from_numpy", "_rebuild_nested_tensor",
                 "_rebuild_sparse_csr_tensor"):
        t.refused(95, "rebuildother", name, 4, f"unsupported: torch._utils.{name}.* where a",
                  instead(call(named("torch._utils", name), *full)))
    # What class the tensor had is dropped, as weights_only does, and named.
    t.converts(95, "rebuildother", "_rebuild_from_type_v2", instead(call(
        named("torch._tensor", "_rebuild_from_type_v2"), function, named("mycompany", "MyTensor"),
        tuple_of(*full), dict_of([]))),
        says=["note .*mycompany.MyTensor"])
    tensor = call(function, *full)
    for what, value in (("parameter", call(named("torch._utils", "_rebuild_parameter"), tensor,
                                           FALSE, hooks)),
                        ("with-state", call(named("torch._utils", "_rebuild_parameter_with_state"),
                                            tensor, FALSE, hooks, dict_of([]))),
                        ("v3", call(named("torch._utils", "_rebuild_tensor_v3"), *full,
                                    named("torch", "float16")))):
        t.converts(96, "parameter", what, instead(value))


def legacy(t):
    good = Checkpoint()
    keys = sorted(good.records)
    t.refused(97, "legacymagic", "eval", 5, "first object is not the torch magic number",
              good.legacy(magic=call(named("builtins", "eval"), text("0x1950a86a20f9469cfc6c"))))
    t.refused(97, "legacymagic", "python2", 5, "first object is not the torch magic number",
              good.legacy(magic=call(named("__builtin__", "eval"),
                                     text("0x1950a86a20f9469cfc6c"))))
    t.refused(97, "legacymagic", "other", 4, "wrong magic number",
              good.legacy(magic=integer(MAGIC + 1)), code="otherformat")
    t.refused(98, "legacyproto", "1002", 4, "legacy protocol 1002", good.legacy(protocol=1002))
    t.refused(98, "legacyproto", "text", 3, "legacy protocol version is",
              good.legacy(protocol="1001"))
    system = dict(protocol_version=1001, little_endian=False, type_sizes=dict(short=2, int=4,
            long=4))
    t.refused(98, "legacyproto", "big-endian", 4, "big-endian machine", good.legacy(system=system))
    for what, told in (("none", NONE), ("empty", dict_of([])),
                       ("no-order", dict(protocol_version=1001))):
        t.refused(98, "legacyproto", what, 4, "does not tell its byte order",
                  good.legacy(system=told))
    t.refused(99, "legacylist", "missing", 3,
              "storage 4 has no data: its key is not in the key list",
              good.legacy(keys=[k for k in keys if k != "4"]))
    t.refused(99, "legacylist", "extra", 3, "storage key list names 77, which no tensor has",
              good.legacy(keys=keys + ["77"]))
    t.refused(99, "legacylist", "twice", 3, "storage key list names 4 twice",
              good.legacy(keys=keys + ["4"]))
    t.refused(99, "legacylist", "not-text", 3, "storage key list holds",
              good.legacy(keys=keys + [integer(4)]))
    t.converts(99, "legacylist", "other-order", good.legacy(keys=keys[::-1]))
    data = good.records["4"]
    for what, count in (("more", 193), ("less", 191), ("negative", -192)):
        t.refused(100, "legacyhdr", what, 3,
                  f"storage 4: header says {count} elements, pickle says 192",
                  good.legacy(data={"4": (count, data)}))
    last = keys[-1]
    t.refused(100, "legacyhdr", "cut", 3, f"truncated: storage {last} needs", good.legacy()[:-4])
    t.refused(100, "legacyhdr", "behind", 3, "5 bytes after the last storage",
              good.legacy() + b"12345")
    view = Checkpoint()
    whole = view.records.pop("2")
    view.records["2"], view.counts["2"] = b"\0" * 16 + whole + b"\0" * 8, 8 + 8 + 4
    view.held[FIRST] = rebuilt(storage("2", "HalfStorage", 20, view=tuple_of(text("140"),
            integer(8), integer(8))), 0, (8,), (1,))
    t.converts(101, "legacyviews", "view", view.legacy())
    view.held[FIRST] = rebuilt(storage("2", "HalfStorage", 20, view=tuple_of(text("140"),
            integer(18), integer(8))), 0, (8,), (1,))
    t.refused(101, "legacyviews", "outside", 3, r"view of storage 2: elements 18 \+ 8 of 20",
              view.legacy())


def sizes(t):
    def sparse(box):
        made = Checkpoint()
        entries = made.entries()[1:]
        size = 5 << 30
        path = box.write("in.pt", b"")
        with path.open("wb") as file:
            extra = struct.pack("<HHQQ", 1, 16, size, size)
            from zips import FOUR, central_header, end_record, local_header, zip64_locator, zip64_record
            file.write(local_header(b"model/data.pkl", 0, FOUR, FOUR, extra=extra))
            file.seek(size, 1)
            listed = central_header(b"model/data.pkl", 0, FOUR, FOUR, 0, extra=extra)
            for entry in entries:
                wide = Entry(entry.name, entry.data, offset=FOUR, central_extra=struct.pack("<HHQ",
                        1, 8, file.tell()))
                listed += wide.listed(0)
                file.write(entry.written())
            place = file.tell()
            file.write(listed + zip64_record(len(entries) + 1, len(listed), place) +
                       zip64_locator(place + len(listed))
                       + end_record(len(entries) + 1, len(listed), FOUR))
        return path
    t.refused(102, "hugepkl", "", 8, r"data\.pkl has 5368709120 bytes \(limit 64 MiB\)", sparse)

    def counted(box):
        packer, packed, crc, size = zlib.compressobj(9, zlib.DEFLATED, -15), b"", 0, 0
        for chunk in [b"\x80\2"] + [b"N0" * (1 << 19)] * 24 + [b"N."]:
            packed, crc, size = packed + packer.compress(chunk), zlib.crc32(chunk,
                    crc), size + len(chunk)
        packed += packer.flush()
        entries = Checkpoint().entries()
        entries[0] = Entry("model/data.pkl", b"", DEFLATED, packed=packed, crc_said=crc,
                           size_said=size)
        return box.write("in.pt", archive(entries))
    t.refused(103, "opcount", "", 8, "more than 20000000 pickle operations", counted)
    for what, value, found in (("list", list_of(), "list"), ("int", integer(1), "int"),
                               ("tensor", Checkpoint().held[FIRST], "tensor"),
                               ("module", named("torch.nn", "Linear") + b")\x81" + dict_of([]) +
                                b"b", "Linear|module"), ("none", NONE, "None"),
                               ("text", text("model"), "")):
        t.refused(104, "toplevel", what, 4, f"{found}", raw(stream(value)), code=("toplevel",
                "foreignweight"))
    old = Checkpoint()
    data = old.pickle()
    for key in [WORDS, "position_embeddings", "model", "language_model", "transformer",
                "embedding", "weight", "args", "iteration",
                "checkpoint_version", *ARGS, *[name for name in SHAPES if "." in name]]:
        data = data.replace(text(key), b"U" + bytes([len(key)]) + key.encode())
    data = data.replace(b"cargparse\nNamespace\n)R",
                        b"ccopy_reg\n_reconstructor\n(cargparse\nNamespace\nc__builtin__\nobject\nNtR")
    t.converts(105, "py2", "zip", raw(data))
    old.pickle = lambda: data
    t.converts(105, "py2", "legacy", old.legacy())


def add(t):
    globals_(t)
    foreign(t)
    containers(t)
    streams(t)
    memory(t)
    values(t)
    storages(t)
    legacy(t)
    sizes(t)
