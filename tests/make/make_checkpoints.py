#!/usr/bin/python3
"""Make fixtures/good-ngc-mini.zip and everything in fixtures/ngc.

    /usr/bin/python3 tests/make/make_checkpoints.py [--check] FIXTURES

Needs Debian's python3-torch (1.13.1).  Values are seeded; the bytes of legacy streams are
not repeatable, because their storage keys are memory addresses.  Beside each fixture NAME
stands NAME.expected.json:

    options   for the command line, beside -o
    status    exit status that must come; one of several where a list
    truth     the file that says what the result must hold (status 0)
    slug      what --json must say (other statuses), where it is fixed
    source    the fixture to read, where it is another than NAME

and a truth file holds `config` (values that config.json must have) and `tensors` (name,
dtype, shape and SHA-256 of the row-major little-endian bytes).  The lines of
FIXTURES/README between the two marks are written too.  With --check each good fixture is
loaded again by torch and run as a Megatron model against the truth (check_checkpoints.py).
"""
import gzip
import io
import json
import os
import pickle
import pickletools
import shutil
import struct
import sys
import types
import zipfile
from collections import OrderedDict

import torch

sys.dont_write_bytecode = True          # the tree stays as it is
import saving_rules as rules
from saving_rules import Run, Truth, args_v1_0, args_v1_1_5, args_v2_0

MEMBER = "model_optim_rng.pt"
RELEASE = "release/mp_rank_00/" + MEMBER
TRACKER = "latest_checkpointed_iteration.txt"


def make_truths():
    sizes = dict(hidden=16, layers=3, heads=4, positions=24, vocabulary=101)
    truths = [
        Truth("mini", 345, hidden=16, layers=2, heads=2, positions=1024, vocabulary=50257,
              coarse=1),
        Truth("small", 1, **sizes),
        Truth("small-fp32", 2, dtype=torch.float32, **sizes),
        Truth("small-bf16", 3, dtype=torch.bfloat16, **sizes),
        Truth("mixed", 4, **sizes),
        Truth("odd-values", 5, **sizes),
        Truth("constant", 6, **sizes),
        Truth("twelve-layers", 7, hidden=8, layers=12, heads=2, positions=12, vocabulary=101),
        Truth("one-head", 8, hidden=12, layers=1, heads=1, positions=5, vocabulary=100),
    ]
    truths = {truth.name: truth for truth in truths}

    mixed = truths["mixed"].tensors
    for name in mixed:
        if ".ln_" in name:
            mixed[name] = mixed[name].float()

    odd = truths["odd-values"].tensors
    bits = [0x7e01, 0xfe55, 0x7c00, 0xfc00, 0x8000, 0x0001, 0x03ff, 0x7bff]   # NaNs, infinities,
    for name in ("transformer.h.1.ln_1.bias", "transformer.h.0.mlp.c_fc.weight",   # -0, subnormals
                 "transformer.wte.weight", "transformer.h.2.attn.c_attn.weight"):
        flat = odd[name].view(torch.int16).flatten()
        for i, word in enumerate(bits):
            flat[i * 2] = word - 65536 if word > 32767 else word

    constant = truths["constant"].tensors
    constant["transformer.h.1.ln_1.bias"].fill_(0.125)
    constant["transformer.wpe.weight"][:] = constant["transformer.wpe.weight"][0].clone()
    return truths


# ---- the forms of torch.save --------------------------------------------------------------

def save(state, zipped=False, name="model_optim_rng", location="cuda:0"):
    """Bytes of torch.save; every storage says it was on a GPU, as real ones do."""
    keep = torch.serialization.location_tag
    torch.serialization.location_tag = lambda storage: location
    try:
        if not zipped:
            buffer = io.BytesIO()
            torch.save(state, buffer, _use_new_zipfile_serialization=False)
            return buffer.getvalue()
        path = os.path.join("/tmp", "make-checkpoints-%d" % os.getpid(), name + ".pt")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        torch.save(state, path)         # the folder in the zip is named after the file
        with open(path, "rb") as file:
            data = file.read()
        shutil.rmtree(os.path.dirname(path))
        return data
    finally:
        torch.serialization.location_tag = keep


def make_zip(members, method=zipfile.ZIP_DEFLATED, folders=False, streamed=False):
    """An outer zip; `streamed` as a pipe writes it: sizes follow in data descriptors."""
    buffer = io.BytesIO()
    if streamed:
        buffer.seekable = lambda: False
        buffer.tell = lambda: (_ for _ in ()).throw(OSError("not seekable"))
    with zipfile.ZipFile(buffer, "w") as archive:
        names = OrderedDict()
        for name in members:
            parent = os.path.dirname(name)
            while folders and parent:
                names[parent + "/"] = b""
                parent = os.path.dirname(parent)
        for name, data in sorted(names.items()) + list(members.items()):
            info = zipfile.ZipInfo(name, (2019, 9, 12, 17, 3, 20))
            info.create_system = 3
            info.external_attr = (0o40755 << 16 | 0x10) if name.endswith("/") else 0o100644 << 16
            info.compress_type = zipfile.ZIP_STORED if name.endswith("/") else method
            archive.writestr(info, data)
    return buffer.getvalue()


