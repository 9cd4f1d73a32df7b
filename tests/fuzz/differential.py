"""Mutants of torch files: what torch.load(weights_only=True) reads against what we read.

    python differential.py BUILD [COUNT [SEED]]         from the project's root

BUILD has megatron2hf and tests/fuzz/mutants.  Each mutant is one of four:

    both read it        names, dtypes, shapes, strides and offsets must be the same, and every
                        byte: torch's tensors are written as safetensors, and `diff` compares
    both refuse it
    only torch reads    we are stricter: the code of our error must be in STRICTER
    only we read        torch's message must match one of LOOSER

All else is a finding: it is printed, and the mutant is kept in BUILD/tests/fuzz/differential.
Without torch nothing is done, and that is said.
"""
import collections
import json
import os
import pickle
import re
import resource
import shutil
import struct
import subprocess
import sys

sys.dont_write_bytecode = True

DTYPES = {"torch.float16": "F16", "torch.bfloat16": "BF16", "torch.float32": "F32",
          "torch.float64": "F64", "torch.int8": "I8", "torch.uint8": "U8", "torch.int16": "I16",
          "torch.int32": "I32", "torch.int64": "I64", "torch.bool": "BOOL"}
MOST_BYTES = 1 << 24                    # of one file's tensors: an expanded one may be endless

# Codes of errors where torch goes on: what is checked there, and torch does not.
STRICTER = {
    # the zip: both headers of a record, its descriptor and its CRC say the same; names are
    # plain, unique and inside; nothing lies between the records
    "badname", "bitflip", "comment", "dd", "dup", "flags", "lh", "recsize", "version", "zip64extra",
    "gapcd", "libzip", "symlinkentry",
    # what stands in no file that torch.save wrote: more after the end, values left on the
    # stack, the same key twice, a storage declared in two ways, other kinds of arguments
    "hash", "image", "legacyhdr", "legacylist", "legacyproto", "nostop", "otherformat", "pid",
    "proto", "rebuildargs", "reduce", "storagetwice", "strings",
    # tensors that are not plain, types that GPT-2 does not have, the other byte order, code
    "byteorder", "dtype", "os", "rebuildother", "torchscript",
}

# What torch or CPython's unpickler says where we read a file all the same, and why we do.
LOOSER = {
    r"Unsupported (global|class|operand)|not on the list of|No module named": "more classes and"
    " opcodes are known, or kept as inert objects",
    r"not callable|not a type object|must be a type|positional argument|expected at most"
    r"|has no attribute|can't index a|can only set storage|takes an iterable|\(str type"
    r"|bytes-like object|not iterable|state is not a dictionary"
    r"|does not support item|takes exactly|values to unpack|no persistent_load": "nothing is ever called",
    r"requires_grad must be a bool": "what does not matter for weights is not looked at",
    r"invalid literal for int\(\)": ".storage_alignment is not looked at",
    r"UnicodeDecodeError": "Python 2's strings may be no UTF-8",
}


# --- CPython's unpickler, which knows all opcodes, with a list of harmless classes ---

class Listed:
    """A "pickle module" for torch.load."""
    ALLOWED = re.compile(
        r"collections\.(OrderedDict|defaultdict)|argparse\.Namespace|types\.SimpleNamespace"
        r"|torch\.(\w+Storage|Size|device|float\w+|bfloat16|u?int\d+|bool)"
        r"|torch\._utils\._rebuild_(tensor|tensor_v2|tensor_v3|parameter|parameter_with_state)"
        r"|torch\._tensor\._rebuild_from_type_v2|torch\.nn\.parameter\.Parameter"
        r"|torch\.storage\.(Untyped|Typed)Storage|torch\.serialization\._get_layout"
        r"|(__builtin__|builtins)\.(set|frozenset|complex|bytearray)|_codecs\.encode")
    load, __name__ = pickle.load, "pickle"

    class Unpickler(pickle.Unpickler):
        def find_class(self, module, name):
            full = module + "." + name
            if not Listed.ALLOWED.fullmatch(full):
                raise pickle.UnpicklingError(full + " is not on the list of harmless ones")
            return super().find_class(module, name)


