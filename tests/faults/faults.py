"""Runs the program with tests/faults/fail_nth.c between it and libc.

A Hit is one call at which the program waits for what we say; by then its descriptors can be
looked at under /proc, and its files, or itself, may be changed."""

import dataclasses
import os
import select
import struct
import subprocess
import tempfile

GO_ON, A_PART = 0, -1
PATIENCE = 60           # seconds without a sign of life
KNOWN_LEAKS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "known_leaks")


@dataclasses.dataclass
class Hit:
    number: int
    name: str
    descriptor: int
    stack: str          # the same for the same way to the call, in one run
    path: str           # of the file: where the call was given a descriptor, too

    def __str__(self):
        return f"{self.name} #{self.number} of {self.path or '-'}"


@dataclasses.dataclass
class Result:
    status: int         # as a shell has it
    out: str
    err: str
    hits: list

    def errors(self):
        return [line for line in self.err.splitlines() if line.startswith("megatron2hf: error:")]


def path_of(process, descriptor, path):
    """Where the call really is, or what it was told where that cannot be found."""
    try:
        if descriptor >= 0:
            base = os.readlink(f"/proc/{process.pid}/fd/{descriptor}")
        elif descriptor == -1 and path:
            base = os.readlink(f"/proc/{process.pid}/cwd")
        else:                                                   # AT_FDCWD
            base = os.readlink(f"/proc/{process.pid}/cwd") if path else ""
    except OSError:
        base = ""
    return os.path.join(base, path) if path else base


class Program:
    def __init__(self, program, between):
        self.program = os.path.abspath(program)
        self.between = os.path.abspath(between)
        with open(self.program, "rb") as file:
            self.is_asan = b"__asan_init" in file.read()

    def environment(self):
        kept = {name: os.environ[name] for name in ("PATH", "TMPDIR", "HOME")
                if name in os.environ}
        # Under ASan the object may come before its library, and every fault is 99.
        return {**kept, "LC_ALL": "C", "TZ": "UTC", "NO_COLOR": "1",
                "ASAN_OPTIONS": "verify_asan_link_order=0:exitcode=99:allocator_may_return_null=1",
                "UBSAN_OPTIONS": "halt_on_error=1:exitcode=99"}

    def run(self, arguments, cwd, calls=None, first=1, last=None, decide=None, stdin=None,
            stdout=None, before=None, settings=None):
        """`decide(hit, process)` answers for hits `first` to `last` (None: all that follow);
        without it they are only told.  `calls`: names with commas, "all", None for nothing.
        `before()` is called in the process before the program; `settings` are for its
        environment."""
        environment = {**self.environment(), **(settings or {})}
        told, tell = os.pipe()
        heard, answer = os.pipe()
        if calls is not None:
            environment["LD_PRELOAD"] = self.between
            environment["FAIL_NTH"] = (f"{calls}:{first}-{1 << 60 if last is None else last}:"
                                       f"{tell},{heard if decide else -1}")
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            process = subprocess.Popen(
                [self.program, *map(str, arguments)], cwd=cwd, env=environment,
                stdin=stdin or subprocess.DEVNULL, stdout=stdout or out, stderr=err,
                pass_fds=(tell, heard), preexec_fn=before)
            os.close(tell)
            os.close(heard)
            try:
                hits = list(self._talk(process, told, answer, decide))
            finally:
                os.close(told)
                os.close(answer)
                status = process.wait()
            out.seek(0)
            err.seek(0)
            return Result(status if status >= 0 else 128 - status,
                          out.read().decode("utf-8", "replace"),
                          err.read().decode("utf-8", "replace"), hits)

    @staticmethod
    def _talk(process, told, answer, decide):
        rest = b""
        while True:
            if not select.select([told], [], [], PATIENCE)[0]:
                process.kill()
                raise TimeoutError(f"no sign of life for {PATIENCE} s")
            block = os.read(told, 1 << 16)
            if not block:
                return
            *lines, rest = (rest + block).split(b"\n")
            for line in lines:
                number, name, descriptor, stack, path = \
                    line.decode("utf-8", "surrogateescape").split(" ", 4)
                hit = Hit(int(number), name, int(descriptor), stack, path)
                if decide:
                    hit.path = path_of(process, hit.descriptor, path)
                    reply = decide(hit, process)
                    try:
                        os.write(answer, struct.pack("i", reply))
                    except BrokenPipeError:
                        pass                                    # it was killed
                yield hit
