"""Converts fixtures in every form and reads the files with Python's own modules.

    forms.py MEGATRON2HF                    from the project's root

- safetensors shards and their index have the bytes that transformers saves (saved.json);
- a .bin holds the same tensors as the safetensors file, bit for bit, dealt out the same way;
- elements of another type are the correctly rounded ones, by exact arithmetic;
- overflow is refused, or told;
- the profile hf4.18 has the constants and the tied head of the script that it follows.
"""
import fractions
import hashlib
import json
import os
import pickle
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile

tool = os.path.abspath(sys.argv[1])
mini = "fixtures/good-ngc-mini.zip", "--num-attention-heads", "2"
passed = failed = 0


def check(condition, what):
    global passed, failed
    passed += bool(condition)
    if not condition:
        failed += 1
        print(f"forms: {what}")


def convert(out, *arguments, status=0):
    shutil.rmtree(out, ignore_errors=True)
    run = subprocess.run([tool, "convert", "-o", out, "--progress=none", *arguments],
                         capture_output=True, text=True)
    check(run.returncode == status, f"{arguments}: status {run.returncode}: {run.stderr}")
    return run


# ---- reading ------------------------------------------------------------------------------

def read_safetensors(path):
    data = open(path, "rb").read()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + length])
    check(header.pop("__metadata__") == {"format": "pt"}, f"{path}: metadata")
    begin = 8 + length
    return {name: (entry["dtype"], tuple(entry["shape"]),
                   data[begin + entry["data_offsets"][0]:begin + entry["data_offsets"][1]])
            for name, entry in header.items()}


class Reader(pickle.Unpickler):
    """A state dict as (dtype, shape, strides, offset, storage key)."""
    types = {"HalfStorage": "F16", "BFloat16Storage": "BF16", "FloatStorage": "F32",
             "DoubleStorage": "F64"}

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return dict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, strides, grad, hooks: (
                storage[0], shape, strides, offset, storage[1])
        if module == "torch" and name in self.types:
            return self.types[name]
        raise pickle.UnpicklingError(f"{module}.{name}")

    def persistent_load(self, identity):
        kind, dtype, key, place, count = identity
        assert (kind, place) == ("storage", "cpu")
        return dtype, key


def read_torch(path):
    """Tensors as read_safetensors() has them, and the storage keys by name."""
    with zipfile.ZipFile(path) as archive:
        check(archive.testzip() is None, f"{path}: CRC-32")
        state = Reader(archive.open("pytorch_model/data.pkl")).load()
        tensors = {}
        for name, (dtype, shape, strides, offset, key) in state.items():
            data = archive.read(f"pytorch_model/data/{key}")
            rows = [1]
            for extent in reversed(shape[1:]):
                rows.insert(0, rows[0] * extent)
            check(offset == 0 and strides == tuple(rows[:len(shape)]), f"{path}: {name} is dense")
            tensors[name] = dtype, shape, data
    return tensors, {name: entry[4] for name, entry in state.items()}


# ---- shards -------------------------------------------------------------------------------

def test_saved(temp):
    for form, expected in json.load(open("fixtures/forms/saved.json")).items():
        dtype, size = form.split()
        convert(temp, *mini, "--dtype", dtype, "--max-shard-size", size, "--weights", "both")
        names = sorted(name for name in os.listdir(temp) if name.startswith("model"))
        check(names == sorted(expected), f"{form}: {names}")
        for name in names:
            found = hashlib.sha256(open(f"{temp}/{name}", "rb").read()).hexdigest()
            check(found == expected.get(name), f"{form}: {name} differs from what is saved")
        for name in (name for name in names if name.endswith(".safetensors")):
            torch_name = name.replace("model", "pytorch_model").replace(".safetensors", ".bin")
            check(read_torch(f"{temp}/{torch_name}")[0] == read_safetensors(f"{temp}/{name}"),
                  f"{form}: {torch_name} differs from {name}")
        if len(names) > 1:
            index = json.load(open(f"{temp}/model.safetensors.index.json"))
            other = json.load(open(f"{temp}/pytorch_model.bin.index.json"))
            check(other["metadata"] == index["metadata"], f"{form}: metadata of the torch index")
            check({name: file.replace("pytorch_model", "model").replace(".bin", ".safetensors")
                   for name, file in other["weight_map"].items()} == index["weight_map"],
                  f"{form}: the torch index")


# ---- element types ------------------------------------------------------------------------

FORMATS = {"F16": (10, 15, 2), "BF16": (7, 127, 2), "F32": (23, 127, 4), "F64": (52, 1023, 8)}
NAMES = {"float16": "F16", "bfloat16": "BF16", "float32": "F32"}


