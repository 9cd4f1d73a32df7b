"""Runs the program, under strace where its system calls are to be seen."""
import os
import re
import shutil
import subprocess

CALLS = "pread64,pwritev,sync_file_range,fadvise64,fdatasync,fsync"
LINE = re.compile(r"^\d+ +(\w+)\(\d+<([^>]*)>(.*)$")
ENDS = re.compile(r"^(.*?) <unfinished \.\.\.>$")
RESUMES = re.compile(r"^<\.\.\. \w+ resumed>(.*)$")


class Bench:
    def __init__(self, program, fixtures, folder):
        self.program, self.fixtures, self.folder = program, fixtures, folder
        self.passed = self.failed = 0
        self.out = folder / "out"
        self.environment = dict(os.environ, ASAN_OPTIONS="detect_leaks=0", LC_ALL="C")
        self.has_strace = shutil.which("strace") is not None and subprocess.run(
            ["strace", "-qq", "-o", os.devnull, "true"], stderr=subprocess.DEVNULL).returncode == 0
        if not self.has_strace:
            print("engine: no calls are looked at: strace does not work here")

    def expect(self, what, holds, *facts):
        if holds:
            self.passed += 1
        else:
            self.failed += 1
            print(f"engine: {what}", *facts)

    def convert(self, source, *options, out=None, before=()):
        """Status and standard error of a conversion to `out`, a new folder."""
        out = out or self.out
        shutil.rmtree(out, ignore_errors=True)
        ran = subprocess.run([*before, str(self.program), "convert", str(source), "-o", str(out),
                              *options], env=self.environment, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
        return ran.returncode, ran.stderr

    def verify(self):
        return subprocess.run([str(self.program), "verify", "-q", str(self.out)],
                              env=self.environment, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL).returncode

    def trace(self, source, *options):
        """The same under strace: status and (call, path, its other arguments) in their order."""
        log = self.folder / "calls"
        status, said = self.convert(source, *options, before=[
            "strace", "-f", "-y", "-s", "0", "-o", str(log), "-e", f"trace={CALLS}"])
        begun, calls = {}, []
        for line in log.read_text(errors="replace").splitlines():
            number, rest = line.split(" ", 1)
            rest = rest.strip()
            if unfinished := ENDS.match(rest):
                begun[number] = unfinished[1]
                continue
            if resumed := RESUMES.match(rest):
                rest = begun.pop(number, "") + resumed[1]
            if call := LINE.match(f"{number} {rest}"):
                name = "sync_file_range" if call[1] == "sync_file_range2" else call[1]
                calls.append((name, call[2], call[3]))
        return status, said, calls

    def inject(self, source, fault, *options):
        call = fault.split(":")[0]
        return self.convert(source, *options, before=[
            "strace", "-f", "-qq", "-o", os.devnull, "-e", f"trace={call}", "-e",
            f"inject={fault}"])
