"""Places that are full, read-only or gone: for real, without anything between."""
import os
import resource
import shutil
import subprocess

from cases import ZIP, Box, snapshot


def limit_size(size):
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def sizes(checks, program, case, scratch):
    """RLIMIT_FSIZE: an error, no SIGXFSZ."""
    largest = max(len(content) for content in case.good.values() if content is not None)
    # What is said goes to a file as well, and must fit into it.
    for size in (512, 4096, largest - 1):
        with Box(case, scratch, f"size{size}") as box:
            result = program.run([*case.arguments, "--json"], box, before=limit_size(size),
                                 stdout=subprocess.PIPE)
            checks.check(result.status == 7 and "File too large" in result.err
                         and snapshot(box) == case.before, f"files of at most {size} bytes", result)


def full_disk(checks, program, case, scratch):
    """A tmpfs of each size until the result fits."""
    script = """
        mount -t tmpfs -o size="$1"k tmpfs "$2" || exit 77
        cd "$2" || exit 77
        shift 2
        "$@" 2>&1
        status=$?
        [ $status -eq 0 ] || find . -mindepth 1
        exit $status
    """
    unshare = ["unshare", "-Urm", "sh", "-c", script, "sh"]
    with Box(case, scratch, "disk") as box:
        for size in (4, 64, 40000):     # too little by arithmetic, and enough
            ran = subprocess.run([*unshare, str(size), box, program.program, *case.arguments],
                                 stdout=subprocess.PIPE, env=program.environment(), text=True)
            if ran.returncode == 77:
                print("faults: skipped: a disk that is full: no namespace or mount is allowed here")
                return
            lines = ran.stdout.splitlines()
            good = (ran.returncode == 7 and len(lines) == 1 and "free where 'out'" in lines[0]) \
                if size < 40000 else ran.returncode == 0
            checks.check(good, f"a disk of {size} kB: status {ran.returncode}: {ran.stdout}")


def full_disk_later(checks, program, case, scratch):
    """Somebody else fills the disk once the work has begun."""
    script = """
        mount -t tmpfs -o size=40000k tmpfs "$1" && mkdir "$1/box" || exit 77
        shift
        exec "$@"
    """
    inner = f"""
import sys
sys.path.insert(0, {os.path.dirname(os.path.abspath(__file__))!r})
from faults import *
program = Program({program.program!r}, {program.between!r})
def decide(hit, process):
    fill = os.open({scratch!r} + "/mnt/fill", os.O_WRONLY | os.O_CREAT)
    try:
        while os.write(fill, bytes(4096)):
            pass
    except OSError:
        return GO_ON
result = program.run({case.arguments!r}, {scratch!r} + "/mnt/box", "posix_fallocate,openat",
                     int(sys.argv[1]), int(sys.argv[1]), decide)
print(result.status, os.listdir({scratch!r} + "/mnt/box"), result.err)
"""
    os.makedirs(f"{scratch}/mnt", exist_ok=True)
    hits = []
    with Box(case, scratch, "later") as box:
        hits = program.run(case.arguments, box, "posix_fallocate,openat").hits
    for hit in [hit for hit in hits if hit.name == "posix_fallocate"]:
        ran = subprocess.run(["unshare", "-Urm", "sh", "-c", script, "sh", f"{scratch}/mnt",
                              "python3", "-c", inner, str(hit.number)],
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if ran.returncode == 77:
            return
        checks.check(ran.stdout.startswith("7 [] megatron2hf: error: ")
                     and "No space left on device" in ran.stdout,
                     f"a disk that fills up at call {hit.number}: {ran.stdout}")


def read_only(checks, program, case, scratch):
    script = """
        mount -t tmpfs tmpfs "$1" && mount -o remount,ro "$1" || exit 77
        cd "$1" && shift && "$@" 2>&1
    """
    with Box(case, scratch, "ro") as box:
        ran = subprocess.run(["unshare", "-Urm", "sh", "-c", script, "sh", box, program.program,
                              *case.arguments], stdout=subprocess.PIPE, text=True,
                             env=program.environment())
        if ran.returncode != 77:
            checks.check(ran.returncode == 7 and "Read-only file system" in ran.stdout,
                         f"a read-only disk: {ran.returncode}: {ran.stdout}")


# ---- standard output --------------------------------------------------------------------


def standard_output(checks, program, cases, scratch):
    commands = [["--help"], ["--version", "--json"], ["help", "convert"], ["inspect", ZIP],
                ["inspect", "--json", ZIP], cases["verify"].arguments, cases["diff"].arguments,
                cases["stream"].arguments, ["convert", "-n", ZIP, "-o", "out"]]
    if os.path.exists("/dev/full"):
        for words in commands:
            with Box(cases["stream"], scratch, "full") as box, open("/dev/full", "wb") as full:
                result = program.run(words, box, stdout=full)
                checks.check(result.status == 7 and not snapshot(box) and
                             "standard output: write error: No space left" in result.err,
                             f"{words} into a full device", result)
    for words in commands:
        with Box(cases["stream"], scratch, "pipe") as box:
            reading, writing = os.pipe()
            os.close(reading)
            with open(writing, "wb", closefd=True) as gone:
                result = program.run(words, box, stdout=gone)
            checks.check(result.status in (0, 1, 141) and "write error" not in result.err
                         and not snapshot(box), f"{words} for a reader that went away", result)
            closed = program.run(words, box, before=lambda: os.close(1))
            checks.check(closed.status in (0, 1, 2, 7) and not snapshot(box),
                         f"{words} with standard output closed", closed)
            silent = program.run(words, box, before=lambda: os.close(2))
            checks.check(silent.status in (0, 1) and not snapshot(box),
                         f"{words} with standard error closed", silent)


def all_closed(checks, program, case, scratch):
    """No file that is written gets the number of a descriptor that was closed."""
    with Box(case, scratch, "closed") as box:
        result = program.run(case.arguments, box, before=lambda: os.closerange(0, 3))
        checks.check(result.status == 0 and case.is_good(snapshot(box)),
                     "a conversion with nothing open", result)


# ---- what the system gives ------------------------------------------------------------------


def limits(checks, program, case, scratch):
    def limit(what, value):
        return lambda: resource.setrlimit(what, (value, value))
    with Box(case, scratch, "limits") as box:
        for name, before in (("16 open files", limit(resource.RLIMIT_NOFILE, 16)),
                             ("64 kB of stack", limit(resource.RLIMIT_STACK, 64 << 10))):
            if program.is_asan and "stack" in name:
                continue
            result = program.run(case.arguments, box, before=before)
            checks.check(result.status == 0 and case.is_good(snapshot(box)), name, result)
            shutil.rmtree(f"{box}/out", ignore_errors=True)


def run(checks, program, cases, scratch, everything):
    zip_case = cases["zip"]
    sizes(checks, program, zip_case, scratch)
    full_disk(checks, program, zip_case, scratch)
    full_disk_later(checks, program, zip_case, scratch)
    read_only(checks, program, zip_case, scratch)
    standard_output(checks, program, cases, scratch)
    all_closed(checks, program, zip_case, scratch)
    limits(checks, program, zip_case, scratch)