# --- torch's side, in a process of its own: it may die ---

def walk(root, torch):
    """(name, tensor) as `inspect` names them: each object once."""
    found, seen, stack = [], set(), [("", root)]
    while stack:
        path, value = stack.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, torch.Tensor):
            found.append((path, value))
            continue
        items = []
        if isinstance(value, dict):
            items = [(key if type(key) in (str, int) else "#%d" % place, item)
                     for place, (key, item) in enumerate(value.items())]
        elif isinstance(value, (list, tuple, set, frozenset)):
            items = list(enumerate(value))
        items += list(getattr(value, "__dict__", {}).items())
        stack += [(path + "." + str(key) if path else str(key), item)
                  for key, item in reversed(items)]
    return found


def with_second_names(tensors, root, torch):
    """`diff` knows a tensor by each name that it has at the top."""
    tensors = dict(tensors)
    if isinstance(root, dict):
        tensors.update((key, item) for key, item in root.items()
                       if isinstance(item, torch.Tensor) and isinstance(key, str))
    return tensors


def write_safetensors(tensors, torch, path):
    header, data, at = {}, [], 0
    for name, tensor in tensors.items():
        plain = tensor.detach().contiguous().flatten()
        raw = bytes(plain.view(torch.uint8).tolist()) if plain.numel() else b""
        header[name] = {"dtype": DTYPES[str(tensor.dtype)], "shape": list(tensor.shape),
                        "data_offsets": [at, at + len(raw)]}
        data.append(raw)
        at += len(raw)
    text = json.dumps(header, ensure_ascii=False).encode("utf-8")
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(data))


def innermost(text):
    """Without the advice that stands around what the unpickler says."""
    said = re.search(r"WeightsUnpickler error:\s*(.*)", text)
    return (said.group(1) if said else text.strip().split("\n")[-1])[:300]


def load(path, reference, torch):
    errors = []
    for how in dict(weights_only=True), dict(weights_only=False, pickle_module=Listed):
        try:
            root = torch.load(path, map_location="cpu", **how)
            break
        except Exception as problem:
            errors.append("%s: %s" % (type(problem).__name__, innermost(str(problem))))
    else:
        return {"error": errors[1]}
    tensors, told = walk(root, torch), []
    for name, tensor in tensors:
        if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_meta:
            told.append([name, str(tensor.dtype), None, None, None])
        else:
            told.append([name, str(tensor.dtype), list(tensor.shape), list(tensor.stride()),
                         tensor.storage_offset()])
    written = (len(dict(tensors)) == len(tensors) > 0
               and all(t[1] in DTYPES and t[2] is not None for t in told)
               and sum(t.numel() * t.element_size() for _, t in tensors) <= MOST_BYTES)
    if written:
        write_safetensors(with_second_names(tensors, root, torch), torch, reference)
    return {"tensors": told, "written": written}


def serve():
    """A line with a path comes in, a line with what torch made of it goes out."""
    import argparse
    import types
    import warnings

    import torch
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (16 << 30, 16 << 30))
    if hasattr(torch.serialization, "add_safe_globals"):
        torch.serialization.add_safe_globals([argparse.Namespace, types.SimpleNamespace])
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    print(torch.__version__, file=out, flush=True)
    for line in sys.stdin:
        path, reference = line.rstrip("\n").split("\t")
        print(json.dumps(load(path, reference, torch)), file=out, flush=True)


