#!/usr/bin/env python3
"""Make fixtures/dist: distributed checkpoints, and indexes that lie.

    python3 tests/make/make_dist.py FIXTURES

Needs PyTorch 2.6 or newer with gloo (2.13 was used).  .metadata and *.distcp are written by
torch.distributed.checkpoint itself, from processes that stand for the ranks of a run; what
Megatron Core tells it (global names, stacked layers, offsets, objects in lists) is done by a
planner here.  The truths are those of fixtures/eras, so the results must be the same bytes.

fixtures/dist/hostile holds other .metadata files for bad-base, one for each way to lie, and
cases.tsv: name, statuses, slug, a word of the message.  tests/dist/run.sh runs them.
"""
import copy
import io
import json
import os
import pickle
import shutil
import sys
import tempfile
from collections import OrderedDict

sys.dont_write_bytecode = True
import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
import torch.multiprocessing as mp
from torch.distributed.checkpoint.default_planner import DefaultSavePlanner
from torch.distributed.checkpoint.filesystem import _StorageInfo
from torch.distributed.checkpoint.metadata import (BytesStorageMetadata, ChunkStorageMetadata,
                                                   Metadata, MetadataIndex, TensorProperties,
                                                   TensorStorageMetadata)
from torch.distributed.checkpoint.planner import (SavePlan, TensorWriteData, WriteItem,
                                                  WriteItemType)
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import Shard, distribute_tensor

from era_grid import TRUE_SIZE, make_truths
from make_checkpoints import readme_line, write_json, write_readme
from saving_eras import EraRun, even

BEGIN = "begin: written by tests/make/make_dist.py"
ITERATION = "iter_0001000"

ROWS = ("linear_qkv.weight", "linear_qkv.bias", "linear_fc1.weight", "linear_fc1.bias",
        "word_embeddings.weight", "output_layer.weight")
COLUMNS = ("linear_proj.weight", "linear_fc2.weight")


# ---- what Megatron Core hands over ------------------------------------------------------------

def axis_of(name):
    return 0 if name.endswith(ROWS) else 1 if name.endswith(COLUMNS) else None


class Piece:
    """A box of a global tensor, or (tensor None) an object."""

    def __init__(self, key, tensor=None, offsets=(), size=(), thing=None):
        self.key, self.tensor, self.thing = key, tensor, thing
        self.offsets, self.size = tuple(offsets), tuple(size)


def pieces_of(run, rank, stage, stacked=True, prefix=""):
    """The sharded state dict of one rank of the run."""
    layers = run.truth.layers
    for chunk in range(run.chunks):
        before = sum(sum(row) for row in run.plan[:chunk]) + sum(run.plan[chunk][:stage])
        for name, tensor in run.mcore(rank, stage, chunk).items():
            parts, number = name.split("."), None
            if name.startswith("decoder.layers."):
                number = before + int(parts.pop(2))
            key = prefix + ".".join(parts)
            if name.endswith("_extra_state"):
                if rank == 0 and number is not None:
                    yield Piece("%s/shard_%d_%d" % (key, number, layers), thing=[tensor])
                continue
            if name == "output_layer.weight" and not run.truth.untied:
                continue                        # a replica of the embedding
            axis = axis_of(name)
            if axis is None and rank > 0:
                continue                        # a replica of rank 0's
            size, offsets = list(tensor.shape), [0] * tensor.dim()
            if axis is not None:
                size[axis] *= run.tensor_size
                offsets[axis] = rank * tensor.shape[axis]
            if number is not None and stacked:
                tensor, size, offsets = tensor[None], [layers] + size, [number] + offsets
            elif number is not None:
                key = prefix + ".".join(parts[:2] + [str(number)] + parts[2:])
            yield Piece(key, tensor, offsets, size)


def with_optimizer(pieces):
    """Adam's state beside each weight, as float32."""
    for piece in pieces:
        yield piece
        if piece.tensor is not None:
            for name in ("exp_avg", "exp_avg_sq", "fp32_param"):
                yield Piece("optimizer.state.%s.%s" % (name, piece.key),
                            piece.tensor.float() * 0.5, piece.offsets, piece.size)


