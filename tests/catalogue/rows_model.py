"""Rows 106 to 148: tensors, shards, arguments."""
import json
import math
import os
import resource
import shutil
import struct

import checkpoint
import pickles
from checkpoint import (ARGS, Checkpoint, FINAL, FIRST, HEADS, PLACES, POSITIONS, ROWS, SHAPES,
                        WIDTH, WORDS,
                        namespace, numbers)
from pickles import NONE, call, dict_of, integer, list_of, named, plain, rebuilt, storage, text, tuple_of
from bench import sanitized

QKV = "layers.0.attention.query_key_value.weight"
OUT = "layers.0.attention.dense.weight"         # square, so that a transposed view has its shape
UP = "layers.0.mlp.dense_h_to_4h.weight"


def with_view(offset=0, shape=(8,), strides=(1,), name=FIRST, **how):
    return Checkpoint().tensor(name, offset, shape, strides, **how).torch_zip()


def tensors(t):
    where = rf"{FIRST}: "
    for what, shape, says, status in (
            ("negative", (-1,), "-1 is negative", 3), ("2-63-less-1", (2**63 - 1,),
                                                       "overflow|needs elements 0 to", 3),
            ("2-63", (2**63,), "overflow", 3), ("100", (1,) * 100, "100 dimensions", 3),
            ("9", (1,) * 9, "9 dimensions", 8)):
        t.refused(106, "dims", what, status, where + ".*" + says, with_view(shape=shape,
                strides=(1,) * len(shape)), code=("dims", "overflow", "extent"))
    made = Checkpoint()
    for what, size in (("text", tuple_of(text("8"))), ("float", tuple_of(pickles.real(8.0)))):
        made.held[FIRST] = call(named("torch._utils", "_rebuild_tensor_v2"),
                                made.storage_of(FIRST), integer(0), size,
                                tuple_of(integer(1)), pickles.FALSE, NONE)
        t.refused(106, "dims", what, 3, where + ".*an integer was expected", made.torch_zip(),
                  code="rebuildargs")
    for what, view in (("product", dict(shape=(2**32, 2**32), strides=(0, 0))),
                       ("bytes", dict(shape=(2**62, 4), strides=(0, 0))),
                       ("offset", dict(offset=2**63 - 1, shape=(2,), strides=(2**62,))),
                       ("stride", dict(shape=(3, 3), strides=(2**63 - 1, 2**63 - 1)))):
        t.refused(107, "overflow", what, 3, where + ".*overflow|needs elements 0 to",
                  with_view(**view), code=("overflow", "extent", "stride"))
    for what, kind, count in (("storage", "HalfStorage", 2**63 - 1), ("two-storages",
            "HalfStorage", 0x3fffffffffffffe0)):
        made = Checkpoint()
        for key in ("98", "99"):
            made.records[key] = b"12345678"
            made.outside.append(("big" + key, rebuilt(storage(key, kind, count), 0, (count,),
                                                      (1,))))
        t.refused(107, "overflow", what, 3, "overflow|pickle says [0-9]+ x 2 bytes",
                  made.torch_zip(), code=("overflow", "recsize"))
    for what, view, upto in (("size", dict(shape=(200,)), 200), ("offset", dict(offset=1), 9),
                             ("stride", dict(strides=(2,)), 15),
                             ("both", dict(shape=(2, 8), strides=(8, 1)), 16)):
        t.refused(108, "extent", what, 3,
                  where + rf".*needs elements 0 to {upto - 1}, its storage has 8",
                  with_view(**view))
    t.refused(109, "stride", "count", 3, where + ".*2 strides for 1 dimension",
              with_view(strides=(1, 1)))
    t.refused(109, "stride", "negative", 3, where + ".*negative", with_view(strides=(-1,)),
              code=("stride", "dims"))
    t.refused(109, "stride", "huge", 3, where, with_view(strides=(2**62,)), code=("stride",
            "extent", "overflow"))
    made = Checkpoint()
    values = numbers()[OUT]
    made.put("t", [values[c * WIDTH + r] for r in range(WIDTH) for c in range(WIDTH)],
             (WIDTH, WIDTH), "99")
    made.held.pop("t")
    made.held[OUT] = rebuilt(storage("99", "HalfStorage", 64), 0, (WIDTH, WIDTH), (1, WIDTH))
    del made.records[made.key_of(OUT)]
    t.converts(109, "stride", "transposed", made.torch_zip())
    bias = "layers.0.attention.dense.bias"

    def expanded(box):
        made = Checkpoint().tensor(bias, 3, (WIDTH,), (0,))
        box.expect(0, "convert", box.write("in.pt", made.torch_zip()), "-o", box.out)
        found = checkpoint.read_safetensors(box.out / "model.safetensors")["transformer.h.0.attn.c_proj.bias"]
        if found != struct.pack("<8e", *[numbers()[bias][3]] * 8):
            box.fault("other numbers")
    t.add(109, "stride", "expanded", 0, expanded)
    made = Checkpoint()
    made.outside.append(("empty", rebuilt(storage("98", "HalfStorage", 0), 0, (0, 5), (5, 1))))
    made.records["98"] = b""
    made.outside.append(("scalar", rebuilt(storage("99", "HalfStorage", 1), 0, (), ())))
    made.records["99"] = b"\0\0"
    t.converts(110, "zerodim", "beside", made.torch_zip())

    def listed(box, data=made.torch_zip()):
        box.expect(0, "inspect", "--tensors", box.write("in.pt", data), says=[r"empty\t.*\[0, 5\]",
                r"scalar\t.*\[\]"])
    t.add(110, "zerodim", "inspect", 0, listed)
    t.refused(110, "zerodim", "weight", 3, "the model has a size of 0", with_view(shape=(0,)),
              code=("partshape", "argsvsshape"))
    made = Checkpoint()
    whole = b"".join(made.records[key] for key in sorted(made.records))
    at = 0
    for key in sorted(made.records):
        name = list(SHAPES)[int(key)]
        made.held[name] = rebuilt(storage("0", "HalfStorage", len(whole) // 2), at, SHAPES[name],
                                  pickles.strides_of(SHAPES[name]))
        at += made.counts[key]
    made.records, made.counts = {"0": whole}, {"0": len(whole) // 2}
    t.converts(111, "offset", "zip", made.torch_zip())
    t.converts(111, "offset", "legacy", made.legacy())
    for kind, name in (("CharStorage", "int8"), ("ByteStorage", "uint8"), ("BoolStorage", "bool"),
                       ("ShortStorage", "int16"),
                       ("LongStorage", "int64"), ("IntStorage", "int32"), ("ComplexFloatStorage",
                               "complex64")):
        size = {"CharStorage": 1, "ByteStorage": 1, "BoolStorage": 1, "ShortStorage": 2,
                "LongStorage": 8, "IntStorage": 4}.get(kind, 8)
        made = Checkpoint().tensor(FIRST, kind=kind)
        made.records[made.key_of(FIRST)] = bytes(8 * size)
        t.refused(112, "dtype", name, 4,
                  rf"dtype {name} for a weight; float16, bfloat16, float32, float64 are supported|{name}|complex|Complex", made.torch_zip(), code=("dtype", "pid", "rebuildother"))
    made = Checkpoint()
    key = made.key_of(FIRST)
    made.put(FIRST, numbers()[FIRST], SHAPES[FIRST], key, "FloatStorage")

    def mixed(box, data=made.torch_zip()):
        box.expect(0, "convert", box.write("in.pt", data), "-o", box.out,
                   says=["warning .*mixed dtypes: .*float16.*float32|warning .*mixed dtypes: .*float32.*float16"])
        shutil.rmtree(box.out)
        box.converted(box.inside / "in.pt", "--dtype", "float16")
    t.add(113, "mixed", "", 0, mixed)

    wide = Checkpoint("FloatStorage")
    wide.put(FIRST, [7e4, -7e4, 65520, 1, 1, 1, 1, 1], (8,), wide.key_of(FIRST))
    t.refused(114, "range", "float16", 1,
              r"transformer\.h\.0\.ln_1\.weight: 3 values overflow float16 \(largest 7e\+?0?4|70000", wide.torch_zip(), "--dtype", "float16")

    def allowed(box):
        box.expect(0, "convert", box.write("in.pt", wide.torch_zip()), "-o", box.out, "--dtype",
                   "float16", "--allow-overflow", says=["3 values"])
    t.add(114, "range", "allowed", 0, allowed)
    sick = Checkpoint()
    bits = struct.pack("<8H", 0x7e01, 0xfe55, 0x7c00, 0x3c00, 0x8000, 1, 0x3c00, 0x3c00)
    sick.records[sick.key_of(FIRST)] = bits
    t.refused(115, "nan", "strict", 1, r"--strict and [0-9] warnings?.*2 NaN, 1 Inf",
              sick.torch_zip(), "--strict", code="strict")

    def kept(box):
        box.expect(0, "convert", box.write("in.pt", sick.torch_zip()), "-o", box.out,
                   says=["warning .*ln_1.weight: 2 NaN, 1 Inf"])
        if checkpoint.read_safetensors(box.out / "model.safetensors")["transformer.h.0.ln_1.weight"] != bits:
            box.fault("other bits")
    t.add(115, "nan", "kept", 0, kept)

    def tied(same):
        made = Checkpoint()
        key = "0" if same else "99"
        made.put("head", numbers()[WORDS], SHAPES[WORDS], key)
        head = made.held.pop("head")
        model = dict_of([("language_model", made.language_model()), ("word_embeddings_for_head",
                dict_of([("weight", head)]))])
        return made.torch_zip(pickle=pickles.stream(dict_of([(k,
                model if k == "model" else v) for k, v in made.top()])))
    t.converts(117, "tied", "one-storage", tied(True))
    t.converts(117, "tied", "equal", tied(False))

    # Names of two eras for one weight, a number with a zero, and two ways to one name.
    for what, name in (("two-eras", "layers.0.self_attention.dense.weight"),
                       ("zero", "layers.00.attention.dense.weight")):
        made = Checkpoint()
        made.held[name] = made.held[OUT]
        t.refused(118, "collision", what, 4, "1 unknown name under 'model': .*" + name,
                  made.torch_zip(), code="extrakey")
    made = Checkpoint()
    made.held["layers"] = dict_of([("0.attention.dense.weight", made.held[OUT])])
    t.refused(118, "collision", "two-paths", 3,
              "two tensors under 'model' are .*layers.0.attention.dense.weight", made.torch_zip())

    def big(box):
        """An embedding of 256 MiB in 160 MiB of address space."""
        rows = (256 << 20) // (2 * WIDTH)
        made = Checkpoint(args=dict(padded_vocab_size=rows))
        del made.records["0"]
        made.held[WORDS] = rebuilt(storage("0", "HalfStorage", rows * WIDTH), 0, (rows, WIDTH),
                                   (WIDTH, 1))
        head = made.legacy(keys=[])
        # The storage that is large comes last, as zeros that are nowhere on the disk.
        keys = [*sorted(made.records), "0"]
        head = head[:-len(pickles.stream(list_of()))] + pickles.stream(list_of(*map(text, keys)))
        for key in keys[:-1]:
            head += struct.pack("<q", made.counts[key]) + made.records[key]
        path = box.write("in.pt", head + struct.pack("<q", rows * WIDTH))
        os.truncate(path, len(head) + 8 + rows * WIDTH * 2)
        limits = [] if sanitized(box.program) else [(resource.RLIMIT_AS, 160 << 20)]
        box.expect(0, "convert", path, "-o", box.out, limits=limits)
        if (box.out / "model.safetensors").stat().st_size < 256 << 20:
            box.fault("too small")
    t.add(119, "bigram", "", 0, big)


def shards(t):
    def fixture(row, slug, what, name, status, says, code=None):
        def run(box):
            path = box.fixtures / name
            told = path.with_name(path.name + ".expected.json")
            options = json.loads(told.read_text())["options"] if told.exists() else []
            if status:
                box.refused(status, code or slug, says, "convert", path, "-o", box.out, *options)
            else:
                box.expect(0, "convert", path, "-o", box.out, *options, says=[says])
        t.add(row, slug, what, status, run)

    fixture(120, "missingrank", "", "ngc/bad-missing-rank", 6,
            r"shard mp_rank_01 is missing \(found 00, 02, 03")
    fixture(120, "missingrank", "last", "ngc/bad-missing-last-rank", 6,
            r"shard mp_rank_01 is missing \(found 00; the tensors are cut for 2 ranks\)")
    fixture(120, "missingrank", "empty", "ngc/bad-empty-rank", 6, "shard mp_rank_01 is missing")
    fixture(120, "missingrank", "args", "eras/bad-contradict-tensor_model_parallel_size-4.zip", 6,
            r"shard mp_rank_02_000 is missing \(found .*; args say tensor_model_parallel_size=4\)")
    fixture(121, "extrarank", "", "ngc/bad-extra-rank", 3,
            "3 shards, but args say model_parallel_size=2")
    fixture(122, "dupshard", "", "ngc/bad-copied-rank", 3,
            "mp_rank_01/.*byte for byte the same as .*mp_rank_00/.*: a copy in the place of a shard")
    fixture(123, "swapped", "", "ngc/bad-swapped-ranks", 3, "mp_rank_00 was saved by rank 1")
    fixture(124, "iteration", "", "ngc/bad-iterations-differ", 3,
            "mp_rank_01/.*iteration 900, mp_rank_00/.* of 1000")
    fixture(125, "argsdiff", "", "ngc/bad-args-differ", 3,
            r"mp_rank_01/.*: args\.num_attention_heads=2, but mp_rank_00/.* has 4")
    fixture(126, "cvdiff", "absent", "ngc/bad-labels-differ", 3,
            "mp_rank_01/.*: checkpoint_version is 2.0, but mp_rank_00/.* has None")
    fixture(126, "cvdiff", "differs", "eras/bad-shards-labels.zip", 3,
            "checkpoint_version is 2.0, but .* has 3.0")
    fixture(127, "replicated", "gross", "ngc/bad-drift-tp2", 3,
            r"ln_1\.weight: mp_rank_01/.* holds another copy of it .*: 16 elements differ, by 0\.649 at most")
    fixture(127, "replicated", "slight", "ngc/good-drift-tp2", 0, "warning .*differs in")
    fixture(128, "partshape", "rows", "ngc/bad-part-shape", 3,
            r"mp_rank_01/.*dense_h_to_4h\.weight: shape \[30, 16\], but mp_rank_00/.* has \[32, 16\]")
    fixture(128, "partshape", "columns", "ngc/bad-shape.pt", 3,
            r"shape \[64, 15\]; \[64, 16\] is expected")
    fixture(129, "missingkey", "one-rank", "ngc/bad-missing-in-rank", 3,
            "mp_rank_01/.*: layers.2 has no attention.dense.weight")
    fixture(129, "missingkey", "layer", "ngc/bad-missing-layer.pt", 3, "layers.1 has no ")
    fixture(129, "missingkey", "count", "ngc/bad-args-layers.pt", 3,
            "args.num_layers=4 but 3 layers are there", "argsvsshape")
    fixture(130, "extrakey", "adapter", "ngc/unsupported-unknown-weight.pt", 4,
            r"1 unknown name under 'model': .*layers\.0\.attention\.adapter\.weight")
    fixture(130, "extrakey", "router", "eras/unsupported-refuse-key-router.zip", 4,
            r"mixture-of-experts .*mlp\.router", "arch")
    fixture(130, "extrakey", "pooler", "eras/unsupported-refuse-key-pooler.zip", 4,
            r"BERT model \(pooler\)", "arch")
    fixture(130, "extrakey", "extra-state", "eras/good-small-Dt-core_v0.12.0-tp1-pp1.zip", 0,
            "_extra_state|entries left out")
    fixture(131, "dtypeshard", "", "ngc/bad-dtypes-differ", 3,
            "mp_rank_01/.*: dtype float32, but mp_rank_00/.* has float16")
    fixture(132, "pp", "order", "ngc/good-tp2-pp3", 0, "2 tensor × 3 pipeline")
    fixture(132, "pp", "embedding", "eras/bad-drift-head-gross.zip", 3,
            r"wte\.weight: .*mp_rank_01_001/.* holds another copy of it \(word_embeddings_for_head\.weight\)", "replicated")
    fixture(132, "pp", "swapped", "eras/bad-shards-swapped-stages.zip", 3, "saved by rank",
            "swapped")
    fixture(133, "tracker", "absent", "ngc/bad-tracker", 6,
            "latest_checkpointed_iteration.txt names iter_0002000, which is missing; have iter_0001000")
    fixture(133, "tracker", "text", "ngc/bad-tracker-text", 4, '"soon" is no iteration')

    def tracked(content, folder):
        def make(box):
            shutil.copytree(box.fixtures / "ngc/good-label-2.0-tp2/iter_0001000",
                            box.inside / "ck" / folder)
            if content is not None:
                box.write("ck/latest_checkpointed_iteration.txt", content)
            return box.inside / "ck"
        return make
    for what, content, folder in (("release", "release", "release"), ("missing", None,
            "iter_0001000"), ("newline", "1000\n", "iter_0001000")):
        def run(box, make=tracked(content, folder)):
            box.expect(0, "convert", make(box), "-o", box.out, "--vocab-size", "101")
        t.add(133, "tracker", what, 0, run)
    for what, content in (("negative", "-5"), ("path", "../../etc"), ("empty", ""),
                          ("huge", "9" * 40)):
        t.refused(133, "tracker", what, (4, 6), "latest_checkpointed_iteration.txt",
                  tracked(content, "iter_0001000"), code="tracker")
    fixture(134, "distckpt", "zarr", "dist/unsupported-zarr", 4,
            "a distributed checkpoint of the zarr backend, which is not supported")
    fixture(134, "distckpt", "torch-dist", "dist/good-stacked-tp4", 0, "torch_dist")

    def no_index(box):
        box.write("ck/iter_0001000/__0_0.distcp", b"x")
        return box.inside / "ck/iter_0001000"
    t.refused(134, "distckpt", "no-index", (4, 6), "index|distributed", no_index)
    fixture(135, "truncshard", "", "ngc/bad-truncated-rank", 3,
            "mp_rank_01/model_optim_rng.pt: truncated", "legacyhdr")

    def denied(box):
        shutil.copytree(box.fixtures / "ngc/good-tp2", box.inside / "ck")
        path = next(box.inside.glob("ck/*/mp_rank_01/model_optim_rng.pt"))
        path.unlink()
        os.symlink("/proc/self/mem/x", path)    # root reads what has mode 0: another errno
        return box.inside / "ck"
    t.refused(136, "mixedperm", "", 6, "mp_rank_01/model_optim_rng.pt: cannot open it: ", denied,
              "--vocab-size", "101", code="noinput")
    fixture(137, "caseinsens", "", "ngc/good-noise-tp2", 0, "wrote")


def arguments(t):
    def told(**args):
        return Checkpoint(args=args).torch_zip()
    bare = Checkpoint(label=...)
    bare.args = ...
    t.refused(138, "noargs", "", 4,
              "does not say how many attention heads.*--num-attention-heads|--num-attention-heads|attention heads", bare.torch_zip())
    bare.label = 3.0
    t.converts(138, "noargs", "option", bare.torch_zip(), "--num-attention-heads", "2")

    def config(box):
        path = box.write("in.pt", bare.torch_zip())
        box.converted(path, "--config", box.write("config.json", json.dumps(dict(model_type="gpt2",
                n_head=2))))
    t.add(138, "noargs", "config", 0, config)
    for what, value, status in (("none", NONE, 4), ("dict", plain(ARGS), 0),
                                ("foreign", call(named("mycompany", "Args")) + plain(ARGS) + b"b",
                                 4),
                                ("list", list_of(), 4), ("text", text("x"), 4)):
        made = Checkpoint()
        made.args = value
        if status:
            t.refused(139, "noneargs", what, status, "args|attention heads", made.torch_zip(),
                      code=("noargs", "noneargs"))
        else:
            t.converts(139, "noneargs", what, made.torch_zip())
    for heads, says in ((3, "hidden_size 8 is not divisible by 3 heads"),
                        (0, "num_attention_heads=0|heads"),
                        (-2, "num_attention_heads=-2 is negative")):
        t.refused(140, "headsdiv", str(heads), 3, says, told(num_attention_heads=heads),
                  code=("headsdiv", "args"))
    for key, value, says in (("hidden_size", 16, "args.hidden_size=16 but 8 is the width"),
                             ("max_position_embeddings", 9,
                              "args.max_position_embeddings=9 but 8 positions"),
                             ("num_layers", 2, "args.num_layers=2 but 1 layer"),
                             ("ffn_hidden_size", 16, "args.ffn_hidden_size=16 but 32"),
                             ("padded_vocab_size", 32, "args.padded_vocab_size=32 but 16 rows")):
        t.refused(141, "argsvsshape", key, 3, says, told(**{key: value}))
    for what, label in (("99", 99), ("text", "three"), ("negative", -1), ("nan", math.nan),
                        ("list", [1])):
        t.refused(142, "cv", what, 4, "checkpoint_version", Checkpoint(label=label).torch_zip(),
                  code=("cv",))
    t.converts(142, "cv", "2.0", Checkpoint(label=2.0).torch_zip(), says=["QKV layout 2"])
    t.converts(142, "cv", "3", Checkpoint(label=3).torch_zip(), says=["QKV layout 2"])
    for label, layout in ((None, 0), (0, 0), (1.0, 1)):
        def seen(box, label=label, layout=layout):
            path = box.write("in.pt",
                             Checkpoint(label=... if label is None else label).torch_zip())
            box.expect(0, "inspect", path, says=[f"qkv: +layout {layout} "])
        t.add(142, "cv", f"{label}", 0, seen)
    t.refused(143, "vocabpad", "too-many", 2,
              "--vocab-size 17: the checkpoint stores 16 rows only", Checkpoint().torch_zip(),
              "--vocab-size", "17")

    def trimmed(box):
        box.expect(0, "convert", box.write("in.pt", Checkpoint().torch_zip()), "-o", box.out,
                   "--vocab-size", "14", says=["2 padding rows of the embedding left out"])
        whole = checkpoint.expected()["transformer.wte.weight"]
        if checkpoint.read_safetensors(box.out / "model.safetensors")["transformer.wte.weight"] != whole[:14 * WIDTH * 2]:
            box.fault("not the first 14 rows")
    t.add(143, "vocabpad", "trimmed", 0, trimmed)
    for what, args, status, says in (
            ("openai-gelu", dict(openai_gelu=True, bias_gelu_fusion=False), 0, "gelu_new"),
            ("erf", dict(bias_gelu_fusion=False), 0, '"gelu"'), ("fused", {}, 0, "gelu_new"),
            ("squared-relu", dict(squared_relu=True, bias_gelu_fusion=False), 0, "relu2"),
            ("swiglu", dict(swiglu=True), 4, "swiglu"), ("geglu", dict(glu_activation="geglu"), 4,
                    "glu_activation"),
            ("reglu", dict(glu_activation="reglu"), 4, "glu_activation")):
        def run(box, args=args, says=says):
            box.converted(box.write("in.pt", told(**args)))
            written = (box.out / "config.json").read_text()
            if f'"activation_function": {says if says[0] == chr(34) else chr(34) + says + chr(34)}' not in written:
                box.fault(f"config.json does not have {says}")
        if status:
            t.refused(144, "act", what, status, says, told(**args))
        else:
            t.add(144, "act", what, 0, run)
    for what, args, says in (("rope", dict(position_embedding_type="rope"),
                              "position_embedding_type=rope: not a GPT-2 architecture"),
                             ("rmsnorm", dict(normalization="RMSNorm"), "normalization=RMSNorm"),
                             ("gqa", dict(group_query_attention=True, num_query_groups=1),
                              "group_query_attention|num_query_groups"),
                             ("post-norm", dict(apply_residual_connection_post_layernorm=True),
                              "apply_residual_connection_post_layernorm=True"),
                              ("moe", dict(num_experts=8), "num_experts=8"),
                             ("bert", dict(num_tokentypes=2), "num_tokentypes=2"),
                             ("t5", dict(decoder_num_layers=4), "decoder_num_layers=4")):
        t.refused(145, "arch", what, 4, says, told(**args))
    t.converts(146, "eps", "default", told(layernorm_epsilon=1e-5))
    absent = Checkpoint()
    del absent.args["layernorm_epsilon"]
    t.converts(146, "eps", "absent", absent.torch_zip(), "-v",
               says=["layer_norm_epsilon.*1e-05.*default|epsilon.*default"])
    for what, value in (("text", "1e-5"), ("negative", -1e-5), ("large", 1e30)):
        t.refused(146, "eps", what, 3, "layernorm_epsilon", told(layernorm_epsilon=value),
                  code=("floats", "eps", "args"))


BAD_JSON = {"empty": b"", "not-json": b"hello", "cut": b'{"n_head": 2', "comma": b'{"n_head": 2,}',
            "duplicate": b'{"n_head": 2, "n_head": 2}',
            "nan": b'{"n_head": NaN}', "infinity": b'{"n_head": Infinity}',
            "single-quotes": b"{'n_head': 2}", "comment": b'{"n_head": 2} // x',
            "two": b'{"n_head": 2}{}', "control": b'{"n_\thead": 2}',
            "utf8": b'{"n_head": "\xff"}', "array": b"[2]", "number-text": b'{"n_head": "2"}',
            "fraction": b'{"n_head": 2.5}', "negative": b'{"n_head": -2}',
            "huge": b'{"n_head": 1e400}', "hex": b'{"n_head": 0x2}',
            "zero-lead": b'{"n_head": 02}',
            "deep": b'{"n_head": 2, "x": ' + b"[" * 100000 + b"]" * 100000 + b"}",
            "surrogate": b'{"n_head": 2, "x": "\\ud800"}',
            "bom": b'\xef\xbb\xbf{"model_type": "gpt2", "n_head": 2}',
            "nul": b'{"n_head": 2, "x": "a\0b"}'}


def configs(t):
    for what, data in BAD_JSON.items():
        def run(box, data=data):
            path, config = box.write("in.pt", Checkpoint().torch_zip()), box.write("config.json",
                    data)
            box.refused(3, ("confjson", "json", "jsondeep"), "config.json", "convert", path, "-o",
                        box.out, "--config", config)
        t.add(147, "confjson", what, 3, run)

    def large(box):
        path, config = box.write("in.pt", Checkpoint().torch_zip()), box.write("config.json",
                b'{"x": "' + b"y" * (10 << 20) + b'"}')
        box.refused(8, "confjson", "config.json.*larger than 1 MiB", "convert", path, "-o",
                    box.out, "--config", config)
    t.add(147, "confjson", "large", 8, large)

    def fine(box):
        box.converted(box.write("in.pt", Checkpoint().torch_zip()), "--config",
                      box.write("config.json", json.dumps(dict(model_type="gpt2", n_head=2,
                              strange=[1, {"a": None}]))))
    t.add(147, "confjson", "unknown-keys", 0, fine)
    for key, value in (("n_head", 4), ("n_layer", 2), ("n_embd", 16), ("n_positions", 9),
                       ("layer_norm_epsilon", 1e-3), ("activation_function", "gelu")):
        def against(box, key=key, value=value):
            path = box.write("in.pt", Checkpoint().torch_zip())
            config = box.write("config.json", json.dumps({"model_type": "gpt2", key: value}))
            box.refused(3, "confconflict", rf"--config says {key} .*, but", "convert", path, "-o",
                        box.out, "--config", config)
        t.add(148, "confconflict", key, 3, against)


def add(t):
    tensors(t)
    shards(t)
    arguments(t)
    configs(t)
