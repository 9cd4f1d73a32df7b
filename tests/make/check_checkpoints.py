#!/usr/bin/python3
"""Run a Megatron checkpoint as Megatron runs it, and compare the logits.

    /usr/bin/python3 tests/make/check_checkpoints.py FOLDER...

FOLDER holds checkpoint/, tokens.json, logits.npy and meta.json, as fixtures/megatron/*.
make_checkpoints.py --check uses check() for its own, against a GPT-2 forward pass of the
truth.  Nothing is converted here: every tensor rank computes its heads and its part of the
MLP from its own rows, and the parts are added up, so that a wrong idea of what a rank saves
shows as wrong numbers.
"""
import io
import json
import math
import os
import re
import sys
import zipfile
from collections import OrderedDict

import numpy as np
import torch

sys.dont_write_bytecode = True
import saving_eras              # for the classes that args hold

TOLERANCE = 2e-4


def gelu_tanh(x):
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3)))


def gelu_erf(x):
    return 0.5 * x * (1 + torch.erf(torch.from_numpy(x / math.sqrt(2))).numpy())


def relu_squared(x):
    return np.maximum(x, 0) ** 2


ACTIVATIONS = dict(gelu_new=gelu_tanh, gelu_tanh=gelu_tanh, gelu=gelu_erf, gelu_erf=gelu_erf,
                   relu2=relu_squared)


def norm(x, weight, bias, epsilon=1e-5):
    mean = x.mean(-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + epsilon) * weight + bias


def attend(query, key, value):
    """[heads, places, dim] each; causal."""
    places, dim = query.shape[1:]
    scores = query @ key.transpose(0, 2, 1) / math.sqrt(dim)
    scores = np.where(np.tril(np.ones((places, places), bool)), scores, -np.inf)
    scores = np.exp(scores - scores.max(-1, keepdims=True))
    return scores / scores.sum(-1, keepdims=True) @ value


def gpt2_logits(truth, tokens, gelu):
    t = {name: tensor.double().numpy() for name, tensor in truth.tensors.items()}
    h, dim = truth.hidden, truth.hidden // truth.heads
    epsilon = getattr(truth, "epsilon", 1e-5)
    x = t["transformer.wte.weight"][tokens] + t["transformer.wpe.weight"][:len(tokens)]
    heads = lambda y: y.reshape(len(tokens), truth.heads, dim).transpose(1, 0, 2)
    for i in range(truth.layers):
        get = lambda name: t["transformer.h.%d.%s" % (i, name)]
        y = norm(x, get("ln_1.weight"), get("ln_1.bias"), epsilon)
        y = y @ get("attn.c_attn.weight") + get("attn.c_attn.bias")
        y = attend(*(heads(y[:, j * h:(j + 1) * h]) for j in range(3)))
        y = y.transpose(1, 0, 2).reshape(len(tokens), h)
        x = x + y @ get("attn.c_proj.weight") + get("attn.c_proj.bias")
        y = norm(x, get("ln_2.weight"), get("ln_2.bias"), epsilon)
        y = gelu(y @ get("mlp.c_fc.weight") + get("mlp.c_fc.bias"))
        x = x + y @ get("mlp.c_proj.weight") + get("mlp.c_proj.bias")
    x = norm(x, t["transformer.ln_f.weight"], t["transformer.ln_f.bias"],
             epsilon)
    return x @ t.get("lm_head.weight", t["transformer.wte.weight"]).T


# ---- Megatron -----------------------------------------------------------------------------

def split_qkv(mixed, layout, heads, dim):
    """[places, 3 heads dim] of one rank to three [heads, places, dim], as each era did."""
    places = mixed.shape[0]
    if layout == 0:                     # split the last axis in 3, then see heads
        parts = [part.reshape(places, heads, dim) for part in np.split(mixed, 3, -1)]
    elif layout == 1:
        parts = np.moveaxis(mixed.reshape(places, heads, dim, 3), -1, 0)
    else:
        parts = np.split(mixed.reshape(places, heads, 3 * dim), 3, -1)
    return [part.transpose(1, 0, 2) for part in parts]


