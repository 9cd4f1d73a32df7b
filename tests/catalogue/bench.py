"""Runs the cases and looks at what each of them leaves.

A case is named ROW-SLUG-WHAT.  Whatever it is about, the program must end with the status,
by itself and soon, in little memory; when it refuses, it says so in one line of error that
names the file, prints nothing on stdout, changes nothing and leaves nothing; with --json it
prints one object with the same status and the slug.
"""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import resource
import shutil
import subprocess
import tempfile

import checkpoint

SECONDS = 60            # of a busy machine
WORKERS = 4
PEAK_BYTES = 200 << 20
LARGE = 64 << 20        # files whose contents are not looked at
ERROR = "megatron2hf: error: "


class Case:
    def __init__(self, row, slug, what, status, run):
        self.row, self.status, self.run = row, status, run
        self.name = f"{row:03}-{slug}" + (f"-{what}" if what else "")


class Box:
    """A folder of its own for a case: `inside` is looked at, TMPDIR must stay empty."""

    def __init__(self, program, fixtures, folder):
        self.program, self.fixtures, self.faults = program, fixtures, []
        self.inside, self.temporary = folder / "box", folder / "tmp"
        self.logs = folder
        for path in (self.inside, self.temporary):
            path.mkdir(parents=True)
        self.out = self.inside / "out"
        self.stdout = self.stderr = ""

    def fault(self, text):
        """With what was said, the first time."""
        said = "" if self.faults else "".join("\n        " + line for line in self.stderr.splitlines()
                                              if line.startswith((ERROR, "warning", "note")))
        self.faults.append(text + said.replace(str(self.inside), "BOX"))

    def write(self, name, data):
        path = self.inside / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    def run(self, *arguments, limits=(), env=None, **how):
        """The status; what was printed is in stdout and stderr."""
        def prepare():
            for which, most in limits:
                resource.setrlimit(which, most if isinstance(most, tuple) else (most, most))
        told = {**os.environ, "TMPDIR": str(self.temporary), "LC_ALL": "C", **(env or {})}
        out, err = self.logs / "stdout", self.logs / "stderr"
        with out.open("wb") as stdout, err.open("wb") as stderr:
            how = {"stdin": subprocess.DEVNULL, "stdout": stdout, "stderr": stderr, **how}
            process = subprocess.Popen([self.program, *map(os.fspath, arguments)],
                                       cwd=self.inside, env=told,
                                       preexec_fn=prepare if limits else None, **how)
        try:
            status = process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            status = "no end after %d s" % SECONDS
        self.stdout, self.stderr = out.read_bytes().decode(), err.read_bytes().decode("utf-8", "replace")
        return status

    def look(self):
        """Every name and content, and what TMPDIR holds."""
        seen = {}
        for path in [*self.inside.rglob("*"), *self.temporary.rglob("*")]:
            seen[str(path)] = os.readlink(path) if path.is_symlink() else \
                hashlib.sha256(path.read_bytes()).hexdigest() \
                if path.is_file() and path.stat().st_size < LARGE else \
                (path.stat().st_mode, path.stat().st_size, path.stat().st_mtime_ns)
        return seen

    def expect(self, wanted, *arguments, says=(), **how):
        status = self.run(*arguments, **how)
        if status not in (wanted if isinstance(wanted, tuple) else (wanted,)):
            self.fault(f"status {status}, expected {wanted}")
        for pattern in says:
            if not re.search(pattern, self.stderr + self.stdout):
                self.fault(f"does not say /{pattern}/")
        if re.search(r"[\0-\b\v-\x1f\x7f]", self.stderr + self.stdout):
            self.fault("a control character")
        return status

    def refused(self, wanted, slug, says, *arguments, **how):
        """One line of error that matches; nothing printed, changed or left; --json agrees.
        `wanted` and `slug` may be several where either is right."""
        before = self.look()
        wanted = self.expect(wanted, *arguments, **how)
        errors = [line for line in self.stderr.splitlines() if line.startswith(ERROR)]
        if len(errors) != 1:
            self.fault(f"{len(errors)} lines of error")
        elif not re.search(says, errors[0]):
            self.fault(f"does not say /{says}/")
        if self.stdout:
            self.fault("something on stdout: " + self.stdout[:80])
        if self.run(*arguments, "--json", **how) != wanted:
            self.fault("another status with --json")
        try:
            told = json.loads(self.stdout)
            if (told["status"], told["exit"]) != ("error", wanted):
                self.fault(f"--json: status {told['status']}, exit {told['exit']}")
            if told["code"] not in (slug if isinstance(slug, tuple) else (slug,)):
                self.fault(f"--json: code {told['code']}, expected {slug}")
        except (ValueError, KeyError) as problem:
            self.fault(f"--json: {problem!r}: {self.stdout[:80]}")
        self.left(before)

    def left(self, before):
        after = self.look()
        if after != before:
            self.fault("left or changed: " + ", ".join(
                sorted(k for k in {*before, *after} if before.get(k) != after.get(k)))[:300])

    def converted(self, *arguments, says=(), kind="HalfStorage", never=(), **how):
        """The directory is there, complete, and holds the model of checkpoint.py."""
        self.expect(0, "convert", *arguments, "-o", self.out, says=says, **how)
        for pattern in never:
            if re.search(pattern, self.stderr):
                self.fault(f"says /{pattern}/")
        if not self.out.is_dir():
            return
        found, right = checkpoint.read_safetensors(self.out / "model.safetensors"), checkpoint.expected(kind)
        if found != right:
            self.fault("other weights: " + ", ".join(
                sorted(k for k in {*found, *right} if found.get(k) != right.get(k)))[:300])
        if [path for path in self.inside.iterdir() if path.name.startswith(".")] or \
                list(self.temporary.iterdir()):
            self.fault("something is left beside the directory")


