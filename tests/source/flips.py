"""A changed bit, anywhere: with the lists of checksums, and without them against the source."""
import io
import json
import random
import zipfile
import zlib

SEED = 20190729
SOURCE = "eras/good-small-B-v2.0-tp2-pp2.zip"
FORMS = (
    (),
    ("--max-shard-size", "4KB"),
    ("--weights", "both"),
    ("--weights", "pytorch", "--max-shard-size", "4KB"),
    ("--profile", "hf4.18"),
)


def flipped(data, bit):
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


# ---- what may go unnoticed ------------------------------------------------------------

def sums(data):
    """What a list of checksums says: sha256sum takes either case and either kind of name."""
    lines = [line for line in data.split(b"\n") if line]
    return [(line[:64].lower(), line[66:]) for line in lines
            if len(line) > 66 and line[64:66] in (b"  ", b" *")] if lines else None


def same_sums(before, after):
    return sums(before) == sums(after)


def parsed(data):
    def unique(pairs):
        if len({key for key, _ in pairs}) != len(pairs):
            raise ValueError("a key twice")
        return dict(pairs)

    try:
        return json.loads(data.decode(), object_pairs_hook=unique)
    except (ValueError, RecursionError):
        return None


# Keys of config.json that say how the model computes, or that a checkpoint tells; the rest is for
# tokenizers or for the record.
COMPUTES = ("activation_function", "layer_norm_epsilon", "n_embd", "n_head", "n_inner", "n_layer",
            "n_positions", "scale_attn_by_inverse_layer_idx", "scale_attn_weights",
            "tie_word_embeddings", "vocab_size", "model_type", "add_cross_attention",
            "attn_pdrop", "embd_pdrop", "resid_pdrop", "initializer_range", "dtype", "torch_dtype")
DEFAULTS = {"activation_function": "gelu_new", "layer_norm_epsilon": 1e-5, "n_embd": 768,
            "n_head": 12, "n_inner": None, "n_layer": 12, "n_positions": 1024,
            "scale_attn_by_inverse_layer_idx": False, "scale_attn_weights": True,
            "tie_word_embeddings": True, "vocab_size": 50257, "model_type": "gpt2",
            "add_cross_attention": False, "attn_pdrop": 0.1, "embd_pdrop": 0.1, "resid_pdrop": 0.1,
            "initializer_range": 0.02, "dtype": None, "torch_dtype": None}


def same_config(_, after, before):
    value = parsed(after)
    if not isinstance(value, dict):
        return False

    def computes(config):
        found = {key: config.get(key, DEFAULTS[key]) for key in COMPUTES}
        if found["n_inner"] is None:
            found["n_inner"] = 4 * found["n_embd"]
        return found

    return computes(value) == computes(before)


def same_index(before, after, has_sizes):
    """Metadata beside total_size is a reader's own affair, and total_size of torch files too,
    for tensors share storages there."""
    old, new = parsed(before), parsed(after)
    return isinstance(new, dict) and new.get("weight_map") == old["weight_map"] and (
        not has_sizes or not isinstance(new.get("metadata"), dict)
        or new["metadata"].get("total_size", None) in (None, old["metadata"]["total_size"]))


def same_header(before, after):
    """The tensors of a safetensors file; its __metadata__ says nothing of them."""
    length = int.from_bytes(before[:8], "little")
    if before[:8] != after[:8] or before[8 + length:] != after[8 + length:]:
        return False
    old, new = parsed(before[8:8 + length]), parsed(after[8:8 + length])
    if not isinstance(new, dict):
        return False
    old.pop("__metadata__", None)
    metadata = new.pop("__metadata__", {})
    return new == old and isinstance(metadata, dict)


def members(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def same_archive(before, after):
    """Times, attributes, versions and padding of a zip hold nothing of what is in it."""
    try:
        return members(after) == members(before)
    except (zipfile.BadZipFile, ValueError, NotImplementedError, RuntimeError, EOFError,
            zlib.error):
        return False


# ---- with checksums -------------------------------------------------------------------

def listed(bench, generator):
    """Every file of a directory as it was written."""
    for source, options, most in ((SOURCE, ("--max-shard-size", "4KB", "--weights", "both",
                                            "--tokenizer", "none"), 24),
                                  ("good-ngc-mini.zip", ("--num-attention-heads", "2"), 5)):
        out, _ = bench.convert(source, *options)
        for path in sorted(out.iterdir()):
            data, missed = path.read_bytes(), []
            for _ in range(most):
                bit = generator.randrange(8 * len(data))
                changed = flipped(data, bit)
                path.write_bytes(changed)
                status, words, err = bench.run("verify", "--progress=none", out)
                same = path.name == "SHA256SUMS" and same_sums(data, changed)
                if (status == 0) != same or (status != 0) != ("error: " in err):
                    missed.append(f"bit {bit}: status {status} {err}")
            path.write_bytes(data)
            bench.note(f"{source}: {path.name}, flipped bits", missed)


# ---- against the source ---------------------------------------------------------------

def structures(name, data):
    """Places where a flip is made on purpose, beside those at random."""
    if name.endswith(".safetensors"):
        length = int.from_bytes(data[:8], "little")
        return [*range(0, 64, 3), *range(64, 8 * min(8 + length, 400), 43),
                8 * (8 + length), 8 * len(data) - 1]
    if name.endswith(".bin"):
        return [*range(0, 8 * 40, 13), *range(8 * (len(data) - 40), 8 * len(data), 13)]
    return range(0, 8 * min(len(data), 800), 61)


def unlisted(bench, generator):
    for form in FORMS:
        out, told = bench.convert(SOURCE, "--tokenizer", "none", *form)
        for name in ("SHA256SUMS", "conversion.json"):
            (out / name).unlink()
        before = json.loads((out / "config.json").read_text())
        for path in sorted(out.iterdir()):
            if path.name in ("generation_config.json", "README.md"):
                continue                        # no checkpoint tells it
            data, missed = path.read_bytes(), []
            places = [*structures(path.name, data),
                      *(generator.randrange(8 * len(data)) for _ in range(20))]
            for bit in places:
                changed = flipped(data, bit)
                path.write_bytes(changed)
                status, _, err = bench.run("verify", "--progress=none", out, *told)
                if status != 0:
                    continue
                if path.name == "config.json":
                    same = same_config(data, changed, before)
                elif path.name.endswith(".index.json"):
                    same = same_index(data, changed, "safetensors" in path.name)
                elif path.name.endswith(".safetensors"):
                    same = same_header(data, changed)
                else:
                    same = same_archive(data, changed)
                if not same:
                    missed.append(f"bit {bit} (byte {bit // 8}) is not found: "
                                  f"{data[bit // 8 - 20:bit // 8 + 20]!r}")
            path.write_bytes(data)
            bench.note(f"{' '.join(form) or 'plain'}: {path.name}, flipped bits against the source",
                       missed)
        bench.verify(f"{' '.join(form)}: as it was", out, told)


def run(bench):
    generator = random.Random(SEED)
    listed(bench, generator)
    unlisted(bench, generator)
