"""The sample as Python's own modules read it: zip, opcodes, globals, and every tensor.

    python3 tests/writer/check_archive.py FILE

The last line is "writer: N passed, N failed".
"""
import collections
import io
import pickle
import pickletools
import sys
import zipfile

import sample

ROOT = "pytorch_model/"
STORAGES = {
    "float16": "HalfStorage", "bfloat16": "BFloat16Storage", "float32": "FloatStorage",
    "float64": "DoubleStorage", "int8": "CharStorage", "uint8": "ByteStorage",
    "int16": "ShortStorage", "int32": "IntStorage", "int64": "LongStorage",
    "bool": "BoolStorage",
}
# What weights_only=True takes since torch 1.13, BINGET and BINPUT aside.
OPCODES = {
    "PROTO", "STOP", "MARK", "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1", "BINUNICODE",
    "EMPTY_TUPLE", "TUPLE", "SETITEMS", "GLOBAL", "REDUCE", "BINPERSID",
}
GLOBALS = {"collections OrderedDict", "torch._utils _rebuild_tensor_v2"} | {
    "torch " + name for name in STORAGES.values()}

passed = failed = 0


def check(what, found, expected):
    global passed, failed
    if found == expected:
        passed += 1
    else:
        failed += 1
        print(f"writer: {what}: expected {expected!r}, found {found!r}")


class Reader(pickle.Unpickler):
    """Calls nothing: a tensor stays the arguments of its call."""

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda *arguments: arguments
        return f"{module}.{name}"

    def persistent_load(self, pid):
        return pid


def strides(shape):
    result, step = [], 1
    for size in reversed(shape):
        result.insert(0, step)
        step *= max(size, 1)
    return tuple(result)


def check_zip(archive, raw):
    keys = sorted({tensor[4] for tensor in sample.TENSORS})
    check("testzip", archive.testzip(), None)
    check("comment", archive.comment, b"")
    check("names", archive.namelist(), [ROOT + name for name in (
        ["data.pkl", "byteorder"] + [f"data/{key}" for key in keys] + ["version"])])
    check("byteorder", archive.read(ROOT + "byteorder"), b"little")
    check("version", archive.read(ROOT + "version"), b"3\n")
    for info in archive.infolist():
        at = info.header_offset
        start = at + 30 + int.from_bytes(raw[at + 26:at + 28], "little") \
            + int.from_bytes(raw[at + 28:at + 30], "little")
        check(info.filename, (start % 64, info.compress_type, info.flag_bits, info.date_time),
            (0, zipfile.ZIP_STORED, 0x0800, (1980, 1, 1, 0, 0, 0)))
        check(info.filename + ", its bytes", raw[start:start + info.file_size],
            archive.read(info))


def check_pickle(archive):
    data = archive.read(ROOT + "data.pkl")
    ops = [(op.name, argument) for op, argument, _ in pickletools.genops(data)]
    check("opcodes beyond those of weights_only", {name for name, _ in ops} - OPCODES, set())
    check("globals", {argument for name, argument in ops if name == "GLOBAL"}, GLOBALS)
    pickletools.dis(data, out=io.StringIO())        # raises where the stack is not balanced
    root = Reader(io.BytesIO(data)).load()
    check("class of the root", type(root), collections.OrderedDict)
    check("keys", list(root), [tensor[0] for tensor in sample.TENSORS])
    for name, dtype, size, shape, key in sample.TENSORS:
        elements = sample.count(shape)
        check(name, root[name], (
            ("storage", "torch." + STORAGES[dtype], str(key), "cpu", elements),
            0, shape, strides(shape), False, collections.OrderedDict()))
        check(name + ", its bytes", archive.read(f"{ROOT}data/{key}"),
            sample.storage_bytes(key, elements * size))


def main():
    with open(sys.argv[1], "rb") as file:
        raw = file.read()
    with zipfile.ZipFile(sys.argv[1]) as archive:
        check_zip(archive, raw)
        check_pickle(archive)
    print(f"writer: {passed} passed, {failed} failed")
    return failed != 0


sys.exit(main())
