"""A GPT of 700 numbers as Megatron-LM of 2021 (checkpoint_version 3.0) saves it, in parts that
can be replaced one by one, and what must come of it.
"""
import hashlib
import json
import random
import struct

import pickles
from pickles import call, dict_of, integer, list_of, named, plain, rebuilt, storage, text
from zips import Entry, archive

LAYERS, WIDTH, HEADS, POSITIONS, ROWS = 1, 8, 2, 8, 16
KINDS = {"HalfStorage": ("e", 2), "FloatStorage": ("f", 4), "DoubleStorage": ("d", 8)}
MAGIC, PROTOCOL = 0x1950a86a20f9469cfc6c, 1001

LAYER = [("input_layernorm.weight", (WIDTH,)), ("input_layernorm.bias", (WIDTH,)),
         ("attention.query_key_value.weight", (3 * WIDTH, WIDTH)),
         ("attention.query_key_value.bias", (3 * WIDTH,)),
         ("attention.dense.weight", (WIDTH, WIDTH)), ("attention.dense.bias", (WIDTH,)),
         ("post_attention_layernorm.weight", (WIDTH,)),
         ("post_attention_layernorm.bias", (WIDTH,)),
         ("mlp.dense_h_to_4h.weight", (4 * WIDTH, WIDTH)), ("mlp.dense_h_to_4h.bias",
                 (4 * WIDTH,)),
         ("mlp.dense_4h_to_h.weight", (WIDTH, 4 * WIDTH)), ("mlp.dense_4h_to_h.bias", (WIDTH,))]
WORDS, PLACES, FINAL = "word_embeddings", "position_embeddings", "final_layernorm"
FIRST = "layers.0.input_layernorm.weight"       # the tensor that most cases spoil
SHAPES = dict([(WORDS, (ROWS, WIDTH)), (PLACES, (POSITIONS, WIDTH))]
              + [(f"layers.{n}.{name}", shape) for n in range(LAYERS) for name, shape in LAYER]
              + [(FINAL + ".weight", (WIDTH,)), (FINAL + ".bias", (WIDTH,))])


def product(shape):
    total = 1
    for size in shape:
        total *= size
    return total


def numbers():
    """The same for every run: quarters, which every float type holds exactly; norms near 1."""
    dice = random.Random(2021)
    return {name: [1 + dice.randrange(-1, 2) / 4 if name.endswith("layernorm.weight")
                   else dice.randrange(-64, 64) / 4 for _ in range(product(shape))]
            for name, shape in SHAPES.items()}


ARGS = dict(num_layers=LAYERS, hidden_size=WIDTH, num_attention_heads=HEADS,
            ffn_hidden_size=4 * WIDTH,
            max_position_embeddings=POSITIONS, seq_length=POSITIONS, padded_vocab_size=ROWS,
            tensor_model_parallel_size=1, pipeline_model_parallel_size=1, layernorm_epsilon=1e-5,
            bias_gelu_fusion=True, openai_gelu=False, onnx_safe=False, rank=0, params_dtype="half")