def rezip(data, method):
    """A torch zip packed again by other software: no 64-byte alignment, perhaps deflated."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return make_zip(OrderedDict((i.filename, archive.read(i)) for i in archive.infolist()),
                        method)


def python2_pickle(data):
    """The same pickle as Python 2 writes it: text that is ASCII as byte strings."""
    out = bytearray()
    operations = list(pickletools.genops(data))
    ends = [position for _, _, position in operations[1:]] + [len(data)]
    for (operation, argument, position), end in zip(operations, ends):
        if operation.name == "BINUNICODE" and argument.isascii():
            text = argument.encode("ascii")
            out += (b"U" + bytes([len(text)]) if len(text) < 256
                    else b"T" + struct.pack("<i", len(text))) + text
        else:
            out += data[position:end]
    return bytes(out)


def python2_stream(data):
    """A legacy stream with its five pickles in Python 2's form."""
    source, out = io.BytesIO(data), b""
    for _ in range(5):
        start = source.tell()
        for _ in pickletools.genops(source):
            pass
        out += python2_pickle(data[start:source.tell()])
    return out + data[source.tell():]


# ---- states -------------------------------------------------------------------------------

def nested(run, rank=0, stage=0, args=None, version=None, iteration=1000, random=False):
    state = OrderedDict()
    if args is not None:
        state["args"] = args(run, rank + stage * run.tensor_size)
    if version is not None:
        state["checkpoint_version"] = version
    state["iteration"] = iteration
    state["model"] = run.model_nested(rank, stage)
    if random:
        state.update(rules.random_states())
    return dict(state)


def flat(run, rank=0, iteration=1000):
    state = {"iteration": iteration, "model": run.model_flat(rank)}
    state.update(rules.random_states())
    return state


def transformer(state):
    return state["model"]["language_model"]["transformer"]


def release_only(run):
    """The form of a release: the model, no args, no version, iteration 0."""
    return nested(run, iteration=0)


def rank_files(run, states, zipped=False, folder="iter_0001000"):
    """{path: bytes} of a checkpoint root, tracker included; states(rank, stage)."""
    files = OrderedDict()
    files[TRACKER] = folder[5:].lstrip("0").encode() if folder != "release" else b"release"
    for stage in range(run.pipeline_size):
        for rank in range(run.tensor_size):
            name = "mp_rank_%02d" % rank
            if run.pipeline_size > 1:
                name += "_%03d" % stage
            files["%s/%s/%s" % (folder, name, MEMBER)] = save(states(rank, stage), zipped)
    return files


def odd_views(run):
    """A model whose tensors are views: transposed, strided, offset, in shared storages."""
    state = nested(run, args=args_v1_0)
    language_model = state["model"]["language_model"]
    junk = lambda *shape: torch.full(shape, 9.0, dtype=run.truth.dtype)
    words = language_model["embedding"]["word_embeddings"]
    words["weight"] = torch.cat([junk(3, 16), words["weight"], junk(5, 16)])[3:-5]
    places = language_model["embedding"]["position_embeddings"]
    places["weight"] = torch.stack([places["weight"], junk(24, 16)], 1)[:, 0]
    layers = language_model["transformer"]
    norms = [name for name in layers if "layernorm" in name]
    shared = torch.cat([junk(7)] + [layers[name] for name in norms])
    for i, name in enumerate(norms):
        layers[name] = shared[7 + 16 * i:23 + 16 * i]
    for name, tensor in list(layers.items()):
        if name in norms:
            continue
        if tensor.dim() == 1:           # every second element
            layers[name] = torch.stack([tensor, tensor * 0 + 9], 1)[:, 0]
        elif "query_key_value" in name: # columns of a wider matrix
            layers[name] = torch.cat([junk(48, 1), tensor, junk(48, 2)], 1)[:, 1:-2]
        else:                           # row-major in shape only: strides (1, rows)
            layers[name] = tensor.t().contiguous().t()
    assert not layers["layers.0.mlp.dense_h_to_4h.weight"].is_contiguous()
    return state


