"""The sample as torch.load reads it, in every way that the torch at hand has.

    python3 tests/writer/check_torch.py FILE

The last line is "writer_torch: N passed, N failed".
"""
import inspect
import sys

import torch

import sample

passed = failed = 0


def check(what, is_true):
    global passed, failed
    if is_true:
        passed += 1
    else:
        failed += 1
        print(f"writer_torch: {what}")


def bytes_of(tensor):
    flat = tensor.contiguous().reshape(-1)
    if flat.numel() == 0:
        return b""
    return flat.view(torch.uint8).numpy().tobytes()


def ways():
    known = inspect.signature(torch.load).parameters
    yield {"weights_only": False} if "weights_only" in known else {}
    if "weights_only" in known:
        yield {"weights_only": True}
    if "mmap" in known:
        yield {"weights_only": True, "mmap": True}


def check_load(path, options):
    state = torch.load(path, map_location="cpu", **options)
    check(f"{options}: keys", list(state) == [tensor[0] for tensor in sample.TENSORS])
    starts = {}
    for name, dtype, size, shape, key in sample.TENSORS:
        tensor, what = state[name], f"{options}: {name}"
        check(what + ": dtype", tensor.dtype == getattr(torch, dtype))
        check(what + ": shape", tuple(tensor.shape) == shape)
        check(what + ": layout", tensor.is_contiguous() and not tensor.requires_grad)
        check(what + ": bytes",
            bytes_of(tensor) == sample.storage_bytes(key, sample.count(shape) * size))
        check(what + ": storage", starts.setdefault(key, tensor.data_ptr()) == tensor.data_ptr())
        if options.get("mmap"):
            check(what + ": alignment", tensor.data_ptr() % 64 == 0)


for options in ways():
    check_load(sys.argv[1], options)
print(f"writer_torch: {passed} passed, {failed} failed")
sys.exit(failed != 0)
