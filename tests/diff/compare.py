"""python3 tests/diff/compare.py MEGATRON2HF FOLDER: diff's JSON against expected.json."""
import json
import pathlib
import subprocess
import sys

PREFIX = "transformer."


def run(program, arguments):
    done = subprocess.run([program, "diff", "--json", *arguments], capture_output=True, text=True)
    return done.returncode, json.loads(done.stdout)


def compare(found, wanted):
    """What is not as it should be, as lines."""
    pairs = {}
    for pair in found["pairs"]:
        side = pair["a"] or pair["b"]
        pairs[side["name"].removeprefix(PREFIX)] = pair
    for name in sorted(wanted.keys() | pairs.keys()):
        if name not in pairs or name not in wanted:
            yield f"{name}: {'extra' if name in pairs else 'missing'}"
            continue
        for key, value in wanted[name].items():
            if pairs[name][key] != value:
                yield f"{name}: {key}: expected {value!r}, found {pairs[name][key]!r}"


def main():
    program, folder = str(pathlib.Path(sys.argv[1]).resolve()), pathlib.Path(sys.argv[2])
    passed = failed = 0
    for line, wanted in json.loads((folder / "expected.json").read_text()).items():
        a, b, *options = line.split()
        for threads in ("-j1", "-j2"):
            status, found = run(program, [str(folder / a), str(folder / b), threads, *options])
            faults = list(compare(found, wanted["pairs"]))
            if status != wanted["status"] or found["exit"] != status:
                faults.append(f"status {status}, expected {wanted['status']}")
            passed, failed = passed + (not faults), failed + bool(faults)
            for fault in faults:
                print(f"diff: {line}: {fault}")
    print(f"diff: {passed} passed, {failed} failed")
    return failed != 0


sys.exit(main())
