#!/usr/bin/python3
"""Convert every checkpoint of tests/make/era_cells.py and compare with its truth.

    /usr/bin/python3 tests/matrix/matrix.py MEGATRON2HF [PATTERN...]

PATTERN: names of cells as the shell would match them (default: all).  Each cell is written
to a temporary folder and removed after its conversion.  Passed is a cell whose tensors have
the digests of the truth, whose config.json has its values, and whose model.safetensors and
config.json have the same bytes as those of every other layout of that truth; or, where it
must be refused, one that ends with its status, one line of error that names what is wrong,
and nothing left behind.
"""
import fnmatch
import hashlib
import json
import math
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "make"))
import era_cells
from era_grid import make_truths
from make_checkpoints import make_zip, save

DECIDED = ("n_embd", "n_head", "n_inner", "n_layer", "n_positions", "vocab_size",
           "activation_function", "layer_norm_epsilon", "attn_pdrop", "embd_pdrop", "resid_pdrop",
           "initializer_range")
SAME = ("model.safetensors", "config.json")
JOBS = os.cpu_count() or 1
PRIVATE = b"/checkpoints/gpt2"          # args.save: no business of the result


def write_cell(cell, folder):
    """The path to give to the program."""
    files = {name: content if isinstance(content, bytes) else save(content, cell.zipped)
             for name, content in cell.files().items()}
    if cell.outer:
        path = os.path.join(folder, "checkpoint.zip")
        method = zipfile.ZIP_STORED if cell.outer == "stored" else zipfile.ZIP_DEFLATED
        with open(path, "wb") as file:
            file.write(make_zip(files, method))
        return path
    path = os.path.join(folder, "checkpoint")
    for name, data in files.items():
        os.makedirs(os.path.dirname(os.path.join(path, name)), exist_ok=True)
        with open(os.path.join(path, name), "wb") as file:
            file.write(data)
    return path


def read_tensors(path):
    """{name: (dtype, shape, SHA-256)} of a safetensors file."""
    with open(path, "rb") as file:
        data = file.read()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    header.pop("__metadata__", None)
    return {name: dict(dtype=row["dtype"], shape=row["shape"], sha256=hashlib.sha256(
        data[start + row["data_offsets"][0]:start + row["data_offsets"][1]]).hexdigest())
        for name, row in header.items()}


def file_digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def check_manifest(cell, truth, path):
    """Sizes, counts and sources in the record of a conversion."""
    with open(path) as file:
        manifest = json.load(file)
    sources = {row["key"]: row["source"] for row in manifest["decisions"]}
    for key in truth["config"]:
        if key not in sources and key in DECIDED:
            return "conversion.json: no decision on %s" % key
    for key, source in cell.decided.items():
        if sources.get(key) != source:
            return "%s comes from %r, expected %r" % (key, sources.get(key), source)
    counts = dict(tensors=len(truth["tensors"]),
                  parameters=sum(math.prod(row["shape"]) for row in truth["tensors"].values()))
    for key, count in counts.items():
        if manifest["counts"].get(key) != count:
            return "%r %s counted, expected %d" % (manifest["counts"].get(key), key, count)
    return None


