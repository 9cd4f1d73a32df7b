"""Are mutants what they should be?  Read by Python's own modules, most are whole files of their
form, and they are not what they were made from.

    python3 mutants.py MUTANTS              from the project's root
"""
import io
import json
import os
import pickletools
import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile

COUNT = 200


def zip_records(data):
    """Of a zip whose CRCs, lengths and headers agree; None of another."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return None if archive.testzip() else {n: archive.read(n) for n in archive.namelist()}
    except Exception:
        return None


def pickles(data, count):
    """Do so many pickles stand at the beginning, each of whole opcodes, FRAMEs included?"""
    file = io.BytesIO(data)
    try:
        for _ in range(count):
            frame = None
            for opcode, argument, place in pickletools.genops(file):
                if opcode.name == "FRAME":
                    if frame not in (None, place):
                        return False
                    frame = place + 9 + argument
            if frame not in (None, file.tell()):
                return False
    except Exception:
        return False
    return True


def is_torch_zip(data):
    records = zip_records(data)
    roots = [r for n, r in (records or {}).items() if n.endswith("data.pkl")]
    return len(roots) == 1 and pickles(roots[0], 1)


def is_nested(data):
    records = zip_records(data)
    files = [r for n, r in (records or {}).items() if n.endswith(".pt")]
    return len(files) == 1 and (pickles(files[0], 5) or is_torch_zip(files[0]))


def is_safetensors(data):
    length = struct.unpack("<Q", data[:8])[0] if len(data) >= 8 else len(data)
    try:
        json.loads(data[8:8 + length])
    except ValueError:
        return False
    return length + 8 <= len(data)


# file, what its mutants should be, how many in a hundred at least
KINDS = [
    ("fixtures/torch/zip_fp32.pt", lambda data: zip_records(data) is not None, 90),
    ("fixtures/torch/zip_fp32.pt", is_torch_zip, 75),
    ("fixtures/torch/zip_proto5.pt", is_torch_zip, 70),
    ("fixtures/ngc/good-torchzip-rezipped-deflated.pt", is_torch_zip, 75),
    ("fixtures/ngc/good-stored.zip", is_nested, 75),
    ("fixtures/ngc/good-torchzip-in-deflated.zip", is_nested, 65),
    ("fixtures/torch/legacy_megatron_like.pt", lambda data: pickles(data, 5), 85),
    ("fixtures/pickle/good-objects-4.pkl", lambda data: pickles(data, 1), 80),
    ("fixtures/dist/good-dcp/iter_0001000/.metadata", lambda data: pickles(data, 1), 80),
    ("fixtures/gpt2/st_good.safetensors", is_safetensors, 40),
]


def make(program, folder, seed, source):
    os.makedirs(folder, exist_ok=True)
    subprocess.run([program, str(seed), str(COUNT), folder, source], check=True,
                   stdout=subprocess.DEVNULL)
    made = []
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as file:
            made.append(file.read())
    return made


def main(program):
    work = tempfile.mkdtemp()
    passed, problems = 0, []
    for source, fits, wanted in KINDS:
        with open(source, "rb") as file:
            original = file.read()
        made = make(program, work, 1, source)
        good = sum(map(fits, made)) * 100 // COUNT
        other = len(set(made) - {original}) * 100 // COUNT
        for what, holds in (
                ("%d %% are whole, %d expected" % (good, wanted), good >= wanted),
                ("the source is not whole", fits(original)),
                ("only %d %% are new" % other, other >= 60),
                ("another seed, the same mutants", made != make(program, work, 2, source)),
                ("the same seed, other mutants", made == make(program, work, 1, source))):
            passed += holds
            if not holds:
                problems.append("mutants: %s: %s" % (source, what))
    shutil.rmtree(work)
    print("\n".join(problems + ["mutants: %d passed, %d failed" % (passed, len(problems))]))
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
