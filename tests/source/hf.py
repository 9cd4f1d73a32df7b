"""GPT-2 directories read, changed and written again with nothing but the standard library."""
import io
import json
import pathlib
import pickle
import struct
import sys
import types
import zipfile

SIZES = {"F16": 2, "BF16": 2, "F32": 4, "F64": 8, "U8": 1, "I8": 1, "I16": 2, "I32": 4,
         "I64": 8, "BOOL": 1}
STORAGES = {"F16": "HalfStorage", "BF16": "BFloat16Storage", "F32": "FloatStorage",
            "U8": "ByteStorage", "BOOL": "BoolStorage", "I64": "LongStorage"}
PREFIX = "transformer."


def pack(dtype, values):
    """Numbers as elements, rounded by struct (to nearest even); BF16 by hand."""
    if dtype == "BF16":
        bits = struct.unpack(f"<{len(values)}I", struct.pack(f"<{len(values)}f", *values))
        return struct.pack(f"<{len(bits)}H",
                           *((b + 0x7FFF + (b >> 16 & 1)) >> 16 for b in bits))
    code = {"F16": "e", "F32": "f", "F64": "d", "I64": "q", "I32": "i", "U8": "B",
            "BOOL": "B"}[dtype]
    return struct.pack(f"<{len(values)}{code}", *values)


def unpack(dtype, data):
    if dtype == "BF16":
        bits = struct.unpack(f"<{len(data) // 2}H", data)
        return list(struct.unpack(f"<{len(bits)}f",
                                  struct.pack(f"<{len(bits)}I", *(b << 16 for b in bits))))
    code = {"F16": "e", "F32": "f", "F64": "d"}[dtype]
    return list(struct.unpack(f"<{len(data) // SIZES[dtype]}{code}", data))


class Tensor:
    """Row-major elements as bytes."""

    def __init__(self, dtype, shape, data):
        self.dtype, self.shape, self.data = dtype, tuple(shape), bytes(data)
        assert len(self.data) == SIZES[dtype] * self.count()

    def count(self):
        count = 1
        for extent in self.shape:
            count *= extent
        return count

    def elements(self):
        size = SIZES[self.dtype]
        return [self.data[i:i + size] for i in range(0, len(self.data), size)]

    def values(self):
        return unpack(self.dtype, self.data)

    def with_elements(self, elements, shape=None):
        return Tensor(self.dtype, shape or self.shape, b"".join(elements))

    def with_values(self, values, dtype=None):
        return Tensor(dtype or self.dtype, self.shape, pack(dtype or self.dtype, values))

    def with_element(self, index, element):
        elements = self.elements()
        elements[index] = element
        return self.with_elements(elements)

    def rows(self):
        width = len(self.data) // self.shape[0]
        return [self.data[i:i + width] for i in range(0, len(self.data), width)]

    def with_rows(self, rows):
        return Tensor(self.dtype, (len(rows), *self.shape[1:]), b"".join(rows))

    def transposed(self):
        rows, columns = self.shape
        elements = self.elements()
        return self.with_elements([elements[r * columns + c] for c in range(columns)
                                   for r in range(rows)], (columns, rows))


# ---- safetensors ----------------------------------------------------------------------

def read_safetensors(path):
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + length])
    body = data[8 + length:]
    return {name: Tensor(entry["dtype"], entry["shape"], body[slice(*entry["data_offsets"])])
            for name, entry in header.items() if name != "__metadata__"}


def safetensors_bytes(tensors, metadata=True):
    header, body = ({"__metadata__": {"format": "pt"}} if metadata else {}), b""
    for name, tensor in tensors.items():
        header[name] = {"dtype": tensor.dtype, "shape": list(tensor.shape),
                        "data_offsets": [len(body), len(body) + len(tensor.data)]}
        body += tensor.data
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + body


# ---- what torch.save writes -----------------------------------------------------------

class Storage:
    def __init__(self, key, dtype, data):
        self.key, self.dtype, self.data = key, dtype, data