def unpack(dtype, data):
    size = FORMATS[dtype][2]
    return [int.from_bytes(data[at:at + size], "little") for at in range(0, len(data), size)]


def value(dtype, bits):
    """The number, or None for what is none; exact."""
    fraction_bits, bias, size = FORMATS[dtype]
    exponent_bits = 8 * size - 1 - fraction_bits
    exponent = bits >> fraction_bits & (1 << exponent_bits) - 1
    fraction = bits & (1 << fraction_bits) - 1
    if exponent == (1 << exponent_bits) - 1:
        return None
    if exponent == 0:
        number = fractions.Fraction(fraction) * fractions.Fraction(2) ** (1 - bias - fraction_bits)
    else:
        number = fractions.Fraction(fraction + (1 << fraction_bits)) \
            * fractions.Fraction(2) ** (exponent - bias - fraction_bits)
    return -number if bits >> 8 * size - 1 else number


def is_nearest(dtype, bits, number):
    """Is no neighbour of `bits` nearer to the number, nor as near with an even fraction?"""
    found = value(dtype, bits)
    if found is None:
        return False
    distance = abs(found - number)
    for neighbour in bits - 1, bits + 1:
        other = value(dtype, neighbour) if neighbour >= 0 else None
        if other is None or (neighbour ^ bits) >> 8 * FORMATS[dtype][2] - 1:
            continue
        if abs(other - number) < distance or (abs(other - number) == distance and bits & 1):
            return False
    return True


def test_types(temp):
    sources = (("fixtures/ngc/good-fp32.pt", "--num-attention-heads", "4"),
               ("fixtures/ngc/good-bf16.pt", "--num-attention-heads", "4"),
               ("fixtures/ngc/good-mixed.pt", "--num-attention-heads", "4"))
    for source in sources:
        convert(temp, *source, "--vocab-size", "101")
        kept = read_safetensors(f"{temp}/model.safetensors")
        for dtype in NAMES:
            convert(temp, *source, "--vocab-size", "101", "--dtype", dtype)
            cast = read_safetensors(f"{temp}/model.safetensors")
            check(cast.keys() == kept.keys(), f"{source} {dtype}: names")
            config = json.load(open(f"{temp}/config.json"))
            check(config.get("torch_dtype", config.get("dtype")) == dtype,
                  f"{source} {dtype}: config.json does not say it")
            for name, (from_type, shape, data) in kept.items():
                to_type, to_shape, to_data = cast[name]
                check((to_type, to_shape) == (NAMES[dtype], shape), f"{source} {dtype} {name}")
                wrong = [bits for bits, to_bits in zip(unpack(from_type, data),
                                                       unpack(to_type, to_data))
                         if not is_nearest(to_type, to_bits, value(from_type, bits))]
                check(not wrong and len(to_data) == len(data) // FORMATS[from_type][2]
                      * FORMATS[to_type][2], f"{source} {dtype} {name}: {len(wrong)} wrong")


def test_overflow(temp):
    """One element of a checkpoint in bfloat16 becomes 2^16, which float16 cannot hold."""
    convert(temp, "fixtures/ngc/good-bf16.pt", "--num-attention-heads", "4", "--vocab-size", "101")
    words = read_safetensors(f"{temp}/model.safetensors")["transformer.wte.weight"][2][:64]
    source = f"{temp}.pt"
    with zipfile.ZipFile("fixtures/ngc/good-bf16.pt") as old, zipfile.ZipFile(source, "w") as new:
        found = 0
        for info in old.infolist():
            data = bytearray(old.read(info))
            if words in data and "/data/" in info.filename:
                at = bytes(data).find(words)
                data[at + 6:at + 8] = struct.pack("<H", 0x4780)
                found += 1
            new.writestr(info.filename, bytes(data))
    check(found == 1, "the embedding is found in the checkpoint")
    arguments = source, "--num-attention-heads", "4", "--vocab-size", "101", "--dtype", "float16"
    shutil.rmtree(temp)
    run = convert(temp, *arguments, status=1)
    check("transformer.wte.weight: 1 value overflows float16 (largest 65536.0)" in run.stderr,
          run.stderr)
    check(not os.path.exists(temp), "overflow leaves nothing behind")
    run = convert(temp, *arguments, "--allow-overflow")
    check("warning  transformer.wte.weight: 1 values became infinite in float16" in run.stderr,
          run.stderr)
    check(read_safetensors(f"{temp}/model.safetensors")["transformer.wte.weight"][2][6:8]
          == b"\x00\x7c", "infinity")
    convert(temp, *arguments[:-1], "float32")
    check(read_safetensors(f"{temp}/model.safetensors")["transformer.wte.weight"][2][12:16]
          == struct.pack("<f", 65536), "float32 holds it")
    os.unlink(source)