def merge_layers(pieces):
    """Pieces that hold all layers at once: a run of one rank, converted offline."""
    pieces, together = list(pieces), OrderedDict()
    for piece in pieces:
        if piece.tensor is not None and piece.key.startswith("decoder.layers."):
            together.setdefault(piece.key, []).append(piece)
        else:
            yield piece
    for key, parts in together.items():
        parts.sort(key=lambda part: part.offsets)
        yield Piece(key, torch.cat([part.tensor for part in parts]), [0] * len(parts[0].size),
                    parts[0].size)


def common_of(run):
    return dict((key, value) for key, value in run.state(0, 0).items()
                if not key.startswith("model"))


class Planner(DefaultSavePlanner):
    """Hands over pieces.  drop_ones: sizes lack leading ones, as core_v0.15.0 writes them."""

    def __init__(self, pieces, drop_ones=False):
        super().__init__(flatten_state_dict=False)
        self.pieces, self.drop_ones = {}, drop_ones
        for piece in pieces:
            self.pieces[piece.key, piece.offsets] = piece

    def create_local_plan(self):
        items = []
        for piece in self.pieces.values():
            if piece.tensor is None:
                items.append(WriteItem(MetadataIndex(piece.key), WriteItemType.BYTE_IO))
                continue
            if self.drop_ones and piece.key.startswith("decoder.layers."):
                piece.tensor = piece.tensor[0]
            chunk = ChunkStorageMetadata(torch.Size(piece.offsets), piece.tensor.size())
            items.append(WriteItem(
                MetadataIndex(piece.key, torch.Size(piece.offsets)), WriteItemType.SHARD,
                tensor_data=TensorWriteData(chunk, TensorProperties(dtype=piece.tensor.dtype),
                                            torch.Size(piece.size))))
        self.plan = SavePlan(items)
        return self.plan

    def create_global_plan(self, all_plans):
        if not self.drop_ones:
            return super().create_global_plan(all_plans)
        tensors = {}
        for plan in all_plans:
            for item in plan.items:
                if item.tensor_data is None:
                    tensors[item.index.fqn] = BytesStorageMetadata()
                    continue
                tensor = tensors.setdefault(item.index.fqn, TensorStorageMetadata(
                    item.tensor_data.properties, item.tensor_data.size, []))
                tensor.chunks.append(item.tensor_data.chunk)
        self.metadata = Metadata(tensors)
        return all_plans, self.metadata

    def resolve_data(self, item):
        piece = self.pieces[item.index.fqn, tuple(item.index.offset or ())]
        if piece.tensor is not None:
            return piece.tensor.contiguous()
        buffer = io.BytesIO()
        torch.save(piece.thing, buffer)
        return buffer


# ---- saving -----------------------------------------------------------------------------------

def in_processes(count, work, *args):
    """work(rank, *args) in `count` processes of one group."""
    with tempfile.TemporaryDirectory() as folder:
        def start(rank):
            torch.set_num_threads(1)
            dist.init_process_group("gloo", init_method="file://%s/group" % folder, rank=rank,
                                    world_size=count)
            work(rank, *args)
            dist.destroy_process_group()
        mp.start_processes(start, nprocs=count, start_method="fork")


def writer(files=1):
    """So many files of each rank; 0: one for each item."""
    return dcp.FileSystemWriter(ITERATION, single_file_per_rank=files > 0,
                                thread_count=max(files, 1), sync_files=False)


