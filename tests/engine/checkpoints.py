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

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "bench"))
import make_dist        # noqa: E402  the classes that pickle under the names of torch's

ROWS, POSITIONS = 640, 256


def shapes(hidden, ffn):
    return OrderedDict((
        ("embedding.word_embeddings.weight", (ROWS, hidden)),
        ("embedding.position_embeddings.weight", (POSITIONS, hidden)),
        ("decoder.layers.0.self_attention.linear_qkv.layer_norm_weight", (hidden,)),
        ("decoder.layers.0.self_attention.linear_qkv.layer_norm_bias", (hidden,)),
        ("decoder.layers.0.self_attention.linear_qkv.weight", (3 * hidden, hidden)),
        ("decoder.layers.0.self_attention.linear_qkv.bias", (3 * hidden,)),
        ("decoder.layers.0.self_attention.linear_proj.weight", (hidden, hidden)),
        ("decoder.layers.0.self_attention.linear_proj.bias", (hidden,)),
        ("decoder.layers.0.mlp.linear_fc1.layer_norm_weight", (hidden,)),
        ("decoder.layers.0.mlp.linear_fc1.layer_norm_bias", (hidden,)),
        ("decoder.layers.0.mlp.linear_fc1.weight", (ffn, hidden)),
        ("decoder.layers.0.mlp.linear_fc1.bias", (ffn,)),
        ("decoder.layers.0.mlp.linear_fc2.weight", (hidden, ffn)),
        ("decoder.layers.0.mlp.linear_fc2.bias", (hidden,)),
        ("decoder.final_layernorm.weight", (hidden,)),
        ("decoder.final_layernorm.bias", (hidden,))))


def saved(hidden, ffn, model, **more):
    return {"args": argparse.Namespace(
        num_layers=1, hidden_size=hidden, num_attention_heads=4, ffn_hidden_size=ffn,
        max_position_embeddings=POSITIONS, padded_vocab_size=ROWS,
        tensor_model_parallel_size=1, pipeline_model_parallel_size=1),
        "checkpoint_version": 3.0, "iteration": 10, "model": model, **more}


def parts():
    """The dict that is saved and its storages by key: each weight has two of the optimizer's
    behind it."""
    numbers = random.Random(345)
    model, state, storages = OrderedDict(), OrderedDict(), []
    for name, shape in shapes(128, 512).items():
        for place, key in ((model, name), (state, name + ".exp_avg"),
                           (state, name + ".exp_avg_sq")):
            place[key] = make_dist.Tensor(shape, str(len(storages)))
            storages.append(b"".join(struct.pack("<e", numbers.gauss(0, 0.02))
                                     for _ in range(math.prod(shape))))
    return saved(128, 512, model, optimizer={"state": state}), storages


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


def write_large(path):
    """50 MB of weights, the largest of them 16 MiB, of numbers that repeat after 65,536."""
    model, storages = OrderedDict(), []
    numbers = struct.pack("<65536H", *range(65536)).replace(b"\x7c", b"\x3c") \
        .replace(b"\x7d", b"\x3d").replace(b"\x7e", b"\x3e").replace(b"\x7f", b"\x3f") \
        .replace(b"\xfc", b"\xbc").replace(b"\xfd", b"\xbd").replace(b"\xfe", b"\xbe") \
        .replace(b"\xff", b"\xbf")      # no infinities, no NaN
    for name, shape in shapes(1408, 5632).items():
        model[name] = make_dist.Tensor(shape, str(len(storages)))
        bytes_wanted = 2 * math.prod(shape)
        storages.append((numbers * (bytes_wanted // len(numbers) + 1))[:bytes_wanted])
    path.write_bytes(b"".join(make_dist.torch_zip(saved(1408, 5632, model), "model_optim_rng",
                                                  storages)))
