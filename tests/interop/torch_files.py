"""torch.save to us and us to torch.load: both containers, every element type.

    python torch_files.py WORK              with the torch of the environment
"""
import inspect
import os
import sys

sys.dont_write_bytecode = True
import torch

from checks import Checks, convert, read, run

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "make"))
from saving_eras import EraRun, EraTruth, even

PROGRAM = "torch", torch.__version__.split("+")[0]
DTYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16, "float32": torch.float32}


def truth(dtype=torch.float16, **kind):
    return EraTruth("plain", 910, hidden=16, layers=2, heads=4, positions=24, vocabulary=96,
                    dtype=dtype, **kind)


def write(run_, folder, **options):
    for stage in range(run_.pipeline_size):
        for rank in range(run_.tensor_size):
            name = "mp_rank_%02d" % rank + ("_%03d" % stage if run_.pipeline_size > 1 else "")
            os.makedirs(os.path.join(folder, name))
            torch.save(run_.state(rank, stage, random=True),
                       os.path.join(folder, name, "model_optim_rng.pt"), **options)
    return folder


def inputs(checks, work):
    with checks.cell(*PROGRAM, "torch.save to us, legacy stream and zip, pickle protocols 2 to 5, "
                     "%s, 1 and 2 × 2 ranks: the tensors that were saved" % ", ".join(DTYPES)) as cell:
        for dtype_name, dtype in DTYPES.items():
            expected, first = truth(dtype), None
            for zipped in True, False:
                for protocol in 2, 3, 4, 5:
                    for size, plan in (1, [[2]]), (2, even(2, 2)):
                        name = "%s-%d-%d-tp%d" % (dtype_name, zipped, protocol, size)
                        source = write(EraRun(expected, "C", "v2.5", size, plan),
                                       os.path.join(work, "in-" + name), pickle_protocol=protocol,
                                       _use_new_zipfile_serialization=zipped)
                        out = convert(source, os.path.join(work, "out-" + name), "--vocab-size",
                                      "96", "--weights", "both")
                        data = read(os.path.join(out, "model.safetensors"))
                        if first is None:
                            first = data
                            compare(cell, name, torch.load(out + "/pytorch_model.bin"), expected)
                        cell.check(data == first, "%s: other bytes of model.safetensors", name)


def compare(cell, name, loaded, expected):
    tensors = expected.tensors
    cell.same(sorted(loaded), sorted(tensors), "%s: names" % name)
    for key, tensor in tensors.items():
        found = loaded[key]
        cell.check(found.dtype == tensor.dtype and torch.equal(found, tensor)
                   and found.is_contiguous(), "%s: %s is not what was saved", name, key)


def outputs(checks, work):
    how = {"weights_only": dict(weights_only=True)}
    if "mmap" in inspect.signature(torch.load).parameters:
        how["weights_only, mmap"] = dict(weights_only=True, mmap=True)
    with checks.cell(*PROGRAM, "torch.load(%s) of pytorch_model.bin: one file, shards; %s" % (
            "; ".join(how), ", ".join(DTYPES))) as cell:
        for dtype_name, dtype in DTYPES.items():
            expected = truth(dtype)
            source = write(EraRun(expected, "C", "v2.5"), os.path.join(work, "for-" + dtype_name))
            for form, options in ("one file", []), ("shards", ["--max-shard-size", "4KB"]):
                out = convert(source, os.path.join(work, "bin-%s-%s" % (dtype_name, form)),
                              "--vocab-size", "96", "--weights", "pytorch", *options)
                files = sorted(f for f in os.listdir(out) if f.endswith(".bin"))
                cell.check((len(files) > 1) == (form == "shards"), "%s: %s", form, files)
                for words, load_options in how.items():
                    loaded = {}
                    for file in files:
                        loaded.update(torch.load(os.path.join(out, file), **load_options))
                    compare(cell, "%s, %s, %s" % (dtype_name, form, words), loaded, expected)


def profile(checks, work):
    with checks.cell(*PROGRAM, "torch.load(weights_only) of `--profile hf4.18`: masks, head, the table "
                     "shared with the head") as cell:
        expected = truth()
        source = write(EraRun(expected, "C", "v2.5"), os.path.join(work, "for-profile"))
        out = convert(source, os.path.join(work, "profile"), "--vocab-size", "96", "--profile",
                      "hf4.18")
        loaded = torch.load(os.path.join(out, "pytorch_model.bin"), weights_only=True)
        for layer in range(2):
            mask = loaded.pop("transformer.h.%d.attn.bias" % layer)
            triangle = torch.tril(torch.ones(24, 24, dtype=torch.float16)).view(1, 1, 24, 24)
            cell.check(torch.equal(mask, triangle), "mask of layer %d", layer)
            masked = loaded.pop("transformer.h.%d.attn.masked_bias" % layer)
            cell.check(masked.shape == () and masked.item() == -10000, "masked_bias: %s", masked)
        head = loaded.pop("lm_head.weight")
        cell.check(head.data_ptr() == loaded["transformer.wte.weight"].data_ptr(),
                   "the head is not the embedding")
        compare(cell, "profile", loaded, expected)


def resaved(checks, work):
    """What torch has loaded and saved again is still the same to `diff`."""
    with checks.cell(*PROGRAM, "torch.load, torch.save (legacy and zip): `diff` with what we wrote") as cell:
        source = write(EraRun(truth(), "C", "v2.5"), os.path.join(work, "for-resaved"))
        out = convert(source, os.path.join(work, "resaved"), "--weights", "pytorch")
        loaded = torch.load(os.path.join(out, "pytorch_model.bin"), weights_only=True)
        for zipped in True, False:
            path = os.path.join(work, "again-%d.bin" % zipped)
            torch.save(loaded, path, _use_new_zipfile_serialization=zipped)
            run("diff", "-q", path, out)
            cell.check(True, "diff")
        loaded["transformer.ln_f.bias"][0] += 1
        torch.save(loaded, os.path.join(work, "changed.bin"))
        run("diff", "-q", os.path.join(work, "changed.bin"), out, status=1)
        cell.check(True, "diff of a changed one")


def main(work):
    checks = Checks("torch_files")
    os.makedirs(work)
    inputs(checks, work)
    outputs(checks, work)
    profile(checks, work)
    resaved(checks, work)
    return checks.end()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