def one_storage(run):
    """Every tensor a piece of one long storage, in an order of its own."""
    state = release_only(run)
    model = state["model"]["language_model"]
    homes = [(model["embedding"]["position_embeddings"], "weight")]
    homes += [(model["transformer"], name) for name in reversed(model["transformer"])]
    homes += [(model["embedding"]["word_embeddings"], "weight")]
    shared = torch.cat([home[name].flatten() for home, name in homes])
    at = 0
    for home, name in homes:
        count = home[name].numel()
        home[name] = shared[at:at + count].view(home[name].shape)
        at += count
    return state


def as_parameters(run):
    state = release_only(run)
    for name, tensor in transformer(state).items():
        transformer(state)[name] = torch.nn.Parameter(tensor)
    return state


def expanded(run):
    state = release_only(run)
    transformer(state)["layers.1.input_layernorm.bias"] = torch.tensor(
        [0.125], dtype=torch.float16).expand(16)
    places = state["model"]["language_model"]["embedding"]["position_embeddings"]
    places["weight"] = rules.own(places["weight"][0]).expand(24, 16)
    return state


def with_optimizer(run):
    state = nested(run, args=args_v1_0, random=True)
    state.update(rules.optimizer_states(state["model"]))
    return state


# ---- damage -------------------------------------------------------------------------------

def drift(run, rank, stage, amount):
    """Replicated tensors of rank 1 wander away from rank 0's."""
    state = nested(run, rank, stage, args=args_v1_0)
    if rank == 1:
        for name in ("layers.0.input_layernorm.weight", "layers.2.mlp.dense_4h_to_h.bias"):
            transformer(state)[name] *= 1 + amount
    return state


def flip(data, at, bit=4):
    return data[:at] + bytes([data[at] ^ (1 << bit)]) + data[at + 1:]


class Canary:
    """Unpickled by Python this runs a command; a reader must not."""

    def __reduce__(self):
        return os.system, ("touch canary",)


class ModelType:
    """Stands in for an enum that later code keeps in args."""

    def __init__(self, value):
        self.value = value

    def __reduce__(self):
        return ModelType, (self.value,)


ModelType.__module__ = "megatron.model.enums"


def stand_in_modules():
    for name in ("fp16", "fp16.loss_scaler", "megatron", "megatron.model", "megatron.model.enums"):
        sys.modules[name] = types.ModuleType(name)
    sys.modules["fp16.loss_scaler"].DynamicLossScaler = rules.DynamicLossScaler
    sys.modules["megatron.model.enums"].ModelType = ModelType


# ---- the tables ---------------------------------------------------------------------------

HEADS = ["--num-attention-heads", "4"]
TRUE_SIZE = ["--vocab-size", "101"]


class Table:
    def __init__(self, truths):
        self.truths, self.rows = truths, []

    def good(self, name, truth, content, options, text):
        self.rows.append((name, content, options, text, dict(status=0, truth=truth)))

    def bad(self, name, status, content, options, text, slug=None, source=None):
        expected = dict(status=status)
        if slug:
            expected["slug"] = slug
        if source:
            expected["source"] = source
        self.rows.append((name, content, options, text, expected))


def good_containers(table):
    small = Run(table.truths["small"])
    legacy, options = save(release_only(small)), HEADS + TRUE_SIZE
    outer = OrderedDict([(TRACKER, b"release"), (RELEASE, legacy)])
    torch_zip = save(nested(small, args=args_v1_0), zipped=True)
    mini = Run(table.truths["mini"])
    mini_tp2 = Run(table.truths["mini"], 2)

    table.good("../good-ngc-mini.zip", "mini",
               make_zip(OrderedDict([(TRACKER, b"release"),
                                     (RELEASE, save(release_only(mini)))])),
               ["--num-attention-heads", "2"],
               "a small sibling of the NGC release: deflated, legacy stream, float16, no args, no "
               "version, vocabulary 50304 stored of 50257")
    table.good("good-ngc-mini-tp2.zip", "mini",
               make_zip(rank_files(mini_tp2, lambda r, s: nested(mini_tp2, r), folder="release")),
               ["--num-attention-heads", "2"],
               "the same model on two tensor ranks, 50432 rows stored")
    table.good("good-bare.pt", "small", legacy, options, "a legacy stream by itself")
    table.good("good-stored.zip", "small", make_zip(outer, zipfile.ZIP_STORED), options,
               "member stored")
    table.good("good-folders.zip", "small", make_zip(outer, folders=True), options,
               "deflated, with entries for folders")
    table.good("good-streamed.zip", "small", make_zip(outer, streamed=True), options,
               "deflated, sizes only in data descriptors and the directory")
    table.good("good-streamed-stored.zip", "small",
               make_zip(outer, zipfile.ZIP_STORED, streamed=True), options,
               "stored, sizes only in data descriptors and the directory")
    table.good("good-prefix.zip", "small",
               make_zip(OrderedDict([("gpt2_345m/README.txt", b"hello\n")] +
                                    [("gpt2_345m/" + k, v) for k, v in outer.items()])),
               options, "all below one more folder, with a file that does not belong")
    table.good("good-torchzip.pt", "small", torch_zip, TRUE_SIZE,
               "a torch zip by itself, v1.0 args")
    table.good("good-torchzip-rezipped.pt", "small", rezip(torch_zip, zipfile.ZIP_STORED),
               TRUE_SIZE, "torch zip packed again: records not at multiples of 64")
    table.good("good-torchzip-rezipped-deflated.pt", "small",
               rezip(torch_zip, zipfile.ZIP_DEFLATED), TRUE_SIZE,
               "torch zip packed again with deflated records")
    for name, data, method, text in (
            ("good-torchzip-in-stored.zip", torch_zip, zipfile.ZIP_STORED,
             "torch zip in a stored member"),
            ("good-torchzip-in-deflated.zip", torch_zip, zipfile.ZIP_DEFLATED,
             "torch zip in a deflated member"),
            ("good-torchzip-deflated-inner.zip", rezip(torch_zip, zipfile.ZIP_DEFLATED),
             zipfile.ZIP_DEFLATED, "rezipped torch zip, deflated records in a deflated member"),
            ("good-torchzip-data-last.zip", data_pickle_last(torch_zip), zipfile.ZIP_DEFLATED,
             "rezipped torch zip whose data.pkl comes last, in a deflated member")):
        table.good(name, "small", make_zip({RELEASE: data}, method), TRUE_SIZE, text)
    table.good("good-py2.zip", "small", make_zip({RELEASE: python2_stream(legacy)}), options,
               "pickles as Python 2 writes them: byte strings where Python 3 has text")


