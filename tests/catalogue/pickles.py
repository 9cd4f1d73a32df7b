"""Pickles written by hand, opcode by opcode, so that each of them can be wrong.

Every function returns bytes that leave one value on the stack; `stream` makes a whole pickle.
"""
import struct

TRUE, FALSE, NONE = b"\x88", b"\x89", b"N"


def stream(value, protocol=2):
    return b"\x80" + bytes([protocol]) + value + b"."


def text(value):
    data = value if isinstance(value, bytes) else value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def integer(value):
    if 0 <= value < 256:
        return b"K" + bytes([value])
    if -2**31 <= value < 2**31:
        return b"J" + struct.pack("<i", value)
    size = value.bit_length() // 8 + 1
    return b"\x8a" + bytes([size]) + value.to_bytes(size, "little", signed=True)


def real(value):
    return b"G" + struct.pack(">d", value)


def tuple_of(*items):
    return b"(" + b"".join(items) + b"t"


def list_of(*items):
    return b"](" + b"".join(items) + b"e"


def dict_of(pairs):
    """Of (key, value) pairs, so that a key can stand there twice; keys are text or opcodes."""
    return b"}(" + b"".join((text(k) if isinstance(k, str) else k) + v for k, v in pairs) + b"u"


def named(module, name):
    return b"c%s\n%s\n" % (module.encode(), name.encode())


def call(function, *arguments):
    return function + tuple_of(*arguments) + b"R"


def integers(values):
    return tuple_of(*map(integer, values))


def plain(value):
    """What Python has a literal for; bytes are opcodes already."""
    if isinstance(value, bytes):
        return value
    if value is None or isinstance(value, bool):
        return {None: NONE, True: TRUE, False: FALSE}[value]
    if isinstance(value, str):
        return text(value)
    if isinstance(value, float):
        return real(value)
    if isinstance(value, dict):
        return dict_of([(k, plain(v)) for k, v in value.items()])
    if isinstance(value, (list, tuple)):
        return (list_of if isinstance(value, list) else tuple_of)(*map(plain, value))
    return integer(value)


# ---- what torch.save writes ------------------------------------------------------------

def persistent(*fields):
    return tuple_of(*fields) + b"Q"


def storage(key, kind, count, location="cpu", view=None):
    """`view` is the sixth field that only legacy streams have."""
    fields = [text("storage"), named("torch", kind), text(key), text(location), integer(count)]
    return persistent(*fields, *([] if view is None else [view]))


def rebuilt(held, offset, shape, strides, function="_rebuild_tensor_v2", more=()):
    return call(named("torch._utils", function), held, integer(offset), integers(shape),
                integers(strides), FALSE, call(named("collections", "OrderedDict")), *more)


def strides_of(shape):
    strides, step = [], 1
    for size in reversed(shape):
        strides.insert(0, step)
        step *= size
    return strides
