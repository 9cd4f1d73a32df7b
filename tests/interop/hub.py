"""safetensors, huggingface_hub, picklescan: what they read, compute and find in our files.

    python hub.py WORK
"""
import fnmatch
import importlib.metadata
import json
import os
import pathlib
import sys
import types

sys.dont_write_bytecode = True
import safetensors.torch
import torch
from huggingface_hub import ModelCard, split_torch_state_dict_into_shards
from huggingface_hub.serialization import save_torch_state_dict
from huggingface_hub.utils import _verification
from picklescan.scanner import scan_directory_path, scan_file_path

from checks import Checks, MINI, MINI_OPTIONS, convert, read

version = importlib.metadata.version

# Order of GPT2LMHeadModel's state.
LAYER = [part + end for part in ("ln_1", "attn.c_attn", "attn.c_proj", "ln_2", "mlp.c_fc",
                                 "mlp.c_proj") for end in (".weight", ".bias")]
SIZES = "50GB", "2MB", "1MB", "500KB", "40KB", "9KB", "5KB"

# What the Hub puts into .gitattributes of a new repository.
LFS = ("*.7z *.arrow *.bin *.bz2 *.ckpt *.ftz *.gz *.h5 *.joblib *.lfs.* *.mlmodel *.model *.msgpack "
       "*.npy *.npz *.onnx *.ot *.parquet *.pb *.pickle *.pkl *.pt *.pth *.rar *.safetensors "
       "saved_model/**/* *.tar.* *.tar *.tflite *.tgz *.wasm *.xz *.zip *.zst *tfevents*").split()


def in_model_order(tensors):
    names = ["transformer.wte.weight", "transformer.wpe.weight"]
    names += ["transformer.h.%d.%s" % (i, part) for i in range(2) for part in LAYER]
    names += ["transformer.ln_f.weight", "transformer.ln_f.bias"]
    assert sorted(names) == sorted(tensors)
    return {name: tensors[name] for name in names}


def safetensors_files(checks, work):
    with checks.cell("safetensors", version("safetensors"), "opens ours, one file and shards, three types; "
                     "save_file() of what it loaded gives the same bytes") as cell:
        for dtype in "float16", "bfloat16", "float32":
            whole = convert(MINI, os.path.join(work, dtype), *MINI_OPTIONS, "--dtype", dtype)
            path = os.path.join(whole, "model.safetensors")
            with safetensors.safe_open(path, "pt") as file:
                cell.same(file.metadata(), {"format": "pt"}, "metadata")
                tensors = {name: file.get_tensor(name) for name in file.keys()}
            cell.same({str(t.dtype) for t in tensors.values()}, {"torch." + dtype}, "types")
            safetensors.torch.save_file(tensors, os.path.join(work, "again"), {"format": "pt"})
            cell.check(read(os.path.join(work, "again")) == read(path), "%s: other bytes", dtype)
            shards = convert(MINI, os.path.join(work, dtype + "-shards"), *MINI_OPTIONS, "--dtype",
                             dtype, "--max-shard-size", "500KB")
            found = {}
            for name in sorted(os.listdir(shards)):
                if name.endswith(".safetensors"):
                    found.update(safetensors.torch.load_file(os.path.join(shards, name)))
            cell.same(sorted(found), sorted(tensors), "names in shards")
            cell.check(all(torch.equal(found[name], tensors[name]) for name in tensors),
                       "%s: other tensors in shards", dtype)


def shards(checks, work):
    hub = "huggingface_hub", version("huggingface-hub")
    with checks.cell(*hub, "split_torch_state_dict_into_shards() at %s: the same files, the same "
                     "tensors in each; save_torch_state_dict() writes the same bytes" %
                     ", ".join(SIZES)) as cell:
        tensors = in_model_order(safetensors.torch.load_file(
            os.path.join(work, "float16", "model.safetensors")))
        for size in SIZES:
            ours = convert(MINI, os.path.join(work, "shards-" + size), *MINI_OPTIONS,
                           "--max-shard-size", size)
            split = split_torch_state_dict_into_shards(tensors, max_shard_size=size)
            index = os.path.join(ours, "model.safetensors.index.json")
            cell.same(os.path.exists(index), split.is_sharded, "%s: index" % size)
            if split.is_sharded:
                found = json.loads(read(index))
                cell.same(found["weight_map"], split.tensor_to_filename, "%s: weight_map" % size)
                cell.same(found["metadata"]["total_size"], split.metadata["total_size"],
                          "%s: total_size" % size)
            theirs = os.path.join(work, "theirs-" + size)
            os.makedirs(theirs)
            save_torch_state_dict(tensors, theirs, max_shard_size=size)
            for name in split.filename_to_tensors:
                cell.check(read(os.path.join(theirs, name)) == read(os.path.join(ours, name)),
                           "%s: %s has other bytes", size, name)