class Matrix:
    def __init__(self, program, cells, folder):
        self.program, self.cells, self.folder = program, cells, folder
        self.truths = {cell.truth.name: cell.truth.description() for cell in cells if cell.truth}
        self.first = {}

    def run(self, *arguments):
        done = subprocess.run([self.program, *arguments], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=120)
        return done.returncode, done.stdout.decode(), done.stderr.decode(errors="replace")

    def check(self, number):
        """What is wrong or None, and the digests of the files that must be the same."""
        cell, folder = self.cells[number], os.path.join(self.folder, "%d" % number)
        os.mkdir(folder)
        try:
            path = write_cell(cell, folder)
            status, _, stderr = self.run("convert", path, "-j", "1", "-o", os.path.join(
                folder, "out"), *cell.options)
            statuses = cell.status if isinstance(cell.status, list) else [cell.status]
            if status not in statuses:
                return "status %d, expected %s: %s" % (
                    status, " or ".join(map(str, statuses)), stderr.strip()), {}
            missing = [word for word in cell.says if word.lower() not in stderr.lower()]
            if missing:
                return "does not speak of %s: %s" % (", ".join(missing), stderr.strip()), {}
            if status != 0:
                return self.check_bad(cell, path, folder, stderr), {}
            return self.check_good(cell, path, os.path.join(folder, "out")), {
                name: file_digest(os.path.join(folder, "out", name)) for name in SAME}
        except Exception as problem:
            return repr(problem), {}
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def check_good(self, cell, path, out):
        truth = self.truths[cell.truth.name]
        found = read_tensors(os.path.join(out, "model.safetensors"))
        if found.keys() != truth["tensors"].keys():
            return "other tensors: %s" % sorted(found.keys() ^ truth["tensors"].keys())[:4]
        for name, row in truth["tensors"].items():
            if found[name] != dict(row):
                return "%s is %s, expected %s" % (name, found[name], dict(row))
        with open(os.path.join(out, "config.json")) as file:
            config = json.load(file)
        for key, value in truth["config"].items():
            if key not in config or config[key] != value:
                return "config.json: %s is %r, expected %r" % (key, config.get(key), value)
        for name in os.listdir(out):
            with open(os.path.join(out, name), "rb") as file:
                if PRIVATE in file.read():
                    return "%s holds a path of the training machine" % name
        problem = check_manifest(cell, truth, os.path.join(out, "conversion.json"))
        if problem:
            return problem
        status, stdout, said = self.run("inspect", path)
        missing = [words for words in cell.inspected if words not in stdout]
        if status != 0 or missing:
            return "inspect ends with %d, does not say %s: %s%s" % (status, missing, stdout, said)
        return None

    def differs(self, cell, digests):
        """All layouts of a truth give the same bytes."""
        for name, digest in digests.items():
            first = self.first.setdefault((cell.truth.name, name), (digest, cell.name))
            if first[0] != digest:
                return "%s differs from that of %s" % (name, first[1])
        return None

    def check_bad(self, cell, path, folder, stderr):
        lines = [line for line in stderr.split("\n") if line.startswith("megatron2hf: error: ")]
        if len(lines) != 1:
            return "%d lines of error, expected 1: %s" % (len(lines), stderr)
        if sorted(os.listdir(folder)) != [os.path.basename(path)]:
            return "something is left behind"
        if cell.slug:
            _, stdout, _ = self.run("convert", path, "--json", "-o", os.path.join(folder, "out"),
                                    *cell.options)
            code = json.loads(stdout).get("code")
            if code != cell.slug:
                return "--json says %s, expected %s: %s" % (code, cell.slug, lines[0])
        return None


matrix = None           # made before the workers are forked: cells cannot be sent to them


def check(number):
    return matrix.check(number)


def main():
    global matrix
    if len(sys.argv) < 2:
        raise SystemExit("usage: matrix.py MEGATRON2HF [PATTERN...]")
    patterns = sys.argv[2:] or ["*"]
    cells = [cell for cell in era_cells.cells(make_truths())
             if any(fnmatch.fnmatch(cell.name, pattern) for pattern in patterns)]
    folder = tempfile.mkdtemp()
    passed = failed = 0
    try:
        matrix = Matrix(os.path.abspath(sys.argv[1]), cells, folder)
        with multiprocessing.get_context("fork").Pool(JOBS) as pool:
            for cell, (problem, digests) in zip(
                    cells, pool.imap(check, range(len(cells)), 4)):
                problem = problem or matrix.differs(cell, digests)
                if problem is None:
                    passed += 1
                else:
                    failed += 1
                    print("matrix: %s: %s" % (cell.name, problem), flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print("matrix: %d passed, %d failed" % (passed, failed))
    return failed != 0 or passed == 0


if __name__ == "__main__":
    sys.exit(main())
