"""The classic mistakes, each made on purpose in a directory that was right."""
import io
import struct
import zipfile

from hf import PREFIX, SIZES, Tensor, pack, unpack

HEADS = 4       # of all these samples
# by QKV layout, each on two ranks and on one or more stages
BY_LAYOUT = {
    0: "eras/good-small-A-2019-tp2-pp1.zip",
    1: "eras/good-small-B-v1.1.5-tp2-pp1.zip",
    2: "eras/good-small-D-core_v0.8.0-tp2-pp2.zip",
}
SINGLE = {1: "ngc/good-label-1.0-tp1.pt", 2: "ngc/good-label-3.0-tp1.pt"}
SMALL = "eras/good-small-B-v2.0-tp2-pp2.zip"
LESS_ONE = "eras/good-1p-fp16-C-23.04-tp2-pp1.zip"
WIDE = "eras/good-1p-fp32-Cn-core_v0.4.0-tp1-pp1.zip"


# ---- QKV ------------------------------------------------------------------------------

def part_head_dim(layout, row, heads, dim):
    """What a stored row is, by the layout in which it was stored."""
    if layout == 0:                             # [3, heads, dim]
        return row // (heads * dim), row // dim % heads, row % dim
    if layout == 1:                             # [heads, dim, 3]
        return row % 3, row // (3 * dim), row // 3 % dim
    return row // dim % 3, row // (3 * dim), row % dim          # [heads, 3, dim]


def column_of(layout, rank, ranks, row, width):
    """Where a reader of that layout puts row `row` of rank `rank`."""
    heads, dim = HEADS // ranks, width // HEADS
    part, head, at = part_head_dim(layout, row, heads, dim)
    return part * width + (rank * heads + head) * dim + at