def data_pickle_last(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = sorted(archive.infolist(), key=lambda i: i.filename.endswith("data.pkl"))
        return make_zip(OrderedDict((i.filename, archive.read(i)) for i in entries),
                        zipfile.ZIP_STORED)


def good_shards(table):
    truth = table.truths["small"]
    options = HEADS + TRUE_SIZE
    one, two, four = Run(truth), Run(truth, 2), Run(truth, 4)
    bare = lambda run: lambda rank, stage: nested(run, rank)
    with_args = lambda run, args, version=None: (
        lambda rank, stage: nested(run, rank, stage, args, version))

    table.good("good-flat.pt", "small", save(flat(one)), options,
               "2019-07 names (word_embeddings.weight, transformer.layers...), RNG states")
    table.good("good-tp2.zip", "small", make_zip(rank_files(two, bare(two), folder="release")),
               options, "two tensor ranks in one deflated zip, QKV layout 0")
    table.good("good-tp2-stored.zip", "small",
               make_zip(rank_files(two, bare(two)), zipfile.ZIP_STORED), options,
               "two tensor ranks in one stored zip, an iteration folder")
    table.good("good-tp2-torchzip.zip", "small",
               make_zip(rank_files(two, with_args(two, args_v1_0), zipped=True)), TRUE_SIZE,
               "two torch zips in one deflated zip, v1.0 args")
    table.good("good-tp2", "small", rank_files(two, with_args(two, args_v1_0)), TRUE_SIZE,
               "a folder with tracker, two tensor ranks, v1.0 args")
    table.good("good-tp4", "small",
               rank_files(four, lambda rank, stage: flat(four, rank)), options,
               "2019-07 names on four tensor ranks, legacy streams, no args")
    for layout, version, args, era in ((1, 1, args_v1_1_5, "integer 1"),
                                       (1, 1.0, args_v1_1_5, "1.0"), (2, 2.0, args_v2_0, "2.0"),
                                       (2, 3.0, args_v2_0, "3.0")):
        for size in (1, 2):
            if version == 1 and isinstance(version, int) != (size == 2):
                continue
            run = Run(truth, size, layout=layout)
            name = "good-label-%s-tp%d" % (version, size)
            content = rank_files(run, with_args(run, args, version), zipped=layout == 2)
            text = "checkpoint_version %s, QKV layout %d, %d tensor rank%s" % (
                era, layout, size, "s" if size > 1 else "")
            if size == 1:
                content = content["iter_0001000/mp_rank_00/" + MEMBER]
                name += ".pt"
            table.good(name, "small", content, TRUE_SIZE, text)
    stages = Run(truth, 2, 3, layout=2)
    table.good("good-tp2-pp3", "small",
               rank_files(stages, lambda rank, stage: nested(stages, rank, stage, args_v2_0, 3.0)),
               TRUE_SIZE, "v2.0, two tensor ranks, three pipeline stages")
    noisy = rank_files(two, with_args(two, args_v1_0))
    noisy["iter_0001000/.DS_Store"] = noisy["iter_0001000/mp_rank_00/train.log"] = b"\0\1\2\n"
    noisy["iter_0001000/mp_rank_00_000/optim.pt"] = save({"step": 1})
    noisy["iter_0000900/mp_rank_00/" + MEMBER] = b"an older iteration, unreadable\n"
    noisy[TRACKER] = b" 1000\n"
    table.good("good-noise-tp2", "small", noisy, TRUE_SIZE,
               "foreign files, an optimizer-only folder and a damaged older iteration beside it")
    table.good("good-drift-tp2", "small",
               rank_files(two, lambda rank, stage: drift(two, rank, stage, 0.002)), TRUE_SIZE,
               "replicas of rank 1 differ slightly: rank 0 is taken, with a warning")


def good_tensors(table):
    truths = table.truths
    small = Run(truths["small"])
    options = HEADS + TRUE_SIZE
    table.good("good-strided.pt", "small", save(odd_views(small)), TRUE_SIZE,
               "transposed, strided, offset views and shared storages, legacy")
    table.good("good-strided-torchzip.pt", "small", save(odd_views(small), zipped=True), TRUE_SIZE,
               "the same in a torch zip")
    table.good("good-strided.zip", "small", make_zip({RELEASE: save(odd_views(small))}), TRUE_SIZE,
               "the same in a deflated member")
    table.good("good-one-storage.zip", "small", make_zip({RELEASE: save(one_storage(small))}),
               options, "all tensors in one storage, in another order, deflated")
    table.good("good-parameters.pt", "small", save(as_parameters(small)), options,
               "torch.nn.Parameter where plain tensors are usual")
    table.good("good-expanded.pt", "constant", save(expanded(Run(truths["constant"]))), options,
               "views with stride 0")
    table.good("good-optimizer.pt", "small", save(with_optimizer(small)), TRUE_SIZE,
               "optimizer with float32 masters and Adam moments, RNG states, v1.0 args")
    table.good("good-optimizer-torchzip.zip", "small",
               make_zip({RELEASE: save(with_optimizer(small), zipped=True)}), TRUE_SIZE,
               "the same as a torch zip in a deflated member")
    enum_args = lambda run, rank: args_v1_0(run, rank, model_type=ModelType(1))
    table.good("good-enum-args.pt", "small", save(nested(small, args=enum_args)),
               TRUE_SIZE, "args hold an instance of a class that only Megatron has")
    table.good("good-fp32.pt", "small-fp32",
               save(nested(Run(truths["small-fp32"]), args=args_v1_0)), TRUE_SIZE, "float32")
    bf16 = Run(truths["small-bf16"], layout=2)
    table.good("good-bf16.pt", "small-bf16",
               save(nested(bf16, args=args_v2_0, version=3.0), zipped=True), TRUE_SIZE, "bfloat16")
    table.good("good-mixed.pt", "mixed", save(release_only(Run(truths["mixed"]))), options,
               "float16 with float32 norms: kept as they are")
    table.good("good-odd-values.pt", "odd-values", save(release_only(Run(truths["odd-values"]))),
               options, "NaN payloads, infinities, -0, subnormals: every bit is kept")
    table.good("good-twelve-layers.pt", "twelve-layers",
               save(nested(Run(truths["twelve-layers"]), args=args_v1_0)), TRUE_SIZE,
               "layers 10 and 11: numbers, not text, decide their order")
    table.good("good-one-head.pt", "one-head", save(release_only(Run(truths["one-head"]))),
               ["--num-attention-heads", "1", "--vocab-size", "100"],
               "one layer, one head, odd sizes, 2019 nested")


def bad_files(table):
    small = Run(table.truths["small"])
    options = HEADS + TRUE_SIZE
    legacy = save(release_only(small))
    outer = OrderedDict([(TRACKER, b"release"), (RELEASE, legacy)])
    stored, deflated = make_zip(outer, zipfile.ZIP_STORED), make_zip(outer)
    torch_zip = save(nested(small, args=args_v1_0), zipped=True)
    words = rules.raw_bytes(small.truth.tensors["transformer.wte.weight"])

    table.bad("bad-bitflip-stored.zip", 3, flip(stored, stored.index(words) + 999), options,
              "one bit of a stored member flipped", "bitflip")
    table.bad("bad-bitflip-deflated.zip", 3, flip(deflated, len(deflated) - 3000), options,
              "one bit of a deflated member flipped: other bytes, more or fewer of them")
    table.bad("bad-bitflip-torchzip.pt", 3, flip(torch_zip, torch_zip.index(words) + 999),
              TRUE_SIZE,
              "one bit of a torch zip flipped: PyTorch loads it", "bitflip")
    table.bad("bad-hole.zip", 3, stored[:16384] + bytes(4096) + stored[20480:], options,
              "4096 zeros at 16384: a download that was resumed wrongly")
    table.bad("bad-hole-deflated.zip", 3, deflated[:16384] + bytes(4096) + deflated[20480:],
              options, "the same in a deflated zip")
    table.bad("bad-truncated.zip", 3, stored[:len(stored) // 2], options, "the first half only")
    table.bad("bad-truncated-deflated.zip", 3, deflated[:-1], options, "the last byte is missing")
    table.bad("bad-truncated.pt", 3, legacy[:-100], options,
              "a legacy stream that ends in its last storage")
    table.bad("bad-truncated-pickle.pt", 3, legacy[:3000], options,
              "a legacy stream that ends in its pickle")
    table.bad("bad-trailing.pt", 3, legacy + b"more", options, "bytes after a legacy stream")
    table.bad("bad-html.zip", 3, b"<!DOCTYPE html><html><title>404 Not Found</title></html>\n",
              options, "an error page saved under the model's name", "html")
    table.bad("bad-empty.zip", 3, b"", options, "nothing was downloaded", "empty")
    table.bad("bad-global-os.pt", 5,
              save(dict(release_only(small), args=Canary()), zipped=True), options,
              "a pickle that runs a command in Python", "os")
    table.bad("bad-global-os-dropped.pt", 5,
              save(dict(release_only(small), optimizer={"state": [Canary()]})), options,
              "the same where no weight needs it", "os")
    no_member = make_zip({"release/mp_rank_00/weights.bin": b"\0" * 64})
    table.bad("unsupported-no-member.zip", 4, no_member, options, "a zip without a checkpoint",
              "outerzip")
    table.bad("unsupported-nested.zip", 4, make_zip({"ngc.zip": deflated}, zipfile.ZIP_STORED),
              options, "the zip in another zip")
    table.bad("unsupported-gzip.pt.gz", 4, gzip.compress(legacy[:2000], mtime=0), options,
              "gzip around it", "wrapped")
    table.bad("unsupported-list.pt", 4, save([torch.zeros(3)]), options,
              "the top level is a list", "toplevel")


def changed(run, change, args=None, version=None):
    state = nested(run, args=args, version=version)
    change(state)
    return save(state)


def bad_models(table):
    small = Run(table.truths["small"])
    options = HEADS + TRUE_SIZE

    def weights(change):
        return changed(small, lambda state: change(transformer(state)))

    def arguments(**changes):
        return save(nested(small, args=lambda run, rank: args_v1_0(run, rank, **changes)))

    half = lambda *shape: torch.ones(shape, dtype=torch.float16)
    table.bad("bad-missing-weight.pt", 3,
              weights(lambda t: t.pop("layers.1.mlp.dense_4h_to_h.bias")), options,
              "layer 1 has no mlp.dense_4h_to_h.bias", "missingkey")
    table.bad("bad-missing-layer.pt", 3,
              weights(lambda t: [t.pop(n) for n in list(t) if n.startswith("layers.1.")]), options,
              "layers 0 and 2, no layer 1", "missingkey")
    table.bad("bad-missing-norm.pt", 3, weights(lambda t: t.pop("final_layernorm.weight")), options,
              "no final norm", "missingkey")
    table.bad("bad-shape.pt", 3,
              weights(lambda t: t.update({"layers.2.mlp.dense_h_to_4h.weight": half(64, 15)})),
              options, "a weight of another shape", "partshape")
    table.bad("bad-args-layers.pt", 3, arguments(num_layers=4), TRUE_SIZE,
              "args say 4 layers, there are 3", "argsvsshape")
    table.bad("bad-args-hidden.pt", 3, arguments(hidden_size=32), TRUE_SIZE,
              "args say 32 wide, tensors are 16", "argsvsshape")
    table.bad("bad-args-heads.pt", 3, arguments(num_attention_heads=5), TRUE_SIZE,
              "16 is not divisible by 5 heads", "headsdiv")
    table.bad("bad-args-epsilon.pt", 3, arguments(layernorm_epsilon=float("nan")), TRUE_SIZE,
              "layernorm_epsilon is not a number", "floats")
    table.bad("unsupported-no-heads", 4, None, TRUE_SIZE,
              "good-bare.pt without --num-attention-heads: they cannot be known", "noargs",
              "good-bare.pt")
    table.bad("usage-vocabulary", 2, None, HEADS + ["--vocab-size", "129"],
              "good-bare.pt with more rows than are stored", "vocabpad", "good-bare.pt")
    table.bad("unsupported-unknown-weight.pt", 4,
              weights(lambda t: t.update({"layers.0.attention.adapter.weight": half(16, 16)})),
              options, "a weight that no GPT-2 has", "extrakey")
    table.bad("unsupported-int8.pt", 4,
              weights(lambda t: t.update({"layers.0.attention.dense.weight":
                                          torch.ones(16, 16, dtype=torch.int8)})),
              options, "a weight of int8", "dtype")
    table.bad("unsupported-post-norm.pt", 4,
              arguments(apply_residual_connection_post_layernorm=True), TRUE_SIZE,
              "residual connection after the norm", "arch")
    table.bad("unsupported-label.pt", 4,
              save(nested(small, args=args_v2_0, version=99)), TRUE_SIZE,
              "checkpoint_version 99", "cv")
    table.bad("unsupported-bert.pt", 4, changed(small, make_bert), options,
              "a BERT: token types, pooler, lm_head, binary_head", "arch")
    embedding = lambda state: state["model"]["language_model"]["embedding"]
    table.bad("unsupported-token-types.pt", 4, changed(small, lambda state: embedding(state).update(
        tokentype_embeddings=OrderedDict(weight=half(2, 16)))), options,
        "token type embeddings", "arch")


def make_bert(state):
    ones = lambda *shape: torch.ones(shape, dtype=torch.float16)
    state["model"]["language_model"]["embedding"]["tokentype_embeddings"] = OrderedDict(
        weight=ones(2, 16))
    state["model"]["language_model"]["pooler"] = OrderedDict(
        [("dense.weight", ones(16, 16)), ("dense.bias", ones(16))])
    state["model"]["lm_head"] = OrderedDict(
        [("bias", ones(128)), ("dense.weight", ones(16, 16)), ("dense.bias", ones(16)),
         ("layernorm.weight", ones(16)), ("layernorm.bias", ones(16))])
    state["model"]["binary_head"] = OrderedDict([("weight", ones(2, 16)), ("bias", ones(2))])


def bad_shards(table):
    truth = table.truths["small"]
    two, four = Run(truth, 2), Run(truth, 4)

    def pair(**per_rank):
        """Two ranks; per_rank: functions of the rank for nested()'s arguments."""
        return rank_files(two, lambda rank, stage: nested(
            two, rank, **{key: value(rank) for key, value in per_rank.items()}))

    def pair_args(change):
        return pair(args=lambda rank: lambda run, r: args_v1_0(run, r, **change(rank)))

    first, second = ("iter_0001000/mp_rank_%02d/%s" % (rank, MEMBER) for rank in (0, 1))
    files = rank_files(four, lambda rank, stage: nested(four, rank, args=args_v1_0))
    del files[second]
    table.bad("bad-missing-rank", 6, files, TRUE_SIZE, "ranks 0, 2, 3 of 4", "missingrank")
    files = rank_files(two, lambda rank, stage: nested(two, rank))
    del files[second]
    table.bad("bad-missing-last-rank", 6, files, HEADS + TRUE_SIZE,
              "rank 0 of 2, and no args to say so", "missingrank")
    files = rank_files(two, lambda rank, stage: nested(two, rank))
    del files[second]
    files["iter_0001000/mp_rank_01/optim.pt"] = b"optimizer\n"
    table.bad("bad-empty-rank", 6, files, HEADS + TRUE_SIZE,
              "the folder of rank 1 holds no model", "missingrank")
    files = rank_files(two, lambda rank, stage: nested(two, rank, args=args_v1_0))
    third = dict(files)
    third[second.replace("_01/", "_02/")] = files[second]
    table.bad("bad-extra-rank", 3, third, TRUE_SIZE, "3 ranks, args say 2", "extrarank")
    copied = dict(files)
    copied[second] = files[first]
    table.bad("bad-copied-rank", 3, copied, TRUE_SIZE, "rank 0 twice, once as rank 1",
              "dupshard")
    swapped = dict(files)
    swapped[first], swapped[second] = files[second], files[first]
    table.bad("bad-swapped-ranks", 3, swapped, TRUE_SIZE, "ranks exchanged; args.rank tells",
              "swapped")
    short = dict(files)
    short[second] = files[second][:-500]
    table.bad("bad-truncated-rank", 3, short, TRUE_SIZE, "rank 1 is cut short")
    table.bad("bad-iterations-differ", 3, pair(iteration=lambda rank: 1000 - 100 * rank),
              HEADS + TRUE_SIZE, "rank 0 of iteration 1000, rank 1 of 900", "iteration")
    table.bad("bad-args-differ", 3, pair_args(lambda rank: dict(num_attention_heads=4 >> rank)),
              TRUE_SIZE, "4 heads in rank 0, 2 in rank 1", "argsdiff")
    table.bad("bad-labels-differ", 3, pair(version=lambda rank: [None, 2.0][rank]),
              HEADS + TRUE_SIZE, "no checkpoint_version in rank 0, 2.0 in rank 1", "cvdiff")
    table.bad("bad-drift-tp2", 3,
              rank_files(two, lambda rank, stage: drift(two, rank, stage, 0.5)), TRUE_SIZE,
              "replicas differ by half: shards of different runs", "replicated")

    def odd_one(change):
        def states(rank, stage):
            state = nested(two, rank, args=args_v1_0)
            if rank == 1:
                change(transformer(state))
            return state
        return rank_files(two, states)

    table.bad("bad-dtypes-differ", 3,
              odd_one(lambda t: t.update({n: v.float() for n, v in t.items()})), TRUE_SIZE,
              "float16 in rank 0, float32 in rank 1", "dtypeshard")
    table.bad("bad-missing-in-rank", 3, odd_one(lambda t: t.pop("layers.2.attention.dense.weight")),
              TRUE_SIZE, "a weight that only rank 0 has", "missingkey")
    name = "layers.0.mlp.dense_h_to_4h.weight"
    table.bad("bad-part-shape", 3, odd_one(lambda t: t.update({name: rules.own(t[name][:30])})),
              TRUE_SIZE, "rank 1 has 30 rows where rank 0 has 32", "partshape")

    files = rank_files(two, lambda rank, stage: nested(two, rank, args=args_v1_0))
    files[TRACKER] = b"2000"
    table.bad("bad-tracker", 6, files, TRUE_SIZE, "the tracker names an iteration that is absent",
              "tracker")
    files = dict(files)
    files[TRACKER] = b"soon\n"
    table.bad("bad-tracker-text", 4, files, TRUE_SIZE, "the tracker holds no number",
              "tracker")

    table.bad("bad-distributed", 3, OrderedDict([
        (TRACKER, b"1000"), ("iter_0001000/.metadata", b"\x80\x04N."),
        ("iter_0001000/__0_0.distcp", b"\0" * 16),
        ("iter_0001000/metadata.json", b'{"sharded_backend": "torch_dist"}')]), TRUE_SIZE,
        "a distributed checkpoint whose index is no index", "dcpmeta")


# ---- writing ------------------------------------------------------------------------------

BEGIN, END = "begin: written by tests/make/make_checkpoints.py", "end"


def write_json(path, value):
    text = json.dumps(value, indent=1)
    with open(path, "w") as file:
        file.write(text + "\n")


def write_truth(path, truth):
    what = truth.description()
    lines = ["\t\t%s: %s" % (json.dumps(name), json.dumps(row))
             for name, row in what["tensors"].items()]
    with open(path, "w") as file:
        file.write('{\n\t"config": %s,\n\t"tensors": {\n%s\n\t}\n}\n'
                   % (json.dumps(what["config"]), ",\n".join(lines)))


def write_fixture(folder, name, content):
    path = os.path.normpath(os.path.join(folder, name))
    if isinstance(content, bytes):
        with open(path, "wb") as file:
            file.write(content)
    elif content is not None:
        for part, data in content.items():
            os.makedirs(os.path.dirname(os.path.join(path, part)), exist_ok=True)
            with open(os.path.join(path, part), "wb") as file:
                file.write(data)
    return path


def readme_line(name, status, text):
    shown = " or ".join(map(str, status)) if isinstance(status, list) else str(status)
    return "%-36s  %-6s  %s" % (os.path.normpath(name), shown, text)


def write_readme(path, begin, lines):
    """Replace what stands between `begin` and the next end mark."""
    with open(path) as file:
        head, _, rest = file.read().partition(begin + "\n")
    _, _, tail = rest.partition(END + "\n")
    with open(path, "w") as file:
        file.write(head + begin + "\n" + "\n".join(lines) + "\n" + END + "\n" + tail)


def main():
    arguments = sys.argv[1:]
    check = "--check" in arguments
    fixtures = [a for a in arguments if a != "--check"][0]
    folder = os.path.join(fixtures, "ngc")
    stand_in_modules()
    table = Table(make_truths())
    for fill in (good_containers, good_shards, good_tensors, bad_files, bad_models, bad_shards):
        fill(table)

    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    for truth in table.truths.values():
        write_truth(os.path.join(folder, "truth-%s.json" % truth.name), truth)
    for name, content, options, _, expected in table.rows:
        path = write_fixture(folder, name, content)
        expected = dict(expected, options=options)
        if "truth" in expected:
            truth = os.path.join(folder, "truth-%s.json" % expected["truth"])
            expected["truth"] = os.path.relpath(truth, os.path.dirname(path))
            if check:
                import check_checkpoints
                check_checkpoints.check(path, table.truths[
                    os.path.basename(truth)[len("truth-"):-len(".json")]])
        write_json(path + ".expected.json", expected)
    write_readme(os.path.join(fixtures, "README"), BEGIN, [
        readme_line("ngc/" + name, expected["status"], text)
        for name, _, _, text, expected in table.rows])


if __name__ == "__main__":
    main()