def save_run(run, files=1, change=lambda pieces: pieces, drop_ones=False, common="file",
             **options):
    """As Megatron Core saves with torch_dist."""
    def work(world_rank):
        stage, rank = divmod(world_rank, run.tensor_size)
        pieces = list(change(pieces_of(run, rank, stage, **options)))
        pieces.append(Piece("rerun_state_machine_state/shard_%d_%d" % (
            world_rank, run.tensor_size * run.pipeline_size), thing=[{"mode": "disabled"}]))
        if common == "item" and world_rank == 0:
            pieces.append(Piece("common_state/shard_0_1", thing=[common_of(run)]))
        dcp.save({}, storage_writer=writer(files), planner=Planner(pieces, drop_ones))
    in_processes(run.tensor_size * run.pipeline_size, work)
    if common == "file":
        torch.save(common_of(run), os.path.join(ITERATION, "common.pt"))
    with open(os.path.join(ITERATION, "metadata.json"), "w") as file:
        json.dump({"sharded_backend": "torch_dist", "sharded_backend_version": 1}, file)


def whole_model(run):
    """Names and whole tensors of a run of one rank."""
    return OrderedDict((name, tensor) for name, tensor in run.mcore(0, 0, 0).items()
                       if not name.endswith("_extra_state"))


def save_dcp(run, ranks=1, prefix=None):
    """A plain save of a state dict; with ranks, of a model that FSDP has cut by rows."""
    def work(rank):
        model = whole_model(run)
        if ranks > 1:
            mesh = init_device_mesh("cpu", (ranks,))
            model = OrderedDict((name, distribute_tensor(tensor, mesh, [Shard(0)]))
                                for name, tensor in model.items())
        state = {"model": {prefix: model} if prefix else model}
        state.update(common_of(run))
        dcp.save(state, storage_writer=writer())
    in_processes(ranks, work)


# ---- what is saved ----------------------------------------------------------------------------

def good(truths):
    small, two = truths["small"], truths["two"]
    run = lambda truth, *args, **kind: EraRun(truth, "Dt", *args, **kind)
    yield ("stacked-tp2-pp2-vpp2", small, "stacked layers, tensor size 2, 2 stages of 2 chunks",
           lambda: save_run(run(small, "core_v0.12.0", 2, even(4, 2, 2)), files=2))
    yield ("stacked-tp4", small, "stacked layers, tensor size 4",
           lambda: save_run(run(small, "core_v0.16.0", 4)))
    yield ("optimizer", two, "the optimizer's state beside the model, tensor size 2",
           lambda: save_run(run(two, "core_v0.12.0", 2), change=with_optimizer))
    yield ("indexed-tp2", two, "layers that differ keep their numbers",
           lambda: save_run(run(two, "core_v0.12.0", 2), stacked=False))
    yield ("common-item", two, "no common.pt: an item of its own, as since 2026-07",
           lambda: save_run(run(two, "core_v0.16.0", 2), common="item"))
    yield ("whole-layers", two, "each piece holds all layers, and is alone in its file",
           lambda: save_run(run(two, "core_v0.12.0"), 0, change=merge_layers))
    yield ("dropped-ones", two, "pieces without their leading dimension of 1, as core_v0.15.0 has",
           lambda: save_run(run(two, "core_v0.16.0", 2), drop_ones=True))
    yield ("prefix", two, "names behind model.module.",
           lambda: save_run(run(two, "core_v0.12.0", 2), prefix="model.module."))
    yield ("1p-bf16-tp4", truths["1p-bf16"], "bfloat16, norms stored less 1, tensor size 4",
           lambda: save_run(run(truths["1p-bf16"], "core_v0.16.0", 4)))
    yield ("untied-tp2", truths["untied"], "an output layer of its own",
           lambda: save_run(run(truths["untied"], "core_v0.12.0", 2)))
    yield ("qkvbias", truths["qkvbias"], "linear layers without biases, but for QKV",
           lambda: save_run(run(truths["qkvbias"], "core_v0.8.0", 2)))
    yield ("dcp", two, "torch_dcp: a plain state dict, args and iteration by themselves",
           lambda: save_dcp(run(two, "core_v0.12.0")))
    yield ("fsdp-5", two, "cut by rows for 5 ranks, through heads of QKV and parts of them",
           lambda: save_dcp(run(two, "core_v0.16.0"), 5, "module"))