class Checkpoint:
    """Change the attributes, then call `torch_zip` or `legacy`.

    held      name -> opcodes of the tensor; left out: the tensor is not there
    records   storage key -> bytes
    args      a dict, opcodes, or `...` for none
    outside   pairs (key, opcodes) beside the model
    """

    def __init__(self, kind="HalfStorage", args=None, label=3.0, iteration=1000):
        self.kind, self.label, self.iteration = kind, label, iteration
        self.args = dict(ARGS, **(args or {}))
        self.held, self.records, self.outside = {}, {}, []
        self.counts = {}
        for key, (name, values) in enumerate(numbers().items()):
            self.put(name, values, SHAPES[name], str(key), kind)

    def put(self, name, values, shape, key=None, kind=None, **how):
        """A tensor in a storage of its own."""
        key, kind = key or str(len(self.records)), kind or self.kind
        letter, size = KINDS[kind]
        self.records[key] = struct.pack(f"<{len(values)}{letter}", *values)
        self.counts[key] = len(values)
        self.held[name] = rebuilt(storage(key, kind, len(values), **how), 0, shape,
                                  pickles.strides_of(shape))

    def key_of(self, name):
        return str(list(SHAPES).index(name))

    def storage_of(self, name, **how):
        key = self.key_of(name)
        return storage(how.pop("key", key), how.pop("kind", self.kind),
                       how.pop("count", self.counts[key]), **how)

    def tensor(self, name, offset=0, shape=None, strides=None, **how):
        """Replace how a tensor is described; its storage stays."""
        shape = SHAPES[name] if shape is None else shape
        strides = pickles.strides_of(shape) if strides is None else strides
        self.held[name] = rebuilt(self.storage_of(name, **how), offset, shape, strides)
        return self

    def language_model(self):
        def part(key):
            return dict_of([("weight", self.held[key])] if key in self.held else [])
        inner = [(name, value) for name, value in self.held.items() if name not in (WORDS, PLACES)]
        return dict_of([
            ("embedding", dict_of([(WORDS, part(WORDS)), (PLACES, part(PLACES))])),
            ("transformer", dict_of(inner))])

    def top(self):
        pairs = [("iteration", plain(self.iteration)),
                 ("model", dict_of([("language_model", self.language_model())]))]
        if self.label is not ...:
            pairs.append(("checkpoint_version", plain(self.label)))
        if self.args is not ...:
            told = self.args if isinstance(self.args, bytes) else namespace(self.args)
            pairs.insert(0, ("args", told))
        return pairs + self.outside

    def pickle(self):
        return pickles.stream(dict_of(self.top()))

    def torch_zip(self, root="model", pickle=None, **how):
        return archive(self.entries(root, pickle, how.pop("method", 0)), **how)

    def entries(self, root="model", pickle=None, method=0):
        return [Entry(root + "/data.pkl", self.pickle() if pickle is None else pickle, method),
                *[Entry(f"{root}/data/{key}", data, method) for key, data in self.records.items()],
                Entry(root + "/version", b"3\n", method)]

    def legacy(self, magic=None, protocol=PROTOCOL, system=None, keys=None, **patch):
        """magic, protocol and system are opcodes or numbers; patch: key -> (count, bytes)."""
        system = system if system is not None else dict(
            protocol_version=PROTOCOL, little_endian=True,
            type_sizes=dict(short=2, int=4, long=4))
        order = sorted(self.records) if keys is None else keys
        data = pickles.stream(magic if magic is not None else integer(MAGIC))
        data += pickles.stream(plain(protocol)) + pickles.stream(plain(system)) + self.pickle()
        data += pickles.stream(list_of(*[text(key) if isinstance(key, str) else key
                                         for key in order]))
        for key in (key for key in order if isinstance(key, str) and key in self.records):
            count, stored = patch.get("data", {}).get(key, (self.counts[key], self.records[key]))
            data += struct.pack("<q", count) + stored
        return data


def namespace(values):
    made = call(named("argparse", "Namespace"))
    return made + dict_of([(key, plain(value)) for key, value in values.items()]) + b"b"


# ---- what must come out ----------------------------------------------------------------

def transposed(values, rows, columns):
    return [values[r * columns + c] for c in range(columns) for r in range(rows)]


def by_parts(values, columns):
    """Rows of QKV from [heads, 3, dim], how version 2.0 and later store them, to [3, heads, dim]."""
    dim = WIDTH // HEADS
    order = [(head * 3 + part) * dim + row for part in range(3) for head in range(HEADS)
             for row in range(dim)]
    return [value for row in order for value in values[row * columns:(row + 1) * columns]]


def expected(kind="HalfStorage"):
    """name -> bytes, as GPT-2 has them: linear weights are [in, out], biases as they are."""
    stored, made = numbers(), {}
    made["transformer.wte.weight"], made["transformer.wpe.weight"] = stored[WORDS], stored[PLACES]
    for n in range(LAYERS):
        layer, h = f"layers.{n}.", f"transformer.h.{n}."
        for theirs, ours in (("input_layernorm", "ln_1"), ("post_attention_layernorm", "ln_2")):
            for part in (".weight", ".bias"):
                made[h + ours + part] = stored[layer + theirs + part]
        for theirs, ours in (("attention.query_key_value", "attn.c_attn"),
                             ("attention.dense", "attn.c_proj"), ("mlp.dense_h_to_4h", "mlp.c_fc"),
                             ("mlp.dense_4h_to_h", "mlp.c_proj")):
            rows, columns = SHAPES[layer + theirs + ".weight"]
            weight, bias = stored[layer + theirs + ".weight"], stored[layer + theirs + ".bias"]
            if ours == "attn.c_attn":
                weight, bias = by_parts(weight, columns), by_parts(bias, 1)
            made[h + ours + ".weight"] = transposed(weight, rows, columns)
            made[h + ours + ".bias"] = bias
    for part in (".weight", ".bias"):
        made["transformer.ln_f" + part] = stored[FINAL + part]
    return {name: struct.pack(f"<{len(values)}{KINDS[kind][0]}", *values)
            for name, values in made.items()}


def read_safetensors(path):
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__", None)
    return {name: data[8 + size + about["data_offsets"][0]:8 + size + about["data_offsets"][1]]
            for name, about in header.items()}


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()