# Later names, one after the other, to those of 2019.
RENAMED = [(re.compile(pattern), name) for pattern, name in (
    (r"^.*\b(layers\.|word_embeddings\.|position_embeddings\.|final_|output_layer\.)", r"\1"),
    (r"\bself_attention\.(layernorm_qkv|linear_qkv)\.layer_norm_", "input_layernorm."),
    (r"\b(layernorm_mlp|mlp\.linear_fc1)\.layer_norm_", "post_attention_layernorm."),
    (r"\bpre_mlp_layernorm", "post_attention_layernorm"),
    (r"(input|attention|final)_norm\.", r"\1_layernorm."),
    (r"\bself_attention\.", "attention."),
    (r"\b(layernorm_qkv|linear_qkv)\b", "query_key_value"),
    (r"\b(proj|linear_proj)\b", "dense"),
    (r"\blayernorm_mlp\.fc1_|\bmlp\.linear_fc1\.", "mlp.dense_h_to_4h."),
    (r"\blayernorm_mlp\.fc2_|\bmlp\.linear_fc2\.", "mlp.dense_4h_to_h."))]


def name_2019(name):
    for pattern, other in RENAMED:
        name = pattern.sub(other, name)
    return name


def each_entry(table, path=""):
    for name, value in table.items():
        if isinstance(value, dict):
            yield from each_entry(value, path + name + ".")
        else:
            yield path + name, value


def plain(model):
    """The parameters of a model by the names of 2019, whichever dialect."""
    flat = {}
    for name, value in each_entry(model):
        if not name.endswith("_extra_state") and not re.match(
                r"(.*\.)?(mtp|word_embeddings_for_head)\.", name):
            flat[name_2019(name)] = value.detach().double().numpy()
    return flat


class Settings:
    """What a forward pass needs beside the weights."""

    def __init__(self, heads, layout, activation, epsilon=1e-5, zero_centered=False):
        self.heads, self.layout, self.gelu = heads, layout, ACTIVATIONS[activation]
        self.epsilon, self.zero_centered = epsilon, zero_centered

    def norm(self, x, rank, name):
        return norm(x, rank[name + ".weight"] + (1 if self.zero_centered else 0),
                    rank[name + ".bias"], self.epsilon)


