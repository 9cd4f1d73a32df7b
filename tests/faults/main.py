"""See run.sh.  main.py MEGATRON2HF FAIL_NTH.SO FOLDER [PART ...], from the project's root."""
import concurrent.futures
import os
import signal
import sys
import time

import changing
import ending
import order
import places
import sweeps
from cases import make_cases
from faults import Program

LINES_SHOWN = 40


class Checks:
    """Counts; what was put off is done by as many threads as there are cores."""

    def __init__(self):
        self.passed = self.failed = 0
        self.pending = []

    def check(self, good, what, result=None):
        if good:
            self.passed += 1
            return
        self.failed += 1
        if self.failed <= LINES_SHOWN:
            said = f"\n    status {result.status}: {result.err.strip()[:500]}" if result else ""
            print(f"faults: {what}{said}", flush=True)

    def later(self, function, *arguments):
        self.pending.append((function, arguments))

    def thin(self, step):
        self.pending = self.pending[::step]

    def settle(self):
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            jobs = [pool.submit(function, *arguments) for function, arguments in self.pending]
            self.pending = []
            for job in jobs:
                job.result()


def sweep(checks, program, cases, scratch, everything):
    files = ["zip", "dist", "force", "stream", "inspect", "inspect-hf", "verify",
             "verify-source", "diff", "sign"]
    memory = ["zip", "json", "inspect", "inspect-shard", "inspect-json", "inspect-hf", "verify",
              "verify-source", "verify-signature", "verify-broken", "verify-link",
              "verify-mistaken", "diff", "diff-names", "sign"]
    signals = ["zip", "force", "stream", "sign"]
    if everything:
        # With threads the calls come in another order each time; this one makes thousands.
        files = signals = [name for name in cases if name not in ("threads", "folder", "json")]
        memory = [name for name in cases if name != "threads"]
        for name in ("folder", "json"):
            sweeps.sweep_files(checks, program, cases[name], scratch, False)
    for name in files:
        sweeps.sweep_files(checks, program, cases[name], scratch, everything)
    for name in cases:
        checks.later(sweeps.storm, checks, program, cases[name], scratch)
    for name in memory:
        sweeps.sweep_memory(checks, program, cases[name], scratch, everything)
    for name in signals:
        sweeps.sweep_signals(checks, program, cases[name], scratch, everything,
                             1 if everything or name in ("zip", "force") else 3)
    # A run takes ten times as long there.
    if program.is_asan and not everything:
        checks.thin(8)
    checks.settle()


PARTS = {"sweep": sweep, "ending": ending.run, "changing": changing.run, "order": order.run,
         "places": places.run}


def main(program, between, scratch, *parts):
    everything = os.environ.get("FAULTS") == "all"
    program, checks = Program(program, between), Checks()
    cases = make_cases(program, scratch)
    for name in parts or PARTS:
        begin = time.monotonic()
        PARTS[name](checks, program, cases, scratch, everything)
        if os.environ.get("FAULTS_TIMES"):
            print(f"{name}: {time.monotonic() - begin:.1f} s", flush=True)
    print(f"faults: {checks.passed} passed, {checks.failed} failed")
    return checks.failed != 0


if __name__ == "__main__":
    # A shell's job in the background ignores it, and so would the program.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main(*sys.argv[1:]))
