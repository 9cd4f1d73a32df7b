#!/usr/bin/env python3
"""Writes make_ngc's model as the ranks of Megatron Core save it, without PyTorch.

    python3 make_dist.py [--classic] [--tensor N] CHECKPOINT DIR

CHECKPOINT is the model_optim_rng.pt that make_ngc wrote, with its usual shape.  The run that
DIR stands for has tensor size 2 (or N) and 2 pipeline stages of 2 chunks each: four ranks, one
.distcp file for each.  The weights are the same, so a conversion gives the same bytes.

    DIR/latest_checkpointed_iteration.txt    "1000"
    DIR/iter_0001000/metadata.json           the backend's name
    DIR/iter_0001000/common.pt               args, checkpoint_version, iteration
    DIR/iter_0001000/.metadata               pickle: shapes, pieces, where each piece lies
    DIR/iter_0001000/__RANK_0.distcp         a torch zip for each piece, one after another

With --classic each rank has a torch zip of its own, with what others have as well; the copy
of the embedding at the end of the last stage is left out:

    DIR/iter_0001000/mp_rank_00_000/model_optim_rng.pt      args, model0, model1

The layout is that of fixtures/dist, which PyTorch wrote.  A DIR that is complete is kept.
"""
import argparse
import json
import math
import mmap
import os
import pickle
import struct
import sys
import types
import zlib
from collections import OrderedDict
from io import BytesIO

LAYERS, HIDDEN, HEADS, ROWS, POSITIONS = 24, 1024, 16, 50304, 1024
STAGES, CHUNKS = 2, 2
WHOLE, BY_ROWS, BY_COLUMNS, BY_HEADS = range(4)

# In make_ngc's order: name, shape, how the ranks share it.
EMBEDDINGS = (("embedding.word_embeddings.weight", (ROWS, HIDDEN), BY_ROWS),
              ("embedding.position_embeddings.weight", (POSITIONS, HIDDEN), WHOLE))
LAYER = (("self_attention.linear_qkv.layer_norm_weight", (HIDDEN,), WHOLE),
         ("self_attention.linear_qkv.layer_norm_bias", (HIDDEN,), WHOLE),
         ("self_attention.linear_qkv.weight", (3 * HIDDEN, HIDDEN), BY_HEADS),
         ("self_attention.linear_qkv.bias", (3 * HIDDEN,), BY_HEADS),
         ("self_attention.linear_proj.weight", (HIDDEN, HIDDEN), BY_COLUMNS),
         ("self_attention.linear_proj.bias", (HIDDEN,), WHOLE),
         ("mlp.linear_fc1.layer_norm_weight", (HIDDEN,), WHOLE),
         ("mlp.linear_fc1.layer_norm_bias", (HIDDEN,), WHOLE),
         ("mlp.linear_fc1.weight", (4 * HIDDEN, HIDDEN), BY_ROWS),
         ("mlp.linear_fc1.bias", (4 * HIDDEN,), BY_ROWS),
         ("mlp.linear_fc2.weight", (HIDDEN, 4 * HIDDEN), BY_COLUMNS),
         ("mlp.linear_fc2.bias", (HIDDEN,), WHOLE))
FINAL = (("decoder.final_layernorm.weight", (HIDDEN,), WHOLE),
         ("decoder.final_layernorm.bias", (HIDDEN,), WHOLE))


# ---- what PyTorch's pickles name --------------------------------------------------------------

def stand_in(module, name, base=object, **members):
    """A class that pickles under the name of one of PyTorch's."""
    parent = sys.modules.setdefault(module, types.ModuleType(module))
    made = type(name, (base,), dict(members, __module__=module))
    setattr(parent, name, made)
    return made


INDEX = "torch.distributed.checkpoint.metadata"
float16 = stand_in("torch", "float16")
HalfStorage = stand_in("torch", "HalfStorage")
Size = stand_in("torch", "Size", tuple, __reduce__=lambda self: (Size, (tuple(self),)))
rebuild_tensor = stand_in("torch._utils", "_rebuild_tensor_v2")
Metadata = stand_in(INDEX, "Metadata")
TensorStorageMetadata = stand_in(INDEX, "TensorStorageMetadata")
TensorProperties = stand_in(INDEX, "TensorProperties",
                            __getstate__=lambda self: (float16, None, False, None, False))
ChunkStorageMetadata = stand_in(INDEX, "ChunkStorageMetadata")
MetadataIndex = stand_in(INDEX, "MetadataIndex")
StorageInfo = stand_in("torch.distributed.checkpoint.filesystem", "_StorageInfo")


def instance(made, **attributes):
    thing = made()
    vars(thing).update(attributes)
    return thing


