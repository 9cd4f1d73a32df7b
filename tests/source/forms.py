"""Right directories in every form, those that others write too."""
from hf import PREFIX, Tensor, View, Storage, bin_bytes, pack, reference_bin

SOURCES = (
    "ngc/good-py2.zip",                                 # 2019, layout 0
    "eras/good-small-A-2019-tp2-pp1.zip",               # flat names
    "eras/good-small-B-v1.1.5-tp2-pp1.zip",             # layout 1
    "eras/good-small-B-v2.0-tp2-pp2.zip",
    "ngc/good-tp2-pp3",                                 # a folder
    "eras/good-small-C-v2.5-tp1-pp2-vpp2.zip",
    "eras/good-small-D-core_v0.8.0-tp2-pp2.zip",
    "eras/good-nobias-D-core_v0.8.0-tp2-pp1.zip",
    "eras/good-1p-fp32-Cn-core_v0.4.0-tp1-pp1.zip",
    "eras/good-1p-bf16-Ct-core_v0.4.0-tp1-pp1.zip",
    "eras/good-untied-D-core_v0.12.0-tp1-pp2.zip",
    "eras/good-drift-rank0.zip",
    "eras/good-drift-mean.zip",
    "ngc/good-torchzip-data-last.zip",                  # not to be read in one pass
    "ngc/good-odd-values.pt",
    "ngc/good-mixed.pt",
)
FORMS = (
    (),
    ("--weights", "pytorch"),
    ("--weights", "both"),
    ("--max-shard-size", "4KB"),
    ("--max-shard-size", "4KB", "--weights", "pytorch"),
    ("--dtype", "float16", "--allow-overflow"),
    ("--dtype", "bfloat16", "--allow-overflow"),
    ("--dtype", "float32"),
    ("--profile", "hf4.18"),
    ("--profile", "hf4.18", "--dtype", "bfloat16", "--allow-overflow"),
)
SMALL = "eras/good-small-B-v2.0-tp2-pp2.zip"


def every_form(bench):
    for source in SOURCES:
        for form in FORMS:
            out, told = bench.convert(source, "--tokenizer", "none", *form)
            bench.verify(f"{source} {' '.join(form)}", out, told, says=["bit for bit"])


def by_others(bench):
    directory, told = bench.directory(SMALL)
    directory.tensors = {name.removeprefix(PREFIX): t for name, t in directory.tensors.items()}
    directory.save()
    bench.verify("names without prefix", directory.path, told)

    directory, told = bench.directory(SMALL)
    directory.tensors["lm_head.weight"] = directory["wte.weight"]
    directory.save()
    count = len(directory.tensors)
    bench.verify("lm_head added", directory.path, told, says=[f"; {count} compared with"])

    for dtype in ("BOOL", "U8", "F32", "F16", "BF16", "I64"):
        directory, told = bench.directory(SMALL)
        directory.add_masks(dtype)
        directory.save()
        count = len(directory.tensors)
        bench.verify(f"masks as {dtype}", directory.path, told,
                     says=[f"; {count} compared with"])
        mask = directory["h.1.attn.bias"]
        directory["h.1.attn.bias"] = mask.with_element(1, mask.elements()[0])
        directory.save()
        bench.verify(f"a wrong mask as {dtype}", directory.path, told, 1,
                     ["transformer.h.1.attn.bias: is not the causal mask"])
    directory["h.1.attn.bias"] = mask
    directory["h.0.attn.masked_bias"] = Tensor("F32", (), pack("F32", [float("nan")]))
    directory.save()
    bench.verify("a wrong constant beside the mask", directory.path, told, 1,
                 ["transformer.h.0.attn.masked_bias: is not -10000"])

    for source, padding in ((SMALL, 11), ("eras/good-untied-D-core_v0.12.0-tp1-pp2.zip", 3)):
        directory, told = bench.directory(source, "--vocab-size", "padded")
        assert directory["wte.weight"].shape[0] == 101 + padding, directory["wte.weight"].shape
        bench.verify(f"{source}: padding kept", directory.path, told,
                     says=[f"transformer.wte.weight: {padding} padding rows are kept"])


def strided(bench):
    """The file of the removed script."""
    for source in (SMALL, "eras/good-1p-fp32-Cn-core_v0.4.0-tp1-pp1.zip"):
        directory, told = bench.directory(source)
        data = reference_bin(directory.tensors, 47)
        count = len(directory.tensors) + 1
        directory.save_bin(data)
        bench.verify(f"{source}: strided .bin", directory.path, told,
                     says=[f"; {count} compared with"])

    directory, told = bench.directory(SMALL)
    tensor = directory["h.1.mlp.c_proj.weight"]
    directory["h.1.mlp.c_proj.weight"] = tensor.with_elements(
        tensor.transposed().elements())         # what a reader sees that ignores strides
    directory.save_bin(reference_bin(directory.tensors, 0))
    bench.verify("strided .bin with wrong strides", directory.path, told, 1,
                 ["transformer.h.1.mlp.c_proj.weight: "])

    directory, told = bench.directory(SMALL)
    ones = Tensor("F16", (1,), pack("F16", [0.0]))
    views = {name: View(Storage(str(i), t.dtype, t.data), 0, t.shape,
                        (t.shape[1], 1) if len(t.shape) == 2 else (1,))
             for i, (name, t) in enumerate(directory.tensors.items())}
    shape = directory["ln_f.bias"].shape
    views[PREFIX + "ln_f.bias"] = View(Storage("999", "F16", ones.data), 0, shape, (0,))
    directory.save_bin(bin_bytes(views))
    bench.verify("an expanded view", directory.path, told, 1,
                 ["transformer.ln_f.bias: ", "found 0.0"])


def shards(bench):
    directory, told = bench.directory(SMALL)
    directory.save_shards(["weights a.safetensors", "b.safetensors", "c-of-3.safetensors"])
    bench.verify("shards under other names", directory.path, told)
    directory, told = bench.directory(SMALL)
    tensor = directory["h.2.ln_1.weight"]
    directory["h.2.ln_1.weight"] = tensor.with_element(3, pack("F16", [7.0]))
    directory.save_shards(["a.safetensors", "b.safetensors"])
    bench.verify("a wrong number in a shard", directory.path, told, 1,
                 [".safetensors: transformer.h.2.ln_1.weight: 1 of 8 elements differ",
                  "the first is [3]: expected ", "found 7.0"])


def run(bench):
    every_form(bench)
    by_others(bench)
    strided(bench)
    shards(bench)
