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
import sys
import zipfile
from collections import OrderedDict

import numpy as np
import torch

TOLERANCE = 2e-4


def gelu_tanh(x):
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3)))


def gelu_erf(x):
    return 0.5 * x * (1 + torch.erf(torch.from_numpy(x / math.sqrt(2))).numpy())


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
    x = t["transformer.wte.weight"][tokens] + t["transformer.wpe.weight"][:len(tokens)]
    heads = lambda y: y.reshape(len(tokens), truth.heads, dim).transpose(1, 0, 2)
    for i in range(truth.layers):
        get = lambda name: t["transformer.h.%d.%s" % (i, name)]
        y = norm(x, get("ln_1.weight"), get("ln_1.bias"))
        y = y @ get("attn.c_attn.weight") + get("attn.c_attn.bias")
        y = attend(*(heads(y[:, j * h:(j + 1) * h]) for j in range(3)))
        y = y.transpose(1, 0, 2).reshape(len(tokens), h)
        x = x + y @ get("attn.c_proj.weight") + get("attn.c_proj.bias")
        y = norm(x, get("ln_2.weight"), get("ln_2.bias"))
        y = gelu(y @ get("mlp.c_fc.weight") + get("mlp.c_fc.bias"))
        x = x + y @ get("mlp.c_proj.weight") + get("mlp.c_proj.bias")
    x = norm(x, t["transformer.ln_f.weight"], t["transformer.ln_f.bias"])
    return x @ t["transformer.wte.weight"].T


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


def plain(state):
    """Parameters of a state by their names within language_model, whichever dialect."""
    model = state["model"]
    flat = {}
    if "language_model" in model:
        language_model = model["language_model"]
        for part, table in language_model.get("embedding", {}).items():
            flat.update({part + "." + name: value for name, value in table.items()})
        flat.update(language_model["transformer"])
    else:
        flat = {name.replace("transformer.", "", 1): value for name, value in model.items()}
    return {name: value.detach().double().numpy() for name, value in flat.items()}


def megatron_logits(grid, heads, layout, tokens, gelu):
    """grid[stage][rank]: a state."""
    stages = [[plain(state) for state in stage] for stage in grid]
    size = len(stages[0])
    words = np.concatenate([rank["word_embeddings.weight"] for rank in stages[0]])
    x = words[tokens] + stages[0][0]["position_embeddings.weight"][:len(tokens)]
    dim = x.shape[-1] // heads
    for ranks in stages:
        layers = len({name.split(".")[1] for name in ranks[0] if name.startswith("layers.")})
        for number in range(layers):
            get = lambda rank, name: rank["layers.%d.%s" % (number, name)]
            y = norm(x, get(ranks[0], "input_layernorm.weight"),
                     get(ranks[0], "input_layernorm.bias"))
            total = 0
            for rank in ranks:
                mixed = (y @ get(rank, "attention.query_key_value.weight").T
                         + get(rank, "attention.query_key_value.bias"))
                context = attend(*split_qkv(mixed, layout, heads // size, dim))
                context = context.transpose(1, 0, 2).reshape(len(tokens), -1)
                total = total + context @ get(rank, "attention.dense.weight").T
            x = x + total + get(ranks[0], "attention.dense.bias")
            y = norm(x, get(ranks[0], "post_attention_layernorm.weight"),
                     get(ranks[0], "post_attention_layernorm.bias"))
            total = 0
            for rank in ranks:
                inner = gelu(y @ get(rank, "mlp.dense_h_to_4h.weight").T
                             + get(rank, "mlp.dense_h_to_4h.bias"))
                total = total + inner @ get(rank, "mlp.dense_4h_to_h.weight").T
            x = x + total + get(ranks[0], "mlp.dense_4h_to_h.bias")
    x = norm(x, stages[-1][0]["final_layernorm.weight"], stages[-1][0]["final_layernorm.bias"])
    return x @ words.T


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


def check(path, truth):
    if truth.name == "odd-values":      # all logits are NaN
        return
    grid = load_grid(path)
    tokens = np.array([5, 17, 80, 99, 0, 33, 33, 64][:truth.positions])
    found = megatron_logits(grid, truth.heads, layout_of(grid[0][0]), tokens, gelu_tanh)
    expected = gpt2_logits(truth, tokens, gelu_tanh)
    difference = np.abs(found[:, :truth.vocabulary] - expected).max()
    if not difference < 1e-9:
        raise SystemExit("%s: logits differ by %g" % (path, difference))
    print("%s: %g of %.3g" % (path, difference, np.abs(expected).max()))


def main():
    for folder in sys.argv[1:]:
        with open(os.path.join(folder, "meta.json")) as file:
            meta = json.load(file)
        with open(os.path.join(folder, "tokens.json")) as file:
            tokens = json.load(file)
        grid = load_grid(os.path.join(folder, "checkpoint"))
        expected = np.load(os.path.join(folder, "logits.npy"))
        gelu = gelu_tanh if meta["activation"] == "gelu_tanh" else gelu_erf
        for row, logits in zip(tokens, expected):
            found = megatron_logits(grid, meta["heads"], layout_of(grid[0][0]), np.array(row), gelu)
            difference = np.abs(found - logits).max()
            print("%s: %g" % (folder, difference))
            if difference > TOLERANCE:
                raise SystemExit("%s: logits differ by more than %g" % (folder, TOLERANCE))


if __name__ == "__main__":
    main()