class Storage:
    def __init__(self, key, count):
        self.key, self.count = key, count


class Tensor:
    """The whole of a storage."""

    def __init__(self, shape, key="0"):
        self.shape, self.key = shape, key

    def __reduce__(self):
        stride = tuple(math.prod(self.shape[d + 1:]) for d in range(len(self.shape)))
        storage = Storage(self.key, math.prod(self.shape))
        return rebuild_tensor, (storage, 0, self.shape, stride, False, OrderedDict())


class Pickler(pickle.Pickler):
    def persistent_id(self, thing):
        if isinstance(thing, Storage):
            return "storage", HalfStorage, thing.key, "cpu", thing.count
        return None


# ---- torch.save -------------------------------------------------------------------------------

def torch_zip(root, name, storages=()):
    """Parts of a file that torch.save would write: stored members, aligned to 64 bytes."""
    stream = BytesIO()
    Pickler(stream, 2).dump(root)
    members = [("data.pkl", stream.getvalue()), (".format_version", b"1"),
               (".storage_alignment", b"64"), ("byteorder", b"little")]
    members += sorted(("data/%d" % key, values) for key, values in enumerate(storages))
    members += [("version", b"3\n"), (".data/serialization_id", b"0" * 40)]
    parts, directory, at = [], [], 0
    for member, content in members:
        path = ("%s/%s" % (name, member)).encode()
        padding = -(at + 30 + len(path) + 4) % 64
        head = struct.pack("<4s5H3I2H", b"PK\3\4", 0, 0x0808, 0, 0, 0, 0, 0, 0, len(path),
                           4 + padding)
        extra = b"FB" + struct.pack("<H", padding) + b"Z" * padding
        sizes = struct.pack("<3I", zlib.crc32(content), len(content), len(content))
        directory.append(struct.pack("<4s6H", b"PK\1\2", 0, 0, 0x0808, 0, 0, 0) + sizes
                         + struct.pack("<5H2I", len(path), 0, 0, 0, 0, 0, at) + path)
        parts += [head, path, extra, content, b"PK\7\10", sizes]
        at += len(head) + len(path) + len(extra) + len(content) + 16
    directory, count = b"".join(directory), len(members)
    parts += [directory,
              struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 0x31e, 45, 0, 0, count, count,
                          len(directory), at),
              struct.pack("<4sIQI", b"PK\6\7", 0, at + len(directory), 1),
              struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, count, count, len(directory), at, 0)]
    return parts


# ---- pieces -----------------------------------------------------------------------------------

def cut(values, shape, share, rank, ranks):
    """The part of a rank: bytes, shape, offsets."""
    rows, width = shape[0], 2 * math.prod(shape[1:])
    size, offsets = list(shape), [0] * len(shape)
    if share == WHOLE:
        return values, size, offsets
    axis = 1 if share == BY_COLUMNS else 0
    size[axis] //= ranks
    offsets[axis] = rank * size[axis]
    if share == BY_COLUMNS:
        first, part = 2 * offsets[1], 2 * size[1]
        return (b"".join(values[row * width + first:row * width + first + part]
                         for row in range(rows)), size, offsets)
    if share == BY_ROWS:
        return values[offsets[0] * width:(offsets[0] + size[0]) * width], size, offsets
    # Rows are [3, heads, dim] in make_ngc's model, [heads, 3, dim] in Megatron Core's.
    head, own = rows // 3 // HEADS * width, HEADS // ranks
    return (b"".join(values[(which * HEADS + number) * head:(which * HEADS + number + 1) * head]
                     for number in range(rank * own, (rank + 1) * own) for which in range(3)),
            size, offsets)


def stage_of(layer):
    return layer // (LAYERS // (STAGES * CHUNKS)) % STAGES


def tensors_of(model):
    """Everything in make_ngc's order: key, shape, share, layer or None, stage, values."""
    rules = [(key, shape, share, None, 0) for key, shape, share in EMBEDDINGS]
    rules += [("decoder.layers." + key, shape, share, layer, stage_of(layer))
              for layer in range(LAYERS) for key, shape, share in LAYER]
    rules += [(key, shape, share, None, STAGES - 1) for key, shape, share in FINAL]
    # The storages stand at the end, each behind its count of elements.
    at = len(model) - sum(8 + 2 * math.prod(rule[1]) for rule in rules)
    for rule in rules:
        count = math.prod(rule[1])
        if at < 0 or struct.unpack("<Q", model[at:at + 8]) != (count,):
            sys.exit("make_dist.py: not a checkpoint of make_ngc's usual shape")
        yield (*rule, model[at + 8:at + 8 + 2 * count])
        at += 8 + 2 * count


