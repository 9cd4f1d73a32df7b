"""Directories that are damaged, odd or hostile, each row by its name in the catalogue of bad
inputs.  What needs no source runs without one too: the words must be the same."""
import json
import os
import shutil

from hf import PREFIX, Tensor, safetensors_bytes

SMALL = "eras/good-small-B-v2.0-tp2-pp2.zip"


def both(bench, name, directory, told, status, says):
    """With the source and without."""
    bench.verify(name, directory.path, [], status, says)
    bench.verify(f"{name}, with source", directory.path, told, status, says)


def missing(bench):
    for gone in ("config.json", "model.safetensors"):
        directory, told = bench.directory(SMALL)
        (directory.path / gone).unlink()
        both(bench, f"vmissing {gone}", directory, told, 1, [f"{gone}: is missing"])
    directory, told = bench.directory(SMALL)
    for gone in ("config.json", "model.safetensors"):
        (directory.path / gone).unlink()
    both(bench, "vmissing both", directory, told, 1,
         ["config.json: is missing", "model.safetensors: is missing"])


def headers(bench):
    directory, told = bench.directory(SMALL)
    path = directory.path / "model.safetensors"
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header, body = data[8:8 + length].rstrip(b" "), data[8 + length:]

    def framed(text, size=None):
        return (len(text) if size is None else size).to_bytes(8, "little") + text + body

    name = json.dumps(PREFIX + "ln_f.bias").encode()
    for row, content, status, says in (
            ("vst8 of nothing", b"", 3, "header too small"),
            ("vst8 of 7 bytes", data[:7], 3, "header too small"),
            ("vst8 length 0", framed(b"", 0), 3, "model.safetensors: "),
            ("vst8 length past the end", framed(header, len(data)), 3, "invalid header length"),
            ("vst8 length 2^64-1", framed(header, 2**64 - 1), 3, "invalid header length"),
            ("vstjson no UTF-8", framed(b'{"\xff' + header[2:]), 3, "UTF-8"),
            ("vstjson a list", framed(b"[]"), 3, "not a JSON object"),
            ("vstjson no JSON", framed(header[:-1]), 3, "JSON"),
            ("vstjson leading blank", framed(b" " + header), 3, 'begins with "{"'),
            ("vstjson a tensor twice", framed(header[:-1] + b"," + name + b":{}}"), 3,
             "duplicate key"),
            ("vstjson trailing blanks", framed(header + b" " * 999), 0, "ok "),
            ("vstov cut", data[:-1], 3, "truncated"),
            ("vstov longer", data + b"x", 3, "not covered"),
            ("vstshape unknown dtype", framed(header.replace(b'"F16"', b'"F15"', 1)), 3,
             "unknown dtype"),
            ("vstshape", framed(header.replace(b"[8,8]", b"[8,9]", 1)), 3, "shape and dtype make")):
        path.write_bytes(content)
        both(bench, row, directory, told, status, [says])


def samples(bench):
    """One fault each, at the structure of the file (225, 226)."""
    for sample in sorted((bench.fixtures / "gpt2").glob("st_*.safetensors")):
        directory, told = bench.directory(SMALL)
        shutil.copy(sample, directory.path / "model.safetensors")
        sound = sample.stem in ("st_good", "st_zero_dim", "st_empty_tensor", "st_no_tensors")
        both(bench, sample.stem, directory, told, 1 if sound else 3, ["model.safetensors: "])


def many(bench):
    """A header of a gigabyte is not read, whatever it holds."""
    directory, told = bench.directory(SMALL)
    with open(directory.path / "model.safetensors", "wb") as file:
        file.write((10**9).to_bytes(8, "little") + b"{")
        file.truncate(10**9 + 16)
    both(bench, "vstmany", directory, told, 8, ["100000000"])


