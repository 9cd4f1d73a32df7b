"""python3 tests/source/source.py MEGATRON2HF FIXTURES [PART ...]: see run.sh."""
import pathlib
import sys
import tempfile

import faults
import flips
import forms
import mistakes
import rows
from bench import Bench

PARTS = {"forms": forms.run, "mistakes": mistakes.run, "flips": flips.run, "faults": faults.run,
         "rows": rows.run}


def main():
    program, fixtures, wanted = sys.argv[1], sys.argv[2], sys.argv[3:] or PARTS
    with tempfile.TemporaryDirectory(prefix="m2h-source.") as folder:
        bench = Bench(pathlib.Path(program).resolve(), pathlib.Path(fixtures).resolve(),
                      pathlib.Path(folder))
        for part in wanted:
            PARTS[part](bench)
    print(f"source: {bench.passed} passed, {bench.failed} failed")
    return bench.failed > 0


sys.exit(main())
