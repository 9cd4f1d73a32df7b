"""The removed converters of transformers beside ours, on the same checkpoints.

    python reference.py WORK                with the transformers of the environment

convert_megatron_gpt2_checkpoint.py reads one file, checkpoint_reshaping_and_interoperability.py
a folder of ranks.  They get their tokenizer from a local folder that has the name of the
hub's.  Where they are right, every tensor and every mask is the same as ours; where they are
known to be wrong, the difference must be the known one.
"""
import json
import os
import subprocess
import sys

sys.dont_write_bytecode = True
import torch
import transformers

from checks import Checks, MEGATRON2HF, MINI, MINI_OPTIONS, convert

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "make"))
from make_checkpoints import save
from saving_eras import EraRun, EraTruth, even

VERSION = tuple(int(part) for part in transformers.__version__.split(".")[:2])
PROGRAM = "%s, torch %s" % (transformers.__version__, torch.__version__.split("+")[0])
SINGLE = "convert_megatron_gpt2_checkpoint"
RESHAPE = "checkpoint_reshaping_and_interoperability"
MODULES = {SINGLE: "transformers.models.megatron_gpt2." + SINGLE,
           RESHAPE: "transformers.models.megatron_gpt2." + RESHAPE}

C_ATTN = {"transformer.h.%d.attn.c_attn.%s" % (i, end) for i in range(2)
          for end in ("weight", "bias")}
NORMS = {"transformer.%s.weight" % at for at in ("h.0.ln_1", "h.0.ln_2", "h.1.ln_1", "h.1.ln_2",
                                                 "ln_f")}


def truth(name="plain", seed=900, **kind):
    return EraTruth(name, seed, hidden=8, layers=2, heads=2, positions=24, vocabulary=50257, **kind)