def indexes(bench):
    for row, file, status, says in (
            ("absent", "gone.safetensors", 1, "gone.safetensors: named in"),
            ("..", "../a.safetensors", 5, "is no path"),
            ("/", "/a.safetensors", 5, "is no path"),
            ("in a folder", "x/a.safetensors", 5, "is no path")):
        directory, told = bench.directory(SMALL)
        directory.save_shards(["a.safetensors", "b.safetensors"])
        path = directory.path / "model.safetensors.index.json"
        index = json.loads(path.read_text())
        index["weight_map"][PREFIX + "wpe.weight"] = file
        path.write_text(json.dumps(index))
        both(bench, f"vindex {row}", directory, told, status, [says])
    for row, key, change, says in (
            ("in another file", "weight_map", None, "is missing here, where"),
            ("total_size", "metadata", {"total_size": 1}, "metadata.total_size is 1, the tensors")):
        directory, told = bench.directory(SMALL)
        directory.save_shards(["a.safetensors", "b.safetensors"])
        path = directory.path / "model.safetensors.index.json"
        index = json.loads(path.read_text())
        if change is None:
            names = index["weight_map"]
            at = names[PREFIX + "wpe.weight"]
            names[PREFIX + "wpe.weight"] = "b.safetensors" if at[0] == "a" else "a.safetensors"
        else:
            index[key] = change
        path.write_text(json.dumps(index))
        both(bench, f"vindex {row}", directory, told, 1, [says])


def tensors(bench):
    """All of the differences, and the exit status once."""
    directory, told = bench.directory(SMALL)
    wrong = directory.tensors
    wrong.pop(PREFIX + "h.0.ln_1.bias")
    wrong[PREFIX + "h.0.attn.rotary"] = Tensor("F16", (2,), b"\0\0\0\0")
    wrong[PREFIX + "h.1.ln_2.bia"] = wrong.pop(PREFIX + "h.1.ln_2.bias")
    wrong[PREFIX + "h.2.ln_1.weight"] = Tensor("F16", (4,), b"\0" * 8)
    wrong[PREFIX + "h.3.mlp.c_fc.bias"] = Tensor("I8", (32,), b"\0" * 32)
    directory.save()
    says = [f"{PREFIX}{name}: {text}" for name, text in (
        ("h.0.ln_1.bias", "is missing"), ("h.0.attn.rotary", "is no tensor of a GPT-2"),
        ("h.1.ln_2.bias", "is missing"), ("h.1.ln_2.bia", "is no tensor of a GPT-2"),
        ("h.2.ln_1.weight", "shape is [4]"), ("h.3.mlp.c_fc.bias", "dtype is int8"))]
    both(bench, "vtensor", directory, told, 1, says)
    words = bench.verify("vtensor, each once", directory.path, told, 1)
    bench.note("vtensor, each said once", [name for name in (
        "h.0.ln_1.bias:", "h.1.ln_2.bias:", "h.2.ln_1.weight:", "h.3.mlp.c_fc.bias:")
        if words.count(name) != 1])


def hostile(bench):
    directory, told = bench.directory(SMALL)
    (directory.path / "model.safetensors").unlink()
    shutil.copy(bench.fixtures / "gpt2/hostile.bin", directory.path / "pytorch_model.bin")
    both(bench, "vpickle", directory, told, 5, ["pickle imports posix.system"])


def links(bench):
    """A snapshot of the Hub's cache."""
    directory, told = bench.directory(SMALL)
    cache = bench.folder / "models--a--b"
    shutil.rmtree(cache, ignore_errors=True)
    (cache / "blobs").mkdir(parents=True)
    snapshot = cache / "snapshots/0123"
    snapshot.mkdir(parents=True)
    for number, path in enumerate(sorted(directory.path.iterdir())):
        shutil.move(path, cache / "blobs" / str(number))
        os.symlink(f"../../blobs/{number}", snapshot / path.name)
    bench.verify("vlink", snapshot, told)


def unreadable(bench):
    """Root may read everything, so this one goes as nobody."""
    directory, told = bench.directory(SMALL)
    (directory.path / "generation_config.json").chmod(0)
    (directory.path / "extra.safetensors").write_bytes(safetensors_bytes({})[:-1])
    path = directory.path / "model.safetensors"
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    how = {"user": 65534} if os.geteuid() == 0 else {}
    bench.folder.chmod(0o755)
    try:
        if bench.run("--version", **how)[0] != 0:
            raise PermissionError
    except PermissionError:
        print("source: skipped vperm: nobody may not run the program")
        return
    status, _, words = bench.run("verify", directory.path, *told, **how)
    faults = [] if status == 3 else [f"status {status}: {words}"]
    faults += [f'does not say "{text}": {words}' for text in (
        "generation_config.json: cannot open it", "extra.safetensors: ",
        "1 of ") if text not in words]
    bench.note("vperm", faults)


def run(bench):
    for part in (missing, headers, samples, many, indexes, tensors, hostile, links, unreadable):
        part(bench)
