#!/usr/bin/python3
"""Proof against the real programs: runs each suite in each of its environments.

    /usr/bin/python3 tests/interop/run.py BUILD [SUITE[@ENVIRONMENT]...]    from the root

Each suite ends with "interop-NAME: N passed, N failed".  Where PyPI cannot be reached the
environment is skipped with a line that says so; with CI set that is a failure.  Once every
suite has run, each run writes the table in tests/interop/README.md anew, from the latest
result of each.
"""
import concurrent.futures
import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import environments

SUITES = [
    ("readers", ["transformers-4.18", "transformers-4.22", "transformers-4.30",
                 "transformers-4.37", "transformers-4.47", "transformers-4.52", "transformers-4.57",
                 "transformers-5.0", "transformers-5.14", "transformers-5.23"]),
    ("reference", ["transformers-4.18", "transformers-4.30", "transformers-4.47-torch-1.13"]),
    ("eras", ["transformers-5.23"]),
    ("megatron_core", ["megatron-core-0.12", "megatron-core-0.16"]),
    ("ngc", ["transformers-5.23"]),
    ("text_survives", ["transformers-5.23"]),
    ("torch_files", ["torch-1.13", "torch-2.13"]),
    ("hub", ["tools"]),
    ("signing", ["tools"]),
]
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"


def suite_environment(home):
    """No network, no cache of others, nothing written into the tree."""
    surroundings = {name: value for name, value in os.environ.items()
                    if not name.startswith(("HF_", "TRANSFORMERS_", "PYTHON"))}
    surroundings.update(
        HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", HF_HOME=home, OMP_NUM_THREADS="1",
        HF_HUB_DISABLE_PROGRESS_BARS="1", HF_HUB_DISABLE_TELEMETRY="1", LC_ALL="C.UTF-8",
        PYTHONDONTWRITEBYTECODE="1", PYTHONNOUSERSITE="1")
    return surroundings


class Run:
    def __init__(self, build, suite, name):
        self.suite, self.name = suite, name
        self.root = os.path.join(build, "interop")
        self.work = os.path.join(self.root, "%s@%s" % (suite, name))
        self.program = os.path.join(build, "megatron2hf")
        self.passed = self.failed = 0

    def carry_out(self, python):
        shutil.rmtree(self.work, ignore_errors=True)
        os.makedirs(self.work)
        rows = os.path.join(self.work, "rows")
        surroundings = dict(suite_environment(os.path.join(self.work, "home")),
                            MEGATRON2HF=self.program, INTEROP_ROWS=rows,
                            INTEROP_BUILD=os.path.dirname(self.program))
        with open(self.work + ".log", "w") as log:
            done = subprocess.run(
                [python, os.path.join(HERE, self.suite + ".py"), os.path.join(self.work, "work")],
                env=surroundings, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        with open(self.work + ".log", errors="replace") as log:
            said = log.read()
        closing = re.findall(r"^interop-%s: (\d+) passed, (\d+) failed$" % self.suite, said, re.M)
        if closing:
            self.passed, self.failed = map(int, closing[-1])
        if done.returncode and not self.failed or not closing:
            self.failed += 1
            print("interop: %s in %s ended with %d; the end of %s.log:\n%s" % (
                self.suite, self.name, done.returncode, self.work,
                "\n".join(said.split("\n")[-15:])), flush=True)
        for line in said.split("\n"):
            if line.startswith("interop-%s: " % self.suite) and not closing_line(line):
                print("%s (in %s)" % (line, self.name), flush=True)
        if os.path.exists(rows):
            os.replace(rows, self.work + ".rows")
        if not self.failed:
            shutil.rmtree(self.work, ignore_errors=True)
        print("interop: %s in %s: %d of %d" % (self.suite, self.name, self.passed,
                                                self.passed + self.failed), flush=True)


def closing_line(line):
    return re.search(r": \d+ passed, \d+ failed$", line)


def write_table(root):
    rows = []
    for suite, name in wanted([]):
        path = os.path.join(root, "%s@%s.rows" % (suite, name))
        if not os.path.exists(path):
            return
        with open(path) as file:
            rows += [json.loads(line) for line in file]
    path = os.path.join(HERE, "README.md")
    with open(path) as file:
        text = file.read()
    head, rest = text.split(BEGIN)
    tail = rest.split(END)[1]
    lines = ["| program | version | what was compared | result |", "|---|---|---|---|"]
    lines += ["| %s |" % " | ".join(text.replace("|", "\\|") for text in row) for row in rows]
    with open(path, "w") as file:
        file.write(head + BEGIN + "\n" + "\n".join(lines) + "\n" + END + tail)


def wanted(patterns):
    for suite, names in SUITES:
        for name in names:
            if not patterns or any(fnmatch.fnmatch(suite + "@" + name, p if "@" in p else p + "@*")
                                   for p in patterns):
                yield suite, name


def main():
    if len(sys.argv) < 2:
        raise SystemExit("usage: run.py BUILD [SUITE[@ENVIRONMENT]...]")
    build, patterns = os.path.abspath(sys.argv[1]), sys.argv[2:]
    os.makedirs(os.path.join(build, "interop"), exist_ok=True)
    runs = [Run(build, suite, name) for suite, name in wanted(patterns)]
    skipped = broken = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        jobs = []
        for run in runs:
            try:
                python = environments.environment(run.root, run.name)
            except environments.Unreachable as problem:
                print("interop-%s: skipped: %s" % (run.suite, problem), flush=True)
                skipped += 1
                continue
            except Exception as problem:
                print("interop-%s: %s" % (run.suite, problem), flush=True)
                broken += 1
                continue
            jobs.append(pool.submit(run.carry_out, python))
        for job in jobs:
            job.result()
    for suite in dict.fromkeys(run.suite for run in runs):
        print("interop-%s: %d passed, %d failed" % (
            suite, sum(run.passed for run in runs if run.suite == suite),
            sum(run.failed for run in runs if run.suite == suite)))
    failed = broken + sum(run.failed for run in runs)
    if skipped and os.environ.get("CI"):
        print("interop: %d skipped: under CI that is a failure" % skipped)
        failed += skipped
    write_table(os.path.join(build, "interop"))
    return failed != 0 or not (skipped or any(run.passed for run in runs))


if __name__ == "__main__":
    sys.exit(main())