def stand_ins():
    """Modules that let pickle write the names of torch."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")

    def rebuild(*_):
        raise AssertionError("only ever pickled")

    rebuild.__name__ = rebuild.__qualname__ = "_rebuild_tensor_v2"
    rebuild.__module__ = "torch._utils"
    utils._rebuild_tensor_v2 = rebuild
    for name in STORAGES.values():
        setattr(torch, name, type(name, (), {"__module__": "torch"}))
    sys.modules["torch"], sys.modules["torch._utils"] = torch, utils
    return torch, rebuild


class View:
    """A tensor as it is pickled: a view of a storage."""

    def __init__(self, storage, offset, shape, stride):
        self.state = storage, offset, tuple(shape), tuple(stride), False, {}

    def __reduce__(self):
        return stand_ins.rebuild, self.state


class TorchPickler(pickle.Pickler):
    def persistent_id(self, value):
        if not isinstance(value, Storage):
            return None
        return ("storage", getattr(stand_ins.torch, STORAGES[value.dtype]), value.key, "cpu",
                len(value.data) // SIZES[value.dtype])


def bin_bytes(views):
    """`views` by name: View; the zip that torch.save makes of such a dict."""
    if not hasattr(stand_ins, "torch"):
        stand_ins.torch, stand_ins.rebuild = stand_ins()
    text, out = io.BytesIO(), io.BytesIO()
    TorchPickler(text, protocol=2).dump(views)
    storages = {view.state[0].key: view.state[0] for view in views.values()}
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data.pkl", text.getvalue())
        for key, storage in storages.items():
            archive.writestr(f"archive/data/{key}", storage.data)
        archive.writestr("archive/version", "3\n")
    return out.getvalue()


def reference_bin(tensors, padding_rows):
    """As the removed script saved: projections are transposed views of [out, in] storages (but
    c_attn), the embedding is a slice of the padded table, lm_head is the same object."""
    views = {}
    for number, (name, tensor) in enumerate(tensors.items()):
        stride = [1] * len(tensor.shape)
        for i in range(len(stride) - 1, 0, -1):
            stride[i - 1] = stride[i] * tensor.shape[i]
        data = tensor.data
        if name.endswith(("attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight")):
            data, stride = tensor.transposed().data, [1, tensor.shape[0]]
        if name.endswith("wte.weight"):
            data += b"\x11" * (padding_rows * len(data) // tensor.shape[0])
        views[name] = View(Storage(str(number), tensor.dtype, data), 0, tensor.shape, stride)
        if name.endswith("wte.weight"):
            embedding = views[name]
    views["lm_head.weight"] = embedding
    return bin_bytes(views)


# ---- a directory ----------------------------------------------------------------------

class Directory:
    """One that convert wrote, without its lists of checksums."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        for name in ("SHA256SUMS", "conversion.json"):
            (self.path / name).unlink(missing_ok=True)
        self.config = json.loads((self.path / "config.json").read_text())
        self.tensors = read_safetensors(self.path / "model.safetensors")

    def __getitem__(self, name):
        return self.tensors[PREFIX + name]

    def __setitem__(self, name, tensor):
        self.tensors[PREFIX + name] = tensor

    def save(self):
        (self.path / "config.json").write_text(json.dumps(self.config, indent=2) + "\n")
        (self.path / "model.safetensors").write_bytes(safetensors_bytes(self.tensors))

    def save_bin(self, data):
        (self.path / "config.json").write_text(json.dumps(self.config, indent=2) + "\n")
        (self.path / "model.safetensors").unlink()
        (self.path / "pytorch_model.bin").write_bytes(data)

    def save_shards(self, names):
        """Tensors dealt to files of any name, and their index."""
        (self.path / "model.safetensors").unlink()
        placed = {tensor: names[i % len(names)] for i, tensor in enumerate(self.tensors)}
        for name in names:
            (self.path / name).write_bytes(safetensors_bytes(
                {t: self.tensors[t] for t in self.tensors if placed[t] == name}))
        total = sum(len(t.data) for t in self.tensors.values())
        (self.path / "model.safetensors.index.json").write_text(json.dumps(
            {"metadata": {"total_size": total}, "weight_map": placed}))

    def add_masks(self, dtype):
        places, layers = self.config["n_positions"], self.config["n_layer"]
        mask = [int(c <= r) for r in range(places) for c in range(places)]
        for layer in range(layers):
            self[f"h.{layer}.attn.bias"] = Tensor(dtype, (1, 1, places, places),
                                                  pack(dtype, mask))
            self[f"h.{layer}.attn.masked_bias"] = Tensor("F32", (), pack("F32", [-10000.0]))
