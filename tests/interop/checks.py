"""Counts checks and keeps the rows of the table in README.md.

    checks = Checks("readers")
    with checks.cell("transformers", "4.30.2", "what is compared") as cell:
        cell.check(a == b, "a is %s", a)        # each one counts
        cell.same(found, expected, "what")
        cell.explain("why something differs")   # after a check of the difference itself
    checks.end()                                # prints the closing line; the exit status

A cell that raises has failed.  With INTEROP_ROWS=FILE the rows go there as JSON lines.
"""
import json
import os
import subprocess
import sys
import traceback

MEGATRON2HF = os.environ.get("MEGATRON2HF", "build/megatron2hf")
FIXTURES = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..",
                                        "fixtures"))
MINI = os.path.join(FIXTURES, "good-ngc-mini.zip")
MINI_OPTIONS = ["--num-attention-heads", "2"]


class Cell:
    def __init__(self, checks, program, version, compared):
        self.checks, self.row = checks, [program, version, compared]
        self.passed, self.problems, self.reasons = 0, [], []

    def __enter__(self):
        return self

    def __exit__(self, kind, problem, trace):
        if kind is not None and not issubclass(kind, Exception):
            return False
        if problem is not None:
            self.problems.append("%s: %s" % (kind.__name__, problem))
            traceback.print_exception(kind, problem, trace, file=sys.stdout)
        self.checks.add(self)
        return True

    def check(self, truth, what, *values):
        if truth:
            self.passed += 1
        else:
            self.problems.append(what % values if values else what)

    def same(self, found, expected, what):
        self.check(found == expected, "%s: found %r, expected %r", what, found, expected)

    def explain(self, reason):
        if reason not in self.reasons:
            self.reasons.append(reason)


class Checks:
    def __init__(self, name):
        self.name, self.passed, self.failed = name, 0, 0

    def cell(self, program, version, compared):
        return Cell(self, program, version, compared)

    def add(self, cell):
        failed = cell.problems or not cell.passed
        self.passed += cell.passed
        self.failed += len(cell.problems) if cell.passed else max(1, len(cell.problems))
        for problem in cell.problems:
            print("interop-%s: %s: %s" % (self.name, " | ".join(cell.row), problem), flush=True)
        result = "FAILED" if failed else "; ".join(["ok"] + cell.reasons)
        if os.environ.get("INTEROP_ROWS"):
            with open(os.environ["INTEROP_ROWS"], "a") as file:
                file.write(json.dumps(cell.row + [result]) + "\n")

    def end(self):
        print("interop-%s: %d passed, %d failed" % (self.name, self.passed, self.failed),
              flush=True)
        return self.failed != 0 or self.passed == 0


def run(*arguments, status=0):
    """Standard output of the program under test; anything but `status` is an error."""
    done = subprocess.run([MEGATRON2HF, *arguments], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode != status:
        raise RuntimeError("megatron2hf %s: status %d, expected %d: %s" % (
            " ".join(arguments), done.returncode, status, done.stderr.decode(errors="replace")))
    return done.stdout.decode()


def convert(source, to, *options):
    run("convert", source, "-q", "-o", to, *options)
    return to


def read(path):
    with open(path, "rb") as file:
        return file.read()