def marker(**fields):
    return json.dumps(fields).encode()


def refused(truths):
    two = truths["two"]
    moe = EraRun(two, "Dt", "core_v0.12.0", num_experts=4)

    def experts(pieces):
        for piece in pieces:
            piece.key = piece.key.replace(".mlp.linear", ".mlp.experts.experts.linear")
            yield piece

    def only(**files):
        def make():
            os.makedirs(ITERATION)
            for name, content in files.items():
                with open(os.path.join(ITERATION, name.replace("__", ".")), "wb") as file:
                    file.write(content)
        return make

    def strange():
        dcp.save({"conv1.weight": torch.ones(2, 3), "fc.bias": torch.ones(2)},
                 storage_writer=writer(), no_dist=True)

    yield ("zarr", 4, "distckpt", "zarr", "a backend of 2023",
           only(metadata__json=marker(sharded_backend="zarr", sharded_backend_version=1)))
    yield ("backend", 4, "distckpt", "msc", "a backend that is not known",
           only(metadata__json=marker(sharded_backend="msc", sharded_backend_version=1)))
    yield ("experts", 4, "arch", "experts", "a mixture of experts, by its names",
           lambda: save_run(EraRun(two, "Dt", "core_v0.12.0"), change=experts))
    yield ("experts-args", 4, "", "num_experts", "the same by args, which speak first",
           lambda: save_run(moe, change=experts))
    yield ("strange-names", 4, "distckpt", "conv1.weight", "tensors of something else", strange)
    yield ("layout-0", 4, "cv", "layout 2", "a label that no such checkpoint has",
           lambda: save_run(EraRun(two, "Dt", "core_v0.12.0", version=1.0)))


# ---- indexes that lie -------------------------------------------------------------------------

class Opened:
    def __reduce__(self):
        return os.system, ("touch canary",)


QKV = "decoder.layers.self_attention.linear_qkv.weight"
NORM = "decoder.final_layernorm.weight"
ALMOST = NORM[:-1] + "?"                        # becomes NORM in the file


