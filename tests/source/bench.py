"""What the parts of the suite share: the program, its fixtures, a folder, the count."""
import json
import os
import shutil
import subprocess

from hf import Directory


class Bench:
    def __init__(self, program, fixtures, folder):
        self.program, self.fixtures, self.folder = program, fixtures, folder
        self.passed = self.failed = 0
        os.environ.pop("MEGATRON2HF_THREADS", None)

    def note(self, name, faults):
        self.passed, self.failed = self.passed + (not faults), self.failed + bool(faults)
        for fault in faults:
            print(f"source: {name}: {fault}")

    def run(self, *arguments, **how):
        done = subprocess.run([self.program, *map(str, arguments)], capture_output=True,
                              timeout=120, **how)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def fixture(self, name):
        """Path of a fixture and the options that tell what it does not."""
        path = self.fixtures / name
        expected = path.with_name(path.name + ".expected.json")
        options = json.loads(expected.read_text())["options"] if expected.exists() else []
        return path, [option for option in options if option != "--strict"]

    def convert(self, name, *options):
        """A fresh directory made of a fixture, and what verify must be told of it."""
        source, told = self.fixture(name)
        out = self.folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        status, _, err = self.run("convert", "-q", source, "-o", out, *told, *options)
        if status != 0:
            raise SystemExit(f"source: convert {source} {options}: status {status}: {err}")
        return out, ["--source", source, *told]

    def directory(self, name, *options):
        out, told = self.convert(name, "--tokenizer", "none", *options)
        return Directory(out), told

    def verify(self, name, out, arguments, status=0, says=(), never=()):
        """The same words with one thread and with two; each of `says` is in them."""
        one, *rest = [self.run("verify", "--progress=none", threads, out, *arguments)
                      for threads in ("-j1", "-j2")]
        faults = [] if one == rest[0] else ["-j1 and -j2 differ: ", *map(str, (one, rest[0]))]
        words = one[1] + one[2]
        if one[0] != status:
            faults.append(f"status {one[0]}, expected {status}: {words}")
        faults += [f'does not say "{text}": {words}' for text in says if text not in words]
        faults += [f'says "{text}": {words}' for text in never if text in words]
        self.note(name, faults)
        return words
