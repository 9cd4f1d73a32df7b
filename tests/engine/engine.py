"""python3 tests/engine/engine.py MEGATRON2HF FIXTURES [PART ...]: see run.sh."""
import pathlib
import sys
import tempfile

import memory
import read_back
import used
from traced import Bench

PARTS = {"read_back": read_back.run, "used": used.run,
         "memory": memory.run}


def main():
    program, fixtures, wanted = sys.argv[1], sys.argv[2], sys.argv[3:] or PARTS
    with tempfile.TemporaryDirectory(prefix="m2h-engine.") as folder:
        bench = Bench(pathlib.Path(program).resolve(), pathlib.Path(fixtures).resolve(),
                      pathlib.Path(folder))
        for part in wanted:
            PARTS[part](bench)
    print(f"engine: {bench.passed} passed, {bench.failed} failed")
    return bench.failed > 0


sys.exit(main())