class Reference:
    def __init__(self, work):
        self.work, self.cwd = work, os.path.join(work, "cwd")
        os.makedirs(os.path.join(self.cwd, "openai-community"))
        made = convert(MINI, os.path.join(work, "tokenizer"), *MINI_OPTIONS)
        for name in "gpt2", "openai-community/gpt2":
            os.symlink(made, os.path.join(self.cwd, name))
        self.made = made
        for name in "model", "core":            # the args of later eras name these enums
            enums = os.path.join(self.cwd, "megatron", name, "enums.py")
            os.makedirs(os.path.dirname(enums))
            with open(enums, "w") as file:
                file.write("import enum\n\n\n"
                           "class ModelType(enum.Enum):\n    encoder_or_decoder = 1\n")

    def single(self, path, *options):
        """What the script for one file leaves in the folder of the file."""
        return self.start(SINGLE, path, *options), os.path.dirname(path)

    def reshape(self, folder):
        to = folder + "-theirs"
        os.makedirs(to)
        return self.start(RESHAPE, "--convert_checkpoint_from_megatron_to_transformers",
                          "--load_path", folder, "--save_path", to), to

    def start(self, script, *arguments):
        return subprocess.run(
            [sys.executable, "-u", "-m", MODULES[script], *arguments], cwd=self.cwd,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def run_of(kind, dialect, era, tensor_size=1, plan=None, **changes):
    """A run that has what the scripts ask of args, whenever that came to be."""
    return EraRun(kind, dialect, era, tensor_size, plan, divisible_by=128,
                  ffn_hidden_size=kind.ffn, **changes)


def write(run_, folder, zipped):
    """The iteration folder of a checkpoint."""
    for stage in range(run_.pipeline_size):
        for rank in range(run_.tensor_size):
            name = "mp_rank_%02d" % rank + ("_%03d" % stage if run_.pipeline_size > 1 else "")
            os.makedirs(os.path.join(folder, name))
            with open(os.path.join(folder, name, "model_optim_rng.pt"), "wb") as file:
                file.write(save(run_.state(rank, stage), zipped))
    return folder


def last_line(done):
    return done.stdout.decode(errors="replace").strip().split("\n")[-1]


def differing(theirs, ours):
    """Names whose numbers or shapes differ, or that one lacks."""
    done = subprocess.run([MEGATRON2HF, "diff", "--json", theirs, ours], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    report = json.loads(done.stdout)
    if done.returncode not in (0, 1):
        raise RuntimeError("diff: %s" % report["error"])
    names = {(pair["a"] or pair["b"])["name"] for pair in report["pairs"]
             if pair["state"] != "equal"}
    if bool(names) != (done.returncode == 1):
        raise RuntimeError("diff: status %d with %d differing" % (done.returncode, len(names)))
    return names


def verify_says(theirs, source, *options):
    """(status, problems) of `verify THEIRS --source SRC`."""
    done = subprocess.run([MEGATRON2HF, "verify", theirs, "--source", source, "--json", *options],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          stdin=subprocess.DEVNULL)
    return done.returncode, json.loads(done.stdout)["problems"]


def expect_same(cell, name, done, theirs, source, *options):
    """Theirs is ours: every tensor, by diff and by verify --source."""
    cell.check(done.returncode == 0, "%s: their status is %d: %s", name, done.returncode,
               last_line(done))
    if done.returncode != 0:
        return
    dtype = ["--dtype", "float32"] if RESHAPE in str(done.args) else []
    ours = convert(source, theirs + "-ours", "--profile", "hf4.18", *dtype, *options)
    cell.same(differing(theirs, ours), set(), "%s: tensors that differ" % name)
    status, problems = verify_says(theirs, source, *options)
    cell.check(status == 0, "%s: verify --source: status %d, %s", name, status,
               problems[:3])


def expect_wrong(cell, name, done, theirs, source, wrong, cause, *options):
    """They end well and are wrong: in those tensors, and verify names the cause."""
    cell.check(done.returncode == 0, "%s: their status is %d: %s", name, done.returncode,
               last_line(done))
    if done.returncode != 0:
        return
    dtype = ["--dtype", "float32"] if RESHAPE in str(done.args) else []
    ours = convert(source, theirs + "-ours", "--profile", "hf4.18", *dtype, *options)
    cell.same(differing(theirs, ours), wrong, "%s: tensors that differ" % name)
    status, problems = verify_says(theirs, source, *options)
    text = json.dumps(problems)
    cell.check(status == 1 and cause in text, "%s: verify --source: status %d, not %r in %s", name,
               status, cause, text)


def expect_failure(cell, name, done, word):
    said = last_line(done)
    cell.check(done.returncode != 0 and word in said, "%s: status %d, %r", name, done.returncode,
               said)


def single_files(checks, reference):
    plain = truth()
    cases = [("no label", run_of(plain, "B", "v2.0", layout=0, version=None), False),
             ("checkpoint_version 1.0", run_of(plain, "B", "v2.0", layout=1, version=1.0), False),
             ("checkpoint_version 2.0", run_of(plain, "B", "v2.0", layout=2, version=2.0), True),
             ("checkpoint_version 3.0", run_of(plain, "B", "v2.0", layout=2, version=3.0), True),
             ("encoder, v2.5", run_of(plain, "C", "v2.5"), True),
             ("encoder, bfloat16", run_of(truth(dtype=torch.bfloat16), "C", "23.04"), True)]
    with checks.cell("transformers: " + SINGLE, PROGRAM, "same tensors, `diff` and `verify --source`: "
                     "bundled zip without args, %s" % ", ".join(c[0] for c in cases)) as cell:
        folder = os.path.join(reference.work, "zip")
        os.makedirs(folder)
        os.symlink(MINI, os.path.join(folder, "good.zip"))
        config = json.load(open(os.path.join(reference.made, "config.json")))
        with open(os.path.join(reference.work, "their-config.json"), "w") as file:
            json.dump(config, file)
        done, theirs = reference.single(os.path.join(folder, "good.zip"), "--config_file",
                                        os.path.join(reference.work, "their-config.json"))
        os.remove(os.path.join(folder, "good.zip"))
        expect_same(cell, "zip", done, theirs, MINI, *MINI_OPTIONS)
        for number, (name, run_, zipped) in enumerate(cases):
            source = write(run_, os.path.join(reference.work, "single%d" % number), zipped)
            path = os.path.join(source, "mp_rank_00", "model_optim_rng.pt")
            done, theirs = reference.single(path)
            expect_same(cell, name, done, theirs, path, "--vocab-size", "padded")

    wrong = [("norms less 1", run_of(truth(zero_centered=True), "C", "23.04"), NORMS,
              "1 was not added"),
             ("untied head", run_of(truth(untied=True), "C", "23.04"), {"lm_head.weight"},
              "lm_head.weight"),
             ("encoder without a label", run_of(plain, "C", "v2.5", version=None), C_ATTN,
              "QKV layout 0")]
    with checks.cell("transformers: " + SINGLE, PROGRAM, "where it is wrong: %s, norms named "
                     "input_norm, args of v1.0" % ", ".join(c[0] for c in wrong)) as cell:
        cell.explain("it ends with status 0 and wrong tensors, which `diff` lists and `verify "
                     "--source` explains; input_norm is a KeyError, args of v1.0 an AttributeError")
        for number, (name, run_, names, cause) in enumerate(wrong):
            source = write(run_, os.path.join(reference.work, "wrong%d" % number), True)
            path = os.path.join(source, "mp_rank_00", "model_optim_rng.pt")
            done, theirs = reference.single(path)
            expect_wrong(cell, name, done, theirs, path, names, cause, "--vocab-size", "padded")
        source = write(run_of(plain, "Cn", "core_v0.4.0"),
                       os.path.join(reference.work, "norm-names"), True)
        done, _ = reference.single(os.path.join(source, "mp_rank_00", "model_optim_rng.pt"))
        expect_failure(cell, "norm names", done, "KeyError: 'input_norm'")
        source = write(EraRun(plain, "B", "v1.0", layout=0, version=None),
                       os.path.join(reference.work, "v1.0"), False)
        done, _ = reference.single(os.path.join(source, "mp_rank_00", "model_optim_rng.pt"))
        expect_failure(cell, "args of v1.0", done, "no attribute 'bias_gelu_fusion'")


def many_ranks(checks, reference):
    if VERSION < (4, 23):
        return
    plain = truth()
    cases = [("1 rank, 1.0", run_of(plain, "B", "v2.0", layout=1, version=1.0)),
             ("2 tensor ranks, 1.0", run_of(plain, "B", "v2.0", 2, layout=1, version=1.0)),
             ("2 tensor ranks, 3.0", run_of(plain, "C", "23.04", 2)),
             ("2 tensor ranks, 2 stages", run_of(plain, "C", "23.04", 2, even(2, 2)))]
    name = "transformers: " + RESHAPE
    if VERSION >= (4, 47):
        with checks.cell(name, PROGRAM, "it no longer works") as cell:
            source = write(cases[2][1], os.path.join(reference.work, "ranks"), True)
            done, _ = reference.reshape(source)
            expect_failure(cell, "4.47", done, "KeyError: 'transformer.wpe.weight'")
            cell.explain("KeyError `transformer.wpe.weight` in its last step, since its 4.47")
        return
    with checks.cell(name, PROGRAM, "same tensors in float32, `diff` and `verify --source`: %s" %
                     ", ".join(c[0] for c in cases)) as cell:
        for number, (what, run_) in enumerate(cases):
            source = write(run_, os.path.join(reference.work, "ranks%d" % number), True)
            done, theirs = reference.reshape(source)
            expect_same(cell, what, done, theirs, source, "--vocab-size", "padded")

    wrong = [("2 tensor ranks, checkpoint_version 0", run_of(plain, "B", "v2.0", 2, layout=0,
                                                             version=0), C_ATTN, "c_attn"),
             ("norms less 1", run_of(truth(zero_centered=True), "C", "23.04", 2), NORMS,
              "1 was not added"),
             ("untied head", run_of(truth(untied=True), "C", "23.04", 2), {"lm_head.weight"},
              "lm_head.weight")]
    with checks.cell(name, PROGRAM, "where it is wrong: %s, virtual stages" % ", ".join(
            c[0] for c in wrong)) as cell:
        cell.explain("it ends with status 0 and wrong tensors, which `diff` lists and `verify "
                     "--source` explains; virtual stages are an AttributeError")
        for number, (what, run_, names, cause) in enumerate(wrong):
            source = write(run_, os.path.join(reference.work, "ranks-wrong%d" % number), True)
            done, theirs = reference.reshape(source)
            expect_wrong(cell, what, done, theirs, source, names, cause, "--vocab-size", "padded")
        four = EraTruth("four", 901, hidden=8, layers=4, heads=2, positions=24,
                        vocabulary=50257)
        source = write(run_of(four, "C", "23.04", 1, even(4, 2, 2)),
                       os.path.join(reference.work, "virtual"), True)
        done, _ = reference.reshape(source)
        expect_failure(cell, "virtual stages", done, "AttributeError: 'dict'")


def main(work):
    checks = Checks("reference")
    reference = Reference(os.path.abspath(work))
    single_files(checks, reference)
    many_ranks(checks, reference)
    return checks.end()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
