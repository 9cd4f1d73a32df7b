#!/usr/bin/python3
"""Compare the conversion of element types with those of NumPy and torch.

    /usr/bin/python3 tests/matrix/cast.py CAST_STREAM

CAST_STREAM is tests/matrix/cast_stream.c.  All 65,536 of float16 and of bfloat16, a million
random bit patterns of float32 and of float64, a million values of each that lie where halves
do.  What is not NaN must have the same bits; NaN must be NaN, the fraction of which NumPy and
torch treat in ways of their own.
"""
import subprocess
import sys

import numpy
import torch

COUNT = 1000000
BITS = dict(float16=numpy.uint16, bfloat16=numpy.uint16, float32=numpy.uint32,
            float64=numpy.uint64)
EXPONENT = dict(float16=0x7c00, bfloat16=0x7f80, float32=0x7f800000, float64=0x7ff << 52)


def cast(program, source, to, data, *words):
    done = subprocess.run([program, source, to, *words], input=data.tobytes(), check=True,
                          stdout=subprocess.PIPE, timeout=120)
    return numpy.frombuffer(done.stdout, BITS[to])


def torch_cast(source, to, bits):
    signed = torch.from_numpy(bits.view("i%d" % bits.itemsize).copy())
    there = signed.view(getattr(torch, source)).to(getattr(torch, to))
    return there.view(getattr(torch, "int%d" % (8 * BITS[to]().itemsize))).numpy().view(BITS[to])


def numpy_cast(source, to, bits):
    with numpy.errstate(over="ignore", invalid="ignore", under="ignore"):
        return bits.view(source).astype(to).view(BITS[to])


def bfloat_of_double(bits):
    """Rounded once, which torch does not do: the nearest multiple of what the last bit is."""
    with numpy.errstate(invalid="ignore", over="ignore"):
        values = bits.view("float64")
        exponent = numpy.maximum(numpy.frexp(values)[1] - 8, -133)
        rounded = numpy.ldexp(numpy.rint(numpy.ldexp(values, -exponent)), exponent)
        return (rounded.astype("float32").view(numpy.uint32) >> 16).astype(numpy.uint16)


def references(source, to, bits):
    """(name, bits) for everything that rounds as we do."""
    if "bfloat16" not in (source, to):
        yield "numpy", numpy_cast(source, to, bits)
    if source == "float64" and to == "bfloat16":
        yield "rint", bfloat_of_double(bits)
    elif (source, to) != ("float64", "float16"):    # by way of float32 there: rounded twice
        yield "torch", torch_cast(source, to, bits)


def samples():
    """(name of the type, bits)"""
    random = numpy.random.default_rng(1)
    for name in ("float16", "bfloat16"):
        yield name, numpy.arange(65536, dtype=numpy.uint16)
    for name in ("float32", "float64"):
        yield name, random.integers(0, 2 ** (8 * BITS[name]().itemsize), COUNT, BITS[name])
        # Multiples of half of a half's last bit, and their neighbours.
        values = random.integers(-4095, 4096, COUNT) * 2.0 ** random.integers(-27, 6, COUNT)
        values = values.astype(name)
        step = random.integers(-1, 2, COUNT)
        towards = numpy.where(step < 0, -numpy.inf, numpy.inf).astype(name)
        yield name, numpy.where(step == 0, values, numpy.nextafter(values, towards)).view(BITS[name])


def main():
    if len(sys.argv) != 2:
        raise SystemExit("usage: cast.py CAST_STREAM")
    passed = failed = 0
    for source, bits in samples():
        for to in BITS:
            if to == source:
                continue
            found = cast(sys.argv[1], source, to, bits)
            others = [(name, cast(sys.argv[1], source, to, bits, name))
                      for name in ("portable", "AVX2")]
            magnitude = ~BITS[to](1 << (8 * BITS[to]().itemsize - 1))
            for name, expected in [*references(source, to, bits), *others]:
                both_nan = ((found & magnitude) > BITS[to](EXPONENT[to])) \
                    & ((expected & magnitude) > BITS[to](EXPONENT[to]))
                wrong = numpy.flatnonzero((found != expected) & ~both_nan)
                if len(wrong) == 0:
                    passed += 1
                else:
                    failed += 1
                    print("cast: %s to %s: %d of %d are not those of %s, first %x: %x, not %x" % (
                        source, to, len(wrong), len(bits), name, bits[wrong[0]],
                        found[wrong[0]], expected[wrong[0]]), flush=True)
    print("matrix_cast: %d passed, %d failed" % (passed, failed))
    return failed != 0 or passed == 0


if __name__ == "__main__":
    sys.exit(main())
