"""Small checkpoints with an optimizer, as torch.save writes them, without torch."""
import argparse
import math
import pathlib
import pickle
import random
import struct
import sys
from collections import OrderedDict
from io import BytesIO

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "bench"))
import make_dist        # noqa: E402  the classes that pickle under the names of torch's

HIDDEN, HEADS, FFN, ROWS, POSITIONS = 128, 4, 512, 640, 256
SHAPES = OrderedDict((
    ("embedding.word_embeddings.weight", (ROWS, HIDDEN)),
    ("embedding.position_embeddings.weight", (POSITIONS, HIDDEN)),
    ("decoder.layers.0.self_attention.linear_qkv.layer_norm_weight", (HIDDEN,)),
    ("decoder.layers.0.self_attention.linear_qkv.layer_norm_bias", (HIDDEN,)),
    ("decoder.layers.0.self_attention.linear_qkv.weight", (3 * HIDDEN, HIDDEN)),
    ("decoder.layers.0.self_attention.linear_qkv.bias", (3 * HIDDEN,)),
    ("decoder.layers.0.self_attention.linear_proj.weight", (HIDDEN, HIDDEN)),
    ("decoder.layers.0.self_attention.linear_proj.bias", (HIDDEN,)),
    ("decoder.layers.0.mlp.linear_fc1.layer_norm_weight", (HIDDEN,)),
    ("decoder.layers.0.mlp.linear_fc1.layer_norm_bias", (HIDDEN,)),
    ("decoder.layers.0.mlp.linear_fc1.weight", (FFN, HIDDEN)),
    ("decoder.layers.0.mlp.linear_fc1.bias", (FFN,)),
    ("decoder.layers.0.mlp.linear_fc2.weight", (HIDDEN, FFN)),
    ("decoder.layers.0.mlp.linear_fc2.bias", (HIDDEN,)),
    ("decoder.final_layernorm.weight", (HIDDEN,)),
    ("decoder.final_layernorm.bias", (HIDDEN,))))


def parts():
    """The dict that is saved and its storages by key: each weight has two of the optimizer's
    behind it."""
    numbers = random.Random(345)
    model, state, storages = OrderedDict(), OrderedDict(), []
    for name, shape in SHAPES.items():
        for place, key in ((model, name), (state, name + ".exp_avg"),
                           (state, name + ".exp_avg_sq")):
            place[key] = make_dist.Tensor(shape, str(len(storages)))
            storages.append(b"".join(struct.pack("<e", numbers.gauss(0, 0.02))
                                     for _ in range(math.prod(shape))))
    args = argparse.Namespace(
        num_layers=1, hidden_size=HIDDEN, num_attention_heads=HEADS, ffn_hidden_size=FFN,
        max_position_embeddings=POSITIONS, padded_vocab_size=ROWS,
        tensor_model_parallel_size=1, pipeline_model_parallel_size=1)
    return {"args": args, "checkpoint_version": 3.0, "iteration": 10, "model": model,
            "optimizer": {"state": state}}, storages


def pickled(thing):
    stream = BytesIO()
    make_dist.Pickler(stream, 2).dump(thing)
    return stream.getvalue()


def write_zip(path):
    root, storages = parts()
    path.write_bytes(b"".join(make_dist.torch_zip(root, "model_optim_rng", storages)))
    return storages


def write_legacy(path):
    """The last storage, in the order of their keys as text, is one of the optimizer's."""
    root, storages = parts()
    keys = sorted(str(key) for key in range(len(storages)))
    head = {"protocol_version": 1001, "little_endian": True,
            "type_sizes": {"short": 2, "int": 4, "long": 4}}
    stream = [pickle.dumps(0x1950a86a20f9469cfc6c, 2), pickle.dumps(1001, 2),
              pickle.dumps(head, 2), pickled(root), pickle.dumps(keys, 2)]
    for key in keys:
        stream += [struct.pack("<Q", len(storages[int(key)]) // 2), storages[int(key)]]
    path.write_bytes(b"".join(stream))
    return storages
