"""The NGC release: members, conversion, source comparison, logits.

    NGC=FILE python ngc.py WORK             the published megatron_lm_345m zip
    python ngc.py WORK                      a stand-in of its size and form, random weights

The published file must give the 19 logits that were recorded for it; those of the stand-in
are what PyTorch computes by Megatron's forward pass on the checkpoint.
"""
import hashlib
import io
import json
import os
import subprocess
import sys
import zipfile

sys.dont_write_bytecode = True
import torch
import transformers

from checks import Checks, convert, read, run
from megatron_forward import MegatronModel

IDS = [101, 7110, 1005, 1056, 2023, 11333, 17413, 1029, 102]
PUBLISHED = [4.9414, -0.2920, -1.2148, -4.0273, -0.5161, -5.2109, -1.2412, -1.8301, -1.7734, -4.7148,
             -0.2317, -1.0811, -2.1777, 0.4141, -3.7969, -4.0586, -2.5332, -3.3809, 4.3867]
PLACES = [(8 * i // 17, 2792 * i) for i in range(19)]   # row and column of each
TENSORS, BYTES, CONFIG_SHA256 = 292, 709676376, (
    "0f7b4b63f24c7ce98fb5981670d99f7c9f5d0162bb50790b714b16cfa96e6008")
TOLERANCE = 1e-2


def stand_in(work):
    bench = os.path.join(os.environ["INTEROP_BUILD"], "bench")
    folder, path = os.path.join(work, "ngc"), os.path.join(work, "stand-in.zip")
    subprocess.run([os.path.join(bench, "make_ngc"), folder], check=True)
    subprocess.run([os.path.join(bench, "make_zip"), "deflate", folder, path], check=True)
    return path


def sha256(file):
    digest = hashlib.sha256()
    for block in iter(lambda: file.read(1 << 22), b""):
        digest.update(block)
    return digest.hexdigest()


def list_members(path):
    """A line for the file and for each member; the bytes of the checkpoint."""
    with open(path, "rb") as file:
        print("interop-ngc: %s: %d bytes, sha256 %s" % (
            os.path.basename(path), os.path.getsize(path), sha256(file)), flush=True)
    checkpoint = None
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            with archive.open(member) as file:
                print("interop-ngc:   %s: %d bytes, %d packed by method %d, sha256 %s" % (
                    member.filename, member.file_size, member.compress_size,
                    member.compress_type, sha256(file)), flush=True)
            if member.filename.endswith("model_optim_rng.pt"):
                checkpoint = archive.read(member)
    return checkpoint


def megatron_logits(checkpoint):
    state = torch.load(io.BytesIO(checkpoint), map_location="cpu", weights_only=True)
    print("interop-ngc: top-level keys of the checkpoint: %s" % ", ".join(map(str, state)))
    model = MegatronModel([[state]], 1, 0, 16, "gelu_new", 1e-5, False)
    with torch.no_grad():
        return model.logits(torch.tensor([IDS]))[..., :50257]


def main(work):
    checks = Checks("ngc")
    os.makedirs(work)
    given = os.environ.get("NGC")
    path = os.path.abspath(given) if given else stand_in(work)
    what = "the published file" if given else "a full-size stand-in"
    checkpoint = list_members(path)
    with checks.cell("NGC megatron_lm_345m", what, "convert: 292 tensors, 709,676,376 bytes, config.json; "
                     "verify --source") as cell:
        out = convert(path, os.path.join(work, "out"))
        size = os.path.getsize(os.path.join(out, "model.safetensors"))
        cell.same(size, BYTES, "bytes of model.safetensors")
        cell.same(hashlib.sha256(read(os.path.join(out, "config.json"))).hexdigest(),
                  CONFIG_SHA256, "config.json")
        report = json.loads(run("verify", out, "--source", path, "--json"))
        cell.same((report["tensors"], report["compared"]), (TENSORS, TENSORS), "tensors compared")
    with checks.cell("NGC megatron_lm_345m", what, "logits of transformers %s, float32, against %sPyTorch on "
                     "the checkpoint, to 1e-2" % (transformers.__version__, "the 19 published and "
                                                  if given else "")) as cell:
        model, report = transformers.AutoModelForCausalLM.from_pretrained(
            out, dtype=torch.float32, output_loading_info=True)
        for key in "missing_keys", "unexpected_keys", "mismatched_keys":
            cell.same(sorted(report[key]), [], key)
        with torch.no_grad():
            found = model.eval()(torch.tensor([IDS])).logits
        del model
        cell.same(tuple(found.shape), (1, 9, 50257), "shape")
        expected = megatron_logits(checkpoint)
        apart = float((found.double() - expected).abs().max())
        print("interop-ngc: at most %.2g from PyTorch on the checkpoint; largest logit %.4g" % (
            apart, float(expected.abs().max())))
        cell.check(apart <= TOLERANCE, "logits %g from PyTorch's", apart)
        if given:
            for (row, column), value in zip(PLACES, PUBLISHED):
                ours = float(found[0, row, column])
                cell.check(abs(ours - value) <= TOLERANCE, "logit [%d, %d]: %.4f, published %.4f",
                           row, column, ours, value)
    return checks.end()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