def misread(tensor, true, taken, ranks):
    """c_attn as it is when rows of layout `true` are taken for `taken` (None: joined as they
    are stored)."""
    width = tensor.shape[-1] // 3
    columns = {}
    for rank in range(ranks):
        for row in range(3 * width // ranks):
            to = rank * (3 * width // ranks) + row if taken is None \
                else column_of(taken, rank, ranks, row, width)
            columns[to] = column_of(true, rank, ranks, row, width)
    elements = tensor.elements()
    lines = tensor.shape[0] if len(tensor.shape) == 2 else 1
    return tensor.with_elements([elements[line * 3 * width + columns[c]]
                                 for line in range(lines) for c in range(3 * width)])


def qkv(bench):
    cases = [(source, 2, true, taken) for true, source in BY_LAYOUT.items()
             for taken in (0, 1, 2, None)]
    cases += [(source, 1, true, taken) for true, source in SINGLE.items() for taken in (0, 1, 2)]
    for source, ranks, true, taken in cases:
        if true == taken:
            continue
        directory, told = bench.directory(source)
        for name in ("h.0.attn.c_attn.weight", "h.1.attn.c_attn.bias"):
            directory[name] = misread(directory[name], true, taken, ranks)
        directory.save()
        cause = "the ranks' q, k and v rows are joined as they are stored" if taken is None \
            else f"it is what QKV layout {taken} gives (--qkv-layout {taken})"
        words = bench.verify(f"{source}: QKV layout {true} taken for {taken}", directory.path,
                             told, 1, [cause])
        lines = [line for line in words.splitlines() if cause in line]
        bench.note(f"{source}: QKV {true} as {taken}, both tensors",
                   [] if len(lines) == 2 else lines or ["no line"])


# ---- projections, norms, ranks --------------------------------------------------------

def projections(bench):
    directory, told = bench.directory(SMALL)
    directory["h.2.attn.c_proj.weight"] = directory["h.2.attn.c_proj.weight"].transposed()
    directory.save()
    bench.verify("c_proj not transposed", directory.path, told, 1,
                 ["transformer.h.2.attn.c_proj.weight: ", "; it is not transposed"])

    directory, told = bench.directory(SMALL)
    for name in ("h.0.attn.c_attn.weight", "h.1.mlp.c_fc.weight", "h.3.mlp.c_proj.weight"):
        directory[name] = directory[name].transposed()
    directory.save()
    bench.verify("projections not transposed", directory.path, told, 1, [
        "h.0.attn.c_attn.weight: has the shape [24, 8], the checkpoint makes it [8, 24]: "
        "it is not transposed",
        "h.1.mlp.c_fc.weight: has the shape [32, 8], the checkpoint makes it [8, 32]: "
        "it is not transposed",
        "h.3.mlp.c_proj.weight: has the shape [8, 32], the checkpoint makes it [32, 8]: "
        "it is not transposed"])


def norms(bench):
    directory, told = bench.directory(SMALL)
    for name in ("h.0.ln_1.weight", "h.3.ln_2.weight", "ln_f.weight"):
        directory[name] = directory[name].with_values(
            [value + 1 for value in directory[name].values()])
    directory.save()
    words = bench.verify("norms plus one", directory.path, told, 1)
    bench.note("norms plus one, all three", [] if words.count(
        "; 1 was added to norm weights that are stored as they are") == 3 else [words])

    # The same model saved without the flag: what is converted lacks the 1.
    lost, _ = bench.directory("eras/bad-norms-flag-lost.zip")
    tensors = {name: tensor for name, tensor in lost.tensors.items() if ".ln_" in name}
    directory, told = bench.directory(LESS_ONE)
    norm_weights = [n for n in directory.tensors if ".ln_" in n and n.endswith(".weight")]
    for name in norm_weights:
        directory.tensors[name] = tensors[name]
    directory.save()
    words = bench.verify("norms less one", directory.path, told, 1)
    bench.note("norms less one, all of them", [] if words.count(
        "; 1 was not added to norm weights that are stored less 1") == len(norm_weights)
        else [words])


def swapped(items, parts=1):
    """Halves exchanged, in each of `parts` equal pieces."""
    size = len(items) // parts
    result = []
    for piece in range(parts):
        half = piece * size + size // 2
        result += items[half:(piece + 1) * size] + items[piece * size:half]
    return result


def by_columns(tensor, change):
    turned = tensor.transposed()
    return turned.with_rows(change(turned.rows())).transposed()


def ranks(bench):
    directory, told = bench.directory(SMALL, "--vocab-size", "padded")
    wte = directory["wte.weight"]
    directory["wte.weight"] = wte.with_rows(swapped(wte.rows())[:101])
    directory.config["vocab_size"] = 101
    directory["h.0.attn.c_attn.weight"] = by_columns(
        directory["h.0.attn.c_attn.weight"], lambda rows: swapped(rows, 3))
    bias = directory["h.0.attn.c_attn.bias"]
    directory["h.0.attn.c_attn.bias"] = bias.with_elements(swapped(bias.elements(), 3))
    for name in ("h.1.attn.c_proj.weight", "h.2.mlp.c_proj.weight", "h.3.mlp.c_fc.bias"):
        directory[name] = directory[name].with_rows(swapped(directory[name].rows()))
    directory["h.3.mlp.c_fc.weight"] = by_columns(directory["h.3.mlp.c_fc.weight"], swapped)
    directory.save()
    words = bench.verify("ranks in reverse", directory.path, told, 1)
    bench.note("ranks in reverse, all seven", [] if words.count(
        "; its tensor parallel ranks are joined in reverse") == 7 else [words])


# ---- the vocabulary -------------------------------------------------------------------

def vocabulary(bench):
    directory, told = bench.directory(SMALL)
    wte = directory["wte.weight"]
    directory["wte.weight"] = wte.with_rows(wte.rows()[:90])
    directory.config["vocab_size"] = 90
    directory.save()
    bench.verify("rows lost", directory.path, told, 1,
                 ["transformer.wte.weight: has 90 rows, the checkpoint makes it 101: tokens are "
                  "lost"], never=["elements differ"])
    directory["wte.weight"] = wte.with_rows(wte.rows() * 2)
    directory.config["vocab_size"] = 202
    directory.save()
    bench.verify("rows invented", directory.path, told, 1,
                 ["transformer.wte.weight: has 202 rows, the checkpoint stores 112"])
    directory["wte.weight"] = wte.transposed()
    directory.save()
    bench.verify("embedding transposed", directory.path, told, 1, [
        "transformer.wte.weight: has the shape [8, 101], the checkpoint makes it [101, 8]: it is "
        "not transposed"])


# ---- config.json ----------------------------------------------------------------------

def config(bench):
    untied = "eras/good-untied-D-core_v0.12.0-tp1-pp2.zip"
    for source, key, value, says in (
            (SMALL, "n_head", 2, "n_head is 2, the checkpoint makes it 4"),
            (SMALL, "n_inner", 16, "n_inner is 16, the checkpoint makes it 32"),
            (SMALL, "n_positions", 1024, "n_positions is 1024, the checkpoint makes it 12"),
            (SMALL, "n_layer", 3, "n_layer is 3, the checkpoint makes it 4"),
            (SMALL, "layer_norm_epsilon", 1e-6,
             "layer_norm_epsilon is 1e-06, the checkpoint makes it 1e-05"),
            (SMALL, "attn_pdrop", 0.25, "attn_pdrop is 0.25, the checkpoint makes it 0.1"),
            (SMALL, "embd_pdrop", 0, "embd_pdrop is 0.0, the checkpoint makes it 0.1"),
            (SMALL, "resid_pdrop", 0.5, "resid_pdrop is 0.5, the checkpoint makes it 0.1"),
            (SMALL, "initializer_range", 0.01,
             "initializer_range is 0.01, the checkpoint makes it 0.02"),
            (SMALL, "activation_function", "relu", "activation_function is relu, the checkpoint "
             "makes it gelu"),
            (SMALL, "scale_attn_weights", False, "scale_attn_weights is not true"),
            (SMALL, "scale_attn_by_inverse_layer_idx", True,
             "scale_attn_by_inverse_layer_idx is not false"),
            (SMALL, "scale_attn_weights", "yes", "scale_attn_weights is not true"),
            (SMALL, "add_cross_attention", True, "add_cross_attention is not false"),
            (SMALL, "pruned_heads", [], "pruned_heads is not of the checkpoint"),
            (SMALL, "pruned_heads", {"0": [1]}, "pruned_heads is not of the checkpoint"),
            (SMALL, "quantization_config", {"load_in_8bit": True},
             "quantization_config is not of the checkpoint"),
            (untied, "tie_word_embeddings", True,
             "tie_word_embeddings is true, the checkpoint makes it false")):
        directory, told = bench.directory(source)
        directory.config[key] = value
        directory.save()
        bench.verify(f"{key} {value}", directory.path, told, 1, ["config.json: " + says])
    for key, value in (("pruned_heads", {}), ("pruned_heads", None), ("quantization_config", None),
                       ("scale_attn_weights", True), ("add_cross_attention", False)):
        directory, told = bench.directory(SMALL)
        directory.config[key] = value
        directory.save()
        bench.verify(f"{key} {value}, which changes nothing", directory.path, told)
    # A checkpoint without arguments does not tell.
    for key, value, expected in (("activation_function", "gelu", "gelu_new"),
                                 ("layer_norm_epsilon", 1e-6, "1e-05")):
        directory, told = bench.directory("ngc/good-py2.zip")
        directory.config[key] = value
        directory.save()
        bench.verify(f"{key} {value}, untold", directory.path, told, 0, [
            f"config.json: {key} is {value}, where {expected} was expected; the checkpoint does "
            "not tell"])
    for key in ("attn_pdrop", "embd_pdrop", "resid_pdrop", "initializer_range"):
        directory, told = bench.directory("ngc/good-py2.zip")
        directory.config[key] = 0.25
        directory.save()
        bench.verify(f"{key}, untold", directory.path, told, never=[key])
    for key, value, status in (("dtype", "float32", 1), ("torch_dtype", "bfloat16", 1),
                               ("dtype", "float16", 0), ("torch_dtype", "auto", 0)):
        directory, told = bench.directory(SMALL)
        directory.config[key] = value
        directory.save()
        bench.verify(f"{key} {value}", directory.path, told, status,
                     [f"{key} is {value} in config.json, but no tensor is of that type"]
                     if status else [])
    directory, told = bench.directory(SMALL)
    directory["h.1.attn.masked_bias"] = Tensor("U8", (), bytes(1))
    directory.save()
    bench.verify("a mask of bytes", directory.path, told, 1,
                 ["transformer.h.1.attn.masked_bias: has a type that cannot hold -10000"])
    directory, _ = bench.directory("ngc/good-py2.zip")
    directory.config.update(n_head=3, n_embd=15)
    directory.save()
    bench.verify("heads that only config.json tells", directory.path,
                 ["--source", bench.fixtures / "ngc/good-py2.zip"], 1,
                 ["config.json: hidden_size", "is not divisible by 3 heads"])
    for key, says in (("num_attention_heads", "n_head is 4 and num_attention_heads is 2"),
                      ("max_position_embeddings", "and max_position_embeddings is 2")):
        directory, told = bench.directory(SMALL)
        directory.config[key] = 2
        directory.save()
        bench.verify(f"{key} 2", directory.path, told, 3, [says])
    directory, told = bench.directory(SMALL)
    tensor = directory["ln_f.bias"]
    directory["ln_f.bias"] = tensor.with_element(0, pack("F16", [9.0]))
    directory.save()
    (directory.path / "config.json").unlink()
    bench.verify("no config.json", directory.path, told, 1,
                 ["config.json: is missing", "transformer.ln_f.bias: 1 of 8"])


# ---- numbers --------------------------------------------------------------------------

def one_number(bench):
    for source, dtype in ((SMALL, "F16"), (WIDE, "F32"), ("ngc/good-bf16.pt", "BF16")):
        directory, told = bench.directory(source)
        name, index = "h.1.mlp.c_fc.weight", 37
        tensor = directory[name]
        columns = tensor.shape[1]
        before = tensor.values()[index]
        bits = int.from_bytes(tensor.elements()[index], "little") + 1
        after = tensor.with_element(index, bits.to_bytes(SIZES[dtype], "little"))
        directory[name] = after
        directory.save()
        step = abs(after.values()[index] - before)
        bench.verify(f"one ulp of {dtype}", directory.path, told, 1, [
            f"{name}: 1 of {tensor.count()} elements differ from the checkpoint, by {step:.3g} "
            f"at most; the first is [{index // columns}, {index % columns}]: expected {before!r}, "
            f"found {after.values()[index]!r}"], never=["; it is"])
        bench.verify(f"one ulp of {dtype}, tolerated", directory.path,
                     [*told, "--tolerance", repr(step)], 0,
                     [f"{name}: 1 elements differ, within the tolerance", "within the tolerance"])
        bench.verify(f"one ulp of {dtype}, not tolerated", directory.path,
                     [*told, "--tolerance", repr(step / 2)], 1, [f"{name}: 1 of "])
        bench.verify(f"one ulp of {dtype}, tolerance 0", directory.path,
                     [*told, "--tolerance", "0"], 1, [f"{name}: 1 of "])


def change(directory, name, index, element):
    directory.tensors[name] = directory.tensors[name].with_element(index, element)
    directory.save()


def specials(bench):
    """NaN, its payload, the sign of zero."""
    odd, bare = "ngc/good-odd-values.pt", "eras/good-nobias-D-core_v0.8.0-tp2-pp1.zip"
    directory, told = bench.directory(odd)
    name, index, nan = next(
        (name, index, element) for name, tensor in directory.tensors.items()
        for index, (value, element) in enumerate(zip(tensor.values(), tensor.elements()))
        if value != value)
    other = bytes([nan[0] ^ 1, nan[1]])
    change(directory, name, index, other)
    says = [f"{name}: 1 of ", "elements differ from the checkpoint; the first",
            "expected the bits {:x}, found {:x}".format(
                *(int.from_bytes(e, "little") for e in (nan, other)))]
    bench.verify("NaN payload", directory.path, told, 1, says)
    bench.verify("NaN payload, any tolerance", directory.path, [*told, "--tolerance", "1e300"],
                 1, says)

    name = PREFIX + "h.1.mlp.c_fc.bias"         # zeros, for the model has none
    for what, element, found in (
            ("-0 for 0", b"\0\x80", "; the first is [2]: expected 0.0, found -0.0"),
            ("NaN for 0", b"\0\x7e", "; the first is [2]: expected 0.0, found nan"),
            ("infinity for 0", b"\0\x7c", ", by inf at most; the first is [2]: ")):
        directory, told = bench.directory(bare)
        assert directory.tensors[name].elements()[2] == b"\0\0"
        change(directory, name, 2, element)
        bench.verify(what, directory.path, told, 1, [f"{name}: 1 of 32 ", found])
    directory, told = bench.directory(bare)
    change(directory, name, 2, b"\0\x80")
    bench.verify("-0 for 0, tolerance 0", directory.path, [*told, "--tolerance", "0"])


def cut(value, dtype):
    """Towards zero."""
    element = pack(dtype, [value])
    rounded = struct.unpack("<e", element)[0] if dtype == "F16" else struct.unpack(
        "<f", b"\0\0" + element)[0]
    if abs(rounded) > abs(value):
        element = (int.from_bytes(element, "little") - 1).to_bytes(2, "little")
    return element


def rounding(bench):
    for dtype, option in (("BF16", "bfloat16"), ("F16", "float16")):
        wide, _ = bench.directory(WIDE)
        directory, told = bench.directory(WIDE, "--dtype", option)
        name = "h.0.attn.c_attn.weight"
        directory[name] = directory[name].with_elements(
            [cut(value, dtype) for value in wide[name].values()])
        directory.save()
        bench.verify(f"{option} cut", directory.path, told, 1,
                     [f"{name}: ", "; the numbers are cut to their type, not rounded"])
        directory[name] = directory[name].with_values(wide[name].values())
        directory.save()
        bench.verify(f"{option} rounded by hand", directory.path, told)


# ---- files of ranks -------------------------------------------------------------------

def repacked(source, target, change, reverse=False):
    """A zip of a zip again, each rank's file changed."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in sorted(old.namelist(), reverse=reverse):
            data = old.read(name)
            new.writestr(name, change(data) if name.endswith(".pt") else data)


def widened(data):
    """A file of torch.save with float32 where it had float16."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(made, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name.endswith("/data.pkl"):
                data = data.replace(b"torch\nHalfStorage\n", b"torch\nFloatStorage\n")
            elif "/data/" in name:
                data = pack("F32", unpack("F16", data))
            new.writestr(name, data)
    return made.getvalue()


def files_of_ranks(bench):
    # The last rank's copies of norms come first, and are finished when the first rank's came.
    directory, told = bench.directory(LESS_ONE)
    backwards = bench.folder / "backwards.zip"
    repacked(bench.fixtures / LESS_ONE, backwards, bytes, reverse=True)
    told[told.index("--source") + 1] = backwards
    bench.verify("replicas come before their slices", directory.path, told)

    # Looked at as float32 too, for a cause, beside copies of the other rank.
    source = BY_LAYOUT[2]
    wide = bench.folder / "wide.zip"
    repacked(bench.fixtures / source, wide, widened)
    directory, told = bench.directory(source)
    told[told.index("--source") + 1] = wide
    bench.verify("float16 of float32, two ranks", directory.path, told)
    low, high = directory["wpe.weight"].elements()[5]
    change(directory, PREFIX + "wpe.weight", 5, bytes([low ^ 1, high]))
    bench.verify("one bit of float16 of float32, two ranks", directory.path, told, 1,
                 ["wpe.weight: 1 of "])


def layers(bench):
    directory, told = bench.directory(SMALL)
    one, other = "h.1.mlp.c_fc.weight", "h.3.mlp.c_fc.weight"
    directory[one], directory[other] = directory[other], directory[one]
    directory["h.0.attn.c_attn.bias"] = directory["h.2.attn.c_attn.bias"]
    directory.save()
    words = bench.verify("tensors of other layers", directory.path, told, 1)
    lines = words.splitlines()
    for name, layer in ((one, 3), (other, 1), ("h.0.attn.c_attn.bias", 2)):
        bench.note(f"{name} is that of layer {layer}", [] if any(
            PREFIX + name in line and line.endswith(f"; it is that of layer {layer}")
            for line in lines) else [words])


def names(bench):
    directory, told = bench.directory(SMALL)
    tensor = directory.tensors.pop(PREFIX + "h.3.ln_2.bias")
    directory["h.4.ln_2.bias"] = tensor
    directory.save()
    bench.verify("a misnamed tensor", directory.path, told, 1,
                 ["transformer.h.3.ln_2.bias: is missing", "of 5 layers"])


def run(bench):
    for part in (qkv, projections, norms, ranks, vocabulary, config, one_number, specials,
                 rounding, files_of_ranks, layers, names):
        part(bench)
