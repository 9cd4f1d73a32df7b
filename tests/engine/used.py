"""--input-sha256 used: what holds no weights is not read, and nothing is said of it."""
import hashlib
import json
import re
import shutil

import checkpoints

LEAST = 64 << 10                # storages from this size on are passed over
OPTIONS = ("--tokenizer", "none", "--vocab-size", "padded")
PIECE = re.compile(r", (\d+), (\d+)\) += \d+$")


def run(bench):
    for form, write in (("zip", checkpoints.write_zip), ("legacy", checkpoints.write_legacy)):
        source = bench.folder / form / "mp_rank_00"
        source.mkdir(parents=True)
        file = source / "model_optim_rng.pt"
        one_form(bench, form, file, write(file))
    in_a_zip(bench)
    beside_pieces(bench)
    status, said = bench.convert(file, *OPTIONS, "--input-sha256", "used", "--sha256", "0" * 64)
    bench.expect("with --sha256", status == 2 and "whole files" in said, status, said)
    status, said = bench.convert(file, *OPTIONS, "--input-sha256", "some")
    bench.expect("another word", status == 2, status, said)


def one_form(bench, form, file, storages):
    content = file.read_bytes()
    status, said = bench.convert(file, *OPTIONS)
    weights = (bench.out / "model.safetensors").read_bytes()
    bench.expect(f"{form}: full", status == 0, said)
    provenance = bench.folder / f"{form}.json"
    status, said = bench.convert(file, *OPTIONS, "--input-sha256", "used", "--provenance",
                                 str(provenance), "--model-card", "auto")
    bench.expect(f"{form}: used", status == 0 and "hold no weights" in said, status, said)
    bench.expect(f"{form}: the same bytes", (bench.out / "model.safetensors").read_bytes()
                 == weights)
    manifest = json.loads((bench.out / "conversion.json").read_text())
    (read,) = manifest["inputs"]
    ranges = [(part["offset"], part["offset"] + part["bytes"]) for part in read["ranges"]]
    digest = hashlib.sha256(b"".join(content[one:two] for one, two in ranges)).hexdigest()
    bench.expect(f"{form}: the digest of the ranges", read["sha256_of_ranges"] == digest)
    bench.expect(f"{form}: no digest of the file", "sha256" not in read)
    skipped = left_out(ranges, len(content))
    expected = sorted((at := content.index(values), at + len(values))
                      for key, values in enumerate(storages)
                      if key % 3 > 0 and len(values) >= LEAST)
    bench.expect(f"{form}: the optimizer's, and no others", skipped == expected, skipped, expected)
    bench.expect(f"{form}: the manifest says so",
                 {"key": "input_sha256", "value": "used", "source": "option"}
                 in manifest["decisions"])
    (told,) = json.loads(provenance.read_text())[
        "predicate"]["buildDefinition"]["resolvedDependencies"]
    bench.expect(f"{form}: provenance", "digest" not in told
                 and told["annotations"] == {"sha256_of_ranges": digest}, told)
    card = (bench.out / "README.md").read_text()
    bench.expect(f"{form}: the model card", f"SHA-256 of the parts that were read `{digest}`"
                 in card and "0" * 64 not in card, card)
    bench.expect(f"{form}: verify", bench.verify() == 0)
    damage(bench, form, file, content, skipped)
    if bench.has_strace:
        look(bench, form, file, skipped)


def left_out(ranges, size):
    """What is in none of them; neighbours that a skipped record's header parts stay two."""
    edges = [0] + [edge for part in ranges for edge in part] + [size]
    return [(one, two) for one, two in zip(edges[::2], edges[1::2]) if one < two]


def damage(bench, form, file, content, skipped):
    """Damage in what is passed over is not seen, and elsewhere as before."""
    middle = (skipped[0][0] + skipped[0][1]) // 2
    damaged = bytearray(content)
    damaged[middle] ^= 1
    file.write_bytes(damaged)
    status, said = bench.convert(file, *OPTIONS, "--input-sha256", "used")
    bench.expect(f"{form}: damage that is not read", status == 0, status, said)
    if form == "zip":                   # the other form has no checksums
        status, said = bench.convert(file, *OPTIONS)
        bench.expect(f"{form}: damage that is read", status == 3, status, said)
        damaged = bytearray(content)
        damaged[skipped[0][0] - 4096] ^= 1      # the embedding
        file.write_bytes(damaged)
        status, said = bench.convert(file, *OPTIONS, "--input-sha256", "used")
        bench.expect(f"{form}: damage in a weight", status == 3, status, said)
    file.write_bytes(content)


def look(bench, form, file, skipped):
    """Headers are looked at in windows of 64 KiB; no more than that is read in vain."""
    status, said, calls = bench.trace(file, *OPTIONS, "--input-sha256", "used")
    vain = longest = 0
    for name, path, rest in calls:
        if name != "pread64" or not path.endswith(".pt"):
            continue
        length, offset = (int(number) for number in PIECE.search(rest).groups())
        shared = sum(max(0, min(offset + length, two) - max(offset, one))
                     for one, two in skipped)
        if length <= 65557:             # of a window
            longest = max(longest, shared)
        else:
            vain += shared
    bench.expect(f"{form}: nothing that is passed over is read",
                 status == 0 and vain == 0 and longest < 65557, status, vain, longest)


def in_a_zip(bench):
    source = bench.fixtures / "good-ngc-mini.zip"
    status, said = bench.convert(source, "--num-attention-heads", "2", "--input-sha256", "used")
    manifest = json.loads((bench.out / "conversion.json").read_text())
    bench.expect("in a zip: told", status == 0 and "is read in full" in said, status, said)
    bench.expect("in a zip: the digest of the file", manifest["inputs"][0]["sha256"]
                 == hashlib.sha256(source.read_bytes()).hexdigest())


def beside_pieces(bench):
    """What lies behind the pieces of a distributed checkpoint."""
    source = bench.folder / "dist"
    fixture = sorted(bench.fixtures.glob("dist/good-*/.metadata")) \
        or sorted(bench.fixtures.glob("dist/good-*/*/.metadata"))
    shutil.copytree(fixture[0].parent, source)
    status, said = bench.convert(source, *OPTIONS)
    bench.expect("pieces: full", status == 0, fixture[0], said)
    weights = (bench.out / "model.safetensors").read_bytes()
    file = sorted(source.glob("*.distcp"))[0]
    size = file.stat().st_size
    file.write_bytes(file.read_bytes() + bytes(3 * LEAST))
    status, said = bench.convert(source, *OPTIONS, "--input-sha256", "used")
    bench.expect("pieces: used", status == 0 and "hold no weights" in said, status, said)
    bench.expect("pieces: the same bytes",
                 (bench.out / "model.safetensors").read_bytes() == weights)
    ends = [part["offset"] + part["bytes"] for read in json.loads(
        (bench.out / "conversion.json").read_text())["inputs"] for part in read.get("ranges", ())]
    bench.expect("pieces: to the last of them", ends and max(ends) <= size, ends, size)