def megatron_layer(x, ranks, number, settings):
    """Every rank computes its heads and its part of the MLP; the parts are added up."""
    size, places, dim = len(ranks), len(x), x.shape[-1] // settings.heads
    at = "layers.%d." % number
    bias = lambda rank, name: rank.get(at + name + ".bias", 0)
    y = settings.norm(x, ranks[0], at + "input_layernorm")
    total = 0
    for rank in ranks:
        mixed = (y @ rank[at + "attention.query_key_value.weight"].T
                 + bias(rank, "attention.query_key_value"))
        context = attend(*split_qkv(mixed, settings.layout, settings.heads // size, dim))
        context = context.transpose(1, 0, 2).reshape(places, -1)
        total = total + context @ rank[at + "attention.dense.weight"].T
    x = x + total + bias(ranks[0], "attention.dense")
    y = settings.norm(x, ranks[0], at + "post_attention_layernorm")
    total = 0
    for rank in ranks:
        inner = settings.gelu(y @ rank[at + "mlp.dense_h_to_4h.weight"].T
                              + bias(rank, "mlp.dense_h_to_4h"))
        total = total + inner @ rank[at + "mlp.dense_4h_to_h.weight"].T
    return x + total + bias(ranks[0], "mlp.dense_4h_to_h")


def in_order(grid):
    """The chunks of grid[stage][rank] as a token passes them: lists of ranks' parameters."""
    chunks = sorted((name for name in grid[0][0] if re.fullmatch(r"model\d*", name)),
                    key=lambda name: int(name[5:] or 0))
    return [[plain(state[chunk]) for state in stage] for chunk in chunks for stage in grid]


def megatron_logits(grid, settings, tokens):
    """grid[stage][rank]: a state."""
    parts = in_order(grid)
    words = np.concatenate([rank["word_embeddings.weight"] for rank in parts[0]])
    x = words[tokens] + parts[0][0]["position_embeddings.weight"][:len(tokens)]
    for ranks in parts:
        for number in range(len({name.split(".")[1] for name in ranks[0]
                                 if name.startswith("layers.")})):
            x = megatron_layer(x, ranks, number, settings)
    x = settings.norm(x, parts[-1][0], "final_layernorm")
    head = words
    if "output_layer.weight" in parts[-1][0]:
        head = np.concatenate([rank["output_layer.weight"] for rank in parts[-1]])
    return x @ head.T


def rank_streams(path):
    """{(stage, rank): bytes} of a .pt, a zip of them, or a checkpoint root."""
    if os.path.isdir(path):
        with open(os.path.join(path, "latest_checkpointed_iteration.txt")) as file:
            word = file.read().strip()
        root = os.path.join(path, word if word == "release" else "iter_%07d" % int(word))
        names = {os.path.join(name, "model_optim_rng.pt"): None for name in os.listdir(root)}
        names = {n: open(os.path.join(root, n), "rb").read() for n in names
                 if os.path.exists(os.path.join(root, n))}
    else:
        with open(path, "rb") as file:
            data = file.read()
        names = {"mp_rank_00/": data}
        if path.endswith(".zip"):
            with zipfile.ZipFile(path) as archive:
                names = {n: archive.read(n) for n in archive.namelist()
                         if n.endswith("model_optim_rng.pt")}
    streams = OrderedDict()
    for name, data in sorted(names.items()):
        place = name[name.index("mp_rank_") + 8:].split("/")[0].split("_")
        streams[int(place[1]) if len(place) > 1 else 0, int(place[0])] = data
    return streams


def load_grid(path):
    streams = rank_streams(path)
    stages, ranks = (max(key[i] for key in streams) + 1 for i in (0, 1))
    load = lambda data: torch.load(io.BytesIO(data), map_location="cpu")
    return [[load(streams[stage, rank]) for rank in range(ranks)] for stage in range(stages)]


def layout_of(state):
    version = state.get("checkpoint_version", 0)
    return 0 if version == 0 else 1 if version == 1 else 2


TOKENS = [5, 17, 80, 99, 0, 33, 33, 64]


def check_grid(name, grid, truth, layout):
    """Does a grid of states compute what its truth computes?  The difference."""
    tokens = np.array(TOKENS[:truth.positions])
    settings = Settings(truth.heads, layout, getattr(truth, "activation", "gelu_new"),
                        getattr(truth, "epsilon", 1e-5), getattr(truth, "zero_centered", False))
    found = megatron_logits(grid, settings, tokens)
    expected = gpt2_logits(truth, tokens, settings.gelu)
    difference = np.abs(found[:, :truth.vocabulary] - expected).max()
    if not difference < 1e-9:
        raise SystemExit("%s: logits differ by %g" % (name, difference))
    return difference


def check(path, truth):
    if truth.name == "odd-values":      # all logits are NaN
        return
    grid = load_grid(path)
    print("%s: %g" % (path, check_grid(path, grid, truth, layout_of(grid[0][0]))))


def check_sample(folder):
    """A folder of fixtures/megatron against the logits that NVIDIA's code computed."""
    with open(os.path.join(folder, "meta.json")) as file:
        meta = json.load(file)
    with open(os.path.join(folder, "tokens.json")) as file:
        tokens = json.load(file)
    grid = load_grid(os.path.join(folder, "checkpoint"))
    args = vars(grid[0][0].get("args", object)) if "args" in grid[0][0] else {}
    settings = Settings(
        meta["heads"], meta.get("true_qkv_layout", layout_of(grid[0][0])), meta["activation"],
        args.get("layernorm_epsilon", args.get("norm_epsilon", 1e-5)), meta["layernorm_1p"])
    for row, logits in zip(tokens, np.load(os.path.join(folder, "logits.npy"))):
        difference = np.abs(megatron_logits(grid, settings, np.array(row)) - logits).max()
        print("%s: %g" % (folder, difference))
        if not difference <= TOLERANCE:
            raise SystemExit("%s: logits differ by more than %g" % (folder, TOLERANCE))


def main():
    for folder in sys.argv[1:]:
        check_sample(folder)


if __name__ == "__main__":
    main()