def is_lfs(name):
    return any(fnmatch.fnmatch(name, pattern) for pattern in LFS)


def digests(checks, work):
    """As `hf cache verify` does, with conversion.json in the place of the Hub's answer."""
    with checks.cell("huggingface_hub", version("huggingface-hub"), "the comparison of `hf cache verify` with "
                     "conversion.json: SHA-256 of LFS files, git blob SHA-1 of the others") as cell:
        for form in [], ["--weights", "both"], ["--max-shard-size", "500KB"], ["--profile", "hf4.18"]:
            folder = convert(MINI, os.path.join(work, "digests" + "-".join(form)), *MINI_OPTIONS,
                             *form)
            remote = {}
            for row in json.loads(read(os.path.join(folder, "conversion.json")))["outputs"]:
                cell.same("git_blob_sha1" in row, not is_lfs(row["name"]), "%s: LFS" % row["name"])
                remote[row["name"]] = types.SimpleNamespace(
                    lfs=dict(sha256=row["sha256"]) if is_lfs(row["name"]) else None,
                    blob_id=row.get("git_blob_sha1"))
            root = pathlib.Path(folder)
            local = _verification.collect_local_files(root)
            result = _verification.verify_maps(remote_by_path=remote, local_by_path=local,
                                               revision="main", verified_path=root)
            cell.same(result.mismatches, [], "mismatches")
            cell.same(result.missing_paths, [], "missing")
            cell.same(result.extra_paths, ["SHA256SUMS", "conversion.json"], "extra")
            cell.same(result.checked_count, len(remote), "files compared")


def model_card(checks, work):
    with checks.cell("huggingface_hub", version("huggingface-hub"), "ModelCard reads the README.md of "
                     "--model-card auto --license mit") as cell:
        folder = convert(MINI, os.path.join(work, "card"), *MINI_OPTIONS, "--model-card", "auto",
                         "--license", "mit")
        card = ModelCard.load(os.path.join(folder, "README.md"))
        cell.same(card.data.license, "mit", "license")
        cell.same(card.data.library_name, "transformers", "library_name")
        cell.same(card.data.pipeline_tag, "text-generation", "pipeline_tag")
        cell.check("gpt2" in (card.data.tags or []), "tags: %s", card.data.tags)
        again = os.path.join(work, "card.md")
        card.save(again)
        cell.same(ModelCard.load(again).data.to_dict(), card.data.to_dict(), "saved again")


class Hostile:
    def __reduce__(self):
        return os.system, ("true",)


def scan(checks, work):
    with checks.cell("picklescan", version("picklescan"), "nothing found in our .bin; it does find "
                     "os.system") as cell:
        for name, form in ("one", []), ("shards", ["--max-shard-size", "500KB"]), \
                ("profile", ["--profile", "hf4.18"]):
            folder = convert(MINI, os.path.join(work, "scan-" + name), *MINI_OPTIONS,
                             *([] if name == "profile" else ["--weights", "pytorch"]), *form)
            for file in sorted(os.listdir(folder)):
                if file.endswith(".bin"):
                    result = scan_file_path(os.path.join(folder, file))
                    cell.same((result.issues_count, result.infected_files, result.scan_err), (0, 0, False),
                              "%s %s" % (name, file))
                    cell.check(result.scanned_files > 0, "%s %s: nothing scanned", name, file)
                    unsafe = [g for g in result.globals if g.safety.value != "innocuous"]
                    cell.same(unsafe, [], "%s %s: globals" % (name, file))
            result = scan_directory_path(folder)
            cell.same((result.issues_count, result.infected_files, result.scan_err), (0, 0, False), name)
        hostile = os.path.join(work, "hostile.bin")
        torch.save({"weight": Hostile()}, hostile)
        cell.check(scan_file_path(hostile).infected_files == 1, "it finds nothing in %s", hostile)


def main(work):
    checks = Checks("hub")
    os.makedirs(work)
    safetensors_files(checks, work)
    shards(checks, work)
    digests(checks, work)
    model_card(checks, work)
    scan(checks, work)
    return checks.end()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