def write_pieces(folder, model, ranks):
    """Writes the .distcp files; returns what .metadata says of them."""
    shapes, places = OrderedDict(), {}
    names = ["__%d_0.distcp" % rank for rank in range(ranks * STAGES)]
    files = [open(os.path.join(folder, name), "wb") for name in names]
    for key, shape, share, layer, stage, values in tensors_of(model):
        stacked = () if layer is None else (LAYERS,)
        about = shapes.setdefault(key, instance(
            TensorStorageMetadata, properties=TensorProperties(), size=Size(stacked + shape),
            chunks=[]))
        for rank in range(1 if share == WHOLE else ranks):
            part, size, offsets = cut(values, shape, share, rank, ranks)
            if layer is not None:
                size, offsets = [1] + size, [layer] + offsets
            number = stage * ranks + rank
            file, start = files[number], files[number].tell()
            file.writelines(torch_zip(Tensor(tuple(size)), "archive", [part]))
            about.chunks.append(instance(ChunkStorageMetadata, offsets=Size(offsets),
                                         sizes=Size(size)))
            index = instance(MetadataIndex, fqn=key, offset=Size(offsets),
                             index=len(about.chunks) - 1)
            places[index] = instance(StorageInfo, relative_path=names[number], offset=start,
                                     length=file.tell() - start)
    for file in files:
        file.close()
    return instance(Metadata, state_dict_metadata=shapes, storage_data=places,
                    planner_data=None)


# ---- classic ranks ----------------------------------------------------------------------------

def write_ranks(folder, model, ranks):
    """Writes mp_rank_TT_PPP/model_optim_rng.pt of every rank."""
    per_chunk = LAYERS // (STAGES * CHUNKS)
    for rank in range(ranks * STAGES):
        root, storages = common(ranks), []
        chunks = [root.setdefault("model%d" % chunk, OrderedDict()) for chunk in range(CHUNKS)]
        for key, shape, share, layer, stage, values in tensors_of(model):
            if stage != rank // ranks:
                continue
            chunk = 0 if key.startswith("embedding") else -1
            if layer is not None:
                chunk = layer // (per_chunk * STAGES)
                key = key.replace("layers.", "layers.%d." % (layer % per_chunk))
            part, size, _ = cut(values, shape, share, rank % ranks, ranks)
            chunks[chunk][key] = Tensor(tuple(size), str(len(storages)))
            storages.append(part)
        own = os.path.join(folder, "mp_rank_%02d_%03d" % (rank % ranks, rank // ranks))
        os.makedirs(own, exist_ok=True)
        with open(os.path.join(own, "model_optim_rng.pt"), "wb") as file:
            file.writelines(torch_zip(root, "model_optim_rng", storages))


# ---- all of it --------------------------------------------------------------------------------

def common(ranks):
    return {"args": argparse.Namespace(
        num_layers=LAYERS, hidden_size=HIDDEN, num_attention_heads=HEADS,
        ffn_hidden_size=4 * HIDDEN, max_position_embeddings=POSITIONS,
        padded_vocab_size=ROWS, make_vocab_size_divisible_by=128,
        tokenizer_type="GPT2BPETokenizer", params_dtype=float16,
        tensor_model_parallel_size=ranks, pipeline_model_parallel_size=STAGES,
        virtual_pipeline_model_parallel_size=CHUNKS),
        "checkpoint_version": 3.0, "iteration": 1000}


def write_distributed(folder, model, ranks):
    metadata = write_pieces(folder, model, ranks)
    with open(os.path.join(folder, ".metadata"), "wb") as file:
        pickle.dump(metadata, file, 4)
    with open(os.path.join(folder, "common.pt"), "wb") as file:
        file.writelines(torch_zip(common(ranks), "common"))
    with open(os.path.join(folder, "metadata.json"), "w") as file:
        json.dump({"sharded_backend": "torch_dist", "sharded_backend_version": 1}, file)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--classic", action="store_true")
    options.add_argument("--tensor", type=int, default=2, choices=(2, 4, 8))
    options.add_argument("checkpoint")
    options.add_argument("dir")
    options = options.parse_args()
    folder = os.path.join(options.dir, "iter_0001000")
    tracker = os.path.join(options.dir, "latest_checkpointed_iteration.txt")
    if os.path.exists(tracker):
        print("%s: kept" % folder)
        return
    os.makedirs(folder, exist_ok=True)
    with open(options.checkpoint, "rb") as file:
        model = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    write = write_ranks if options.classic else write_distributed
    write(folder, model, options.tensor)
    with open(tracker, "w") as file:        # the last: with it DIR is complete
        file.write("1000")
    print("%s: made" % folder)


if __name__ == "__main__":
    main()
