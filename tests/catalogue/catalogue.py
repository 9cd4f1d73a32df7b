"""python3 tests/catalogue/catalogue.py MEGATRON2HF FIXTURES [NAME ...]: see run.sh."""
import pathlib
import sys

import rows_command
import rows_files
import rows_model
import rows_output
import rows_pickle
import rows_verify
import rows_zip
import table
from bench import Cases

PARTS = [rows_files, rows_zip, rows_pickle, rows_model, rows_command, rows_output, rows_verify]


def main():
    cases = Cases()
    for part in PARTS:
        part.add(cases)
    if sys.argv[1] == "list":
        for case in cases.list:
            print(case.name, case.status)
        return 0
    program, fixtures = (pathlib.Path(path).resolve() for path in sys.argv[1:3])
    untrue = list(table.faults(cases.list, fixtures.parent))
    for fault in untrue:
        print(f"catalogue: tests/catalogue.md: {fault}")
    return cases.run(program, fixtures, sys.argv[3:], len(untrue))


if __name__ == "__main__":
    sys.exit(main())
