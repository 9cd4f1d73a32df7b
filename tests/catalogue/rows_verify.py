"""Rows 222 to 237: converted directories, by whomever they were made."""
import json
import shutil
import struct

import checkpoint
import pickles
from checkpoint import Checkpoint
from rows_command import EOT, MERGES, VOCABULARY
from zips import Entry, archive

GOOD = Checkpoint().torch_zip()
WEIGHTS, INDEX, BIN = "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin"


def packed(tensors, meta=None, dtype="F16", shapes=None):
    """name -> bytes as a safetensors file, each a vector."""
    header, at = {} if meta is None else {"__metadata__": meta}, 0
    for name, data in tensors.items():
        header[name] = {"dtype": dtype, "shape": (shapes or {}).get(name, [len(data) // 2]),
                        "data_offsets": [at, at + len(data)]}
        at += len(data)
    return framed(json.dumps(header).encode(), b"".join(tensors.values()))


def framed(header, data=b"", length=None):
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def add(t):
    def row(number, slug, what, status, says, change, *options, lists=False, code=None):
        """A directory of ours, without its lists unless LISTS, with one thing changed."""
        def run(box):
            path = box.write("in.pt", GOOD)
            for name, data in (("vocab.json", json.dumps(VOCABULARY)), ("merges.txt", MERGES)):
                box.write("tok/" + name, data)
            box.expect(0, "convert", path, "-o", box.out, "--tokenizer", box.inside / "tok",
                       "--weights", "safetensors")
            if not lists:
                (box.out / "SHA256SUMS").unlink()
                (box.out / "conversion.json").unlink()
            change(box, box.out)
            before = box.look()
            box.expect(status, "verify", box.out, *options, says=[says] if isinstance(says,
                    str) else says)
            if status:
                box.run("verify", "--json", box.out, *options)
                told = json.loads(box.stdout)
                codes = {code} if isinstance(code, str) else set(code or ())
                if told["exit"] != status or codes and not codes & {p["code"] for p in told["problems"]}:
                    box.fault(f"--json: exit {told['exit']}, problems {[p['code'] for p in told['problems']]}, expected {code}")
            box.left(before)
        t.add(number, slug, what, status, run)

    def drop(*names):
        return lambda box, out: [(out / name).unlink() for name in names]

    def put(name, data):
        return lambda box, out: (out / name).write_bytes(data if isinstance(data,
                bytes) else data.encode())

    def edited(name, **values):
        def change(box, out):
            told = json.loads((out / name).read_text())
            told.update(values)
            (out / name).write_text(json.dumps(told))
        return change

    def sharded(change=lambda out, index: None):
        """The weights in two files with an index."""
        def make(box, out):
            tensors = list(checkpoint.expected().items())
            shapes = {name: about["shape"] for name, about in read_header(out / WEIGHTS).items()}
            (out / WEIGHTS).unlink()
            names = [f"model-0000{n}-of-00002.safetensors" for n in (1, 2)]
            for name, part in zip(names, (tensors[:8], tensors[8:])):
                (out / name).write_bytes(packed(dict(part), {"format": "pt"}, shapes=shapes))
            index = {"metadata": {"total_size": sum(len(d) for _, d in tensors)},
                     "weight_map": {name: names[n >= 8] for n, (name, _) in enumerate(tensors)}}
            change(out, index)
            (out / INDEX).write_text(json.dumps(index))
        return make

    row(222, "vmissing", "sound", 0, [], lambda box, out: None, lists=True)
    row(222, "vmissing", "config", 1, "config.json: is missing", drop("config.json"),
        code="vmissing")
    row(222, "vmissing", "weights", 1, "model.safetensors", drop(WEIGHTS), code="vmissing")
    row(222, "vmissing", "all-listed", 1, ["config.json: is missing", "model.safetensors",
                                           "merges.txt"], drop("config.json", WEIGHTS,
                                                   "merges.txt"), lists=True)
    for what, data in (("7-bytes", b"1234567"), ("empty", b""), ("length-0", framed(b"", b"x" * 50,
            0)), ("past-file", framed(b"{}", b"", 1000)),
                       ("huge", framed(b"{}", b"", 2**64 - 1)),
                       ("2-63", framed(b"{}", b"", 2**63)), ("101mb", framed(b"{}", b"",
                               101_000_000))):
        row(223, "vst8", what, 3, r"model\.safetensors: .*header|too short|empty|bytes",
            put(WEIGHTS, data), code="vst8")
    whole = '{"a":{"dtype":"F16","shape":[4],"data_offsets":[0,8]}}'
    for what, header, status in (("utf8", whole.encode().replace(b'"a"', b'"\xff"'), 3),
                                 ("array", b"[1, 2, 3, 4]", 3), ("not-json", b'{"a": hello}', 3),
                                 ("twice", (whole[:-1] +
                                            ',"a":{"dtype":"F16","shape":[0],"data_offsets":[8,8]}}').encode(), 3),
                                 ("leading", b" " + whole.encode(), 3),
                                 ("second", whole.encode() + b"{}", 3),
                                 ("nan", b'{"__metadata__":{"x":NaN}}', 3)):
        row(224, "vstjson", what, status, r"model\.safetensors",
            put(WEIGHTS, framed(header, b"12345678")), code=("vstjson", "json"))

    def trailing(box, out):
        data = (out / WEIGHTS).read_bytes()
        size = struct.unpack("<Q", data[:8])[0]
        (out / WEIGHTS).write_bytes(framed(data[8:8 + size] + b" " * 16, data[8 + size:]))
    row(224, "vstjson", "trailing-blanks", 0, [], trailing)

    def two(first, second, size=16):
        return framed(json.dumps({"a": {"dtype": "F16", "shape": [4], "data_offsets": first},
                                  "b": {"dtype": "F16", "shape": [4],
                                        "data_offsets": second}}).encode(), b"x" * size)
    for what, data in (("overlap", two([0, 8], [4, 12], 12)), ("same", two([0, 8], [0, 8], 8)),
                       ("hole", two([0, 8], [12, 20], 20)), ("reversed", two([8, 0], [8, 16])),
                       ("negative", two([-8, 0], [0, 8], 8)), ("past-end", two([0, 8], [8, 16],
                               12)), ("uncovered", two([0, 8], [8, 16], 24)),
                               ("not-0", two([4, 12], [12, 20], 20)),
                       ("fraction", two([0, 8.0], [8, 16]))):
        row(225, "vstov", what, 3, r"model\.safetensors", put(WEIGHTS, data), code=None)

    def one(dtype, shape, size):
        return framed(json.dumps({"a": {"dtype": dtype, "shape": shape, "data_offsets": [0,
                size]}}).encode(), b"x" * size)
    for what, data, status in (("length", one("F16", [5], 8), 3),
                               ("overflow", one("F16", [2**40, 2**40], 8), 3),
                               ("wraps", one("F16", [2**63, 2], 8), 3),
                               ("negative", one("F16", [-4], 8), 3),
                               ("sub-byte", one("F4", [3], 2), (3, 4)),
                               ("unknown", one("F12", [4], 6), (3, 4)), ("lower-case",
                                       one("f16", [4], 8), (3, 4)),
                                       ("missing", framed(b'{"a":{"dtype":"F16","data_offsets":[0,8]}}', b"12345678"), 3)):
        def shaped(box, data=data, status=status):
            box.out.mkdir()
            (box.out / WEIGHTS).write_bytes(data)
            (box.out / "config.json").write_text('{"model_type": "gpt2"}')
            box.expect(status, "inspect", box.out / WEIGHTS)
            if box.run("verify", box.out) not in (status if isinstance(status,
                    tuple) else (status,)):
                box.fault("verify: another status")
        t.add(226, "vstshape", what, status, shaped)

    def many(box, out):
        with (out / WEIGHTS).open("wb") as file:
            file.write(struct.pack("<Q", 150_000_000) + b"{")
            file.truncate(150_000_100)
    row(227, "vstmany", "", 8, r"header too large: 150000000 bytes \(at most 100000000\)", many,
        code="vstmany")

    row(228, "vindex", "sound", 0, [], sharded())
    row(228, "vindex", "absent", 1, "model-00002-of-00002.safetensors.*missing",
        sharded(lambda out, index: (out / "model-00002-of-00002.safetensors").unlink()),
        code="vindex")
    for what, name in (("up", "../model.safetensors"), ("folder", "sub/x.safetensors"),
                       ("absolute", "/etc/passwd")):
        row(228, "vindex", what, 5, "the name of a shard is no path", sharded(
            lambda out, index, name=name: index["weight_map"].update({"transformer.wte.weight": name})), code="vindex")
    row(228, "vindex", "elsewhere", 1, "model-0000[12]-of-00002.safetensors", sharded(
        lambda out, index: index["weight_map"].update({"transformer.wte.weight": "model-00002-of-00002.safetensors"})), code="vindex")
    row(228, "vindex", "total-size", 1, "total_size", sharded(lambda out,
            index: index["metadata"].update(total_size=1)), code="vindex")

    def both(changed):
        def make(box, out):
            other = box.inside / "other"
            box.expect(0, "convert", box.inside / "in.pt", "-o", other, "--weights", "pytorch",
                       "--tokenizer", "none")
            shutil.copy(other / BIN, out / BIN)
            if changed:
                data = bytearray((out / WEIGHTS).read_bytes())
                data[-1] ^= 1
                (out / WEIGHTS).write_bytes(data)
            shutil.rmtree(other)
        return make
    row(229, "vdouble", "", 1, "the two weight files differ in 1 tensor|differ in 1 tensor",
        both(True), code="vdouble")
    row(229, "vdouble", "same", 0, [], both(False))

    def tensors(change):
        def make(box, out):
            header = read_header(out / WEIGHTS)
            held, shapes = dict(checkpoint.expected()), {name: about["shape"] for name,
                    about in header.items()}
            change(held, shapes)
            (out / WEIGHTS).write_bytes(packed(held, {"format": "pt"}, shapes=shapes))
        return make
    fc = "transformer.h.0.mlp.c_fc.weight"
    row(230, "vtensor", "missing", 1, f"{fc}.*missing|missing.*{fc}", tensors(lambda held,
            shapes: held.pop(fc)), code="vtensor")
    row(230, "vtensor", "extra", 1, "transformer.h.0.rotary", tensors(lambda held,
            shapes: held.update({"transformer.h.0.rotary": b"12"})), code="vtensor")
    row(230, "vtensor", "misnamed", 1, ["transformer.h.0.mlp.c_cf.weight", fc], tensors(
        lambda held, shapes: (held.update({"transformer.h.0.mlp.c_cf.weight": held.pop(fc)}),
                              shapes.update({"transformer.h.0.mlp.c_cf.weight": shapes[fc]}))),
                              code="vtensor")
    row(230, "vtensor", "shape", 1, fc, tensors(lambda held,
                                                shapes: shapes.update({fc: shapes[fc][::-1]})),
                                                code="vtensor")
    row(230, "vtensor", "several", 1, [fc, "transformer.ln_f.bias", "transformer.h.0.rotary"],
        tensors(
        lambda held, shapes: (held.pop(fc), held.pop("transformer.ln_f.bias"),
                              held.update({"transformer.h.0.rotary": b"12"}))), code="vtensor")

    def one_ulp(box, out):
        data = bytearray((out / WEIGHTS).read_bytes())
        size = struct.unpack("<Q", data[:8])[0]
        place = 8 + size + read_header(out / WEIGHTS)[fc]["data_offsets"][0] + 2 * 5
        data[place] ^= 1
        (out / WEIGHTS).write_bytes(data)

    def from_source(box):
        path = box.write("in.pt", GOOD)
        box.expect(0, "convert", path, "-o", box.out, "--tokenizer", "none")
        (box.out / "SHA256SUMS").unlink()
        (box.out / "conversion.json").unlink()
        box.expect(0, "verify", box.out, "--source", path)
        one_ulp(box, box.out)
        right = struct.unpack_from("<e", checkpoint.expected()[fc], 10)[0]
        box.expect(1, "verify", box.out, "--source", path, says=[rf"{fc}: 1 of 256 elements",
                rf"{right:g}\b", r"\[0, 5\]"])
    t.add(231, "vvalue", "", 1, from_source)
    for key, value in (("n_layer", 2), ("n_embd", 16), ("vocab_size", 17), ("n_positions", 9)):
        row(232, "vconfig", key, 1, ["config|transformer", str(value)], edited("config.json",
                **{key: value}))
    row(232, "vconfig", "n_head", 3, "n_embd 8 is not divisible by n_head 3", edited("config.json",
            n_head=3), code="headsdiv")
    row(232, "vconfig", "architecture", 4, "model_type|architectures", edited("config.json",
            model_type="llama", architectures=["LlamaForCausalLM"]), code="vconfig")
    row(232, "vconfig", "twice", 3, 'duplicate key "n_head"', lambda box,
        out: (out / "config.json").write_text(
        (out / "config.json").read_text().rstrip()[:-1] + ', "n_head": 2}'), code="json")
    row(233, "vtok", "more-tokens", 1, "vocab", lambda box,
        out: [(out / name).unlink() for name in ("tokenizer.json",)] and (out / "vocab.json").write_text(
        json.dumps(dict(VOCABULARY, n=16))))
    row(233, "vtok", "gap", 3, r"vocab\.json", lambda box,
        out: (out / "vocab.json").write_text(json.dumps({k: v for k,
                v in VOCABULARY.items() if k != "m"})), code="vocabgap")
    row(233, "vtok", "merges", 3, r"merges\.txt", lambda box,
        out: (out / "merges.txt").write_text(MERGES + "a z\n"), code="mergesbad")
    row(233, "vtok", "each-other", 1, "merges.txt: 1 merges, but tokenizer.json has 2", lambda box,
        out: (out / "merges.txt").write_text("#version: 0.2\na b\n"))
    def stale(box, out):
        data = bytearray((out / WEIGHTS).read_bytes())
        data[-1] ^= 1
        (out / WEIGHTS).write_bytes(data)
    row(234, "vsums", "absent", 0, "SHA256SUMS", lambda box, out: None)
    row(234, "vsums", "stale", 1, r"model\.safetensors", stale, lists=True, code="vsums")
    row(234, "vsums", "extra", 1, r"notes\.txt", put("notes.txt", "x"), lists=True,
        code="sumsextra")

    def hostile(value):
        data = archive([Entry("model/data.pkl", pickles.stream(value)), Entry("model/version",
                b"3\n")])
        return lambda box, out: (out / BIN).write_bytes(data)
    for what, code in (("call", pickles.call(pickles.named("os", "system"),
                                             pickles.text("touch canary"))),
                                             ("dropped", pickles.named("os", "system") + b"0" +
                                              pickles.dict_of([])),
                       ("stack-global", pickles.text("builtins") + pickles.text("eval") +
                        b"\x93")):
        row(235, "vpickle", what, 5, r"pytorch_model\.bin.*pickle imports", hostile(code),
            code="os")

    def cached(box):
        """As the Hub's cache has it: the files are links to blobs beside the snapshots."""
        box.expect(0, "convert", box.write("in.pt", GOOD), "-o", box.out, "--tokenizer", "none")
        cache = box.inside / "models--some--one"
        (cache / "blobs").mkdir(parents=True)
        (cache / "snapshots").mkdir()
        for number, path in enumerate(sorted(box.out.iterdir())):
            path.rename(cache / f"blobs/{number:040}")
            path.symlink_to(f"../../blobs/{number:040}")
        box.out.rename(cache / "snapshots/abc")
        box.expect(0, "verify", cache / "snapshots/abc")
    t.add(236, "vlink", "cache", 0, cached)

    def outside(box, out):
        box.write("elsewhere/x", "x")
        (out / "x").symlink_to("../elsewhere/x")
    row(236, "vlink", "outside", 5, "refusing a link that leads out of the directory", outside,
        lists=True, code="sumspath")
    row(236, "vlink", "inside", 0, [], lambda box,
        out: ((out / "merges.txt").rename(out / ".gitmerges"),
              (out / "merges.txt").symlink_to(".gitmerges")), lists=True)

    def unreadable(box, out):
        (out / "merges.txt").unlink()
        (out / "merges.txt").symlink_to("nowhere")      # root reads what has mode 0
        data = bytearray((out / "generation_config.json").read_bytes()) + b"\n"
        (out / "generation_config.json").write_bytes(data)
    row(237, "vperm", "", 6, ["merges.txt", "generation_config.json"], unreadable, lists=True)


def read_header(path):
    data = path.read_bytes()
    header = json.loads(data[8:8 + struct.unpack("<Q", data[:8])[0]])
    header.pop("__metadata__", None)
    return header