def hostile():
    """name, status, slug, word, what is done to the index of bad-base."""
    def item(metadata, key, offsets=None):
        for index in metadata.storage_data:
            if index.fqn == key and (offsets is None or tuple(index.offset) == offsets):
                return index
        raise KeyError(key)

    def info(**fields):
        def change(metadata):
            index = item(metadata, NORM)
            old = metadata.storage_data[index]
            metadata.storage_data[index] = _StorageInfo(**dict(
                relative_path=old.relative_path, offset=old.offset, length=old.length, **fields)
                if not set(fields) & set(old.__dict__) else dict(old.__dict__, **fields))
        return change

    def chunk(number, **fields):
        def change(metadata):
            chunks = metadata.state_dict_metadata[QKV].chunks
            old = chunks[number]
            chunks[number] = ChunkStorageMetadata(**dict(
                offsets=old.offsets, sizes=old.sizes, **{}) | fields)
            if "offsets" in fields:
                index = item(metadata, QKV, tuple(old.offsets))
                metadata.storage_data[MetadataIndex(QKV, fields["offsets"])] = \
                    metadata.storage_data.pop(index)
        return change

    def resize(key, size):
        def change(metadata):
            old = metadata.state_dict_metadata[key]
            metadata.state_dict_metadata[key] = TensorStorageMetadata(
                old.properties, torch.Size(size), old.chunks)
        return change

    def retype(metadata):
        metadata.state_dict_metadata[NORM].properties = TensorProperties(dtype=torch.float32)

    def without_item(metadata):
        del metadata.storage_data[item(metadata, QKV, (1, 12, 0))]

    def without_chunk(metadata):
        without_item(metadata)
        chunks = metadata.state_dict_metadata[QKV].chunks
        chunks[:] = [c for c in chunks if tuple(c.offsets) != (1, 12, 0)]

    def orphan(metadata):
        chunks = metadata.state_dict_metadata[QKV].chunks
        chunks[:] = [c for c in chunks if tuple(c.offsets) != (1, 12, 0)]

    def twice(metadata):
        chunks = metadata.state_dict_metadata[QKV].chunks
        chunks.append(chunks[0])

    def two_files(metadata):
        index = item(metadata, QKV, (0, 0, 0))
        other = copy.copy(metadata.storage_data[index])
        other.relative_path = "__1_0.distcp"
        # Python's dict holds one of two equal keys, unless they say that they differ.
        MetadataIndex.__eq__, MetadataIndex.__hash__ = object.__eq__, object.__hash__
        metadata.storage_data = dict(list(metadata.storage_data.items())
                                     + [(MetadataIndex(index.fqn, index.offset), other)])

    def same_bytes(metadata):
        first, second = item(metadata, NORM), item(metadata, "decoder.final_layernorm.bias")
        metadata.storage_data[second] = metadata.storage_data[first]

    def key_twice(metadata):
        metadata.state_dict_metadata[ALMOST] = metadata.state_dict_metadata[NORM]

    def swapped(metadata):
        first, second = item(metadata, QKV, (0, 0, 0)), item(metadata, NORM)
        data = metadata.storage_data
        data[first], data[second] = data[second], data[first]

    def import_os(metadata):
        metadata.planner_data = Opened()

    def no_tensor(metadata):
        index = item(metadata, "rerun_state_machine_state/shard_0_2")
        metadata.storage_data[item(metadata, NORM)] = metadata.storage_data[index]

    def layers(metadata):
        resize("decoder.layers.mlp.linear_fc2.bias", (3, 8))(metadata)

    def rename(old, new):
        def change(metadata):
            table = metadata.state_dict_metadata
            table[new] = table.pop(old)
            for index in [i for i in metadata.storage_data if i.fqn == old]:
                metadata.storage_data[MetadataIndex(new, index.offset)] = \
                    metadata.storage_data.pop(index)
        return change

    def drop(key):
        def change(metadata):
            del metadata.state_dict_metadata[key]
            for index in [i for i in metadata.storage_data if i.fqn == key]:
                del metadata.storage_data[index]
        return change

    size = torch.Size
    yield "offset-past-the-end", 3, "truncated", "the file has", info(offset=1 << 40)
    yield "length-past-the-end", 3, "truncated", "the file has", info(length=1 << 40)
    yield "item-of-nothing", 3, "outside", "0 bytes", info(length=0)
    yield "end-overflows", 3, "truncated", "the file has", info(offset=(1 << 63) - 1,
                                                                length=(1 << 63) - 1)
    yield "offset-negative", 3, "dcpmeta", "negative", info(offset=-64)
    yield "item-cut-short", 3, "", "", lambda m: info(length=m.storage_data[item(m, NORM)].length - 9)(m)
    yield "item-inside-another", 3, "", "", lambda m: info(offset=m.storage_data[item(m, NORM)].offset + 64)(m)
    yield "item-no-tensor", 4, "foreignweight", "tensor", no_tensor
    yield "items-share-bytes", 3, "itemoverlap", "shares bytes", same_bytes
    yield "items-swapped", 3, "partshape", ".metadata says", swapped
    yield "item-in-two-files", 3, "collision", "lies in", two_files
    yield "item-missing", 3, "missingrec", "no item", without_item
    yield "item-orphan", 3, "orphan", "none of its pieces", orphan
    yield "chunk-missing", 3, "cover", "elements", without_chunk
    yield "chunk-twice", 3, "collision", "twice", twice
    yield "chunks-overlap", 3, "cover", "overlap", chunk(1, offsets=size([0, 6, 0]))
    yield "chunk-outside", 3, "outside", "reaches", chunk(1, offsets=size([0, 1 << 40, 0]))
    yield "chunk-overflows", 3, "outside", "reaches", chunk(0, sizes=size([1, (1 << 63) - 1, 8]))
    yield "chunk-shape", 3, "partshape", ".metadata says", chunk(0, sizes=size([1, 8, 8]))
    yield "size-overflows", 3, "outside", "overflow", resize(QKV, [1 << 30, 1 << 30, 1 << 30])
    yield "size-larger", 3, "cover", "elements", resize("embedding.position_embeddings.weight", [13, 8])
    yield "layers-differ", 3, "partshape", "layers", layers
    yield "layers-many", 3, "partshape", "layers", resize(QKV, [100001, 24, 8])
    yield "dtype-differs", 3, "dtypeshard", ".metadata says", retype
    yield "path-up", 5, "traversal", "leaves", info(relative_path="../__0_0.distcp")
    yield "path-absolute", 5, "traversal", "leaves", info(relative_path="/etc/hostname")
    yield "path-dots", 5, "traversal", "leaves", info(relative_path="..")
    yield "path-empty", 3, "dcpmeta", "file name", info(relative_path="")
    yield "file-missing", 6, "noinput", "__9_9.distcp", info(relative_path="__9_9.distcp")
    yield "transformed", 4, "distckpt", "compressed", info(transform_descriptors=["zstd"])
    yield "key-twice", 5, "hash", "two values", key_twice
    yield "import-os", 5, "os", "system", import_os
    yield "name-unknown", 4, "extrakey", "decoder.layers.mlp.gate", rename(
        "decoder.layers.mlp.linear_fc1.bias", "decoder.layers.mlp.gate.bias")
    yield "name-twice", 3, "collision", "the same parameter", rename(
        "decoder.final_layernorm.bias", "module." + NORM)
    yield "weight-missing", 3, "missingkey", "final_layernorm", drop(NORM)