# ---- the manifest, and the profile of 4.18 -------------------------------------------------

def test_digests(temp):
    convert(temp, *mini, "--tensor-sha256", "--weights", "both", "--dtype", "bfloat16")
    manifest = json.load(open(f"{temp}/conversion.json"))
    tensors = {"model.safetensors": read_safetensors(f"{temp}/model.safetensors"),
               "pytorch_model.bin": read_torch(f"{temp}/pytorch_model.bin")[0]}
    check(len(manifest["tensors"]) == 2 * 28, "tensors of both files")
    for entry in manifest["tensors"]:
        data = tensors[entry["file"]][entry["name"]][2]
        check(entry["sha256"] == hashlib.sha256(data).hexdigest(), entry["name"])
        check(entry["from"]["cast_from"] == "F16", entry["name"])
        with open(f"{temp}/{entry['file']}", "rb") as file:
            file.seek(entry["offset"])
            check(file.read(entry["bytes"]) == data, f"{entry['name']}: offset")


def test_4_18(temp):
    convert(temp, *mini)
    plain = read_safetensors(f"{temp}/model.safetensors")
    for dtype in "keep", "float32":
        convert(temp, *mini, "--profile", "hf4.18", "--dtype", dtype)
        tensors, storages = read_torch(f"{temp}/pytorch_model.bin")
        check(not os.path.exists(f"{temp}/model.safetensors"), "hf4.18 has torch weights only")
        check(len(tensors) == 28 + 2 * 2 + 1, f"hf4.18: {len(tensors)} tensors")
        mask = b"".join(struct.pack("<1024e", *[1.0] * (row + 1) + [0.0] * (1023 - row))
                        for row in range(1024))
        for layer in range(2):
            name = f"transformer.h.{layer}.attn."
            check(tensors[name + "bias"] == ("F16", (1, 1, 1024, 1024), mask), name + "bias")
            check(tensors[name + "masked_bias"] == ("F16", (), struct.pack("<e", -10000)), name)
        check(storages["lm_head.weight"] == storages["transformer.wte.weight"], "the tied head")
        if dtype == "keep":
            check(all(tensors[name] == tensor for name, tensor in plain.items()), "the weights")
    run = convert(temp, *mini, "--profile", "hf4.18", "--weights", "both", status=2)
    check("hf4.18" in run.stderr, run.stderr)
    convert(temp, *mini, "--profile", "hf4.18", "--max-shard-size", "1MB")
    index = json.load(open(f"{temp}/pytorch_model.bin.index.json"))
    check(list(index["metadata"]) == ["total_size"], "4.18 counts no parameters")
    check(index["weight_map"]["lm_head.weight"] == index["weight_map"]["transformer.wte.weight"],
          "the tied head is in the file of the embedding")
    files = {}
    for name in set(index["weight_map"].values()):
        for tensor in read_torch(f"{temp}/{name}")[0]:
            files[tensor] = name
    check(files == index["weight_map"], "the index tells where every tensor is")


def test_many_files(temp):
    """More files than the usual limit lets be open, of which each stays open to the end."""
    few = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (24, few[1]))
    try:
        convert(temp, *mini, "--weights", "both", "--max-shard-size", "1KB")
        twin = subprocess.run([tool, "diff", "-q", temp, temp], capture_output=True, text=True)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, few)
    check(len(os.listdir(temp)) > 24 and twin.returncode == 0, f"many files: {twin}")


def test_threads(temp):
    """The same bytes with any number of threads, from any folder, of every form at once."""
    rich = ("--weights", "both", "--dtype", "bfloat16", "--max-shard-size", "200KB",
            "--tensor-sha256", "--model-card", "auto", "--license", "mit")
    convert(temp, *mini, *rich, "-j", "1")
    first = {name: open(f"{temp}/{name}", "rb").read() for name in sorted(os.listdir(temp))}
    for threads in "2", "3", "8":
        convert(temp, *mini, *rich, "-j", threads)
        again = {name: open(f"{temp}/{name}", "rb").read() for name in sorted(os.listdir(temp))}
        check(again == first, f"other bytes with -j {threads}")


with tempfile.TemporaryDirectory() as folder:
    for test in test_saved, test_types, test_overflow, test_digests, test_4_18, test_many_files, \
            test_threads:
        test(os.path.join(folder, "out"))
print(f"forms: {passed} passed, {failed} failed")
sys.exit(failed != 0)