class Torch:
    def __init__(self):
        self.process = None

    def start(self):
        self.process = subprocess.Popen([sys.executable, os.path.abspath(__file__), "--serve"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)
        return self.process.stdout.readline().strip()

    def load(self, path, reference):
        if self.process is None:
            self.start()
        self.process.stdin.write(path + "\t" + reference + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if line:
            return json.loads(line)
        status = self.process.wait()
        self.process = None
        return {"error": "died: status %d" % status}


# --- our side ---

def inspect(program, path):
    done = subprocess.run([program, "inspect", "--tensors", "--json", path],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=60)
    return done.returncode, json.loads(done.stdout)


def numbers(text):
    return [int(number) for number in re.findall(r"-?\d+", text)]


def differences(ours, theirs, with_offsets):
    """What both say of the tensors; strides of dimensions of one element mean nothing.  Our
    offsets count from the storage, torch's from the window on it that torch 0.3 wrote: they
    count where no bytes are compared."""
    def plain(name, dtype, shape, stride, offset):
        if 0 in shape:
            return name, dtype, tuple(shape)
        return (name, dtype, tuple(shape), offset if with_offsets else None,
                tuple(s for s, size in zip(stride, shape) if size != 1))
    mine = sorted(plain(t["name"], "torch." + t["dtype"], numbers(t["shape"]),
                        numbers(t["stride"]), t["offset"]) for t in ours)
    other = sorted(plain(*t) for t in theirs)
    return [] if mine == other else [t for t in mine if t not in other][:3] + [
        "torch:"] + [t for t in other if t not in mine][:3]


def judge(program, path, reference, torch):
    """(class, reason, is a finding)"""
    status, ours = inspect(program, path)
    theirs = torch.load(path, reference)
    message = theirs.get("error")
    if status != 0 and message is not None:
        return "both refuse", ours["code"], False
    if status != 0:
        known = ours["code"] in STRICTER
        return "only torch reads", ours["code"] if known else "%s: %s" % (
            ours["code"], ours["error"]["message"].split(": ", 1)[-1]), not known
    if message is not None:
        known = [why for pattern, why in LOOSER.items() if re.search(pattern, message)]
        return "only we read", known[0] if known else message, not known
    if any(t[2] is None for t in theirs["tensors"]):
        return "both read", "a tensor that is not plain", True
    unlike = differences(ours["tensors"], theirs["tensors"], not theirs["written"])
    if unlike:
        return "both read", "tensors differ: %s" % unlike, True
    if not theirs["written"]:
        return "both read", "the same tensors, bytes not compared", False
    done = subprocess.run([program, "diff", "--json", path, reference], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    if done.returncode == 0:
        return "both read", "the same tensors and bytes", False
    code = json.loads(done.stdout)["code"]
    if done.returncode == 4 and code == "deflated":
        return "both read", "the same tensors, bytes not compared", False
    return "both read", "diff ends with %d: %s" % (done.returncode, code), True


def seeds():
    for folder in "fixtures/torch", "fixtures/ngc", "fixtures/gpt2":
        for name in sorted(os.listdir(folder)):
            path = os.path.join(folder, name)
            if name.endswith((".pt", ".bin")) and os.path.getsize(path) < 100000:
                yield path


def main(build, count=2000, seed=1):
    work = os.path.join(build, "tests", "fuzz", "differential")
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    program, torch = os.path.join(build, "megatron2hf"), Torch()
    version = torch.start()
    if not version:
        print("fuzz-torch: skipped: %s has no torch" % sys.executable)
        return 0
    made = subprocess.run([os.path.join(build, "tests", "fuzz", "mutants"), str(seed), str(count),
                           work, *seeds()], check=True, stdout=subprocess.PIPE, text=True)
    classes, findings = collections.Counter(), 0
    for line in made.stdout.splitlines():
        path, source = line.split(" ", 1)
        kind, reason, is_finding = judge(program, path, path + ".safetensors", torch)
        classes[kind, reason if kind != "both refuse" else ""] += 1
        if is_finding:
            findings += 1
            print("fuzz-torch: %s (from %s): %s: %s" % (path, source, kind, reason), flush=True)
        else:
            os.remove(path)
        if os.path.exists(path + ".safetensors"):
            os.remove(path + ".safetensors")
    for (kind, reason), times in sorted(classes.items(), key=lambda item: (item[0][0], -item[1])):
        print("%6d  %s%s" % (times, kind, ": " + reason if reason else ""))
    print("fuzz-torch: torch %s, %d mutants: %d passed, %d failed" % (
        version, count, count - findings, findings))
    return findings != 0


if __name__ == "__main__":
    if sys.argv[1] == "--serve":
        serve()
    else:
        sys.exit(main(os.path.abspath(sys.argv[1]), *map(int, sys.argv[2:4])))
