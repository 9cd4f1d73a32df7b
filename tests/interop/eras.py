"""Eras that no package builds any more: their logits against transformers on our output.

    python eras.py WORK

First the checkpoints that NVIDIA's code saved, with the logits that it computed
(fixtures/megatron); then every dialect as tests/make saves it, with the logits of
megatron_forward.py on the states of the ranks.
"""
import json
import os
import sys

sys.dont_write_bytecode = True
import numpy
import torch
import transformers

from checks import Checks, FIXTURES, convert
from megatron_forward import MegatronModel

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "make"))
from saving_eras import EraRun, EraTruth, even

HEADS = ["--num-attention-heads", "4"]

# What a checkpoint does not say, or says wrongly.
OPTIONS = {"abe36e2e5f_tp2_legacy": HEADS, "v2.0_tp2_loaded_from_v1.0": ["--qkv-layout", "0"]}

# name, dialect, era, tensor ranks, layers by chunk and stage, label, layout, kind of model
CASES = [
    ("2019 flat", "A", "2019", 2, even(6, 1), None, 0, {}),
    ("v1.0", "B", "v1.0", 1, even(6, 1), None, 0, {}),
    ("v1.0 erf, 2 ranks", "B", "v1.0", 2, even(6, 1), None, 0, dict(activation="gelu")),
    ("v1.1.5, 4 ranks", "B", "v1.1.5", 4, even(6, 1), 1.0, 1, {}),
    ("v2.0, 2 × 3 ranks", "B", "v2.0", 2, even(6, 3), 3.0, 2, {}),
    ("v2.5, virtual stages", "C", "v2.5", 2, even(6, 3, 2), 3.0, 2, {}),
    ("23.04 norms less 1", "C", "23.04", 2, even(6, 1), 3.0, 2, dict(zero_centered=True,
                                                                     epsilon=1e-3)),
    ("23.04 untied", "C", "23.04", 2, even(6, 2), 3.0, 2, dict(untied=True)),
    ("23.04 no biases", "C", "23.04", 1, even(6, 2), 3.0, 2, dict(biases="none",
                                                                  activation="gelu")),
    ("23.04 squared ReLU", "C", "23.04", 2, even(6, 1), 3.0, 2, dict(activation="relu2")),
    ("input_norm names", "Cn", "core_v0.4.0", 2, even(6, 2), 3.0, 2, dict(zero_centered=True)),
    ("legacy Transformer Engine", "Ct", "core_v0.4.0", 2, even(6, 2), 3.0, 2, {}),
    ("mcore", "D", "core_v0.8.0", 4, even(6, 3), 3.0, 2, {}),
    ("mcore QKV biases only", "D", "core_v0.8.0", 2, even(6, 1), 3.0, 2, dict(biases="qkv",
                                                                            activation="gelu")),
    ("mcore Transformer Engine", "Dt", "core_v0.16.0", 2, even(6, 3, 2), 3.0, 2, dict(ffn=48)),
]


def ours(folder, ids):
    model = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager").eval()
    with torch.no_grad():
        return model(ids).logits


def compare(cell, name, found, expected, tolerance):
    apart = float((found.double() - expected.double()).abs().max())
    largest = float(expected.abs().max())
    print("%s: %.3g apart, largest %.3g" % (name, apart, largest))
    cell.check(found.shape == expected.shape and largest > 0.5 and
               apart <= tolerance * max(1.0, largest), "%s: logits %g apart, largest %g", name,
               apart, largest)


def nvidia(checks, work):
    root = os.path.join(FIXTURES, "megatron")
    names = sorted(name for name in os.listdir(root)
                   if os.path.exists(os.path.join(root, name, "logits.npy")))
    with checks.cell("Megatron-LM, its own code", ", ".join(
            sorted({json.load(open(os.path.join(root, name, "meta.json")))["tag"]
                    for name in names})), "logits that it computed of the %d models that it saved "
                     "(fixtures/megatron) against transformers %s on ours, to 2e-5" % (
                         len(names), transformers.__version__)) as cell:
        for name in names:
            sample = os.path.join(root, name)
            out = convert(os.path.join(sample, "checkpoint"), os.path.join(work, name),
                          "--vocab-size", "padded", *OPTIONS.get(name, []))
            with open(os.path.join(sample, "tokens.json")) as file:
                ids = torch.tensor(json.load(file))
            expected = torch.from_numpy(numpy.load(os.path.join(sample, "logits.npy")))
            compare(cell, name, ours(out, ids), expected, 2e-5)


def dialects(checks, work):
    with checks.cell("Megatron's forward pass in PyTorch", "megatron_forward.py", "logits on the states of the "
                     "ranks against transformers %s on ours, to 1e-5: %s" % (
                         transformers.__version__, ", ".join(row[0] for row in CASES))) as cell:
        ids = torch.randint(0, 101, (2, 16), generator=torch.Generator().manual_seed(7))
        for number, (name, dialect, era, size, plan, version, layout, kind) in enumerate(CASES):
            truth = EraTruth("era", 930 + number, hidden=32, layers=6, heads=4, positions=24,
                             vocabulary=101, dtype=torch.float32, **kind)
            run = EraRun(truth, dialect, era, size, plan, layout, version)
            states = [[run.state(rank, stage) for rank in range(size)]
                      for stage in range(run.pipeline_size)]
            source = os.path.join(work, "era%d" % number)
            for stage, ranks in enumerate(states):
                for rank, state in enumerate(ranks):
                    folder = os.path.join(source, "mp_rank_%02d" % rank + (
                        "_%03d" % stage if len(states) > 1 else ""))
                    os.makedirs(folder)
                    torch.save(state, os.path.join(folder, "model_optim_rng.pt"))
            out = convert(source, source + "-hf", "--vocab-size", "101",
                          *(HEADS if era == "2019" else []))
            model = MegatronModel(states, len(plan), layout, 4, truth.activation, truth.epsilon,
                                  truth.zero_centered)
            compare(cell, name, ours(out, ids), model.logits(ids)[..., :101], 1e-5)
            if layout != 2 or size == 4:        # one head on a rank: 0 and 2 are the same
                continue
            wrong = MegatronModel(states, len(plan), 0, 4, truth.activation, truth.epsilon,
                                  truth.zero_centered).logits(ids)[..., :101]
            cell.check(float((wrong - ours(out, ids)).abs().max()) > 0.1,
                       "%s: another QKV layout makes no difference", name)


def main(work):
    checks = Checks("eras")
    os.makedirs(work)
    nvidia(checks, work)
    dialects(checks, work)
    return checks.end()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
