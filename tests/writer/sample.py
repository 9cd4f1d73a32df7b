"""What tests/unit/test_torch_writer.c puts into its sample, said a second time."""

# name, torch's name of the dtype, bytes of an element, shape, storage
TENSORS = [
    ("transformer.wte.weight", "float16", 2, (50, 3), 0),
    ("float32", "float32", 4, (17, 19), 1),
    ("float64", "float64", 8, (2, 3, 4), 2),
    ("bfloat16", "bfloat16", 2, (2, 1, 3, 2), 3),
    ("int8", "int8", 1, (256,), 4),
    ("uint8", "uint8", 1, (1, 65), 5),
    ("int16", "int16", 2, (3,), 6),
    ("int32", "int32", 4, (70000,), 7),
    ("int64", "int64", 8, (), 8),
    ("bool", "bool", 1, (3, 3), 9),
    ("empty", "float32", 4, (4, 0, 5), 10),
    ("Gr\u00f6\u00dfe", "float32", 4, (1,), 11),
    ("lm_head.weight", "float16", 2, (50, 3), 0),
    ("flat", "float16", 2, (150,), 0),
]

BOOLS = 9


def count(shape):
    product = 1
    for size in shape:
        product *= size
    return product


def storage_bytes(storage, length):
    data = bytes((7 * i + 31 * storage + 3) & 255 for i in range(length))
    return bytes(byte & 1 for byte in data) if storage == BOOLS else data
