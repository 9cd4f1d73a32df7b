"""Megatron's forward pass on the states of its ranks, for the eras whose code no package has.

Each tensor rank computes with its own slices, as Megatron does: its heads, its share of the
inner layer and of the vocabulary; partial sums are added, logits are put side by side.  What
changed over the years is how a rank cuts its query_key_value product:

    0   in three, then each into heads                  [3, heads, size]
    1   into heads, then each element in three          [heads, size, 3]
    2   into heads, then each head in three             [heads, 3, size]
"""
import math

import torch

NORM_1 = ("input_layernorm.", "input_norm.", "layernorm_qkv.layer_norm_", "linear_qkv.layer_norm_")
NORM_2 = ("post_attention_layernorm.", "post_attention_norm.", "pre_mlp_layernorm.",
          "layernorm_mlp.layer_norm_", "linear_fc1.layer_norm_")
QKV = ("query_key_value.", "layernorm_qkv.", "linear_qkv.")
DENSE = ("attention.dense.", "attention.proj.", "attention.linear_proj.")
FC1 = ("mlp.dense_h_to_4h.", "layernorm_mlp.fc1_", "mlp.linear_fc1.")
FC2 = ("mlp.dense_4h_to_h.", "layernorm_mlp.fc2_", "mlp.linear_fc2.")
NORM_F = ("final_layernorm.", "final_norm.")


def activate(name, x):
    if name == "gelu_new":
        return 0.5 * x * (1 + torch.tanh(0.7978845608028654 * x * (1 + 0.044715 * x * x)))
    if name == "gelu":
        return 0.5 * x * (1 + torch.erf(x / math.sqrt(2)))
    return torch.relu(x) ** 2


def part(table, endings, end):
    """The one tensor that has this name, or None."""
    found = [tensor for name, tensor in table.items()
             if any(name.endswith(ending + end) for ending in endings)]
    assert len(found) <= 1, (endings, end)
    return found[0].double() if found else None


def flatten(node, prefix=""):
    for key, value in node.items():
        if isinstance(value, dict):
            yield from flatten(value, prefix + key + ".")
        elif isinstance(value, torch.Tensor):
            yield prefix + key, value


class MegatronModel:
    """states[stage][rank] as saved; chunks: how many virtual stages each has."""

    def __init__(self, states, chunks, layout, heads, activation, epsilon, zero_centered):
        self.layout, self.heads, self.activation = layout, heads, activation
        self.epsilon, self.zero_centered = epsilon, zero_centered
        models = [[dict(flatten(state["model" if chunks == 1 else "model%d" % chunk]))
                   for state in stage] for chunk in range(chunks) for stage in states]
        self.first, self.last, self.layers = models[0], models[-1], []
        for ranks in models:
            numbers = sorted({int(name.split("layers.")[1].split(".")[0])
                              for name in ranks[0] if "layers." in name})
            for number in numbers:
                self.layers.append([{name: tensor for name, tensor in rank.items()
                                     if "layers.%d." % number in name} for rank in ranks])

    def norm(self, x, table, endings):
        weight, bias = part(table, endings, "weight"), part(table, endings, "bias")
        return torch.nn.functional.layer_norm(
            x, x.shape[-1:], weight + 1 if self.zero_centered else weight, bias, self.epsilon)

    def cut(self, mixed, heads):
        """query, key and value [batch, heads, tokens, size] of one rank."""
        batch, length, width = mixed.shape
        size = width // 3 // heads
        if self.layout == 0:
            parts = [p.reshape(batch, length, heads, size) for p in mixed.chunk(3, -1)]
        elif self.layout == 1:
            parts = mixed.reshape(batch, length, heads, size, 3).unbind(-1)
        else:
            parts = mixed.reshape(batch, length, heads, 3 * size).chunk(3, -1)
        return [p.transpose(1, 2) for p in parts]

    def attention(self, x, ranks):
        total = 0
        for rank in ranks:
            query, key, value = self.cut(linear(x, rank, QKV), self.heads // len(ranks))
            scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
            later = torch.triu(torch.ones(scores.shape[-2:], dtype=torch.bool), 1)
            context = scores.masked_fill(later, -10000.0).softmax(-1) @ value
            total = total + context.transpose(1, 2).flatten(2) @ part(rank, DENSE, "weight").t()
        return add(total, part(ranks[0], DENSE, "bias"))

    def mlp(self, x, ranks):
        total = sum(activate(self.activation, linear(x, rank, FC1)) @
                    part(rank, FC2, "weight").t() for rank in ranks)
        return add(total, part(ranks[0], FC2, "bias"))

    def logits(self, ids):
        words = torch.cat([part(rank, ["word_embeddings."], "weight") for rank in self.first
                           if rank])
        places = part(self.first[0], ["position_embeddings."], "weight")
        x = words[ids] + places[:ids.shape[1]]
        for ranks in self.layers:
            x = x + self.attention(self.norm(x, ranks[0], NORM_1), ranks)
            x = x + self.mlp(self.norm(x, ranks[0], NORM_2), ranks)
        x = self.norm(x, self.last[0], NORM_F)
        heads = [part(rank, ["output_layer."], "weight") for rank in self.last]
        return x @ (words if heads[0] is None else torch.cat(heads)).t()


def add(x, bias):
    return x if bias is None else x + bias


def linear(x, table, endings):
    return add(x @ part(table, endings, "weight").t(), part(table, endings, "bias"))