def write_hostile(folder, base):
    os.makedirs(folder)
    rows = []
    for name, status, slug, word, change in hostile():
        with open(os.path.join(base, ITERATION, ".metadata"), "rb") as file:
            metadata = pickle.load(file)
        of_class = MetadataIndex.__eq__, MetadataIndex.__hash__
        change(metadata)
        MetadataIndex.__eq__, MetadataIndex.__hash__ = of_class
        with open(os.path.join(folder, name + ".metadata"), "wb") as file:
            file.write(pickle.dumps(metadata).replace(ALMOST.encode(), NORM.encode()))
        rows.append("%s\t%d\t%s\t%s\n" % (name, status, slug, word))
    with open(os.path.join(folder, "cases.tsv"), "w") as file:
        file.writelines(rows)


# ---- all of it --------------------------------------------------------------------------------

def make(folder, name, save):
    """Runs a save in a folder of its own, so that paths in it are short and relative."""
    path = os.path.join(folder, name)
    os.makedirs(path)
    start = os.getcwd()
    os.chdir(path)
    save()
    os.chdir(start)
    return path


def main():
    fixtures = os.path.abspath(sys.argv[1])
    folder = os.path.join(fixtures, "dist")
    shutil.rmtree(folder, ignore_errors=True)
    lines, truths = [], make_truths()
    for name, truth, text, save in good(truths):
        path = make(folder, "good-" + name, save)
        write_json(path + ".expected.json", dict(
            status=0, options=TRUE_SIZE, truth="../eras/truth-%s.json" % truth.name))
        lines.append(readme_line("dist/good-" + name, 0, text))
    for name, status, slug, word, text, save in refused(truths):
        path = make(folder, "unsupported-" + name, save)
        write_json(path + ".expected.json", dict(
            status=status, options=TRUE_SIZE, slug=slug, says=[word]))
        lines.append(readme_line("dist/unsupported-" + name, status, text))
    base = os.path.join(folder, "hostile", "base")
    make(os.path.join(folder, "hostile"), "base", lambda: save_run(
        EraRun(truths["two"], "Dt", "core_v0.12.0", 2)))
    write_hostile(os.path.join(folder, "hostile", "index"), base)
    write_readme(os.path.join(fixtures, "README"), BEGIN, lines)


if __name__ == "__main__":
    main()