def sanitized(program):
    """AddressSanitizer takes memory of its own."""
    return b"__asan_init" in program.read_bytes()


def place():
    """In memory where there is enough: the result of each case is synced to the disk."""
    memory = "/dev/shm"
    if os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2 << 30:
        return memory
    return None


class Cases:
    """What the rows_*.py say is collected here, and run by `run`."""

    def __init__(self):
        self.list = []

    def add(self, row, slug, what, status, run):
        self.list.append(Case(row, slug, what, status, run))

    def refused(self, row, slug, what, status, says, source, *options, code=None, name="in.pt", **how):
        """convert SOURCE must be refused.  SOURCE: bytes of a file, or a function that makes
        what is to be read and returns its path; CODE: our slug where it is not that of the row."""
        def run(box):
            path = box.write(name, source) if isinstance(source, bytes) else source(box)
            box.refused(status, code or slug, says, "convert", path, "-o", box.out, *options, **how)
        self.add(row, slug, what, status, run)

    def converts(self, row, slug, what, source, *options, name="in.pt", **how):
        """convert SOURCE must give the model of checkpoint.py."""
        def run(box):
            path = box.write(name, source) if isinstance(source, bytes) else source(box)
            box.converted(path, *options, **how)
        self.add(row, slug, what, 0, run)

    def run(self, program, fixtures, wanted, failed):
        """`failed`: how much has failed before."""
        chosen = [case for case in self.list
                  if not wanted or any(case.name.startswith(word) for word in wanted)]
        with tempfile.TemporaryDirectory(prefix="m2h-catalogue.", dir=place()) as folder:
            def one(case):
                box = Box(program, fixtures, pathlib.Path(folder) / case.name)
                try:
                    case.run(box)
                except (OSError, ValueError, LookupError) as problem:
                    box.fault(repr(problem))
                shutil.rmtree(box.logs, ignore_errors=True)
                return case, box.faults
            with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
                results = list(pool.map(one, chosen))
        for case, faults in results:
            for fault in faults:
                print(f"catalogue: {case.name}: {fault}")
        failed += sum(bool(faults) for _, faults in results)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss << 10
        if peak > PEAK_BYTES and not sanitized(program):
            failed += 1
            print(f"catalogue: {peak >> 20} MiB of memory")
        print(f"catalogue: {sum(not faults for _, faults in results)} passed, {failed} failed")
        return failed > 0 or not results
