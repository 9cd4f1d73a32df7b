"""Input that changes while it is read: status 3, and nothing is published."""
import os
import shutil
import time

from cases import DIST, FOLDER, STORED, ZIP, Box, Case, snapshot
from faults import GO_ON

TICK = 0.012            # seconds: more than the granularity of a file's times


def grow(path):
    with open(path, "ab") as file:
        file.write(b"more")


def shrink(path):
    os.truncate(path, os.path.getsize(path) - 1)


def empty(path):
    os.truncate(path, 0)


def replace(path):
    """By another of the same size and time, under its name."""
    shutil.copy2(path, f"{path}.new")
    os.rename(f"{path}.new", path)


def rewrite(path):
    """One byte in the middle, and the times set back."""
    times = os.stat(path)
    with open(path, "r+b") as file:
        file.seek(times.st_size // 2)
        byte = file.read(1)[0] ^ 1
        file.seek(-1, 1)
        file.write(bytes([byte]))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


CHANGES = (grow, shrink, empty, replace, rewrite)


def copy_of(path):
    def prepare(box):
        (shutil.copytree if os.path.isdir(path) else shutil.copy)(path, f"{box}/src")
    return prepare


def make_cases(model, key):
    convert = ["convert", "-q", "-j1"]

    def both(box):
        copy_of(ZIP)(box)
        shutil.copytree(model, f"{box}/model")
    return [
        Case("change-zip", [*convert, "src", "-o", "out"], copy_of(ZIP)),
        Case("change-stored", [*convert, "src", "-o", "out"],
             copy_of(STORED)),
        Case("change-folder", [*convert, "src", "-o", "out"], copy_of(FOLDER)),
        Case("change-dist", [*convert, "src", "-o", "out"], copy_of(DIST)),
        Case("change-threads", ["convert", "-q", "-j2", "src", "-o", "out"], copy_of(FOLDER)),
        Case("change-verify", ["verify", "-q", "src"], copy_of(model)),
        Case("change-source", ["verify", "-q", "-j1", "model", "--source", "src"], both),
        Case("change-diff", ["diff", "-q", "src", model], copy_of(model)),
        Case("change-sign", ["sign", "-q", "src", "--key", key], copy_of(model)),
    ]


def readings(program, case, scratch, everything):
    """Of the first and the last input files the first, a middle and the last reading, and of
    config.json, which is opened twice."""
    with Box(case, scratch, "list") as box:
        hits = program.run(case.arguments, box, "pread", decide=lambda *_: GO_ON).hits
        inputs = tuple(f"{os.path.realpath(box)}/{name}/" for name in ("src", "model"))
        files = {}
        for hit in hits:
            if f"{hit.path}/".startswith(inputs):
                files.setdefault(hit.path[len(os.path.realpath(box)) + 1:], []).append(hit.number)
    if everything:
        return files
    some = {path: sorted({numbers[0], numbers[len(numbers) // 2], numbers[-1]})
            for path, numbers in files.items()}
    chosen = {*list(some)[:1], *list(some)[-2:], "model/config.json"}
    return {path: numbers for path, numbers in some.items() if path in chosen}


def try_change(checks, program, case, scratch, path, number, change):
    with Box(case, scratch, f"{path.replace('/', '_')}.{number}.{change.__name__}") as box:
        def decide(hit, process):
            time.sleep(TICK)
            change(f"{box}/{path}")
            return GO_ON
        before = set(snapshot(box))
        result = program.run(case.arguments, box, "pread", number, number, decide)
        what = f"{case.name}: {path}: {change.__name__} at reading {number}"
        checks.check(result.status == 3 and result.errors(), what, result)
        checks.check(set(snapshot(box)) == before, f"{what}: left behind", result)


def run(checks, program, cases, scratch, everything):
    for case in make_cases(f"{scratch}/model", f"{scratch}/key.pem"):
        case.learn(program, scratch)
        for path, numbers in readings(program, case, scratch, everything).items():
            for number in numbers:
                for change in CHANGES:
                    checks.later(try_change, checks, program, case, scratch, path, number, change)
    checks.settle()
